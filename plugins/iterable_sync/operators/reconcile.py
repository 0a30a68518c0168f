"""Reads a sample of what a sync delivered back."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from iterable_sync.booleans import strict_bool
from iterable_sync.errors import ConfigError, SyncAborted
from iterable_sync.operators.state_task import IterableStateOperator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.providers.common.compat.sdk import Context

    from iterable_sync.drift import ReconcileReport
    from iterable_sync.state import StateEngine


class IterableReconcileOperator(IterableStateOperator):
    """
    Compare rows that Iterable took, drawn at random, with the profiles that it shows.

    What differs is marked in the state, and the next run of the sync sends it again. Of a sync of
    lists the sizes of its lists are compared, and nothing is marked. While a run has the sync the
    task is skipped.

    Args:
        rows: so many are read back, one request each at 80 a second.

        settle: rows that were accepted later than that are left out, for Iterable applies later
            what it took; seconds or a ``timedelta``.

        seed: of the sample; None draws another one each time.

        mark: False only reports.

        max_drift: the task fails where a greater share of the sample differs, e.g. ``0.01``; what
            was found is marked all the same. None never fails it.

        merge_nested_objects: as the sync says it.

    Other arguments: see :class:`IterableStateOperator`.

    Returns:
        The counts, also in the XCom ``counts`` where the task fails.
    """

    template_fields: Sequence[str] = (
        *IterableStateOperator.template_fields,
        "rows",
        "settle",
        "seed",
        "mark",
        "max_drift",
        "merge_nested_objects",
    )

    def __init__(
        self,
        *,
        rows: int | str = 2_000,
        settle: timedelta | float | str = 600.0,
        seed: int | str | None = None,
        mark: bool | str = True,
        max_drift: float | str | None = None,
        merge_nested_objects: bool | str = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.rows = rows
        self.settle = settle
        self.seed = seed
        self.mark = mark
        self.max_drift = max_drift
        self.merge_nested_objects = merge_nested_objects
        self._told_to_stop = False

    def on_kill(self) -> None:
        """Stop reading; nothing was marked yet."""
        self._told_to_stop = True

    def _change(self, state: StateEngine, project: str, context: Context) -> dict[str, int]:
        from iterable_sync.hooks.iterable import IterableHook
        from iterable_sync.hooks.warehouse import open_rate
        from iterable_sync.reconcile import reconcile

        settle, most = self.settle, self._most()
        hook = IterableHook(self.iterable_conn_id)
        with open_rate(hook.rate_conn_id()) as shared_rate:
            report = reconcile(
                self.sync,
                client=hook.get_conn(),
                state=state,
                rows=int(self._number("rows")),
                settle_s=(
                    settle.total_seconds()
                    if isinstance(settle, timedelta)
                    else self._number("settle")
                ),
                seed=None if self.seed in (None, "") else int(self._number("seed")),
                mark=self._flag("mark"),
                merge_nested_objects=self._flag("merge_nested_objects"),
                should_stop=lambda: self._told_to_stop,
                shared_rate=shared_rate,
            )
        if report.drift.share > most:
            context["ti"].xcom_push(key="counts", value=report.counts())
            raise SyncAborted(_words(report, most))
        return report.counts()

    def _most(self) -> float:
        if self.max_drift in (None, ""):
            return 1.0
        most = self._number("max_drift")
        if not 0 <= most <= 1:
            raise ConfigError(f"{self._where()}: max_drift is a share, from 0 to 1")
        return most

    def _flag(self, name: str) -> bool:
        return strict_bool(getattr(self, name), f"{self._where()}: {name}")


def _words(report: ReconcileReport, most: float) -> str:
    resent = f"; the next run sends {report.marked} rows again" if report.marked else ""
    return (
        f"sync {report.sync!r}: {report.drift} rows differ from what Iterable took, more than "
        f"max_drift={most:g} allows{resent}. See the log for the fields. Others may write into "
        "them; if Iterable lost them, run once with full_resync=True"
    )
