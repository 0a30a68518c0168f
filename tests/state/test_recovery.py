"""A run that dies anywhere costs a little sent again, and nothing else."""

from __future__ import annotations

import time
from threading import Event
from typing import TYPE_CHECKING, Any

import pytest

from crashes import Crash, CrashingState, crash, killed
from fakes import Clock
from harness import people
from iterable_sync import failpoints
from iterable_sync.errors import LeaseLost
from iterable_sync.rows import RunEnd
from tiers import one_in

if TYPE_CHECKING:
    from harness import World


def test_a_value_that_flaps_around_a_crash_is_sent_again(world: World) -> None:
    """A, then B with an unknown outcome, then A: it looks unchanged and is not."""
    world.put(*people(1, 2, city="A"))
    world.sync()
    world.put(*people(1, city="B"), *people(2, city="A"))
    crash(world, at=1, applied=True)
    assert "B" == world.users()["u1@example.com"]["city"]

    world.put(*people(1, 2, city="A"))
    report = world.sync()

    assert {"u1@example.com": {"city": "A"}} == world.sent_fields
    assert "A" == world.users()["u1@example.com"]["city"]
    assert (1, 1, {}) == (report.accepted, report.unchanged, world.dirty())
    assert ["clean", "crashed", "clean"] == world.runs()
    assert {"folded"} == set(world.batches())


@pytest.mark.failure("H5")
def test_a_value_that_flaps_around_an_answer_that_was_lost_is_sent_again(
    postgres_world: World,
) -> None:
    """The run itself went on and ended in order; only the outcome of a request is unknown."""
    world = postgres_world
    world.put(*people(1, city="A"))
    world.sync()
    world.put(*people(1, city="B"))
    world.answer_next({"status": 500, "apply": True, "headers": {"Retry-After": "900"}})

    report = world.sync()

    assert (RunEnd.PENDING, 1) == (report.end, report.pending)
    assert {"u1": {"city"}} == world.dirty()
    assert {"u1": ("A",)} == world.acknowledged("city")

    world.put(*people(1, city="A"))
    world.sync()

    assert {"u1@example.com": {"city": "A"}} == world.sent_fields
    assert {} == world.dirty()


def test_a_row_that_is_refused_after_an_attempt_of_unknown_outcome_stays_in_doubt(
    world: World,
) -> None:
    """The first attempt may have been applied; the refusal of the second takes nothing back."""
    world.put(*people(1, city="A"))
    world.sync()
    world.put(*people(1, city="B"))
    clock = Clock()
    world.answer_next(
        {"status": 500, "apply": True}, {"status": 400, "body": {"code": "InvalidUserIdError"}}
    )

    report = world.sync(options={"clock": clock, "sleep": clock.sleep}, lease_s=1e6)

    assert (RunEnd.CLEAN, 1, 0) == (report.end, report.rejected, report.pending)
    assert {("u1", "", "invalid_user_id")} == world.rejections()
    assert ({"u1": {"city"}}, {"u1": ("A",)}) == (world.dirty(), world.acknowledged("city"))

    world.put(*people(1, city="A"))
    world.sync()

    assert {"u1@example.com": {"city": "A"}} == world.sent_fields
    assert ("A", {}) == (world.users()["u1@example.com"]["city"], world.dirty())


@pytest.mark.failure("H10")
def test_a_request_that_was_not_sent_leaves_nothing_in_doubt(postgres_world: World) -> None:
    world = postgres_world
    world.put(*people(1, city="A"))
    world.sync()
    world.put(*people(1, city="B"))
    world.answer_next({"status": 429, "headers": {"Retry-After": "900"}})

    report = world.sync()

    assert (1, {}) == (report.pending, world.dirty())

    world.put(*people(1, city="A"))
    report = world.sync()

    assert (1, 0) == (report.unchanged, report.requests)


def test_a_new_key_in_doubt_is_known_without_values_and_sent_whole(world: World) -> None:
    world.put(*people(1))
    world.sync()
    world.put(*people(1, 2))
    crash(world, at=1, applied=False)

    stop = {"status": 429, "headers": {"Retry-After": "900"}}
    world.answer_next(stop)
    world.sync()

    row = world.snapshot()["u2"]
    assert ("live", "*", None, "email:u2@example.com", 1) == tuple(
        row[name] for name in ("_status", "_dirty", "city", "_identity", "_episode")
    )

    world.answer_next()
    world.sync()

    assert {"u2@example.com": {"city": "Bern", "points": 1}} == world.sent_fields
    assert ({}, 1) == (world.dirty(), world.snapshot()["u2"]["_episode"])


@pytest.mark.parametrize("policy", ["ignore", "clear"])
def test_a_key_in_doubt_that_left_the_query_is_a_removal(world: World, policy: str) -> None:
    world.put(*people(1))
    world.sync(on_remove=policy)
    world.put(*people(1, 2))
    crash(world, at=1, applied=True, on_remove=policy)
    assert "Bern" == world.users()["u2@example.com"]["city"]

    world.put(*people(1))
    report = world.sync(on_remove=policy)

    assert (1, policy == "clear", policy == "ignore") == (
        report.removed,
        report.removed_accepted,
        report.removed_ignored,
    )
    assert (policy == "ignore") == ("city" in world.users()["u2@example.com"])
    assert ("gone", {}) == (world.snapshot()["u2"]["_status"], world.dirty())


def test_a_removal_in_doubt_is_made_again_or_undone(postgres_world: World) -> None:
    world = postgres_world
    world.put(*people(1, 2, 3))
    world.sync(on_remove="clear")
    world.put(*people(1))
    crash(world, at=1, applied=True, on_remove="clear")
    assert {"u2", "u3"} == {key for key in ("u2", "u3") if cleared(world, key)}

    world.put(*people(1, 2))
    report = world.sync(on_remove="clear")

    assert (1, 1) == (report.accepted, report.removed_accepted)
    assert (False, True) == (cleared(world, "u2"), cleared(world, "u3"))
    assert ({}, {"u1", "u2"}) == (world.dirty(), set(world.acknowledged()))


def test_a_person_in_doubt_under_a_key_that_returned_is_no_changed_identity(world: World) -> None:
    """The person whom the key once meant is gone; in doubt is only the new one."""
    world.put(("k", "old@example.com", "Bern", 1), *people(1))
    world.sync()
    world.put(*people(1))
    world.sync()
    world.put(("k", "new@example.com", "Bern", 1), *people(1))
    crash(world, at=1, applied=True)

    report = world.sync()

    assert (RunEnd.CLEAN, 0, 1) == (report.end, report.identity_changed, report.accepted)
    assert {"new@example.com"} == set(world.sent_fields)


def test_a_changed_identity_in_doubt_is_sent_as_a_full_row_again(postgres_world: World) -> None:
    world = postgres_world
    world.put(("k", "old@example.com", "Bern", 1))
    world.sync()
    world.put(("k", "new@example.com", "Bern", 1))
    crash(world, at=1, applied=True, on_identity_change="full_row")

    report = world.sync(on_identity_change="full_row")

    assert (1, 1) == (report.identity_changed, report.accepted)
    assert {"new@example.com": {"city": "Bern", "points": 1}} == world.sent_fields
    assert {"k": ("email:new@example.com", None)} == world.acknowledged("_identity", "_dirty")


def test_a_field_that_was_not_sent_is_not_in_doubt(postgres_world: World) -> None:
    world = postgres_world
    world.put(*people(1, 2, city="A"))
    world.sync()
    world.put(*people(1, city="B"), *people(2, city="A", points=5))
    crash(world, at=1, applied=True)
    world.answer_next({"status": 429, "headers": {"Retry-After": "900"}})
    world.sync()

    assert {"u1": {"city"}, "u2": {"points"}} == world.dirty()


@pytest.mark.failure("P5")
def test_a_crash_sends_again_what_was_in_flight_and_not_the_run(postgres_world: World) -> None:
    """While requests go out, what was answered before is recorded."""
    world, threads, rows, at = postgres_world, 2, 2, 20
    world.put(*people(*range(1, 61)))
    world.sync(sql=world.sql() + " WHERE user_id = 'u1'")
    is_dead = Event()

    def die_once_the_others_are_recorded(number: int, _users: Any) -> None:
        if number > at:
            is_dead.wait(10)
        if number >= at:
            for _ in range(500):
                if world.batches().count("settled") >= at - 1:
                    break
                time.sleep(0.02)
            is_dead.set()
            raise Crash

    client = world.connect(before=die_once_the_others_are_recorded)
    with pytest.raises(Crash):
        world.sync(client=client, batch_rows=rows, threads=threads)
    begun = {user["email"] for body in client.bodies for user in body["users"]}
    in_flight = {user["email"] for body in client.bodies[at - 1 :] for user in body["users"]}
    world.sync(batch_rows=rows, threads=threads)

    assert in_flight == begun & set(world.sent_fields)
    assert {f"u{n}" for n in range(1, 61)} == set(world.acknowledged())


@pytest.mark.failure("P1")
def test_a_killed_process_leaves_a_state_that_the_next_run_heals(world: World) -> None:
    """Killed with SIGKILL after an answer and before its recording."""
    world.put(*people(*range(1, 11), city="A"))
    world.sync()
    world.put(*people(*range(1, 11), city="B"))
    killed(world, world.spec(batch_rows=2, threads=1), at=3)
    sent = {key for key, fields in world.users().items() if fields["city"] == "B"}
    assert 6 == len(sent)

    world.put(*people(*range(1, 11), city="A"))
    world.expire_leases()
    report = world.sync(batch_rows=2, threads=1)

    assert {"A"} == {fields["city"] for fields in world.users().values()}
    assert sent <= set(world.sent_fields)
    assert ({}, RunEnd.CLEAN) == (world.dirty(), report.end)
    assert ["clean", "crashed", "clean"] == world.runs()
    assert 0 == world.sync().requests


@pytest.mark.failure("P1")
@pytest.mark.parametrize("at", one_in(3, range(1, 100, 4)))
def test_a_crash_at_any_statement_is_healed(postgres_world: World, at: int) -> None:
    heal(postgres_world, at)


@pytest.mark.failure("P1")
@pytest.mark.parametrize("at", [40, 60])
def test_a_crash_at_any_statement_is_healed_in_a_file(duckdb_world: World, at: int) -> None:
    heal(duckdb_world, at)


def heal(world: World, at: int) -> None:
    """Die at a statement of day 2, go on with day 3, and compare with plain Python."""
    world.put(*people(1, 2, 3, 4, city="A"), ("bad", "none", "A", 1))
    world.sync(on_remove="clear")
    # u1 and u2 flap, u3 leaves for good, u4 for a day, u5 comes for a day, u6 to stay.
    world.put(*people(1, 2, 5, 6, city="B"), ("bad", "none", "B", 1))
    engine = CrashingState(world.state, at)
    try:
        world.sync(state=engine, on_remove="clear", batch_rows=2, threads=1)
    except Crash:
        world.expire_leases()
    world.put(*people(1, 2, 4, 6, city="A"), ("bad", "none", "B", 1))
    report = world.sync(on_remove="clear")

    expected = {f"u{n}@example.com": "A" for n in (1, 2, 4, 6)}
    held = {key: user["city"] for key, user in world.users().items() if "city" in user}
    assert expected == held
    assert {"u1", "u2", "u4", "u6"} == set(world.acknowledged())
    assert ({}, RunEnd.CLEAN) == (world.dirty(), report.end)
    assert {("bad", "", "invalid_email")} == world.rejections()
    assert [] == leftovers(world)
    assert [(0,)] == world.rows("SELECT count(*) FROM {batch_exceptions}")
    assert 0 == world.sync(on_remove="clear").requests


@pytest.mark.failure("P4")
def test_a_run_that_lost_its_lease_records_nothing_and_its_batches_are_folded(
    postgres_world: World,
) -> None:
    world = postgres_world
    world.put(*people(*range(1, 7)))
    world.sync(sql=world.sql() + " WHERE user_id = 'u1'")
    taken_over = []

    def take_over(number: int, _users: Any) -> None:
        if number == 2:
            world.expire_leases()
            taken_over.append(world.sync(batch_rows=2))

    with pytest.raises(LeaseLost):
        world.sync(client=world.connect(before=take_over), batch_rows=2, threads=1)

    assert [RunEnd.CLEAN] == [report.end for report in taken_over]
    assert ["clean", "crashed", "clean"] == world.runs()
    assert {"folded"} == set(world.batches())
    new = world.rows("SELECT run_id FROM {runs} ORDER BY token DESC")[0][0]
    assert {f"u{n}": (None, new) for n in range(2, 7)} == {
        key: values for key, values in world.acknowledged("_dirty", "_run").items() if key != "u1"
    }
    # It woke, and says so: what it had on its way may have arrived after the other run's.
    assert [(1, 5), (0, 0)] == [(r.requests, r.accepted) for r in (world.sync(), world.sync())]
    assert [] == leftovers(world)


def cleared(world: World, key: str) -> bool:
    """Tell whether Iterable holds no field of a person."""
    return {"userId", "email"} == set(world.users()[f"{key}@example.com"])


def leftovers(world: World) -> list[str]:
    """Name the plans and stages that nobody dropped."""
    if world.engine == "duckdb":
        sql = "SELECT table_name FROM duckdb_tables() ORDER BY 1"
    else:
        schema = world.state.schema
        sql = f"SELECT tablename FROM pg_tables WHERE schemaname = '{schema}' ORDER BY 1"
    return [name for (name,) in world.rows(sql) if name.startswith(("plan", "stage", "_"))]


def test_a_run_that_was_replaced_before_it_sent_anything_says_so(
    postgres_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its plan is gone by then, and no driver may complain of that first."""
    world = postgres_world
    world.put(*people(1, 2))

    def freeze(point: str) -> None:
        if point == "planned":
            failpoints.install(None)
            world.expire_leases()
            assert 2 == world.sync().accepted

    monkeypatch.setattr(failpoints, "_hooks", [freeze])

    with pytest.raises(LeaseLost):
        world.sync()
