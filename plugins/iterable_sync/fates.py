"""What the state says of a row, in words: what became of it, why, and what lets it go on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from iterable_sync.guards import SAMPLE, SNAPSHOT_LOST, WAITING
from iterable_sync.reasons import reason_of
from iterable_sync.state import journal
from iterable_sync.state.marks import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from iterable_sync.state.registry import Registered
    from iterable_sync.state.traces import HeldKey, Known, Planned, Rejected

_EXPIRED = "expired"


class Fate(StrEnum):
    """What became of rows."""

    ACCEPTED = "accepted"
    SEEDED = "seeded"
    REMOVED = "removed"
    IN_DOUBT = "in_doubt"
    TO_SEND = "to_send"
    ON_ITS_WAY = "on_its_way"
    HELD = "held"
    WAITING = "waiting"
    REJECTED = "rejected"
    MARKED = "marked"
    FORGOTTEN = "forgotten"


_BY_LATEST = frozenset({Fate.ACCEPTED, Fate.SEEDED, Fate.REMOVED})


@dataclass(frozen=True, slots=True)
class Finding:
    """
    What is known of rows of a sync: all those of which the same is known.

    Args:
        words: what it means, and the way out.

        rows: how many there are.

        at: of accepted, seeded and removed rows when the latest was; else since when, for the row
            that waits longest; None where it is not known.

        run_id: of that row; of the run that accepted it, doubted it, held it or was refused it.

        fields: columns that it is about; none are all of them.

        code: of the reason, the guard or the mark.

        owner: who can make a rejection go away.

        next_try_at: when the first of them is tried again by itself.
    """

    fate: Fate
    words: str
    rows: int = 1
    at: datetime | None = None
    run_id: str | None = None
    fields: tuple[str, ...] = ()
    code: str = ""
    owner: str = ""
    next_try_at: datetime | None = None


def of_known(of: Registered, row: Known, rejected: Sequence[Rejected]) -> list[Finding]:
    """
    Say what the snapshot says of a row.

    Args:
        rejected: what of the sync is rejected; a field that is, is in no other doubt.
    """
    at = moment(row.accepted_s)
    if row.status == "gone":
        words = (
            "it left the model, or Iterable does not have the person any more; what Iterable "
            "was told about that is on_remove of the sync. It is sent anew once it is back"
        )
        return [Finding(Fate.REMOVED, words, at=at, run_id=row.run_id)]
    if row.dirty == "*":
        return [Finding(Fate.IN_DOUBT, _doubt(row), run_id=row.run_id)]
    refused = {one.column for one in rejected if one.key == row.key}
    doubtful = [
        c.name
        for c in of.columns
        if row.dirty and row.dirty[c.position : c.position + 1] == "1" and c.name not in refused
    ]
    found = [_accepted(of, row)]
    if doubtful:
        words = (
            "these fields are in doubt, and the next run sends them whatever they hold: a run "
            "ended before it knew what became of them, or Iterable shows something else"
        )
        found.append(Finding(Fate.IN_DOUBT, words, run_id=row.run_id, fields=tuple(doubtful)))
    newer = [c.name for c in of.columns if of.version_of(c) > row.mapping]
    if newer and not of.is_append_only:
        words = "these columns are mapped since then, or otherwise; the next run sends them"
        found.append(Finding(Fate.TO_SEND, words, fields=tuple(newer)))
    return found


def of_plan(row: Planned, *, is_dead: bool) -> Finding:
    """Say where a row is that the run at hand, or one that died, is to send."""
    if row.batch is None:
        fate = Fate.TO_SEND
        words = (
            "it was planned by a run that died before its turn came; the next run sends it"
            if is_dead
            else "the run at hand sends it when its turn comes"
        )
    elif row.batch != journal.OPEN:
        fate = Fate.ON_ITS_WAY
        outcome = (row.outcome or "accepted").replace("_", " ")
        words = f"its answer was read ({outcome}); its run records it at its end, or the next one"
    elif is_dead:
        fate = Fate.IN_DOUBT
        words = (
            "it was on its way when its run died, and nobody knows whether it came; the next run "
            "sends it again"
        )
    else:
        fate = Fate.ON_ITS_WAY
        words = (
            "it is in a batch on its way, whose answer is not recorded yet; if the run has died, "
            "that shows within two minutes"
        )
    return Finding(fate, words, run_id=row.run_id)


def of_held(row: HeldKey) -> Finding:
    """Say what a guard holds, and how it is let go."""
    fate = Fate.WAITING if row.guard == WAITING else Fate.HELD
    if row.guard == WAITING:
        words = (
            "it waits until the sync that `requires` names has had its person accepted, and goes "
            "by itself in the first run after that"
        )
    elif row.is_approved:
        words = "it is approved: the next run sends it if it still is this change"
    elif row.guard == SNAPSHOT_LOST:
        words = (
            "the snapshot is not the one that the last run left; restore the right one, or run "
            "once with full_resync=True"
        )
    elif row.guard == SAMPLE:
        words = "first_sync= lets only a sample go; raise it, or say first_sync='all'"
    else:
        words = (
            f"a guard holds it as {row.op.replace('_', ' ')}: approve it with "
            "IterableReleaseOperator, raise the limit for one run, or mend the model"
        )
    return Finding(fate, words, at=moment(row.held_s), run_id=row.run_id, code=row.guard)


def of_rejected(of: Registered, row: Rejected) -> Finding:
    """Say why a row, or a column of it, was refused, and when it is tried again."""
    reason = reason_of(row.reason)
    if row.reason == _EXPIRED and of.is_append_only:
        again = "it is given up, and is not tried again by itself"
    elif row.reason == _EXPIRED:
        again = "it is tried again once its person is there, or the row changes"
    elif row.is_due:
        again = "the next run tries it again"
    elif row.next_try_s is None:
        again = f"it is tried again once the {'value' if row.column else 'row'} changes"
    else:
        again = "it is tried again by the first run after the time given, or once it changes"
    return Finding(
        Fate.REJECTED,
        f"{reason.words}; {again}",
        at=moment(row.first_s),
        run_id=row.run_id,
        fields=(row.column,) if row.column else (),
        code=row.reason,
        owner=reason.owner.value,
        next_try_at=moment(row.next_try_s),
    )


def of_forgotten(since_s: float) -> Finding:
    """Say that the person was forgotten."""
    words = (
        "this person was forgotten (GDPR): what was known of them is erased but for a hash, and "
        "their rows are left out of each run; a request to unforget lets them come back"
    )
    return Finding(Fate.FORGOTTEN, words, at=moment(since_s))


def of_mark(kind: str) -> Finding:
    """Say what another sync has left to be done."""
    words = {
        Kind.DOUBT: "another sync changed it in Iterable: the next run sends it again",
        Kind.RENAMED: "another sync changed the identifier: the next run takes that over",
        Kind.GONE: "another sync deleted the person: the next run takes them for gone",
        Kind.ERASE: "the person was forgotten: the next run erases what is known of them",
    }
    return Finding(Fate.MARKED, words[Kind(kind)], code=kind)


def grouped(findings: Iterable[Finding]) -> list[Finding]:
    """Make one of those that say the same."""
    groups: dict[tuple[object, ...], Finding] = {}
    for one in findings:
        same = (one.fate, one.words, one.fields, one.code)
        if (first := groups.get(same)) is None:
            groups[same] = one
            continue
        times = [(found.at, found.run_id) for found in (first, one) if found.at is not None]
        pick = max if one.fate in _BY_LATEST else min
        at, run_id = pick(times, key=lambda of: of[0], default=(None, first.run_id))
        tries = [found.next_try_at for found in (first, one) if found.next_try_at is not None]
        groups[same] = replace(
            first,
            rows=first.rows + one.rows,
            at=at,
            run_id=run_id,
            next_try_at=min(tries, default=None),
        )
    return list(groups.values())


def moment(seconds: float | None) -> datetime | None:
    """Give a time of the state, in seconds since 1970."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _accepted(of: Registered, row: Known) -> Finding:
    at = moment(row.accepted_s)
    if row.origin == "seeded":
        words = "taken for sent when the sync began (seed), and unchanged since; never sent"
        return Finding(Fate.SEEDED, words, at=at, run_id=row.run_id)
    words = (
        "Iterable took it; an event is sent once, and what its row becomes later is not"
        if of.is_append_only
        else "Iterable took it; it is sent again once a value changes"
    )
    return Finding(Fate.ACCEPTED, words, at=at, run_id=row.run_id)


def _doubt(row: Known) -> str:
    if row.status == "leaving":
        return "it is in doubt whether Iterable was told that it left; the next run tells it"
    if row.accepted_s is None:
        return (
            "it was on its way to Iterable for the first time, and nobody knows whether it "
            "came; the next run sends it again, as a whole"
        )
    return (
        "all of it is in doubt, and the next run sends it whatever it holds: a run ended "
        "before it knew what became of it, another sync changed it in Iterable (an order "
        "empties the cart), or reading back showed something else"
    )
