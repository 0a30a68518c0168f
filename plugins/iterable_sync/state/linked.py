"""
Changes of who people are that belong together: of one person, or of people whose addresses pass
from one to the other.

They become one identity of the plan, so that they go one after the other and never at once. Changes
of address are in the order of :mod:`iterable_sync.address_book`: a person's are next to each other,
and become one request. Merges are in the order of their times. Most have to do with no other one,
and are left as they are; the others, which are few, come into Python.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from iterable_sync.address_book import Move, arranged
from iterable_sync.identity import EMAIL_PREFIX, identity_sql, is_email
from iterable_sync.rows import Column, ProjectType, Role, StateType, WireType
from iterable_sync.state.dialects.base import arrow_schema
from iterable_sync.state.plans import REJECT, SEND, STILL_REJECTED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import pyarrow as pa

    from iterable_sync.state.dialects.base import Session, StateEngine
    from iterable_sync.state.registry import Registered

_TABLE = "_linked"
_PLACES = tuple(
    Column(name, "", kind, WireType.STRING, -1)
    for name, kind in (
        ("old_seq", StateType.BIGINT),
        ("new_seq", StateType.BIGINT),
        ("root", StateType.TEXT),
        ("route", StateType.TEXT),
    )
)


def link_changes(
    engine: StateEngine, session: Session, registered: Registered, *, plan: str
) -> None:
    """
    Bring the changes of a plan that have to do with each other into their order.

    Those that wait since they were refused come along where another one goes on from them.

    Args:
        plan: quoted, qualified name.
    """
    arrange = _ARRANGED.get(registered.shape.effect)
    if arrange is None or not (found := _linked(engine, session, registered, plan)):
        return
    project = registered.project
    is_unique = project is None or project.type is not ProjectType.USER_ID
    last = int(session.rows(f"SELECT max(_seq) FROM {plan}")[0][0])
    places = list(_places(found, last + 1, partial(arrange, is_unique=is_unique)))
    table = f"{engine.temporary}{_TABLE}"
    columns = ", ".join(
        f"{engine.dialect.quote(c.name)} {engine.dialect.ddl_type(c)}" for c in _PLACES
    )
    session.execute(f"DROP TABLE IF EXISTS {table}")
    session.execute(f"CREATE TEMP TABLE {table} ({columns})")
    session.load(table, arrow_schema(_PLACES), _batches(places))
    session.execute(
        f"UPDATE {plan} AS p SET _seq = n.new_seq, _identity = n.root, _route = n.route "
        f"FROM {table} AS n WHERE p._seq = n.old_seq"
    )
    session.execute(f"DROP TABLE {table}")


def _by_journey(moves: Iterable[Move], *, is_unique: bool) -> tuple[list[int], dict[int, str]]:
    done = arranged(moves, is_unique=is_unique)
    return [move.row for journey in done.journeys for move in journey.moves], done.refused


def _by_time(moves: Iterable[Move], *, is_unique: bool) -> tuple[list[int], dict[int, str]]:
    del is_unique
    return [move.row for move in sorted(moves, key=lambda move: (move.at, move.row))], {}


_ARRANGED = {"email_change": _by_journey, "merge": _by_time}


class _Row:
    """A change of the plan that has to do with another one."""

    __slots__ = ("is_waiting", "move", "whose")

    def __init__(self, move: Move, whose: str, *, is_waiting: bool) -> None:
        self.move = move
        self.whose = whose
        self.is_waiting = is_waiting


def _linked(engine: StateEngine, session: Session, registered: Registered, plan: str) -> list[_Row]:
    """Give the changes of which somebody else has an address, or which are of one person."""
    quote = engine.dialect.quote
    by_role = {c.role: c for c in registered.columns}
    old, new = (_name(quote, by_role[role]) for role in (Role.OLD, Role.NEW))
    named = by_role.get(Role.USER_ID)
    # Blank is no name, as everywhere.
    who = identity_sql(
        None, None if named is None else f"p.{quote(named.name)}", ProjectType.USER_ID
    )
    time = f"p.{quote(registered.time.name)}"
    considered = f"p._route IN ('{SEND}', '{STILL_REJECTED}')"
    ends = " UNION ALL ".join(
        f"SELECT p._seq, {end} AS name FROM {plan} p WHERE {considered}" for end in (old, new, who)
    )
    shared = (
        f"SELECT e.name FROM (SELECT DISTINCT _seq, name FROM ({ends}) AS a "
        "WHERE name IS NOT NULL) AS e GROUP BY e.name HAVING count(*) > 1"
    )
    if not session.rows(f"SELECT 1 FROM ({shared}) AS s LIMIT 1"):
        return []
    rows = session.rows(
        f"SELECT p._seq, {old}, {new}, {time}, {who}, p._route, p._identity FROM {plan} p "
        f"WHERE {considered} AND ({old} IN ({shared}) OR {new} IN ({shared}) "
        f"OR {who} IN ({shared})) ORDER BY p._seq"
    )
    return [
        _Row(
            Move(int(seq), old_one, new_one, at, who_is),
            whose,
            is_waiting=route == STILL_REJECTED,
        )
        for seq, old_one, new_one, at, who_is, route, whose in _sound(rows)
    ]


def _name(quote: Callable[[str], str], column: Column) -> str:
    """Give what a person is known by: a text of its kind, folded, or NULL."""
    text = f"p.{quote(column.name)}"
    if column.has_user_ids:
        return identity_sql(None, text, ProjectType.USER_ID)
    return identity_sql(text, None, ProjectType.EMAIL)


def _sound(rows: Sequence[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    """Give the rows that have a time and two ends; the others are refused, and link nobody."""
    for row in rows:
        _, old, new, at, *_ = row
        if at is not None and _is_name(old) and _is_name(new):
            yield row


def _is_name(identity: str | None) -> bool:
    if identity is None:
        return False
    address = identity.removeprefix(EMAIL_PREFIX)
    return address == identity or is_email(address)


def _places(
    rows: Sequence[_Row],
    first: int,
    arrange: Callable[[Iterable[Move]], tuple[list[int], dict[int, str]]],
) -> Iterator[tuple[int, int, str, str]]:
    """Give old place, new place, identity and route of the rows that get others."""
    seq = first
    for group in _groups(rows):
        if len(group) == 1 or all(row.is_waiting for row in group):
            continue
        by_seq = {row.move.row: row for row in group}
        ordered, refused = arrange(row.move for row in group)
        root = by_seq[(ordered or sorted(by_seq))[0]].whose
        for row in [*ordered, *sorted(refused)]:
            reason = refused.get(row)
            route = SEND
            if reason is not None:
                route = STILL_REJECTED if by_seq[row].is_waiting else f"{REJECT}{reason}"
            yield row, seq, root, route
            seq += 1


def _groups(rows: Sequence[_Row]) -> list[list[_Row]]:
    """Part rows so that those of one address, or of one person, are together."""
    parent = list(range(len(rows)))

    def root_of(place: int) -> int:
        while parent[place] != place:
            parent[place] = parent[parent[place]]
            place = parent[place]
        return place

    seen: dict[str, int] = {}
    for place, row in enumerate(rows):
        names = [row.move.old, row.move.new, *([row.move.who] if row.move.who else [])]
        for name in names:
            parent[root_of(place)] = root_of(seen.setdefault(name, place))
    groups: dict[int, list[_Row]] = {}
    for place, row in enumerate(rows):
        groups.setdefault(root_of(place), []).append(row)
    return list(groups.values())


def _batches(places: Sequence[tuple[int, int, str, str]]) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    schema = arrow_schema(_PLACES)
    if places:
        columns = [
            pa.array(column, kind)
            for column, kind in zip(zip(*places, strict=True), schema.types, strict=True)
        ]
        yield pa.RecordBatch.from_arrays(columns, schema=schema)
