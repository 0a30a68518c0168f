"""A shop whose people are canaries, the real operator over it, and all that tasks leave behind."""

from __future__ import annotations

import json
import logging
import traceback
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from airflow.providers.common.compat.sdk import DAG

from airflow_task import run_task
from fakes import Clock
from harness import World
from iterable_sync.operators.users import IterableUsersOperator
from iterable_sync.run import run_sync
from iterable_sync.state import DuckDBSource, DuckDBState, PostgresSource, PostgresState
from security import canaries

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import pytest

    from airflow_task import Done
    from iterable_sync.operators.sync import IterableSyncOperator
    from iterable_sync.sandbox.server import SandboxServer

COLUMNS = {
    "user_id": "text",
    "email": "text",
    "name": "text",
    "phone": "text",
    "notes": "text",
    "points": "bigint",
}
# Whose DEBUG lines are looked through by name: a level of their own would hide them.
LOGGERS = ("airflow", "duckdb", "httpx", "iterable_sync", "psycopg", "requests", "task", "urllib3")


class Heard(logging.Handler):
    """Keeps all that is logged, as text: message, arguments, exception."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []
        self.names: set[str] = set()
        self._format = logging.Formatter("%(name)s %(message)s")

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record."""
        self.names.add(record.name)
        self.lines += [self._format.format(record), repr(record.args)]


@dataclass
class Stage:
    """
    A world, the connections that lead to it, and how to run a task in it.

    Args:
        connections: by id, as Airflow reads them.
    """

    world: World
    monkeypatch: pytest.MonkeyPatch
    capfd: pytest.CaptureFixture[str]
    connections: dict[str, dict[str, Any]] = field(default_factory=dict)
    operator: type[IterableSyncOperator] = IterableUsersOperator
    heard: Heard = field(default_factory=Heard)
    shown: list[str] = field(default_factory=list)

    @property
    def server(self) -> SandboxServer:
        """The sandbox."""
        return self.world.server

    def put(self, *rows: tuple[Any, ...]) -> None:
        """Replace the people."""
        self.world.put(*rows, columns=COLUMNS)

    def change(self, sql: str) -> None:
        """Run SQL in the warehouse; ``{users}`` is the table."""
        self.world.execute(sql.replace("{users}", f"{self.world.prefix}users"))

    def model(self, *more: str, where: str = "") -> str:
        """Give the model: all columns, and more expressions."""
        return f"SELECT {', '.join([*COLUMNS, *more])} FROM {self.world.prefix}users {where}"

    def run(self, sql: str | None = None, **arguments: Any) -> Done:
        """Run the operator as a worker would, and keep what it shows."""
        _, task = self.task(sql, **arguments)
        with listening(self.heard):
            done = run_task(task, retries=2)
        self.shown.append(as_text(done))
        return done

    def task(self, sql: str | None, **arguments: Any) -> tuple[DAG, IterableSyncOperator]:
        """Give a DAG with the operator, and define the connections."""
        for conn_id, connection in self.connections.items():
            self.monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(connection))
        options = {"requests_per_s": 1e6, "threads": 2} | arguments.pop("options", {})
        with DAG("shop", schedule=None) as dag:
            task = self.operator(
                **{
                    "task_id": "users",
                    "sql": sql or self.model(),
                    "key": "user_id",
                    "state_conn_id": "state",
                    "options": options,
                    **arguments,
                }
            )
        return dag, task

    def everything(self) -> str:
        """Give all that was shown and kept, but for the snapshot and the plan."""
        printed = self.capfd.readouterr()
        return "\n".join(
            [*self.heard.lines, printed.out, printed.err, *self.shown, *self.state_tables()]
        )

    def state_tables(self) -> list[str]:
        """Give the rows of the state tables, but for the snapshot and the plan."""
        with self.world.state.session() as session:
            tables = session.rows(
                "SELECT table_schema, table_name FROM information_schema.tables "
                "WHERE table_name NOT LIKE 'snapshot%' AND table_name NOT LIKE 'plan%' "
                "AND table_schema IN ('main', 'iterable_sync')"
            )
            return [
                f"{schema}.{name}: {row}"
                for schema, name in tables
                # As text: DuckDB hands out times only where pytz is installed.
                for row in session.rows(f'SELECT CAST(t AS text) FROM "{schema}"."{name}" AS t')
            ]


@contextmanager
def listening(heard: Heard) -> Iterator[None]:
    """Let *heard* hear every logger, at DEBUG."""
    root = logging.getLogger()
    loggers = [root, *map(logging.getLogger, LOGGERS)]
    before = [(logger, logger.level) for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    root.addHandler(heard)
    try:
        yield
    finally:
        root.removeHandler(heard)
        for logger, level in before:
            logger.setLevel(level)


def as_text(done: Done) -> str:
    """Give what a task hands over: XCom, rendered fields, asset events, its error in full."""
    error = done.error
    parts = [json.dumps(done.xcoms), json.dumps(done.rendered), json.dumps(done.told, default=str)]
    while error is not None:
        parts += [str(error), repr(error), repr(error.args), repr(vars(error))]
        parts += traceback.format_exception(error)
        error = error.__cause__ or error.__context__
    return "\n".join(parts)


def people(*numbers: int) -> list[tuple[Any, ...]]:
    """Give rows whose values are canaries; the key is none."""
    return [
        (f"u{n}", canaries.email(n), canaries.NAME, canaries.PHONE, canaries.email(n), n)
        for n in numbers
    ]


@contextmanager
def stage_of(
    engine: str,
    server: SandboxServer,
    postgres: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Iterator[Stage]:
    """Give a stage whose warehouse and state are of one engine; its waits take no time."""
    clock = Clock()
    monkeypatch.setitem(run_sync.__kwdefaults__, "clock", clock)
    monkeypatch.setitem(run_sync.__kwdefaults__, "sleep", clock.sleep)
    server.reset(project_type="email")
    server.fail()
    iterable = {
        "conn_type": "iterable",
        "host": server.url,
        "password": server.api_key,
        "extra": {
            "data_center": "us",
            "project_id": "1",
            "project_type": "email",
            "sandbox": True,
        },
    }
    make = _in_duckdb(server, folder) if engine == "duckdb" else _in_postgres(server, postgres)
    with make as (world, connections):
        stage = Stage(world, monkeypatch, capfd, {**connections, "iterable_default": iterable})
        stage.put(*people(1, 2, 3, 4, 5))
        yield stage


@contextmanager
def _in_duckdb(
    server: SandboxServer, folder: Path
) -> Iterator[tuple[World, Mapping[str, dict[str, Any]]]]:
    import duckdb

    warehouse, state = str(folder / "warehouse.duckdb"), str(folder / "state.duckdb")

    def execute(sql: str) -> None:
        with duckdb.connect(warehouse) as connection:
            connection.execute(sql)

    world = World("duckdb", DuckDBSource(warehouse), DuckDBState(state), server, execute)
    yield (
        world,
        {
            "warehouse": {"conn_type": "duckdb", "host": warehouse},
            "state": {"conn_type": "duckdb", "host": state},
        },
    )


@contextmanager
def _in_postgres(
    server: SandboxServer, conninfo: str
) -> Iterator[tuple[World, Mapping[str, dict[str, Any]]]]:
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    parts = conninfo_to_dict(conninfo)
    connection = {
        "conn_type": "postgres",
        "login": parts["user"],
        # The server trusts whoever reaches its socket: the password is sent to nobody.
        "password": canaries.DATABASE_PASSWORD,
        "schema": parts["dbname"],
        "extra": {"host": parts["host"]},
    }
    schema = f"t{uuid4().hex[:12]}"
    state = PostgresState(conninfo)
    with psycopg.connect(conninfo, autocommit=True) as owner:

        def execute(sql: str) -> None:
            owner.execute(sql.encode())

        execute(f"CREATE SCHEMA {schema}")
        try:
            source = PostgresSource(conninfo)
            world = World("postgres", source, state, server, execute, prefix=f"{schema}.")
            yield world, {"warehouse": connection, "state": connection}
        finally:
            state.close()
            execute(f"DROP SCHEMA {schema} CASCADE; DROP SCHEMA IF EXISTS iterable_sync CASCADE")
