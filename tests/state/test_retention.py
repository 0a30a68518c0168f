"""What is forgotten of a sync's history, and what is not."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from harness import people
from iterable_sync.state import retention

if TYPE_CHECKING:
    from harness import World


def age(world: World, days: float, *, but_for: int = 0) -> None:
    """Let all runs, but for the latest, have ended so many days ago; and make pruning due."""
    ended = f"now() - {days * 86_400} * INTERVAL '1 second'"
    world.write(
        f"UPDATE {{runs}} SET ended_at = {ended} "
        f"WHERE token <= (SELECT max(token) FROM {{runs}}) - {but_for}"
    )
    world.write("UPDATE {syncs} SET pruned_at = now() - INTERVAL '25 hours'")


def counted(world: World, name: str) -> int:
    return int(world.rows(f"SELECT count(*) FROM {{{name}}}")[0][0])


@pytest.mark.failure("S2")
def test_batches_of_a_week_ago_are_summed_into_their_run(world: World) -> None:
    world.put(*people(1, 2, 3))
    world.sync(batch_rows=1)
    sums = "count(*), sum(requests), sum(bytes_sent), sum(seconds)"
    before = world.rows(f"SELECT {sums} FROM {{batches}}")[0]
    age(world, 7.1)

    world.put(*people(1, 2, 3, 4))
    world.sync()

    first, second = world.rows(
        "SELECT batches, requests, bytes_sent, request_seconds FROM {runs} ORDER BY token"
    )
    assert tuple(map(float, before)) == pytest.approx(tuple(map(float, first)))
    assert (None, None, None, None) == second
    assert 1 == counted(world, "batches")


def test_batches_of_this_week_are_kept(world: World) -> None:
    world.put(*people(1, 2, 3))
    world.sync(batch_rows=1)
    before = counted(world, "batches")
    age(world, 6.9)

    world.sync()

    assert before == counted(world, "batches")


@pytest.mark.failure("S2")
def test_runs_are_kept_for_ninety_days_unless_the_spec_says(world: World) -> None:
    world.put(*people(1))
    world.sync()
    age(world, 89.9)
    world.sync()
    assert 2 == counted(world, "runs")

    age(world, 90.1, but_for=1)
    world.sync()
    assert 2 == counted(world, "runs")

    age(world, 30)
    world.sync(history_s=timedelta(days=29))
    assert 1 == counted(world, "runs")


def test_it_is_done_once_a_day(world: World) -> None:
    world.put(*people(1))
    world.sync()
    world.sync()
    world.write("UPDATE {runs} SET ended_at = now() - INTERVAL '100 days'")

    world.sync()

    assert 3 == counted(world, "runs")


def test_a_long_history_goes_in_parts(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "RUNS_AT_ONCE", 2)
    world.put(*people(1))
    for _ in range(5):
        world.sync()
    age(world, 100)
    world.sync()
    assert 4 == counted(world, "runs")

    world.write("UPDATE {syncs} SET pruned_at = NULL")
    world.sync()
    assert 3 == counted(world, "runs")


def test_other_syncs_are_left_alone(postgres_world: World) -> None:
    world = postgres_world
    world.put(*people(1))
    world.sync(sync="others", sql=world.sql("user_id", "email", "points"))
    world.sync(sql=world.sql("user_id", "email", "city"))
    age(world, 100)

    world.sync(sql=world.sql("user_id", "email", "city"))

    assert {("others", 1), ("users", 1)} == set(
        world.rows(
            "SELECT s.sync, count(*) FROM {runs} r JOIN {syncs} s ON s.sync_id = r.sync_id "
            "GROUP BY 1"
        )
    )


def test_a_run_that_is_not_complete_prunes_nothing(postgres_world: World) -> None:
    world = postgres_world
    world.put(*people(1))
    world.sync()
    age(world, 100)
    world.put(*people(1, 2))
    world.answer_next({"status": 429, "headers": {"Retry-After": "900"}})

    world.sync()

    assert 2 == counted(world, "runs")


def test_rejections_that_are_still_true_are_kept(world: World) -> None:
    world.put(("u1", "none", "Bern", 1), *people(2))
    world.sync()
    world.write(
        "UPDATE {rejections} SET first_seen = now() - INTERVAL '200 days', "
        "last_seen = now() - INTERVAL '200 days'"
    )
    age(world, 100)

    report = world.sync()

    assert (1, 0) == (report.still_rejected, report.rejected)


def test_the_plan_that_a_woken_worker_left_is_dropped(world: World) -> None:
    """It planned after another run had taken over: nobody folds that."""
    world.put(*people(1))
    world.sync()
    world.sync()
    for name in ("plan_1_1", "late_1_1", "plan_1_9999", "plan_2_1", "plan_1_x"):
        world.write(f"CREATE TABLE {world.state.table(name)} (n integer)")
    age(world, 1)

    world.sync()

    with world.state.session() as session:
        left = world.state.tables_of(session, "plan_") + world.state.tables_of(session, "late_")
    assert ["plan_1_9999", "plan_1_x", "plan_2_1"] == left


def test_what_a_dead_run_may_still_send_is_kept(postgres_world: World) -> None:
    """Its table is read by the second fold."""
    world = postgres_world
    world.put(*people(1))
    world.sync()
    world.write(f"CREATE TABLE {world.state.table('late_1_1')} (user_id text)")
    world.write(
        "UPDATE {runs} SET late_table = 'late_1_1', second_fold_at = now() + INTERVAL '1 hour'"
    )
    age(world, 100)

    world.sync()

    with world.state.session() as session:
        assert ["late_1_1"] == world.state.tables_of(session, "late_")
    assert 2 == counted(world, "runs")
