"""
What a first run does with rows that Iterable may have already, or should get a few of at first.

``seed`` takes every row for sent, and sends none: the snapshot then says what the warehouse says,
and later runs send what changes. ``sample:50`` sends 50 keys and holds all others, in this run and
in later ones, for as long as it is declared: somebody looks at them in Iterable meanwhile. What was
taken for sent by a seed is no part of the sample: nobody can see there what this sync does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iterable_sync.guards import SAMPLE
from iterable_sync.rows import Op
from iterable_sync.state.plans import HELD, SEEDED, SEND, recount

if TYPE_CHECKING:
    from iterable_sync.state.dialects.base import Session
    from iterable_sync.state.plans import Plan

_NEW = f"_op = '{Op.ADDED}' AND _route = '{SEND}'"


def limit_first(
    session: Session, plan: Plan, first_sync: int | str | None, *, snapshot: str
) -> None:
    """
    Take the added rows of a plan for sent, or hold all but some of them, as declared.

    A snapshot that was lost is no first run: nobody knows then what Iterable has.

    Args:
        snapshot: its quoted, qualified name.
    """
    if not isinstance(first_sync, str) or plan.is_lost:
        return
    if first_sync == "seed" and not plan.known:
        session.execute(f"UPDATE {plan.table} SET _route = '{SEEDED}' WHERE {_NEW}")
    elif first_sync.startswith("sample:"):
        sent = session.rows(f"SELECT count(*) FROM {snapshot} WHERE _origin = 'sent'")[0][0]
        left = max(0, int(first_sync.removeprefix("sample:")) - int(sent))
        chosen = f"SELECT _seq FROM {plan.table} WHERE {_NEW} ORDER BY _key LIMIT {left}"
        session.execute(
            f"UPDATE {plan.table} SET _route = '{HELD}{SAMPLE}' "
            f"WHERE {_NEW} AND _seq NOT IN ({chosen})"
        )
    else:
        return
    recount(session, plan)
