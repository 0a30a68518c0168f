"""What runs take of a machine: memory that rows do not add to, and nothing that stays behind."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from crashes import Crash, crash_at
from fakes import Clock
from harness import BULK, people
from iterable_sync.errors import IterableSyncError

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness import World

pytestmark = pytest.mark.all

ROOT = Path(__file__).parent.parent
FEW, MANY = 80_000, 640_000
MOST_MB = 300
# Half of what the rows take as Arrow keeps them: a quarter of a kilobyte each.
GROWTH_MB = 70
CYCLES = 9
SETTLED_S = 8
FILES = Path("/proc/self/fd")


@pytest.mark.failure("P9", "O9")
def test_memory_does_not_grow_with_the_rows() -> None:
    """Eight times the rows take as much, of the process of a run, and less than the limit."""
    few, many = above_baseline_mb(FEW), above_baseline_mb(MANY)

    assert many <= MOST_MB
    assert many - few <= GROWTH_MB


def above_baseline_mb(rows: int) -> float:
    """Give the peak of a first sync above what its imports take; all rows were accepted."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "bench/ten_million.py"), "--rows", str(rows)],
        capture_output=True,
        text=True,
        timeout=600,
        check=True,
    )
    return float(json.loads(done.stdout.splitlines()[-1])["above_baseline_mb"])


def a_clean_run(world: World, n: int) -> None:
    world.put(*people(*range(50), city=f"city {n}"))
    world.sync(batch_rows=5, threads=4)


def a_refused_key(world: World, n: int) -> None:
    world.put(*people(*range(50), city=f"town {n}"))
    world.server.fail({"kind": "answer", "endpoint": BULK, "status": 401, "body": {}})
    world.sync(batch_rows=5, threads=4)


def an_outage(world: World, n: int) -> None:
    world.put(*people(*range(50), city=f"village {n}"))
    world.server.fail({"kind": "reset", "at": "handled", "endpoint": BULK})
    clock = Clock()
    world.sync(batch_rows=5, threads=4, options={"clock": clock, "sleep": clock.sleep})


def a_crash(world: World, n: int) -> None:
    world.put(*people(*range(50), city=f"hamlet {n}"))
    world.sync(client=world.connect(before=crash_at(2)), batch_rows=5, threads=4)


def a_wrong_model(world: World, _n: int) -> None:
    world.sync(sql="SELECT nonsense")


RUNS: tuple[Callable[[World, int], None], ...] = (
    a_clean_run,
    a_refused_key,
    an_outage,
    a_crash,
    a_wrong_model,
)


def left() -> tuple[list[str], int]:
    """Give the threads of this process and how many files and sockets it has open."""
    gc.collect()
    return sorted(one.name for one in threading.enumerate()), len([*FILES.iterdir()])


@pytest.mark.failure("O9")
def test_runs_leave_no_thread_and_no_file_open(world: World) -> None:
    """However they end: after some of each there is no more than after one of each."""
    after_one = None
    for n in range(CYCLES):
        for run in RUNS:
            with suppress(IterableSyncError, Crash):
                run(world, n)
            world.server.fail()
            world.expire_leases()
        world.client = None
        after_one = after_one or settled()
    after_all = settled()

    assert after_one[0] == after_all[0]
    # What one of the runs leaves behind it has left once more in each cycle.
    assert after_all[1] - after_one[1] < CYCLES - 1


def settled() -> tuple[list[str], int]:
    """Give what is left once the sandbox, in this process too, has closed its idle connections."""
    found = [left()]
    until = time.monotonic() + SETTLED_S
    while time.monotonic() < until:
        time.sleep(0.25)
        found.append(left())
    return min(found, key=lambda one: one[1])
