"""Counts who can be texted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import AirflowException

from iterable_sync.errors import ConfigError
from iterable_sync.operators import ends
from iterable_sync.operators.rendering import RendersModels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.providers.common.compat.sdk import Context

    from iterable_sync.sms import SmsPreflight


class IterableSmsPreflightOperator(RendersModels):
    """
    Count the people who can be texted: with a phone that can be dialled, and an opt-in.

    It reads the warehouse alone, and writes nothing. The log has the counts, the shares and the
    countries of most people.

    Args:
        sql: one SELECT with a row for each person, or the name of a ``.sql`` file, as for a sync:
            ``phone`` (or ``phone_number``, as models of SMS events have it), ``sms_opt_in`` and, if
            the counts are to be broken down, ``country``.

        warehouse_conn_id: where it is queried.

        phone_region: the country of phones without one, e.g. ``US``, as the syncs have it.

        min_valid: the task fails where a smaller share of the phones is valid, e.g. ``0.9``.

        min_reachable: the task fails where a smaller share of those who opted in has a valid phone.

    Returns:
        The counts, also in the XCom ``counts`` where the task fails.
    """

    template_fields: Sequence[str] = (
        "sql",
        "warehouse_conn_id",
        "phone_region",
        "min_valid",
        "min_reachable",
    )
    template_ext: Sequence[str] = (".sql",)
    template_fields_renderers: ClassVar[dict[str, str]] = {"sql": "sql"}
    ui_color = "#e8dcfb"

    def __init__(
        self,
        *,
        sql: str = "models/sms_preflight.sql",
        warehouse_conn_id: str = "warehouse",
        phone_region: str | None = None,
        min_valid: float | str | None = None,
        min_reachable: float | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.sql = sql
        self.warehouse_conn_id = warehouse_conn_id
        self.phone_region = phone_region
        self.min_valid = min_valid
        self.min_reachable = min_reachable
        self._told_to_stop = False

    def execute(self, context: Context) -> dict[str, int]:
        """Count; errors become the states that they are for a sync."""
        try:
            return self._look(context)
        except AirflowException:
            raise
        except Exception as error:  # noqa: BLE001 - what it says may quote a row
            self.log.error("task %r failed: %s", self.task_id, ends.places(error))  # noqa: TRY400
            failure = ends.of_error(error)
        # Outside of the except clause: the cause stays out of the exception, and of the log.
        raise failure

    def on_kill(self) -> None:
        """Stop reading."""
        self._told_to_stop = True

    def _look(self, context: Context) -> dict[str, int]:
        from iterable_sync.hooks.warehouse import open_source
        from iterable_sync.sms import check, preflight

        least = {name: self._share(name) for name in ("min_valid", "min_reachable")}
        report: SmsPreflight = preflight(
            self.sql,
            source=open_source(self.warehouse_conn_id),
            phone_region=self.phone_region or None,
            should_stop=lambda: self._told_to_stop,
        )
        for line in report.lines():
            self.log.info("%s", line)
        context["ti"].xcom_push(key="counts", value=report.counts())
        check(report, **least)
        return report.counts()

    def _share(self, name: str) -> float:
        given = getattr(self, name)
        if given in (None, ""):
            return 0.0
        try:
            share = float(given)
        except (TypeError, ValueError):
            share = -1.0
        if not 0 <= share <= 1:
            raise ConfigError(f"task {self.task_id!r}: {name} is a share, from 0 to 1")
        return share
