"""Which part of a plan is too drastic to send unasked: counts against limits, nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, inf
from typing import TYPE_CHECKING

from iterable_sync.rows import Op

if TYPE_CHECKING:
    from collections.abc import Mapping

    from iterable_sync.spec import Guards

_EVERYTHING = tuple(Op)

SNAPSHOT_LOST = "snapshot_lost"

SAMPLE = "first_sync_sample"
WAITING = "waiting_for_user"

AS_DECLARED = frozenset({SAMPLE, WAITING})
"""What is held as the author of the sync wants it, so that nobody has to look."""

OF_CHANGES = frozenset({"first_sync", "max_changed", "max_requests"})
"""Guards that let an opt-out pass: it waits for nobody."""

DOUBTS_THE_QUERY = frozenset({"min_rows", "below_retention", SNAPSHOT_LOST})
"""Guards for which the plan as a whole may be wrong; see :mod:`iterable_sync.state.approvals`."""


@dataclass(frozen=True, slots=True)
class Tripped:
    """
    A guard that holds changes.

    Args:
        guard: its name, as in ``held_keys``.

        ops: the kinds of change that it holds.

        words: what it found, with the way out; counts only.
    """

    guard: str
    ops: tuple[Op, ...]
    words: str


def tripped(
    to_send: Mapping[Op, int],
    *,
    queried: int,
    live: int,
    known: int,
    guards: Guards,
    first_sync: int | str | None,
    is_full_resync: bool,
    is_below_low_water: bool = False,
    is_lost: bool = False,
    is_first: bool = False,
    rows_per_s: float = inf,
    asks_first: bool = False,
    people: int | None = None,
) -> list[Tripped]:
    """
    Compare a plan with the limits of its sync.

    Args:
        to_send: changes of each kind that would be sent, without those that are approved, and
            without rows in doubt: a guard has let them pass already, and a run that was killed
            shall not be held for it.

        live, known: keys of the snapshot that are live, and all that it ever knew.

        is_below_low_water: the window of append-only rows reaches where sent ones are forgotten.

        is_lost: the snapshot is not the one that the last run left.

        is_first: nothing was sent yet: all that is known was taken for sent.

        rows_per_s: how many the sync sends in a second.

        asks_first: a first run would send all that ever happened, and was not told to.

        people: whom the other syncs of the project know, where rows are requests about them that
            cannot be undone.

    Returns:
        What to hold; a guard that holds everything stands alone.
    """
    if is_lost and not is_full_resync:
        return [
            Tripped(
                SNAPSHOT_LOST,
                _EVERYTHING,
                f"the snapshot, of {known} keys, is not the one that the last run left: it was "
                "dropped, emptied or restored from a backup, so it does not say what Iterable "
                "has. Restore the right one, or run once with full_resync=True, which sends every "
                "row again and trusts nothing in it",
            )
        ]
    if queried < guards.min_rows:
        return [
            Tripped(
                "min_rows",
                _EVERYTHING,
                f"the query gave {queried} rows, at least {guards.min_rows} are expected; "
                "if that is right, lower guards.min_rows for this run",
            )
        ]
    if is_below_low_water:
        return [
            Tripped(
                "below_retention",
                _EVERYTHING,
                "the window reaches back to events of which is forgotten whether they were sent; "
                "lower look_back_s to what it was, or give since= the time from which on events "
                "are to be sent",
            )
        ]
    if (not known or is_first) and not is_lost:
        by_default = 0 if asks_first and not known else guards.first_sync_rows
        allowed = by_default if first_sync is None else first_sync
        rows = to_send.get(Op.ADDED, 0)
        if isinstance(allowed, int) and rows > allowed:
            return [
                Tripped(
                    "first_sync",
                    _EVERYTHING,
                    f"a first run would send {rows} rows, {allowed} are allowed; "
                    f"say first_sync={rows} or first_sync='all' to send them, which takes "
                    f"{_in_words(rows / rows_per_s)} at the rate of this sync"
                    + (", or since= the time from which on they are sent" if asks_first else ""),
                )
            ]
    if not known and not is_lost:
        return []
    found = []
    removed = to_send.get(Op.REMOVED, 0)
    if removed > max(guards.removed_floor, guards.max_removed * live):
        found.append(
            Tripped(
                "max_removed",
                (Op.REMOVED,),
                f"{removed} of {live} keys would be removed, more than "
                f"{guards.max_removed:.0%}; if that is right, raise guards.max_removed "
                "for this run",
            )
        )
    requests = to_send.get(Op.ADDED, 0)
    if people is not None and requests > max(guards.removed_floor, guards.max_removed * people):
        found.append(
            Tripped(
                "max_requests",
                (Op.ADDED,),
                f"{requests} requests would be made, none of which can be undone, about more than "
                f"{guards.max_removed:.0%} of the {people} people that the project's syncs know; "
                "if that is right, approve them, or raise guards.max_removed for this run",
            )
        )
    changed = to_send.get(Op.CHANGED, 0) + to_send.get(Op.IDENTITY_CHANGED, 0)
    if not is_full_resync and changed > max(guards.changed_floor, guards.max_changed * live):
        found.append(
            Tripped(
                "max_changed",
                (Op.CHANGED, Op.IDENTITY_CHANGED),
                f"{changed} of {live} keys would change, more than {guards.max_changed:.0%}; "
                "if that is right, raise guards.max_changed for this run",
            )
        )
    return found


def _in_words(seconds: float) -> str:
    for unit, name in ((3_600, "hours"), (60, "minutes")):
        if seconds > 2 * unit:
            return f"{seconds / unit:.1f} {name}"
    return f"{ceil(seconds)} seconds"
