"""
A run that dies, raises or hangs at any of its moments loses nothing and doubles nothing.

The moments are those of :mod:`iterable_sync.failpoints`; the warehouse changes before the next run.
"""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING, Any

import pytest

from iterable_sync import objects
from iterable_sync.failpoints import POINTS, failpoint, install
from torture.processes import LEASE_S
from torture.scene import stop

if TYPE_CHECKING:
    from collections.abc import Callable

    from torture.processes import Torture
    from torture.scene import Scene

# In the midst of several batches, where there are several.
HITS = {"ledger_written": 3, "mid_upload": 5, "answered_uncommitted": 2, "mid_transaction": 2}
SIZE = 80
BLOCKED_S = 2.0

QUICK = [
    *(("postgres", "users", point, "raise") for point in POINTS),
    ("duckdb", "users", "applied_no_answer", "kill"),
    ("duckdb", "users", "mid_transaction", "kill"),
    ("postgres", "users", "answered_uncommitted", "kill"),
    ("postgres", "users", "writing_report", "kill"),
]
CASES = [
    (engine, shape, point, action)
    for engine in ("duckdb", "postgres")
    for shape in ("users", "events")
    for point in POINTS
    for action in ("kill", "raise", "hang")
]
# In worlds of this size.
NOTHING_REJECTED = {"audience_events", "audiences", "deletions", "email_changes", "lists", "merge"}
# The state of others is kept in the same way: of each a death at every moment, and in `make test`
# that in the answer.
OTHERS = [
    ("postgres", shape, point, "kill")
    for shape in objects.names()
    if shape not in {"users", "events"}
    for point in POINTS
    if point != "writing_rejects" or shape not in NOTHING_REJECTED
]
QUICK += [case for case in OTHERS if case[2] == "applied_no_answer"]
CASES += OTHERS


def cases() -> list[Any]:
    return [
        pytest.param(*case, marks=() if case in QUICK else pytest.mark.all, id="-".join(case))
        for case in CASES
    ]


@pytest.mark.failure(
    "P1", "C1", "C2", "C3", "C4", "C5", "C6", "C7", "C8", "C9", "C10", "C11", "C12"
)
@pytest.mark.parametrize(("engine", "shape", "point", "action"), cases())
def test_the_next_run_mends_what_this_one_left(
    torture: Callable[..., Torture], engine: str, shape: str, point: str, action: str
) -> None:
    tortured = torture(engine)
    slow: dict[str, Any] = {}
    if action == "hang":
        slow = {"speed": 1.0, "deadline_s": 0.5, "spec": {"lease_s": LEASE_S}}
    with tortured.world(shape, size=SIZE, poison=0.1, **slow) as scene:
        scene.shape.next_day(0.6)
        scene.put()
        run_until(scene, point, action)
        scene.shape.next_day(0.3)
        scene.put()
        tortured.settle(scene, f"after {action} at {point}")

    assert [] == tortured.figures.words


def run_until(scene: Scene, point: str, action: str) -> None:
    """Let a run end at a moment, and make sure that it did."""
    hit = HITS.get(point, 1)
    child = scene.start(failpoint={"name": point, "hit": hit, "action": action})
    if action == "kill":
        assert -signal.SIGKILL == child.wait(), child.said()
    elif action == "raise":
        assert child.wait() == 0, scene.zygote.log[-2000:]
        assert child.said()["error"] == "MemoryError"
    else:
        assert stop(child), child.said()
        take_over(scene, child)


def take_over(scene: Scene, frozen: Any) -> None:
    """Let another run take over once the lease has ended; what hangs is killed at last."""
    time.sleep(LEASE_S)
    taker = scene.start()
    end = time.monotonic() + BLOCKED_S
    while taker.is_running() and time.monotonic() < end:
        time.sleep(0.02)
    # A frozen process holds a DuckDB file, or the locks of a transaction, until it is gone.
    frozen.kill()
    assert taker.wait() == 0, scene.zygote.log[-2000:]
    assert taker.said().get("end") == "clean", taker.said()
    assert not scene.check(taker.said())


def test_nothing_happens_at_a_failpoint_that_no_hook_waits_for() -> None:
    met: list[str] = []
    install(met.append)
    failpoint("planned")
    install(None)
    failpoint("planned")

    assert met == ["planned"]
