"""Hosts that misbehave: a full disk, a clock that is off, and runs that follow each other fast."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from torture.scene import stop

if TYPE_CHECKING:
    from collections.abc import Callable

    from torture.processes import Torture

DAY_S = 86_400
PACE = 40
LIMIT = 50


@pytest.mark.failure("P8")
@pytest.mark.all
@pytest.mark.parametrize("room", [0, 100_000, 400_000], ids=["none", "little", "some"])
def test_a_full_disk_ends_a_run_in_words_and_the_next_one_goes_on(
    torture: Callable[..., Torture], room: int
) -> None:
    tortured = torture("duckdb")
    with tortured.world(size=3000) as scene:
        scene.shape.next_day(0.9)
        scene.put()
        # The limit is of every file: that of the state is full, its write-ahead log starts anew.
        child = scene.start(max_file_bytes=room or 1)
        code = child.wait()
        said = child.said()
        tortured.settle(scene, "after a full disk")

    assert code == 0, scene.zygote.log[-3000:]
    assert said["error"] == "RetryLater"
    assert scene.state in said["words"]
    assert [] == tortured.figures.words


@pytest.mark.failure("P10")
@pytest.mark.parametrize("engine", [pytest.param("duckdb", marks=pytest.mark.all), "postgres"])
@pytest.mark.parametrize("off_s", [-DAY_S, DAY_S], ids=["a day behind", "a day ahead"])
def test_a_clock_that_is_off_neither_takes_a_lease_nor_moves_an_event(
    torture: Callable[..., Torture], engine: str, off_s: int
) -> None:
    tortured = torture(engine)
    with tortured.world("events" if engine == "postgres" else "users", size=80) as scene:
        scene.shape.next_day(0.5)
        scene.put()
        hang = {"name": "planned", "hit": 1, "action": "hang"}
        holder = scene.start(failpoint=hang, clock_off_s=-off_s)
        assert stop(holder)
        other = None
        if engine == "postgres":
            other = scene.start(clock_off_s=off_s)
            other.wait()
        holder.kill()
        said = scene.run(clock_off_s=off_s)
        problems = scene.check(said)

    assert other is None or other.said()["error"] == "AlreadyRunning"
    assert not problems, problems


@pytest.mark.failure("O8")
@pytest.mark.all
def test_no_second_holds_more_requests_than_the_limit_over_kills_and_runs_at_once(
    torture: Callable[..., Torture],
) -> None:
    tortured = torture("postgres")
    spec: dict[str, Any] = {"requests_per_s": PACE}
    with tortured.world(size=500, speed=1.0, deadline_s=5.0, spec=spec) as scene:
        scene.shape.next_day(0.9)
        scene.put()
        children = [scene.start() for _ in range(4)]
        while len(scene.history()) < PACE:
            pass
        for child in children:
            child.kill()
        tortured.settle(scene, "after the kills")
        times = [entry["time"] for entry in scene.history()]

    assert [] == tortured.figures.words
    most = max(sum(start <= time < start + 1 for time in times) for start in times)
    assert most <= LIMIT
