"""What a frozen worker sends after it was replaced is set right by one later run, once."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import pytest

from crashes import Crash, crash_at
from harness import BULK, Client, people
from iterable_sync.errors import LeaseLost
from iterable_sync.rows import RunEnd

if TYPE_CHECKING:
    from harness import World

ALL = range(1, 5)


def freeze(world: World, **changes: Any) -> Client:
    """Run until the first request is about to go out; nothing of the run is heard again."""
    client = world.connect(before=crash_at(1))
    with pytest.raises(Crash):
        world.sync(client=client, **changes)
    world.expire_leases()
    return client


def arrive(world: World, zombie: Client) -> None:
    """Let the requests of a frozen run arrive now."""
    late = Client(world.server, world.project_type)
    for body in zombie.bodies:
        late.send("POST", BULK, json.dumps(body).encode())


def let_time_pass(world: World) -> None:
    """Let a quarter of an hour pass on the clock of the database."""
    world.write("UPDATE {runs} SET second_fold_at = second_fold_at - INTERVAL '900 seconds'")


def cities(world: World) -> dict[str, Any]:
    return {key.partition("@")[0]: user.get("city") for key, user in world.users().items()}


def late_tables(world: World) -> list[str]:
    if world.engine == "duckdb":
        sql = "SELECT table_name FROM duckdb_tables()"
    else:
        sql = f"SELECT tablename FROM pg_tables WHERE schemaname = '{world.state.schema}'"
    return [name for (name,) in world.rows(sql) if name.startswith(("late", "plan"))]


def test_a_request_that_arrives_after_its_replacement_is_set_right_by_one_later_run(
    world: World,
) -> None:
    world.put(*people(*ALL, city="A"))
    world.sync()
    world.put(*people(1, 2, city="old"), *people(3, 4, city="A"))
    zombie = freeze(world)
    world.put(*people(1, 2, city="new"), *people(3, 4, city="A"))
    assert RunEnd.CLEAN == world.sync().end
    assert ({}, "new") == (world.dirty(), cities(world)["u1"])

    arrive(world, zombie)
    assert 0 == world.sync().requests
    assert ["old", "old", "A", "A"] == list(cities(world).values())

    let_time_pass(world)
    report = world.sync()

    assert ["new", "new", "A", "A"] == list(cities(world).values())
    assert {"u1@example.com": {"city": "new"}, "u2@example.com": {"city": "new"}} == (
        world.sent_fields
    )
    assert (RunEnd.CLEAN, 2, {}) == (report.end, report.accepted, world.dirty())


def test_it_is_looked_at_once_more_and_not_a_third_time(world: World) -> None:
    world.put(*people(1))
    world.sync()
    world.put(*people(1, city="old"))
    freeze(world)
    world.sync()
    assert 1 == len(late_tables(world))
    let_time_pass(world)
    assert 1 == world.sync().requests

    let_time_pass(world)

    assert (0, []) == (world.sync().requests, late_tables(world))


def test_a_run_that_starts_sooner_sends_nothing_twice(world: World) -> None:
    world.put(*people(1))
    world.sync()
    world.put(*people(1, city="old"))
    freeze(world)

    assert [1, 0, 0] == [world.sync().requests for _ in range(3)]


@pytest.mark.failure("P4")
def test_a_woken_holder_says_so_and_the_next_run_looks_at_once(postgres_world: World) -> None:
    """Two real runs: one stands still in its request until the other has finished."""
    world = postgres_world
    world.put(*people(1, city="A"))
    world.sync()
    world.put(*people(1, city="old"))
    is_frozen, may_wake = threading.Event(), threading.Event()
    ends: list[BaseException] = []

    def stand_still(_number: int, _users: Any) -> None:
        is_frozen.set()
        may_wake.wait(30)

    def run(client: Client, spec: Any) -> None:
        try:
            world.sync(spec, client=client)
        except LeaseLost as error:
            ends.append(error)

    frozen = Client(world.server, world.project_type, before=stand_still)
    zombie = threading.Thread(target=run, args=(frozen, world.spec()))
    zombie.start()
    assert is_frozen.wait(30)
    world.expire_leases()
    world.put(*people(1, city="new"))
    world.sync()
    assert "new" == cities(world)["u1"]

    may_wake.set()
    zombie.join(30)
    assert (1, "old") == (len(ends), cities(world)["u1"])
    world.sync()

    assert ("new", {}, []) == (cities(world)["u1"], world.dirty(), late_tables(world))


def test_a_run_that_fails_and_lives_is_not_looked_at_again(postgres_world: World) -> None:
    """Its process tells that nothing of it is on its way; one fold is enough."""
    world = postgres_world
    world.put(*people(1))
    world.sync()
    world.put(*people(1, city="B"))

    def break_down(_number: int, _users: Any) -> None:
        raise OSError("something unforeseen")

    with pytest.raises(OSError, match="unforeseen"):
        world.sync(client=world.connect(before=break_down))
    world.sync()

    assert ("B", []) == (cities(world)["u1"], late_tables(world))
    assert ["clean", "crashed", "clean"] == world.runs()


@pytest.mark.parametrize("policy", ["ignore", "clear"])
def test_a_person_who_left_and_is_raised_by_a_late_request_is_removed_again(
    world: World, policy: str
) -> None:
    world.put(*people(1))
    world.sync(on_remove=policy)
    world.put(*people(1, 2, city="old"))
    zombie = freeze(world, on_remove=policy)
    world.put(*people(1, city="old"))
    world.sync(on_remove=policy)
    arrive(world, zombie)
    assert "old" == cities(world)["u2"]

    let_time_pass(world)
    report = world.sync(on_remove=policy)

    assert (1, policy == "clear") == (report.removed, report.removed_accepted)
    assert ("old" if policy == "ignore" else None) == cities(world)["u2"]
    assert ("gone", {}) == (world.snapshot()["u2"]["_status"], world.dirty())
    assert 0 == world.sync(on_remove=policy).requests


def test_a_person_who_came_back_and_is_cleared_by_a_late_request_is_sent_whole(
    world: World,
) -> None:
    world.put(*people(1, 2))
    world.sync(on_remove="clear")
    world.put(*people(1))
    zombie = freeze(world, on_remove="clear")
    world.put(*people(1, 2))
    world.sync(on_remove="clear")
    arrive(world, zombie)
    assert cities(world)["u2"] is None

    let_time_pass(world)
    world.sync(on_remove="clear")

    assert {"u2@example.com": {"city": "Bern", "points": 1}} == world.sent_fields
    assert "Bern" == cities(world)["u2"]


def test_a_late_first_row_of_a_person_under_another_address_is_cleared(world: World) -> None:
    """The profile that the late request made is the one to clear, not the one of before."""
    world.put(("k", "one@example.com", "Bern", 1), *people(1))
    world.sync(on_remove="clear")
    world.put(("k", "two@example.com", "Bern", 1), *people(1))
    more: dict[str, Any] = {"on_remove": "clear", "on_identity_change": "full_row"}
    zombie = freeze(world, **more)
    world.put(*people(1))
    world.sync(**more)
    arrive(world, zombie)
    assert "Bern" == cities(world)["two"]

    let_time_pass(world)
    world.sync(**more)

    assert (None, None) == (cities(world)["one"], cities(world)["two"])


_OLD, _OLDER = (("u2", "shared@example.com", city, 1) for city in ("old", "older"))


@pytest.mark.parametrize(
    ("before", "late"),
    [([], [_OLD]), ([_OLDER], [_OLD]), ([_OLDER], [])],
    ids=["added", "changed", "removed"],
)
def test_a_late_row_of_a_person_who_has_another_key_by_now_is_set_right(
    world: World, before: list[tuple[Any, ...]], late: list[tuple[Any, ...]]
) -> None:
    """The row is of the key that had the person; what it spoils is acknowledged for the other."""
    more: dict[str, Any] = {"on_remove": "clear", "on_identity_change": "full_row"}
    world.put(*people(1), *before)
    world.sync(**more)
    world.put(*people(1), *late)
    zombie = freeze(world, **more)
    moved = ("u2", "own@example.com", "new", 1)
    world.put(*people(1), moved, ("u3", "shared@example.com", "new", 1))
    world.sync(**more)
    arrive(world, zombie)
    assert "new" != cities(world)["shared"]

    let_time_pass(world)
    world.sync(**more)

    shared = world.users()["shared@example.com"]
    assert ("u3", "new") == (shared["userId"], shared["city"])
    assert ({}, 0) == (world.dirty(), world.sync(**more).requests)


def test_two_runs_that_die_one_after_the_other_are_both_looked_at_again(world: World) -> None:
    world.put(*people(*ALL, city="A"))
    world.sync()
    world.put(*people(1, 2, city="old"), *people(3, 4, city="A"))
    first = freeze(world)
    world.put(*people(1, 2, city="new"), *people(3, 4, city="older"))
    second = freeze(world)
    world.put(*people(*ALL, city="new"))
    world.sync()
    assert 2 == len(late_tables(world))
    arrive(world, first)
    arrive(world, second)

    let_time_pass(world)
    world.sync()

    assert ({"new"}, []) == (set(cities(world).values()), late_tables(world))


def test_a_look_back_that_dies_as_well_is_not_lost(postgres_world: World) -> None:
    """The doubt is in the snapshot by then; the run after it sends what is in doubt."""
    world = postgres_world
    world.put(*people(1))
    world.sync()
    world.put(*people(1, city="old"))
    zombie = freeze(world)
    world.put(*people(1, city="new"))
    world.sync()
    arrive(world, zombie)
    let_time_pass(world)
    freeze(world)

    world.sync()

    assert "new" == cities(world)["u1"]


def test_columns_that_came_and_went_meanwhile_do_not_confuse_the_second_look(
    world: World,
) -> None:
    """The places of a mask are never given to another column."""
    world.put(*people(1, city="A", points=1))
    world.sync()
    world.put(*people(1, city="old", points=2))
    zombie = freeze(world)
    columns = {"user_id": "text", "email": "text", "plan": "text", "city": "text"}
    world.put(("u1", "u1@example.com", "pro", "new"), columns=columns)
    world.sync()
    arrive(world, zombie)

    let_time_pass(world)
    world.sync()

    assert {"u1@example.com": {"city": "new"}} == world.sent_fields
    assert {} == world.dirty()
    assert (None, 0) == (world.snapshot()["u1"]["_dirty"], world.sync().requests)


def test_a_column_that_went_leaves_nothing_in_doubt(world: World) -> None:
    world.put(*people(1, points=1))
    world.sync()
    world.put(*people(1, points=2))
    freeze(world)
    world.sync()
    let_time_pass(world)

    report = world.sync(sql=world.sql("user_id", "email", "city"))

    assert (RunEnd.CLEAN, 0) == (report.end, report.pending)
    assert world.snapshot()["u1"]["_dirty"] in {None, "0001"}


def test_a_key_that_state_forgot_meanwhile_is_not_brought_back(world: World) -> None:
    world.put(*people(1, 2))
    world.sync()
    world.put(*people(1, 2, city="old"))
    freeze(world)
    world.sync()
    table = world.rows("SELECT snapshot_table FROM {syncs}")[0][0]
    world.write(f"DELETE FROM {{{table}}} WHERE user_id = 'u2'")
    world.put(*people(1, city="old"))
    let_time_pass(world)

    report = world.sync()

    assert ({"u1"}, 0) == (set(world.snapshot()), report.removed)


def test_a_dry_run_looks_at_nothing_and_forgets_nothing(world: World) -> None:
    world.put(*people(1))
    world.sync()
    world.put(*people(1, city="old"))
    freeze(world)
    world.sync()
    let_time_pass(world)

    report = world.sync(dry_run=True)

    assert (0, 1) == (report.changed, len(late_tables(world)))
    assert 1 == world.sync().requests


def test_a_new_person_of_a_first_run_that_froze_is_sent_again(world: World) -> None:
    world.put(*people(1, 2, city="old"))
    zombie = freeze(world)
    world.put(*people(1, 2, city="new"))
    world.sync()
    arrive(world, zombie)

    let_time_pass(world)
    world.sync()

    assert {"u1": "new", "u2": "new"} == cities(world)
    assert {"u1@example.com", "u2@example.com"} == set(world.sent_fields)
