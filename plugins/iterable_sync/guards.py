"""Which part of a plan is too drastic to send unasked: counts against limits, nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from iterable_sync.rows import Op

if TYPE_CHECKING:
    from collections.abc import Mapping

    from iterable_sync.spec import Guards

_EVERYTHING = tuple(Op)


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
    first_sync: int | Literal["any"] | None,
    is_full_resync: bool,
) -> list[Tripped]:
    """
    Compare a plan with the limits of its sync.

    Args:
        to_send: changes of each kind that would be sent.

        live, known: keys of the snapshot that are live, and all that it ever knew.

    Returns:
        What to hold; a guard that holds everything stands alone.
    """
    if queried < guards.min_rows:
        return [
            Tripped(
                "min_rows",
                _EVERYTHING,
                f"the query gave {queried} rows, at least {guards.min_rows} are expected; "
                "if that is right, lower guards.min_rows for this run",
            )
        ]
    if not known:
        allowed = guards.first_sync_rows if first_sync is None else first_sync
        rows = to_send.get(Op.ADDED, 0)
        if allowed != "any" and rows > allowed:
            return [
                Tripped(
                    "first_sync",
                    _EVERYTHING,
                    f"a first run would send {rows} rows, {allowed} are allowed; "
                    f"say first_sync={rows} or first_sync='any' to send them",
                )
            ]
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
