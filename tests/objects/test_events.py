from __future__ import annotations

import json
import math
import time
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from event_rows import AT, AT_S, COLUMNS, context, frame, mapped, row
from iterable_sync.objects.events import OBJECT
from iterable_sync.row_ids import row_ids
from iterable_sync.rows import ProjectType, Rejection, StateType
from iterable_sync.sync_object import MapContext

EMAIL, USER_ID, HYBRID = ProjectType.EMAIL, ProjectType.USER_ID, ProjectType.HYBRID


def events(*args: Any, **kwargs: Any) -> list[Any]:
    payloads, rejections = mapped(*args, **kwargs)
    assert rejections == []
    return [json.loads(payload.body) for payload in payloads]


def fields(**values: Any) -> Any:
    return events(row(**values))[0]["dataFields"]


# -- mapping -------------------------------------------------------------------------------------


@pytest.mark.capability("A13", "A16", "A17")
def test_event_of_every_type() -> None:
    (event,) = events(
        row(
            order_id=9007199254740993,
            user_id="U1",
            email="ana@example.com",
            event_name='Größe "gewählt"',
            campaign_id=77,
            template_id=2**63 - 1,
            total=Decimal("19.90"),
            score=10.0,
            gift=True,
            seen="2024-11-25 13:37:19.039000+00:00",
            items='[{"sku":"1"}]',
            address__city="Lyon",
        )
    )

    line, order_id = (pa.array([text], pa.large_string()) for text in ("a", "9007199254740993"))
    (event_id,) = row_ids("12345.us", "shop", [line, order_id]).to_pylist()
    assert event == {
        "userId": "U1",
        "eventName": 'Größe "gewählt"',
        "id": event_id,
        "createdAt": AT_S,
        "campaignId": 77,
        "templateId": 2**63 - 1,
        "dataFields": {
            "orderId": 9007199254740993,
            "line": "a",
            "total": 19.9,
            "score": 10.0,
            "gift": True,
            "seen": "2024-11-25 13:37:19 +00:00",
            "items": [{"sku": "1"}],
            "address": {"city": "Lyon"},
        },
        "createNewFields": True,
    }


def test_body_is_the_rows_and_their_envelope_to_the_byte() -> None:
    payloads, _ = mapped(row(order_id=1), row(order_id=2, campaign_id=3))

    body = OBJECT.body([payload.body for payload in payloads], create_new_fields=False)

    expected = b'{"events":[' + payloads[0].body + b"," + payloads[1].body + b"]}"
    assert expected == body
    assert json.loads(body)["events"] == [json.loads(payload.body) for payload in payloads]


@pytest.mark.capability("A10", "A11")
@pytest.mark.parametrize(
    ("project", "identity", "expected"),
    [
        pytest.param(EMAIL, "email:a@b.co", {"email": "a@b.co"}, id="email"),
        pytest.param(USER_ID, "userId:U1", {"userId": "U1"}, id="userId"),
        pytest.param(HYBRID, "userId:U1", {"userId": "U1"}, id="hybrid with both"),
        pytest.param(HYBRID, "email:a@b.co", {"email": "a@b.co"}, id="hybrid without a userId"),
    ],
)
def test_one_identifier_is_sent_and_the_other_is_no_field(
    project: ProjectType, identity: str, expected: dict[str, str]
) -> None:
    """Swagger says "but not both"; the other one belongs to the profile, not to the event."""
    user_id = "U1" if identity.startswith("userId") or project is EMAIL else None

    (event,) = events(row(identity, user_id=user_id, email="A@b.co"), project=project)

    assert expected == {name: event[name] for name in ("email", "userId") if name in event}
    assert {"orderId", "line"} == event["dataFields"].keys()


def test_rows_of_one_chunk_may_be_addressed_differently() -> None:
    found = events(row("userId:U1"), row("email:a@b.co"), project=HYBRID)

    assert [("U1", None), (None, "a@b.co")] == [(e.get("userId"), e.get("email")) for e in found]


@pytest.mark.capability("A12")
@pytest.mark.parametrize(
    ("values", "project", "reason"),
    [
        pytest.param({"identity": None}, USER_ID, "missing_identifier", id="nobody"),
        pytest.param(
            {"identity": "email:a@b.co"}, USER_ID, "missing_identifier", id="e-mail, userId project"
        ),
        pytest.param(
            {"identity": "userId:U1"}, EMAIL, "missing_identifier", id="userId, email project"
        ),
        pytest.param({"identity": "email:a@b"}, HYBRID, "invalid_email", id="no e-mail"),
        pytest.param({"identity": "userId:é"}, HYBRID, "invalid_user_id", id="no userId"),
        pytest.param({"event_name": None}, USER_ID, "missing_event_name", id="no name"),
        pytest.param({"event_name": " \t\n"}, USER_ID, "missing_event_name", id="blank name"),
        pytest.param({"event_name": "a\0b"}, USER_ID, "nul_character", id="NUL in the name"),
        pytest.param({"event_name": "x" * 32_767}, USER_ID, "too_long", id="endless name"),
        pytest.param({"happened_at": None}, USER_ID, "missing_created_at", id="no time"),
        pytest.param({"happened_at": "infinity"}, USER_ID, "invalid_datetime", id="infinity"),
        pytest.param(
            {"happened_at": "10000-01-01 00:00:00+00:00"}, USER_ID, "invalid_datetime", id="10000"
        ),
        pytest.param(
            {"happened_at": "2023-02-29 00:00:00+00:00"}, USER_ID, "invalid_datetime", id="no day"
        ),
        pytest.param(
            {"happened_at": "2024-11-25 13:37:19"}, USER_ID, "invalid_datetime", id="no zone"
        ),
        pytest.param(
            {"event_name": None, "happened_at": None, "identity": None},
            USER_ID,
            "missing_identifier",
            id="nothing at all",
        ),
    ],
)
def test_event_that_cannot_be_sent_is_rejected_once(
    values: dict[str, Any], project: ProjectType, reason: str
) -> None:
    """One null name would refuse the request of all; whatever else is wrong, the others go on."""
    good = row("email:ok@b.co" if project is EMAIL else "userId:ok")

    payloads, rejections = mapped(good, row(**values, score=math.nan), good, project=project)

    assert [1, 3] == [payload.seq for payload in payloads]
    assert [Rejection(2, reason)] == rejections
    assert type(rejections[0].reason) is str


def test_name_may_be_the_same_for_all_rows() -> None:
    found = events(row(event_name=None), row(event_name="x"), event_name='Page "viewed"')

    assert ['Page "viewed"'] * 2 == [event["eventName"] for event in found]


@pytest.mark.parametrize(
    ("values", "field", "reason"),
    [
        pytest.param({"score": math.inf}, "score", "not_finite", id="infinite"),
        pytest.param({"address__city": "a\0b"}, "address.city", "nul_character", id="NUL"),
        pytest.param({"seen": "infinity"}, "seen", "invalid_datetime", id="time"),
        pytest.param({"items": "{"}, "items", "invalid_json", id="no JSON"),
    ],
)
def test_bad_value_costs_its_field(values: Any, field: str, reason: str) -> None:
    """Also where nothing else is left to say: that it happened is said."""
    payloads, rejections = mapped(row(**values))

    assert {"orderId": 1, "line": "a"} == json.loads(payloads[0].body)["dataFields"]
    assert [Rejection(1, reason, field)] == rejections


@pytest.mark.capability("A16")
def test_campaign_that_is_no_integer_costs_itself() -> None:
    """Of some sources the column is a text, whatever it holds."""
    columns = tuple(
        replace(c, state=StateType.TEXT) if c.name == "campaign_id" else c for c in COLUMNS
    )
    table = frame(row(), row(), row())
    table["campaign_id"] = pd.array(["77", "x", None], pd.ArrowDtype(pa.string()))

    payloads, rejections = OBJECT.payloads(table, replace(context(), columns=columns))

    assert [77, None, None] == [json.loads(p.body).get("campaignId") for p in payloads]
    assert [Rejection(2, "invalid_number", "campaignId")] == rejections


def test_null_is_left_out() -> None:
    """There is nothing to clear, and whether a null deletes a field of an event no one knows."""
    (event,) = events(row(campaign_id=None, score=None, items="null"))

    assert {"userId", "eventName", "id", "createdAt", "dataFields", "createNewFields"} == set(event)
    assert {"orderId": 1, "line": "a"} == event["dataFields"]


def test_event_is_whole_whatever_the_mask_says() -> None:
    """Sent again, it replaces what Iterable has under its id."""
    assert fields(score=1.5) == {"orderId": 1, "line": "a", "score": 1.5}


@pytest.mark.parametrize("create", [True, False])
def test_each_event_says_whether_it_may_create_fields(create: bool) -> None:
    found = events(row(), row(), create_new_fields=create)

    assert [create, create] == [event["createNewFields"] for event in found]


def test_fields_are_those_with_a_value() -> None:
    """By these names an answer says what it dropped."""
    (payload,), _ = mapped(row(campaign_id=1, items='{"a":1,"b":null}', score=math.nan))

    assert {"orderId", "line", "items.a"} == set(payload.fields)


@pytest.mark.parametrize(
    ("project", "identity", "expected"),
    [
        pytest.param(EMAIL, "email:a@b.co", {"a@b.co", "U1"}, id="email"),
        pytest.param(USER_ID, "userId:U1", {"a@b.co", "U1"}, id="userId"),
        pytest.param(HYBRID, "userId:U1", {"a@b.co", "U1"}, id="hybrid"),
    ],
)
def test_row_is_known_by_everything_that_may_name_it(
    project: ProjectType, identity: str, expected: set[str]
) -> None:
    (payload,), _ = mapped(row(identity, user_id="U1", email=" A@B.co"), project=project)

    assert expected == payload.identifiers


# -- time ----------------------------------------------------------------------------------------


def created_at(text: str) -> int:
    (event,) = events(row(happened_at=text))
    found: int = event["createdAt"]
    return found


@pytest.mark.failure("P10")
@pytest.mark.capability("A15")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("1970-01-01 00:00:00+00:00", 0, id="the epoch"),
        pytest.param("1970-01-01 00:00:00.999999+00:00", 0, id="fraction cut off"),
        pytest.param("1969-12-31 23:59:59.500000+00:00", -1, id="fraction before 1970"),
        pytest.param("1969-12-31 23:59:59+00:00", -1, id="a second before"),
        pytest.param("0001-01-01 00:00:00+00:00", -62_135_596_800, id="first"),
        pytest.param("9999-12-31 23:59:59+00:00", 253_402_300_799, id="last"),
        pytest.param("2024-02-29 12:00:00.1+00:00", 1_709_208_000, id="leap day"),
        # Both of the hours that a clock of Berlin shows as 2:30, and the one that it skips.
        pytest.param("2024-10-27 00:30:00+00:00", 1_729_989_000, id="first 2:30 of autumn"),
        pytest.param("2024-10-27 01:30:00+00:00", 1_729_992_600, id="second 2:30 of autumn"),
        pytest.param("2024-03-31 01:00:00+00:00", 1_711_846_800, id="skipped hour of spring"),
    ],
)
@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/St_Johns"])
def test_time_is_in_seconds_wherever_the_worker_is(
    text: str, expected: int, zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", zone)
        time.tzset()
        found = created_at(text)
    time.tzset()

    assert expected == found


@pytest.mark.failure("D6")
@given(
    st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59))  # noqa: DTZ001 - naive here
)
def test_every_time_is_its_second(moment: datetime) -> None:
    moment = moment.replace(tzinfo=UTC)

    assert moment.replace(microsecond=0).timestamp() == created_at(moment.isoformat(" "))


# -- ids -----------------------------------------------------------------------------------------


def test_id_is_the_same_in_every_run_and_order_of_the_key() -> None:
    """What else the row says, its place in the plan and who it is about do not matter."""
    one = row(order_id=7, line="x")
    other = row("email:a@b.co", order_id=7, line="x", score=2.0, happened_at=AT.replace("4", "3"))
    turned = MapContext(COLUMNS[::-1], USER_ID, project="12345.us", sync="shop")

    (first,) = events(one)
    second = events(row(), other, project=HYBRID)[1]
    (third,) = OBJECT.payloads(frame(one, seq=50), turned)[0]

    assert first["id"] == second["id"] == json.loads(third.body)["id"]


def test_ids_of_different_keys_differ() -> None:
    keys = [(1, "11"), (11, "1"), (111, ""), (1, "1"), (1, "a"), (1, "A"), (1, "a ")]

    found = events(*(row(order_id=order, line=line) for order, line in keys))

    assert len(keys) == len({event["id"] for event in found})


VALUES = st.fixed_dictionaries(
    {
        "identity": st.sampled_from(["userId:U1", "email:a@b.co", None, "userId:é"]),
        "event_name": st.sampled_from(["Bought", 'Größe "x"', "\n", "a\0", None]),
        "happened_at": st.sampled_from([AT, "1969-12-31 23:59:59.5+00:00", "infinity", None]),
        "order_id": st.integers(0, 3),
    },
    optional={
        "user_id": st.sampled_from(["U1", " ", None]),
        "email": st.sampled_from([" A@b.co", "none", "", None]),
        "campaign_id": st.integers(-(2**63), 2**63 - 1),
        "score": st.floats(),
        "gift": st.booleans(),
        "seen": st.sampled_from(["infinity", AT]),
        "items": st.sampled_from(['{"a":1}', "null", "{", "[]"]),
        "address__city": st.text("abc", max_size=3),
    },
)


@settings(max_examples=60, deadline=None)
@given(
    plan=st.lists(VALUES, min_size=1, max_size=8),
    project=st.sampled_from(list(ProjectType)),
    name=st.sampled_from([None, "Fixed"]),
)
def test_row_is_mapped_as_if_it_were_alone(
    plan: list[dict[str, Any]], project: ProjectType, name: str | None
) -> None:
    """No row changes what becomes of another in its chunk."""
    rows = [row(**values) for values in plan]
    told = context(project, event_name=name)

    together = OBJECT.payloads(frame(*rows), told)
    alone = [OBJECT.payloads(frame(one, seq=seq), told) for seq, one in enumerate(rows, start=1)]

    assert [
        (p.seq, p.identity, p.identifiers, json.loads(p.body), set(p.fields)) for p in together[0]
    ] == [
        (p.seq, p.identity, p.identifiers, json.loads(p.body), set(p.fields))
        for payloads, _ in alone
        for p in payloads
    ]
    assert together[1] == [rejection for _, rejections in alone for rejection in rejections]
