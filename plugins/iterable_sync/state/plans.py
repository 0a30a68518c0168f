"""
A plan: what is done about each row of it, and how many there are.

``_route`` says it: sent, left alone, waiting, refused or held.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from iterable_sync.state.moved import remove_stranded

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from iterable_sync.rows import Column, Op
    from iterable_sync.state.dialects.base import Session

SEND = "send"
IGNORE = "ignore"
UNCHANGED = "unchanged"
SKIPPED = "skipped"
SEEDED = "seeded"
STILL_REJECTED = "still_rejected"
REJECT = "reject:"
HELD = "held:"
EXPIRED = f"{REJECT}expired"

PLAN_COLUMNS = ("_seq", "_op", "_route", "_mask", "_key")
"""What a plan has and a snapshot has not; the rest of its columns a snapshot has too."""


@dataclass(slots=True)
class Plan:
    """
    A plan's table and what it counts.

    Args:
        counts: (op, route) -> rows.

        live, known: rows of the snapshot that are live, and all of them.

        is_first: nothing was sent yet; what is known was taken for sent.

        fields_changed: field -> changed rows that send it.

        is_below_low_water: of append-only rows: some may have been sent, and nobody knows which.

        approved: op -> planned changes that a person let go, see
            :mod:`iterable_sync.state.approvals`.

        is_lost: the snapshot is not the one that the last run left.

        doubted: op -> planned changes of rows in doubt: an earlier run was free to send them, and
            ended before it knew what became of them.

        free: op -> planned changes that no guard on changes holds, nor counts.

        removes_people: removals are sent, and a row is a person.

        refused: condition over the plan ``p``: a removal that Iterable refused and that is not due
            again.

        ignored: rows that the declaration leaves out, which are not in the plan.

        blocked: rows without consent to text messages, which are not in it either.

        forgotten: rows of people who were forgotten, which are not in it either.

        notes: what a person should know of them.
    """

    table: str
    columns: tuple[Column, ...]
    counts: dict[tuple[str, str], int] = field(default_factory=dict)
    last_seq: int = 0
    live: int = 0
    known: int = 0
    is_first: bool = True
    fields_changed: dict[str, int] = field(default_factory=dict)
    is_below_low_water: bool = False
    approved: Mapping[str, int] = field(default_factory=dict)
    is_lost: bool = False
    doubted: dict[str, int] = field(default_factory=dict)
    free: dict[str, int] = field(default_factory=dict)
    removes_people: bool = False
    refused: str = "FALSE"
    ignored: int = 0
    blocked: int = 0
    forgotten: int = 0
    notes: list[str] = field(default_factory=list)

    def total(self, *, op: str | None = None, route: str | None = None) -> int:
        """Count rows by op and by route (a prefix, where it ends in a colon)."""
        return sum(
            n
            for (of, to), n in self.counts.items()
            if (op is None or of == op)
            and (route is None or to == route or (route.endswith(":") and to.startswith(route)))
        )


def recount(session: Session, plan: Plan) -> None:
    """Count the plan by op and route, again after guards have moved rows."""
    counted = session.rows(
        f"SELECT _op, _route, count(*), max(_seq) FROM {plan.table} GROUP BY 1, 2"
    )
    plan.counts = {(op, route): int(n) for op, route, n, _ in counted}
    plan.last_seq = max((int(last) for _, route, _, last in counted if route == SEND), default=0)


def hold(
    session: Session, plan: Plan, ops: Sequence[Op], guard: str, *, but_for: str = "FALSE"
) -> int:
    """
    Keep what a guard is about from being sent.

    Args:
        but_for: condition over the plan ``p``: rows that pass.

    Returns:
        The number of rows that it holds.
    """
    names = ", ".join(f"'{op}'" for op in ops)
    held = session.execute(
        f"UPDATE {plan.table} AS p SET _route = '{HELD}{guard}' "
        f"WHERE p._op IN ({names}) AND p._route IN ('{SEND}', '{IGNORE}', '{EXPIRED}') "
        f"AND NOT ({but_for})"
    )
    if held:
        send_stranded(session, plan)
    recount(session, plan)
    return held


def send_stranded(session: Session, plan: Plan) -> None:
    """Send removals that were ignored for rows that turn out to wait."""
    if plan.removes_people:
        remove_stranded(
            session,
            plan.table,
            refused=plan.refused,
            send=SEND,
            ignore=IGNORE,
            still_rejected=STILL_REJECTED,
        )
