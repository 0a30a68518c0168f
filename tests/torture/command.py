"""
Simulate many worlds in parallel: ``make torture SEED=0 ROUNDS=10000``.

Prints a JSON line for each world that ends wrong, with its seed, and one with the figures of all.
"""

from __future__ import annotations

import argparse
import json
import logging
import multiprocessing
import os
import sys
import time

from torture.simulation import SHAPES, Figures, live


def _live(case: tuple[str, int]) -> tuple[str, int, Figures]:
    logging.disable(logging.CRITICAL)
    shape, seed = case
    return shape, seed, live(seed, shape)


def main() -> int:
    """Simulate, print, and give 1 if any world ended wrong."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--seed", type=int, default=0, help="of the first world")
    asked.add_argument("--rounds", type=int, default=10_000, help="worlds, of all shapes in turn")
    asked.add_argument("--workers", type=int, default=os.cpu_count(), help="processes")
    asked.add_argument("--shape", choices=sorted(SHAPES), action="append", help="all by default")
    told = asked.parse_args()
    shapes = told.shape or list(SHAPES)
    cases = [(shapes[n % len(shapes)], told.seed + n // len(shapes)) for n in range(told.rounds)]
    total = Figures()
    started = time.monotonic()
    # Spawned, not forked: a database in memory does not live on in a child.
    with multiprocessing.get_context("spawn").Pool(told.workers) as pool:
        for shape, seed, figures in pool.imap_unordered(_live, cases, chunksize=10):
            total += figures
            if figures.broken:
                _print({"seed": seed, "shape": shape, "broken": figures.broken})
    seconds = round(time.monotonic() - started, 1)
    _print(
        {"suite": "simulation", "seed": told.seed, "rounds": told.rounds, "shapes": shapes}
        | total.summary()
        | {"seconds": seconds}
    )
    return int(bool(total.broken))


def _print(line: dict[str, object]) -> None:
    print(json.dumps(line), flush=True)  # noqa: T201 - this is a command


if __name__ == "__main__":
    sys.exit(main())
