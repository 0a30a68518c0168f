"""One warehouse, one state and one Iterable project, whose runs are processes of their own."""

from __future__ import annotations

import json
import signal
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import duckdb
import psycopg
import requests

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from iterable_sync.sandbox.server import SandboxServer
    from torture.proxy import Proxy
    from torture.truth import Events, Problems, Users
    from torture.zygote import Child, Zygote

SPEED = 50.0
"""By how much waits of the product are shorter here."""

FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "rate_limit", "retry_after": 1},
    {"kind": "rate_limit"},
    *({"kind": "error", "status": status} for status in (500, 502, 503, 504)),
    {"kind": "error", "status": 500, "apply": True},
    {"kind": "error", "status": 503, "html": True, "apply": True},
    {"kind": "bad_json", "apply": True},
    {"kind": "bad_json", "apply": False},
    {"kind": "wrong_shape", "body": [], "apply": True},
    {"kind": "truncate", "apply": True},
    {"kind": "truncate", "apply": False},
    {"kind": "short_length", "apply": True},
    {"kind": "bad_chunks", "apply": True},
    {"kind": "delay", "delay_s": 0.05},
    {"kind": "close_idle"},
    *({"kind": "reset", "at": at} for at in ("start", "upload", "handled", "answer")),
)
THREADS = 4
BATCH = 10


@dataclass
class Scene:
    """
    Where processes run.

    Args:
        source: of the warehouse: a file, or a connection string of Postgres.

        state: a file, or a schema.

        speed: by how much waits of the product are shorter.

        deadline_s: of a request.

        latency_ms: of Iterable.
    """

    engine: str
    zygote: Zygote
    sandbox: SandboxServer
    proxy: Proxy
    shape: Users | Events
    source: str
    state: str
    spec: dict[str, Any] = field(default_factory=dict)
    speed: float = SPEED
    deadline_s: float = 5.0
    latency_ms: float = 0.0

    def __post_init__(self) -> None:
        self.proxy.share = 0.0
        self._control("POST", "reset", project_type=self._project_type, rate_limits=False)
        if people := getattr(self.shape, "people", None):
            self._control("POST", "seed", users=people)
        settings = getattr(self.shape, "settings", {})
        self._control("POST", "settings", latency_ms=self.latency_ms, **settings)
        self.be_calm()

    @property
    def _project_type(self) -> str:
        return getattr(self.shape, "project_type", "userId")

    # -- the warehouse ----------------------------------------------------------------------------

    @property
    def table(self) -> str:
        """The qualified name of the warehouse's table."""
        of = f"{self.state}_source." if self.engine == "postgres" else ""
        return f"{of}{self.shape.table}"

    def put(self) -> None:
        """Let the table hold the rows of the shape."""
        rows = list(self.shape.rows.values())
        fill = ", ".join("(" + ", ".join(map(_literal, row)) + ")" for row in rows)
        with self._warehouse() as execute:
            if self.engine == "postgres":
                execute(f"CREATE SCHEMA IF NOT EXISTS {self.state}_source")
            execute(f"CREATE TABLE IF NOT EXISTS {self.table} ({self.shape.ddl})")
            execute(f"BEGIN; DELETE FROM {self.table}")
            if rows:
                execute(f"INSERT INTO {self.table} VALUES {fill}")
            execute("COMMIT")

    @contextmanager
    def _warehouse(self) -> Iterator[Any]:
        if self.engine == "duckdb":
            with duckdb.connect(self.source) as connection:
                yield connection.execute
        else:
            with psycopg.connect(self.source, autocommit=True) as connection:
                yield lambda sql: connection.execute(sql.encode())

    # -- runs -------------------------------------------------------------------------------------

    def start(self, **more: Any) -> Child:
        """Start a run of the sync."""
        spec = {
            "sync": "torture",
            "sql": f"SELECT * FROM {self.table}",
            "threads": THREADS,
            "batch_rows": BATCH,
            "lane_wait_s": 0,
            "lease_s": 60.0 * self.speed,
            "guards": {"max_removed": 1, "max_changed": 1, "min_rows": 0},
            "thresholds": {"max_rejected": 1},
        }
        told = {
            "engine": self.engine,
            "source": self.source,
            "state": self.state,
            "url": self.proxy.url,
            "api_key": self.sandbox.api_key,
            "project_type": self._project_type,
            "speed": self.speed,
            "deadline_s": self.deadline_s,
        }
        spec |= self.shape.spec | self.spec | more.pop("spec", {})
        return self.zygote.start(told | {"spec": spec} | more)

    def run(self, **more: Any) -> dict[str, Any]:
        """Run the sync to its end, without faults, after the leases of the dead have ended."""
        self.be_calm()
        self.expire()
        child = self.start(**more)
        code = child.wait()
        said = child.said()
        assert code == 0, f"exit code {code}: {self.zygote.log[-3000:]}"
        return said

    def expire(self) -> None:
        """Let the leases of dead runs end now."""
        if self.tables():
            self.write(
                f"UPDATE {self._in_state('leases')} SET held_until = now() - INTERVAL '1 second'"
            )

    # -- faults -----------------------------------------------------------------------------------

    def be_calm(self) -> None:
        """End the faults; the poison stays poison."""
        self.proxy.share = 0.0
        self._plan()

    def be_rough(self, share: float, seed: int) -> None:
        """Let about so many of the requests fail."""
        # A connection carries many requests.
        self.proxy.share = min(4 * share, 0.8)
        rules = [rule | {"probability": share / len(FAULTS)} for rule in FAULTS]
        self._plan(*rules, seed=seed)

    def _plan(self, *rules: dict[str, Any], seed: int = 0) -> None:
        refuse = {"kind": "refuse_rows", "endpoint": self.shape.path, **self.shape.refusals}
        self._control("PUT", "faults", seed=seed, rules=[refuse, *rules])

    def met(self) -> int:
        """Count the faults of the sandbox's plan that happened since it was made."""
        return sum(1 for entry in self.history() if set(entry["faults"]) - {"refuse_rows"})

    # -- what became of it ------------------------------------------------------------------------

    def dump(self) -> dict[str, Any]:
        """Give all that Iterable holds."""
        return dict(self._control("GET", "state"))

    def history(self, after: int = 0) -> list[dict[str, Any]]:
        """Give the requests to the bulk endpoint, oldest first."""
        found: list[dict[str, Any]] = []
        at: int | None = after
        while at is not None:
            page = self._control("GET", f"history?after={at}&limit=1000&path={self.shape.path}")
            found += page["requests"]
            at = page["next_after"]
        return found

    def sent(self, after: int = 0) -> int:
        """Count the rows that Iterable has applied, each as often as it was."""
        return sum(e["counts"].get("success", 0) for e in self.history(after) if e["applied"])

    def last_seq(self) -> int:
        """Give the number of the latest request."""
        return int(self._control("GET", "history?limit=1")["last_seq"])

    def check(self, said: dict[str, Any]) -> Problems:
        """Compare Iterable, rejections and snapshot with the rows after a clean run."""
        dump = self.dump()
        problems = self.shape.check(dump)
        if said.get("differences", said.get("error")):
            problems.wrong.append(f"the run says {said}")
        expected = {(key, "", self.shape.reason) for key in self.shape.refused()}
        found = set(self.rows(f"SELECT key, field, reason FROM {self._in_state('rejections')}"))
        problems.rejections += [f"{row}" for row in sorted(expected ^ found)]
        problems.ahead += self.shape.ahead(dump, self.snapshot())
        return problems

    def snapshot(self) -> dict[str, dict[str, Any]]:
        """Give the snapshot: key -> row."""
        ((name,),) = self.rows(f"SELECT snapshot_table FROM {self._in_state('syncs')}")
        names = [self.shape.key, "_status", "_dirty", *getattr(self.shape, "names", ())]
        columns = ", ".join(names)
        found = self.rows(f"SELECT {columns} FROM {self._in_state(name)}")
        return {row[0]: dict(zip(names, row, strict=True)) for row in found}

    def tables(self) -> list[str]:
        """Give the names of the state's tables."""
        schema = self.state if self.engine == "postgres" else "main"
        found = self.rows(
            f"SELECT table_name FROM information_schema.tables WHERE table_schema = '{schema}'"
        )
        return [row[0] for row in found]

    def _in_state(self, name: str) -> str:
        return f"{self.state}.{name}" if self.engine == "postgres" else name

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Query the state."""
        with self._state() as connection:
            return list(connection.execute(sql).fetchall())

    def write(self, sql: str) -> None:
        """Write into the state."""
        with self._state() as connection:
            connection.execute(sql)

    @contextmanager
    def _state(self) -> Iterator[Any]:
        if self.engine == "duckdb":
            with duckdb.connect(self.state) as connection:
                yield connection
        else:
            with psycopg.connect(self.source, autocommit=True) as connection:
                yield connection

    def _control(self, method: str, path: str, **body: Any) -> Any:
        answer = requests.request(
            method, f"{self.sandbox.url}/__sandbox__/{path}", json=body or None, timeout=30
        )
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text[:500]}"
        return json.loads(answer.content or b"null")


def stop(child: Child, seconds: float = 10.0) -> bool:
    """Wait until a child stands still; False if it has ended."""
    end = time.monotonic() + seconds
    while child.is_running():
        if child.is_stopped():
            return True
        assert time.monotonic() < end, f"process {child.pid} did not stop"
        time.sleep(0.002)
    return False


def resume(child: Child) -> None:
    """Let a stopped child go on."""
    child.signal(signal.SIGCONT)


def _literal(value: Any) -> str:
    if value is None:
        return "NULL"
    return str(value) if isinstance(value, int) else f"'{value}'"


def rows_between(entries: Sequence[dict[str, Any]], since: float, until: float) -> int:
    """Count the rows of requests that were handled between two Unix times."""
    return sum(e["rows"] for e in entries if since <= e["wall_time"] < until)


def duckdb_places(folder: Path) -> tuple[str, str]:
    """Give files for a warehouse and for state."""
    return str(folder / "warehouse.duckdb"), str(folder / "state.duckdb")
