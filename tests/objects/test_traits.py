"""Traits, from a warehouse to a sandbox: the long form, the wide form, and who owns a field."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import pytest

from harness import USERS
from iterable_sync.errors import ConfigError, DuplicateKeys, ModelError
from iterable_sync.rows import ProjectType, RunEnd
from iterable_sync.spec import Guards
from iterable_sync.state.traits import widen

if TYPE_CHECKING:
    from harness import World
    from iterable_sync.rows import RunReport
    from iterable_sync.spec import SyncSpec

LONG = {"user_id": "text", "email": "text", "trait": "text", "value": "text"}
ROWS = [
    ("u1", "Total Spend", "12.50"),
    ("u1", "Last City", "Lyon"),
    ("u2", "Last City", "Bern"),
    ("u2", "Order Completed Last 30days", "3"),
    ("u3", None, None),
]
OPEN = Guards(changed_floor=10_000, removed_floor=10_000)


def put(world: World, *rows: tuple[Any, ...], value: str = "text") -> None:
    """Replace the traits: user, trait, value."""
    long = [(user, f"{user}@example.com", trait, what) for user, trait, what in rows]
    world.put(*long, columns=LONG | {"value": value}, table="traits")


def spec(world: World, **changes: Any) -> SyncSpec:
    values = {
        "sync": "traits",
        "object": "traits",
        "sql": world.sql(*LONG, table="traits"),
        "key": "user_id",
        "trait": "trait",
        "guards": OPEN,
    }
    return world.spec(**values | changes)


def sync(world: World, **changes: Any) -> RunReport:
    return world.sync(spec(world, **changes))


def sync_users(world: World) -> RunReport:
    return world.sync(sql=world.sql(*USERS))


def wide(*rows: tuple[Any, ...]) -> dict[str, dict[str, Any]]:
    """Say what profiles of an email-based project hold, worked out without our code."""
    names = {
        "Total Spend": "total_spend",
        "Last City": "last_city",
        "Order Completed Last 30days": "order_completed_last_30days",
    }
    people: dict[str, dict[str, Any]] = defaultdict(dict)
    for user, trait, value in rows:
        key = f"{user}@example.com"
        people[key]["email"] = key
        if trait is not None and value is not None:
            people[key][names[trait]] = value
    return dict(people)


@pytest.mark.capability("C15")
def test_rows_of_traits_become_fields_of_people(world: World) -> None:
    """Each person is one entry of a request, with the traits that they have, in snake_case."""
    put(world, *ROWS)

    report = sync(world)

    assert (3, 3, RunEnd.CLEAN) == (report.queried, report.accepted, report.end)
    assert wide(*ROWS) == world.users()


def test_a_later_run_sends_what_changed_alone(world: World) -> None:
    """A changed value, a trait that a person lost, and a new person; others cost no request."""
    put(world, *ROWS)
    sync(world)
    later = [
        ("u1", "Total Spend", "20.00"),
        ("u2", "Last City", "Bern"),
        ("u2", "Order Completed Last 30days", "3"),
        ("u3", None, None),
        ("u4", "Last City", "Genf"),
    ]
    put(world, *later)

    report = sync(world)

    assert (1, 1, 2) == (report.added, report.changed, report.unchanged)
    assert {"total_spend": "20.00", "last_city": None} == world.sent_fields["u1@example.com"]
    assert wide(*later) == world.users()


def test_a_new_trait_sends_that_field_of_who_has_it(world: World) -> None:
    """Nobody else is in the plan, so a trait that comes trips no guard of changed rows."""
    put(world, *ROWS[:3])
    sync(world)
    put(world, *ROWS[:3], ("u2", "Order Completed Last 30days", "3"))

    dry = sync(world, dry_run=True)
    report = sync(world)

    assert (1, 1) == (dry.changed, report.changed)
    assert {"u2@example.com": {"order_completed_last_30days": "3"}} == world.sent_fields
    assert wide(*ROWS[:4]) == world.users()


def test_a_trait_that_nobody_has_any_more_is_cleared(world: World) -> None:
    """Its column stays as long as the sync, and is NULL for all."""
    put(world, *ROWS)
    sync(world)
    left = [row for row in ROWS if row[1] != "Last City"]
    put(world, *left)

    report = sync(world)

    assert 2 == report.changed
    assert wide(*left) == world.users()
    assert {} == {key: fields for key, fields in world.users().items() if "last_city" in fields}


def test_nothing_changes_where_nothing_changed(world: World) -> None:
    """The SQL is the same as long as the traits are, in whatever order the warehouse gives them."""
    put(world, *ROWS)
    sync(world)
    before = world.rows("SELECT sql_hash, mapping_version FROM {syncs}")
    put(world, *reversed(ROWS))

    report = sync(world)

    assert (0, 3, 0) == (report.requests, report.unchanged, report.changed)
    assert before == world.rows("SELECT sql_hash, mapping_version FROM {syncs}")


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        pytest.param("bigint", (1, 9007199254740993), (1, 9007199254740993), id="integer"),
        pytest.param("numeric(18,0)", (1, 22), (1, 22), id="numeric without fraction"),
        pytest.param("numeric(18,2)", (1, 2.5), (1.0, 2.5), id="numeric"),
        pytest.param("double precision", (1, 2.5), (1.0, 2.5), id="double"),
        pytest.param("boolean", (True, False), (True, False), id="boolean"),
        pytest.param("json", ('{"a": 1}', '{"a": 2}'), ({"a": 1}, {"a": 2}), id="json"),
        pytest.param("date", ("2024-11-25", "2024-11-26"), ("2024-11-25", "2024-11-26"), id="date"),
        pytest.param("text", ("00501", "1"), ("00501", "1"), id="text"),
    ],
)
def test_a_value_keeps_the_type_of_its_column(
    world: World, kind: str, values: tuple[Any, Any], expected: tuple[Any, Any]
) -> None:
    put(world, ("u1", "a", values[0]), ("u2", "a", values[1]), value=kind)

    sync(world)

    assert {"u1@example.com": expected[0], "u2@example.com": expected[1]} == {
        key: fields["a"] for key, fields in world.sent_fields.items()
    }


def test_text_becomes_what_is_declared_of_its_trait(world: World) -> None:
    """By the trait's own name; what does not fit costs its field alone. Others stay text."""
    put(
        world,
        ("u1", "Total Spend", "12.50"),
        ("u1", "Visits", "3"),
        ("u2", "Total Spend", "much"),
        ("u2", "Last City", "7"),
    )

    report = sync(world, fields={"Total Spend": {"type": "double"}, "visits": {"type": "long"}})

    assert {"total_spend": 12.5, "visits": 3} == world.sent_fields["u1@example.com"]
    assert {"last_city": "7"} == world.sent_fields["u2@example.com"]
    assert {("u2", "total_spend", "invalid_number")} == world.rejections()
    assert 1 == report.fields_rejected


def test_a_declared_trait_may_come_later(world: World) -> None:
    """What is declared is a field from the first run on, so its type never changes."""
    declared = {"Visits": {"type": "long"}}
    put(world, ("u1", "Total Spend", "12.50"))
    sync(world, fields=declared)
    put(world, ("u1", "Total Spend", "12.50"), ("u1", "Visits", "3"))

    sync(world, fields=declared)

    assert {"u1@example.com": {"visits": 3}} == world.sent_fields


def test_who_has_a_trait_twice_ends_the_run(world: World) -> None:
    """None of two values is the right one, and nothing was sent."""
    put(world, *ROWS, ("u1", "Last City", "Nice"))

    with pytest.raises(DuplicateKeys, match="1 keys come more than once"):
        sync(world)

    assert {} == world.users()


def test_all_traits_twice_are_found_as_well(world: World) -> None:
    """A copy of the table under itself is no more of the same."""
    put(world, *ROWS[:4], *ROWS[:4])

    with pytest.raises(DuplicateKeys, match="2 keys"):
        sync(world)


@pytest.mark.parametrize(
    ("traits", "words"),
    [
        pytest.param(
            ["Last City", "last-city"],
            "traits 'Last City' and 'last-city' are the same field 'last_city'",
            id="collision",
        ),
        pytest.param(["!!!"], "trait '!!!' has no letter and no digit", id="no name"),
        pytest.param(["Email"], "trait 'Email' would be the field 'email', which", id="identity"),
        pytest.param(["User ID"], "trait 'User ID' would be the field 'user_id'", id="key"),
        pytest.param(
            [f"t{n}" for n in range(501)], "column 'trait' has more than 500 traits", id="501"
        ),
        pytest.param(["devices"], "field 'devices' cannot be written", id="managed by Iterable"),
    ],
)
def test_names_that_cannot_be_fields_are_named(world: World, traits: list[str], words: str) -> None:
    """Nothing was sent."""
    put(world, *((f"u{n}", trait, "x") for n, trait in enumerate(traits)))

    with pytest.raises(ConfigError, match=words):
        sync(world)

    assert {} == world.users()


@pytest.mark.capability("A4")
def test_500_traits_are_not_too_many(duckdb_world: World) -> None:
    """The limit is for those who take the wrong column."""
    world = duckdb_world
    put(world, *(("u1", f"t{n}", "x") for n in range(500)))

    made, _ = widen(spec(world), world.source, world.state.dialect, None)

    assert 502 == len(world.source.columns(made.sql))


def test_too_long_a_name_is_named(postgres_world: World) -> None:
    """PostgreSQL would cut it, and take two for one."""
    put(postgres_world, ("u1", "x" * 64, "1"))

    with pytest.raises(ConfigError, match="makes the name of a column of 64 bytes"):
        sync(postgres_world)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param({"trait": "name"}, "need a column 'name'", id="no such column"),
        pytest.param({"key": ("user_id", "trait")}, "key names 'trait'", id="trait in the key"),
        pytest.param({"newest_by": "value"}, "newest_by is for traits in wide form", id="newest"),
        pytest.param({"exclude": "value"}, "exclude: .* need the column 'value'", id="excluded"),
        pytest.param({"trait": "value"}, "a column 'value' has what the", id="one for both"),
    ],
)
def test_a_declaration_that_is_no_long_form_is_an_error(
    duckdb_world: World, changes: dict[str, Any], words: str
) -> None:
    put(duckdb_world, *ROWS)

    with pytest.raises((ConfigError, ModelError), match=words):
        sync(duckdb_world, **changes)


def test_columns_beside_are_an_error_unless_excluded(world: World) -> None:
    """What a row of a trait says beside it would be lost in the fold, or split a person."""
    put(world, *ROWS)
    sql = f"SELECT user_id, email, trait, value, 7 AS weight FROM {world.prefix}traits"

    with pytest.raises(ModelError, match="columns beside person, trait and value: weight"):
        sync(world, sql=sql)

    assert 3 == sync(world, sql=sql, exclude="weight").accepted
    assert wide(*ROWS) == world.users()


def test_the_wide_form_is_mapped_as_users_are(world: World) -> None:
    """A column is a trait under the name that the SQL gives it."""
    world.put(
        ("u1", "u1@example.com", 12.5, "Lyon"),
        columns={"user_id": "text", "email": "text", "totalSpend": "double precision", "c": "text"},
        table="wide",
    )
    columns = ('"totalSpend"', 'c AS "place.city"')

    report = world.sync(
        spec(world, trait=None, sql=world.sql("user_id", "email", *columns, table="wide"))
    )

    assert 1 == report.accepted
    assert {"u1@example.com": {"totalSpend": 12.5, "place": {"city": "Lyon"}}} == world.sent_fields


def test_who_leaves_loses_the_traits_where_that_is_declared(world: World) -> None:
    put(world, *ROWS)
    sync(world, on_remove="clear")
    put(world, *ROWS[2:])

    report = sync(world, on_remove="clear")

    assert 1 == report.removed_accepted
    assert {"email": "u1@example.com"} == world.users()["u1@example.com"]


def test_quotes_and_other_letters_in_names_are_taken_as_they_are(world: World) -> None:
    """A name is a literal of the SQL that we write, and is never read as SQL."""
    hostile = "O'Neil\"; DROP TABLE x -- \\' {0} %s"
    put(world, ("u1", hostile, "1"), ("u2", "Größe in cm", "180"))

    sync(world)

    assert {"u1@example.com": {"o_neil_drop_table_x_0_s": "1"}} == {
        key: fields for key, fields in world.sent_fields.items() if key.startswith("u1")
    }
    assert {"größe_in_cm": "180"} == world.sent_fields["u2@example.com"]


# -- owners -------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", ["users", "traits"])
def test_a_field_is_of_users_or_of_traits(world: World, first: str) -> None:
    """Whoever comes second is told who has it, and sends nothing."""
    world.put(("u1", "u1@example.com", "Bern", 1))
    put(world, ("u1", "City", "Lyon"), ("u1", "Visits", "3"))
    runs = {"users": lambda: sync_users(world), "traits": lambda: sync(world)}
    second = "traits" if first == "users" else "users"
    runs[first]()

    with pytest.raises(ConfigError, match=f"maps city, owned by sync '{first}'"):
        runs[second]()

    assert ("Bern" if first == "users" else "Lyon") == world.users()["u1@example.com"]["city"]


def test_users_and_traits_of_other_fields_live_side_by_side(world: World) -> None:
    """Neither clears what the other wrote, whatever order they run in."""
    world.put(("u1", "u1@example.com", "Bern", 1))
    put(world, ("u1", "Visits", "3"))

    for _ in range(2):
        sync_users(world)
        sync(world)

    assert {
        "email": "u1@example.com",
        "userId": "u1",
        "city": "Bern",
        "points": 1,
        "visits": "3",
    } == world.users()["u1@example.com"]


@pytest.mark.parametrize("kind", [ProjectType.USER_ID, ProjectType.HYBRID])
def test_projects_by_user_id_get_them_by_user_id(duckdb_world: World, kind: ProjectType) -> None:
    world = duckdb_world.with_project(kind)
    put(world, *ROWS)

    sync(world)

    assert {
        "u1": {"total_spend": "12.50", "last_city": "Lyon"},
        "u2": {"last_city": "Bern", "order_completed_last_30days": "3"},
        "u3": {},
    } == world.sent_fields
