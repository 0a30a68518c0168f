"""What every sync object promises; a new one is found and held to it by being there."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, get_args, get_type_hints

import pandas as pd
import pyarrow as pa
import pytest

from iterable_sync import objects
from iterable_sync.errors import ConfigError
from iterable_sync.outcomes import Attribution, Reading, attribute, attribute_whole
from iterable_sync.payloads import as_block
from iterable_sync.rows import Column, ProjectType, Role, StateType, WireType
from iterable_sync.spec import SyncSpec
from iterable_sync.sync_object import MapContext, SyncObject

COLUMNS = (
    Column("user_id", "userId", StateType.TEXT, WireType.STRING, 0, role=Role.USER_ID, is_key=True),
    Column("email", "email", StateType.TEXT, WireType.STRING, 1, role=Role.EMAIL),
    Column("city", "city", StateType.TEXT, WireType.STRING, 2),
    Column("name", "eventName", StateType.TEXT, WireType.STRING, 3, role=Role.EVENT_NAME),
    Column("at", "createdAt", StateType.TEXT, WireType.DATETIME, 4, role=Role.CREATED_AT),
)
# What is tracked request by request has the fields of its person under `user`.
COMMERCE = (
    *(
        replace(column, field="user.city") if column.name == "city" else column
        for column in COLUMNS[:3]
    ),
    Column("at", "createdAt", StateType.TEXT, WireType.DATETIME, 3, role=Role.PURCHASED_AT),
    Column("total", "total", StateType.DOUBLE, WireType.DOUBLE, 4, role=Role.TOTAL),
    Column("items", "items", StateType.TEXT, WireType.JSON, 5, role=Role.ITEMS),
)
MEMBERSHIP = (
    *COLUMNS[:3],
    Column(
        "group", "audience", StateType.TEXT, WireType.STRING, 3, role=Role.AUDIENCE, is_key=True
    ),
)
CONTEXT = MapContext(
    COLUMNS,
    ProjectType.HYBRID,
    known_types={"city": "string"},
    project="12345.us",
    sync="shop",
    list_ids={"VIP": 7},
    list_name="VIP",
)
LANES = {"profiles", "events", "commerce", "catalogs"}


@pytest.fixture(params=objects.names())
def sync_object(request: pytest.FixtureRequest) -> SyncObject:
    return objects.get(request.param)


def context_of(sync_object: SyncObject, **more: Any) -> MapContext:
    columns = COLUMNS if sync_object.array else COMMERCE
    if Role.AUDIENCE in sync_object.shape.required:
        columns = MEMBERSHIP
    return replace(CONTEXT, columns=columns, **more)


def frame(rows: int) -> pd.DataFrame:
    table = pa.table(
        {
            "_seq": pa.array(range(10, 10 + rows), pa.int64()),
            "_op": pa.array(["added"] * rows, pa.string()),
            "_mask": pa.array(["11111"] * rows, pa.string()),
            "_identity": pa.array([f"userId:{n}" for n in range(rows)], pa.string()),
            "_episode": pa.array([1] * rows, pa.int64()),
            "user_id": pa.array([f"{n}" for n in range(rows)], pa.string()),
            "email": pa.array([f"{n}@example.com" for n in range(rows)], pa.string()),
            "city": pa.array(["Lyon"] * rows, pa.string()),
            "name": pa.array(["Seen"] * rows, pa.string()),
            "at": pa.array(["2024-11-25 13:37:19+00:00"] * rows, pa.string()),
            "total": pa.array([7.5] * rows, pa.float64()),
            "items": pa.array(["[]"] * rows, pa.string()),
            "group": pa.array(["VIP"] * rows, pa.string()),
        }
    )
    return table.to_pandas(types_mapper=pd.ArrowDtype)


def test_unknown_object_is_an_error_that_lists_the_known() -> None:
    with pytest.raises(ConfigError, match=r"unknown sync object 'user'; known: .*users"):
        objects.get("user")


def test_name_that_is_a_path_is_no_object() -> None:
    """What a DAG author writes is never imported unless it is one of the files."""
    with pytest.raises(ConfigError, match="unknown sync object"):
        objects.get("users.OBJECT")


def test_object_has_the_name_of_its_file(sync_object: SyncObject) -> None:
    assert sync_object is objects.get(sync_object.name)


def test_declaration_is_complete(sync_object: SyncObject) -> None:
    """The engine reads all of it, and codes around nothing."""
    words, _ = get_args(get_type_hints(SyncSpec)["on_remove"])
    on_remove = set(get_args(words))

    assert sync_object.lane in LANES
    assert sync_object.path.startswith("/api/")
    assert sync_object.sends in {"changed_fields", "whole"}
    assert sync_object.requests_per_s > 0
    assert sync_object.max_rows >= 1
    assert {"ignore"} <= set(sync_object.removals) <= on_remove
    assert isinstance(sync_object.has_listed_fields, bool)


def test_append_only_is_whole_and_removes_nothing(sync_object: SyncObject) -> None:
    """What is accepted is done with: there is no field to change and no row to take back."""
    if sync_object.shape.is_append_only:
        assert ("whole", ("ignore",)) == (sync_object.sends, sync_object.removals)


@pytest.mark.parametrize("create", [True, False])
def test_body_holds_its_rows(sync_object: SyncObject, create: bool) -> None:
    """A body is JSON, its rows unchanged and in order, and its length without them is fixed."""
    rows = [b'{"a":1}', '{"b":"é"}'.encode()][: sync_object.max_rows]

    body = sync_object.body(rows, create_new_fields=create)

    document = json.loads(body)
    held = document[sync_object.array] if sync_object.array else [document]
    assert held == [{"a": 1}, {"b": "é"}][: sync_object.max_rows]
    assert len(body) == len(sync_object.body([], create_new_fields=create)) + len(b",".join(rows))


@pytest.mark.parametrize("create", [True, False])
def test_new_fields_are_allowed_where_the_endpoint_reads_it(
    sync_object: SyncObject, create: bool
) -> None:
    """By the body, or by each row where nobody knows which fields there are."""
    allowing = context_of(sync_object, create_new_fields=create)
    payloads, _ = sync_object.payloads(frame(2), allowing)

    rows = [payload.body for payload in payloads][: sync_object.max_rows]
    body = json.loads(sync_object.body(rows, create_new_fields=create))

    if not (sync_object.shape.has_fields or sync_object.has_listed_fields):
        assert b"createNewFields" not in b"".join(payload.body for payload in payloads)
        return
    of_rows = body[sync_object.array] if sync_object.array else [body["user"]]
    says = [body] if sync_object.has_listed_fields else of_rows
    assert [part["createNewFields"] for part in says] == [create] * len(says)


def test_body_is_not_longer_with_new_fields(sync_object: SyncObject) -> None:
    """Batches are measured without new fields, and sent with them."""
    lengths = [len(sync_object.body([], create_new_fields=create)) for create in (True, False)]

    assert lengths[0] <= lengths[1]


def test_empty_chunk_is_nothing(sync_object: SyncObject) -> None:
    assert sync_object.payloads(frame(0), context_of(sync_object)) == ([], [])


def test_rows_become_payloads_in_order(sync_object: SyncObject) -> None:
    """Every good row has one payload, which is an object in JSON and knows who it is about."""
    payloads, rejections = sync_object.payloads(frame(5), context_of(sync_object))

    assert [payload.seq for payload in payloads] == [10, 11, 12, 13, 14]
    assert rejections == []
    for n, payload in enumerate(payloads):
        assert isinstance(json.loads(payload.body), dict)
        assert payload.identity == f"userId:{n}"
        assert payload.identifiers == {f"{n}", f"{n}@example.com"}


def test_rows_in_one_piece_make_the_same_body(sync_object: SyncObject) -> None:
    """What is sent is the rows as they are, to the byte, whether joined before or not."""
    payloads, _ = sync_object.payloads(frame(3), context_of(sync_object))

    joined = sync_object.body([as_block(payloads).joined()], create_new_fields=False)

    rows = [payload.body for payload in payloads]
    assert joined == sync_object.body(rows, create_new_fields=False)
    assert b",".join(rows) in joined


def test_clean_answer_accepts_every_row(sync_object: SyncObject) -> None:
    """All bulk endpoints answer alike: two counts, and names of what failed; others with a code."""
    payloads, _ = sync_object.payloads(frame(3), context_of(sync_object))

    if sync_object.answers == "rows":
        found = attribute(payloads, {"successCount": 3, "failCount": 0, "failedUpdates": {}})
    else:
        found = attribute_whole(payloads[: sync_object.max_rows], {"msg": "", "code": "Success"})

    assert Attribution(Reading.EXACT) == found
