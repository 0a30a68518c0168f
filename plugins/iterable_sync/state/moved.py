"""
Removals of people who live on under another key, and of those who only seem to.

A key that left is left alone where its person is sent, or is known, under another key. But the row
of that other key may have to wait: held by a guard, or rejected. Iterable then has the person with
what the key that left once said, perhaps for ever; so that is taken out, as for all who leave. The
row that waits is whole, and brings everything with it when it is sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iterable_sync.rows import Op

if TYPE_CHECKING:
    from collections.abc import Sequence

    from iterable_sync.state.dialects.base import Session


def ignore_moved(
    session: Session,
    plan: str,
    stage: str,
    *,
    beside: Sequence[str] = (),
    send: str,
    ignore: str,
) -> None:
    """
    Ignore a removed key whose person lives under another key, or is removed under another.

    Args:
        plan, stage: quoted, qualified names.

        beside: quoted columns that make a row a thing of its own beside its person: a member of
            two audiences leaves each of them.

        send, ignore: the routes of the plan that mean so.
    """
    whose = ", ".join(["_identity", *beside])
    same = " AND ".join(f"p.{name} = d.{name}" for name in ["_identity", *beside])
    session.execute(
        f"UPDATE {plan} SET _route = '{ignore}' WHERE _op = '{Op.REMOVED}' AND _route = '{send}' "
        f"AND ({whose}) IN (SELECT {whose} FROM {stage})"
    )
    # Two requests in flight must never hold the same person.
    session.execute(
        f"UPDATE {plan} AS p SET _route = '{ignore}' FROM "
        f"(SELECT {whose}, min(_seq) AS first FROM {plan} WHERE _op = '{Op.REMOVED}' "
        f"AND _route = '{send}' GROUP BY {whose} HAVING count(*) > 1) AS d "
        f"WHERE p._op = '{Op.REMOVED}' AND p._route = '{send}' AND {same} "
        "AND p._seq > d.first"
    )


def remove_stranded(
    session: Session, plan: str, *, refused: str, send: str, ignore: str, still_rejected: str
) -> None:
    """
    Send the removal of a person whose row under another key waits and was never accepted there.

    Call it whenever rows of the plan were held or rejected.

    Args:
        plan: quoted, qualified name.

        refused: condition over the plan ``p``: a removal that Iterable refused and that is not due
            again. It was ignored when refused ones were left out, so that is made up for here.

        send, ignore, still_rejected: the routes of the plan that mean so.
    """
    arrives = f"'{Op.ADDED}', '{Op.IDENTITY_CHANGED}'"
    route = f"CASE WHEN {refused} THEN '{still_rejected}' ELSE '{send}' END"
    session.execute(
        f"UPDATE {plan} AS p SET _route = {route} FROM (SELECT _identity, "
        f"min(CASE WHEN _op = '{Op.REMOVED}' THEN _seq END) AS first FROM {plan} "
        "WHERE _identity IS NOT NULL GROUP BY _identity "
        f"HAVING sum(CASE WHEN _op IN ({arrives}) THEN 1 ELSE 0 END) > 0 "
        # Nobody of that person is sent, or is there already under a key that stays.
        f"AND sum(CASE WHEN _route = '{send}' OR _op = '{Op.CHANGED}' THEN 1 ELSE 0 END) = 0"
        f") AS d WHERE p._op = '{Op.REMOVED}' AND p._route = '{ignore}' "
        "AND p._identity = d._identity AND p._seq = d.first"
    )
