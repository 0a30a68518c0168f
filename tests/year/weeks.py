"""Weeks of the shop: its syncs run, fail and die, and Iterable is compared to what is expected."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from random import Random
from typing import TYPE_CHECKING, Any

from fakes import Clock
from iterable_sync.client import IterableClient
from iterable_sync.errors import IterableSyncError
from iterable_sync.failpoints import POINTS, install
from iterable_sync.rows import Project, ProjectType, RunEnd
from iterable_sync.run import run_sync
from iterable_sync.spec import SyncSpec
from year.expected import Expected, differences, without_maybe
from year.held import held
from year.shop import TABLES, Shop
from year.syncs import ALWAYS, BY_USER_ID, SYNCS, USERS, faults, in_order, shuffled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness import World
    from iterable_sync.rows import RunReport

LIST = "Tea friends"
_MOST_TRIES = 12


@dataclass
class Year:
    """
    A shop, its syncs, and what Iterable should hold.

    Args:
        seed: of all that happens.

        kind: type of the project.

        size: people of the first week.

        compared_every: so many weeks.

        resting: share of the syncs that do not run in a week.

        said: what happened, for people who read of a failure.
    """

    world: World
    seed: int
    kind: ProjectType = ProjectType.EMAIL
    size: int = 60
    compared_every: int = 13
    resting: float = 0.15
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = Random(self.seed)  # noqa: S311 -- must repeat
        self.world.with_project(self.kind)
        self.world.change(subscriptions_enabled=True)
        server = self.world.server
        with server.app_state.lock:
            number = server.app_state.lists.create(LIST, 1).id
        features = frozenset(ALWAYS)
        self.shop = Shop(Random(self.seed), self.size, number, features)  # noqa: S311 -- must repeat
        self.expected = Expected(LIST, by_email=self.kind is ProjectType.EMAIL)
        self._asked: dict[str, int] = {}
        self._rested: set[str] = set()
        self.kills = self.failed = self.runs = 0

    def live(self, weeks: int) -> list[str]:
        """Let weeks pass; give what is wrong at those that are looked at, the first of them."""
        for week in range(weeks):
            self.pass_week()
            if (week + 1) % self.compared_every == 0 or week == weeks - 1:
                self.run_all()
                if wrong := self.wrong():
                    return wrong
        return []

    def pass_week(self) -> None:
        """Let the world change, and the syncs of a week run."""
        story = self.shop.next_week()
        self._put()
        rng = self.rng
        wildly, is_bad, is_deadly = (rng.random() < share for share in (0.4, 0.4, 0.4))
        # The first run of all: nobody can wait for people of whom no sync has told.
        wildly = wildly and self.shop.week > 0
        # A sync that does not run in a week has more to tell in the next one.
        needed = {name for name, table in ALWAYS.items() if self._is_new(table)}
        resting = {name for name in SYNCS if name not in needed and rng.random() < self.resting}
        resting = resting if self.shop.week else set()
        # People who are new are known after two weeks at the latest.
        resting -= {USERS} & self._rested
        dying = set(rng.sample(sorted(SYNCS), 3)) if is_deadly else set()
        if is_bad or dying & ALWAYS.keys() or self.kind is not ProjectType.EMAIL:
            # Whose request had to be looked up afterwards waits for the sync of users. By userId
            # nobody waits: who opts out before users has told of them is passed over.
            resting, wildly = resting - {USERS}, False
        self._rested = resting
        order = shuffled(rng, [name for name in SYNCS if name not in resting], wildly=wildly)
        self._say(f"week {self.shop.week}: {'; '.join(story)}")
        self._say(f"  {' '.join(order)}" + (" with faults" if is_bad else ""))
        for name in order:
            if name in dying:
                self._die(name)
            if is_bad:
                self._fail(name)
            self._run_clean(name)

    def _is_new(self, table: str) -> bool:
        """Tell whether a table of requests has others than when it was asked for last."""
        rows = len(self.shop.tables()[table])
        is_new = rows != self._asked.get(table, 0)
        self._asked[table] = rows
        return is_new

    def run_all(self) -> None:
        """Run all syncs in the order that is written down, each until it is clean."""
        for name in in_order(SYNCS):
            self._run_clean(name)

    def wrong(self) -> list[str]:
        """Give what Iterable holds otherwise than it should."""
        found = held(self.world.server.contents())
        return differences(self.expected.shown(), without_maybe(found, self.expected.maybe))

    def told(self) -> dict[str, Any]:
        """Give figures of what happened."""
        people = self.expected.people.values()
        return {
            "seed": self.seed,
            "weeks": self.shop.week + 1,
            "runs": self.runs,
            "with_faults": self.failed,
            "killed": self.kills,
            "people": len(people),
            "events": sum(len(person.events) + len(person.told) for person in people),
            "purchases": sum(len(person.purchases) for person in people),
        }

    def _run_clean(self, name: str) -> None:
        ends = []
        for _ in range(_MOST_TRIES):
            report = self._run(name)
            ends.append(report.end)
            if report.end is RunEnd.CLEAN:
                break
            # Whether a list was created is known a minute later.
            self.world.write("UPDATE {lists} SET intent_at = intent_at - INTERVAL '2 minutes'")
        else:
            raise AssertionError(f"{name} ended {ends}: {report}")
        self.expected.run(name, self.shop.tables(), self.shop.end)

    def _fail(self, name: str) -> None:
        rules = faults(self.rng)
        self.world.server.fail(*rules, seed=self.rng.randint(0, 10**6))
        try:
            report = self._run(name)
            self._say(f"  {name} with faults ends {report.end}")
        except IterableSyncError as error:
            self._say(f"  {name} with faults raises {type(error).__name__}")
        finally:
            self.world.server.fail()
        self.failed += 1

    def _die(self, name: str) -> None:
        point, hit = self.rng.choice(POINTS), self.rng.randint(1, 2)
        met = 0

        def hook(at: str) -> None:
            nonlocal met
            met += at == point
            if at == point and met == hit:
                raise MemoryError

        install(hook)
        try:
            self._run(name)
        except MemoryError:
            self.kills += 1
            self._say(f"  {name} dies at {point}")
        finally:
            install(None)
            self.world.expire_leases()

    def _run(self, name: str) -> RunReport:
        self.runs += 1
        clock = Clock()
        report = run_sync(
            self._spec(name),
            source=self.world.source,
            client=self._client(),
            state=self.world.state,
            clock=clock,
            sleep=clock.sleep,
        )
        assert {} == report.differences()
        return report

    def _spec(self, name: str) -> SyncSpec:
        tables = {table: f"{self.world.prefix}{table}" for table in TABLES}
        declared: dict[str, Any] = dict(SYNCS[name])
        if self.kind is not ProjectType.EMAIL:
            declared |= BY_USER_ID.get(name, {})
        declared["sql"] = declared["sql"].format_map(tables)
        return SyncSpec(
            sync=name,
            as_of=self.shop.end,
            threads=2,
            batch_rows=25,
            requests_per_s=inf,
            lane_wait_s=0,
            # A sync that rests for some weeks finds that most has changed.
            guards={"min_rows": 0, "max_changed": 1, "max_removed": 1},
            thresholds={"max_rejected": 1},
            **declared,
        )

    def _client(self) -> IterableClient:
        server = self.world.server
        return IterableClient(
            server.api_key,
            Project("1", "us", self.kind),
            base_url=server.url,
            sandbox=True,
            deadline_s=10.0,
        )

    def _put(self) -> None:
        """Write all tables of the warehouse anew."""
        statements = []
        for table, rows in self.shop.tables().items():
            columns, name = TABLES[table], f"{self.world.prefix}{table}"
            ddl = ", ".join(f'"{column}" {kind}' for column, kind in columns.items())
            statements += [f"DROP TABLE IF EXISTS {name}", f"CREATE TABLE {name} ({ddl})"]
            if rows:
                values = ", ".join(_values([row[column] for column in columns]) for row in rows)
                statements.append(f"INSERT INTO {name} VALUES {values}")
        self.world.execute("; ".join(statements))

    def _say(self, words: str) -> None:
        self.said.append(words)


def _values(row: Sequence[Any]) -> str:
    return f"({', '.join(map(_literal, row))})"


def _literal(value: Any) -> str:
    if value is None:
        return "NULL"
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else str(value)
