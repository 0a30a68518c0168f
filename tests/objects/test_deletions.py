"""Requests to delete, forget and unforget: what is sent, refused, and asked for first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pytest

from harness import Client
from iterable_sync import objects
from iterable_sync.errors import ConfigError
from iterable_sync.payloads import as_block
from iterable_sync.rows import Column, ProjectType, Role, RunEnd, StateType, WireType
from iterable_sync.state.approvals import approve
from iterable_sync.sync_object import MapContext
from request_world import (
    delete,
    email,
    known_by,
    put_requests,
    sync_one,
    there,
    user_id,
)
from request_world import (
    with_people as with_all,
)

if TYPE_CHECKING:
    from harness import World

COLUMNS = (
    Column("id", "id", StateType.BIGINT, WireType.LONG, 0, is_key=True),
    Column("email", "email", StateType.TEXT, WireType.STRING, 1, role=Role.EMAIL),
    Column("user_id", "userId", StateType.TEXT, WireType.STRING, 2, role=Role.USER_ID),
    Column("action", "action", StateType.TEXT, WireType.STRING, 3, role=Role.ACTION),
)


def with_people(world: World, kind: ProjectType, *numbers: int) -> None:
    """Turn a world into a project whose sync of users has sent these people."""
    with_all(world, kind, *numbers, syncs=["users"])


def mapped(*rows: tuple[str | None, str | None], kind: ProjectType) -> Any:
    """Map requests: identity, action."""
    table = pa.table(
        {
            "_seq": pa.array(range(1, len(rows) + 1), pa.int64()),
            "_op": pa.array(["added"] * len(rows), pa.string()),
            "_mask": pa.array(["1111"] * len(rows), pa.string()),
            "_identity": pa.array([who for who, _ in rows], pa.string()),
            "_episode": pa.array([1] * len(rows), pa.int64()),
            "id": pa.array(range(len(rows)), pa.int64()),
            "email": pa.nulls(len(rows), pa.string()),
            "user_id": pa.nulls(len(rows), pa.string()),
            "action": pa.array([action for _, action in rows], pa.string()),
        }
    )
    frame = table.to_pandas(types_mapper=pd.ArrowDtype)
    return objects.get("deletions").payloads(frame, MapContext(COLUMNS, kind))


@pytest.mark.parametrize(
    ("who", "action", "expected"),
    [
        ("email:a@b.ch", "delete", ("DELETE", "/api/users/a%40b.ch", b"")),
        ("email:a/?#%+b@b.ch", "delete", ("DELETE", "/api/users/a%2F%3F%23%25%2Bb%40b.ch", b"")),
        ("email:é@b.ch", "delete", ("DELETE", "/api/users/%C3%A9%40b.ch", b"")),
        ("userId:U 7/é?"[:-2], "delete", ("DELETE", "/api/users/byUserId/U%207%2F", b"")),
        ("userId:U-7", " Delete ", ("DELETE", "/api/users/byUserId/U-7", b"")),
        ("email:a@b.ch", "forget", ("POST", "/api/users/forget", b'{"email":"a@b.ch"}')),
        ("userId:U-7", "FORGET", ("POST", "/api/users/forget", b'{"userId":"U-7"}')),
        ('userId:U"7', "unforget", ("POST", "/api/users/unforget", b'{"userId":"U\\"7"}')),
    ],
)
def test_request_says_what_is_asked_for(who: str, action: str, expected: tuple[Any, ...]) -> None:
    """Method, path and body; what names a person in a path is encoded, and shown nowhere."""
    payloads, rejections = mapped((who, action), kind=ProjectType.HYBRID)

    (payload,), (target,) = payloads, as_block(payloads).targets or ()
    body = objects.get("deletions").body([payload.body], create_new_fields=False, target=target)
    assert [] == rejections
    assert expected == (target.method, target.path, body)
    assert who.partition(":")[2] not in target.name


@pytest.mark.parametrize(
    ("who", "action", "reason"),
    [
        ("email:a@b.ch", "erase", "bad_action"),
        ("email:a@b.ch", "", "bad_action"),
        ("email:a@b.ch", None, "bad_action"),
        (None, "delete", "missing_identifier"),
        ("email:a", "delete", "invalid_email"),
        ("userId:é", "forget", "invalid_user_id"),
        ("userId:.", "delete", "invalid_user_id"),
        ("userId:..", "delete", "invalid_user_id"),
    ],
)
def test_request_that_nobody_can_make_is_rejected(
    who: str | None, action: str | None, reason: str
) -> None:
    """And costs no other one."""
    payloads, rejections = mapped((who, action), ("userId:U-7", "forget"), kind=ProjectType.HYBRID)

    assert [2] == [payload.seq for payload in payloads]
    assert [(1, reason)] == [(one.seq, one.reason) for one in rejections]


@pytest.mark.parametrize("kind", list(ProjectType))
def test_people_are_named_as_the_project_names_them(world: World, kind: ProjectType) -> None:
    """Who asked is gone, who did not stays; a person is never named in both ways."""
    with_people(world, kind, 1, 2, 3)
    put_requests(world, (1, 1, "delete", 1), (2, 2, "forget", 1))

    report = delete(world)

    assert world.client is not None
    by_email = kind is ProjectType.EMAIL
    path = f"/api/users/{'' if by_email else 'byUserId/'}"
    name = known_by(world, 1).replace("@", "%40")
    assert (RunEnd.CLEAN, 2) == (report.end, report.accepted)
    assert {("DELETE", path + name), ("POST", "/api/users/forget")} == set(world.client.endpoints)
    bodies = [body for body in world.client.bodies if body]
    assert [{"email" if by_email else "userId": known_by(world, 2)}] == bodies
    assert {known_by(world, 3)} == there(world)


@pytest.mark.parametrize("kind", [ProjectType.EMAIL, ProjectType.USER_ID])
@pytest.mark.parametrize("action", ["delete", "forget", "unforget"])
def test_nobody_to_be_found_is_done(world: World, action: str, kind: ProjectType) -> None:
    """It may be what an earlier request, whose answer was lost, has left."""
    with_people(world, kind, 1)
    put_requests(world, (1, 9, action, 1))

    report = delete(world)

    assert (RunEnd.CLEAN, 1, 0) == (report.end, report.accepted, report.rejected)


@pytest.mark.parametrize("status", [400, 409])
@pytest.mark.parametrize("action", ["delete", "forget"])
def test_somebody_forgotten_before_is_done(world: World, action: str, status: int) -> None:
    with_people(world, ProjectType.USER_ID, 1)
    put_requests(world, (1, 1, action, 1))
    body = {"msg": "m", "code": "ForgottenUserError", "params": None}
    world.answer_next({"status": status, "body": body}, path="/api/users/")

    assert 1 == delete(world).accepted


def test_each_request_is_made_once(world: World) -> None:
    """Also where the person came back meanwhile: a new deletion is a new request."""
    with_people(world, ProjectType.USER_ID, 1, 2)
    put_requests(world, (1, 1, "delete", 2))
    delete(world)
    sync_one(world, "users")

    again = delete(world)
    back = there(world)
    put_requests(world, (1, 1, "delete", 2), (2, 1, "delete", 1))
    new = delete(world)

    assert (0, 1) == (again.requests, again.unchanged)
    assert {user_id(1), user_id(2)} == back
    assert (1, 1, {user_id(2)}) == (new.accepted, new.unchanged, there(world))


def test_first_run_says_what_it_would_do_and_does_nothing(world: World) -> None:
    """Until somebody approves it, or says from when on."""
    with_people(world, ProjectType.USER_ID, *range(1, 6))
    put_requests(
        world,
        *((n, n, "delete", 3) for n in (1, 2)),
        *((n, n, "forget", 2) for n in (3, 4)),
        (5, 5, "unforget", 1),
    )

    first = delete(world, first_sync=None)
    nothing = world.client.bodies if world.client else None
    approve(world.state, "1.us", "deletions", by="somebody")
    then = delete(world, first_sync=None)

    assert (RunEnd.HELD, {"first_sync": 5}) == (first.end, first.held_by_guard)
    assert [] == nothing
    (said,) = (note for note in first.notes if "cannot be undone" in note)
    assert (
        "2 DELETE /api/users/byUserId/{userId}, 2 POST /api/users/forget, 1 POST "
        "/api/users/unforget: 5 in all, which take 1 seconds"
    ) in said
    assert (RunEnd.CLEAN, 5) == (then.end, then.accepted)


def test_first_run_says_how_many_days_a_quota_takes(world: World) -> None:
    with_people(world, ProjectType.USER_ID, 1)
    put_requests(world, *((n, n, "forget", 1) for n in range(1, 2_402)))

    report = delete(world, first_sync=None, dry_run=True)

    (said,) = (note for note in report.notes if "cannot be undone" in note)
    assert said.endswith("3 days at 1000 in 24 hours")


def test_requests_since_a_time_need_no_approval(world: World) -> None:
    with_people(world, ProjectType.USER_ID, 1, 2)
    put_requests(world, (1, 1, "delete", 9), (2, 2, "delete", 1))

    report = delete(world, first_sync=None, since=event_time(5))

    assert (RunEnd.CLEAN, 1, {user_id(1)}) == (report.end, report.accepted, there(world))


def event_time(days: float) -> str:
    from event_world import ago

    return ago(days=days)


@pytest.mark.parametrize(
    ("requests", "held"),
    [pytest.param(3, 0, id="as many as are allowed"), pytest.param(4, 4, id="one more")],
)
def test_unusually_many_requests_are_held(world: World, requests: int, held: int) -> None:
    """More than a share of the people that the other syncs know; an approval lets them go."""
    with_people(world, ProjectType.USER_ID, *range(1, 7))
    put_requests(world, (0, 6, "delete", 5))
    delete(world)
    guards = {"min_rows": 0, "removed_floor": 0, "max_removed": 0.6}
    asked = [(0, 6, "delete", 5), *((n, n, "delete", 1) for n in range(1, requests + 1))]
    put_requests(world, *asked)

    report = delete(world, first_sync=None, guards=guards)
    approve(world.state, "1.us", "deletions", by="somebody") if held else None
    then = delete(world, first_sync=None, guards=guards)

    assert ({"max_requests": held} if held else {}) == report.held_by_guard
    assert requests == report.accepted + then.accepted
    assert 5 - requests == len(there(world))


def test_key_is_not_the_address(world: World) -> None:
    """It is kept for as long as the request is known, and a forgotten address is not kept."""
    with_people(world, ProjectType.EMAIL, 1)
    put_requests(world, (1, 1, "forget", 1))

    with pytest.raises(ConfigError, match="key"):
        delete(world, key="email")


def test_path_with_a_person_is_in_no_log(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """Also where Iterable refuses the request, and where it does not answer."""
    caplog.set_level("DEBUG")
    with_people(world, ProjectType.EMAIL, 1, 2)
    put_requests(world, (1, 1, "delete", 1), (2, 2, "delete", 1))
    world.server.app_state.fail(
        [{"kind": "reset", "at": "answer", "endpoint": "/api/users/*", "method": "DELETE"}]
    )

    report = delete(world, client=Client(world.server, world.project_type))

    assert 2 == report.pending + report.rejected
    said = caplog.text + str(report)
    assert not [n for n in (1, 2) if email(n).partition("@")[0].lower() in said.lower()]
    assert "/api/users/{email}" in caplog.text or "/api/users/*" in caplog.text
