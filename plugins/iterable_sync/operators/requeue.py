"""Makes rejected rows due."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from iterable_sync.booleans import strict_bool
from iterable_sync.operators.state_task import IterableStateOperator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.providers.common.compat.sdk import Context

    from iterable_sync.state import StateEngine


class IterableRequeueOperator(IterableStateOperator):
    """
    Let the next run of a sync try rejected rows again, although nothing of them changed.

    For what was mended in Iterable: a field that was created, an event name that was allowed.

    Args:
        reasons: codes, e.g. ``["conflict"]``, or one, or several in a text with commas; none means
            all.

        max_keys: so many keys at most, those first that wait longest.

        older_than: only what was first rejected so long ago; seconds or a ``timedelta``.

        include_permanent: also what waits until its value changes.

    Other arguments: see :class:`IterableStateOperator`.

    Returns:
        ``requeued``, and the rejections by reason; 0 is a success.
    """

    template_fields: Sequence[str] = (
        *IterableStateOperator.template_fields,
        "reasons",
        "max_keys",
        "older_than",
        "include_permanent",
    )

    def __init__(
        self,
        *,
        reasons: Sequence[str] | str = (),
        max_keys: int | str | None = None,
        older_than: timedelta | float | str = 0,
        include_permanent: bool | str = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.reasons = reasons
        self.max_keys = max_keys
        self.older_than = older_than
        self.include_permanent = include_permanent

    def _change(self, state: StateEngine, project: str, context: Context) -> dict[str, int]:
        from iterable_sync.state.requeue import requeue

        age = self.older_than
        found = requeue(
            state,
            project,
            self.sync,
            reasons=self._codes(),
            max_keys=None if self.max_keys in (None, "") else int(self._number("max_keys")),
            older_than_s=(
                age.total_seconds() if isinstance(age, timedelta) else self._number("older_than")
            ),
            include_permanent=strict_bool(
                self.include_permanent, f"{self._where()}: include_permanent"
            ),
        )
        for reason, rejections in found.items():
            self.log.info("%s: %d rejections, %s, are due", self.sync, rejections, reason)
        return {"requeued": sum(found.values()), **found}

    def _codes(self) -> list[str]:
        given = self.reasons.split(",") if isinstance(self.reasons, str) else self.reasons
        return [code.strip() for code in given if code.strip()]
