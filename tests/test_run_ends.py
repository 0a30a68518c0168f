"""How runs end: guards, refusals, outages, stops; and what is recorded all the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from fakes import Clock
from harness import BULK, FIELDS, people
from iterable_sync.errors import PermissionRefused
from iterable_sync.rows import Op, RunEnd
from iterable_sync.spec import Guards

if TYPE_CHECKING:
    from harness import World

STRICT = Guards(removed_floor=1, changed_floor=1, max_removed=0.2, max_changed=0.5)


@pytest.mark.failure("W3")
def test_an_empty_query_removes_nobody(world: World) -> None:
    world.put(*people(1, 2))
    world.sync(on_remove="clear")
    requests = world.writes()

    world.put()
    report = world.sync(on_remove="clear")

    assert (RunEnd.HELD, 2, 2, requests) == (
        report.end,
        report.removed,
        report.removed_held,
        world.writes(),
    )
    assert {(Op.REMOVED, key, "min_rows") for key in ("u1", "u2")} == world.held()
    assert {"u1": ("live",), "u2": ("live",)} == world.acknowledged("_status")


def test_a_mass_removal_is_held_and_the_rest_is_delivered(world: World) -> None:
    world.put(*people(1, 2, 3, 4, 5))
    world.sync(on_remove="clear")

    world.put(("u1", "u1@example.com", "Genf", 1), *people(2, 6))
    report = world.sync(on_remove="clear", guards=STRICT)

    assert {
        "u1@example.com": {"city": "Genf"},
        "u6@example.com": {"city": "Bern", "points": 1},
    } == (world.sent_fields)
    assert (RunEnd.HELD, 3, 2, {"max_removed": 3}) == (
        report.end,
        report.removed_held,
        report.accepted,
        report.held_by_guard,
    )
    assert {(Op.REMOVED, f"u{n}", "max_removed") for n in (3, 4, 5)} == world.held()
    assert {f"u{n}" for n in range(1, 7)} == set(world.acknowledged())


def test_removals_that_would_be_ignored_are_held_as_well(postgres_world: World) -> None:
    """Held keys stay live: a wrong query must not make everybody new in the next run."""
    world = postgres_world
    world.put(*people(1, 2, 3, 4, 5))
    world.sync()

    world.put(*people(1, 2))
    report = world.sync(guards=STRICT)
    world.put(*people(1, 2, 3, 4, 5))
    back = world.sync(guards=STRICT)

    assert (3, 0) == (report.removed_held, report.removed_ignored)
    assert (5, 0, set()) == (back.unchanged, back.requests, world.held())


@pytest.mark.failure("W4")
def test_a_mass_change_is_held_and_the_rest_is_delivered(postgres_world: World) -> None:
    world = postgres_world
    world.put(*people(1, 2, 3, 4))
    world.sync()

    world.put(*people(1, 2, 3, city="Genf"), *people(4, 5))
    report = world.sync(guards=STRICT)

    assert {"u5@example.com": {"city": "Bern", "points": 1}} == world.sent_fields
    assert (RunEnd.HELD, 3, 1, 1) == (report.end, report.held, report.accepted, report.unchanged)
    assert {(Op.CHANGED, f"u{n}", "max_changed") for n in (1, 2, 3)} == world.held()

    allowed = world.sync(guards=Guards(changed_floor=3))

    assert (RunEnd.CLEAN, 3, set()) == (allowed.end, allowed.accepted, world.held())


@pytest.mark.failure("W4", "S18")
def test_an_oversized_first_run_is_held_until_it_is_asked_for(postgres_world: World) -> None:
    world = postgres_world
    world.put(*people(1, 2, 3))

    report = world.sync(guards=Guards(first_sync_rows=2))

    assert (RunEnd.HELD, 3, 0) == (report.end, report.held, world.writes())
    assert {(Op.ADDED, f"u{n}", "first_sync") for n in (1, 2, 3)} == world.held()
    assert any("first_sync=3" in note for note in report.notes)

    asked = world.sync(guards=Guards(first_sync_rows=2), first_sync=3)

    assert (RunEnd.CLEAN, 3) == (asked.end, asked.accepted)


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_stops_at_once_and_what_was_recorded_stays(
    postgres_world: World, status: int
) -> None:
    world = postgres_world
    world.put(*people(*range(1, 10)))
    world.sync(sql=world.sql() + " WHERE user_id = 'u1'")

    def revoke(number: int, _users: object) -> None:
        if number == 2:
            world.answer_next({"status": status, "times": 100}, path="/api/")

    client = world.connect(after=revoke)
    with pytest.raises(PermissionRefused, match=str(status)):
        world.sync(client=client, batch_rows=1, threads=1)

    accepted = {user["userId"] for user in world.sent[:0]} | {
        user["userId"] for body in client.bodies[:2] for user in body["users"]
    }
    assert 3 == len(client.bodies)
    assert {"u1", *accepted} == set(world.acknowledged())
    assert ["clean", "failed"] == world.runs()

    world.answer_next()
    report = world.sync()

    assert (6, RunEnd.CLEAN) == (report.accepted, report.end)


def test_a_refused_key_at_the_first_request_fails_the_run(postgres_world: World) -> None:
    world = postgres_world
    world.put(*people(1))
    world.answer_next({"status": 401}, path=FIELDS)

    with pytest.raises(PermissionRefused):
        world.sync()

    assert (["failed"], 0) == (world.runs(), world.writes())


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param({"status": 429}, id="429"),
        pytest.param({"status": 429, "headers": {"Retry-After": "7"}}, id="429, with a wait"),
        pytest.param({"status": 500}, id="500, not applied"),
        pytest.param({"status": 502, "apply": True}, id="502, applied"),
        pytest.param({"status": 200, "body": "{", "apply": True}, id="200, unreadable"),
    ],
)
def test_what_may_pass_is_tried_again_in_the_same_run(
    postgres_world: World, answer: dict[str, Any]
) -> None:
    world, clock = postgres_world, Clock()
    world.put(*people(1, 2))
    world.answer_next(answer, answer)

    report = world.sync(options=clocked(clock), lease_s=1e6)

    assert (RunEnd.CLEAN, 2, {}) == (report.end, report.accepted, world.dirty())
    assert {"u1@example.com", "u2@example.com"} == set(world.users())


def test_an_outage_ends_pending_and_the_next_run_finishes(world: World) -> None:
    clock = Clock()
    world.put(*people(*range(1, 9)))
    world.sync(sql=world.sql() + " WHERE user_id IN ('u1', 'u2')")
    world.answer_next({"status": 503, "times": 10_000}, path="/api/users/bulk")
    before = world.writes()

    report = world.sync(options=clocked(clock), lease_s=1e6, batch_rows=2)

    assert (RunEnd.PENDING, 6, 2, 0) == (
        report.end,
        report.pending,
        report.unchanged,
        report.accepted,
    )
    assert report.retry_after_s
    assert world.writes() - before <= 25
    assert {"u1", "u2"} == {key for key, row in world.snapshot().items() if row["_dirty"] is None}

    world.answer_next()
    finished = world.sync()

    assert (RunEnd.CLEAN, 6, {}) == (finished.end, finished.accepted, world.dirty())
    assert {f"u{n}@example.com" for n in range(1, 9)} == set(world.users())


def test_an_outage_of_getfields_ends_pending(postgres_world: World) -> None:
    world, clock = postgres_world, Clock()
    world.put(*people(1, 2))
    world.answer_next({"status": 503, "times": 10_000}, path=FIELDS)

    report = world.sync(options=clocked(clock), lease_s=1e6)

    assert (RunEnd.PENDING, 2, 0) == (report.end, report.pending, report.accepted)


def test_an_outage_after_fields_were_created_loses_no_row(postgres_world: World) -> None:
    """Which fields there are is asked again in the midst of a run; that may fail as well."""
    world, clock = postgres_world, Clock()
    world.put(*people(*range(1, 7)))

    def fail(number: int, _users: object) -> None:
        if number == 2:
            world.answer_next({"status": 503, "times": 10_000}, path=FIELDS)

    report = world.sync(
        client=world.connect(after=fail), options=clocked(clock), lease_s=1e6, batch_rows=2
    )

    assert RunEnd.PENDING == report.end
    assert 6 == report.accepted + report.pending

    world.answer_next()
    world.sync()

    assert ({}, 6) == (world.dirty(), len(world.users()))


def test_a_wait_that_is_too_long_for_a_worker_is_left_to_the_next_run(
    postgres_world: World,
) -> None:
    world = postgres_world
    world.put(*people(1, 2))
    world.answer_next({"status": 429, "headers": {"Retry-After": "900"}})

    report = world.sync()

    assert (RunEnd.PENDING, 900.0, 2) == (report.end, report.retry_after_s, report.pending)
    assert {} == world.acknowledged()


def test_a_told_run_stops_sending_and_records_what_was_sent(postgres_world: World) -> None:
    world = postgres_world
    world.put(*people(*range(1, 8)))
    told = {"stop": False}
    client = world.connect(after=lambda number, _users: told.update(stop=number >= 3))

    report = world.sync(
        client=client, batch_rows=1, threads=1, options={"should_stop": lambda: told["stop"]}
    )

    sent = {user["userId"] for user in world.sent}
    assert sent == set(world.acknowledged())
    assert (RunEnd.PENDING, len(sent), 7 - len(sent)) == (
        report.end,
        report.accepted,
        report.pending,
    )
    assert {} == world.dirty()

    assert 7 - len(sent) == world.sync().accepted


def test_a_rejected_row_among_pending_ones_is_counted_once(postgres_world: World) -> None:
    world = postgres_world
    world.put(("u0", "none", "Bern", 1), *people(1, 2, 3))
    world.answer_next({"status": 429, "headers": {"Retry-After": "900"}}, path=BULK)

    report = world.sync(batch_rows=1)

    assert (1, 3) == (report.rejected, report.pending)


def clocked(clock: Clock) -> dict[str, Any]:
    """Let a run wait on a clock that only moves when somebody waits."""
    return {"clock": clock, "sleep": clock.sleep}
