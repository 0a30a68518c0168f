"""The window of events: which rows of the warehouse a run looks at, and how it moves."""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from crashes import crash
from event_world import (
    COLUMNS,
    NOW,
    ago,
    event,
    kept,
    numbers,
    put,
    spec,
    sync,
    with_events,
)
from iterable_sync import objects
from iterable_sync.state import DbApiSource
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
