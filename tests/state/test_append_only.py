"""Events in state: what is remembered of a row, and what is forgotten."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from crashes import killed
from event_world import (
    NOW,
    ago,
    arrived,
    event,
    kept,
    numbers,
    put,
    sent,
    spec,
    sync,
    with_events,
)
from iterable_sync.errors import DuplicateKeys
from iterable_sync.rows import RunEnd
from iterable_sync.state.approvals import approve
from state.ways import query

if TYPE_CHECKING:
    from harness import World

DAY_S = 86_400.0


def test_new_rows_are_sent_once_by_all_ways(way: World) -> None:
    with_events(way, event(1, 4), event(2, 1))

    first = sync(way)
    put(way, event(1, 4), event(2, 1), event(3, 0))
    second = sync(way)

    assert (2, 2, 0) == (first.queried, first.added, first.unchanged)
    assert [3] == sent(way)
    assert (2, 1, 1) == (second.queried, second.accepted, second.unchanged)
    assert [1, 2, 3] == numbers(way)


def test_a_changed_value_of_a_sent_row_is_left_alone(world: World) -> None:
    with_events(world, event(1, 1, total=5))
    sync(world)
    put(world, event(1, 1, total=6))

    report = sync(world)

    assert (1, 0, 0) == (report.unchanged, report.changed, report.requests)
    assert [5] == [row["dataFields"]["total"] for row in arrived(world)]


def test_a_row_that_leaves_the_model_is_no_news(world: World) -> None:
    with_events(world, event(1, 1), event(2, 1))
    sync(world)
    put(world, event(2, 1))

    report = sync(world)

    assert (1, 1, 0) == (report.queried, report.unchanged, report.removed)


def test_the_snapshot_has_no_values_but_key_identity_and_time(world: World) -> None:
    with_events(world, event(1, 1, total=77))
    sync(world)

    (row,) = world.snapshot("events").values()

    assert not {"total", "user_id", "created_at"} & row.keys()
    assert ("userId:u1", ago(1), "live", None) == tuple(
        row[name] for name in ("_identity", "_event_at", "_status", "_dirty")
    )


def test_a_column_that_is_added_or_dropped_sends_nothing_again(world: World) -> None:
    with_events(world, event(1, 1), event(2, 1))
    table = f"{world.prefix}events"
    sync(world, sql=f"SELECT id, user_id, created_at FROM {table}")

    more = sync(world, sql=f"SELECT id, user_id, created_at, total FROM {table}")
    less = sync(world, sql=f"SELECT id, user_id, created_at FROM {table} WHERE TRUE")
    put(world, event(1, 1), event(2, 1), event(3, 0))
    new = sync(world, sql=f"SELECT id, user_id, created_at, total AS sum FROM {table}")

    assert [(0, 2), (0, 2), (1, 2)] == [(r.requests, r.unchanged) for r in (more, less, new)]
    assert {"id": 3, "sum": 3} == arrived(world)[-1]["dataFields"]


def test_rows_are_planned_by_person_time_and_key(way: World) -> None:
    with_events(
        way,
        event(9, 1, who="b"),
        event(8, 2, who="b"),
        event(7, 2, who="a"),
        event(10, 2, who="a"),
        (6, "a", (NOW - timedelta(days=2) + timedelta(microseconds=10)).isoformat(sep=" "), 1),
    )

    sync(way)

    assert [7, 10, 6, 8, 9] == sent(way)


def test_keys_that_come_twice_stop_the_run_before_anything_is_sent(way: World) -> None:
    with_events(way, event(1, 1), event(1, 2))

    with pytest.raises(DuplicateKeys) as stopped:
        sync(way)

    shown = str(stopped.value).split("them:\n")[1]
    assert [(1, 2)] == query(way, shown)
    assert [] == arrived(way)


# -- retention ------------------------------------------------------------------------------------


def test_old_keys_are_forgotten_and_the_low_water_rises(world: World) -> None:
    with_events(world, event(1, 200), event(2, 91), event(3, 89), event(4, 0))

    sync(world)

    low_water = str(kept(world)[2])
    assert {3, 4} == world.snapshot("events").keys()
    assert ago(90) <= low_water < ago(89)
    assert [1, 2, 3, 4] == numbers(world)
    assert 0 == sync(world).requests


def test_a_quiet_sync_forgets_nothing_of_its_window(world: World) -> None:
    with_events(world, event(1, 200), event(2, 199))
    sync(world)

    report = sync(world)

    assert (ago(199), None, ago(201)) == kept(world)
    assert ([], 2, 0) == (report.notes, report.unchanged, report.requests)


def test_a_window_below_the_low_water_is_held(world: World) -> None:
    with_events(world, event(1, 200), event(2, 120), event(3, 0))
    sync(world)
    put(world, event(1, 200), event(2, 120), event(3, 0), event(4, 0))
    month = {"look_back_s": 150 * DAY_S, "retention_s": 150 * DAY_S}

    held = sync(world, **month)

    assert (RunEnd.HELD, {"below_retention": 2}, 0) == (held.end, held.held_by_guard, held.requests)
    assert "lower look_back_s" in held.notes[0]
    assert 3 == len(arrived(world))

    healed = sync(world)

    assert (RunEnd.CLEAN, 1) == (healed.end, healed.accepted)
    assert [1, 2, 3, 4] == numbers(world)


def test_an_approval_sends_what_lies_above_the_low_water_alone(world: World) -> None:
    with_events(world, event(1, 120), event(2, 0))
    sync(world)
    put(world, event(1, 120), event(2, 0), event(3, 0))
    month = {"look_back_s": 150 * DAY_S, "retention_s": 150 * DAY_S}
    sync(world, **month)
    approve(world.state, "1.us", "events", by="ann")

    report = sync(world, **month)

    assert ({"expired": 1}, 1) == (report.rejected_by_reason, report.accepted)
    assert [3] == sent(world)


def test_since_is_a_way_out_of_a_lost_cursor(world: World) -> None:
    with_events(world, event(1, 200), event(2, 1))
    sync(world)
    world.write("UPDATE {syncs} SET cursor_at = NULL")
    put(world, event(1, 200), event(2, 1), event(3, 0))

    held = sync(world)
    world.write("UPDATE {syncs} SET cursor_at = NULL")
    let = sync(world, since=NOW - timedelta(days=60))

    assert {"below_retention": 2} == held.held_by_guard
    assert (RunEnd.CLEAN, 1) == (let.end, let.accepted)
    assert [1, 2, 3] == numbers(world)


def test_rejections_are_forgotten_with_the_keys(world: World) -> None:
    with_events(world, event(1, 9, who="x" * 99), event(2, 1))
    sync(world)
    world.write("UPDATE {rejections} SET last_seen = now() - INTERVAL '91 days'")

    sync(world)

    assert set() == world.rejections()


def test_nothing_moves_with_a_run_that_is_not_complete(world: World) -> None:
    with_events(world, event(1, 3), event(2, 1))
    world.answer_next(
        {"status": 503, "headers": {"Retry-After": "900"}}, path="/api/events/trackBulk"
    )

    report = sync(world)

    assert (RunEnd.PENDING, 2) == (report.end, report.pending)
    assert (None, None, None) == kept(world)


def test_a_dry_run_looks_at_the_window_and_leaves_nothing(world: World) -> None:
    with_events(world, event(1, 9), event(2, 1))
    first = sync(world, dry_run=True)
    sync(world)
    put(world, event(1, 9), event(2, 1), event(3, 0))
    before = kept(world)

    second = sync(world, dry_run=True)

    assert (2, 2, 1) == (first.added, second.queried, second.added)
    assert before == kept(world)
    assert [1, 2] == numbers(world)


# -- the snapshot is the one that the last run left ------------------------------------------------


def test_a_snapshot_whose_newest_rows_were_forgotten_is_not_taken_for_lost(world: World) -> None:
    """The run that wrote last wrote rows that are forgotten soon after."""
    with_events(world, event(2, 0))
    sync(world)
    put(world, event(1, 10), event(2, 0))
    sync(world, look_back_s=20 * DAY_S)
    days = {"look_back_s": DAY_S, "max_wait_s": DAY_S, "retention_s": 5 * DAY_S}
    sync(world, **days)
    assert {2} == world.snapshot("events").keys()
    put(world, event(1, 10), event(2, 0), event(3, 0))

    report = sync(world, **days)

    assert (RunEnd.CLEAN, 1) == (report.end, report.accepted)


def test_a_lost_snapshot_is_held_and_a_full_resync_makes_no_new_events(world: World) -> None:
    with_events(world, event(1, 1), event(2, 1))
    sync(world)
    table = world.rows("SELECT snapshot_table FROM {syncs}")[0][0]
    world.write(f"DELETE FROM {{{table}}}")

    held = sync(world)
    healed = sync(world, full_resync=True)

    assert ({"snapshot_lost": 2}, 0) == (held.held_by_guard, held.requests)
    assert (RunEnd.CLEAN, 2, [1, 2]) == (healed.end, healed.accepted, numbers(world))
    assert 0 == sync(world).requests


def test_what_a_killed_run_had_on_its_way_is_sent_again_once(world: World) -> None:
    """A worker that wakes late sends the same events, so there is no second doubt."""
    with_events(world, event(1, 1), event(2, 1))
    killed(world, spec(world), at=1)
    world.expire_leases()
    healed = sync(world)
    world.write("UPDATE {runs} SET second_fold_at = now()")

    report = sync(world)

    assert (2, 0, [1, 2]) == (healed.accepted, report.requests, numbers(world))
