from __future__ import annotations

import json
import math
from decimal import Decimal
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iterable_sync.objects.users import OBJECT
from iterable_sync.rows import (
    Column,
    NullPolicy,
    Op,
    Payload,
    ProjectType,
    Rejection,
    Role,
    StateType,
    WireType,
)
from iterable_sync.sync_object import MapContext

S, W = StateType, WireType
EMAIL, USER_ID, HYBRID = ProjectType.EMAIL, ProjectType.USER_ID, ProjectType.HYBRID

KINDS: dict[str, tuple[StateType, WireType]] = {
    "user_id": (S.TEXT, W.STRING),
    "email": (S.TEXT, W.STRING),
    "name": (S.TEXT, W.STRING),
    "visits": (S.BIGINT, W.LONG),
    "score": (S.DOUBLE, W.DOUBLE),
    "total": (S.DECIMAL, W.DOUBLE),
    "member": (S.BOOLEAN, W.BOOLEAN),
    "seen": (S.TEXT, W.DATETIME),
    "extra": (S.TEXT, W.JSON),
    "address__city": (S.TEXT, W.STRING),
    "address.zip": (S.TEXT, W.STRING),
}
ROLES = {"user_id": Role.USER_ID, "email": Role.EMAIL}
FIELDS = {"user_id": "userId", "address__city": "address.city"}
KNOWN = {
    "email": "string",
    "userId": "string",
    "name": "string",
    "visits": "long",
    "extra.a": "long",
    "address.city": "string",
}
ARROW = {
    S.TEXT: pa.string(),
    S.BIGINT: pa.int64(),
    S.DOUBLE: pa.float64(),
    S.BOOLEAN: pa.bool_(),
    S.DECIMAL: pa.decimal128(38, 2),
}


def columns(**null: NullPolicy) -> tuple[Column, ...]:
    return tuple(
        Column(
            name,
            FIELDS.get(name, name),
            state,
            wire,
            place,
            scale=2,
            null=null.get(name, NullPolicy.CLEAR),
            role=ROLES.get(name, Role.FIELD),
            is_key=name == "user_id",
        )
        for place, (name, (state, wire)) in enumerate(KINDS.items())
    )


def mask(*names: str) -> str:
    return "".join("1" if name in names else "0" for name in KINDS)


def row(identity: str | None, *sent: str, op: Op = Op.CHANGED, **values: Any) -> dict[str, Any]:
    """Make a row of the plan that sends the columns named, by default those that it gives."""
    marked = mask(*(sent or values))
    return {"_op": op.value, "_identity": identity, "_mask": marked} | values


def frame(*rows: dict[str, Any], seq: int = 1) -> pd.DataFrame:
    kinds = dict.fromkeys(["_op", "_mask", "_identity"], pa.string())
    kinds |= {name: ARROW[state] for name, (state, _) in KINDS.items()}
    arrays = {"_seq": pa.array(range(seq, seq + len(rows)), pa.int64())}
    arrays |= {name: pa.array([r.get(name) for r in rows], kind) for name, kind in kinds.items()}
    return pa.table(arrays).to_pandas(types_mapper=pd.ArrowDtype)


def mapped(
    *rows: dict[str, Any],
    project: ProjectType = USER_ID,
    known: dict[str, str] | None = None,
    merge: bool = True,
    **null: NullPolicy,
) -> tuple[list[Payload], list[Rejection]]:
    context = MapContext(columns(**null), project, merge, KNOWN if known is None else known)
    return OBJECT.payloads(frame(*rows), context)


def only_body(*args: Any, **kwargs: Any) -> Any:
    (payload,), rejections = mapped(*args, **kwargs)
    assert rejections == []
    return json.loads(payload.body)


@pytest.mark.capability("A29")
def test_row_of_every_type() -> None:
    """Each type is sent in its own form, and nested names as objects."""
    body = only_body(
        row(
            "userId:U-1",
            user_id="U-1",
            email=" Ana@Example.com ",
            name='Zoë "Z"',
            visits=9007199254740993,
            score=10.0,
            total=Decimal("19.90"),
            member=True,
            seen="2024-11-25 13:37:19.039000+00:00",
            extra='{"a":1}',
            address__city="Lyon",
            **{"address.zip": "00501"},
        )
    )

    assert body == {
        "userId": "U-1",
        "dataFields": {
            "name": 'Zoë "Z"',
            "visits": 9007199254740993,
            "score": 10.0,
            "total": 19.9,
            "member": True,
            "seen": "2024-11-25 13:37:19 +00:00",
            "extra": {"a": 1},
            "address": {"city": "Lyon", "zip": "00501"},
            "email": "Ana@Example.com",
        },
        "mergeNestedObjects": True,
    }


@pytest.mark.capability("A31", "A37")
@pytest.mark.parametrize("merge", [True, False])
def test_merging_is_always_said(merge: bool) -> None:
    assert only_body(row("userId:1", name="x"), merge=merge)["mergeNestedObjects"] is merge


@pytest.mark.capability("A28")
@pytest.mark.parametrize(
    ("project", "identity", "sent", "expected"),
    [
        pytest.param(
            EMAIL,
            "email:a@b.co",
            ("user_id", "email"),
            {"email": "a@b.co", "userId": "U1"},
            id="email",
        ),
        pytest.param(
            EMAIL,
            "email:a@b.co",
            ("name",),
            {"email": "a@b.co", "dataFields": {"name": "x"}},
            id="email, userId not changed",
        ),
        pytest.param(
            USER_ID,
            "userId:U1",
            ("user_id", "email"),
            {"userId": "U1", "dataFields": {"email": "A@b.co"}},
            id="userId",
        ),
        pytest.param(
            HYBRID,
            "userId:U1",
            ("user_id", "email"),
            {"userId": "U1", "dataFields": {"email": "A@b.co"}},
            id="hybrid with both",
        ),
        pytest.param(
            HYBRID,
            "email:a@b.co",
            ("email", "name"),
            {"email": "a@b.co", "dataFields": {"name": "x"}},
            id="hybrid without a userId",
        ),
    ],
)
def test_identity_is_sent_as_the_project_takes_it(
    project: ProjectType, identity: str, sent: tuple[str, ...], expected: Any
) -> None:
    """One identifier addresses the user; the other is written where the project keeps it."""
    values = {"user_id": "U1" if "user_id" in sent else None, "email": "A@b.co", "name": "x"}

    body = only_body(row(identity, *sent, **values), project=project)

    assert body == {"dataFields": {}, "mergeNestedObjects": True} | expected


@pytest.mark.parametrize(
    ("project", "identity", "reason"),
    [
        pytest.param(
            USER_ID, "email:a@b.co", "missing_identifier", id="e-mail in a userId project"
        ),
        pytest.param(EMAIL, "userId:U1", "missing_identifier", id="userId in an email project"),
        pytest.param(EMAIL, "email:a@b", "invalid_email", id="no e-mail"),
        pytest.param(HYBRID, "userId:é", "invalid_user_id", id="not ASCII"),
    ],
)
def test_bad_identity_rejects_its_row(project: ProjectType, identity: Any, reason: str) -> None:
    """The row is rejected once, whatever else is wrong with it, and the others go on."""
    good = row("email:ok@b.co" if project is EMAIL else "userId:ok", name="x")

    payloads, rejections = mapped(good, row(identity, score=math.nan), good, project=project)

    assert [payload.seq for payload in payloads] == [1, 3]
    assert rejections == [Rejection(2, reason)]


def test_field_is_sent_only_if_its_place_in_the_mask_says_so() -> None:
    """Rows of one chunk may send different fields."""
    values = {"name": "x", "visits": 3, "member": None, "address__city": "Lyon"}
    rows = [
        row("userId:1", "name", **values),
        row("userId:2", "visits", "address__city", **values),
        row("userId:3", "name", "visits", **values),
    ]

    payloads, rejections = mapped(*rows)

    assert [json.loads(payload.body)["dataFields"] for payload in payloads] == [
        {"name": "x"},
        {"visits": 3, "address": {"city": "Lyon"}},
        {"name": "x", "visits": 3},
    ]
    assert [payload.fields for payload in payloads] == [
        ("name",),
        ("visits", "address.city"),
        ("name", "visits"),
    ]
    assert rejections == []


def test_place_is_the_columns_own_and_not_that_in_the_frame() -> None:
    """A column keeps its place in the mask when others before it are gone."""
    name = Column("name", "name", S.TEXT, W.STRING, 7)
    context = MapContext((name,), USER_ID)

    payloads, _ = OBJECT.payloads(
        frame({"_op": "changed", "_identity": "userId:1", "_mask": "00000001", "name": "x"}),
        context,
    )

    assert json.loads(payloads[0].body)["dataFields"] == {"name": "x"}


@pytest.mark.parametrize(
    ("policy", "known", "expected"),
    [
        pytest.param(NullPolicy.CLEAR, KNOWN, {"visits": 1, "name": None}, id="clear"),
        pytest.param(NullPolicy.CLEAR, {}, {"visits": 1}, id="nothing to clear"),
        pytest.param(NullPolicy.KEEP, KNOWN, {"visits": 1}, id="keep"),
        pytest.param(NullPolicy.SKIP, KNOWN, {"visits": 1}, id="skip"),
    ],
)
def test_null_is_what_the_policy_says(
    policy: NullPolicy, known: dict[str, str], expected: Any
) -> None:
    """A null clears a field that Iterable has, where that is the policy; else it is not sent."""
    sent = row("userId:1", "name", "visits", name=None, visits=1)

    assert only_body(sent, known=known, name=policy)["dataFields"] == expected


def test_null_of_json_clears_the_object_that_iterable_knows_parts_of() -> None:
    rows = [row("userId:1", "extra", extra=None), row("userId:2", "extra", extra="null")]

    payloads, _ = mapped(*rows)

    assert [json.loads(payload.body)["dataFields"] for payload in payloads] == [{"extra": None}] * 2


@pytest.mark.parametrize("blank", [None, "", "  "])
def test_identifier_is_never_sent_as_null(blank: str | None) -> None:
    """An e-mail or userId that is gone is left as it is: null would make the person unreachable."""
    by_user_id = row("userId:1", "email", "name", email=blank, name="x")
    by_email = row("email:a@b.co", "user_id", "name", user_id=blank, name="x")

    assert only_body(by_user_id)["dataFields"] == {"name": "x"}
    assert "userId" not in only_body(by_email, project=EMAIL)


def test_removed_row_clears_its_fields_and_nothing_that_identifies() -> None:
    """The identity comes from the plan, as the row itself is gone."""
    gone = row("userId:U1", *KINDS, op=Op.REMOVED, user_id="U1")

    assert only_body(gone) == {
        "userId": "U1",
        "dataFields": {"name": None, "visits": None, "extra": None, "address": {"city": None}},
        "mergeNestedObjects": True,
    }
    gone = row("email:a@b.co", *KINDS, op=Op.REMOVED)
    assert only_body(gone, project=EMAIL, known={"name": "string"}, name=NullPolicy.KEEP) == {
        "email": "a@b.co",
        "dataFields": {"name": None},
        "mergeNestedObjects": True,
    }


@pytest.mark.parametrize("op", [Op.CHANGED, Op.REMOVED])
def test_row_that_has_nothing_to_say_is_not_sent(op: Op) -> None:
    """Nulls of fields that Iterable does not have are no request and no rejection."""
    assert mapped(row("userId:1", "name", op=op), known={}) == ([], [])


@pytest.mark.parametrize("op", [Op.ADDED, Op.IDENTITY_CHANGED])
def test_new_user_without_fields_is_sent(op: Op) -> None:
    """The user is made all the same."""
    body = only_body(row("userId:1", "name", op=op), known={})

    assert body == {"userId": "1", "dataFields": {}, "mergeNestedObjects": True}


@pytest.mark.parametrize(
    ("values", "field", "reason"),
    [
        pytest.param({"score": math.nan}, "score", "not_finite", id="NaN"),
        pytest.param({"name": "a\0b"}, "name", "nul_character", id="NUL"),
        pytest.param({"seen": "infinity"}, "seen", "invalid_datetime", id="infinity"),
        pytest.param({"extra": "{"}, "extra", "invalid_json", id="no JSON"),
        pytest.param({"extra": '{"a":"x"}'}, "extra", "wrong_type", id="type inside JSON"),
        pytest.param({"email": "none"}, "email", "invalid_email", id="e-mail as a field"),
        pytest.param({"address__city": "x" * 40_000}, "address.city", "too_long", id="nested"),
    ],
)
def test_bad_value_costs_its_field(values: Any, field: str, reason: str) -> None:
    """The row goes on without the field; a changed row of which nothing is left is rejected."""
    with_more = row("userId:1", visits=1, **values)
    alone = row("userId:2", **values)
    added = row("userId:3", op=Op.ADDED, **values)

    payloads, rejections = mapped(with_more, alone, added)

    assert [(p.seq, json.loads(p.body)["dataFields"]) for p in payloads] == [
        (1, {"visits": 1}),
        (3, {}),
    ]
    assert rejections == [
        Rejection(1, reason, field),
        Rejection(2, reason, field),
        Rejection(2, reason),
        Rejection(3, reason, field),
    ]
    assert all(type(rejection.reason) is str for rejection in rejections)


def test_bad_user_id_beside_an_email_costs_only_itself() -> None:
    """In an email-based project the userId is written, and addresses nobody."""
    payloads, rejections = mapped(row("email:a@b.co", user_id="é", name="x"), project=EMAIL)

    assert "userId" not in json.loads(payloads[0].body)
    assert rejections == [Rejection(1, "invalid_user_id", "userId")]


def test_bad_value_that_is_not_sent_costs_nothing() -> None:
    assert only_body(row("userId:1", "visits", visits=1, score=math.nan)) == {
        "userId": "1",
        "dataFields": {"visits": 1},
        "mergeNestedObjects": True,
    }


@pytest.mark.parametrize(
    ("project", "identity", "user_id", "email", "expected"),
    [
        pytest.param(USER_ID, "userId:U1", "U1", " A@B.co", {"U1", "a@b.co"}, id="userId"),
        pytest.param(USER_ID, "userId:U1", "U1", None, {"U1"}, id="no e-mail"),
        pytest.param(EMAIL, "email:a@b.co", "U1", "A@B.co", {"U1", "a@b.co"}, id="email"),
        pytest.param(EMAIL, "email:a@b.co", "  ", "A@B.co", {"a@b.co"}, id="blank userId"),
        pytest.param(HYBRID, "email:a@b.co", None, "A@B.co", {"a@b.co"}, id="hybrid by e-mail"),
        pytest.param(HYBRID, "userId:U1", "U1", "A@B.co", {"U1", "a@b.co"}, id="hybrid by userId"),
    ],
)
def test_row_is_known_by_everything_that_may_name_it(
    project: ProjectType, identity: str, user_id: Any, email: Any, expected: set[str]
) -> None:
    """An answer may name a row by an identifier that this request did not send."""
    (payload,), _ = mapped(
        row(identity, "name", user_id=user_id, email=email, name="x"), project=project
    )

    assert payload.identifiers == expected
    assert payload.identity == identity


def test_fields_are_those_with_a_value() -> None:
    """A null is no reason to create a field; the parts of a JSON value are fields."""
    (payload,), _ = mapped(
        row("userId:1", "name", "visits", "extra", visits=1, extra='{"a":1,"b":{"c":[2]},"d":null}')
    )

    assert set(payload.fields) == {"visits", "extra.a", "extra.b.c"}


def test_key_that_identifies_nobody_is_a_field() -> None:
    key = Column("id", "id", S.BIGINT, W.LONG, 0, is_key=True)
    table = pa.table(
        {"_seq": [1], "_op": ["added"], "_mask": ["1"], "_identity": ["userId:1"], "id": [5]}
    )

    payloads, _ = OBJECT.payloads(
        table.to_pandas(types_mapper=pd.ArrowDtype), MapContext((key,), USER_ID)
    )

    assert json.loads(payloads[0].body)["dataFields"] == {"id": 5}


@pytest.mark.parametrize("mapper", [pd.ArrowDtype, None], ids=["Arrow dtypes", "own dtypes"])
def test_frame_of_either_kind_of_pandas_is_mapped(mapper: Any) -> None:
    """A transform may give back columns of pandas' own types."""
    table = pa.table(
        {"_seq": [1], "_op": ["added"], "_mask": ["111"], "_identity": ["userId:1"]}
        | {"name": ["x"], "visits": [5], "score": [1.5]}
    )
    model = tuple(
        Column(name, name, *KINDS[name], place)
        for place, name in enumerate(["name", "visits", "score"])
    )

    payloads, _ = OBJECT.payloads(table.to_pandas(types_mapper=mapper), MapContext(model, USER_ID))

    assert json.loads(payloads[0].body)["dataFields"] == {"name": "x", "visits": 5, "score": 1.5}


def test_more_fields_than_a_word_has_bits() -> None:
    """Which fields a row has is told apart for any number of columns."""
    model = tuple(Column(f"f{n}", f"f{n}", S.BIGINT, W.LONG, n) for n in range(150))
    arrays: dict[str, Any] = {
        "_seq": range(150),
        "_op": ["added"] * 150,
        "_mask": ["1" * 150] * 150,
        "_identity": ["userId:1"] * 150,
    }
    arrays |= {
        column.name: pa.array([n if n == place else None for n in range(150)], pa.int64())
        for place, column in enumerate(model)
    }
    table = pa.table(arrays).to_pandas(types_mapper=pd.ArrowDtype)

    payloads, _ = OBJECT.payloads(table, MapContext(model, USER_ID))

    assert [payload.fields for payload in payloads] == [(f"f{n}",) for n in range(150)]


VALUES = st.fixed_dictionaries(
    {"_identity": st.sampled_from(["userId:U1", "email:a@b.co", None, "userId:é"])},
    optional={
        "user_id": st.sampled_from(["U1", " ", None]),
        "email": st.sampled_from([" A@b.co", "none", "", None]),
        "name": st.text(max_size=5).filter(lambda text: text.isprintable()) | st.just("a\0"),
        "visits": st.integers(-(2**63), 2**63 - 1),
        "score": st.floats(),
        "total": st.decimals(-1000, 1000, places=2),
        "member": st.booleans(),
        "seen": st.sampled_from(["infinity", "2024-11-25 13:37:19+00:00"]),
        "extra": st.sampled_from(['{"a":1}', '{"a":"x"}', "null", "{", "[]"]),
        "address__city": st.text("abc", max_size=3),
    },
)


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(
        st.tuples(VALUES, st.sampled_from(list(Op)), st.text("01", min_size=11, max_size=11)),
        min_size=1,
        max_size=8,
    ),
    project=st.sampled_from(list(ProjectType)),
)
def test_row_is_mapped_as_if_it_were_alone(rows: Any, project: ProjectType) -> None:
    """No row changes what becomes of another in its chunk."""
    plan = [{**values, "_op": op.value, "_mask": bits} for values, op, bits in rows]
    context = MapContext(columns(), project, known_types=KNOWN)

    together = OBJECT.payloads(frame(*plan), context)
    alone = [OBJECT.payloads(frame(one, seq=seq), context) for seq, one in enumerate(plan, start=1)]

    assert [
        (p.seq, p.identity, p.identifiers, json.loads(p.body), set(p.fields)) for p in together[0]
    ] == [
        (p.seq, p.identity, p.identifiers, json.loads(p.body), set(p.fields))
        for payloads, _ in alone
        for p in payloads
    ]
    assert together[1] == [rejection for _, rejections in alone for rejection in rejections]
    assert b"NaN" not in b"".join(payload.body for payload in together[0])
