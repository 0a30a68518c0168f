"""
Why a row was, or was not, sent: what the state says of one key, or of one person, sync by sync.

It only reads. It says what is known and nothing of what a row holds: names of columns, codes,
times, runs. What it cannot know it says too: of events that were left out nothing is kept.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from iterable_sync import objects
from iterable_sync.errors import ConfigError, StateLost
from iterable_sync.fates import (
    grouped,
    moment,
    of_forgotten,
    of_held,
    of_known,
    of_mark,
    of_plan,
    of_rejected,
)
from iterable_sync.identity import fold_email
from iterable_sync.rows import Role
from iterable_sync.state import plans, traces
from iterable_sync.state.leases import holders
from iterable_sync.state.schema import check_version
from iterable_sync.state.wanted import Who, named_by_key

if TYPE_CHECKING:
    from collections.abc import Iterable

    from iterable_sync.fates import Finding
    from iterable_sync.state import StateEngine
    from iterable_sync.state.dialects.base import Session
    from iterable_sync.state.traces import Known, LatestRun, Planned

_ATTEMPTS = 3
_PROFILE = "profile"
_BY_KEY = ". Of a row that was never accepted the key alone is kept: ask by key as well"
_COMPLETE = ("clean", "held", "rejected_above_limit")
"""Ends of runs that had an answer for each row that they were free to send."""


@dataclass(frozen=True, slots=True)
class LastRun:
    """
    How the run of a sync ended that began last.

    Args:
        end: as in the table ``runs``; ``died`` is one that has no report and holds no lease.

        counts: those that are not 0.
    """

    run_id: str
    end: str
    started_at: datetime
    ended_at: datetime | None
    counts: dict[str, int]


@dataclass(frozen=True, slots=True)
class Explanation:
    """
    What one sync knows of the rows in question.

    Args:
        object: its sync object; empty for a sync that has never run with this state.

        findings: none where nothing is known; then *verdict* says what that means.

        last_run: None where there is none in the history.

        busy: lease, ``sync`` or ``lane`` -> who holds it now.

        is_cut: there are more rows than were looked at.
    """

    project: str
    sync: str
    object: str = ""
    findings: tuple[Finding, ...] = ()
    verdict: str = ""
    last_run: LastRun | None = None
    busy: tuple[tuple[str, str], ...] = ()
    is_cut: bool = False

    @property
    def is_known(self) -> bool:
        """Whether anything is known of the rows."""
        return bool(self.findings)


def explain(
    state: StateEngine,
    *,
    key: str | None = None,
    email: str | None = None,
    user_id: str | None = None,
    project: str | None = None,
    sync: str | None = None,
) -> list[Explanation]:
    """
    Say of each sync what it knows of one key, or of one person.

    A person is known by all e-mails and userIds that the syncs of people of the project have for
    them. Of what was never accepted the key alone is kept: it is found where the key is, or holds,
    the e-mail or userId, and else by *key*.

    Args:
        key: text of a key; of several columns a JSON array, ``["u1","shoes"]``, or one part.

        project: e.g. ``12345.us``; None is all of the state.

        sync: of this one alone.

    Returns:
        One for each sync; for a *sync* that never ran here, one that says so.

    Raises:
        ConfigError: not one of *key*, *email* and *user_id* is given, or there is no such state.

        RetryLater: the state cannot be read now.
    """
    who = _who(key, email, user_id)
    for attempt in range(_ATTEMPTS):
        try:
            with state.reading() as session:
                return _explain(state, session, who, project, sync)
        except StateLost:
            if attempt == _ATTEMPTS - 1:
                raise
    raise AssertionError("unreachable")


def _who(key: str | None, email: str | None, user_id: str | None) -> Who:
    given = [one for one in (key, email, user_id) if one is not None]
    if len(given) != 1 or not given[0].strip() or "\0" in given[0]:
        raise ConfigError("say one of key, email and user_id, and none that is blank")
    return Who(
        key=key,
        emails=frozenset([fold_email(email)] if email is not None else []),
        user_ids=frozenset([user_id] if user_id is not None else []),
    )


def _explain(
    state: StateEngine, session: Session, who: Who, project: str | None, sync: str | None
) -> list[Explanation]:
    there = [(of, name) for of, name in traces.syncs(state, session) if project in (None, of)]
    check_version(state, session)
    if not any(sync in (None, name) for _, name in there):
        names = ", ".join(sorted({name for _, name in there})) or "none"
        verdict = (
            "no run of it is known here: it has never run with this state, its stream is off, or "
            f"it has another name. Known: {names}"
        )
        return [Explanation(project or "", sync or "", verdict=verdict)]
    found = []
    for of in dict.fromkeys(of for of, _ in there):
        readers = [_SyncReader(state, session, of, name) for owner, name in there if owner == of]
        person = who
        for reader in readers if who.key is None else ():
            person = reader.named_by_profiles(person)
        kept = traces.hashes_kept(state, session, of, person.hashes)
        person = replace(person, kept=kept)
        found += [r.explained(person) for r in readers if sync in (None, r.sync)]
    return found


class _SyncReader:
    """What one sync knows."""

    def __init__(self, state: StateEngine, session: Session, project: str, sync: str) -> None:
        self.sync = sync
        self._state = state
        self._session = session
        self._project = project
        self._of = traces.registered(state, session, project, sync)
        self._object = objects.get(self._of.object)

    def named_by_profiles(self, who: Who) -> Who:
        """Give a person by what the sync has them by as well, if its rows are profiles."""
        if self._object.shape.fields_of != _PROFILE:
            return who
        return _named(who, traces.known(self._state, self._session, self._of, who))

    def explained(self, who: Who) -> Explanation:
        """Say what it knows of the rows."""
        state, session, of = self._state, self._session, self._of
        scopes = {
            f"sync:{self._project}/{self.sync}": "sync",
            f"lane:{self._project}/{self._object.lane}": "lane",
        }
        run = traces.latest_run(state, session, of)
        busy = {scopes[at]: by for at, by in holders(state, session, list(scopes)).items()}
        # The same at both looks: one that ended in between, or began, is not taken for dead.
        is_running = run is not None and run.state == "running"
        is_dead = is_running and "sync" not in busy and traces.latest_run(state, session, of) == run
        # A row goes from the plan to the snapshot: read in this order it is seen at least once.
        planned = traces.planned(state, session, of, who, run) if run and is_running else []
        known = traces.known(state, session, of, who)
        keys = {row.key for row in planned} | {row.key for row in known}
        keys |= traces.keys_named(state, session, of, who)
        rejected = traces.rejected(state, session, of, keys)
        person = named_by_key(of, _named(who, (*planned, *known)))
        findings = [
            *self._forgotten(person),
            *(of_plan(row, is_dead=is_dead) for row in planned if row.route == plans.SEND),
            *(of_held(row) for row in traces.held(state, session, of, keys)),
            *(of_rejected(of, row) for row in rejected),
            *(one for row in known for one in of_known(of, row, rejected)),
            *self._marked(person),
        ]
        last_run = _last_run(run, is_dead=is_dead)
        return Explanation(
            project=self._project,
            sync=self.sync,
            object=of.object,
            findings=tuple(grouped(findings)),
            verdict="" if findings else self._verdict(last_run) + _BY_KEY * (who.key is None),
            last_run=last_run,
            busy=tuple(sorted(busy.items())),
            is_cut=len(known) >= traces.MOST_ROWS,
        )

    def _forgotten(self, person: Who) -> list[Finding]:
        # A request about such a person is theirs to make.
        is_request = Role.ACTION in {c.role for c in self._of.columns}
        if not self._of.is_of_people or is_request:
            return []
        since = traces.forgotten_s(self._state, self._session, self._project, person.hashes)
        return [] if since is None else [of_forgotten(since)]

    def _marked(self, person: Who) -> list[Finding]:
        named = person.identities | person.hashes
        return [
            of_mark(kind) for kind in traces.marked(self._state, self._session, self._of, named)
        ]

    def _verdict(self, run: LastRun | None) -> str:
        """Say what it means that nothing is known."""
        if run is None:
            return "of the sync's runs none is in the history any more"
        if run.end == "running":
            return "a run is at it now, and has not planned it, or does not have it"
        if run.end not in _COMPLETE:
            left = run.counts.get("pending", 0)
            how = "died" if run.end == "died" else f"ended {run.end.replace('_', ' ')}"
            return f"the last run {how}: " + (
                f"{left} rows are still to be sent, and it may be one of them, or not in the model"
                if left
                else "it may not have come to it, or not have had it"
            )
        counts = run.counts
        hidden = [
            f"{counts[name]} {what}"
            for name, what in (
                ("ignored", "the declaration leaves out"),
                ("blocked", "have no consent to text messages"),
            )
            if counts.get(name)
        ]
        more = f", or is one of the rows that {' or '.join(hidden)}" if hidden else ""
        if not self._of.is_append_only:
            return (
                f"the model did not have it when the last run looked{more}. Rows without a key or "
                "an identifier are counted, and not kept"
            )
        return (
            f"the model did not have it in the window that the last run looked at{more}. Of events "
            "nothing is kept beyond retention_s, nor of those before the window, or left out"
        )


def _named(who: Who, rows: Iterable[Known | Planned]) -> Who:
    """Give the same by what the rows say as well of who they are about."""
    rows = list(rows)
    return who.named(
        emails=(one for row in rows for one in row.emails),
        user_ids=(one for row in rows for one in row.user_ids),
        identities=(row.identity for row in rows if row.identity),
    )


def _last_run(run: LatestRun | None, *, is_dead: bool) -> LastRun | None:
    if run is None:
        return None
    return LastRun(
        run_id=run.run_id,
        end="died" if is_dead else run.state,
        started_at=datetime.fromtimestamp(run.started_s, UTC),
        ended_at=moment(run.ended_s),
        counts={name: n for name, n in run.counts.items() if isinstance(n, int) and n},
    )
