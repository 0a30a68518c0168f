"""From a model's columns to columns of state: names, roles, types, NULL policies."""

from __future__ import annotations

from typing import Any

import pytest

from iterable_sync import objects
from iterable_sync.errors import ConfigError, ModelError
from iterable_sync.rows import Column, NullPolicy, Role, StateType, WireType
from iterable_sync.spec import SyncSpec
from iterable_sync.state import DuckDBSource, PostgresSource
from iterable_sync.state.columns import Model, understand
from iterable_sync.state.dialects.base import SourceColumn
from iterable_sync.state.dialects.duckdb_dialect import DuckDBDialect
from iterable_sync.state.dialects.postgres import PostgresDialect

TYPES = {
    "n": "INTEGER",
    "wide": "HUGEINT",
    "x": "DOUBLE",
    "money": "DECIMAL(10,2)",
    "yes": "BOOLEAN",
    "user_id": "VARCHAR",
    "email": "VARCHAR",
    "city": "VARCHAR",
    "born": "DATE",
    "seen": "TIMESTAMP",
    "loaded": "TIMESTAMP WITH TIME ZONE",
    "tags": "VARCHAR[]",
}


class Described(DuckDBSource):
    """A DuckDB source of columns that a test describes; no file is opened."""

    def columns(self, sql: str) -> list[SourceColumn]:
        names = sql.removeprefix("SELECT ").removesuffix(" FROM t").split(", ")
        return [SourceColumn(name, TYPES[name.lower()]) for name in names]


def model(*names: str, **changes: Any) -> Model:
    spec = {"sync": "s", "object": "users", "key": "user_id"}
    sql = f"SELECT {', '.join(names)} FROM t"
    return understand(SyncSpec(sql=sql, **spec | changes), Described("x"), DuckDBDialect())


def column(name: str, *others: str, **changes: Any) -> Column:
    found = {c.name: c for c in model("user_id", "email", name, *others, **changes).columns}
    return found[name]


def test_the_key_comes_first_in_its_own_order_and_the_rest_stays():
    names = [c.name for c in model("city", "n", "email", "user_id", key=["user_id", "n"]).columns]

    assert ["user_id", "n", "city", "email"] == names


@pytest.mark.capability("A1")
def test_names_are_matched_without_regard_to_case_and_kept_as_written():
    made = model("User_ID", "eMail", "City", key="USER_ID", fields={"CITY": {"name": "town"}})

    assert [("User_ID", "userId"), ("eMail", "email"), ("City", "town")] == [
        (c.name, c.field) for c in made.columns
    ]
    assert [Role.USER_ID, Role.EMAIL, Role.FIELD] == [c.role for c in made.columns]


@pytest.mark.parametrize(
    ("name", "state", "wire"),
    [
        ("n", StateType.BIGINT, WireType.LONG),
        ("wide", StateType.TEXT, WireType.LONG),
        ("x", StateType.DOUBLE, WireType.DOUBLE),
        ("money", StateType.DECIMAL, WireType.DOUBLE),
        ("yes", StateType.BOOLEAN, WireType.BOOLEAN),
        ("city", StateType.TEXT, WireType.STRING),
        ("born", StateType.TEXT, WireType.DATE),
        ("loaded", StateType.TEXT, WireType.DATETIME),
        ("tags", StateType.TEXT, WireType.JSON),
    ],
)
def test_a_column_has_the_type_of_the_sql(name: str, state: StateType, wire: WireType):
    found = column(name)

    assert (state, wire) == (found.state, found.wire)


def test_an_excluded_column_is_not_there_but_a_key_cannot_be_excluded():
    made = model("user_id", "email", "seen", exclude=["SEEN", "user_id"])

    assert ["user_id", "email"] == [c.name for c in made.columns]


def test_an_excluded_column_may_decide_which_row_is_newest():
    made = model("user_id", "email", "loaded", exclude="loaded", newest_by="loaded")

    assert ["user_id", "email"] == [c.name for c in made.columns]
    assert made.newest_by is not None
    assert StateType.TEXT is made.newest_state


@pytest.mark.parametrize("name", ["tags", "yes"])
def test_what_has_no_order_cannot_be_newest(name: str):
    with pytest.raises(ConfigError, match=f"newest_by: column '{name}' has no order"):
        column(name, newest_by=name)


def test_null_policies_are_those_of_the_field_then_of_the_sync():
    declared = {"n": {"null": "skip"}}

    assert NullPolicy.SKIP is column("n", fields=declared, null="keep").null
    assert NullPolicy.KEEP is column("city", "n", fields=declared, null="keep").null
    assert NullPolicy.KEEP is model("user_id", "email").columns[1].null


def test_a_declared_type_replaces_the_wire_type_only():
    found = column("n", fields={"n": {"type": "string"}})

    assert (StateType.BIGINT, WireType.STRING) == (found.state, found.wire)


@pytest.mark.parametrize(("name", "kind"), [("n", "date"), ("yes", "long"), ("x", "json")])
def test_a_declared_type_that_no_value_can_have_is_an_error_before_staging(name: str, kind: str):
    with pytest.raises(ConfigError, match=f"column '{name}' is a .*cannot be sent as {kind}"):
        column(name, fields={name: {"type": kind}})


@pytest.mark.parametrize("name", ["x", "tags"])
def test_a_key_that_is_not_compared_exactly_is_refused(name: str):
    with pytest.raises(ConfigError, match=f"key column '{name}'.*not compared exactly"):
        column(name, key=name)


@pytest.mark.parametrize("name", ["x", "yes", "tags", "born", "loaded"])
def test_an_identity_is_a_text_or_a_number(name: str):
    with pytest.raises(ModelError, match=f"identity column '{name}'"):
        column(name, key="user_id", user_id=name)


def test_a_model_without_identity_is_refused():
    with pytest.raises(ModelError, match="no identity: neither a column 'email' nor"):
        model("n", "city", key="n")


@pytest.mark.parametrize(
    "declared",
    [
        {"key": "nothing"},
        {"exclude": "nothing"},
        {"newest_by": "nothing"},
        {"fields": {"nothing": {"null": "keep"}}},
        {"user_id": "nothing"},
    ],
)
def test_a_declaration_of_a_column_that_is_not_there_is_refused(declared: dict[str, Any]):
    with pytest.raises(ConfigError, match=r"does not have.*nothing"):
        model("user_id", "email", **declared)


@pytest.mark.failure("D6")
def test_a_time_without_a_zone_needs_one_and_the_error_says_how():
    with pytest.raises(ConfigError, match=r"column 'seen' is a TIMESTAMP.*timezone='UTC'"):
        column("seen")

    assert WireType.DATETIME is column("seen", timezone="Europe/Berlin").wire


@pytest.mark.parametrize("zone", ["UTC+3", "Europe/Atlantis", "", "../etc/passwd", "a'b", "\0"])
def test_a_zone_that_engines_would_read_in_ways_of_their_own_is_refused(zone: str):
    with pytest.raises(ConfigError, match="no zone of the IANA database"):
        column("seen", timezone=zone)


def test_excluded_times_need_no_zone():
    assert ["user_id", "email"] == [
        c.name for c in model("user_id", "email", "seen", exclude="seen").columns
    ]


def test_the_sql_that_shows_duplicates_compares_what_the_stage_compares():
    made = model("user_id", "email", "loaded", key=["loaded", "user_id"])

    assert made.duplicates.startswith("SELECT COALESCE(CAST(make_timestamp(epoch_us(")
    assert "FROM (\nSELECT user_id, email, loaded FROM t\n) AS q\nGROUP BY" in made.duplicates


# --- the types of an engine, as it names them ---


@pytest.mark.failure("D4")
def test_every_type_of_duckdb_has_a_way_into_the_stage():
    import duckdb

    with duckdb.connect() as connection:
        names = [
            n for (n,) in connection.execute("SELECT type_name FROM duckdb_types()").fetchall()
        ]

    assert all(DuckDBDialect().cast(name.upper()).sql for name in names)


@pytest.mark.failure("D4")
@pytest.mark.parametrize(
    ("sql", "name", "state", "wire"),
    [
        ("1::numeric", "numeric", StateType.TEXT, WireType.DOUBLE),
        ("1::numeric(10,2)", "numeric(10,2)", StateType.TEXT, WireType.DOUBLE),
        ("1::numeric(38,0)", "numeric(38,0)", StateType.TEXT, WireType.LONG),
        ("1000::numeric(5,-2)", "numeric(5,-2)", StateType.TEXT, WireType.LONG),
        ("0.001::numeric(3,5)", "numeric(3,5)", StateType.TEXT, WireType.DOUBLE),
        ("'a'::varchar(3)", "character varying", StateType.TEXT, WireType.STRING),
        ("now()::timestamptz(0)", "timestamp with time zone", StateType.TEXT, WireType.DATETIME),
        ("ROW(1, 2)", "record", StateType.TEXT, WireType.JSON),
        ("NULL::t_pair", "record", StateType.TEXT, WireType.JSON),
        ("NULL::t_pair[]", "t_pair[]", StateType.TEXT, WireType.JSON),
        ("NULL::t_count", "integer", StateType.BIGINT, WireType.LONG),
        ("NULL", "text", StateType.TEXT, WireType.STRING),
    ],
)
def test_postgres_types_are_told_by_what_they_are(
    postgres_db: str, sql: str, name: str, state: StateType, wire: WireType
):
    import psycopg

    with psycopg.connect(postgres_db, autocommit=True) as connection:
        connection.execute("CREATE TYPE t_pair AS (a int, b text); CREATE DOMAIN t_count AS int")

    found = PostgresSource(postgres_db).columns(f"SELECT {sql} AS a")
    cast = PostgresDialect().cast(found[0].type)

    assert [SourceColumn("a", name)] == found
    assert (state, wire) == (cast.state, cast.wire)


# -- events --------------------------------------------------------------------------------------

EVENT_TYPES = TYPES | {
    "event_name": "VARCHAR",
    "eventname": "VARCHAR",
    "created_at": "TIMESTAMP WITH TIME ZONE",
    "campaign_id": "BIGINT",
    "campaignid": "INTEGER",
    "template_id": "BIGINT",
}


class DescribedEvents(DuckDBSource):
    """A source of columns of which a test gives some another type than they mostly have."""

    def __init__(self, types: dict[str, str] | None = None) -> None:
        super().__init__("x")
        self._types = EVENT_TYPES | (types or {})

    def columns(self, sql: str) -> list[SourceColumn]:
        names = sql.removeprefix("SELECT ").removesuffix(" FROM t").split(", ")
        return [SourceColumn(name, self._types[name.lower()]) for name in names]


def events(*names: str, types: dict[str, str] | None = None, **changes: Any) -> Model:
    spec = {"sync": "s", "object": "events", "key": "n"}
    sql = f"SELECT {', '.join(('n', 'user_id', *names))} FROM t"
    return understand(
        SyncSpec(sql=sql, **spec | changes),
        DescribedEvents(types),
        DuckDBDialect(),
        objects.get("events").shape,
    )


@pytest.mark.capability("A17")
def test_columns_of_an_event_have_their_roles() -> None:
    """What ties it to a campaign, its name and its time go to its top level, the rest below."""
    made = events("event_name", "created_at", "campaign_id", "template_id", "city")

    assert [
        ("n", Role.FIELD),
        ("userId", Role.USER_ID),
        ("eventName", Role.EVENT_NAME),
        ("createdAt", Role.CREATED_AT),
        ("campaignId", Role.CAMPAIGN_ID),
        ("templateId", Role.TEMPLATE_ID),
        ("city", Role.FIELD),
    ] == [(c.field, c.role) for c in made.columns]
    # An identifier is kept where it is NULL later; of all else a NULL is what the row says.
    kept = {c.field for c in made.columns if c.null is NullPolicy.KEEP}
    assert {"userId"} == kept


def test_columns_of_an_event_are_found_under_the_other_spelling() -> None:
    made = events("eventName", "loaded", "campaignId", created_at="LOADED")

    assert {
        "eventName": Role.EVENT_NAME,
        "loaded": Role.CREATED_AT,
        "campaignId": Role.CAMPAIGN_ID,
    } == {c.name: c.role for c in made.columns if c.name not in {"n", "user_id"}}


def test_excluded_column_has_no_role() -> None:
    made = events("created_at", "campaign_id", exclude="campaign_id", event_name="Seen")

    assert ["n", "user_id", "created_at"] == [c.name for c in made.columns]


@pytest.mark.parametrize(
    ("types", "declared"),
    [
        ({"campaign_id": "INTEGER"}, {}),
        ({"campaign_id": "HUGEINT"}, {}),
        ({"campaign_id": "VARCHAR"}, {"campaign_id": {"type": "long"}}),
    ],
    ids=["integer", "wide", "text that is declared"],
)
def test_campaign_is_an_integer(types: dict[str, str], declared: dict[str, Any]) -> None:
    made = events("created_at", "event_name", "campaign_id", types=types, fields=declared)

    assert made.columns[-1].wire is WireType.LONG


def test_columns_of_an_event_are_fields_of_a_user() -> None:
    """The names mean something for events alone."""
    sql = "SELECT n, user_id, event_name, created_at FROM t"
    spec = SyncSpec(sync="s", object="users", key="n", sql=sql)

    made = understand(spec, DescribedEvents(), DuckDBDialect())

    assert [Role.FIELD, Role.USER_ID, Role.FIELD, Role.FIELD] == [c.role for c in made.columns]


@pytest.mark.parametrize(
    ("names", "changes", "words"),
    [
        pytest.param(
            ("event_name",), {}, "created_at names columns that the model does not have", id="time"
        ),
        pytest.param(
            ("event_name", "created_at"),
            {"exclude": "created_at"},
            "exclude: events need the column",
            id="time excluded",
        ),
        pytest.param(("created_at",), {}, "the events have no name", id="name"),
        pytest.param(
            ("created_at", "event_name"),
            {"exclude": "event_name"},
            "the events have no name",
            id="name excluded",
        ),
        pytest.param(
            ("created_at", "event_name"),
            {"event_name": "Seen"},
            "'Seen' is given, and the model has a column 'event_name'",
            id="two names",
        ),
        pytest.param(
            ("created_at", "event_name"),
            {"types": {"created_at": "DATE"}},
            "'created_at' is a DATE, and has to be a time",
            id="day for a time",
        ),
        pytest.param(
            ("created_at", "event_name"),
            {"types": {"created_at": "BIGINT"}},
            "'created_at' is a BIGINT, and has to be a time",
            id="number for a time",
        ),
        pytest.param(
            ("created_at", "event_name"),
            {"types": {"created_at": "VARCHAR"}, "fields": {"created_at": {"type": "datetime"}}},
            "'created_at' is a VARCHAR, and has to be a time",
            id="text for a time",
        ),
        pytest.param(
            ("created_at", "event_name"),
            {"types": {"created_at": "TIMESTAMP"}},
            "a time without a zone",
            id="time without a zone",
        ),
        pytest.param(
            ("created_at", "event_name"),
            {"types": {"event_name": "DOUBLE"}},
            "event name column 'event_name' is a DOUBLE",
            id="number for a name",
        ),
        pytest.param(
            ("created_at", "event_name", "campaign_id"),
            {"types": {"campaign_id": "VARCHAR"}},
            "'campaign_id' is a VARCHAR, and Iterable's campaignId is an integer",
            id="text for a campaign",
        ),
    ],
)
def test_event_that_lacks_what_it_needs_is_an_error(
    names: tuple[str, ...], changes: dict[str, Any], words: str
) -> None:
    with pytest.raises((ConfigError, ModelError), match=words):
        events(*names, **changes)
