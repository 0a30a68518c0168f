"""
Worlds: a warehouse, state, an Iterable, and runs that meet every misfortune; all from one seed.

The runs are the product's own ``run_sync`` with its own SQL. What is simulated is time, the threads
(:mod:`torture.one_thread`) and the other side (:mod:`torture.iterable_dict`). A world ends with one
clean run, later than a take-over looks back; then everything has to be right.
"""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

from crashes import Crash
from iterable_sync.errors import (
    AlreadyRunning,
    CountsDiffer,
    LeaseLost,
    PermissionRefused,
)
from iterable_sync.rows import ProjectType, RunEnd
from iterable_sync.run import run_sync
from iterable_sync.spec import Guards, SyncSpec
from torture.figures import Figures
from torture.happenings import Happenings
from torture.iterable_dict import IterableDict
from torture.one_thread import BeatingClock, one_thread
from torture.oracle import Found
from torture.people import People
from torture.store import CATALOG, MemorySource, MemoryState
from torture.storms import Client, Run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from iterable_sync.rows import RunReport
    from torture.oracle import Shape

LEASE_S = 120.0
TAKEN_OVER_S = 16 * 60.0
"""Later than this after a take-over, a run has looked at what a woken holder did."""


def _people(rng: random.Random, by_email: bool) -> Shape:
    return People(
        rng,
        by_email,
        on_remove=rng.choice(["ignore", "clear"]),
        on_identity_change=rng.choice(["hold", "full_row"]),
    )


_SUMS = {
    "queried": (
        "unchanged",
        "accepted",
        "rejected",
        "still_rejected",
        "held",
        "skipped",
        "pending",
    ),
    "removed": (
        "removed_accepted",
        "removed_rejected",
        "removed_held",
        "removed_ignored",
        "removed_pending",
    ),
}
SHAPES: dict[str, Callable[[random.Random, bool], Shape]] = {
    "users": _people,
    "events": Happenings,
}
_TABLE = f"{CATALOG}.main.warehouse"
_KEPT = "COLUMNS('^(_identity|_status|_dirty|[^_].*)$')"


class World:
    """
    One world.

    Args:
        rng: decides everything.

        shape: users or events.
    """

    def __init__(self, rng: random.Random, shape: str = "users") -> None:
        self.rng = rng
        self.clock = BeatingClock()
        self.kind = rng.choice([ProjectType.EMAIL, ProjectType.EMAIL, ProjectType.USER_ID])
        by_email = self.kind is ProjectType.EMAIL
        self.server = IterableDict(
            by_email,
            names_in=rng.choice(["lower", "lower", "upper"]),
            paths=rng.choice(["right", "wrong", "none"]),
        )
        self.shape = SHAPES[shape](rng, by_email)
        self.batch_rows = rng.choice([1, 2, 3, 1000])
        self.threads = rng.choice([1, 2, 3])
        self.figures = Figures(worlds=1)
        self.exposed: set[str] = set()
        self.opened: dict[str, bool] = {}
        self._last_zombies = 0
        self.state = MemoryState(self.clock)
        self.source = MemorySource(":memory:")
        names = ", ".join(f'"{name}" {kind}' for name, kind in self.shape.columns.items())
        self._execute(f"CREATE TABLE {_TABLE} ({names})")

    def close(self) -> None:
        """Forget the world's database."""
        self.state.close()

    # -- days -------------------------------------------------------------------------------------

    def next_day(self) -> None:
        """Change the warehouse, and whom Iterable refuses."""
        self.shape.next_day(self.state.now)
        self.server.refuses = {
            who: self.rng.choice(["forgotten", "conflict", "invalidData", "notFound"])
            for who in self.shape.everybody()
            if self.rng.random() < 0.06
        }
        self.fill()

    def fill(self) -> None:
        """Write the warehouse's table anew."""
        self._execute(f"DELETE FROM {_TABLE}")
        rows = self.shape.table()
        if rows:
            places = ", ".join(["(" + ", ".join("?" * len(self.shape.columns)) + ")"] * len(rows))
            self._execute(
                f"INSERT INTO {_TABLE} VALUES {places}", [value for row in rows for value in row]
            )

    def wait(self, seconds: float) -> None:
        """Let time pass in which no run is going on."""
        self.clock.now += seconds

    # -- runs -------------------------------------------------------------------------------------

    def run(self, run: Run | None = None) -> RunReport | None:
        """Run the sync; None if the run ended without a report, as it may."""
        run = run or Run(self)
        self.figures.runs += 1
        self.clock.running.append(run)
        report: RunReport | None = None
        try:
            report = run_sync(
                self._spec(),
                source=self.source,
                client=Client(run, self.kind),
                state=run.state,  # type: ignore[arg-type]
                clock=self.clock,
                sleep=self.clock.sleep,
            )
        except Crash:
            self.wait(LEASE_S + 1 if self.rng.random() < 0.9 else 5)
        except (AlreadyRunning, PermissionRefused):
            pass
        except LeaseLost:
            if not run.was_frozen:
                self.broken("a run that was never frozen lost its lease")
        except CountsDiffer as error:
            self.broken(f"O2: {error}")
        # Whatever else ends a run is a defect, and the world goes on to show what it did.
        except Exception as error:  # noqa: BLE001
            self.broken(f"a run ended by {type(error).__name__}: {str(error).splitlines()[0]}")
        finally:
            self.clock.running.pop()
        run.arrive_late()
        if report is not None and not run.was_frozen:
            self._check_report(report, self.found())
        return report

    def stormy(self, *, may_freeze: bool) -> Run:
        """Give a run that meets what the seed says."""
        rng, dice = self.rng, self.rng.random()
        more: dict[str, Any] = {}
        if dice < 0.2:
            more["dies_at"] = rng.randint(1, 85)
        elif dice < 0.45:
            more["crash_at"] = (rng.randint(1, 4), rng.random() < 0.6)
        elif dice < 0.65 and may_freeze:
            more["freeze_at"] = rng.randint(1, 3)
        return Run(self, fault_rate=rng.choice([0.0, 0.3, 0.6]), **more)

    def meanwhile(self, zombie: Run) -> None:
        """Let others go on while a run stands still; then it wakes."""
        self.figures.zombies += 1
        self._last_zombies += 1
        self.wait(self.rng.choice([10.0, LEASE_S + 1, LEASE_S + 1, LEASE_S + 1, 3 * LEASE_S]))
        for _ in range(self.rng.randint(1, 2)):
            if self.rng.random() < 0.8:
                self.next_day()
            self.run(self.stormy(may_freeze=False) if self.rng.random() < 0.3 else None)
        if self.rng.random() < 0.5:
            zombie.beat()

    def mourn(self, run: Run) -> None:
        """Note what a run that died had sent and not recorded: it may be sent again."""
        self.figures.crashes += 1
        if run.pool is None:
            return
        with self.state.session() as session:
            opened = session.rows(
                f"SELECT run_id, number, seq_lo, seq_hi FROM {self.state.table('batches')} "
                "WHERE state = 'open'"
            )
            for run_id, _, lo, hi in opened:
                plan = session.rows(
                    f"SELECT plan_table FROM {self.state.table('runs')} WHERE run_id = ?", (run_id,)
                )[0][0]
                rows = session.rows(
                    f"SELECT _identity FROM {self.state.table(plan)} "
                    f"WHERE _seq BETWEEN {lo} AND {hi} AND _route = 'send'"
                )
                self.opened |= {row[0].split(":", 1)[1]: False for row in rows}
        numbers = {row[1] for row in opened}
        people = [
            self.server.what(json.loads(payload.body))
            for batch in run.pool.started
            if batch.number in numbers
            for payload in batch.payloads
        ]
        self.exposed = set(people)
        most = self.figures.most_resent_by_a_crash
        self.figures.most_resent_by_a_crash = max(most, len(people))

    def broken(self, what: str) -> None:
        """Note an invariant that does not hold."""
        self.figures.broken.append(what)

    # -- the end ----------------------------------------------------------------------------------

    def end(self) -> Figures:
        """Let things calm down, run once, and look whether everything is right."""
        self.wait(self.rng.choice([TAKEN_OVER_S, TAKEN_OVER_S, 2 * 86_400.0]))
        if self.rng.random() < 0.7:
            self.next_day()
        self._last_zombies = 0
        report = self.run()
        if report is None:
            self.broken("the clean run gave no report")
            return self.figures
        if report.end not in {RunEnd.CLEAN, RunEnd.HELD}:
            self.broken(f"the clean run ended {report.end}")
        found = self.found()
        lost, wrong = self.shape.lost(self.server, found), self.shape.wrong(self.server, found)
        self.figures.lost += len(lost)
        self.figures.wrong += len(wrong)
        self.figures.regressed += self.server.regressed
        if isinstance(self.shape, Happenings):
            self.figures.duplicate_ids += self.shape.duplicates(self.server)
        for what, problems in (
            ("O1", lost + wrong),
            ("O6", self.shape.filed_wrong(self.server, found)),
            ("still in doubt", self._in_doubt(found)),
            ("unsound", self.server.unsound),
            ("O3", ["an event has two ids"] * self.figures.duplicate_ids),
        ):
            for problem in problems:
                self.broken(f"{what}: {problem}")
        if self.server.regressed > self.figures.zombies * self.threads * self.batch_rows:
            self.broken(f"O4: {self.server.regressed} rows went back")
        again = Run(self)
        self.run(again)
        if again.posts:
            self.broken(f"O3: {again.posts} requests although nothing changed")
        return self.figures

    def found(self) -> Found:
        """Read what state says."""
        table = self.state.table
        with self.state.session() as session:
            is_there = self.state.tables_of(session, "syncs")
            read = f"SELECT snapshot_table, fields FROM {table('syncs')}"
            if not is_there or not (sync := session.rows(read)):
                return Found(set(), set(), {}, {})
            names = {f["position"]: f["name"] for f in json.loads(sync[0][1])}
            rows = session.dicts(f"SELECT {_KEPT} FROM {table(sync[0][0])}")
            rejections = session.rows(f"SELECT key, field, reason FROM {table('rejections')}")
            held = session.rows(f"SELECT key FROM {table('held_keys')}")
        snapshot = {row[self.shape.key]: row for row in rows}
        return Found(
            rejections=set(rejections),
            held={row[0] for row in held},
            snapshot={k: row for k, row in snapshot.items() if row["_status"] == "live"},
            in_doubt={
                key: {"*"}
                if row["_dirty"] == "*"
                else {names[i] for i, bit in enumerate(row["_dirty"]) if bit == "1"}
                for key, row in snapshot.items()
                if row["_dirty"] is not None
            },
        )

    def _check_report(self, report: RunReport, found: Found) -> None:
        """Check what holds at the end of every run, whatever it met."""
        counts = report.counts()
        for sums, parts in _SUMS.items():
            if counts[sums] != sum(counts[part] for part in parts):
                self.broken(f"O2: {sums} is not the sum of its parts")
        for problem in self.shape.miscounted(counts, found):
            self.broken(f"O2: {problem}")
        if not self._last_zombies:
            for problem in self.shape.snapshot_ahead(self.server, found):
                self.broken(f"O5: {problem}")

    def _in_doubt(self, found: Found) -> Iterable[str]:
        fields = {(key, name) for key, name, _ in found.rejections}
        for key, names in found.in_doubt.items():
            left = {name for name in names if (key, name) not in fields}
            if left and key not in found.excused | self.shape.gone:
                yield f"{key}: {sorted(left)}"

    def _spec(self) -> SyncSpec:
        return SyncSpec(
            sync="simulated",
            object=self.shape.object,
            sql=f"SELECT {', '.join(self.shape.columns)} FROM {_TABLE}",
            key=(self.shape.key,),
            guards=Guards(min_rows=0),
            batch_rows=self.batch_rows,
            threads=self.threads,
            requests_per_s=float("inf"),
            lane_wait_s=0,
            lease_s=LEASE_S,
            **self.shape.options(),
        )

    def _execute(self, sql: str, params: Any = ()) -> None:
        with self.state.session() as session:
            session.execute(sql, params)


def live(seed: int, shape: str = "users") -> Figures:
    """Let a world live from its first day to its clean run, and give what happened."""
    rng = random.Random(seed)  # noqa: S311 - test data
    world = World(rng, shape)
    try:
        with one_thread(world.clock):
            for _ in range(rng.randint(2, 4)):
                world.next_day()
                storm = rng.random() < 0.85
                world.run(world.stormy(may_freeze=True) if storm else None)
                world.wait(rng.choice([0.0, 30.0, 3_700.0, TAKEN_OVER_S]))
            return world.end()
    finally:
        world.close()
