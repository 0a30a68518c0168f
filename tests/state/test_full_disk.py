"""A file that cannot be written ends a run in words that name it, and nothing is lost."""

from __future__ import annotations

import random
import resource
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from iterable_sync.errors import ConfigError, RetryLater
from iterable_sync.rows import RunEnd
from iterable_sync.spec import Guards
from iterable_sync.state import DuckDBState
from tiers import one_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness import World

ROWS = 1_000
ALL = Guards(max_changed=1)


def rows(seed: int) -> list[tuple[Any, ...]]:
    """Give rows that no engine compresses."""
    rng = random.Random(seed)  # noqa: S311 - test data
    return [(f"u{n}", f"u{n}@example.com", f"{rng.getrandbits(1600):x}", seed) for n in range(ROWS)]


@contextmanager
def room(share: float, world: World) -> Iterator[None]:
    """Let this process write no file beyond a share of the state's size."""
    size = Path(world.state.path).stat().st_size
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(share * size), before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.failure("P8")
@pytest.mark.parametrize("share", one_in(2, [0.02, 0.1, 0.15, 0.2, 0.25, 0.4]))
def test_a_disk_that_is_full_ends_the_run_and_names_the_file(
    duckdb_world: World, share: float
) -> None:
    """At any moment: before the plan is written, between two requests, or at the end."""
    world = duckdb_world
    world.put(*rows(1))
    world.sync()
    world.put(*rows(2))
    how = "went well"
    with room(share, world):
        try:
            world.sync(batch_rows=100, threads=1, guards=ALL)
        except RetryLater as error:
            how = str(error)

    world.expire_leases()
    assert how == "went well" or (world.state.path in how and "File too large" in how)
    report = world.sync(batch_rows=100, threads=1, guards=ALL)

    assert (RunEnd.CLEAN, 0) == (report.end, report.removed)
    assert {row[1]: row[2] for row in rows(2)} == {
        key: user["city"] for key, user in world.users().items()
    }
    assert {row[0]: (row[2], None) for row in rows(2)} == world.acknowledged("city", "_dirty")
    assert 0 == world.sync().requests


@pytest.mark.failure("P8")
def test_a_plan_that_has_no_room_is_not_sent(duckdb_world: World) -> None:
    world = duckdb_world
    world.put(*rows(1))
    world.sync()
    world.put(*rows(2))
    requests = world.writes()

    with room(0.0, world), pytest.raises(RetryLater, match="make room there"):
        world.sync(guards=ALL)

    assert requests == world.writes()


@pytest.mark.failure("P8")
def test_a_state_that_may_not_be_written_names_the_file(duckdb_world: World) -> None:
    world = duckdb_world
    world.put(*rows(1))
    folder = Path(world.state.path).parent / "nowhere"

    with pytest.raises(ConfigError, match="nowhere"):
        world.sync(state=DuckDBState(str(folder / "state.duckdb")))
    with pytest.raises(RetryLater, match="/dev/full"):
        world.sync(state=DuckDBState("/dev/full"))

    assert 0 == world.writes()
