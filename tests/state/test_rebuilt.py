"""A table that is rebuilt while its model is read: nobody is removed for it."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from harness import people
from iterable_sync.rows import RunEnd
from iterable_sync.spec import Guards
from iterable_sync.state import PostgresSource, PostgresState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness import World
    from iterable_sync.state import DuckDBState

OLD = list(people(*range(300)))
NEW = list(people(*range(290), city="Genf"))
WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = %s::oid"
LONGEST_S = 20


def swapped(table: str) -> list[str]:
    """Give the statements of a tool that makes a table anew and puts it in the place of the old."""
    name = table.rpartition(".")[2]
    return [
        f"ALTER TABLE {table} RENAME TO {name}_before",
        f"ALTER TABLE {table}_new RENAME TO {name}",
    ]


def filled_anew(table: str) -> list[str]:
    """Give the statements that empty a table and fill it."""
    return [f"TRUNCATE {table}", f"INSERT INTO {table} SELECT * FROM {table}_new"]


class Rebuilding:
    """A table that is rebuilt in one transaction, which ends once somebody waits to read it."""

    def __init__(self, conninfo: str, table: str, statements: list[str]) -> None:
        self._conninfo, self._table, self._statements = conninfo, table, statements
        self._has_begun = threading.Event()
        self._thread = threading.Thread(target=self._rebuild)
        self.was_waited_for = False

    def begin(self) -> None:
        """Come to where the table is locked."""
        self._thread.start()
        assert self._has_begun.wait(LONGEST_S)

    def end(self) -> None:
        """Wait until it is done."""
        self._thread.join(LONGEST_S)

    def _rebuild(self) -> None:
        with (
            psycopg.connect(self._conninfo) as mine,
            psycopg.connect(self._conninfo, autocommit=True) as other,
        ):
            found = mine.execute("SELECT %s::regclass::oid", [self._table]).fetchone()
            assert found
            for statement in self._statements:
                mine.execute(statement.encode())
            self._has_begun.set()
            until = time.monotonic() + LONGEST_S
            while not self.was_waited_for and time.monotonic() < until:
                waiting = other.execute(WAITING, [found[0]]).fetchone()
                self.was_waited_for = bool(waiting and waiting[0])
                time.sleep(0.002)


class Source(PostgresSource):
    """A warehouse in which a table begins to be rebuilt right before the model is read."""

    rebuilding: Rebuilding

    @contextmanager
    def read(self, *given: Any) -> Iterator[Any]:
        self.rebuilding.begin()
        with super().read(*given) as batches:
            yield batches


class State(PostgresState):
    """The same, of a warehouse that is the database of the state."""

    rebuilding: Rebuilding

    @contextmanager
    def query_here(self, *given: Any) -> Iterator[None]:
        self.rebuilding.begin()
        with super().query_here(*given):
            yield


@pytest.mark.failure("W2")
@pytest.mark.parametrize("same", [True, False], ids=["in the state's database", "copied"])
@pytest.mark.parametrize("rebuilt", [filled_anew, pytest.param(swapped, marks=pytest.mark.all)])
def test_nobody_is_removed_while_a_table_is_rebuilt(
    postgres_world: World,
    duckdb_state: DuckDBState,
    rebuilt: Callable[[str], list[str]],
    *,
    same: bool,
) -> None:
    """It reads as it is now, whole: who waits for a table sees what it waited for."""
    world = postgres_world
    conninfo, table = world.source.conninfo, f"{world.prefix}users"
    rebuilding = Rebuilding(conninfo, table, rebuilt(table))
    if not same:
        world.state = duckdb_state
    world.put(*NEW, table="users_new")
    world.put(*OLD)
    world.sync(on_remove="clear")
    state: Any = State(conninfo, schema=world.state.schema) if same else world.state
    world.source = Source(conninfo)
    world.source.rebuilding = state.rebuilding = rebuilding

    report = world.sync(state=state, on_remove="clear", guards=Guards(max_changed=1))
    rebuilding.end()
    if same:
        state.close()

    assert rebuilding.was_waited_for
    assert (RunEnd.CLEAN, len(OLD) - len(NEW)) == (report.end, report.removed_accepted)
    assert {row[0]: ("Genf",) for row in NEW} == world.acknowledged("city")
