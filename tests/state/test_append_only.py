"""Events in state: the window, what is remembered of a row, and what is forgotten."""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from crashes import crash, killed
from event_world import (
    COLUMNS,
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
from iterable_sync import objects
from iterable_sync.errors import DuplicateKeys
from iterable_sync.rows import RunEnd
from iterable_sync.state import DbApiSource
from iterable_sync.state.approvals import approve
from iterable_sync.state.columns import understand
from iterable_sync.state.requeue import requeue
from iterable_sync.state.window import Window, asked
from state.ways import query

if TYPE_CHECKING:
    from pathlib import Path

    from harness import World

DAY_S = 86_400.0


def with_secret(way: World) -> dict[str, Any]:
    """Let there be an old event that the project does not take; give what its sync says more."""
    with_events(way, event(1, 9, who="u2"), event(2, 1))
    way.change(disallowed_event_names=["Secret"])
    name = "CASE WHEN user_id = 'u2' THEN 'Secret' ELSE 'Bought' END AS event_name"
    return {"sql": f"SELECT *, {name} FROM {way.prefix}events", "event_name": None}


def test_new_rows_are_sent_once_by_all_ways(way: World) -> None:
    with_events(way, event(1, 4), event(2, 1))

    first = sync(way)
    put(way, event(1, 4), event(2, 1), event(3, 0))
    second = sync(way)

    assert (2, 2, 0) == (first.queried, first.added, first.unchanged)
    assert [3] == sent(way)
    assert (2, 1, 1) == (second.queried, second.accepted, second.unchanged)
    assert [1, 2, 3] == numbers(way)


def test_only_the_window_is_staged_by_all_ways(way: World) -> None:
    """Look back two days from the newest: the row exactly there is in, the one before is out."""
    edge = NOW - timedelta(days=3)
    rows = [
        event(1, 30),
        (2, "u1", (edge - timedelta(microseconds=1)).isoformat(sep=" "), 2),
        (3, "u1", edge.isoformat(sep=" "), 3),
        event(4, 1),
    ]
    with_events(way, *rows)
    sync(way)

    report = sync(way)

    assert (2, 2, 0) == (report.queried, report.unchanged, report.requests)


@pytest.mark.parametrize("hours", [-11, 0, 13])
def test_a_time_without_a_zone_is_in_the_window_by_its_zone(way: World, hours: int) -> None:
    """Whether the zone is west or east, the same moments are looked at."""
    zone = f"Etc/GMT{-hours:+d}" if hours else "UTC"
    columns = {**COLUMNS, "created_at": "timestamp"}

    def local(number: int, **since: float) -> tuple[Any, ...]:
        moment = NOW - timedelta(**since) + timedelta(hours=hours)
        return (number, "u1", moment.replace(tzinfo=None).isoformat(sep=" "), 1)

    with_events(way)
    rows = [local(1, days=3, seconds=1), local(2, days=3), local(3, days=1)]
    put(way, *rows, columns=columns)
    sync(way, timezone=zone)

    report = sync(way, timezone=zone)

    assert (2, 2) == (report.queried, report.unchanged)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        pytest.param("timestamptz", [2, 3, 4], id="with a zone, exactly"),
        pytest.param("timestamp", [1, 2, 3, 4], id="without a zone, a day more"),
    ],
)
def test_the_warehouse_itself_is_asked_for_the_window(
    world: World, kind: str, expected: list[int]
) -> None:
    rows = [event(0, 5), event(1, 3.5), event(2, 3), event(3, 1), (4, "u1", None, 1)]
    with_events(world)
    put(world, *rows, columns={**COLUMNS, "created_at": kind})
    declared = spec(world, timezone="UTC")
    model = understand(declared, world.source, world.state.dialect, objects.get("events").shape)

    sql = asked(world.source, model, Window(start=ago(3), now=ago(0)))

    assert expected == [row[0] for row in query(world, f"SELECT id FROM ({sql}) AS w ORDER BY id")]


def test_a_row_without_a_time_is_refused_and_not_overlooked(way: World) -> None:
    with_events(way, event(1, 1))
    sync(way)
    put(way, event(1, 1), (2, "u1", None, 1), (3, "u1", "infinity", 1))

    first = sync(way)
    second = sync(way)

    assert {"missing_created_at": 1, "invalid_datetime": 1} == first.rejected_by_reason
    assert (2, 0) == (second.still_rejected, second.rejected)


def test_the_model_runs_untouched_around_its_own_text(way: World) -> None:
    """A comment at its end, a WITH and a LIMIT stay what they are."""
    with_events(way, *(event(n, n) for n in range(1, 8)))
    table = f"{way.prefix}events"
    sql = f"WITH e AS (SELECT * FROM {table}) SELECT * FROM e ORDER BY id LIMIT 5 -- the first"
    sync(way, sql=sql)

    report = sync(way, sql=sql)

    assert [1, 2, 3, 4, 5] == numbers(way)
    # Of those five the ones in the window, not five of the window.
    assert 3 == report.queried


def test_a_source_that_is_only_read_gives_all_and_the_window_is_cut_here(
    world: World, tmp_path: Path
) -> None:
    path = tmp_path / "shop.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE events (id, user_id, created_at, total)")
        connection.executemany(
            "INSERT INTO events VALUES (?, ?, ?, ?)",
            [(1, "u1", f"{ago(9)}", 1), (2, "u1", f"{ago(1)}", 2)],
        )
    connection.close()
    with_events(world)
    world.source = DbApiSource(lambda: sqlite3.connect(path), dialect="sqlite")
    changes = {"sql": "SELECT * FROM events"}
    first = sync(world, **changes)

    report = sync(world, **changes)

    assert (2, 2) == (first.queried, first.accepted)
    assert (1, 1) == (report.queried, report.unchanged)


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


# -- the window moves -----------------------------------------------------------------------------


def test_the_cursor_is_the_newest_row_but_never_later_than_now(world: World) -> None:
    with_events(world, event(1, 1), event(2, -400))

    sync(world)

    cursor, unresolved, _ = kept(world)
    assert unresolved is None
    assert ago(0) <= str(cursor) < ago(-1)


def test_a_row_behind_one_of_the_future_is_found(world: World) -> None:
    with_events(world, event(1, -400))
    sync(world)
    put(world, event(1, -400), event(2, 1.5), event(3, -2))

    sync(world)

    assert [1, 2, 3] == numbers(world)


def test_the_cursor_never_goes_back(world: World) -> None:
    """Rows that are deleted from the warehouse do not widen the window again."""
    with_events(world, event(1, 1), event(2, 2.5))
    sync(world)
    before = kept(world)
    put(world, event(2, 2.5))

    sync(world)

    assert before[0] == kept(world)[0]


def test_a_late_row_within_look_back_is_found_and_a_later_one_is_not(world: World) -> None:
    with_events(world, event(1, 1))
    sync(world)
    put(world, event(1, 1), event(2, 2.9), event(3, 3.1))

    sync(world)

    assert [1, 2] == numbers(world)


def test_since_leaves_older_rows_alone(way: World) -> None:
    with_events(way, event(1, 9), event(2, 5), event(3, 1))

    report = sync(way, since=NOW - timedelta(days=5))
    again = sync(way, since=NOW - timedelta(days=5))

    assert (2, 2, 0) == (report.queried, report.accepted, again.requests)
    assert [2, 3] == numbers(way)


def test_the_window_reaches_back_to_what_iterable_may_yet_take(world: World) -> None:
    """Its name is not allowed for a while; meanwhile newer events are long beyond."""
    named = with_secret(world)
    first = sync(world, **named)
    assert ({"disallowed_event_name": 1}, ago(9)) == (first.rejected_by_reason, kept(world)[1])
    waiting = sync(world, **named)
    world.change(disallowed_event_names=[])
    world.write("UPDATE {rejections} SET next_try_at = now() - INTERVAL '1 second'")

    second = sync(world, **named)

    assert (1, 0) == (waiting.still_rejected, waiting.requests)
    assert (2, 1) == (second.queried, second.accepted)
    assert [1, 2] == numbers(world)
    assert set() == world.rejections()
    assert (None, 1) == (kept(world)[1], sync(world, **named).queried)


def test_what_is_finally_refused_is_behind_the_window_and_stays_in_sight(world: World) -> None:
    with_events(world, event(1, 9, who="x" * 99), event(2, 1))

    first = sync(world)
    second = sync(world)

    assert {"invalid_user_id": 1} == first.rejected_by_reason
    assert (1, 0) == (second.queried, second.still_rejected)
    assert {("1", "", "invalid_user_id")} == world.rejections()


def test_what_is_refused_for_too_long_is_given_up(world: World) -> None:
    named = with_secret(world)
    sync(world, **named)
    world.write("UPDATE {rejections} SET first_seen = now() - INTERVAL '8 days'")

    given_up = sync(world, **named)
    after = sync(world, **named)

    assert ({"expired": 1}, 0) == (given_up.rejected_by_reason, given_up.requests)
    assert {("1", "", "expired")} == world.rejections()
    assert (None, 1, 0) == (kept(world)[1], after.queried, after.still_rejected)


def test_what_was_given_up_is_tried_again_when_a_person_says_so(world: World) -> None:
    named = with_secret(world)
    sync(world, **named)
    world.write("UPDATE {rejections} SET first_seen = now() - INTERVAL '8 days'")
    sync(world, **named)
    world.change(disallowed_event_names=[])
    requeue(world.state, "1.us", "events", include_permanent=True)

    report = sync(world, **named, look_back_s=10 * DAY_S, max_wait_s=30 * DAY_S)

    assert (1, [1, 2], set()) == (report.accepted, numbers(world), world.rejections())


def test_what_waits_unsent_is_sent_however_old_it_is(world: World) -> None:
    """The sync stood still for a month: nothing of it was refused, so nothing is given up."""
    with_events(world, event(1, 40))
    sync(world)
    put(world, event(1, 40), event(2, 30), event(3, 1))

    report = sync(world)

    assert (2, {}) == (report.accepted, report.rejected_by_reason)


def test_what_is_in_doubt_for_too_long_is_given_up(world: World) -> None:
    with_events(world, event(1, 1))
    crash(world, at=1, applied=False, spec=spec(world))
    world.expire_leases()
    crash(world, at=1, applied=False, spec=spec(world))
    world.expire_leases()
    table = world.rows("SELECT snapshot_table FROM {syncs}")[0][0]
    crash(world, at=1, applied=False, spec=spec(world))
    world.expire_leases()
    world.write(f"UPDATE {{{table}}} SET _doubted_at = now() - INTERVAL '8 days'")

    report = sync(world)

    assert ({"expired": 1}, 0) == (report.rejected_by_reason, report.requests)
    assert (1, 0) == ((after := sync(world)).still_rejected, after.rejected)


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
