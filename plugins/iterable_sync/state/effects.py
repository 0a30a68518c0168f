"""
What an accepted request about a person does to what the other syncs of the project know.

================  =================================================================================
``Shape.effect``  what the other syncs are told of an accepted row, see :mod:`.marks`
================  =================================================================================
``email_change``  who was known by the old e-mail is known by the new one
``merge``         what is known of the source is gone, what is known of the destination in doubt;
                  where there was no destination, it is a change of identifier
``deletion``      by the column with the action: ``delete`` lets the person's rows be gone,
                  ``forget`` erases them and notes the person as forgotten, ``unforget`` takes that
                  note back
================  =================================================================================

A deletion in doubt lets the rows of its person be doubted.

All of it happens in the transaction that records the row, in the order of the plan. Each sync whose
lease nobody holds is brought up to date at once, in the same transaction; one that runs takes its
marks up by itself. So either all of the project knows, or nobody does, and the row is folded anew.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from iterable_sync.address_book import composed
from iterable_sync.identity import (
    EMAIL_PREFIX,
    USER_ID_PREFIX,
    fold_email,
    folded_sql,
    hash_of,
)
from iterable_sync.rows import ProjectType, Role
from iterable_sync.state.forgotten import forget, hashed_identity, unforget
from iterable_sync.state.journal import LOOKED
from iterable_sync.state.marks import Kind, Mark, heed_marks, mark
from iterable_sync.state.registry import find

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from iterable_sync.rows import Column
    from iterable_sync.state.dialects.base import Session, StateEngine
    from iterable_sync.state.registry import Registered

EMAIL_CHANGE, MERGE, DELETION = "email_change", "merge", "deletion"
DELETE, FORGET, UNFORGET = "delete", "forget", "unforget"
ACTIONS = (DELETE, FORGET, UNFORGET)
"""What a request for a deletion may ask for."""

RENAMED = "renamed"
"""The reason there, of a merge whose destination was not there."""

_IDENTIFIERS = (Role.EMAIL, Role.USER_ID, Role.OLD, Role.NEW)


def apply_effects(
    engine: StateEngine,
    session: Session,
    registered: Registered,
    *,
    run_id: str,
    plan: str,
    where: str,
) -> None:
    """
    Tell the other syncs what accepted rows did to people; in a transaction of the caller.

    Args:
        run_id: of the run of the plan.

        plan: quoted, qualified name.

        where: which rows of the plan, ``p``, were accepted.
    """
    effect = registered.shape.effect
    if not effect:
        return
    rows = list(_rows(engine, session, registered, run_id, plan, where))
    if not rows:
        return
    others = _Others(engine, session, registered)
    if effect == DELETION:
        _delete(others, rows)
    else:
        _move(others, rows, is_merge=effect == MERGE)
    others.heed()


def doubt_effects(
    engine: StateEngine, session: Session, registered: Registered, *, plan: str, where: str
) -> None:
    """
    Let the other syncs doubt the people of rows of which nobody knows what became of them.

    Not of those who may have another name by now: what is doubted is sent, and under the name of
    before it would make a second profile. The next look finds them.
    """
    if registered.shape.effect != DELETION:
        return
    rows = _rows(engine, session, registered, "", plan, where)
    people = {identity for row in rows for identity in row.identities()}
    if people:
        others = _Others(engine, session, registered)
        others.mark(Mark(Kind.DOUBT, identity) for identity in sorted(people))
        others.heed()


def people_known(engine: StateEngine, session: Session, registered: Registered) -> int:
    """Count the people whom one of the other syncs of a project knows, the one with most."""
    others = _Others(engine, session, registered).syncs
    counts = [
        session.rows(
            f"SELECT count(DISTINCT _identity) FROM {engine.table(other.snapshot_table)} "
            "WHERE _status = 'live'"
        )[0][0]
        for other in others
        if not other.is_final
    ]
    return max(map(int, counts), default=0)


class _Row:
    """An accepted request: who it is about, and what it says."""

    def __init__(self, identity: str, looked: str | None, values: dict[Column, str | None]) -> None:
        self.identity = identity
        self.looked = looked
        self._columns = {column.role: column for column in values}
        self._values = values

    def value(self, role: Role) -> str:
        """Give what the request says, without blanks around it."""
        column = self._columns.get(role)
        return "" if column is None else (self._values[column] or "").strip()

    def of(self, role: Role) -> list[str]:
        """Give the identity of somebody whom the request names; none where it does not."""
        if not (value := self.value(role)):
            return []
        if self._columns[role].has_user_ids:
            return [USER_ID_PREFIX + value]
        return [EMAIL_PREFIX + fold_email(value)]

    def identities(self) -> list[str]:
        """Give all identities that the request names."""
        return [self.identity, *(one for role in _IDENTIFIERS for one in self.of(role))]


def _rows(
    engine: StateEngine,
    session: Session,
    registered: Registered,
    run_id: str,
    plan: str,
    where: str,
) -> Iterator[_Row]:
    """Read accepted requests in the order in which they were made."""
    columns = [c for c in registered.columns if c.role in (*_IDENTIFIERS, Role.ACTION)]
    names = [f"p.{engine.dialect.quote(column.name)}" for column in columns]
    looked = (
        f"(SELECT max(e.reason) FROM {engine.table('batch_exceptions')} e "
        f"WHERE e.run_id = {engine.dialect.literal(run_id)} AND e.seq = p._seq "
        f"AND e.field = '{LOOKED}')"
    )
    found = session.rows(
        f"SELECT {', '.join(['p._identity', looked, *names])} FROM {plan} p WHERE {where} "
        "ORDER BY p._seq"
    )
    for identity, look, *values in found:
        yield _Row(identity, look, dict(zip(columns, values, strict=True)))


def _move(others: _Others, rows: Sequence[_Row], *, is_merge: bool) -> None:
    """Let people be known by what they are called now."""
    moves: list[tuple[str, str]] = []
    spelled: dict[str, str] = {}
    marks: list[Mark] = []
    gone = [row for row in rows if is_merge and row.looked != RENAMED]
    known_as = others.known_as([one for row in gone for one in row.identities()])
    for row in rows:
        old, new, who = row.of(Role.OLD), row.of(Role.NEW), row.of(Role.USER_ID)
        if row in gone:
            marks += [Mark(Kind.GONE, one) for one in known_as(old)]
            marks += [Mark(Kind.DOUBT, one) for one in known_as(new)]
            continue
        if not is_merge:
            # Who is known by a userId stays so, and has another address.
            moves += [(one, new[0]) for one in who if new]
        moves += zip(old, new, strict=False)
        spelled |= {one: f"{one.partition(':')[0]}:{row.value(Role.NEW)}" for one in new}
        if row.looked:
            marks += [Mark(Kind.DOUBT, one) for one in [*new, *who]]
    others.mark(
        [*marks, *(Mark(Kind.RENAMED, old, spelled[new]) for old, new in composed(moves).items())]
    )


def _delete(others: _Others, rows: Sequence[_Row]) -> None:
    """Let people be gone, be forgotten, or come back."""
    known_as = others.known_as([one for row in rows for one in row.identities()])
    gone: list[str] = []
    erased: dict[str, None] = {}
    forgotten: dict[str, str] = {}
    freed: dict[str, None] = {}
    for row in rows:
        action = row.value(Role.ACTION).lower()
        people = known_as([row.identity])
        hashes = [hash_of(one.partition(":")[2]) for one in people]
        if action == DELETE:
            gone += people
        elif action == FORGET:
            erased |= dict.fromkeys(hashes)
            forgotten |= dict.fromkeys(hashes, hashes[0])
        elif action == UNFORGET:
            freed |= dict.fromkeys(hashes)
            theirs = {forgotten.get(one) for one in hashes}
            forgotten = {one: by for one, by in forgotten.items() if by not in theirs}
    others.mark(Mark(Kind.GONE, one) for one in dict.fromkeys(gone))
    others.unforget(list(freed))
    others.forget(forgotten)
    others.erase(list(erased))


class _Others:
    """The other syncs of a project, on their way to know what this one does."""

    def __init__(self, engine: StateEngine, session: Session, registered: Registered) -> None:
        if registered.project is None:
            raise RuntimeError("effects are of a sync whose project is known")
        self._engine = engine
        self._session = session
        self._mine = registered
        self._project = registered.project
        name = self._project.name
        listed = session.rows(
            f"SELECT sync FROM {engine.table('syncs')} WHERE project = ? AND sync_id <> ? "
            "ORDER BY sync_id",
            (name, registered.sync_id),
        )
        found = ((sync, find(engine, session, name, sync)) for (sync,) in listed)
        self._syncs = {
            sync: replace(other, project=self._project)
            for sync, other in found
            if other is not None
        }

    @property
    def syncs(self) -> list[Registered]:
        """All of them, in the order in which they came."""
        return list(self._syncs.values())

    def known_as(self, seeds: Sequence[str]) -> Callable[[Sequence[str]], list[str]]:
        """
        Give what tells by what else some people are known; each of them is among *seeds*.

        Only a hybrid project has two identifiers that are one person's alone: there, what the
        snapshots have side by side is the same person.
        """
        beside: defaultdict[str, dict[str, None]] = defaultdict(dict)
        if self._project.type is ProjectType.HYBRID:
            for other in self.syncs:
                for email, user_id in self._pairs(other, seeds):
                    beside[email][user_id] = beside[user_id][email] = None

        def known(people: Sequence[str]) -> list[str]:
            found = dict.fromkeys(people)
            for one in (others := list(found)):
                new = [near for near in beside.get(one, ()) if near not in found]
                found |= dict.fromkeys(new)
                others += new
            return list(found)

        return known

    def _pairs(self, other: Registered, seeds: Sequence[str]) -> Iterator[tuple[str, str]]:
        roles = {c.role: c for c in other.remembered}
        if Role.EMAIL not in roles or Role.USER_ID not in roles:
            return
        quote = self._engine.dialect.quote
        email, user_id = folded_sql(quote(roles[Role.EMAIL].name)), quote(roles[Role.USER_ID].name)
        named = [one.partition(":")[2] for one in seeds]
        for has, is_named in self._session.rows(
            f"SELECT {email}, {user_id} FROM {self._engine.table(other.snapshot_table)} "
            f"WHERE {email} <> '' AND {user_id} <> '' "
            f"AND ({email} IN (SELECT unnest(CAST(? AS text[]))) "
            f"OR {user_id} IN (SELECT unnest(CAST(? AS text[]))))",
            (named, named),
        ):
            yield EMAIL_PREFIX + has, USER_ID_PREFIX + is_named

    def mark(self, marks: Iterable[Mark]) -> None:
        """Mark people for all other syncs."""
        mark(self._engine, self._session, marks, [s.sync_id for s in self.syncs])

    def forget(self, hashes: Mapping[str, str]) -> None:
        """Note people as forgotten, by hash, each with the hash of who was asked for."""
        forget(self._engine, self._session, self._project.name, hashes)

    def unforget(self, hashes: Sequence[str]) -> None:
        """Take such notes back."""
        unforget(self._engine, self._session, self._project.name, hashes)

    def erase(self, hashes: Sequence[str]) -> None:
        """Let all syncs erase people, and no mark that waits name them."""
        if not hashes:
            return
        every = [self._mine.sync_id, *(s.sync_id for s in self.syncs)]
        marks = self._engine.table("marks")
        whose, who = (hashed_identity(self._engine, name) for name in ("identity", "value"))
        listed = "(SELECT unnest(CAST(? AS text[])))"
        named = (
            f"sync_id IN ({', '.join(map(str, every))}) AND kind <> '{Kind.ERASE}' "
            f"AND ({whose} IN {listed} OR {who} IN {listed})"
        )
        # A run that knows somebody by an older name erases that.
        self._session.execute(
            f"UPDATE {marks} SET kind = '{Kind.ERASE}', identity = {whose}, value = NULL "
            f"WHERE kind = '{Kind.RENAMED}' AND {named}",
            (list(hashes), list(hashes)),
        )
        self._session.execute(f"DELETE FROM {marks} WHERE {named}", (list(hashes), list(hashes)))
        mark(self._engine, self._session, (Mark(Kind.ERASE, one) for one in hashes), every)

    def heed(self) -> None:
        """Bring every sync up to date whose lease nobody holds."""
        prefix = f"sync:{self._project.name}/"
        scopes = {prefix + sync: other for sync, other in self._syncs.items()}
        free = self._session.rows(
            f"SELECT scope FROM {self._engine.table('leases')} WHERE held_until < now() "
            "AND scope IN (SELECT unnest(CAST(? AS text[])))" + self._engine.row_claim,
            [list(scopes)],
        )
        for (scope,) in free:
            other = scopes[scope]
            died = self._session.rows(
                f"SELECT 1 FROM {self._engine.table('runs')} "
                f"WHERE sync_id = {other.sync_id} AND state = 'running' LIMIT 1"
            )
            heed_marks(self._engine, self._session, other, is_idle=True, will_fold=bool(died))
