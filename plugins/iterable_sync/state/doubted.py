"""Planned rows in doubt: an earlier run was free to send them, and nobody knows what it did."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iterable_sync.rows import Op
from iterable_sync.state.plans import SEND

if TYPE_CHECKING:
    from collections.abc import Sequence

    from iterable_sync.state.dialects.base import Session, StateEngine
    from iterable_sync.state.plans import Plan
    from iterable_sync.state.registry import Registered


def in_doubt(engine: StateEngine, registered: Registered, snapshot: str) -> str:
    """Give the condition over the plan ``p`` of what :attr:`Plan.doubted` counts."""
    keys = map(engine.dialect.quote, registered.key_columns)
    on = " AND ".join(f"t.{key} = p.{key}" for key in keys)
    return (
        f"(p._op <> '{Op.REMOVED}' AND p._route = '{SEND}' AND EXISTS "
        f"(SELECT 1 FROM {snapshot} t WHERE {on} AND t._dirty IS NOT NULL))"
    )


def count_doubted(session: Session, plan: Plan, snapshot: str, keys: Sequence[str]) -> None:
    """Count those of a plan; *keys* are quoted columns."""
    on = " AND ".join(f"p.{key} = t.{key}" for key in keys)
    counted = session.rows(
        f"SELECT p._op, count(*) FROM {plan.table} p JOIN {snapshot} t ON {on} "
        f"WHERE t._dirty IS NOT NULL AND p._route = '{SEND}' AND p._op <> '{Op.REMOVED}' GROUP BY 1"
    )
    plan.doubted = {op: int(n) for op, n in counted}
