"""What every sync object promises; a new one is found and held to it by being there."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, get_args, get_type_hints

import pandas as pd
import pyarrow as pa
import pytest

from iterable_facts import needs_facts, swagger
from iterable_swagger import Swagger
from iterable_sync import objects
from iterable_sync.batching import split
from iterable_sync.errors import ConfigError
from iterable_sync.outcomes import Attribution, Reading, attribute, attribute_whole
from iterable_sync.payloads import as_block
from iterable_sync.rows import (
    Batch,
    Column,
    Payload,
    ProjectType,
    Role,
    StateType,
    Target,
    WireType,
)
from iterable_sync.spec import SyncSpec
from iterable_sync.sync_object import MapContext, SyncObject
from object_rows import rows_in

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
# What a request about a person asks for, who it was about and who it will be.
REQUEST = (
    *COLUMNS[:2],
    COLUMNS[4],
    *(
        Column(role.value, role.value, StateType.TEXT, WireType.STRING, place, role=role)
        for place, role in enumerate((Role.ACTION, Role.OLD, Role.NEW), start=5)
    ),
)
CONSENT = (
    *COLUMNS[:2],
    *(
        Column(name, name, StateType.TEXT, WireType.STRING, place, role=role, is_key=True)
        for place, (name, role) in enumerate(
            {"kind": Role.GROUP, "number": Role.GROUP_ID}.items(), start=2
        )
    ),
    Column("says", "subscribed", StateType.TEXT, WireType.BOOLEAN, 4, role=Role.SUBSCRIBED),
)
ARRAY = (
    *COLUMNS[:2],
    Column("ids", "emailListIds", StateType.TEXT, WireType.JSON, 2, role=Role.EMAIL_LISTS),
)
ITEM = (replace(COLUMNS[0], field="item", role=Role.FIELD), COLUMNS[2])
CONTEXT = MapContext(
    COLUMNS,
    ProjectType.HYBRID,
    known_types={"city": "string"},
    project="12345.us",
    sync="shop",
    list_ids={"VIP": 7},
    list_name="VIP",
    catalog="shop",
)
# Arrays of an answer that name rows by their userId: those of Swagger, and one of a later version.
ARRAYS = {
    f"{name}UserIds": reason
    for name, reason in {
        "invalid": "invalid_user_id",
        "notFound": "not_found",
        "invalidData": "invalid_data",
        "conflict": "conflict",
        "forgotten": "forgotten",
        "failed": "refused",
        "neverSeenBefore": "refused",
    }.items()
}
LANES = {"profiles", "events", "commerce", "catalogs"}


@pytest.fixture(params=objects.names())
def sync_object(request: pytest.FixtureRequest) -> SyncObject:
    return objects.get(request.param)


def answering(how: str) -> list[str]:
    """Give the objects whose answers are for rows, or for a request."""
    return [name for name in objects.names() if objects.get(name).answers == how]


def kinds_of_rows() -> list[Any]:
    """Give objects with what can become of a row; one that takes nothing back is not asked to."""
    return [
        pytest.param(name, op, id=f"{name}-{op}")
        for name in objects.names()
        for op in ("added", "changed", "removed")
        if op != "removed" or len(objects.get(name).removals) > 1
    ]


def context_of(sync_object: SyncObject, **more: Any) -> MapContext:
    columns = COLUMNS if sync_object.array else COMMERCE
    if Role.AUDIENCE in sync_object.shape.required:
        columns = MEMBERSHIP
    if not sync_object.shape.of_people:
        columns = ITEM
    if Role.SUBSCRIBED in sync_object.shape.required:
        columns = CONSENT
    if Role.EMAIL_LISTS in sync_object.shape.one_of:
        columns = ARRAY
    if sync_object.shape.is_final:
        columns = REQUEST
    if sync_object.shape.effect == "merge" and more.get("project_type") is ProjectType.USER_ID:
        # It is the name of such a column that says what kind of identifier is in it.
        columns = tuple(
            replace(c, name=f"{c.name}_user_id") if c.role in (Role.OLD, Role.NEW) else c
            for c in REQUEST
        )
    return replace(CONTEXT, columns=columns, **more)


def frame(rows: int, *, longest: int | None = None) -> pd.DataFrame:
    """Give a chunk of the plan; *longest* is the place of a row with a userId of 50 characters."""
    names = [f"{n}" if n != longest else "x" * 50 for n in range(rows)]
    table = pa.table(
        {
            "_seq": pa.array(range(10, 10 + rows), pa.int64()),
            "_op": pa.array(["added"] * rows, pa.string()),
            "_mask": pa.array(["11111"] * rows, pa.string()),
            "_identity": pa.array([f"userId:{name}" for name in names], pa.string()),
            "_episode": pa.array([1] * rows, pa.int64()),
            "user_id": pa.array(names, pa.string()),
            "email": pa.array([f"{name}@example.com" for name in names], pa.string()),
            "city": pa.array(["Lyon"] * rows, pa.string()),
            "name": pa.array(["Seen"] * rows, pa.string()),
            "at": pa.array(["2024-11-25 13:37:19+00:00"] * rows, pa.string()),
            "total": pa.array([7.5] * rows, pa.float64()),
            "items": pa.array(["[]"] * rows, pa.string()),
            "group": pa.array(["VIP"] * rows, pa.string()),
            "kind": pa.array(["emailList"] * rows, pa.string()),
            "number": pa.array(["7"] * rows, pa.string()),
            "says": pa.array(["true"] * rows, pa.string()),
            "ids": pa.array(["[7,8]"] * rows, pa.string()),
            "action": pa.array(["forget"] * rows, pa.string()),
            "old": pa.array([f"{name}@example.com" for name in names], pa.string()),
            "new": pa.array([f"{name}@example.org" for name in names], pa.string()),
            "old_user_id": pa.array(names, pa.string()),
            "new_user_id": pa.array([f"{name}n" for name in names], pa.string()),
        }
    )
    return table.to_pandas(types_mapper=pd.ArrowDtype)


def row_of(sync_object: SyncObject, payload: Payload) -> dict[str, Any]:
    """Give a row as a request has it."""
    body = json.loads(sync_object.body([payload.body], create_new_fields=False))
    (row,) = rows_in(sync_object, body)
    return row


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
    expected = [{"a": 1}, {"b": "é"}][: sync_object.max_rows]
    if not sync_object.shape.of_people:
        rows = [b'"%d":%b' % (place, row) for place, row in enumerate(rows)]
        expected = [{"id": f"{place}", **row} for place, row in enumerate(expected)]

    body = sync_object.body(rows, create_new_fields=create)

    assert expected == rows_in(sync_object, json.loads(body))
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

    takes = sync_object.shape.of_people and sync_object.shape.has_fields
    if not (takes or sync_object.has_listed_fields):
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
        assert isinstance(row_of(sync_object, payload), dict)
        assert payload.identity == f"userId:{n}"
        email = {f"{n}@example.com"} if sync_object.shape.of_people else set()
        new = {f"{n}@example.org"} if Role.NEW in sync_object.shape.roles else set()
        # A merge is about the two profiles that it names, and nobody beside them.
        who = set() if sync_object.shape.effect == "merge" else {f"{n}"}
        assert payload.identifiers == who | email | new


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


@pytest.mark.parametrize("array", ARRAYS)
@pytest.mark.parametrize("kind", ["UserIds", "Emails"])
@pytest.mark.parametrize("of", answering("rows"))
def test_each_row_has_one_outcome_for_every_array_of_failures(
    of: str, array: str, kind: str
) -> None:
    """Who is named has failed, for the reason of the array, and nobody else has."""
    sync_object = objects.get(of)
    payloads, _ = sync_object.payloads(frame(4), context_of(sync_object))
    name = "2" if kind == "UserIds" else "2@example.com"
    named = array.removesuffix("UserIds") + kind
    answer = {"successCount": 3, "failCount": 1, "failedUpdates": {named: [name]}}

    found = attribute(payloads, answer)

    reason = ARRAYS[array]
    if kind == "Emails":
        reason = reason.replace("user_id", "email")
    assert Attribution(Reading.EXACT, {12: reason}) == found


@pytest.mark.parametrize("code", ["BadParams", "InvalidUserIdError", "ForgottenUserError", None])
@pytest.mark.parametrize("of", answering("request"))
def test_answer_for_a_request_accepts_it_by_its_code_alone(of: str, code: str | None) -> None:
    """A 200 that does not say so is no acceptance: what became of the row is not known."""
    sync_object = objects.get(of)
    payloads, _ = sync_object.payloads(frame(1), context_of(sync_object))

    assert Attribution(Reading.UNREADABLE) == attribute_whole(payloads, {"msg": "", "code": code})


def test_same_rows_are_the_same_bytes(sync_object: SyncObject) -> None:
    """What is sent again is what was sent, so that Iterable updates what it has."""
    twice = [
        [p.body for p in sync_object.payloads(frame(3), context_of(sync_object))[0]]
        for _ in range(2)
    ]

    assert twice[0] == twice[1]
    assert 3 == len(set(twice[0]))


def test_ids_of_rows_differ(sync_object: SyncObject) -> None:
    """Two rows with one id would be one thing in Iterable."""
    payloads, _ = sync_object.payloads(frame(5), context_of(sync_object))

    ids = [body["id"] for p in payloads if "id" in (body := row_of(sync_object, p))]

    assert len(ids) in {0, 5}
    assert len(set(ids)) == len(ids)


@needs_facts
@pytest.mark.parametrize(("of", "op"), kinds_of_rows())
@pytest.mark.parametrize("project", list(ProjectType))
def test_body_is_what_iterables_document_asks_for(of: str, op: str, project: ProjectType) -> None:
    """Each request, also of rows that left, has the members and types that Swagger has."""
    sync_object = objects.get(of)
    rows = frame(2)
    rows["_op"] = pd.array([op] * 2, dtype=rows["_op"].dtype)
    if project is ProjectType.EMAIL:
        emails = [f"email:{email}" for email in rows["email"]]
        rows["_identity"] = pd.array(emails, dtype=rows["_identity"].dtype)
    context = context_of(
        sync_object, project_type=project, known_types={"city": "string", "vip": "boolean"}
    )
    payloads, rejections = sync_object.payloads(rows, context)
    document = Swagger(swagger())

    batches = _batches(sync_object, payloads)

    assert [] == rejections
    assert batches
    for batch in batches:
        target = batch.target or Target(sync_object.path)
        found = document.find(target.method.lower(), target.path)
        assert found is not None
        bodies = [payload.body for payload in batch.payloads]
        body = sync_object.body(bodies, create_new_fields=True, target=batch.target)
        assert [] == document.request_problems(*found, json.loads(body))


def _batches(sync_object: SyncObject, payloads: Any, max_bytes: int = 4_000_000) -> list[Batch]:
    return split(
        payloads,
        [],
        seq_lo=10,
        seq_hi=9 + max(len(payloads), 1),
        max_rows=sync_object.max_rows,
        max_bytes=max_bytes,
        overhead_bytes=len(sync_object.body([], create_new_fields=False)),
    )


@pytest.mark.capability("A18")
@pytest.mark.parametrize("more", [-1, 0, 1], ids=["n-1", "n", "n+1"])
def test_request_has_so_many_rows_at_most(sync_object: SyncObject, more: int) -> None:
    """At one less than the limit of the object, at it, and at one more."""
    most = sync_object.max_rows
    payloads, _ = sync_object.payloads(frame(most + more), context_of(sync_object))

    sizes = [len(batch.payloads) for batch in _batches(sync_object, payloads)]

    assert {-1: [most - 1], 0: [most], 1: [most, 1]}[more] == sizes


@pytest.mark.capability("A18")
@pytest.mark.parametrize("more", [-1, 0, 1], ids=["n-1", "n", "n+1"])
def test_request_has_so_many_bytes_at_most(sync_object: SyncObject, more: int) -> None:
    """By the body as it is sent, with what its target says: to the byte."""
    count = min(3, sync_object.max_rows)
    payloads, _ = sync_object.payloads(frame(count), context_of(sync_object))
    (whole,) = _batches(sync_object, payloads)
    body = sync_object.body(
        [p.body for p in payloads], create_new_fields=False, target=whole.target
    )

    batches = _batches(sync_object, payloads, len(body) + more)

    if more >= 0:
        assert [count] == [len(batch.payloads) for batch in batches]
    elif count > 1:
        assert [count - 1, 1] == [len(batch.payloads) for batch in batches]
    else:
        assert [(0, ["too_large"])] == [
            (len(batch.payloads), [r.reason for r in batch.rejections]) for batch in batches
        ]


@pytest.mark.parametrize("place", [0, 1, 2], ids=["first", "in the midst", "last"])
def test_row_that_no_request_can_hold_is_rejected_alone(
    sync_object: SyncObject, place: int
) -> None:
    """And makes no request of nothing, wherever it comes."""
    payloads, _ = sync_object.payloads(frame(3, longest=place), context_of(sync_object))
    small = payloads[(place + 1) % 3].body
    (target, *_) = as_block(payloads).targets or [None]
    fits = sync_object.body([small], create_new_fields=False, target=target)

    batches = _batches(sync_object, payloads, len(fits))

    refused = [(r.seq, r.reason) for batch in batches for r in batch.rejections]
    kept = [payload.seq for batch in batches for payload in batch.payloads]
    assert [(10 + place, "too_large")] == refused
    assert [seq for seq in (10, 11, 12) if seq != 10 + place] == kept
