"""Checks what the demo claims: the requests that reached Iterable against the warehouse's days."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import expectation
from expectation import CARTS, EVENTS, PURCHASES, SYNCS, USERS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from expectation import Expected
    from expected_people import Profile
    from state_tables import Kept, SyncRun

# A request in the sandbox's own history.
Request = dict[str, Any]

# Numbers and texts can be written in more than one way.
_MORE_BYTES = 1.05


@dataclass(frozen=True)
class Sent:
    """
    What of a run reached Iterable, in numbers.

    Args:
        users: whom the requests have changed.

        of_users: whom the warehouse has.

        bytes, bytes_of_whole_rows: of the request bodies, and what they would be if whole rows
            were sent.
    """

    users: int
    of_users: int
    bytes: int
    bytes_of_whole_rows: int


def by_sync(
    runs: Sequence[SyncRun], writes: Sequence[Request]
) -> tuple[dict[str, list[Request]], list[str]]:
    """
    Tell which sync the requests of a day are of, by the times at which it ran.

    Returns:
        Sync -> its requests in their order; and what is wrong: a request of no sync.
    """
    found = {
        run.sync: [one for one in writes if run.started_at <= one["wall_time"] <= run.ended_at]
        for run in runs
    }
    stray = len(writes) - sum(map(len, found.values()))
    return found, [f"{stray:,} requests came while no sync ran"] if stray else []


def all_ended_well(runs: Sequence[SyncRun], syncs: Sequence[str] = SYNCS) -> list[str]:
    """Give what is wrong with a run of the DAG: each sync runs once, in order, and is done."""
    ran = [run.sync for run in runs]
    wrong = [
        f"the run {run.run_id} of {run.sync} ended {run.end!r}"
        for run in runs
        if run.end != "clean"
    ]
    return wrong if ran == list(syncs) else [f"these syncs have run: {', '.join(ran)}", *wrong]


def everything_arrived(runs: Sequence[SyncRun], now: Expected) -> list[str]:
    """Give what is wrong with a first day: every row is new and accepted."""
    return [
        f"{name} of {run.sync} is {run.counts[name]:,} on day 1, and the shop has {rows:,}"
        for run in runs
        for rows in [now.rows[run.sync]]
        for name in ("queried", "added", "accepted")
        if run.counts[name] != rows
    ]


def only_changes_were_sent(
    writes: Sequence[Request],
    now: Expected,
    changes: Mapping[str, Profile],
    kept: Kept,
) -> tuple[Sent, list[str]]:
    """
    Compare the requests of users with the changes of a day.

    Args:
        writes: they name the users they changed.

        changes: the changed fields of the warehouse, by userId.
    """
    wrong = []
    expected = set(changes) - set(kept.why)
    written = {key for request in writes for key in request["keys"]}
    if missing := expected - written:
        wrong.append(f"{len(missing):,} changed users were in no request")
    if unasked := written - set(changes):
        wrong.append(f"{len(unasked):,} users were sent, and nothing of theirs has changed")
    refused = set(changes) & set(kept.why)
    for request in writes:
        # Each by itself: a request that is refused is sent again in parts, to see because of whom.
        rows = set(request["keys"]) & set(changes) | refused
        needed = expectation.bytes_to_send(changes, rows)
        if request["applied"] and request["bytes"] > needed * _MORE_BYTES:
            wrong.append(
                f"{request['bytes']:,} bytes were sent, and the changed fields are {needed:,}"
            )
    return (
        Sent(
            users=len(written),
            of_users=now.rows[USERS],
            bytes=sum(request["bytes"] for request in writes),
            bytes_of_whole_rows=expectation.bytes_to_send(now.profiles, changes),
        ),
        wrong,
    )


def only_news_was_sent(
    writes: Mapping[str, Sequence[Request]],
    people: Mapping[str, Sequence[str]],
    kept: Mapping[str, Kept],
) -> list[str]:
    """
    Compare the requests of the other syncs with the changes of a day.

    Args:
        people: whom the rows are about that there are to send, by sync.

        kept: whose rows Iterable did not take, by sync.
    """
    wrong = []
    for sync, expected in people.items():
        refused = set(kept[sync].people) if sync in kept else set()
        written = {key for request in writes[sync] for key in request["keys"]}
        rows = sum(request["rows"] for request in writes[sync])
        if missing := set(expected) - refused - written:
            wrong.append(f"{sync}: what is new of {len(missing):,} people was in no request")
        if unasked := written - set(expected):
            wrong.append(f"{sync}: {len(unasked):,} people were sent of whom nothing is new")
        sure = sum(who not in refused for who in expected)
        if not sure <= rows <= len(expected):
            wrong.append(f"{sync}: {rows:,} rows were sent, and {len(expected):,} are new")
    return wrong


def refilled_carts(
    writes: Mapping[str, Sequence[Request]], now: Expected, before: Expected
) -> tuple[int, list[str]]:
    """
    Look after whom a purchase has emptied a cart that the warehouse still has.

    Returns:
        How many of these carts are as on the day before, so that only the purchase is why they are
        sent; and what is wrong: one that was not sent after the purchase.
    """
    carts, of_yesterday = now.here[CARTS], before.here[CARTS]
    bought = {key: request["seq"] for request in writes[PURCHASES] for key in request["keys"]}
    filled = {key: request["seq"] for request in writes[CARTS] for key in request["keys"]}
    emptied = [who for who in bought if carts.get(who)]
    late = [who for who in emptied if filled.get(who, 0) < bought[who]]
    unchanged = [who for who in emptied if carts[who] == of_yesterday.get(who)]
    return len(unchanged), [f"{len(late):,} carts were not sent after a purchase"] if late else []


def nothing_was_sent(writes: Sequence[Request]) -> list[str]:
    """Give what is wrong with a day of an unchanged warehouse."""
    paths = sorted({request["path"] for request in writes})
    if not paths:
        return []
    return [f"nothing had changed, and {len(writes):,} write requests were sent: {paths}"]


def older_was_refused(
    runs: Sequence[SyncRun], newest: Mapping[str, datetime], as_of: datetime
) -> list[str]:
    """
    Give what is wrong with a run for a day that is over.

    Events have run, and whatever else there is has not, for newer data of it has been sent.
    """
    early = sorted(sync for sync in SYNCS if sync not in EVENTS and newest[sync] <= as_of)
    return [
        *all_ended_well(runs, EVENTS),
        *(f"{sync} has sent nothing newer than {as_of:%Y-%m-%d %H:%M}" for sync in early),
    ]
