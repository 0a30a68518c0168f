"""
What every object promises whose rows are requests that cannot be undone (``Shape.is_final``).

A new one is found and held to it by being there. The requests are about people who are in a sync of
users; what one comes to is said here by its effect.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from crashes import Crash, crash_at
from event_world import ago
from fakes import Clock
from iterable_sync import objects
from iterable_sync.rows import ProjectType, Role, RunEnd
from iterable_sync.state.approvals import approve

if TYPE_CHECKING:
    from harness import World
    from iterable_sync.rows import RunReport
    from iterable_sync.spec import SyncSpec
    from iterable_sync.sync_object import SyncObject

FINAL = [name for name in objects.names() if objects.get(name).shape.is_final]
PEOPLE = (1, 2, 3)
# Who is merged goes into the one of this number more.
OTHER = 100


@pytest.fixture(params=FINAL)
def sync_object(request: pytest.FixtureRequest) -> SyncObject:
    return objects.get(request.param)


def email(number: int) -> str:
    return f"u{number}@example.com"


def columns_of(sync_object: SyncObject, project: ProjectType) -> dict[str, str]:
    """Give the columns of a model, with identifiers as the project has them."""
    found = {"id": "text", "user_id": "text", "email": "text"}
    for role, names in sync_object.shape.roles.items():
        by_user_id = project is ProjectType.USER_ID and names[-1].endswith("user_id")
        found[names[-1] if by_user_id else names[0]] = (
            "timestamptz" if role is Role.CREATED_AT else "text"
        )
    return found


def row(sync_object: SyncObject, project: ProjectType, number: int) -> tuple[Any, ...]:
    """Give the request of a person."""
    of_role = {
        Role.CREATED_AT: ago(days=1),
        Role.ACTION: "delete",
        Role.OLD: email(number),
        Role.NEW: f"new{number}@example.com",
    }
    if sync_object.shape.effect == "merge":
        of_role[Role.NEW] = email(number + OTHER)
        if project is ProjectType.USER_ID:
            of_role |= {Role.OLD: f"u{number}", Role.NEW: f"u{number + OTHER}"}
    return (f"r{number}", f"u{number}", email(number), *map(of_role.get, sync_object.shape.roles))


def expected(sync_object: SyncObject, *numbers: int) -> dict[str, str]:
    """Give userId -> address of those whom Iterable has after some requests."""
    everybody = {f"u{n}": email(n) for n in (*PEOPLE, *(n + OTHER for n in PEOPLE))}
    for number in numbers:
        if sync_object.shape.effect == "email_change":
            everybody[f"u{number}"] = f"new{number}@example.com"
        else:
            del everybody[f"u{number}"]
    return everybody


def people(world: World) -> dict[str, str]:
    return {fields["userId"]: fields["email"] for fields in world.users().values()}


def put(world: World, sync_object: SyncObject, *numbers: int) -> None:
    """Replace the requests of the warehouse."""
    kind = world.project_type
    world.put(
        *(row(sync_object, kind, n) for n in numbers),
        columns=columns_of(sync_object, kind),
        table="requests",
    )


def with_requests(world: World, sync_object: SyncObject, kind: ProjectType, *numbers: int) -> None:
    """Turn a world into a project whose sync of users has sent everybody."""
    world.with_project(kind)
    columns = {"user_id": "text", "email": "text", "city": "text"}
    everybody = expected(sync_object)
    world.put(
        *((who, address, "Bern") for who, address in everybody.items()),
        columns=columns,
        table="users",
    )
    assert len(everybody) == world.sync(sql=world.sql(*columns, table="users")).accepted
    put(world, sync_object, *numbers)


def spec(world: World, sync_object: SyncObject, **changes: Any) -> SyncSpec:
    """Give the sync of all requests."""
    names = columns_of(sync_object, world.project_type)
    values = {
        "sync": sync_object.name,
        "object": sync_object.name,
        "sql": world.sql(*names, table="requests"),
        "key": "id",
        "first_sync": "all",
        "guards": {"min_rows": 0},
        "threads": 1,
    }
    if sync_object.shape.effect == "merge":
        values["allow_merge"] = True
    return world.spec(**values | changes)


def request(
    world: World, sync_object: SyncObject, *, client: Any = None, **changes: Any
) -> RunReport:
    """Make the requests; no test waits for real."""
    clock = Clock()
    return world.sync(
        spec(world, sync_object, **changes),
        client=client,
        options={"clock": clock, "sleep": clock.sleep},
    )


def test_declaration_is_that_of_requests(sync_object: SyncObject) -> None:
    """Each row is a request of its own, made once, and what it does is said to the others."""
    shape = sync_object.shape

    assert (True, True, True) == (shape.is_append_only, shape.has_history, shape.shares_identity)
    assert shape.effect in {"deletion", "email_change", "merge"}
    assert {Role.ACTION, Role.OLD} & shape.roles.keys()
    assert (1, "request", "profiles") == (
        sync_object.max_rows,
        sync_object.answers,
        sync_object.lane,
    )


@pytest.mark.parametrize("kind", list(ProjectType))
def test_requests_come_to_what_they_ask_for(
    world: World, sync_object: SyncObject, kind: ProjectType
) -> None:
    """For those who are asked about and for nobody else, once; in every type of project."""
    with_requests(world, sync_object, kind, 1, 2)

    first = request(world, sync_object)
    after = people(world)
    again = request(world, sync_object)

    assert (RunEnd.CLEAN, 2, 2) == (first.end, first.accepted, first.requests)
    assert expected(sync_object, 1, 2) == after == people(world)
    assert (0, 2) == (again.requests, again.unchanged)


def test_first_run_is_held_and_says_what_it_would_do(world: World, sync_object: SyncObject) -> None:
    """Until somebody approves it; a dry run says the same."""
    with_requests(world, sync_object, ProjectType.EMAIL, 1, 2)

    dry = request(world, sync_object, first_sync=None, dry_run=True)
    held = request(world, sync_object, first_sync=None)
    before = people(world)
    approve(world.state, "1.us", sync_object.name, by="somebody")
    then = request(world, sync_object, first_sync=None)

    assert (RunEnd.HELD, {"first_sync": 2}, 0) == (held.end, held.held_by_guard, held.requests)
    assert expected(sync_object) == before
    for notes in (dry.notes, held.notes):
        assert [note for note in notes if "cannot be undone" in note and "2 in all" in note]
    assert (2, expected(sync_object, 1, 2)) == (then.accepted, people(world))


def test_unusually_many_requests_are_held(world: World, sync_object: SyncObject) -> None:
    with_requests(world, sync_object, ProjectType.EMAIL, 1)
    request(world, sync_object)
    put(world, sync_object, *PEOPLE)

    report = request(
        world, sync_object, guards={"min_rows": 0, "removed_floor": 0, "max_removed": 0.2}
    )

    assert (RunEnd.HELD, {"max_requests": 2}) == (report.end, report.held_by_guard)
    assert expected(sync_object, 1) == people(world)


@pytest.mark.parametrize("at", [1, pytest.param(2, marks=pytest.mark.all)])
@pytest.mark.parametrize("applied", [True, False], ids=["answer lost", "not sent"])
def test_run_that_dies_is_made_good_by_the_next(
    world: World, sync_object: SyncObject, at: int, *, applied: bool
) -> None:
    """Nobody is asked about twice with another result, and no other sync is left behind."""
    with_requests(world, sync_object, ProjectType.EMAIL, *PEOPLE)
    hooks: dict[str, Any] = {"after" if applied else "before": crash_at(at)}
    with pytest.raises(Crash):
        request(world, sync_object, client=world.connect(**hooks))
    world.expire_leases()

    report = request(world, sync_object)

    assert (RunEnd.CLEAN, 0) == (report.end, report.rejected)
    assert expected(sync_object, *PEOPLE) == people(world)
    assert_known(world, sync_object)


def assert_known(world: World, sync_object: SyncObject) -> None:
    """Check that the sync of users knows of all requests, and that a run of it says so too."""
    snapshot = world.snapshot("users")
    after = expected(sync_object, *PEOPLE)
    live = {who: row["_identity"] for who, row in snapshot.items() if row["_status"] == "live"}
    assert {who: f"email:{address}" for who, address in after.items()} == live
    world.put(
        *((who, address, "Bern") for who, address in after.items()),
        columns={"user_id": "text", "email": "text", "city": "text"},
        table="users",
    )

    report = world.sync(sql=world.sql("user_id", "email", "city", table="users"))

    assert (RunEnd.CLEAN, 0) == (report.end, report.removed_accepted + report.rejected)
    assert after == people(world)
    assert {"Bern"} == {fields["city"] for fields in world.users().values()}


def test_other_syncs_know_at_once(world: World, sync_object: SyncObject) -> None:
    """In the transaction that records the answer: the next run of users sends nothing anew."""
    with_requests(world, sync_object, ProjectType.EMAIL, *PEOPLE)
    request(world, sync_object)

    assert_known(world, sync_object)


def test_request_that_is_done_is_known_by_its_key_alone(
    world: World, sync_object: SyncObject
) -> None:
    """Whom it was about is a hash: it may be somebody who asked to be forgotten."""
    with_requests(world, sync_object, ProjectType.EMAIL, 1)
    request(world, sync_object)

    (kept,) = world.snapshot(sync_object.name).values()
    assert kept["_identity"].startswith("sha256:")
    assert not [value for value in kept.values() if "@" in str(value)]
