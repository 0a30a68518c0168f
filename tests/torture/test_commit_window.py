"""How long an answer may wait for its commit: on a clock of ours, so that no machine decides it."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from torture.one_thread import one_thread
from torture.simulation import Run, World

if TYPE_CHECKING:
    from iterable_sync.client import Answer

LONGEST_S = 0.4
"""Of a simulated request: so long the recorder may have to wait for the next answer."""


class Watched(Run):
    """A run that notes, at every request, when what was answered and is not settled came."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.answered_at: list[float] = []
        self.waited_s: list[float] = []

    def request(self, path: str, document: dict[str, Any]) -> Answer:
        with self.world.state.session() as session:
            ((settled,),) = session.rows(
                f"SELECT count(*) FROM {self.world.state.table('batches')} WHERE state <> 'open'"
            )
        self.waited_s += [self.clock.now - at for at in self.answered_at[settled:]]
        answer = super().request(path, document)
        self.answered_at.append(self.clock.now)
        return answer


@pytest.mark.parametrize("window_s", [1.0, 2.0])
@pytest.mark.parametrize("threads", [1, 3])
def test_an_answer_waits_for_its_commit_no_longer_than_the_window(
    window_s: float, threads: int
) -> None:
    """So a crash sends again what was on its way and what was answered within one window."""
    world = World(Random(1))  # noqa: S311 - test data
    world.batch_rows, world.threads = 1, threads
    world.state.commit_window_s = window_s
    for n in range(60):
        world.shape.put(n, "A", 1)
    world.fill()
    run = Watched(world)

    with one_thread(world.clock):
        world.run(run)
    world.close()

    assert [] == world.figures.broken
    assert len(run.answered_at) >= 60
    assert run.waited_s, "no answer ever waited"
    assert max(run.waited_s) <= window_s + LONGEST_S
