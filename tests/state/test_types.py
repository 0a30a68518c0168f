"""
Every type, every edge value, from either engine into either engine: what differs is changed.

Random tables are edited at random and planned in four ways; a way is a source and a state engine.
More tables: ``TYPE_TABLES=2000 pytest tests/state/test_types.py``.
"""

from __future__ import annotations

import os
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from iterable_sync import objects
from iterable_sync.rows import Column, ProjectType, StateType, WireType
from iterable_sync.spec import SyncSpec
from iterable_sync.state import DuckDBSource, DuckDBState, PostgresSource, PostgresState
from iterable_sync.state.columns import understand
from iterable_sync.state.dialects.base import arrow_schema
from iterable_sync.state.dialects.duckdb_file import connect
from iterable_sync.state.diff import find_compared, make_plan
from iterable_sync.state.plans import SEND, UNCHANGED
from iterable_sync.state.registry import Registered, reconcile, save
from iterable_sync.state.schema import install
from iterable_sync.state.stage import stage
from iterable_sync.sync_object import MapContext
from state.edge_values_duckdb import DUCKDB
from state.edge_values_postgres import POSTGRES, POSTGRES_TYPES
from tiers import one_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from iterable_sync.rows import Payload
    from iterable_sync.state import Source, StateEngine
    from iterable_sync.state.dialects.base import Session
    from state.edge_values import Pool

TABLES = int(os.environ.get("TYPE_TABLES", "160"))
TABLES_PER_TEST = 10
COLUMNS = 14
ROWS = 12
ZONES = ("UTC", "America/New_York", "Asia/Tokyo", "Europe/Berlin")
PROJECT = "1.us"
BOOKKEEPING = tuple(
    Column(name, "", kind, WireType.STRING, -1)
    for name, kind in (
        ("_seq", StateType.BIGINT),
        ("_op", StateType.TEXT),
        ("_mask", StateType.TEXT),
        ("_identity", StateType.TEXT),
    )
)

Cells = dict[str, tuple[str, str | None]]
Change = tuple[str, frozenset[str]]


@dataclass
class Table:
    """A random table before and after random edits: row number -> column -> (literal, meaning)."""

    seed: int
    pools: dict[str, Pool]
    before: dict[int, Cells]
    after: dict[int, Cells]

    @classmethod
    def random(cls, seed: int, pools: tuple[Pool, ...]) -> Table:
        dice = random.Random(seed)  # noqa: S311 - it has to give the same table again
        chosen = {f"c{i}": p for i, p in enumerate(dice.sample(pools, COLUMNS))}
        before = {row: {c: dice.choice(p.values) for c, p in chosen.items()} for row in range(ROWS)}
        share = dice.choice((0.02, 0.1, 0.5))
        after = {
            row: {
                c: dice.choice(chosen[c].values) if dice.random() < share else cell
                for c, cell in cells.items()
            }
            for row, cells in before.items()
            if dice.random() > 0.1
        }
        for row in range(ROWS, ROWS + dice.randint(0, 2)):
            after[row] = {c: dice.choice(p.values) for c, p in chosen.items()}
        return cls(seed, chosen, before, after)

    def expected(self) -> dict[int, Change]:
        """Compare meanings, in plain Python."""
        changes: dict[int, Change] = {}
        everything = frozenset({"row", "user_id", *self.pools})
        for row in self.before.keys() | self.after.keys():
            if row not in self.before:
                changes[row] = ("added", everything)
            elif row not in self.after:
                changes[row] = ("removed", everything)
            else:
                old, new = self.before[row], self.after[row]
                fields = frozenset(c for c in self.pools if old[c][1] != new[c][1])
                if fields:
                    changes[row] = ("changed", fields)
        return changes

    def statements(self, schema: str) -> Iterator[str]:
        """Give the SQL that makes both versions of the table."""
        ddl = ", ".join(f"{c} {p.type}" for c, p in self.pools.items())
        for version, rows in (("before", self.before), ("after", self.after)):
            name = f"{schema}t{self.seed}_{version}"
            yield f"CREATE TABLE {name} (row bigint, user_id text, {ddl})"
            for row, cells in rows.items():
                values = ", ".join(literal for literal, _ in cells.values())
                yield f"INSERT INTO {name} VALUES ({row}, 'u{row}', {values})"


@dataclass
class Planned:
    """What a way made of a table: row number -> change, and the rows as Iterable gets them."""

    changes: dict[int, Change]
    payloads: list[tuple[str, bytes]]


def planned(
    table: Table, schema: str, source: Source, state: StateEngine, session: Session
) -> Planned:
    """Accept the table as it was, then plan it as it is."""
    zone = ZONES[table.seed % len(ZONES)]
    specs = [
        SyncSpec(
            sync=f"{source.dialect} {table.seed}",
            object="users",
            sql=f"SELECT * FROM {schema}t{table.seed}_{version}",
            key="row",
            timezone=zone,
        )
        for version in ("before", "after")
    ]
    known = None
    for spec in specs:
        model = understand(spec, source, state.dialect)
        known = reconcile(
            known,
            model.columns,
            sync=spec.sync,
            project=PROJECT,
            object_name="users",
            sql=spec.sql,
        )
        known = save(state, session, known, project=PROJECT, sync=spec.sync)
        at = {c.name: c for c in known.columns}
        columns = [at[c.name] for c in model.columns]
        snapshot = state.table(known.snapshot_table)
        compared = find_compared(state, session, spec, known, snapshot, has_newest=False)
        staged = stage(
            state, session, source, model, columns, ProjectType.HYBRID, compared=compared
        )
        assert {} == staged.rejected
        # Runs have plans of their own names.
        session.execute(f"DROP TABLE IF EXISTS {state.table('plan_of_types')}")
        plan = make_plan(
            state,
            session,
            spec,
            known,
            staged,
            plan_table=state.table("plan_of_types"),
            snapshot=snapshot,
            is_temporary=False,
        )
        if spec is specs[0]:
            accept_all(state, session, known, plan.table)
    found = Planned(changes_in(state, session, known, plan.table), payloads(state, session, known))
    session.execute(f"DROP TABLE {state.table(known.snapshot_table)}")
    session.execute(f"DELETE FROM {state.table('syncs')}")
    return found


def accept_all(state: StateEngine, session: Session, known: Registered, plan: str) -> None:
    names = ", ".join(state.dialect.quote(c.name) for c in known.columns)
    session.execute(
        f"INSERT INTO {state.table(known.snapshot_table)} "
        f"({names}, _identity, _status, _mapping, _episode) "
        f"SELECT {names}, _identity, 'live', 1, _episode FROM {plan}"
    )


def changes_in(
    state: StateEngine, session: Session, known: Registered, plan: str
) -> dict[int, Change]:
    names = {c.position: c.name for c in known.columns}
    return {
        row: (op, frozenset(names[i] for i, bit in enumerate(mask) if bit == "1"))
        for row, op, mask in session.rows(
            f"SELECT row, _op, _mask FROM {plan} WHERE _route <> '{UNCHANGED}'"
        )
    }


def payloads(state: StateEngine, session: Session, known: Registered) -> list[tuple[str, bytes]]:
    """Map what is to be sent, as a run does."""
    import pandas as pd

    wanted = (*BOOKKEEPING, *known.columns)
    names = ", ".join(state.dialect.quote(c.name) for c in wanted)
    rows = session.arrow(
        f"SELECT {names} FROM {state.table('plan_of_types')} WHERE _route = '{SEND}' ORDER BY _seq",
        arrow_schema(wanted),
    )
    context = MapContext(columns=known.columns, project_type=ProjectType.HYBRID)
    made: list[Payload] = objects.get("users").payloads(
        rows.to_pandas(types_mapper=pd.ArrowDtype), context
    )[0]
    return sorted((payload.identity, payload.body) for payload in made)


@pytest.fixture(scope="module")
def duckdb_state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, Any]]:
    state = DuckDBState(str(tmp_path_factory.mktemp("state") / "state.duckdb"))
    with state.session() as session:
        install(state, session)
        yield state, session


@pytest.fixture(scope="module")
def postgres_state(warehouse_db: str) -> Iterator[tuple[Any, Any]]:
    state = PostgresState(warehouse_db, schema=f"types_{os.getpid()}")
    with state.session() as session:
        install(state, session)
        yield state, session
    state.close()


@pytest.fixture(scope="module")
def postgres_types(warehouse_db: str) -> Iterator[str]:
    """Create the types of the tests in a schema of their own; give its name with a dot."""
    import psycopg

    name = f"sources_{os.getpid()}"
    with psycopg.connect(warehouse_db, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {name}; SET search_path = {name}, public".encode())
        for statement in POSTGRES_TYPES:
            connection.execute(statement.encode())
        yield f"{name}."
        connection.execute(f"DROP SCHEMA {name} CASCADE".encode())


def batches() -> list[range]:
    """Give the seeds, so many of them a test, that a second engine can be made for each."""
    half = TABLES // 2
    return [
        range(start, min(start + TABLES_PER_TEST, half))
        for start in range(0, half, TABLES_PER_TEST)
    ]


# Forty tables of an engine have every type and all but one of the edge values in them.
SEEDS = pytest.mark.parametrize(
    "seeds", one_in(4, batches()), ids=lambda seeds: f"tables {seeds[0]}..."
)


@pytest.mark.failure("D4", "D14")
@SEEDS
def test_postgres_values_differ_exactly_where_a_change_is_planned(
    seeds: range,
    warehouse_db: str,
    postgres_types: str,
    postgres_state: tuple[Any, Any],
    duckdb_state: tuple[Any, Any],
):
    """In place and copied into DuckDB: the same keys, operations, fields and bodies."""
    import psycopg

    source = PostgresSource(warehouse_db)
    for seed in seeds:
        table = Table.random(seed, POSTGRES)
        with psycopg.connect(warehouse_db, autocommit=True) as connection:
            connection.execute(
                f"SET search_path = {postgres_types}public".replace(".", ", ", 1).encode()
            )
            connection.execute("; ".join(table.statements(postgres_types)).encode())

        in_place = planned(table, postgres_types, source, *postgres_state)
        copied = planned(table, postgres_types, source, *duckdb_state)

        assert (seed, table.expected()) == (seed, in_place.changes)
        assert (seed, in_place) == (seed, copied)


@pytest.mark.failure("D4", "D14")
@SEEDS
def test_duckdb_values_differ_exactly_where_a_change_is_planned(
    seeds: range,
    tmp_path: Path,
    postgres_state: tuple[Any, Any],
    duckdb_state: tuple[Any, Any],
):
    """Attached and copied into Postgres: the same keys, operations, fields and bodies."""
    import duckdb

    path = str(tmp_path / "warehouse.duckdb")
    tables = [Table.random(seed, DUCKDB) for seed in seeds]
    with duckdb.connect(path) as connection:
        for table in tables:
            connection.execute(f"BEGIN; {'; '.join(table.statements(''))}; COMMIT")
    source = DuckDBSource(path)
    # Held open, so that each of the many runs finds it open.
    with connect(path, read_only=True, config=source._config):
        for table in tables:
            attached = planned(table, "", source, *duckdb_state)
            copied = planned(table, "", source, *postgres_state)

            assert (table.seed, table.expected()) == (table.seed, attached.changes)
            assert (table.seed, attached) == (table.seed, copied)
