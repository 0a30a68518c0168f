"""
Real processes that are killed, told to end, frozen or started at once.

A few of each; ``python tests/torture/run.py`` does thousands. What a moment of a real process hits
is up to the machine, the rest to the seed in the test's id.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from torture.processes import IN_FLIGHT, Figures

if TYPE_CHECKING:
    from collections.abc import Callable

    from torture.processes import Torture

ENGINES = [
    pytest.param("postgres", id="postgres"),
    pytest.param("duckdb", id="duckdb", marks=pytest.mark.all),
]
SHAPES = ["users", pytest.param("events", marks=pytest.mark.all)]


@pytest.mark.failure("P1", "O3")
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("engine", ENGINES)
def test_kills_lose_nothing_and_send_little_twice(
    torture: Callable[..., Torture], engine: str, shape: str
) -> None:
    tortured = torture(engine, seed=2)
    with tortured.world(shape, size=300, latency_ms=50) as scene:
        tortured.kill(scene, 3, steady=True)

    assert ([], 0) == (tortured.figures.words, tortured.figures.over)


def test_what_came_out_of_pieces_adds_up() -> None:
    total = Figures(kills=2, resent_most=9, nearest=0.2, words=["lost"], lost=1)
    total.faults["reset"] += 1
    other = Figures(kills=3, resent_most=4, nearest=0.5)
    other.faults.update(["reset", "delay"])

    total += other

    assert (5, 9, 0.5, 1) == (total.kills, total.resent_most, total.nearest, total.lost)
    assert {"reset": 2, "delay": 1} == dict(total.faults)
    assert not total.is_good


@pytest.mark.failure("H6", "O1", "O2", "O5", "O6")
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("engine", ENGINES)
def test_kills_and_faults_leave_nothing_that_a_clean_run_does_not_mend(
    torture: Callable[..., Torture], engine: str, shape: str
) -> None:
    tortured = torture(engine, seed=3)
    with tortured.world(shape, size=200, latency_ms=10) as scene:
        tortured.kill(scene, 2, steady=False)
        tortured.fault(scene, 5)

    assert [] == tortured.figures.words


@pytest.mark.failure("P2")
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("engine", ENGINES)
def test_a_sigterm_costs_no_row_a_second_time(
    torture: Callable[..., Torture], engine: str, shape: str
) -> None:
    tortured = torture(engine, seed=4)
    with tortured.world(shape, size=200, latency_ms=10) as scene:
        tortured.terminate(scene, 2)

    assert ([], 0) == (tortured.figures.words, tortured.figures.resent_after_term)
    assert tortured.figures.slowest_term_s <= 15


@pytest.mark.failure("P3", "O4")
@pytest.mark.parametrize("runs", [2, pytest.param(8, marks=pytest.mark.all)])
def test_of_runs_that_start_at_once_one_writes_and_the_others_say_so(
    torture: Callable[..., Torture], runs: int
) -> None:
    tortured = torture("postgres", seed=5)
    with tortured.world(size=300, latency_ms=10) as scene:
        ends = tortured.crowd(scene, runs)

    assert [] == tortured.figures.words
    assert "clean" in ends
    assert {"clean", "AlreadyRunning"} >= set(ends)


@pytest.mark.failure("P3")
@pytest.mark.all
@pytest.mark.parametrize("runs", [2, 4])
def test_on_duckdb_the_others_wait_or_end_already_running(
    torture: Callable[..., Torture], runs: int
) -> None:
    tortured = torture("duckdb", seed=6)
    with tortured.world(size=300, latency_ms=10) as scene:
        ends = tortured.crowd(scene, runs)

    assert [] == tortured.figures.words
    assert "clean" in ends
    assert {"clean", "AlreadyRunning"} >= set(ends)


@pytest.mark.failure("P4", "O4")
@pytest.mark.all
@pytest.mark.parametrize("shape", ["users", "events"])
def test_a_woken_zombie_spoils_at_most_what_it_had_in_flight_and_one_run_mends_it(
    torture: Callable[..., Torture], shape: str
) -> None:
    tortured = torture("postgres", seed=7)
    with tortured.slow_world(shape) as scene:
        tortured.freeze(scene, 5)

    assert [] == tortured.figures.words
    assert tortured.figures.regressed <= IN_FLIGHT
