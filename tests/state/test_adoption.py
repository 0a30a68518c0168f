"""The plan of a first sync that becomes the snapshot, beside one that is copied into it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from crashes import Crash, CrashingState
from harness import people
from iterable_sync.rows import RunEnd
from iterable_sync.state import DuckDBState
from iterable_sync.state.dialects.duckdb import DuckDBSession
from tiers import one_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from harness import World
    from iterable_sync.state.dialects.base import Session

DATED = {"user_id": "text", "email": "text", "city": "text", "seen": "date"}

CASES: dict[str, dict[str, Any]] = {
    "all accepted": {"rows": people(*range(5))},
    "rows rejected": {"rows": [*people(*range(5)), ("bad", "none", "Bern", 1)]},
    "an identity twice": {"rows": [*people(1, 2), ("a", "U1@example.com", "Bern", 1)]},
    "a field rejected": {
        "rows": [("u1", "u1@example.com", "Bern", "infinity"), ("u2", "u2@example.com", "B", None)],
        "columns": DATED,
    },
    "rows that wait": {
        "rows": [*people(1, 2), ("u3", "u3@example.com", None, 1)],
        "fields": {"city": {"null": "skip"}},
    },
    "held": {"rows": people(*range(5)), "first_sync": 3},
    "stopped in the middle": {"rows": people(*range(9)), "stop_after": 3},
    "in doubt": {"rows": people(*range(9)), "fail_at": 3},
}


class Copying(DuckDBState):
    """A state whose plans never become snapshots."""

    def can_rename(self, *_: Any) -> bool:
        return False


class Listening(DuckDBState):
    """A state that notes each statement."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.heard: list[str] = []

    @contextmanager
    def session(self) -> Iterator[Session]:
        heard = self.heard

        class Noting(DuckDBSession):
            def execute(self, sql: str, params: Sequence[Any] = ()) -> int:
                heard.append(sql)
                return super().execute(sql, params)

            def rows(self, sql: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
                heard.append(sql)
                return super().rows(sql, params)

        with super().session() as session:
            yield Noting(session.connection)  # type: ignore[attr-defined]


@pytest.mark.parametrize("case", CASES)
def test_a_snapshot_is_the_same_whether_its_plan_was_copied_or_not(
    duckdb_world: World, tmp_path: Path, case: str
) -> None:
    one, other = DuckDBState(str(tmp_path / "one.duckdb")), Copying(str(tmp_path / "other.duckdb"))

    assert synced(duckdb_world, one, **CASES[case]) == synced(duckdb_world, other, **CASES[case])


def test_a_first_sync_copies_no_row_into_the_snapshot(duckdb_world: World) -> None:
    world = duckdb_world
    world.put(*people(*range(5)), ("bad", "none", "Bern", 1))
    state = Listening(world.state.path)  # type: ignore[attr-defined]

    world.sync(state=state)

    table = world.rows("SELECT snapshot_table FROM {syncs}")[0][0]
    assert any(f'RENAME TO "{table}"' in sql for sql in state.heard)
    assert not any(f"INTO {state.table(table)}" in sql for sql in state.heard)
    assert {f"u{n}" for n in range(5)} == set(world.acknowledged())


def test_a_snapshot_that_was_a_plan_has_the_columns_of_one_that_was_not(
    duckdb_world: World, tmp_path: Path
) -> None:
    """Of the same types, without defaults; the key comes first."""
    described = []
    for state in (
        DuckDBState(str(tmp_path / "one.duckdb")),
        Copying(str(tmp_path / "other.duckdb")),
    ):
        synced(duckdb_world, state, rows=people(1))
        described.append(
            duckdb_world.rows(
                "SELECT column_name, data_type, column_default, is_nullable FROM duckdb_columns() "
                "WHERE table_name LIKE 'snapshot%' ORDER BY column_index"
            )
        )

    assert sorted(described[0]) == sorted(described[1])
    assert described[0][0] == described[1][0]


def test_an_adopted_snapshot_takes_part_in_all_that_follows(duckdb_world: World) -> None:
    """A change, a removal, a new column and a dropped one."""
    world = duckdb_world
    world.put(*people(1, 2, 3))
    world.sync()
    world.put(
        ("u1", "u1@example.com", "Genf", 7),
        ("u2", "u2@example.com", "Bern", 7),
        columns={"user_id": "text", "email": "text", "city": "text", "age": "bigint"},
    )
    world.sync(on_remove="clear")

    assert {"u1": ("Genf", 7), "u2": ("Bern", 7)} == world.acknowledged("city", "age")
    assert 0 == world.sync(on_remove="clear").requests


@pytest.mark.parametrize("before_the_end", one_in(2, range(1, 43, 3)))
def test_a_crash_while_a_plan_becomes_the_snapshot_is_healed(
    duckdb_world: World, tmp_path: Path, before_the_end: int
) -> None:
    world = duckdb_world
    state = Listening(str(tmp_path / "counted.duckdb"))
    world.put(*people(1, 2, 3, city="A"), ("bad", "none", "A", 1))
    world.sync(state=state)
    world.server.reset(project_type=world.project_type.value)

    with pytest.raises(Crash):
        world.sync(state=CrashingState(world.state, len(state.heard) - before_the_end))
    world.expire_leases()
    world.put(*people(1, 2, 4, city="B"), ("bad", "none", "A", 1))
    report = world.sync(on_remove="clear")

    assert {"u1", "u2", "u4"} == set(world.acknowledged())
    assert {("B",)} == set(world.acknowledged("city").values())
    assert ({}, RunEnd.CLEAN) == (world.dirty(), report.end)
    assert {("bad", "", "invalid_email")} == world.rejections()
    assert [] == world.rows("SELECT 1 FROM duckdb_tables() WHERE table_name LIKE 'plan%'")
    assert 0 == world.sync(on_remove="clear").requests


def synced(
    world: World,
    state: DuckDBState,
    *,
    rows: Any,
    columns: dict[str, str] | None = None,
    stop_after: int | None = None,
    fail_at: int | None = None,
    **changes: Any,
) -> dict[str, dict[str, Any]]:
    """Sync into an empty project and an empty state; give the snapshot."""
    world.server.reset(project_type=world.project_type.value)
    world.state = state
    world.put(*list(rows), columns=columns)

    def fail(number: int, _users: Any) -> None:
        if number == fail_at:
            world.answer_next({"status": 503, "headers": {"Retry-After": "3600"}})

    client = world.connect(before=fail)
    options = {}
    if stop_after:
        options["should_stop"] = lambda: len(client.bodies) >= stop_after
    if stop_after or fail_at:
        changes |= {"batch_rows": 1, "threads": 1}
    world.sync(client=client, options=options, **changes)
    found = world.snapshot()
    return {key: {n: v for n, v in row.items() if n != "_run"} for key, row in found.items()}


@pytest.mark.parametrize(("memory_limit", "is_renamed"), [("20MB", False), ("100MB", True)])
def test_a_plan_that_memory_cannot_hold_the_new_columns_of_is_copied(
    tmp_path: Path, memory_limit: str, is_renamed: bool
) -> None:
    """Else a first sync, and each one after it, would end without a record of what was accepted."""
    state = DuckDBState(str(tmp_path / "state.duckdb"), memory_limit=memory_limit)
    with state.session() as session:
        state.prepare(session)
        for name in ("plan_1_1", "snapshot_1"):
            session.execute(f"CREATE TABLE {state.table(name)} AS SELECT range AS k FROM range(1)")
        session.execute(f"INSERT INTO {state.table('plan_1_1')} SELECT range FROM range(1000000)")

        assert is_renamed == state.can_rename(session, "plan_1_1", "snapshot_1")
