"""
Whom a row is about: three types of project, and every kind of identity that a warehouse has.

The table is :mod:`identities`. Every sync object of people is held to it by being there.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pytest

from identities import BAD_EMAIL, BAD_USER_ID, EMAIL, HYBRID, MISSING, TABLE, USER_ID, Who
from iterable_sync import objects
from iterable_sync.identity import identity
from iterable_sync.payloads import as_block
from iterable_sync.rows import Role
from objects.test_contract import context_of, frame

if TYPE_CHECKING:
    from harness import World
    from iterable_sync.rows import ProjectType, Rejection, Target
    from iterable_sync.sync_object import SyncObject

KINDS = [EMAIL, USER_ID, HYBRID]
COLUMNS = {"id": "text", "user_id": "text", "email": "text", "city": "text"}
PEOPLE = ["users", "traits"]


# Who is to be somebody else is named in another way, and by the tests of those objects.
OF_PEOPLE = [
    name
    for name in objects.names()
    if objects.get(name).shape.of_people and Role.OLD not in objects.get(name).shape.roles
]


@pytest.fixture(params=OF_PEOPLE)
def sync_object(request: pytest.FixtureRequest) -> SyncObject:
    return objects.get(request.param)


def sent(kind: ProjectType) -> list[Who]:
    return [who for who in TABLE if not isinstance(who.addressed[kind], str)]


def refused(kind: ProjectType) -> dict[str, str]:
    """Give the rows that are rejected, with the reason."""
    found = {who.name: who.addressed[kind] for who in TABLE}
    return {name: reason for name, reason in found.items() if isinstance(reason, str)}


# -- the mapping --------------------------------------------------------------------------------


def mapped(sync_object: SyncObject, kind: ProjectType) -> tuple[list[Any], list[Rejection]]:
    """Map the table; give the JSON of each row by its place, and what was rejected."""
    table = pa.Table.from_pandas(frame(len(TABLE)), preserve_index=False)
    for name, values in {
        "_identity": [identity(who.email, who.user_id, kind) for who in TABLE],
        "email": [who.email for who in TABLE],
        "user_id": [who.user_id for who in TABLE],
        "city": [who.name for who in TABLE],
    }.items():
        place = table.column_names.index(name)
        table = table.set_column(place, name, pa.array(values, pa.string()))
    context = context_of(sync_object, project_type=kind)
    columns = tuple(replace(c, is_key=c.name == "city") for c in context.columns)
    payloads, rejections = sync_object.payloads(
        table.to_pandas(types_mapper=pd.ArrowDtype), replace(context, columns=columns)
    )
    targets = as_block(payloads).targets or [None] * len(payloads)
    bodies = [
        (payload.seq - 10, _said(json.loads(payload.body), target))
        for payload, target in zip(payloads, targets, strict=True)
    ]
    return [(TABLE[n].name, body.get("user", body)) for n, body in bodies], rejections


def _said(row: Any, target: Target | None) -> dict[str, Any]:
    """Give a row as an object: of some requests it is an identifier, and its array says which."""
    if target is None or not isinstance(row, str):
        return dict(row)
    return {"email" if target.array == "users" else "userId": row}


@pytest.mark.capability("A35")
@pytest.mark.parametrize("kind", KINDS)
def test_each_row_is_addressed_as_the_project_does_it(
    sync_object: SyncObject, kind: ProjectType
) -> None:
    """By one identifier; another one may stand beside an e-mail, and never the other way."""
    people, _ = mapped(sync_object, kind)

    assert [who.name for who in sent(kind)] == [name for name, _ in people]
    for who, (_, person) in zip(sent(kind), people, strict=True):
        member, value = who.addressed[kind]
        assert person[member] == value
        if member == "userId":
            assert "email" not in person
        elif kind is HYBRID or person.get("userId") is None:
            assert "userId" not in person


@pytest.mark.capability("A33", "B9")
@pytest.mark.parametrize("kind", KINDS)
def test_whom_nothing_addresses_is_rejected_once(
    sync_object: SyncObject, kind: ProjectType
) -> None:
    """The row is rejected with what is wrong with it, and there is no placeholder for it."""
    _, rejections = mapped(sync_object, kind)

    rows = [rejection for rejection in rejections if rejection.field is None]
    assert list(refused(kind).items()) == [(TABLE[r.seq - 10].name, r.reason) for r in rows]


@pytest.mark.capability("A33")
@pytest.mark.parametrize("kind", KINDS)
def test_no_row_asks_for_people_without_an_email(
    sync_object: SyncObject, kind: ProjectType
) -> None:
    """``preferUserId`` makes people with a placeholder for an e-mail, in one type of project."""
    people, _ = mapped(sync_object, kind)

    assert "preferUserId" not in json.dumps(people)
    assert b"preferUserId" not in sync_object.body([], create_new_fields=True)


# -- the sandbox --------------------------------------------------------------------------------


def put(world: World) -> None:
    world.put(*((who.name, who.user_id, who.email, who.name) for who in TABLE), columns=COLUMNS)


def key_of(who: Who, kind: ProjectType) -> str:
    """Give what Iterable keeps a person under: it puts all letters of an e-mail into lower case."""
    member, value = who.addressed[kind]
    return value.lower() if member == "email" else value


@pytest.mark.capability("B5")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", PEOPLE)
def test_iterable_has_exactly_those_whom_the_table_says(
    world: World, name: str, kind: ProjectType
) -> None:
    """Who is sent is accepted, who is rejected was not sent, and nobody else came to be."""
    world.with_project(kind)
    put(world)
    reasons = refused(kind)

    report = world.sync(
        sync=name,
        object=name,
        key="id",
        sql=world.sql(),
        thresholds={"max_rejected": 1},
    )

    assert {who.name for who in sent(kind)} == {fields["city"] for fields in world.users().values()}
    assert {key_of(who, kind) for who in sent(kind)} == set(world.users())
    assert reasons == {key: reason for key, field, reason in world.rejections() if field == ""}
    assert (len(sent(kind)), len(reasons)) == (report.accepted, report.rejected)


@pytest.mark.capability("A38")
@pytest.mark.parametrize("kind", KINDS)
def test_events_reach_the_people_whom_the_table_says(world: World, kind: ProjectType) -> None:
    """An event is addressed by the same rule as its person."""
    world.with_project(kind)
    put(world)
    world.sync(key="id", sql=world.sql(), thresholds={"max_rejected": 1})

    report = world.sync(
        sync="events",
        object="events",
        key="id",
        sql=f"SELECT id, user_id, email, CAST('2026-01-02 03:04:05+00' AS timestamptz) "
        f"AS created_at FROM {world.prefix}users",
        event_name="Seen",
        thresholds={"max_rejected": 1},
    )

    with world.server.app_state.lock:
        state = world.server.app_state
        rows = list(state.events.as_rows(list(state.people.profiles())))
    assert {who.name for who in sent(kind)} == {row["dataFields"]["id"] for row in rows}
    assert (len(sent(kind)), len(refused(kind))) == (report.accepted, report.rejected)


@pytest.mark.parametrize("kind", KINDS)
def test_the_sandbox_refuses_what_we_do_not_send(world: World, kind: ProjectType) -> None:
    """The table is of Iterable, and not of us: sent past our checks, it is refused there."""
    world.with_project(kind)
    bad = {BAD_EMAIL: "email", BAD_USER_ID: "userId"}
    wrong = [
        {bad[reason]: who.email if reason == BAD_EMAIL else who.user_id}
        for who in TABLE
        if (reason := who.addressed[kind]) in bad
    ]
    nobody = [{}] if any(who.addressed[kind] == MISSING for who in TABLE) else []

    for person in [*wrong, *nobody]:
        users = [person | {"dataFields": {"city": "x"}}]
        answer = world.connect().send(
            "POST", "/api/users/bulkUpdate", json.dumps({"users": users}).encode()
        )
        failed = answer.json["failCount"] if answer.status == 200 else None
        assert (answer.status, failed) in {(200, 1), (400, None)}
    assert {} == world.users()
