"""Column names are quoted, whatever they are, and nothing in them is ever run."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from harness import people
from iterable_sync.errors import ModelError
from iterable_sync.model import match_names
from iterable_sync.state.columns import OWN_COLUMNS
from state.ways import query

if TYPE_CHECKING:
    from harness import World
    from iterable_sync.state import PostgresState

HARD_NAMES = [
    'a"b',
    "it's",
    "two words",
    " ends blank ",
    "%",
    "%s",
    "%(x)s",
    "?",
    ":x",
    "$1",
    "{}",
    "{0}",
    "{x!r}",
    "\\",
    "a\nb",
    "select",
    "order",
    "q",
    "s",
    "t",
    "r",
    "h",
    "key",
    "field",
    "-- ",
    "/*",
    "*",
    ";",
    "İ",
    "ß",
    "👩",
    "x" * 63,
    "ü" * 31,
    'x"; DROP TABLE canary; --',
    "x'); DROP TABLE canary; --",
]


@pytest.mark.failure("S5")
def test_any_column_name_is_quoted_and_nothing_is_injected(way: World):
    fields = {name: f"f{i}" for i, name in enumerate(HARD_NAMES)}

    sync_columns(way, fields)

    assert {"u1@example.com": dict.fromkeys(fields.values(), "after")} == way.sent_fields
    assert [(1,)] == query(way, f"SELECT n FROM {way.prefix}canary")


@settings(
    max_examples=4,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    drawn=st.lists(
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
        | st.text("\"'`;-/*%?{}$:\\ \n", min_size=1, max_size=6),
        min_size=20,
        max_size=30,
        unique=True,
    )
)
def test_column_names_that_nobody_thought_of_are_quoted_too(copied_way: World, drawn: list[str]):
    fields: dict[str, str] = {}
    taken = OWN_COLUMNS | copied_way.state.dialect.own_columns
    for name in drawn:
        # What is no name at all is refused before staging, with an error of its own.
        with suppress(ModelError):
            if name.lower() in taken:
                continue
            match_names(None, ["user_id", "email", *fields, name], max_identifier_bytes=63)
            fields[name] = f"f{len(fields)}"

    sync_columns(copied_way, fields)

    assert {"u1@example.com": dict.fromkeys(fields.values(), "after")} == copied_way.sent_fields
    assert [(1,)] == query(copied_way, f"SELECT n FROM {copied_way.prefix}canary")


@pytest.mark.parametrize("name", ["rowid", "ROWID"])
def test_a_column_by_which_duckdb_finds_rows_is_refused(duckdb_world: World, name: str):
    """The diff would find other rows by it."""
    duckdb_world.put(*people(1))

    with pytest.raises(ModelError, match=f"need the column name '{name}' themselves"):
        duckdb_world.sync(sql=f"SELECT user_id, email, points AS {name} FROM users")


@pytest.mark.parametrize("name", ["ctid", "xmin", "tableoid", "_reject", "_newest", "_wide"])
def test_a_column_that_state_tables_have_themselves_is_refused(
    duckdb_world: World, postgres_state: PostgresState, name: str
):
    duckdb_world.put(*people(1))

    with pytest.raises(ModelError, match=f"need the column name '{name}' themselves"):
        duckdb_world.sync(
            sql=f"SELECT user_id, email, points AS {name} FROM users", state=postgres_state
        )


def sync_columns(world: World, fields: dict[str, str]) -> None:
    """Sync a row whose columns have these names, then change all of them and sync it again."""
    world.server.reset(project_type="email")
    world.execute(f"DROP TABLE IF EXISTS {world.prefix}canary")
    world.execute(f"CREATE TABLE {world.prefix}canary AS SELECT 1 AS n")
    quoted = ['"' + name.replace('"', '""') + '"' for name in fields]
    ddl = ", ".join(f"{name} text" for name in ("user_id", "email", *quoted))
    spec = world.spec(
        sql=f"SELECT * FROM {world.prefix}named",
        fields={name: {"name": field} for name, field in fields.items()},
        sync=f"named {uuid4()}",
    )
    for value in ("before", "after"):
        values = ", ".join(["'u1'", "'u1@example.com'", *[f"'{value}'"] * len(fields)])
        world.execute(
            f"DROP TABLE IF EXISTS {world.prefix}named; CREATE TABLE {world.prefix}named ({ddl}); "
            f"INSERT INTO {world.prefix}named VALUES ({values})"
        )
        world.sync(spec)
    # A field has one owner: what comes next is another sync.
    world.write("DELETE FROM {syncs}")
