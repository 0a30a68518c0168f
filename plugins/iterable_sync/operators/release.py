"""Lets held changes go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iterable_sync.booleans import strict_bool
from iterable_sync.errors import ConfigError
from iterable_sync.operators.state_task import IterableStateOperator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.providers.common.compat.sdk import Context

    from iterable_sync.state import StateEngine


class IterableReleaseOperator(IterableStateOperator):
    """
    Approve what the guards of a sync hold now; the next run of the sync sends it, once.

    Exactly the keys that are held are approved, each for its kind of change. Others meet the guards
    as ever, and what is not sent within ``hours`` is held again.

    Args:
        guard: only what this guard holds, e.g. ``max_removed``; None means all.

        by: who approves, kept with the keys; by default the task and its run.

        hours: how long the approval lasts.

        allow_none: succeed where nothing is held; else the task fails, for somebody approved what
            was not there.

    Other arguments: see :class:`IterableStateOperator`.

    Returns:
        ``approved``, and the keys by guard.
    """

    template_fields: Sequence[str] = (
        *IterableStateOperator.template_fields,
        "guard",
        "by",
        "hours",
        "allow_none",
    )

    def __init__(
        self,
        *,
        guard: str | None = None,
        by: str = "{{ dag.dag_id }}.{{ task.task_id }}, {{ run_id }}",
        hours: float | str = 24,
        allow_none: bool | str = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.guard = guard
        self.by = by
        self.hours = hours
        self.allow_none = allow_none

    def _change(self, state: StateEngine, project: str, context: Context) -> dict[str, int]:
        from iterable_sync.state.approvals import approve

        may_be_none = strict_bool(self.allow_none, f"{self._where()}: allow_none")
        found = approve(
            state,
            project,
            self.sync,
            guard=self.guard or None,
            by=self.by,
            hours=self._number("hours"),
        )
        if not found and not may_be_none:
            what = f"held by {self.guard}" if self.guard else "held"
            raise ConfigError(
                f"nothing of sync {self.sync!r} is {what}; allow_none=True makes that a success"
            )
        for guard, keys in found.items():
            self.log.info("%s: %d keys held by %s approved", self.sync, keys, guard)
        return {"approved": sum(found.values()), **found}
