"""The demo without Airflow: its days, synced to a sandbox in this process."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import checks
import expectation
import playground
import read_back
import state_tables
from iterable_sync.client import IterableClient
from iterable_sync.rows import Project, ProjectType
from iterable_sync.run import run_sync
from iterable_sync.spec import SyncSpec
from iterable_sync.state import DuckDBSource, DuckDBState
from local_iterable import LocalIterable

if TYPE_CHECKING:
    from iterable_sync.sandbox.server import SandboxServer
    from local_iterable import Contents

ROOT = Path(__file__).parents[2]
USERS = 200
SINCE = "2026-01-01T00:00:00Z"
# As in the DAG, without its pace.
SYNCS: dict[str, dict[str, Any]] = {
    "users": {"model": "users", "key": "user_id"},
    "audiences": {"model": "audience_memberships", "key": ["user_id", "audience"]},
    "orders": {
        "model": "orders",
        "key": "order_id",
        "since": SINCE,
        "line_key": "items__lineNo",
    },
    "carts": {
        "model": "carts",
        "key": "user_id",
        "guards": {"max_removed": 0.5, "max_changed": 0.9},
    },
    "events": {"model": "events", "key": "view_id", "since": SINCE},
}


class TwoDays:
    """The two days of a shop, synced to a sandbox in this process, as the demo's DAG does it."""

    def __init__(self, sandbox: SandboxServer) -> None:
        self.place = playground.Playground(users=USERS, keep=False)
        self.sandbox = sandbox
        self.iterable = LocalIterable(sandbox.url)
        self.days: list[expectation.Expected] = []
        self.held: list[Contents] = []
        self.runs: list[list[state_tables.SyncRun]] = []
        self.all_writes: list[list[checks.Request]] = []
        self.writes: list[dict[str, list[checks.Request]]] = []
        for day in (1, 2, 2):
            self.place.move_to(day)
            self.days.append(expectation.read(self.place.warehouse, *self.days[-1:]))
            before = self.iterable.last_request()
            for name, declared in SYNCS.items():
                self._sync(name, **declared)
            self.runs.append(state_tables.runs(self.place.state)[5 * len(self.runs) :])
            self.all_writes.append(self.iterable.writes(before))
            writes, stray = checks.by_sync(self.runs[-1], self.all_writes[-1])
            assert stray == []
            self.writes.append(writes)
            self.held.append(self.iterable.contents())
        self.kept = state_tables.kept(self.place.state)
        self.changes = self.days[1].changes_since(self.days[0])
        self.people = self.days[1].people_since(self.days[0])
        self.gone = set(self.days[0].profiles) - set(self.days[1].profiles)

    def _sync(self, name: str, *, model: str, **declared: Any) -> None:
        run_sync(
            SyncSpec(
                sync=f"shop.{name}",
                object=name,
                sql=(ROOT / "sql" / "models" / f"{model}.sql").read_text(),
                requests_per_s=float("inf"),
                **declared,
                **({} if name == "users" else {"requires": "shop.users"}),
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

    def compare(self) -> read_back.ReadBack:
        held = self.held[-1].profiles
        return read_back.compare(self.days[-1], held, self.kept, gone=self.gone)
