"""The demo without Airflow: its five runs, synced to a sandbox in this process."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import TYPE_CHECKING

import checks
import expectation
import playground
import read_back
import state_tables
from expectation import USERS
from expected_events import SINCE
from iterable_sync.client import IterableClient
from iterable_sync.errors import Superseded
from iterable_sync.models import render
from iterable_sync.rows import Project, ProjectType
from iterable_sync.run import run_sync
from iterable_sync.shop.config import ShopConfig
from iterable_sync.shop.plan import planned
from iterable_sync.spec import SyncSpec
from iterable_sync.state import DuckDBSource, DuckDBState
from local_iterable import LocalIterable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from iterable_sync.sandbox.server import SandboxServer
    from iterable_sync.shop.plan import Task
    from local_iterable import Contents

PEOPLE = 200
# That of the example DAG, which test_commands.py plays.
CONFIG = ShopConfig(
    since=SINCE.replace(tzinfo=UTC), lists={"Cart abandoners": "audience = 'Cart Abandoners'"}
)


@dataclass(frozen=True)
class Ran:
    """
    One run of all syncs.

    Args:
        older: those for which newer data has been sent.
    """

    as_of: datetime
    runs: list[state_tables.SyncRun]
    older: list[str]
    all_writes: list[checks.Request]
    writes: dict[str, list[checks.Request]]
    held: Contents
    kept: Mapping[str, state_tables.Kept]


class ThreeDays:
    """Three days of a shop, the third once more, and the second when it is over."""

    def __init__(self, sandbox: SandboxServer) -> None:
        self.place = playground.Playground(users=PEOPLE, keep=False)
        self.sandbox = sandbox
        self.iterable = LocalIterable(sandbox.url)
        self.days: list[expectation.Expected] = []
        self.ran: list[Ran] = []
        for day in (1, 2, 3):
            self.place.move_to(day)
            as_of = end_of(day)
            before = self.days[-1:]
            self.days.append(expectation.read(self.place.warehouse, as_of, *before))
            self._run(as_of)
        self._run(end_of(3))
        self._run(end_of(2))
        first, _, third = self.days
        self.changes = third.changes_since(self.days[1])
        self.people = third.people_since(self.days[1])
        self.gone = (first.profiles.keys() | self.days[1].profiles.keys()) - third.profiles.keys()

    def _run(self, as_of: datetime) -> None:
        known = sum(len(one.runs) for one in self.ran)
        before = self.iterable.last_request()
        tasks = [task for task in planned(CONFIG) if task.object]
        older = [task.task_id for task in tasks if not self._sync(task, as_of)]
        runs = state_tables.runs(self.place.state)[known:]
        all_writes = self.iterable.writes(before)
        writes, stray = checks.by_sync(runs, all_writes)
        assert stray == []
        kept = state_tables.kept(self.place.state)
        held = self.iterable.contents()
        self.ran.append(Ran(as_of, runs, older, all_writes, writes, held, kept))

    def _sync(self, task: Task, as_of: datetime) -> bool:
        assert task.object is not None
        given, moment = task.arguments, as_of.replace(tzinfo=UTC)
        try:
            run_sync(
                SyncSpec(
                    sync=given["sync"],
                    object=task.object,
                    sql=render(given["sql"], as_of=moment, **given["params"]),
                    key=given["key"],
                    guards=given["guards"] or {},
                    as_of=moment,
                    requests_per_s=float("inf"),
                    **given["options"] | {"dry_run": False},
                ),
                source=DuckDBSource(str(self.place.warehouse)),
                state=DuckDBState(str(self.place.state)),
                client=IterableClient(
                    self.sandbox.api_key,
                    Project("1", "us", ProjectType.HYBRID),
                    sandbox=True,
                    base_url=self.sandbox.url,
                ),
            )
        except Superseded:
            return False
        return True

    def compare(self) -> read_back.People:
        """Compare users at the end, as the demo does."""
        last = self.ran[-1]
        return read_back.compare(
            self.days[-1], last.held.profiles, last.kept[USERS], gone=self.gone
        )


def end_of(day: int) -> datetime:
    """Give the midnight after a day, naive and in UTC."""
    return SINCE + timedelta(days=day)
