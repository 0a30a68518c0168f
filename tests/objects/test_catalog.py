"""Catalogs: what a row becomes, what is refused before it is sent, and what a model may have."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pytest

from catalog_world import put, spec, sync
from iterable_sync.batching import split
from iterable_sync.catalog_fields import wanted_types
from iterable_sync.errors import ConfigError
from iterable_sync.objects.catalog import MAX_ITEM_BYTES, OBJECT
from iterable_sync.rows import Column, NullPolicy, ProjectType, Rejection, StateType, WireType
from iterable_sync.sync_object import MapContext, completed

if TYPE_CHECKING:
    from harness import World

TEXT, STRING, LONG = StateType.TEXT, WireType.STRING, WireType.LONG
SKU = Column("sku", "sku", TEXT, STRING, 0, is_key=True)
NAME = Column("name", "name", TEXT, STRING, 1)
WIDTH = Column("size__w", "size__w", StateType.BIGINT, LONG, 2)
HEIGHT = Column("size__h", "size__h", StateType.BIGINT, LONG, 3)
FACTS = Column("facts", "facts", TEXT, WireType.JSON, 4)
COLUMNS = (SKU, NAME, WIDTH, HEIGHT, FACTS)
ALL = "11111"


def frame(*rows: tuple[Any, ...]) -> pd.DataFrame:
    """Give rows of op, mask, sku, name, width, height and facts; what is missing is NULL."""
    filled = [(*row, *[None] * (7 - len(row))) for row in rows]
    op, mask, sku, name, width, height, facts = zip(*filled, strict=True)
    columns = {
        "_seq": pa.array(range(1, len(rows) + 1), pa.int64()),
        "_op": pa.array(op, pa.string()),
        "_mask": pa.array(mask, pa.string()),
        "_identity": pa.array([f"item:{key}" for key in sku], pa.string()),
        "_episode": pa.array([1] * len(rows), pa.int64()),
        "sku": pa.array(sku, pa.string()),
        "name": pa.array(name, pa.string()),
        "size__w": pa.array(width, pa.int64()),
        "size__h": pa.array(height, pa.int64()),
        "facts": pa.array(facts, pa.string()),
    }
    return pa.table(columns).to_pandas(types_mapper=pd.ArrowDtype)


def mapped(*rows: tuple[Any, ...], **more: Any) -> tuple[Any, list[Rejection]]:
    context = MapContext(COLUMNS, ProjectType.EMAIL, **{"catalog": "Shop"} | more)
    return OBJECT.payloads(frame(*rows), context)


def documents(*rows: tuple[Any, ...], **more: Any) -> dict[str, Any]:
    """Give what the items of rows become: id -> fields."""
    bodies = [row.body for row in mapped(*rows, **more)[0]]
    found: dict[str, Any] = json.loads(OBJECT.body(bodies, create_new_fields=False))["documents"]
    return found


def test_items_that_come_and_items_that_go_are_in_requests_of_their_own() -> None:
    """Each says its flag, and a row that is removed is its id alone."""
    block, rejections = mapped(
        ("added", ALL, "A_1", "Cup", 1, 2, '{"a":1}'),
        ("changed", "01000", "B", "Pan"),
        ("removed", ALL, "C_1"),
        ("removed", ALL, "D"),
    )
    batches = split(
        block, [], seq_lo=1, seq_hi=4, max_rows=1000, max_bytes=4_000_000, overhead_bytes=50
    )

    assert [] == rejections
    assert [
        (
            batch.target.method,
            batch.target.path,
            json.loads(
                OBJECT.body(
                    [row.body for row in batch.payloads],
                    create_new_fields=False,
                    target=batch.target,
                )
            ),
        )
        for batch in batches
    ] == [
        (
            "POST",
            "/api/catalogs/Shop/items",
            {
                "replaceUploadedFieldsOnly": True,
                "documents": {
                    "x--A-5f1": {"name": "Cup", "size": {"w": 1, "h": 2}, "facts": {"a": 1}},
                    "B": {"name": "Pan"},
                },
            },
        ),
        ("DELETE", "/api/catalogs/Shop/items", {"itemIds": ["x--C-5f1", "D"]}),
    ]


@pytest.mark.parametrize(
    ("mask", "expected"),
    [
        pytest.param("00100", {"size": {"w": 1, "h": 2}}, id="one part"),
        pytest.param("00010", {"size": {"w": 1, "h": 2}}, id="the other"),
        pytest.param("01010", {"name": "Cup", "size": {"w": 1, "h": 2}}, id="and a field"),
        pytest.param("01000", {"name": "Cup"}, id="none of it"),
    ],
)
def test_parts_of_an_object_are_sent_together(mask: str, expected: dict[str, Any]) -> None:
    """Iterable replaces the object, so that a part that was not sent would be gone."""
    assert {"B": expected} == documents(("changed", mask, "B", "Cup", 1, 2, "{}"))


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        pytest.param({}, {"size": {"h": 2}}, id="nothing of it"),
        pytest.param({"name": "string"}, {"name": None, "size": {"h": 2}}, id="one"),
        pytest.param(
            {"name": "", "size.w": "long", "facts": ""},
            {"name": None, "size": {"w": None, "h": 2}, "facts": None},
            id="all",
        ),
    ],
)
def test_null_is_sent_where_the_catalog_has_the_field(
    known: dict[str, str], expected: dict[str, Any]
) -> None:
    row = ("changed", ALL, "B", None, None, 2, None)

    assert {"B": expected} == documents(row, known_types=known)


def test_object_whose_parts_are_all_null_is_one_of_nulls() -> None:
    """So that nothing of what was in it is left."""
    known = {"size.w": "long", "size.h": "long"}

    assert {"B": {"size": {"w": None, "h": None}}} == documents(
        ("changed", "00100", "B", "Cup"), known_types=known
    )


def test_item_of_a_key_alone_is_an_empty_one() -> None:
    """And a changed row that has nothing to say is no request."""
    assert {"A": {}} == documents(("added", ALL, "A"), ("changed", ALL, "B"))


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        pytest.param('{"a.b":1}', None, id="key"),
        pytest.param('{"a":[{"b":{"c.d":null}}]}', None, id="deep"),
        pytest.param('{"a\\u002eb":1}', None, id="escaped"),
        pytest.param('[{"a":1},{".":2}]', None, id="in a list"),
        pytest.param('{"a":"b.c"}', {"a": "b.c"}, id="value"),
        pytest.param('{"a":"\\"b.c\\": 1"}', {"a": '"b.c": 1'}, id="value like a key"),
        pytest.param('{"a":1.5}', {"a": 1.5}, id="number"),
    ],
)
def test_period_in_a_key_costs_the_field(facts: str, expected: Any) -> None:
    """And only that field of that row; none is cleared for it."""
    row = ("changed", ALL, "B", "Cup", 1, 2, facts)
    more = {"known_types": {"facts": "object"}}

    _, rejections = mapped(row, ("added", ALL, "C", "Pan", 1, 2, '{"b":2}'), **more)
    found = documents(row, **more)["B"]

    size = {"name": "Cup", "size": {"w": 1, "h": 2}}
    assert found == size if expected is None else found == {**size, "facts": expected}
    assert [Rejection(1, "period_in_name", "facts")] * (expected is None) == rejections


def test_changed_row_with_nothing_but_a_bad_field_is_rejected() -> None:
    payloads, rejections = mapped(("changed", "00001", "B", "Cup", 1, 2, '{"a.b":1}'))

    assert [] == list(payloads)
    assert [Rejection(1, "period_in_name", "facts"), Rejection(1, "period_in_name")] == rejections


@pytest.mark.failure("D11")
@pytest.mark.parametrize("more", [-1, 0, 1], ids=["n-1", "n", "n+1"])
def test_item_has_so_many_bytes_at_most(more: int) -> None:
    """Of its fields as JSON; what is larger is rejected before anything is sent."""
    beside = len('{"name":""}')
    name = "é" * 100 + "x" * (MAX_ITEM_BYTES - 200 - beside + more)

    payloads, rejections = mapped(("added", ALL, "A", name), ("added", ALL, "B", "Cup"))

    assert [1] * (more <= 0) + [2] == [payload.seq for payload in payloads]
    assert [Rejection(1, "item_too_large")] * (more > 0) == rejections


@pytest.mark.parametrize("more", [-1, 0, 1], ids=["n-1", "n", "n+1"])
def test_item_is_measured_with_what_a_change_does_not_send(more: int) -> None:
    """Iterable keeps it beside what is sent, and refuses the request of all items otherwise."""
    beside = len('{"name":"","size":{"w":1,"h":20},"facts":{"a":1}}')
    name = '"' * 100 + "x" * (MAX_ITEM_BYTES - 200 - beside + more)
    row = ("changed", "00100", "A", name, 1, 20, '{"a":1}')

    payloads, rejections = mapped(("changed", "00100", "B", "Cup", 1, 20, "{}"), row)

    assert [1] + [2] * (more <= 0) == [payload.seq for payload in payloads]
    assert [Rejection(2, "item_too_large")] * (more > 0) == rejections


@pytest.mark.parametrize("more", [-1, 0, 1], ids=["n-1", "n", "n+1"])
@pytest.mark.parametrize("op", ["added", "removed"])
def test_id_has_so_many_characters_at_most(op: str, more: int) -> None:
    """As it is written: what is escaped is longer than its key."""
    key = "_" + "x" * (255 - len("x---5f") + more)

    payloads, rejections = mapped((op, ALL, key, "Cup"))

    assert [1] * (more <= 0) == [payload.seq for payload in payloads]
    assert [Rejection(1, "bad_item_id")] * (more > 0) == rejections


def test_null_that_is_to_keep_is_not_sent() -> None:
    kept = Column("name", "name", TEXT, STRING, 1, null=NullPolicy.KEEP)
    context = MapContext(
        (SKU, kept), ProjectType.EMAIL, known_types={"name": "string"}, catalog="Shop"
    )

    payloads, _ = OBJECT.payloads(frame(("added", "11", "A")), context)

    assert [b'"A":{}'] == [payload.body for payload in payloads]


def test_types_are_those_of_the_columns() -> None:
    """Two columns that are a place are one field, and what is around a field is an object."""
    columns = [
        SKU,
        Column("a", "shop_geo_location.lat", StateType.DOUBLE, WireType.DOUBLE, 1),
        Column("b", "shop_geo_location__lon", StateType.DOUBLE, WireType.DOUBLE, 2),
        Column("c", "of.it.home_geo_location", TEXT, WireType.JSON, 3),
        Column("d", "of.phone", TEXT, WireType.PHONE, 4),
        Column("e", "some", TEXT, WireType.JSON, 5),
        Column("f", "tags", TEXT, WireType.JSON, 6),
    ]

    assert wanted_types(columns, {"e"}) == {
        "shop_geo_location": "geo_location",
        "of": "object",
        "of.it": "object",
        "of.it.home_geo_location": "geo_location",
        "of.phone": "string",
        "some": "object",
        "tags": None,
    }


# -- declarations --------------------------------------------------------------------------------


def test_item_stays_unless_it_is_told_to_go(duckdb_world: World) -> None:
    put(duckdb_world)

    assert "ignore" == completed(spec(duckdb_world), OBJECT).on_remove
    with pytest.raises(ConfigError, match="on_remove='clear' is not for catalog"):
        completed(spec(duckdb_world, on_remove="clear"), OBJECT)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param({"catalog": None}, "which catalog .* is missing", id="no catalog"),
        pytest.param({"key": ("sku", "name")}, "an item has one key, and sku, name", id="two keys"),
        pytest.param(
            {"fields": {"name": {"name": "a.b"}}}, "'a.b', and .* write 'a__b'", id="period"
        ),
        pytest.param({"exclude": ("name", "price")}, "no column beside the key", id="no field"),
        pytest.param({"newest_by": "price"}, "newest_by: not for catalog", id="people's"),
        pytest.param({"requires": "users"}, "requires: not for catalog", id="of people"),
        pytest.param(
            {"merge_nested_objects": True}, "merge_nested_objects: not for", id="no merging"
        ),
    ],
)
def test_what_makes_no_sense_for_items_is_refused(
    duckdb_world: World, changes: dict[str, Any], words: str
) -> None:
    put(duckdb_world, ("A", "Cup", 1.5))

    with pytest.raises(ConfigError, match=words):
        sync(duckdb_world, **changes)

    assert duckdb_world.client is not None
    assert [] == duckdb_world.client.bodies


@pytest.mark.parametrize("name", ["", "a b", "a.b", "x" * 256, "é"])
def test_name_of_a_catalog_is_checked(duckdb_world: World, name: str) -> None:
    with pytest.raises(ValueError, match="catalog"):
        spec(duckdb_world, catalog=name)


IMAGES = {
    "sku": "text",
    "image_url_small": "text",
    "image_url_LARGE": "text",
    "image_urls": "text",
}


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        pytest.param("small", {"image_url": "s.png", "image_urls": "all"}, id="small"),
        pytest.param("Large", {"image_url": "l.png", "image_urls": "all"}, id="any case"),
        pytest.param(
            None,
            {"image_url_small": "s.png", "image_url_LARGE": "l.png", "image_urls": "all"},
            id="as the columns say",
        ),
    ],
)
def test_image_is_that_of_the_size(
    duckdb_world: World, size: str | None, expected: dict[str, str]
) -> None:
    """Of several in the model one is the image of the item, and the others are left out."""
    put(duckdb_world, ("A", "s.png", "l.png", "all"), columns=IMAGES)

    sync(duckdb_world, image_size=size)

    assert {"A": expected} == duckdb_world.client.bodies[-1]["documents"]


def test_another_size_sends_the_image_alone(duckdb_world: World) -> None:
    put(duckdb_world, ("A", "s.png", "l.png", "all"), columns=IMAGES)
    sync(duckdb_world, image_size="small")

    sync(duckdb_world, image_size="large")

    assert {"A": {"image_url": "l.png"}} == duckdb_world.client.bodies[-1]["documents"]


def test_size_that_the_model_lacks_is_refused(duckdb_world: World) -> None:
    put(duckdb_world, ("A", "s.png", "l.png", "all"), columns=IMAGES)

    with pytest.raises(ConfigError, match=r"no column 'image_url_huge'; it has image_url_small"):
        sync(duckdb_world, image_size="huge")
