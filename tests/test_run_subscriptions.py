"""Runs of subscriptions: who says no goes first, and nothing but what was said is touched."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from crashes import Crash, crash_at
from harness import USERS, people
from iterable_sync.rows import ProjectType, RunEnd
from subscription_world import (
    CHANNEL,
    OPT_IN,
    OPT_OUT,
    SAID,
    has,
    offers,
    partners,
    put,
    sent,
    sync,
    with_project,
    with_said,
)

if TYPE_CHECKING:
    from harness import World

NO, YES = "unsubscribe", "subscribe"


@pytest.fixture(params=["duckdb", "postgres"])
def world(request: pytest.FixtureRequest) -> World:
    made: World = request.getfixturevalue(f"{request.param}_world")
    return made


def actions(world: World) -> list[str]:
    return [path.rpartition("=")[2] for path, _ in sent(world)]


def held(world: World) -> set[str]:
    """Give the keys that a guard holds."""
    return {key for _, key, _ in world.held()}


# -- one group at a time -------------------------------------------------------------------------


def test_one_list_leaves_all_others_as_they_are(world: World) -> None:
    """Neither other lists, nor channels or message types, of that person or of anybody else."""
    with_said(world, people=2)
    lists = [world.server.app_state.lists.create(name, 1).id for name in ("A", "B", "C")]
    mine = {
        "userListIds": lists[:2],
        "emailListIds": lists[:2],
        "unsubscribedChannelIds": [3],
        "unsubscribedMessageTypeIds": [102],
        "subscribedMessageTypeIds": [OPT_IN],
    }
    overwrite(world, *({"userId": f"u{n}"} | mine for n in (1, 2)))
    before = has(world)
    put(world, ("u1", "emailList", lists[2], True), ("u2", "emailList", lists[1], False))

    report = sync(world)

    after = has(world)
    (name,) = (name for name in before["u1"] if name.endswith("ListIds"))
    assert 2 == report.accepted
    assert before["u1"] | {name: lists} == after["u1"]
    assert before["u2"] | {name: lists[:1]} == after["u2"]


def overwrite(world: World, *requests: dict[str, Any]) -> None:
    """Give people whole arrays, past the sync."""
    import orjson

    answer = world.connect().send(
        "POST",
        "/api/users/bulkUpdateSubscriptions",
        orjson.dumps({"updateSubscriptionsRequests": list(requests)}),
    )
    assert (200, 0) == (answer.status, answer.json["failCount"])


def test_all_kinds_of_groups_are_said_yes_and_no_to(world: World) -> None:
    """What it means there is Iterable's: a channel that is left, a type that is joined."""
    with_said(
        world,
        offers(1, False),
        offers(2, True),
        partners(1, True),
        partners(2, False),
        ("u1", "messageChannel", CHANNEL, False),
        ("u2", "messageChannel", CHANNEL, True),
        people=2,
    )

    report = sync(world)

    assert (6, 6) == (report.accepted, report.requests)
    assert has(world) == {
        "u1": {
            "unsubscribedMessageTypeIds": [OPT_OUT],
            "subscribedMessageTypeIds": [OPT_IN],
            "unsubscribedChannelIds": [CHANNEL],
        },
        "u2": {},
    }


def test_only_who_said_something_else_is_sent(world: World) -> None:
    with_said(world, *(offers(n, n != 1) for n in (1, 2, 3)), people=3)
    sync(world)
    again = sync(world)
    put(world, *(offers(n, n != 2) for n in (1, 2, 3)))

    report = sync(world)

    assert (0, 3) == (again.requests, again.unchanged)
    assert (2, 1) == (report.changed, report.unchanged)
    assert [body for _, body in sent(world)] == [
        {"usersByUserId": ["u2"]},
        {"usersByUserId": ["u1"]},
    ]
    assert [NO, YES] == actions(world)


@pytest.mark.parametrize(("on_remove", "left"), [("ignore", {}), (NO, {"u2"})])
def test_who_left_the_model_is_unsubscribed_where_it_is_declared(
    world: World, on_remove: str, left: set[str]
) -> None:
    """One group of theirs; those that they are still in the model for stay."""
    both = [("u2", "messageChannel", CHANNEL, True)]
    with_said(world, offers(1, True), offers(2, True), *both, people=2)
    sync(world)
    put(world, offers(1, True), *both)

    report = sync(world, on_remove=on_remove)

    assert len(left) == report.removed_accepted
    assert {who for who, arrays in has(world).items() if arrays} == set(left)
    assert not left or has(world)["u2"] == {"unsubscribedMessageTypeIds": [OPT_OUT]}


def test_removals_stay_under_their_guard(world: World) -> None:
    """Nobody said no: the rows are gone, perhaps by mistake."""
    with_said(world, *(offers(n, True) for n in range(1, 5)), people=4)
    sync(world)
    put(world, offers(1, True))

    report = sync(world, on_remove=NO, guards={"removed_floor": 1})

    assert (3, RunEnd.HELD) == (report.removed_held, report.end)
    assert not any(has(world).values())


def test_null_is_neither_yes_nor_no(world: World) -> None:
    """The row waits, what Iterable has stays, and it is said why."""
    with_said(world, offers(1, False), partners(2, True), people=2)
    sync(world)
    before = has(world)
    put(world, offers(1, None), partners(2, None))

    report = sync(world)

    assert {"missing_subscribed": 2} == report.rejected_by_reason
    assert (0, before) == (report.requests, has(world))
    put(world, offers(1, True), partners(2, True))
    assert (1, 1, 0) == ((done := sync(world)).accepted, done.unchanged, done.rejected)
    assert has(world)["u1"] == {}


def test_a_no_of_one_key_beats_the_yes_of_another_of_the_same_person(world: World) -> None:
    """By which key a person said it is nothing that Iterable knows."""
    columns = {"key": "bigint", "user_id": "text"} | {
        "subscription_group": "text",
        "group_id": "bigint",
        "subscribed": "boolean",
    }
    key = ("key", "subscription_group", "group_id")
    with_said(world, people=1)
    rows = [(1, "u1", "messageType", OPT_OUT, True), (2, "u1", "MESSAGETYPE", OPT_OUT, True)]
    put(world, *rows, columns=columns)
    sync(world, key=key)
    put(world, rows[0], (*rows[1][:4], False), columns=columns)

    report = sync(world, key=key)

    assert ({"opted_out": 1}, [NO]) == (report.rejected_by_reason, actions(world))
    assert has(world)["u1"] == {"unsubscribedMessageTypeIds": [OPT_OUT]}
    put(world, *rows, columns=columns)
    assert [1, 0] == [(done := sync(world, key=key)).accepted, done.rejected]
    assert has(world)["u1"] == {}


# -- opt-outs go first ---------------------------------------------------------------------------


def test_every_opt_out_is_answered_before_an_opt_in_is_sent(world: World) -> None:
    """Whatever the groups, and however many requests are on their way at once."""
    rows = [row for n in range(1, 31) for row in (offers(n, n % 2 == 0), partners(n, n % 2 == 1))]
    with_said(world, *rows, people=30)
    lock, on_their_way, mixed = threading.Lock(), {NO: 0, YES: 0}, []
    client = world.connect()
    send = client.send

    def watched(method: str, path: str, body: bytes) -> Any:
        action = path.rpartition("=")[2]
        with lock:
            on_their_way[action] += 1
            mixed.append(all(on_their_way.values()))
        time.sleep(0.005)
        answer = send(method, path, body)
        with lock:
            on_their_way[action] -= 1
        return answer

    client.send = watched  # type: ignore[method-assign]
    report = sync(world, client=client, batch_rows=4, threads=4)

    assert 60 == report.accepted
    assert actions(world) == sorted(actions(world), reverse=True)
    assert not any(mixed)


@pytest.mark.parametrize(
    ("first", "then", "declared", "guard"),
    [
        pytest.param((), (True, False), {"first_sync": 2}, "first_sync", id="first sync"),
        pytest.param(
            (None, None),
            (True, False),
            {"guards": {"changed_floor": 2, "max_changed": 0.1}},
            "max_changed",
            id="many changes",
        ),
    ],
)
def test_no_guard_on_changes_holds_an_opt_out(
    world: World,
    first: tuple[Any, ...],
    then: tuple[bool, bool],
    declared: dict[str, Any],
    guard: str,
) -> None:
    """Those who say yes wait for a person to look; those who say no are out at once."""
    numbers = range(1, 9)
    with_said(world, people=8)
    if first:
        put(world, *(partners(n, n % 2 == 1) for n in numbers))
        sync(world)
    said = {n: n % 2 == 0 for n in numbers}
    put(world, *(partners(n, said[n]) for n in numbers))

    report = sync(world, **declared)

    assert {guard: 4} == report.held_by_guard
    assert (4, [NO]) == (report.accepted, actions(world))
    assert {f"u{n}" for n in numbers if said[n]} == {
        key.split(",")[0].strip('["]') for key in held(world)
    }
    assert not any(has(world).values())


def test_a_first_run_that_is_held_stays_the_first(world: World) -> None:
    """Its opt-outs are sent; that is no reason to let the opt-ins of the next run pass."""
    with_said(world, *(partners(n, n > 2) for n in range(1, 9)), people=8)
    first = sync(world, first_sync=3)
    second = sync(world, first_sync=3)
    third = sync(world, first_sync="all")

    assert [(2, 6), (0, 6)] == [(run.accepted, run.held) for run in (first, second)]
    assert (6, {}) == (third.accepted, third.held_by_guard)


def test_opt_outs_do_not_count_for_a_guard_on_opt_ins(world: World) -> None:
    """Many who leave are no reason to hold one who comes."""
    with_said(world, *(offers(n, n != 1) for n in range(1, 9)), people=8)
    sync(world)
    put(world, *(offers(n, n == 1) for n in range(1, 9)))

    report = sync(world, guards={"changed_floor": 1, "max_changed": 0.1})

    assert ({}, 8) == (report.held_by_guard, report.accepted)


def test_opt_outs_are_there_after_a_crash(world: World) -> None:
    """In doubt, they are the first of the next run, and held by nothing."""
    with_said(world, *(offers(n, False) for n in (1, 2)), partners(3, True), people=3)
    with pytest.raises(Crash):
        sync(world, client=world.connect(after=crash_at(1)))
    world.expire_leases()

    report = sync(world, first_sync=0)

    assert NO == actions(world)[0]
    assert all(has(world)[f"u{n}"] == {"unsubscribedMessageTypeIds": [OPT_OUT]} for n in (1, 2))
    assert 1 == report.held + report.accepted - 2


def test_an_opt_out_of_somebody_who_is_not_there_yet_waits_for_them(world: World) -> None:
    """Sent before, it would be passed over, and they would get messages once they are there."""
    with_project(world, ProjectType.EMAIL)
    columns = {"email": "text", "subscription_group": "text", "group_id": "bigint"} | {
        "subscribed": "boolean"
    }
    key = ("email", "subscription_group", "group_id")
    put(world, ("u1@example.com", "messageType", OPT_OUT, False), columns=columns)
    world.put(table="users", columns=USERS)
    world.sync(sql=world.sql("user_id", "email"), guards={"min_rows": 0})

    waiting = sync(world, key=key, requires="users", sql=world.sql(*columns, table="said"))
    world.put(*people(1), table="users", columns=USERS)
    world.sync(sql=world.sql("user_id", "email"))
    there = sync(world, key=key, requires="users", sql=world.sql(*columns, table="said"))

    assert ({"waiting_for_user": 1}, 0) == (waiting.held_by_guard, waiting.requests)
    assert 1 == there.accepted
    assert {"unsubscribedMessageTypeIds": [OPT_OUT]} == has(world)["u1@example.com"]


@pytest.mark.parametrize("kind", [ProjectType.USER_ID, ProjectType.HYBRID])
def test_an_opt_out_by_a_user_id_waits_as_well(world: World, kind: ProjectType) -> None:
    """Iterable makes nobody of an opt-out, and says that it took it."""
    with_project(world, kind)
    put(world, offers(1, False))
    said = world.sql(*SAID, table="said")
    users = world.sql("user_id", "email")
    world.put(columns=USERS)
    world.sync(sql=users, guards={"min_rows": 0})

    waiting = sync(world, requires="users", sql=said)
    world.put(*people(1))
    world.sync(sql=users)
    there = sync(world, requires="users", sql=said)

    assert ({"waiting_for_user": 1}, 0) == (waiting.held_by_guard, waiting.requests)
    assert 1 == there.accepted
    assert {"unsubscribedMessageTypeIds": [OPT_OUT]} == has(world)["u1"]


# -- whom and what ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", list(ProjectType))
def test_people_are_named_as_the_project_knows_them(world: World, kind: ProjectType) -> None:
    """By e-mail, by userId, or in a hybrid project each by what the row has."""
    with_project(world, kind)
    columns = {"n": "bigint", "email": "text", "user_id": "text"} | {
        "subscription_group": "text",
        "group_id": "bigint",
        "subscribed": "boolean",
    }
    put(
        world,
        (1, "u1@example.com", "u1", "messageType", OPT_IN, True),
        (2, "u2@example.com", None, "messageType", OPT_IN, True),
        columns=columns,
    )

    report = sync(world, key=("n", "subscription_group", "group_id"))

    bodies = [body for _, body in sent(world)]
    expected = {
        ProjectType.EMAIL: [{"users": ["u1@example.com", "u2@example.com"]}],
        ProjectType.USER_ID: [{"usersByUserId": ["u1"]}],
        ProjectType.HYBRID: [{"users": ["u2@example.com"]}, {"usersByUserId": ["u1"]}],
    }
    assert expected[kind] == bodies
    assert report.accepted == (1 if kind is ProjectType.USER_ID else 2)


def test_a_dry_run_tells_what_would_be_asked_and_asks_nothing(world: World) -> None:
    with_said(world, *(offers(n, n % 2 == 0) for n in range(1, 5)), people=4)

    report = sync(world, dry_run=True)

    assert (4, []) == (report.added, sent(world))
    assert not any(has(world).values())
