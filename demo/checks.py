"""Checks what the demo claims: the requests that reached Iterable against the warehouse's days."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import expectation

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from expectation import Expected, Profile
    from state_tables import Kept, SyncRun

# Numbers and texts can be written in more than one way.
_MORE_BYTES = 1.05


@dataclass(frozen=True)
class Sent:
    """
    What of a run reached Iterable, in numbers.

    Args:
        users: in the requests.

        of_users: whom the warehouse has.

        bytes, bytes_of_whole_rows: of the request bodies, and what they would be if whole rows
            were sent.
    """

    users: int
    of_users: int
    bytes: int
    bytes_of_whole_rows: int


def everyone_arrived(done: SyncRun, users: int) -> list[str]:
    """Give what is wrong with a first run: everyone is new and accepted."""
    wrong = _ended_well(done)
    for name in ("queried", "added", "accepted"):
        if done.counts[name] != users:
            wrong.append(f"{name} is {done.counts[name]:,} on day 1, and the shop has {users:,}")
    return wrong


def only_changes_were_sent(
    done: SyncRun,
    writes: Sequence[Mapping[str, Any]],
    now: Expected,
    changes: Mapping[str, Profile],
    kept: Kept,
) -> tuple[Sent, list[str]]:
    """
    Compare the requests of a run with the changes of a day.

    Args:
        writes: the sandbox's requests; they name the users they changed.

        changes: the changed fields of the warehouse, by userId.
    """
    wrong = _ended_well(done)
    expected = set(changes) - set(kept.rejected) - set(kept.held)
    written = {key for request in writes for key in request["keys"]}
    if missing := expected - written:
        wrong.append(f"{len(missing):,} changed users were in no request")
    if unasked := written - set(changes):
        wrong.append(f"{len(unasked):,} users were sent, and nothing of theirs has changed")
    received = sum(request["bytes"] for request in writes)
    needed = expectation.bytes_to_send(changes, changes)
    if received > needed * _MORE_BYTES:
        wrong.append(f"{received:,} bytes were sent, and the changed fields are {needed:,}")
    return (
        Sent(
            users=sum(request["rows"] for request in writes),
            of_users=now.rows,
            bytes=received,
            bytes_of_whole_rows=expectation.bytes_to_send(now.profiles, changes),
        ),
        wrong,
    )


def nothing_was_sent(done: SyncRun, writes: Iterable[Mapping[str, Any]]) -> list[str]:
    """Give what is wrong with a run of an unchanged warehouse."""
    wrong = _ended_well(done)
    if paths := [request["path"] for request in writes]:
        wrong.append(f"nothing had changed, and {len(paths):,} write requests were sent: {paths}")
    return wrong


def _ended_well(done: SyncRun) -> list[str]:
    return [] if done.end == "clean" else [f"the run {done.run_id} ended {done.end!r}"]
