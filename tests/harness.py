"""A small world for tests of the core: a warehouse, state, a sandbox over HTTP, and runs."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, Any

from iterable_sync.client import IterableClient
from iterable_sync.rows import Project, ProjectType
from iterable_sync.run import run_sync
from iterable_sync.spec import SyncSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from iterable_sync.client import Answer
    from iterable_sync.rows import RunReport
    from iterable_sync.sandbox.server import SandboxServer
    from iterable_sync.state import Source, StateEngine

BULK = "/api/users/bulkUpdate"
FIELDS = "/api/users/getFields"
USERS = {"user_id": "text", "email": "text", "city": "text", "points": "bigint"}
_MANAGED = {"signupSource", "profileUpdatedAt", "itblInternal", "signupDate"}


class Client(IterableClient):
    """
    A client of the sandbox that notes each write, method, path and body, and lets a test look in.

    Args:
        before: called with (number of the POST from 1, its users) before it is sent; what it
            raises is raised by the client, and bytes that it returns are sent instead.

        after: the same, after its answer was read.
    """

    def __init__(
        self,
        server: SandboxServer,
        project_type: ProjectType,
        *,
        deadline_s: float = 10.0,
        project_id: str = "1",
        before: Callable[[int, list[dict[str, Any]]], Any] = lambda _n, _users: None,
        after: Callable[[int, list[dict[str, Any]]], Any] = lambda _n, _users: None,
    ) -> None:
        super().__init__(
            server.api_key,
            Project(project_id, "us", project_type),
            base_url=server.url,
            sandbox=True,
            deadline_s=deadline_s,
        )
        self.bodies: list[dict[str, Any]] = []
        self.endpoints: list[tuple[str, str]] = []
        self._before = before
        self._after = after
        self._lock = threading.Lock()

    def send(self, method: str, path: str, body: bytes) -> Answer:
        document = json.loads(body) if body else {}
        with self._lock:
            self.bodies.append(document)
            self.endpoints.append((method, path))
            number = len(self.bodies)
        rows = next((value for value in document.values() if isinstance(value, list)), [])
        instead = self._before(number, rows)
        answer = super().send(method, path, body if instead is None else instead)
        self._after(number, rows)
        return answer


@dataclass
class World:
    """
    One warehouse, one state and one Iterable project.

    Args:
        execute: runs SQL in the warehouse.

        prefix: of table names in the model SQL.
    """

    engine: str
    source: Source
    state: StateEngine
    server: SandboxServer
    execute: Callable[[str], None]
    prefix: str = ""
    project_type: ProjectType = ProjectType.EMAIL
    columns: dict[str, str] = field(default_factory=lambda: dict(USERS))
    client: Client | None = None

    def with_project(self, kind: ProjectType) -> World:
        """Turn the empty project into one of another type."""
        self.project_type = kind
        self.server.reset(project_type=kind.value)
        return self

    # -- the warehouse ------------------------------------------------------------------------

    def put(
        self,
        *rows: Sequence[Any],
        columns: Mapping[str, str] | None = None,
        table: str = "users",
    ) -> None:
        """Replace the table by these rows; *columns* (name -> SQL type) stay as they were."""
        if columns is not None:
            self.columns = dict(columns)
        name = f"{self.prefix}{table}"
        ddl = ", ".join(f'"{column}" {kind}' for column, kind in self.columns.items())
        statements = [f"DROP TABLE IF EXISTS {name}", f"CREATE TABLE {name} ({ddl})"]
        if rows:
            values = ", ".join("(" + ", ".join(map(_literal, row)) + ")" for row in rows)
            statements.append(f"INSERT INTO {name} VALUES {values}")
        self.execute("; ".join(statements))

    def sql(self, *columns: str, table: str = "users") -> str:
        """Give the model: the table's columns, or those that are named."""
        names = ", ".join(columns or (f'"{name}"' for name in self.columns))
        return f"SELECT {names} FROM {self.prefix}{table}"

    # -- runs ---------------------------------------------------------------------------------

    def spec(self, **changes: Any) -> SyncSpec:
        """Give a sync of users without pacing."""
        values = {
            "sync": "users",
            "object": "users",
            "sql": self.sql(),
            "key": "user_id",
            "threads": 2,
            "requests_per_s": inf,
            "lane_wait_s": 0,
        }
        return SyncSpec(**values | changes)

    def connect(self, **options: Any) -> Client:
        """Give a new client; it is the one that :attr:`client` names."""
        self.client = Client(self.server, self.project_type, **options)
        return self.client

    def sync(
        self,
        spec: SyncSpec | None = None,
        *,
        client: Client | None = None,
        state: StateEngine | None = None,
        options: Mapping[str, Any] | None = None,
        **changes: Any,
    ) -> RunReport:
        """Run a sync, check that every row is accounted for, and give its report."""
        report = run_sync(
            spec or self.spec(**changes),
            source=self.source,
            client=client or self.connect(),
            state=state or self.state,
            **(options or {}),
        )
        if not report.dry_run:
            assert {} == report.differences()
        return report

    @property
    def sent(self) -> list[dict[str, Any]]:
        """The users in the requests of the latest client, in order of their key."""
        assert self.client is not None
        users = [user for body in self.client.bodies for user in body["users"]]
        return sorted(users, key=lambda user: user.get("email") or user.get("userId"))

    @property
    def sent_fields(self) -> dict[str, dict[str, Any]]:
        """Who was in the requests of the latest client: e-mail or userId -> data fields."""
        return {user.get("email") or user["userId"]: user["dataFields"] for user in self.sent}

    # -- what became of it --------------------------------------------------------------------

    def rows(self, sql: str, state: StateEngine | None = None) -> list[tuple[Any, ...]]:
        """Query the state; ``{name}`` is a table of it."""
        engine = state or self.state

        class Tables(dict[str, str]):
            def __missing__(self, name: str) -> str:
                return engine.table(name)

        with engine.session() as session:
            return session.rows(sql.format_map(Tables()))

    def write(self, sql: str) -> None:
        """Change the state behind the back of everybody; ``{name}`` is a table of it."""

        class Tables(dict[str, str]):
            def __missing__(_, name: str) -> str:  # noqa: N805
                return self.state.table(name)

        with self.state.session() as session:
            session.execute(sql.format_map(Tables()))

    def snapshot(self, sync: str = "users") -> dict[str, dict[str, Any]]:
        """Give the snapshot: first key column -> row."""
        found = self.rows(
            f"SELECT snapshot_table, key_columns FROM {{syncs}} WHERE sync = '{sync}'"
        )
        if not found:
            return {}
        table, keys = found[0][0], json.loads(found[0][1])
        with self.state.session() as session:
            # DuckDB hands out times only where pytz is installed.
            names = [n for n in self.state.columns_of(session, table) if n != "_accepted_at"]
            quoted = ", ".join(f'"{name}"' for name in names)
            rows = session.rows(f"SELECT {quoted} FROM {self.state.table(table)}")
        return {row[names.index(keys[0])]: dict(zip(names, row, strict=True)) for row in rows}

    def acknowledged(self, *columns: str, sync: str = "users") -> dict[str, tuple[Any, ...]]:
        """Give the live rows of the snapshot: key -> values of *columns*."""
        return {
            key: tuple(row[column] for column in columns)
            for key, row in self.snapshot(sync).items()
            if row["_status"] == "live"
        }

    def dirty(self, sync: str = "users") -> dict[str, set[str]]:
        """Give the columns in doubt: key -> names (all of them where everything is)."""
        fields = json.loads(self.rows(f"SELECT fields FROM {{syncs}} WHERE sync = '{sync}'")[0][0])
        names = {f["position"]: f["name"] for f in fields if not f["dropped"]}
        return {
            key: {"*"}
            if row["_dirty"] == "*"
            else {names[i] for i, bit in enumerate(row["_dirty"]) if bit == "1"}
            for key, row in self.snapshot(sync).items()
            if row["_dirty"] is not None
        }

    def rejections(self) -> set[tuple[str, str, str]]:
        """Give the rejections: (key, column or '', reason)."""
        return set(self.rows("SELECT key, field, reason FROM {rejections}"))

    def held(self) -> set[tuple[str, str, str]]:
        """Give the held changes: (op, key, guard)."""
        return set(self.rows("SELECT op, key, guard FROM {held_keys}"))

    def runs(self) -> list[str]:
        """Give how the runs ended, in order."""
        return [row[0] for row in self.rows("SELECT state FROM {runs} ORDER BY token")]

    def batches(self) -> list[str]:
        """Give the states of the batches of all runs, in order."""
        return [r[0] for r in self.rows("SELECT state FROM {batches} ORDER BY token, number")]

    def expire_leases(self) -> None:
        """Let the leases of a dead run end now, not in two minutes."""
        self.write("UPDATE {leases} SET held_until = now() - INTERVAL '1 second'")

    # -- Iterable -----------------------------------------------------------------------------

    def users(self) -> dict[str, dict[str, Any]]:
        """Give what Iterable holds: key -> written fields, identifiers included."""
        with self.server.app_state.lock:
            people = {
                key: person.data_fields() for key, person in self.server.app_state.people.profiles()
            }
        return {
            key: {name: value for name, value in fields.items() if name not in _MANAGED}
            for key, fields in people.items()
        }

    def writes(self) -> int:
        """Count the write requests since the last reset."""
        with self.server.app_state.lock:
            return sum(e.path == BULK for e in self.server.app_state.history.page(0, 10**9))

    def answer_next(self, *answers: Mapping[str, Any], path: str = BULK) -> None:
        """Let the sandbox give these answers to the next requests below *path*, in order."""
        rule = {"kind": "answer", "endpoint": f"{path}*", "times": 1}
        self.server.app_state.fail([rule | dict(answer) for answer in answers])

    def change(self, **settings: Any) -> None:
        """Change switches of the sandbox."""
        with self.server.app_state.lock:
            self.server.app_state.change(settings)


def _literal(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return str(value)


def people(*numbers: int, city: str = "Bern", points: int = 1) -> Iterable[tuple[Any, ...]]:
    """Give rows ``u<n>, u<n>@example.com, city, points``."""
    return [(f"u{n}", f"u{n}@example.com", city, points) for n in numbers]


def duckdb_world(server: SandboxServer, folder: Path) -> World:
    """Give a warehouse and state in two DuckDB files of a folder."""
    import duckdb

    from iterable_sync.state import DuckDBSource, DuckDBState

    warehouse = str(folder / "warehouse.duckdb")

    def execute(sql: str) -> None:
        with duckdb.connect(warehouse) as connection:
            connection.execute(sql)

    execute("SELECT 1")
    server.reset(project_type="email")
    state = DuckDBState(str(folder / "state.duckdb"))
    return World("duckdb", DuckDBSource(warehouse), state, server, execute)


@contextmanager
def postgres_world(server: SandboxServer, conninfo: str, name: str) -> Iterator[World]:
    """Give a warehouse and state in two schemas of a database, for as long as the block lasts."""
    import psycopg

    from iterable_sync.state import PostgresSource, PostgresState

    state = PostgresState(conninfo, schema=f"{name}_state")
    server.reset(project_type="email")
    with psycopg.connect(conninfo, autocommit=True) as connection:

        def execute(sql: str) -> None:
            connection.execute(sql.encode())

        execute(f"CREATE SCHEMA {name}")
        try:
            yield World(
                "postgres", PostgresSource(conninfo), state, server, execute, prefix=f"{name}."
            )
        finally:
            state.close()
            execute(f"DROP SCHEMA {name} CASCADE; DROP SCHEMA IF EXISTS {name}_state CASCADE")
