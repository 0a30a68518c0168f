"""Any DB-API driver as a source: types from values, streamed, and nothing coerced."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pyarrow as pa
import pytest

from iterable_sync import objects
from iterable_sync.errors import ConfigError, ModelError, RetryLater
from iterable_sync.rows import StateType, WireType
from iterable_sync.spec import SyncSpec
from iterable_sync.state import DbApiSource
from iterable_sync.state.columns import Model, understand
from iterable_sync.state.dialects.base import arrow_schema
from iterable_sync.state.dialects.duckdb_dialect import DuckDBDialect
from state.drivers import KEY, Driver

if TYPE_CHECKING:
    from collections.abc import Callable


CANARY = "canary.7f3a@example.com"
NAIVE = datetime(2024, 1, 1, 12)  # noqa: DTZ001 - what most drivers give


def of_column(*values: object, scale: tuple[int, int] | None = None, name: str = "x") -> Driver:
    """Give a driver of a table with a column of these values beside key and identity."""
    rows = [(f"u{i}", f"u{i}@b.cc", value) for i, value in enumerate(values)]
    return Driver((*KEY, name), rows, scales={name: scale} if scale else None)


def read(
    driver: Callable[[], Any], dialect: str = "snowflake", **changes: Any
) -> tuple[Model, pa.Table]:
    """Read all of a driver's table as a run does."""
    source = DbApiSource(driver, dialect=dialect)
    spec = {"sync": "s", "object": "users", "key": "user_id", "sql": "SELECT * FROM t"}
    model = understand(SyncSpec(**spec | changes), source, DuckDBDialect())
    schema = arrow_schema(model.columns)
    with source.read(model.sql, model.select, schema) as batches:
        return model, pa.Table.from_batches(batches, schema)


def column(
    driver: Callable[[], Any], name: str = "x", **changes: Any
) -> tuple[StateType, WireType, list[Any]]:
    model, table = read(driver, **changes)
    found = next(c for c in model.columns if c.name == name)
    return found.state, found.wire, table.column(name).to_pylist()


# --- types ---


@pytest.mark.failure("D2")
@pytest.mark.parametrize(
    ("values", "state", "wire", "expected"),
    [
        pytest.param([1, None, -(2**63)], "bigint", "long", [1, None, -(2**63)], id="int"),
        pytest.param([1, 2**63], "text", "long", ["1", str(2**63)], id="int beyond 64 bits"),
        pytest.param([True, None, False], "boolean", "boolean", [True, None, False], id="bool"),
        pytest.param([0.1, 1e300, None], "double", "double", [0.1, 1e300, None], id="float"),
        pytest.param([0.5, 1, 2**53], "double", "double", [0.5, 1.0, 2.0**53], id="float and int"),
        pytest.param(
            [
                Decimal("1.50"),
                Decimal("-0.0"),
                Decimal("1E+2"),
                Decimal("NaN"),
                Decimal("-Infinity"),
                3,
            ],
            "text",
            "double",
            ["1.5", "0", "100", "NaN", "-Infinity", "3"],
            id="Decimal",
        ),
        pytest.param(["", "a", None, "👩"], "text", "string", ["", "a", None, "👩"], id="str"),
        pytest.param([date(1, 2, 3)], "text", "date", ["0001-02-03"], id="date"),
        pytest.param(
            [
                datetime(2024, 7, 1, 14, 0, tzinfo=timezone(timedelta(hours=2))),
                datetime(2024, 7, 1, 12, 0, 0, 500_000, tzinfo=UTC),
                datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=2))),
            ],
            "text",
            "datetime",
            [
                "2024-07-01 12:00:00+00:00",
                "2024-07-01 12:00:00.5+00:00",
                "0001-01-01 00:00:00+02:00",
            ],
            id="datetime with a zone",
        ),
        pytest.param([time(1, 2, 3, 4)], "text", "string", ["01:02:03.000004"], id="time"),
        pytest.param([timedelta(days=1)], "text", "string", ["1 day, 0:00:00"], id="timedelta"),
        pytest.param([UUID(int=1)], "text", "string", [str(UUID(int=1))], id="UUID"),
        pytest.param(
            [b"", b"\0\xff", bytearray(b"a"), memoryview(b"b")],
            "text",
            "string",
            ["\\x", "\\x00ff", "\\x61", "\\x62"],
            id="bytes",
        ),
        pytest.param([ip_address("::1")], "text", "string", ["::1"], id="IP address"),
        pytest.param(
            [
                {"b": [1, None, True], "a": Decimal("1.10"), "é": "x\0"},
                [],
                {},
                (
                    {
                        "n": 2**70,
                        "f": 0.1,
                        "nan": float("nan"),
                        "t": NAIVE,
                        1: date(2024, 1, 1),
                    },
                ),
            ],
            "text",
            "json",
            [
                '{"a":1.1,"b":[1,null,true],"é":"x\\u0000"}',
                "[]",
                "{}",
                '[{"1":"2024-01-01","f":0.1,"n":1180591620717411303424,"nan":"NaN",'
                '"t":"2024-01-01 12:00:00"}]',
            ],
            id="dict and list",
        ),
        pytest.param([None, None], "text", "string", [None, None], id="NULL only"),
    ],
)
def test_a_value_has_one_place_in_state_and_in_iterable(
    values: list[object], state: str, wire: str, expected: list[object]
):
    assert (StateType(state), WireType(wire), expected) == column(of_column(*values))


@pytest.mark.failure("D3")
def test_a_decimal_is_whole_where_the_column_is_described_so_whatever_its_values_are():
    whole = (Decimal(1), Decimal("2.0"))

    assert WireType.LONG is column(of_column(*whole, scale=(38, 0)))[1]
    assert WireType.DOUBLE is column(of_column(*whole, scale=(38, 2)))[1]
    assert WireType.DOUBLE is column(of_column(*whole))[1]


def test_a_naive_time_is_of_the_declared_zone():
    winter, summer = NAIVE, NAIVE.replace(month=7)
    driver = of_column(winter, summer, NAIVE.replace(year=1))

    with pytest.raises(ConfigError, match="column 'x' is a timestamp without time zone"):
        column(of_column(winter))
    assert [
        "2024-01-01 11:00:00+00:00",
        "2024-07-01 10:00:00+00:00",
        "0001-01-01 11:06:32+00:00",
    ] == column(driver, timezone="Europe/Berlin")[2]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([1, "a"], "values of several kinds: integer, text"),
        ([1, True], "values of several kinds: boolean, integer"),
        ([1.5, Decimal("1.5")], "values of several kinds: decimal, double"),
        ([date(2024, 1, 1), NAIVE], "values of several kinds: date, timestamp"),
        ([NAIVE, NAIVE.replace(tzinfo=UTC)], "values of several kinds"),
        ([{"a": 1}, "a"], "values of several kinds: json, text"),
        ([object()], "values of type object"),
    ],
)
def test_a_column_of_several_kinds_is_an_error_that_says_the_way_out(
    values: list[object], words: str
):
    with pytest.raises(ModelError, match=rf"column 'x' has {words}.*CAST.*declare one"):
        column(of_column(*values))


@pytest.mark.failure("D10")
@pytest.mark.parametrize(
    ("early", "late", "words"),
    [
        (1, 2**63, "integer beyond 64 bits"),
        (1, 1.5, "double"),
        (1, "a", "text"),
        (0.5, 2**53 + 1, "an integer beyond 53 bits"),
        (None, 1, "integer"),
        (None, 0.5, "double"),
        ("a", b"a".hex, "values of type builtin_function_or_method"),
        (True, 0, "integer"),
    ],
)
def test_a_later_value_that_does_not_fit_ends_the_run_and_is_not_quoted(
    early: object, late: object, words: str
):
    driver = of_column(*[early] * 10_000, late)

    with pytest.raises(ModelError, match=rf"column 'x' is a .* and further on has .*{words}"):
        column(driver)
    assert "close" == driver.calls[-1]


def test_a_column_that_is_null_at_first_is_text():
    found = column(of_column(*[None] * 10_000, "a"))

    assert (StateType.TEXT, WireType.STRING, [None, "a"]) == (*found[:2], found[2][9_999:])


def test_a_declared_type_takes_what_comes():
    declared = {"fields": {"x": {"type": "long"}}}
    values = [None] * 10_000 + [1, "2", Decimal("3.0"), 2**70, "no number", True]

    state, wire, found = column(of_column(*values), **declared)

    assert (StateType.TEXT, WireType.LONG) == (state, wire)
    assert [None, "1", "2", "3", str(2**70), "no number", "true"] == found[9_999:]


def test_an_excluded_column_may_hold_anything():
    model, _ = read(of_column(1, "a"), exclude="x")

    assert ["user_id", "email"] == [c.name for c in model.columns]


def test_rows_may_be_mappings():
    driver = Driver(KEY, [{"email": "a@b.cc", "user_id": 1}])

    assert [{"user_id": "1", "email": "a@b.cc"}] == read(driver)[1].to_pylist()


# --- the driver ---


@pytest.mark.failure("P9", "W8")
def test_the_model_runs_once_in_chunks_and_everything_is_closed():
    driver = of_column(*range(25_000))

    _, _, found = column(driver)

    assert list(range(25_000)) == found
    assert [
        "connect",
        "execute",
        "fetchmany",
        "fetchmany",
        "last fetchmany",
        "last fetchmany",
        "close",
        "rollback",
        "close",
    ] == driver.calls
    assert 10_000 == driver.arraysize


def test_a_model_that_is_described_and_not_read_is_closed():
    driver = of_column(1)
    source = DbApiSource(driver, dialect="snowflake")
    source.columns("SELECT 1")

    del source

    assert ["close", "rollback", "close"] == driver.calls[-3:]


class OperationalError(Exception):
    pass


class ProgrammingError(Exception):
    sqlstate = "42S02"


@pytest.mark.parametrize("call", ["connect", "execute", "last fetchmany"])
@pytest.mark.parametrize(
    ("error", "expected", "words"),
    [
        (OperationalError(CANARY), RetryLater, "OperationalError \\(no code\\)"),
        (ConnectionResetError(104, CANARY), RetryLater, "ConnectionResetError"),
        (ProgrammingError(CANARY), ModelError, "ProgrammingError \\(42S02\\)"),
        (ValueError(CANARY), ModelError, "ValueError"),
    ],
)
def test_a_drivers_error_becomes_ours_without_its_message(
    call: str, error: Exception, expected: type[Exception], words: str
):
    driver = Driver(KEY, [("u1", "a@b.cc")] * 10_000, **{call: error})

    with pytest.raises(expected, match=words) as failed:
        read(driver)

    assert CANARY not in str(failed.value)
    assert failed.value.__suppress_context__
    assert call == "connect" or driver.calls[-3:] == ["close", "rollback", "close"]


def test_what_fails_while_closing_does_not_matter():
    driver = Driver(KEY, [("u1", "a@b.cc")], close=OSError(), rollback=OSError())

    assert 1 == read(driver)[1].num_rows


@pytest.mark.parametrize("dialect", ["snowflake", "bigquery", "redshift", "jdbc", "hana", ""])
def test_any_dialect_can_be_read_and_quotes_as_it_does(dialect: str):
    model, table = read(of_column(1), dialect)

    assert 1 == table.num_rows
    assert ("q.`user_id`" if dialect == "bigquery" else 'q."user_id"') in model.duplicates


# --- events ---


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param([], id="no rows"),
        pytest.param([("u0", "u0@b.cc", None, None)], id="no values"),
        pytest.param([("u0", "u0@b.cc", datetime(2024, 1, 1, tzinfo=UTC), 7)], id="values"),
    ],
)
def test_columns_of_an_event_have_their_types_whatever_they_hold(rows: list[Any]) -> None:
    """A driver tells types by values, and a window without events has none."""
    driver = Driver((*KEY, "created_at", "campaign_id"), rows)
    spec = SyncSpec(
        sync="s", object="events", key="user_id", sql="SELECT * FROM t", event_name="Seen"
    )

    model = understand(
        spec, DbApiSource(driver, dialect="snowflake"), DuckDBDialect(), objects.get("events").shape
    )

    assert [WireType.DATETIME, WireType.LONG] == [column.wire for column in model.columns[-2:]]
