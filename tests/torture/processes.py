"""
Real processes that are killed, told to end, frozen and started at once, under one seed.

A *steady* world has no faults and a warehouse that stands still between the kills of a round: there
the rows that were sent twice are counted. In a *flapping* one the warehouse changes after every
kill, and requests fail on top.
"""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg

from torture.scene import BATCH, THREADS, Scene, duckdb_places, resume, rows_between, stop
from torture.truth import Events, Problems, Users
from torture.truth_objects import SHAPES as OTHERS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from iterable_sync.sandbox.server import SandboxServer
    from torture.proxy import Proxy
    from torture.zygote import Child, Zygote

SHAPES = {"users": Users, "events": Events} | OTHERS
IN_FLIGHT = THREADS * BATCH
_MOST = {"resent_most", "nearest", "slowest_term_s", "regressed"}
LEASE_S = 1.5
FROZEN_S = 1.8


@dataclass
class Figures:
    """
    What came out.

    Args:
        resent: rows that Iterable applied once more than was needed, in steady worlds.

        steady_kills: the kills of those worlds.

        resent_most: of a round, which has one to four kills.

        allowed: the sum of what may be sent again, over the same kills.

        over: rounds with more than that.

        nearest: the greatest share of what was allowed that a round sent again.

        regressed: the most rows that one woken zombie took back to older values.

        woken_ends: how woken zombies said they ended; nothing where they died of an error.
    """

    kills: int = 0
    terms: int = 0
    zombies: int = 0
    crowds: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    lost: int = 0
    wrong: int = 0
    duplicates: int = 0
    rejections_wrong: int = 0
    snapshot_ahead: int = 0
    steady_kills: int = 0
    resent: int = 0
    resent_most: int = 0
    allowed: int = 0
    over: int = 0
    nearest: float = 0.0
    resent_after_term: int = 0
    slowest_term_s: float = 0.0
    regressed: int = 0
    woken_ends: Counter[str] = field(default_factory=Counter)
    words: list[str] = field(default_factory=list)

    def __iadd__(self, other: Figures) -> Figures:
        for name, value in vars(other).items():
            mine = getattr(self, name)
            setattr(self, name, max(mine, value) if name in _MOST else mine + value)
        return self

    def add(self, problems: Problems, where: str) -> None:
        """Count what is wrong after a clean run."""
        self.lost += len(problems.lost)
        self.wrong += len(problems.wrong)
        self.duplicates += len(problems.duplicates)
        self.rejections_wrong += len(problems.rejections)
        self.snapshot_ahead += len(problems.ahead)
        if problems:
            self.words.append(f"{where}: {problems}")

    @property
    def is_good(self) -> bool:
        """Whether all promises were kept."""
        return not (
            self.lost
            + self.wrong
            + self.duplicates
            + self.rejections_wrong
            + self.snapshot_ahead
            + self.over
            + self.resent_after_term
            + (self.regressed > IN_FLIGHT)
            + (self.slowest_term_s > 15)
        )


class Torture:
    """
    Worlds of one seed on one engine.

    Args:
        folder: for the files of DuckDB.

        postgres: connection string of a database to make schemas in.
    """

    def __init__(
        self,
        engine: str,
        seed: int,
        *,
        zygote: Zygote,
        sandbox: SandboxServer,
        proxy: Proxy,
        folder: Path,
        postgres: str = "",
    ) -> None:
        self.engine = engine
        self.seed = seed
        self.rng = random.Random(f"{engine} {seed}")  # noqa: S311 - test data
        self.figures = Figures()
        self._zygote = zygote
        self._sandbox = sandbox
        self._proxy = proxy
        self._folder = folder
        self._postgres = postgres
        self._worlds = 0

    @contextmanager
    def world(self, shape: str = "users", *, size: int = 600, **how: Any) -> Iterator[Scene]:
        """Give an empty world whose first sync is done."""
        self._worlds += 1
        options = {key: how.pop(key) for key in ("versioned", "poison") if key in how}
        truth = SHAPES[shape](random.Random(self.rng.random()), size, **options)  # noqa: S311
        if self.engine == "duckdb":
            folder = self._folder / f"world{self._worlds}"
            folder.mkdir()
            source, state = duckdb_places(folder)
        else:
            source, state = self._postgres, f"t{uuid4().hex[:12]}"
        scene = Scene(
            self.engine, self._zygote, self._sandbox, self._proxy, truth, source, state, **how
        )
        try:
            truth.next_day()
            scene.put()
            self.settle(scene, "the first sync")
            yield scene
        finally:
            if self.engine == "postgres":
                with psycopg.connect(source, autocommit=True) as connection:
                    for schema in (state, f"{state}_source"):
                        connection.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE".encode())

    def settle(self, scene: Scene, where: str) -> None:
        """Run once without faults, and compare."""
        said = scene.run()
        self.figures.add(scene.check(said), f"seed {self.seed}, {where}")

    # -- kills ------------------------------------------------------------------------------------

    def kill(self, scene: Scene, kills: int, *, steady: bool, share: float = 0.1) -> None:
        """Kill runs at random moments, as many as are wanted, and settle now and then."""
        end = self.figures.kills + kills
        seconds = self._seconds_of_a_run(scene)
        while self.figures.kills < end:
            of_round = min(self.rng.randint(1, 4), end - self.figures.kills)
            if steady:
                self._steady_round(scene, of_round, seconds)
            else:
                self._flapping_round(scene, of_round, seconds, share)

    def _seconds_of_a_run(self, scene: Scene) -> float:
        scene.shape.next_day(0.5)
        scene.put()
        started = time.monotonic()
        self.settle(scene, "a measured run")
        return time.monotonic() - started

    def _steady_round(self, scene: Scene, kills: int, seconds: float) -> None:
        """
        Kill runs over a warehouse that stands still, and count what was sent more than once.

        A killed run may have on its way, or answered and not recorded: what it had on its way when
        it last looked for answers and recorded them, and all that it sent from then on. Counted,
        not timed: a machine that has much else to do delays a commit, and more is answered
        meanwhile. That commits follow each other as they should is another test's.
        """
        figures, shape = self.figures, scene.shape
        known = scene.dump()
        changed = shape.next_day(0.5)
        scene.put()
        after = scene.last_seq()
        starts: list[float] = []
        unrecorded: list[float | None] = []
        for _ in range(kills):
            starts.append(time.time())
            if (killed := self._killed(scene, seconds)) is None:
                break
            unrecorded.append(killed.unrecorded_since())
        starts.append(time.time())
        self.settle(scene, "a steady round")
        entries = scene.history(after)
        # What was on its way when a run died has arrived when the next one starts.
        allowed = sum(
            IN_FLIGHT + rows_between(entries, since, until)
            for since, until in zip(unrecorded, starts[1:], strict=False)
            if since is not None
        )
        figures.steady_kills += len(unrecorded)
        resent = scene.sent(after) - shape.to_send(changed, known)
        figures.resent += max(resent, 0)
        figures.resent_most = max(figures.resent_most, resent)
        figures.allowed += allowed
        figures.nearest = max(figures.nearest, round(resent / max(allowed, 1), 2))
        if resent > allowed:
            figures.over += 1
            figures.words.append(f"seed {self.seed}: {resent} rows sent again, {allowed} may be")

    def _flapping_round(self, scene: Scene, kills: int, seconds: float, share: float) -> None:
        for _ in range(kills):
            scene.shape.next_day(0.3)
            scene.put()
            scene.be_rough(share, self.rng.randrange(10**6))
            after = scene.last_seq()
            self._killed(scene, 1.5 * seconds)
            self._count_faults(scene, after)
        scene.shape.next_day(0.1)
        scene.put()
        self.settle(scene, "a flapping round")

    def _killed(self, scene: Scene, seconds: float) -> Child | None:
        """Kill one run at a moment of it; None if it was faster."""
        scene.expire()
        child = scene.start()
        time.sleep(self.rng.uniform(0, seconds))
        if child.kill() != -signal.SIGKILL:
            return None
        self.figures.kills += 1
        return child

    def _count_faults(self, scene: Scene, after: int) -> None:
        for entry in scene.history(after):
            self.figures.faults.update(set(entry["faults"]) - {"refuse_rows"})
        for name, times in self._proxy.faults.items():
            self.figures.faults[name] += times
            self._proxy.faults[name] = 0

    def fault(self, scene: Scene, faults: int, *, share: float = 0.12) -> None:
        """Let requests fail, without kills, until so many have."""
        end = sum(self.figures.faults.values()) + faults
        while sum(self.figures.faults.values()) < end:
            for _ in range(3):
                scene.shape.next_day(0.6)
                scene.put()
                scene.be_rough(share, self.rng.randrange(10**6))
                after = scene.last_seq()
                scene.start().wait()
                self._count_faults(scene, after)
            self.settle(scene, "a round of faults")

    # -- SIGTERM ----------------------------------------------------------------------------------

    def terminate(self, scene: Scene, times: int) -> None:
        """Tell runs to end at random moments; nothing may be sent twice for it."""
        figures, shape = self.figures, scene.shape
        seconds = self._seconds_of_a_run(scene)
        for _ in range(times):
            known = scene.dump()
            changed = shape.next_day(0.5)
            scene.put()
            after = scene.last_seq()
            child = scene.start()
            time.sleep(self.rng.uniform(0, seconds))
            told_at = time.monotonic()
            child.signal(signal.SIGTERM)
            code = child.wait()
            figures.slowest_term_s = max(figures.slowest_term_s, time.monotonic() - told_at)
            figures.terms += 1
            if code not in (0, -signal.SIGTERM) or "error" in child.said():
                figures.wrong += 1
                figures.words.append(f"seed {self.seed}: SIGTERM ended in {code} {child.said()}")
            self.settle(scene, "after a SIGTERM")
            figures.resent_after_term += max(scene.sent(after) - shape.to_send(changed, known), 0)

    # -- runs at once -----------------------------------------------------------------------------

    def crowd(self, scene: Scene, runs: int) -> list[str]:
        """Start runs of one sync at the same moment; give how each ended."""
        shape = scene.shape
        known = scene.dump()
        changed = shape.next_day(0.5)
        scene.put()
        after = scene.last_seq()
        children = [scene.start() for _ in range(runs)]
        ends = []
        for child in children:
            child.wait(120)
            said = child.said()
            ends.append(said.get("end") or said.get("error") or "died")
        self.figures.crowds += 1
        dump = scene.dump()
        self.figures.add(shape.check(dump), f"seed {self.seed}, {runs} runs at once")
        resent = scene.sent(after) - shape.to_send(changed, known)
        if resent > 0:
            self.figures.wrong += 1
            self.figures.words.append(f"seed {self.seed}: {runs} runs at once resent {resent}")
        return ends

    # -- zombies ----------------------------------------------------------------------------------

    @contextmanager
    def slow_world(self, shape: str = "users") -> Iterator[Scene]:
        """Give a world with short leases, true waits and rows that say how old they are."""
        options = {"versioned": True} if shape == "users" else {}
        with self.world(
            shape,
            speed=1.0,
            deadline_s=0.5,
            latency_ms=20,
            spec={"lease_s": LEASE_S},
            **options,
        ) as scene:
            yield scene

    def freeze(self, scene: Scene, zombies: int) -> None:
        """Freeze runs past their lease, let another take over, and wake them. Postgres only."""
        figures, shape = self.figures, scene.shape
        end = figures.zombies + zombies
        seconds = self._seconds_of_a_run(scene)
        while figures.zombies < end:
            shape.next_day(0.6)
            scene.put()
            if self.rng.random() < 0.5:
                # The hardest moment: what is left of the request goes out when it wakes.
                at = self.rng.randint(3, 2 * shape.size // BATCH)
                hang = {"name": "mid_upload", "hit": at, "action": "hang"}
                frozen = scene.start(failpoint=hang, idle_in_transaction_s=LEASE_S)
            else:
                frozen = scene.start(idle_in_transaction_s=LEASE_S)
                time.sleep(self.rng.uniform(0.05, seconds))
                frozen.signal(signal.SIGSTOP)
            if not stop(frozen):
                self.settle(scene, "a run too fast to freeze")
                continue
            time.sleep(FROZEN_S)
            shape.next_day(0.6)
            scene.put()
            # Not with the help of `expire`: the lease has to have ended by itself.
            taker = scene.start()
            taker.wait()
            before = shape.versions(scene.dump())
            resume(frozen)
            frozen.wait()
            said = frozen.said()
            figures.woken_ends[said.get("end") or said.get("error") or ""] += 1
            figures.zombies += 1
            now = shape.versions(scene.dump())
            back = sum(now.get(key, 0) < version for key, version in before.items())
            figures.regressed = max(figures.regressed, back)
            self.settle(scene, "after a zombie")
