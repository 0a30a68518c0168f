"""
What every sync object promises of its runs; a new one is found and held to it by being there.

Those whose rows are requests that cannot be undone have :mod:`objects.test_contract_requests`.

The rows are made of what an object declares, see :mod:`object_rows`. What it maps a row to is its
own test's, and the mapping alone :mod:`objects.test_contract`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from crashes import Crash, crash_at
from iterable_sync import objects
from iterable_sync.errors import DuplicateKeys
from iterable_sync.rows import ProjectType, Role, RunEnd
from object_rows import (
    AUDIENCE,
    IDENTITY,
    can_change,
    columns_of,
    put,
    row,
    rows,
    said,
    sent,
    sync,
    that_say,
    whom,
    with_rows,
)
from state.test_lanes import in_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness import World
    from iterable_sync.sync_object import SyncObject

LANES = {f"/api/{name}": "profiles" for name in ("users", "lists", "subscriptions")} | {
    f"/api/{name}": name for name in ("events", "commerce", "catalogs")
}
REASONS = ("invalid", "invalidData", "notFound", "conflict", "forgotten")
# What Iterable has of somebody who left, by the value of `on_remove`.
LEFT: dict[str, Callable[[dict[str, Any], str], bool]] = {
    "clear": lambda has, who: has["people"][who].keys() <= IDENTITY,
    "false": lambda has, who: has["people"][who][AUDIENCE.lower()] is False,
    "unsubscribe": lambda has, who: who not in has["lists"][AUDIENCE],
    "delete": lambda has, who: who not in has["items"],
    "exit": lambda has, who: has["events"][who, AUDIENCE][0] == "Audience Exited",
}


@pytest.fixture(params=that_say())
def sync_object(request: pytest.FixtureRequest) -> SyncObject:
    return objects.get(request.param)


def removals() -> list[Any]:
    return [
        pytest.param(name, value, id=f"{name}-{value}")
        for name in that_say()
        for value in objects.get(name).removals
    ]


# -- requests ------------------------------------------------------------------------------------


@pytest.mark.parametrize("project", list(ProjectType))
def test_rows_reach_their_people_in_every_type_of_project(
    world: World, sync_object: SyncObject, project: ProjectType
) -> None:
    """By the identifier that the project goes by, and by no other beside it."""
    with_rows(world, sync_object, *rows(sync_object, [1, 2]), project=project)

    report = sync(world, sync_object)

    if not sync_object.shape.of_people:
        assert (["u1", "u2"], 2) == (whom(world), report.accepted)
        return
    by_email = project is ProjectType.EMAIL
    names = [f"u{n}@example.com" if by_email else f"u{n}" for n in (1, 2)]
    addressed = [part.get("user", part) for part in sent(world, sync_object)]
    assert (RunEnd.CLEAN, 2) == (report.end, report.accepted)
    assert names == whom(world)
    assert names == sorted(one["email" if by_email else "userId"] for one in addressed)
    assert by_email or not any("email" in one for one in addressed)


@pytest.mark.parametrize(
    "count", [pytest.param(1, marks=pytest.mark.all), 2, 3], ids=["n-1", "n", "n+1"]
)
def test_a_request_has_so_many_rows_at_most(
    world: World, sync_object: SyncObject, count: int
) -> None:
    """At one less than the limit, at it, and at one more; a field that is new is created before."""
    with_rows(world, sync_object, *rows(sync_object, [9]))
    sync(world, sync_object)
    put(world, sync_object, *rows(sync_object, [*range(count), 9]))

    report = sync(world, sync_object, batch_rows=2)

    most = min(2, sync_object.max_rows)
    assert (count, -(-count // most)) == (report.accepted, report.requests)


@pytest.mark.failure("D11")
def test_row_that_no_request_can_hold_costs_itself_alone(
    world: World, sync_object: SyncObject
) -> None:
    """Also where it is the first: a request is never empty."""
    long = row(sync_object, 0, "x" * 2_000)
    if "x" * 2_000 not in str(long):
        # A row of an identity and a name is never so large: audiences have a test of many names.
        assert not sync_object.shape.has_fields
        return
    with_rows(world, sync_object, long, *rows(sync_object, [1, 2]))

    report = sync(world, sync_object, batch_bytes=1_000)

    assert (2, {"too_large": 1}) == (report.accepted, report.rejected_by_reason)
    assert [True] == ["u0" in key for key, _, _ in world.rejections()]
    assert ["u1", "u2"] == whom(world)


def test_nothing_to_send_is_no_request(world: World, sync_object: SyncObject) -> None:
    """Where there are no rows, where all of them are refused before, and where none has changed."""
    with_rows(world, sync_object)
    empty = sync(world, sync_object)
    put(world, sync_object, row(sync_object, 1, user_id="é", item="é" * 255))
    refused = sync(world, sync_object)
    put(world, sync_object, *rows(sync_object, [1]))
    sync(world, sync_object)
    unchanged = sync(world, sync_object)

    assert [0, 0, 0] == [done.requests for done in (empty, refused, unchanged)]
    reason = "invalid_user_id" if sync_object.shape.of_people else "bad_item_id"
    assert {reason: 1} == refused.rejected_by_reason


# -- outcomes ------------------------------------------------------------------------------------


def test_each_row_has_one_outcome_whatever_iterable_refuses(
    world: World, sync_object: SyncObject
) -> None:
    """Of rows that are refused for every known reason at once, the others are accepted."""
    numbers = range(len(REASONS) + 2)
    with_rows(world, sync_object, *rows(sync_object, numbers))
    world.server.fail(
        *(
            {"kind": "refuse_rows", "keys": [f"u{n}"], "reason": reason}
            for n, reason in enumerate(REASONS)
        )
    )

    report = sync(world, sync_object)

    assert (2, len(REASONS)) == (report.accepted, report.rejected)
    found = world.rejections()
    assert len(REASONS) == len(found)
    assert {""} == {field for _, field, _ in found}
    assert [f"u{n}" for n in numbers[len(REASONS) :]] == whom(world)


def test_key_that_comes_twice_stops_the_run(world: World, sync_object: SyncObject) -> None:
    """None of the two is right, and nothing is sent."""
    with_rows(world, sync_object, *rows(sync_object, [1, 2, 2]))

    with pytest.raises(DuplicateKeys):
        sync(world, sync_object)

    assert world.client is not None
    assert [] == world.client.bodies


def test_replay_says_the_same(world: World, sync_object: SyncObject) -> None:
    """Sent again, rows are what they were, and Iterable has nothing twice."""
    with_rows(world, sync_object, *rows(sync_object, [1, 2, 3]))
    sync(world, sync_object)
    before, first = said(world), sent(world, sync_object)

    report = sync(world, sync_object, full_resync=True)

    assert 3 == report.accepted
    assert first == sent(world, sync_object)
    assert before == said(world)


# -- rows that come, go and come back ------------------------------------------------------------


@pytest.mark.parametrize(("name", "on_remove"), removals())
def test_removal_means_what_it_says(world: World, name: str, on_remove: str) -> None:
    """Somebody who left is told as declared, and nobody else is touched."""
    sync_object = objects.get(name)
    with_rows(world, sync_object, *rows(sync_object, [1, 2]))
    sync(world, sync_object, on_remove=on_remove)
    before = said(world)
    put(world, sync_object, *rows(sync_object, [1]))

    report = sync(world, sync_object, on_remove=on_remove)

    has = said(world)
    if on_remove == "ignore":
        assert (0, 0, before) == (report.removed_accepted, report.requests, has)
        return
    assert (1, 1) == (report.removed_accepted, report.requests)
    assert not LEFT[on_remove](before, "u2")
    assert LEFT[on_remove](has, "u2")
    assert not LEFT[on_remove](has, "u1")


@pytest.mark.parametrize(("name", "on_remove"), removals())
@pytest.mark.parametrize(
    "applied",
    [
        pytest.param(True, id="answer lost"),
        pytest.param(False, id="not sent", marks=pytest.mark.all),
    ],
)
def test_values_that_go_and_come_back_are_right_after_a_crash(
    world: World, name: str, on_remove: str, *, applied: bool
) -> None:
    """A, then B in a run that dies at a request, then A: Iterable has A, applied or not."""
    sync_object = objects.get(name)
    good = rows(sync_object, [1, 2, 3])
    with_rows(world, sync_object, *good)
    sync(world, sync_object, on_remove=on_remove)
    before = said(world)
    other = rows(sync_object, [1], "B" if can_change(sync_object) else "A")
    put(world, sync_object, *other, *rows(sync_object, [2]))
    hooks: dict[str, Any] = {"after" if applied else "before": crash_at(1)}
    if can_change(sync_object) or on_remove != "ignore":
        with pytest.raises(Crash):
            sync(world, sync_object, client=world.connect(**hooks), on_remove=on_remove)
    world.expire_leases()
    put(world, sync_object, *good)

    report = sync(world, sync_object, on_remove=on_remove)

    has = said(world)
    del before["happened"], has["happened"]
    assert RunEnd.CLEAN is report.end
    assert before == has


# -- the first sync ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "accepted", "held"),
    [
        ("all", 3, {}),
        pytest.param(3, 3, {}, marks=pytest.mark.all),
        (2, 0, {"first_sync": 3}),
        ("sample:2", 2, {"first_sync_sample": 1}),
        ("seed", 0, {}),
    ],
)
def test_first_sync_sends_what_it_is_told_to(
    world: World, sync_object: SyncObject, mode: int | str, accepted: int, held: dict[str, int]
) -> None:
    """All, so many at most or none, a sample, or nothing since Iterable has it already."""
    with_rows(world, sync_object, *rows(sync_object, [1, 2, 3]))

    report = sync(world, sync_object, first_sync=mode)

    assert (accepted, held) == (report.accepted, report.held_by_guard)
    assert accepted == len(whom(world))
    assert (3 if mode == "seed" else 0) == report.seeded
    assert (report.requests > 0) is (accepted > 0)


def test_first_sync_that_is_told_nothing_sends_all_but_a_history(
    world: World, sync_object: SyncObject
) -> None:
    with_rows(world, sync_object, *rows(sync_object, [1, 2, 3]))

    report = sync(world, sync_object, first_sync=None)

    assert (0 if sync_object.shape.has_history else 3) == report.accepted


def test_after_a_seed_what_comes_is_sent(world: World, sync_object: SyncObject) -> None:
    """What was taken for sent is not; a row that is new, or that changed since, is."""
    with_rows(world, sync_object, *rows(sync_object, [1, 2]))
    sync(world, sync_object, first_sync="seed")
    second = rows(sync_object, [2], "B" if can_change(sync_object) else "A")
    put(world, sync_object, *rows(sync_object, [1]), *second, *rows(sync_object, [3]))

    sync(world, sync_object, first_sync="seed")

    assert (["u2", "u3"] if can_change(sync_object) else ["u3"]) == whom(world)


def seedable() -> list[str]:
    return [name for name in objects.names() if "seed_sql" in objects.get(name).settings]


@pytest.mark.parametrize("name", seedable())
def test_what_a_query_says_that_iterable_has_is_not_sent(world: World, name: str) -> None:
    """Nor is it the other way round: who changed or came is sent, and who is left over leaves."""
    sync_object = objects.get(name)
    old = rows(sync_object, [1, 2, 9])
    with_rows(world, sync_object, *old)
    world.put(*old, columns=columns_of(sync_object), table="seeded")
    second = rows(sync_object, [2], "B" if can_change(sync_object) else "A")
    put(world, sync_object, *rows(sync_object, [1]), *second, *rows(sync_object, [3]))
    seed_sql = world.sql(*columns_of(sync_object), table="seeded")

    report = sync(world, sync_object, seed_sql=seed_sql)

    leaves = sync_object.removals[0] != "ignore"
    told = ["u2", "u3"] if can_change(sync_object) else ["u3"]
    assert (len(told), 3 - len(told)) == (report.accepted, report.unchanged)
    assert (leaves, not leaves) == (report.removed_accepted, report.removed_ignored)
    assert set(told) <= set(whom(world)) | {"u9"}
    assert "u1" not in whom(world)


# -- beside others -------------------------------------------------------------------------------


def test_lane_is_that_of_its_endpoint(world: World, sync_object: SyncObject) -> None:
    """A sync waits for those that write the same, and for nobody else."""
    mine = LANES["/".join(sync_object.path.split("/")[:3])]
    with_rows(world, sync_object, *rows(sync_object, [1]))
    with in_line(world, "another", scope=f"lane:1.us/{mine}") as lane:
        lane.enter()
        waiting = sync(world, sync_object)
    for other in set(LANES.values()) - {mine}:
        with in_line(world, "another", scope=f"lane:1.us/{other}") as lane:
            lane.enter()
            passed = sync(world, sync_object, full_resync=True)
            assert (RunEnd.CLEAN, 1) == (passed.end, passed.accepted)

    assert mine == sync_object.lane
    assert (RunEnd.PENDING, 0, 1) == (waiting.end, waiting.requests, waiting.pending)


def test_marked_objects_are_objects_of_people(sync_object: SyncObject) -> None:
    """Who is marked is found by the person: there is one row of each, and it is sent whole."""
    for name in sync_object.shape.marks:
        marked = objects.get(name)

        assert not marked.shape.shares_identity
        assert "whole" == marked.sends


def test_roles_are_all_of_those_that_rows_are_made_of(sync_object: SyncObject) -> None:
    """A role that no row here has would be one that no promise here is about."""
    known = {Role.AUDIENCE, Role.CREATED_AT, Role.EVENT_NAME, Role.ITEMS, Role.PURCHASED_AT}

    groups = {Role.GROUP, Role.GROUP_ID, Role.SUBSCRIBED, Role.EMAIL_LISTS}

    assert sync_object.shape.required <= known | {Role.TOTAL} | groups
    assert not sync_object.shape.one_of or sync_object.shape.one_of & groups
