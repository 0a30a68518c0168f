"""
Whatever a run meets, after one clean run everything is right; and the oracle would see it if not.

Here 250 worlds of each shape; ``make torture SEED=0 ROUNDS=10000`` simulates more.
``TORTURE_FIRST=<seed> TORTURE_SEEDS=1`` lets these tests look at one.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from random import Random
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from iterable_sync.state.leases import Lease
from torture.one_thread import one_thread
from torture.planted import BUGS, DoesNotApply, first_red, planted
from torture.simulation import SHAPES, TAKEN_OVER_S, Figures, Run, World, live

FIRST = int(os.environ.get("TORTURE_FIRST", "0"))
SEEDS = int(os.environ.get("TORTURE_SEEDS", "250"))
EXAMPLES = int(os.environ.get("TORTURE_EXAMPLES", "8"))
TOGETHER = 25


@pytest.mark.failure("O1", "O2", "O3", "O4", "O5", "O6")
@pytest.mark.parametrize("shape", sorted(SHAPES))
@pytest.mark.parametrize("first", range(FIRST, FIRST + SEEDS, TOGETHER))
def test_worlds_end_right(first: int, shape: str) -> None:
    seeds = range(first, min(first + TOGETHER, FIRST + SEEDS))

    broken = {seed: found for seed in seeds if (found := live(seed, shape).broken)}

    assert {} == broken


def test_worlds_meet_crashes_faults_and_zombies() -> None:
    """A simulation in which nothing happens proves nothing."""
    met = Figures()
    for seed in range(20):
        met += live(seed)
        if all(seen := (met.crashes, met.faults, met.zombies, met.regressed, met.resent)):
            break

    assert 0 not in seen


def test_a_seed_gives_the_same_world_again() -> None:
    assert live(5) == live(5)


def test_without_intents_worlds_end_wrong() -> None:
    """What was sent and went back reads as unchanged, unless it was written down before."""
    with planted("no_intents"):
        wrong = next((seed for seed in range(100) if live(seed).wrong), None)

    assert wrong is not None
    assert [] == live(wrong).broken, f"seed {wrong}"


@pytest.mark.parametrize("bug", ["record_before_send", "ignore_failed_updates", "dirty_not_sent"])
def test_the_oracle_catches_a_planted_bug(bug: str) -> None:
    assert first_red(bug, range(20)) is not None


@pytest.mark.failure("O1", "O2", "O3", "O4", "O5", "O6")
@pytest.mark.all
@pytest.mark.parametrize("bug", BUGS)
def test_the_oracle_catches_every_planted_bug(bug: str) -> None:
    assert first_red(bug, range(150)) is not None


def test_a_planted_bug_that_no_longer_applies_is_an_error() -> None:
    with patch.object(Lease, "check"):
        del Lease.check

        with pytest.raises(DoesNotApply), planted("lease_not_checked_at_commit"):
            pass


class Days(RuleBasedStateMachine):
    """A world whose days hypothesis chooses, and makes shorter when one ends wrong."""

    @initialize(seed=st.integers(0, 10_000))
    def begin(self, seed: int) -> None:
        self.stack = ExitStack()
        self.world = World(Random(seed))  # noqa: S311 - test data
        self.stack.callback(self.world.close)
        self.stack.enter_context(one_thread(self.world.clock))

    @rule()
    def a_day_goes_by(self) -> None:
        self.world.next_day()

    @rule(n=st.integers(0, 3), city=st.sampled_from(["A", "B", None]), points=st.integers(1, 2))
    def a_row_changes(self, n: int, city: str | None, points: int) -> None:
        self.world.shape.put(n, city, points)
        self.world.fill()

    @rule(n=st.integers(0, 3))
    def a_key_leaves(self, n: int) -> None:
        self.world.shape.leave(n)
        self.world.fill()

    @rule(rate=st.sampled_from([0.0, 0.2, 0.5]))
    def a_run(self, rate: float) -> None:
        self.world.run(Run(self.world, fault_rate=rate))

    @rule(at=st.integers(1, 85))
    def a_run_dies_at_a_statement(self, at: int) -> None:
        self.world.run(Run(self.world, dies_at=at))

    @rule(at=st.integers(1, 3), is_applied=st.booleans())
    def a_run_dies_at_a_request(self, at: int, is_applied: bool) -> None:
        self.world.run(Run(self.world, crash_at=(at, is_applied)))

    @rule(at=st.integers(1, 2))
    def a_run_stands_still(self, at: int) -> None:
        self.world.run(Run(self.world, freeze_at=at))

    @rule(seconds=st.sampled_from([30.0, 3_700.0, TAKEN_OVER_S]))
    def time_goes_by(self, seconds: float) -> None:
        self.world.wait(seconds)

    @invariant()
    def nothing_is_broken(self) -> None:
        if hasattr(self, "world"):
            assert [] == self.world.figures.broken

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        with self.stack:
            broken = self.world.end().broken
        assert [] == broken


TestDays = Days.TestCase
TestDays.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=12,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
