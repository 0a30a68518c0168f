"""Approving held changes: exactly those keys, for that kind of change, once."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from fakes import Clock
from harness import people
from iterable_sync.errors import ConfigError
from iterable_sync.rows import Op, RunEnd
from iterable_sync.spec import Guards
from iterable_sync.state.approvals import approve, listed

if TYPE_CHECKING:
    from harness import World
    from iterable_sync.rows import RunReport

STRICT = Guards(removed_floor=1, changed_floor=1, max_removed=0.2, max_changed=0.4)


def run(world: World, **changes: Any) -> RunReport:
    return world.sync(**{"guards": STRICT, "on_remove": "clear", **changes})


def allow(world: World, **how: Any) -> dict[str, int]:
    return approve(world.state, "1.us", "users", **{"by": "ana", **how})


def held_removals(world: World) -> None:
    """Hold the removal of u3, u4 and u5."""
    world.put(*people(1, 2, 3, 4, 5))
    run(world)
    world.put(*people(1, 2))
    assert 3 == run(world).removed_held


@pytest.mark.failure("W3")
def test_approved_keys_are_let_through_once(world: World) -> None:
    held_removals(world)

    assert {"max_removed": 3} == allow(world)
    released = run(world)

    assert (RunEnd.CLEAN, 3, 0) == (released.end, released.removed_accepted, released.removed_held)
    assert set() == world.held()

    world.put(*people(1, 2, 3, 4, 5))
    run(world)
    world.put(*people(1, 2))
    again = run(world)

    assert (RunEnd.HELD, 3) == (again.end, again.removed_held)


@pytest.mark.failure("W3")
def test_new_keys_meet_the_guard_and_approved_ones_are_not_counted(world: World) -> None:
    world.put(*people(*range(1, 11)))
    run(world)
    world.put(*people(1, 2, 3, 4, 5, 6, 7))
    assert 3 == run(world).removed_held
    allow(world)

    world.put(*people(4, 5, 6, 7))
    more = run(world)

    assert (3, 3, RunEnd.HELD) == (more.removed_accepted, more.removed_held, more.end)
    assert {(Op.REMOVED, f"u{n}", "max_removed") for n in (1, 2, 3)} == world.held()


def test_few_new_keys_beside_approved_ones_are_within_the_limit(world: World) -> None:
    world.put(*people(*range(1, 11)))
    run(world)
    world.put(*people(1, 2, 3, 4, 5, 6, 7))
    run(world)
    allow(world)

    world.put(*people(2, 3, 4, 5, 6, 7))
    more = run(world)

    assert (4, 0, RunEnd.CLEAN) == (more.removed_accepted, more.removed_held, more.end)


def test_a_key_whose_change_became_another_one_is_not_let_through(postgres_world: World) -> None:
    """Approved was a change; now the key has left, and a removal is another thing."""
    world = postgres_world
    world.put(*people(1, 2, 3, 4))
    run(world)
    world.put(*people(1, 2, 3, city="Genf"), *people(4))
    assert 3 == run(world).held
    allow(world)

    world.put(*people(1, city="Genf"), *people(4))
    report = run(world)

    assert (1, 2) == (report.accepted, report.removed_held)
    assert {(Op.REMOVED, f"u{n}", "max_removed") for n in (2, 3)} == world.held()


def test_the_values_of_the_release_are_those_of_the_warehouse_then(postgres_world: World) -> None:
    world = postgres_world
    world.put(*people(1, 2))
    run(world)
    world.put(*people(1, 2, city="Genf"))
    run(world)
    allow(world)

    world.put(*people(1, 2, city="Chur"))
    run(world)

    assert {"Chur"} == {user["dataFields"]["city"] for user in world.sent}


def test_a_back_fill_of_a_new_column_is_let_through_as_a_whole(world: World) -> None:
    world.put(*people(*range(1, 6)))
    run(world, sql=world.sql("user_id", "email", "city"))

    held = run(world)
    assert (RunEnd.HELD, 5, {"max_changed": 5}) == (held.end, held.held, held.held_by_guard)
    assert {"max_changed": 5} == allow(world)
    released = run(world)

    assert (RunEnd.CLEAN, 5) == (released.end, released.accepted)
    assert {f"u{n}@example.com": {"points": 1} for n in range(1, 6)} == world.sent_fields
    assert 5 == run(world).unchanged


def test_an_approval_ends_on_the_databases_clock(world: World) -> None:
    held_removals(world)
    allow(world, hours=24)

    world.write("UPDATE {held_keys} SET approved_until = now() - INTERVAL '1 second'")
    report = run(world)

    assert (RunEnd.HELD, 3, 0) == (report.end, report.removed_held, report.removed_accepted)
    assert [0] == [group.approved for group in listed(world.state, "1.us", "users")]


@pytest.mark.failure("W3")
def test_an_approval_lasts_for_a_day_unless_it_says(world: World) -> None:
    held_removals(world)
    allow(world)

    left = "extract(epoch FROM min(approved_until) - now()) / 3600"
    hours = float(world.rows(f"SELECT {left} FROM {{held_keys}}")[0][0])

    assert 23.9 < hours <= 24


def test_an_approval_of_one_guard_leaves_the_others(postgres_world: World) -> None:
    world = postgres_world
    world.put(*people(1, 2, 3, 4, 5))
    run(world)
    world.put(*people(1, 2, 3, city="Genf"))
    held = run(world)
    assert {"max_removed": 2, "max_changed": 3} == held.held_by_guard

    assert {"max_removed": 2} == allow(world, guard="max_removed")
    report = run(world)

    assert (2, 3, {"max_changed": 3}) == (
        report.removed_accepted,
        report.held,
        report.held_by_guard,
    )


def test_an_approval_is_used_up_also_where_the_row_was_refused(postgres_world: World) -> None:
    world = postgres_world
    world.put(*people(1, 2))
    run(world)
    world.put(*people(1, 2, city="Genf"))
    run(world)
    allow(world)
    world.answer_next(
        {
            "status": 200,
            "body": (
                '{"successCount": 1, "failCount": 1, "failedUpdates": '
                '{"invalidDataEmails": ["u1@example.com"]}}'
            ),
            "apply": True,
        }
    )

    report = run(world)

    assert (1, 1) == (report.accepted, report.rejected)
    assert (set(), []) == (world.held(), listed(world.state, "1.us", "users"))
    waits = run(world)
    assert (1, 0) == (waits.still_rejected, waits.held)


def test_what_an_outage_kept_from_being_sent_stays_approved(world: World) -> None:
    world.put(*people(*range(1, 7)))
    run(world)
    world.put(*people(*range(1, 7), city="Genf"))
    run(world)
    allow(world)
    clock = Clock()
    client = world.connect(
        after=lambda number, _users: (
            number == 1 and world.answer_next({"status": 429, "times": 10_000})
        )
    )

    cut = run(
        world,
        client=client,
        batch_rows=2,
        threads=1,
        lease_s=1e6,
        options={"clock": clock, "sleep": clock.sleep},
    )
    world.answer_next()
    rest = run(world)

    assert RunEnd.PENDING == cut.end
    assert cut.accepted
    assert (RunEnd.CLEAN, 6 - cut.accepted, 0) == (rest.end, rest.accepted, rest.held)
    assert set() == world.held()


def test_what_a_killed_run_had_sent_is_no_longer_approved(postgres_world: World) -> None:
    """A new change of a key that was delivered is a new change."""
    world = postgres_world
    world.put(*people(*range(1, 5)))
    run(world)
    world.put(*people(*range(1, 5), city="Genf"))
    run(world)
    allow(world)

    class Killed(BaseException):
        pass

    def kill(number: int, _users: object) -> None:
        if number == 3:
            until = time.monotonic() + 30
            while "settled" not in world.batches() and time.monotonic() < until:
                time.sleep(0.02)
            raise Killed

    with pytest.raises(Killed):
        run(world, client=world.connect(before=kill), batch_rows=1, threads=1)
    world.put(*people(*range(1, 5), city="Chur"))
    report = run(world, guards=Guards(changed_floor=0, max_changed=0))

    delivered = {key for op, key, guard in world.held() if guard == "max_changed"}
    assert delivered
    assert len(delivered) == report.held
    assert 4 == report.held + report.accepted


def test_an_approval_during_a_run_counts_for_the_next_one(postgres_world: World) -> None:
    world = postgres_world
    held_removals(world)
    world.put(*people(1, 2, 6))

    during = run(world, client=world.connect(after=lambda _number, _users: allow(world)))
    after = run(world)

    assert (3, RunEnd.HELD) == (during.removed_held, during.end)
    assert (3, RunEnd.CLEAN) == (after.removed_accepted, after.end)


def test_an_approved_change_of_identity_is_sent_as_a_full_row(world: World) -> None:
    world.put(*people(1, 2))
    run(world)
    world.put(("u1", "new@example.com", "Bern", 1), *people(2))
    assert {"identity_changed": 1} == run(world).held_by_guard

    assert {"identity_changed": 1} == allow(world)
    report = run(world, guards=Guards())

    assert (RunEnd.CLEAN, 1) == (report.end, report.accepted)
    assert {"new@example.com": {"city": "Bern", "points": 1}} == world.sent_fields
    assert set() == world.held()


def test_a_query_that_turned_empty_holds_also_what_was_approved(world: World) -> None:
    """What was approved is a removal among many rows; of an empty query nothing can be said."""
    held_removals(world)
    allow(world)

    world.put()
    report = run(world)

    assert (RunEnd.HELD, 5, {"min_rows": 5}) == (
        report.end,
        report.removed_held,
        report.held_by_guard,
    )

    assert {"min_rows": 5} == allow(world)
    released = run(world)

    assert (RunEnd.CLEAN, 5) == (released.end, released.removed_accepted)


def test_an_approved_first_run_is_sent(world: World) -> None:
    world.put(*people(1, 2, 3))
    small = Guards(first_sync_rows=2)
    run(world, guards=small)

    assert {"first_sync": 3} == allow(world)
    report = run(world, guards=small)

    assert (RunEnd.CLEAN, 3, []) == (
        report.end,
        report.accepted,
        [note for note in report.notes if "held" in note],
    )


def test_ignored_removals_can_be_approved(postgres_world: World) -> None:
    world = postgres_world
    world.put(*people(1, 2, 3, 4, 5))
    run(world)
    world.put(*people(1, 2))
    run(world, on_remove="ignore")
    allow(world)

    report = run(world, on_remove="ignore")

    assert (3, 0, set()) == (report.removed_ignored, report.removed_held, world.held())


def test_what_is_held_is_listed_by_guard_and_kind(world: World) -> None:
    world.put(*people(1, 2, 3, 4, 5))
    run(world)
    world.put(*people(1, 2, 3, city="Genf"))
    run(world)
    world.write("UPDATE {held_keys} SET held_at = now() - INTERVAL '3 days' WHERE op = 'changed'")
    run(world)
    allow(world, guard="max_removed")

    found = listed(world.state, "1.us", "users")

    assert [("max_changed", "changed", 3, 0), ("max_removed", "removed", 2, 2)] == [
        (group.guard, group.op, group.keys, group.approved) for group in found
    ]
    assert 3 * 86_400 <= found[0].oldest_s < 4 * 86_400
    assert found[1].oldest_s < 86_400


def test_who_approved_is_kept_with_the_keys(postgres_world: World) -> None:
    held_removals(postgres_world)
    allow(postgres_world, by="ana's DAG")

    rows = postgres_world.rows("SELECT DISTINCT approved_by FROM {held_keys}")

    assert [("ana's DAG",)] == rows


@pytest.mark.parametrize(
    ("how", "words"),
    [
        pytest.param({"by": " "}, "by whom", id="nobody"),
        pytest.param({"hours": 0}, "hours", id="no time"),
        pytest.param({"hours": float("inf")}, "hours", id="for ever"),
    ],
)
def test_an_approval_says_who_and_for_how_long(
    postgres_world: World, how: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        allow(postgres_world, **how)


def test_an_unknown_sync_is_named_with_those_that_there_are(world: World) -> None:
    with pytest.raises(ConfigError, match=r"'people' of project 1\.us has run; known here: none"):
        approve(world.state, "1.us", "people", by="ana")

    world.put(*people(1))
    run(world)

    with pytest.raises(ConfigError, match="known here: 'users'"):
        approve(world.state, "1.us", "people", by="ana")


def test_a_dry_run_counts_with_the_approvals_and_leaves_them(world: World) -> None:
    held_removals(world)
    allow(world)

    dry = run(world, dry_run=True)

    assert [] == [note for note in dry.notes if "held" in note]
    assert 3 == run(world).removed_accepted


def test_what_is_approved_and_in_doubt_is_left_out_of_the_count_once(world: World) -> None:
    """Twice, and others would pass unseen beside it."""
    world.put(*people(*range(1, 11)))
    run(world)
    world.put(*people(*range(1, 6), city="Genf"), *people(*range(6, 11)))
    assert 5 == run(world).held
    allow(world)
    clock = Clock()
    world.answer_next({"status": 502, "times": 10_000})
    lost = run(world, lease_s=1e6, options={"clock": clock, "sleep": clock.sleep})
    assert (5, 5) == (lost.pending, len(world.dirty()))
    world.answer_next()

    world.put(*people(*range(1, 11), city="Chur"))
    report = run(world)

    assert (5, {"max_changed": 5}) == (report.accepted, report.held_by_guard)
    assert {f"u{n}@example.com" for n in range(1, 6)} == set(world.sent_fields)
