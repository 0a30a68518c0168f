"""Orders as purchases: what a row becomes, and what is refused."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from iterable_facts import needs_facts, swagger
from iterable_swagger import Swagger
from iterable_sync.errors import ConfigError
from iterable_sync.objects.orders import OBJECT
from iterable_sync.row_ids import row_ids
from iterable_sync.rows import Column, ProjectType, Rejection, Role, StateType, WireType
from iterable_sync.sync_object import MapContext

S, W = StateType, WireType
EMAIL, USER_ID, HYBRID = ProjectType.EMAIL, ProjectType.USER_ID, ProjectType.HYBRID
ITEMS = '[{"id":"7","name":"Tea","price":1.5,"quantity":1}]'
KINDS: dict[str, tuple[StateType, WireType, str, Role]] = {
    "order_id": (S.TEXT, W.STRING, "order_id", Role.FIELD),
    "user_id": (S.TEXT, W.STRING, "userId", Role.USER_ID),
    "email": (S.TEXT, W.STRING, "email", Role.EMAIL),
    "created_at": (S.TEXT, W.DATETIME, "createdAt", Role.PURCHASED_AT),
    "total": (S.DECIMAL, W.DOUBLE, "total", Role.TOTAL),
    "items": (S.TEXT, W.JSON, "items", Role.ITEMS),
    "campaign_id": (S.BIGINT, W.LONG, "campaignId", Role.CAMPAIGN_ID),
    "template_id": (S.BIGINT, W.LONG, "templateId", Role.TEMPLATE_ID),
    "coupon": (S.TEXT, W.STRING, "coupon", Role.FIELD),
    "tax": (S.DOUBLE, W.DOUBLE, "tax", Role.FIELD),
    "user__city": (S.TEXT, W.STRING, "user__city", Role.FIELD),
    "user__points": (S.DOUBLE, W.DOUBLE, "user__points", Role.FIELD),
}
COLUMNS = tuple(
    Column(name, field, state, wire, place, scale=2, role=role, is_key=name == "order_id")
    for place, (name, (state, wire, field, role)) in enumerate(KINDS.items())
)
ARROW = {
    S.TEXT: pa.string(),
    S.BIGINT: pa.int64(),
    S.DOUBLE: pa.float64(),
    S.DECIMAL: pa.decimal128(38, 2),
}


def row(identity: str | None = "userId:U1", **values: Any) -> dict[str, Any]:
    """Make a planned order that has all that it needs."""
    needed = {"order_id": "A-1", "created_at": "2024-11-25 13:37:19.9+00:00", "items": ITEMS}
    return {"_identity": identity, "total": Decimal("19.90")} | needed | values


def mapped(
    *rows: dict[str, Any],
    project: ProjectType = USER_ID,
    columns: tuple[Column, ...] = COLUMNS,
    **more: Any,
) -> tuple[list[dict[str, Any]], list[Rejection]]:
    """Map rows 1, 2 and so on; give the requests."""
    arrays = {
        "_seq": pa.array(range(1, len(rows) + 1), pa.int64()),
        "_op": pa.array(["changed"] * len(rows), pa.string()),
        # An order is whole: what the mask says is not looked at.
        "_mask": pa.array(["0" * len(KINDS)] * len(rows), pa.string()),
        "_identity": pa.array([r["_identity"] for r in rows], pa.string()),
    }
    arrays |= {n: pa.array([r.get(n) for r in rows], ARROW[k[0]]) for n, k in KINDS.items()}
    frame = pa.table(arrays).to_pandas(types_mapper=pd.ArrowDtype)
    context = MapContext(columns, project, project="12345.us", sync="shop", **more)
    payloads, rejections = OBJECT.payloads(frame, context)
    bodies = [OBJECT.body([p.body], create_new_fields=False) for p in payloads]
    return [json.loads(body, parse_float=Decimal) for body in bodies], rejections


@pytest.mark.capability("A24", "A25", "A27")
def test_order_becomes_a_purchase_with_all_of_it() -> None:
    values = {"campaign_id": 5, "template_id": 6, "coupon": "Ü", "tax": 1.0}
    (found,), refused = mapped(row(**values, user__city="Bern", user__points=2.0))

    assert [] == refused
    assert found == {
        "user": {
            "userId": "U1",
            "dataFields": {"city": "Bern", "points": Decimal("2.0")},
            "mergeNestedObjects": True,
            "createNewFields": True,
        },
        "id": "A-1",
        "items": [{"id": "7", "name": "Tea", "price": Decimal("1.5"), "quantity": 1}],
        "total": Decimal("19.9"),
        "createdAt": 1732541839,
        "campaignId": 5,
        "templateId": 6,
        "dataFields": {"order_id": "A-1", "coupon": "Ü", "tax": Decimal("1.0")},
    }


def test_what_is_null_is_left_out() -> None:
    (found,), _ = mapped(row())

    assert {"order_id": "A-1"} == found["dataFields"]
    assert {} == found["user"]["dataFields"]
    assert not {"campaignId", "templateId"} & found.keys()


@pytest.mark.capability("A23")
@pytest.mark.parametrize(
    ("project", "identity", "expected"),
    [
        pytest.param(EMAIL, "email:a@b.co", {"email": "a@b.co"}, id="email"),
        pytest.param(USER_ID, "userId:U1", {"userId": "U1"}, id="userId"),
        pytest.param(HYBRID, "userId:U1", {"userId": "U1"}, id="hybrid by userId"),
        pytest.param(HYBRID, "email:a@b.co", {"email": "a@b.co"}, id="hybrid by e-mail"),
    ],
)
def test_person_is_named_by_the_rule_of_the_project(
    project: ProjectType, identity: str, expected: dict[str, str]
) -> None:
    (found,), _ = mapped(row(identity, user_id="U1", email="a@b.co"), project=project)

    named = {name: found["user"].get(name) for name in ("email", "userId")}
    assert expected == {name: value for name, value in named.items() if value}


def test_switches_of_the_sync_are_those_of_the_person() -> None:
    (found,), _ = mapped(row(), merge_nested_objects=False, create_new_fields=False)

    assert (False, False) == (
        found["user"]["mergeNestedObjects"],
        found["user"]["createNewFields"],
    )


@pytest.mark.capability("A22")
@pytest.mark.parametrize(
    ("key", "is_natural"),
    [("A-1", True), ("x" * 512, True), ("x" * 513, False), ("A/1", False), ("é", False)],
    ids=["plain", "512 bytes", "513 bytes", "slash", "letter beyond ASCII"],
)
def test_key_is_the_id_where_iterable_takes_it(key: str, is_natural: bool) -> None:
    (found,), _ = mapped(row(order_id=key))

    uuid = row_ids("12345.us", "shop", [pa.array([key], pa.large_string())])[0].as_py()
    assert (key if is_natural else uuid) == found["id"]


def test_id_is_a_uuid_where_the_sync_says_so() -> None:
    (found,), _ = mapped(row(), row_id="uuid")

    assert 36 == len(found["id"])


@pytest.mark.capability("A26")
@pytest.mark.parametrize(
    ("values", "reason"),
    [
        pytest.param({"total": None}, "missing_total", id="no total"),
        pytest.param({"items": None}, "missing_items", id="no items"),
        pytest.param({"items": "null"}, "missing_items", id="null as items"),
        pytest.param({"items": "[{}]"}, "invalid_items", id="item without all"),
        pytest.param({"created_at": None}, "missing_created_at", id="no time"),
        pytest.param({"created_at": "infinity"}, "invalid_datetime", id="time that is none"),
        pytest.param({"_identity": None}, "missing_identifier", id="nobody"),
        pytest.param({"_identity": "userId:" + "x" * 53}, "invalid_user_id", id="long userId"),
    ],
)
def test_row_that_lacks_what_iterable_needs_is_refused(values: dict[str, Any], reason: str) -> None:
    found, refused = mapped(row(order_id="A-0"), row(**values), row(order_id="A-2"))

    assert [Rejection(2, reason)] == refused
    assert ["A-0", "A-2"] == [one["id"] for one in found]


@pytest.mark.parametrize(
    ("values", "field", "reason"),
    [
        pytest.param({"campaign_id": 2**31}, "campaignId", "out_of_range_int", id="campaign"),
        pytest.param(
            {"template_id": -(2**31) - 1}, "templateId", "out_of_range_int", id="template"
        ),
        pytest.param({"tax": math.nan}, "tax", "not_finite", id="field"),
        pytest.param({"user__points": math.inf}, "user.points", "not_finite", id="of the person"),
    ],
)
def test_bad_value_costs_its_field(values: dict[str, Any], field: str, reason: str) -> None:
    (found,), refused = mapped(row(**values))

    assert [Rejection(1, reason, field)] == refused
    assert field not in found
    assert {"order_id": "A-1"} == found["dataFields"]


@pytest.mark.capability("A27")
@pytest.mark.parametrize("value", [-(2**31), -1, 0, 2**31 - 1])
def test_campaign_of_32_bits_goes(value: int) -> None:
    (found,), refused = mapped(row(campaign_id=value))

    assert ([], value) == (refused, found["campaignId"])


def test_place_of_a_wrong_item_is_logged_and_no_value(caplog: pytest.LogCaptureFixture) -> None:
    secret = '[{"id":"s3cret","name":"s3cret","price":"s3cret","quantity":1}]'

    with caplog.at_level("INFO"):
        mapped(row(items=secret), row(items=secret, order_id="s3cret"))

    assert ["shop: 2 rows rejected, invalid_items: items[0].price is no number"] == caplog.messages


def test_field_of_a_person_that_iterable_manages_is_an_error() -> None:
    columns = (*COLUMNS[:-1], replace(COLUMNS[-1], field="user.emailListIds"))

    with pytest.raises(ConfigError, match=r"'user.emailListIds' cannot be written"):
        mapped(row(), columns=columns)


@pytest.mark.capability("B10")
@needs_facts
def test_request_is_what_the_documentation_says() -> None:
    """Checked against the schema of the endpoint."""
    document = Swagger(swagger())
    for values in ({}, {"campaign_id": 5, "coupon": "x", "user__city": "Bern", "items": "[]"}):
        (found,), _ = mapped(row(**values))

        body = json.loads(json.dumps(found, default=float))
        assert [] == document.request_problems("post", OBJECT.path, body)
