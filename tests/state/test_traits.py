"""The long form of traits by all ways into the state, by any driver, and of the example model."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from harness import World
from iterable_sync.errors import DuplicateKeys
from iterable_sync.spec import Guards
from iterable_sync.sqlfiles import sql_root
from iterable_sync.state import DbApiSource
from state.ways import query

if TYPE_CHECKING:
    from pathlib import Path

    from iterable_sync.rows import RunReport

LONG = {"user_id": "text", "trait": "text", "value": "text", "email": "text"}
FIRST = [("u1", "Total Spend", "12"), ("u1", "Last City", "Lyon"), ("u2", "Last City", "Bern")]
LATER = [("u1", "Total Spend", "13"), ("u2", "Last City", "Bern"), ("u2", "Plan", "gold")]


def put(world: World, *rows: tuple[str, str, str]) -> None:
    world.put(*((*row, f"{row[0]}@example.com") for row in rows), columns=LONG, table="traits")


def sync(world: World, **changes: Any) -> RunReport:
    values = {
        "sync": "traits",
        "object": "traits",
        "sql": world.sql(*LONG, table="traits"),
        "trait": "trait",
        "guards": Guards(changed_floor=100, removed_floor=100),
    }
    return world.sync(**values | changes)


def check(world: World) -> None:
    put(world, *FIRST)
    first = sync(world)
    put(world, *LATER)
    later = sync(world)

    assert (2, 2) == (first.accepted, later.changed)
    assert {
        "u1@example.com": {"total_spend": "13", "last_city": None},
        "u2@example.com": {"plan": "gold"},
    } == world.sent_fields
    assert {
        "u1@example.com": {"email": "u1@example.com", "total_spend": "13"},
        "u2@example.com": {"email": "u2@example.com", "last_city": "Bern", "plan": "gold"},
    } == world.users()


def test_all_ways_fold_alike(way: World) -> None:
    """In the state's own database, and copied from one engine into the other."""
    check(way)


def test_a_driver_folds_by_plain_sql(duckdb_world: World, tmp_path: Path) -> None:
    """An engine of which we know nothing has max and CASE."""
    path = str(tmp_path / "warehouse.sqlite")

    def execute(sql: str) -> None:
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript(sql)

    source = DbApiSource(lambda: sqlite3.connect(path), dialect="sqlite")
    check(World("sqlite", source, duckdb_world.state, duckdb_world.server, execute))


def test_the_sql_of_the_error_shows_who_has_a_trait_twice(way: World) -> None:
    """It is of the warehouse, and shows the trait as well."""
    put(way, *FIRST, ("u1", "Last City", "Nice"))

    with pytest.raises(DuplicateKeys) as error:
        sync(way)

    shown = str(error.value).partition("This shows them:\n")[2]
    assert [("u1", "u1@example.com", "Last City", 2)] == query(way, shown)
    assert "Nice" not in str(error.value)


def test_the_example_model_says_the_same_on_both_engines(world: World) -> None:
    """Whole points, bands of spend, and nothing of who has not ordered but whether SMS is right."""
    columns = {
        "user_id": "text",
        "email": "text",
        "phone": "text",
        "order_count": "bigint",
        "lifetime_value": "numeric(18, 2)",
        "loyalty_points": "integer",
        "sms_opt_in": "boolean",
    }
    world.put(
        ("u1", "u1@example.com", "+15550100", 3, 1000, 20, True),
        ("u2", "u2@example.com", None, 1, 99.99, 7, True),
        ("u3", "u3@example.com", "+15550101", 0, None, None, None),
        columns=columns,
    )
    model = (sql_root() / "models/traits.sql").read_text(encoding="utf-8")

    sync(
        world,
        sql=model.replace("FROM users", f"FROM {world.prefix}users"),
        fields={"Average Order Points": {"type": "long"}, "Reachable By SMS": {"type": "boolean"}},
    )

    assert {
        "u1@example.com": {
            "spend_band": "high",
            "average_order_points": 6,
            "reachable_by_sms": True,
        },
        "u2@example.com": {
            "spend_band": "low",
            "average_order_points": 7,
            "reachable_by_sms": False,
        },
        "u3@example.com": {},
    } == world.sent_fields
