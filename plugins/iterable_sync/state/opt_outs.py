"""
People who say no: their rows go first, no guard on changes holds them, and a no beats a yes.

Of rows that are consents, see :attr:`iterable_sync.sync_object.Shape.free_of_guards`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iterable_sync.rows import Op, Role
from iterable_sync.state.plans import SEND

if TYPE_CHECKING:
    from collections.abc import Sequence

    from iterable_sync.rows import Column
    from iterable_sync.state.dialects.base import Dialect, Session, StateEngine
    from iterable_sync.state.plans import Plan
    from iterable_sync.state.registry import Registered

CONTRADICTED = "opted_out"


def opt_outs(dialect: Dialect, registered: Registered, table: str) -> str | None:
    """Give the condition over a plan, named *table*, of rows that are opt-outs; None without."""
    role = registered.shape.free_of_guards
    column = next((c for c in registered.columns if role is not None and c.role is role), None)
    if column is None:
        return None
    says_no = _says(f"{table}.{dialect.quote(column.name)}", "false")
    return f"({table}._op <> '{Op.REMOVED}' AND {says_no})"


def count_free(session: Session, plan: Plan, free: str, *, but_for: Sequence[str]) -> None:
    """
    Count the opt-outs that are to be sent.

    Args:
        free: see :func:`opt_outs`, over the plan ``p``.

        but_for: conditions over ``p`` of rows that are counted elsewhere.
    """
    apart = "".join(f" AND NOT {condition}" for condition in but_for)
    counted = session.rows(
        f"SELECT p._op, count(*) FROM {plan.table} p "
        f"WHERE p._route = '{SEND}' AND {free}{apart} GROUP BY 1"
    )
    plan.free = {op: int(n) for op, n in counted}


def has_opt_in(dialect: Dialect, session: Session, registered: Registered, snapshot: str) -> bool:
    """
    Tell whether Iterable ever took a yes; a run that may send opt-outs alone is no first one.

    Args:
        snapshot: its quoted, qualified name.
    """
    role = registered.shape.free_of_guards
    column = next(c for c in registered.columns if c.role is role)
    says_yes = _says(dialect.quote(column.name), "true")
    return bool(
        session.rows(f"SELECT 1 FROM {snapshot} WHERE _origin = 'sent' AND {says_yes} LIMIT 1")
    )


def reject_contradicted(
    engine: StateEngine,
    session: Session,
    stage: str,
    columns: Sequence[Column],
    *,
    of_model: str,
) -> None:
    """
    Reject a yes where another row of the same person says no to the same group.

    Two keys may be one person: in Iterable there is one answer, and the last one sent would count.

    Args:
        stage: quoted, qualified name.

        of_model: condition of its rows that the model gave.
    """
    quote = engine.dialect.quote
    by_role = {c.role: quote(c.name) for c in columns}
    if Role.SUBSCRIBED not in by_role:
        return
    said = by_role[Role.SUBSCRIBED]
    same = ", ".join(
        ["_identity", *(_folded(by_role[role]) for role in (Role.GROUP, Role.GROUP_ID))]
    )
    session.execute(
        f"UPDATE {stage} SET _reject = '{CONTRADICTED}' WHERE {of_model} AND _reject IS NULL "
        f"AND {_says(said, 'true')} AND ({same}) IN (SELECT {same} FROM {stage} "
        f"WHERE {of_model} AND _identity IS NOT NULL AND {_says(said, 'false')})"
    )


def _says(column: str, word: str) -> str:
    # Warehouses without types of their own have it as text.
    return f"COALESCE({_folded(column)} = '{word}', FALSE)"


def _folded(column: str) -> str:
    return f"lower(trim(CAST({column} AS text)))"
