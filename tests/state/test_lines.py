"""Lines folded to items, in the state engine: every way gives the same list, in the same order."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from iterable_sync.errors import ConfigError, DuplicateKeys, ModelError
from iterable_sync.rows import ProjectType, RunEnd

if TYPE_CHECKING:
    from harness import World
    from iterable_sync.rows import RunReport

NEEDED = "'P' || n AS items__id, 'Tea' AS items__name, 1 AS items__price, 1 AS items__quantity"


def fold(world: World, sql: str, **changes: Any) -> RunReport:
    """Sync carts of a model with lines; ``{t}`` is the table."""
    world.with_project(ProjectType.USER_ID)
    values = {"sync": "carts", "object": "carts", "key": "user_id", "timezone": "UTC"}
    return world.sync(sql=sql.format(t=f"{world.prefix}users"), **values | changes)


def kept(world: World) -> dict[str, list[dict[str, Any]]]:
    """Give the items as the snapshot has them: user -> list."""
    found = world.acknowledged("items", sync="carts")
    return {who: json.loads(items) for who, (items,) in found.items()}


def table(world: World, *rows: tuple[Any, ...], **columns: str) -> None:
    world.put(*rows, columns={"user_id": "text", "n": "integer", **columns})


@pytest.fixture
def places(way: World) -> World:
    """Give a world of three people with two lines, one, and none, in no order."""
    table(way, ("u2", 7), ("u1", 10), ("u3", None), ("u1", 2))
    return way


ONE = (
    "SELECT user_id, 'P' || n AS items__id, CASE WHEN n > 0 THEN 'Tea' END AS items__name, "
    "n * 1.5 AS items__price, n AS items__quantity FROM {t}"
)


def test_lines_are_one_list_for_each_key(places: World) -> None:
    """In the order of the item's id as a text; a row without a line has an empty list."""
    assert (3, 3) == ((report := fold(places, ONE)).queried, report.accepted)

    tea = {"name": "Tea"}
    assert {
        "u1": [
            {"id": "P10", **tea, "price": 15.0, "quantity": 10},
            {"id": "P2", **tea, "price": 3.0, "quantity": 2},
        ],
        "u2": [{"id": "P7", **tea, "price": 10.5, "quantity": 7}],
        "u3": [],
    } == kept(places)


@pytest.mark.parametrize(
    "line_key", ["n", "items__quantity", ("n", "items__id")], ids=["own", "of the item", "two"]
)
def test_line_key_orders_and_is_not_sent(places: World, line_key: Any) -> None:
    """It may be a part of the item; another column of the line is for nothing else."""
    sql = ONE.replace("user_id,", "user_id," if line_key == "items__quantity" else "user_id, n,")

    fold(places, sql, line_key=line_key)

    assert ["P2", "P10"] == [item["id"] for item in kept(places)["u1"]]
    assert all("n" not in item for item in kept(places)["u1"])


def test_another_line_key_is_no_drift(way: World) -> None:
    """A column that orders lines is none of the row any more, though the SQL is as it was."""
    table(way, ("u1", 1))
    sql = f"SELECT user_id, {NEEDED}, n AS user__n FROM {{t}}"
    fold(way, sql)

    assert RunEnd.CLEAN == fold(way, sql, line_key="user__n").end


def test_order_of_the_rows_is_no_change(way: World) -> None:
    table(way, ("u1", 1), ("u1", 2), ("u1", 3))
    fold(way, ONE + " ORDER BY n")

    assert 0 == fold(way, ONE + " ORDER BY n", sync="carts").requests
    table(way, ("u1", 3), ("u1", 1), ("u1", 2))
    assert 0 == fold(way, ONE + " ORDER BY n", sync="carts").requests


def test_each_type_has_its_form(way: World) -> None:
    """Numbers without zeros at their end, doubles with a fraction, times as Iterable reads them."""
    table(way, ("u1", 1))
    sql = (
        f"SELECT user_id, {NEEDED}, CAST(9007199254740993 AS bigint) AS items__big, "
        "CAST(10 AS double precision) AS items__ten, "
        "CAST(0.1 AS double precision) AS items__tenth, "
        "CAST('12345678901234567890.50' AS decimal(30, 2)) AS items__exact, "
        "CAST(1200 AS decimal(10, 2)) AS items__round, CAST(7 AS decimal(10, 0)) AS items__seven, "
        "n = 1 AS items__yes, CAST('2024-11-25' AS date) AS items__day, "
        "CAST('2024-11-25 14:37:19.039+01:00' AS timestamptz) AS items__at, "
        "CAST('2024-11-25 13:37:19' AS timestamp) AS items__naive, "
        "'a\"b\\c é' || chr(10) AS items__text, CAST(NULL AS text) AS items__none, "
        """CAST('{{"b":[2.50]}}' AS json) AS items__json, '00501' AS items__zip FROM {t}"""
    )
    report = fold(way, sql)
    assert {} == report.rejected_by_reason

    (text,) = way.acknowledged("items", sync="carts")["u1"]
    (item,) = json.loads(text, parse_float=str)
    assert {
        "id": "P1",
        "name": "Tea",
        "price": 1,
        "quantity": 1,
        "big": 9007199254740993,
        "ten": "10.0",
        "tenth": "0.1",
        "exact": "12345678901234567890.5",
        "round": "1200.0",
        "seven": 7,
        "yes": True,
        "day": "2024-11-25",
        "at": "2024-11-25 13:37:19 +00:00",
        "naive": "2024-11-25 13:37:19 +00:00",
        "text": 'a"b\\c é\n',
        "json": {"b": ["2.50"]},
        "zip": "00501",
    } == item


@pytest.mark.parametrize(
    "value",
    [
        "CAST('NaN' AS double precision)",
        "CAST('infinity' AS double precision)",
        "CAST('infinity' AS timestamptz)",
    ],
)
def test_value_without_a_form_rejects_the_row(way: World, value: str) -> None:
    """It becomes neither null nor a text in the item."""
    table(way, ("u1", 1), ("u2", 2))
    sql = f"SELECT user_id, {NEEDED}, CASE WHEN n = 1 THEN {value} END AS items__x FROM {{t}}"

    report = fold(way, sql)

    assert (1, {"invalid_items": 1}) == (report.accepted, report.rejected_by_reason)


def test_lines_that_differ_in_what_belongs_to_the_whole_stop_the_run(way: World) -> None:
    """The error shows the keys by SQL that runs, and nothing is sent."""
    table(way, ("u1", 1), ("u1", 2), ("u2", 3))
    sql = f"SELECT user_id, {NEEDED}, n AS user__n FROM {{t}}"

    with pytest.raises(DuplicateKeys, match="1 keys come more than once") as caught:
        fold(way, sql)

    assert "the same in all lines of a key" in str(caught.value)
    shown = str(caught.value).partition("This shows them:\n")[2]
    from state.ways import query

    assert [("u1", 2)] == query(way, shown)


def test_null_and_a_value_differ_in_what_belongs_to_the_whole(way: World) -> None:
    table(way, ("u1", 1), ("u1", None))

    with pytest.raises(DuplicateKeys):
        fold(way, f"SELECT user_id, {NEEDED}, n AS user__n FROM {{t}}")


def test_nulls_are_equal_in_what_belongs_to_the_whole(way: World) -> None:
    table(way, ("u1", 1), ("u1", 2))
    sql = f"SELECT user_id, {NEEDED}, CAST(NULL AS text) AS user__city FROM {{t}}"

    assert 1 == fold(way, sql).accepted


def test_declarations_are_for_columns_of_lines_too(way: World) -> None:
    """A name, a type and exclude; a quoted name with a dot nests as well."""
    table(way, ("u1", 7))
    sql = (
        "SELECT user_id, n AS sku, 'x' AS \"items.id\", 'Tea' AS items__name, '2.50' AS price, "
        "1 AS items__quantity, user_id AS items__user_id FROM {t}"
    )
    fields = {
        "sku": {"name": "items.sku", "type": "string"},
        "price": {"name": "items.price", "type": "double"},
    }

    fold(way, sql, fields=fields, exclude="items__user_id")

    expected = {"sku": "7", "id": "x", "name": "Tea", "price": 2.5, "quantity": 1}
    assert {"u1": [expected]} == kept(way)


def test_newest_decides_between_folded_rows_of_a_person(way: World) -> None:
    way.put(
        ("c1", "u1", 1, "2026-01-01"),
        ("c1", "u1", 2, "2026-01-01"),
        ("c2", "u1", 3, "2026-01-02"),
        columns={"cart_id": "text", "user_id": "text", "n": "integer", "day": "date"},
    )
    sql = f"SELECT cart_id, user_id, day, {NEEDED} FROM {{t}}"

    report = fold(way, sql, key="cart_id", newest_by="day", exclude="day")

    assert (2, 1, {"duplicate_identity": 1}) == (
        report.queried,
        report.accepted,
        report.rejected_by_reason,
    )
    assert ["P3"] == [item["id"] for item in kept(way)["c2"]]


@pytest.mark.parametrize(
    ("columns", "changes", "error", "match"),
    [
        pytest.param(
            "'[]' AS items", {}, ConfigError, "column 'items' and columns nested", id="both"
        ),
        pytest.param(
            "1 AS items__a__b", {}, ModelError, "'items__a__b' is nested twice", id="deep"
        ),
        pytest.param("1 AS items__datafields__b", {}, ModelError, "nested twice", id="other case"),
        pytest.param('1 AS "items.name"', {}, ModelError, "are the same member 'name'", id="twice"),
        pytest.param("1 AS b", {"line_key": "c"}, ConfigError, "line_key names columns", id="key"),
        pytest.param(
            "1 AS b", {"key": ("user_id", "items__id")}, ConfigError, "belongs to a line", id="line"
        ),
    ],
)
def test_what_cannot_be_folded_is_an_error(
    world: World, columns: str, changes: dict[str, Any], error: type[Exception], match: str
) -> None:
    table(world, ("u1", 1))

    with pytest.raises(error, match=match):
        fold(world, f"SELECT user_id, {NEEDED}, {columns} FROM {{t}}", **changes)


def test_line_key_without_lines_is_an_error(world: World) -> None:
    table(world, ("u1", 1, "[]"), items="json")

    with pytest.raises(ConfigError, match="line_key orders lines, and the model has none"):
        fold(world, "SELECT user_id, n, items FROM {t}", line_key="n")


def test_model_with_neither_items_nor_lines_is_an_error(world: World) -> None:
    table(world, ("u1", 1))

    with pytest.raises(ConfigError, match="carts need a column 'items'"):
        fold(world, "SELECT user_id FROM {t}")


def test_lines_of_an_object_without_items_are_fields(world: World) -> None:
    """What is nested under items is folded for orders and carts alone."""
    table(world, ("u1", 1))

    report = fold(world, "SELECT user_id, n AS items__n FROM {t}", sync="users", object="users")

    assert (RunEnd.CLEAN, {"n": 1}) == (report.end, world.users()["u1"]["items"])
