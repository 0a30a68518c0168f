"""A run in whose process something says ``sys.exit()``: a driver, a signal handler, a thread."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING

import pytest

from harness import people
from iterable_sync import failpoints
from iterable_sync.failpoints import POINTS
from iterable_sync.rows import RunEnd
from tiers import one_in

if TYPE_CHECKING:
    from harness import World

BAD = ("bad", "nobody", "A", 1)


class Exit:
    """Ends whatever thread comes to a moment first; a hook of failpoints."""

    def __init__(self, point: str) -> None:
        self._point = point
        self._left = threading.Semaphore(1)

    def __call__(self, name: str) -> None:
        if name == self._point and self._left.acquire(blocking=False):
            sys.exit(3)


@pytest.mark.failure("P11")
@pytest.mark.parametrize("point", one_in(6, POINTS))
def test_an_exit_is_a_crash_like_any_other(duckdb_world: World, point: str) -> None:
    """At any moment, in any thread: the run ends by it, and the next one mends what it left."""
    world = duckdb_world
    world.put(*people(*range(6), city="A"), BAD)
    world.sync(on_remove="clear")
    world.put(*people(*range(1, 7), city="B"), (*BAD[:3], 2))
    failpoints.install(Exit(point))
    try:
        with pytest.raises(SystemExit):
            world.sync(on_remove="clear", batch_rows=2)
    finally:
        failpoints.install(None)

    world.expire_leases()
    report = world.sync(on_remove="clear")

    assert (RunEnd.CLEAN, 0) == (report.end, report.pending)
    assert {f"u{n}": ("B",) for n in range(1, 7)} == world.acknowledged("city")
    assert {f"u{n}@example.com": "B" for n in range(1, 7)} == {
        email: user["city"] for email, user in world.users().items() if "city" in user
    }
    assert ({}, {("bad", "", "invalid_email")}) == (world.dirty(), world.rejections())
