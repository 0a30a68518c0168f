"""
DuckDB files, each attached to an engine that is running already, in place of an engine of its own.

To start an engine takes 10 ms of CPU, half of what a test on DuckDB took; to attach a file and to
detach it takes 0.4 ms. What the product sees of a file is the same: its name in SQL, its lock, who
else may open it, what is left in it.

Nothing of one test is left to the next: an engine has one file at a time, temporary tables end
with their connection, the settings of an engine are locked, and one in which anything is left
attached is not used again. As their tables are small, the engines have one thread and look for no
good plan. What does not fit into memory is beside the file only where a test asks for that by name.
"""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch
from weakref import WeakSet

import duckdb

from scratch import scratch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_Settings = tuple[tuple[str, str], ...]

# No name that a file gives its database.
_OWN = "of the engine"
_LEFT = (
    f"SELECT database_name FROM duckdb_databases() WHERE NOT internal AND database_name <> '{_OWN}'"
)


@dataclass
class _Engine:
    """
    An engine, and the file that it has.

    Args:
        asked: what the file was opened with; a second connection has to ask for the same.
    """

    settings: _Settings
    connection: duckdb.DuckDBPyConnection
    path: str = ""
    database: str = ""
    asked: tuple[bool, dict[str, Any]] = (False, {})
    connections: int = 0


@dataclass
class Engines:
    """
    Engines that are running, of one process.

    Args:
        start: DuckDB's own ``connect``.
    """

    start: Callable[..., duckdb.DuckDBPyConnection]
    pid: int = field(default_factory=os.getpid)
    lock: threading.RLock = field(default_factory=threading.RLock)
    _idle: dict[_Settings, list[_Engine]] = field(default_factory=dict)
    _busy: dict[str, _Engine] = field(default_factory=dict)

    def connect(
        self,
        database: Any = ":memory:",
        read_only: bool = False,
        config: Mapping[str, Any] | None = None,
    ) -> Any:
        """Stand for ``duckdb.connect``, and leave to it what is no file or cannot be opened."""
        path = Path(database).absolute()
        if os.getpid() == self.pid and database and not str(database).startswith(":"):
            with self.lock:
                engine = self._take(str(path), read_only, config or {})
                if engine is not None:
                    return Connection(self, engine)
        return self.start(database, read_only=read_only, config=dict(config or {}))

    def close(self) -> None:
        """End the engines that have no file."""
        for engines in self._idle.values():
            for engine in engines:
                engine.connection.close()
        self._idle.clear()

    def give_back(self, engine: _Engine) -> None:
        """Close a file whose last connection is closed."""
        del self._busy[engine.path]
        try:
            engine.connection.execute(f"DETACH {_quoted(engine.database)}")
            is_as_new = not engine.connection.execute(_LEFT).fetchall()
        except duckdb.Error:
            is_as_new = False
        if is_as_new:
            self._idle.setdefault(engine.settings, []).append(engine)
        else:
            engine.connection.close()

    def _take(self, path: str, read_only: bool, config: Mapping[str, Any]) -> _Engine | None:
        asked = (read_only, dict(config))
        if (engine := self._busy.get(path)) is not None:
            if engine.asked != asked:
                raise duckdb.ConnectionException(
                    "Connection Error: Can't open a connection to same database file with a "
                    "different configuration than existing connections"
                )
            return engine
        settings = _settings(path, config)
        idle = self._idle.setdefault(settings, [])
        engine = idle.pop() if idle else self._started(settings)
        quoted = path.replace("'", "''")
        try:
            engine.connection.execute(f"ATTACH '{quoted}'" + " (READ_ONLY)" * read_only)
            ((engine.database,),) = engine.connection.execute(_LEFT).fetchall()
        except duckdb.Error:
            idle.append(engine)
            return None
        engine.path, engine.asked = path, asked
        self._busy[path] = engine
        return engine

    def _started(self, settings: _Settings) -> _Engine:
        connection = self.start(":memory:", config=dict(settings))
        ((names,),) = connection.execute(
            "SELECT string_agg(name, ',') FROM duckdb_optimizers()"
        ).fetchall()
        own = _quoted(_OWN)
        connection.execute(
            f"ATTACH ':memory:' AS {own}; USE {own}; DETACH memory; SET threads = 1; "
            f"SET GLOBAL disabled_optimizers = '{names}'; SET lock_configuration = true"
        )
        return _Engine(settings, connection)


class Connection:
    """A connection to a file, which is closed with the last one to it."""

    def __init__(self, engines: Engines, engine: _Engine) -> None:
        self._engines = engines
        self._engine: _Engine | None = engine
        self._children: WeakSet[Connection] = WeakSet()
        self._cursor = engine.connection.cursor()
        self._cursor.execute(f"USE {_quoted(engine.database)}")
        engine.connections += 1

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def cursor(self) -> Connection:
        """Give another connection to the file, which is closed with this one."""
        with self._engines.lock:
            if self._engine is None:
                raise duckdb.ConnectionException("Connection Error: Connection already closed!")
            child = Connection(self._engines, self._engine)
            self._children.add(child)
        return child

    def close(self) -> None:
        """Roll back what is not committed, and close the file after its last connection."""
        with self._engines.lock:
            engine, self._engine = self._engine, None
            if engine is None:
                return
            for child in self._children:
                child.close()
            self._cursor.close()
            engine.connections -= 1
            if not engine.connections:
                self._engines.give_back(engine)


@contextmanager
def warm() -> Iterator[None]:
    """Open files by engines that are running, within the block."""
    engines = Engines(duckdb.connect)
    try:
        with patch.object(duckdb, "connect", engines.connect):
            yield
    finally:
        engines.close()


def _settings(path: str, config: Mapping[str, Any]) -> _Settings:
    settings = {name: str(value) for name, value in config.items()}
    if settings.get("temp_directory", f"{path}.tmp") == f"{path}.tmp":
        settings["temp_directory"] = str(scratch() / f"warm-duckdb-{os.getpid()}.tmp")
    return tuple(sorted(settings.items()))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
