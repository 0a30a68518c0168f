"""What an accepted request about a person does to what other syncs know: all of it, or nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from crashes import Crash, CrashingState, crash
from harness import Client
from iterable_sync.rows import ProjectType, RunEnd
from iterable_sync.state.marks import Kind, Mark, heed_marks, mark
from iterable_sync.state.registry import find
from request_world import (
    delete,
    email,
    everything,
    hits,
    put_people,
    put_requests,
    sync_one,
    sync_people,
    there,
    user_id,
    with_people,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness import World
    from iterable_sync.rows import RunReport
    from iterable_sync.spec import SyncSpec
    from iterable_sync.state.registry import Registered

SYNCS = ("users", "lists", "carts", "orders")


@pytest.fixture
def world(request: pytest.FixtureRequest) -> World:
    """Give a world by the name of its engine."""
    made: World = request.getfixturevalue(f"{request.param}_world")
    return made


both = pytest.mark.parametrize("world", ["duckdb", "postgres"], indirect=True)
one = pytest.mark.parametrize("world", ["duckdb"], indirect=True)
on_postgres = pytest.mark.parametrize("world", ["postgres"], indirect=True)


def status(world: World, sync: str, number: int) -> str | None:
    """Give the status of somebody's row."""
    row = world.snapshot(sync).get(user_id(number))
    return None if row is None else row["_status"]


@both
def test_deleted_person_is_gone_everywhere_and_comes_back_as_somebody_new(world: World) -> None:
    """A deletion does not keep anybody from coming back: the model decides."""
    with_people(world, ProjectType.USER_ID, 1, 2)
    put_requests(world, (1, 1, "delete", 1))

    delete(world)
    after = {sync: (status(world, sync, 1), status(world, sync, 2)) for sync in SYNCS}
    left = there(world)
    again = sync_people(world, *SYNCS)

    assert dict.fromkeys(SYNCS, ("gone", "live")) == after
    assert {user_id(2)} == left
    assert [1, 1] == [again[sync].added for sync in ("users", "lists")]
    assert {user_id(1), user_id(2)} == there(world)
    assert "Bern" == world.users()[user_id(1)]["city"]


@one
def test_deleted_person_who_left_the_models_stays_away(world: World) -> None:
    with_people(world, ProjectType.USER_ID, 1, 2)
    put_requests(world, (1, 1, "delete", 1))
    delete(world)
    put_people(world, 2)

    reports = sync_people(world, "users", "lists")

    assert [(0, 0), (0, 0)] == [(done.requests, done.removed) for done in reports.values()]
    assert {user_id(2)} == there(world)


@both
def test_request_in_doubt_lets_the_rows_of_its_person_be_doubted(world: World) -> None:
    """The answer is lost for good: nobody knows whether the profile is there."""
    with_people(world, ProjectType.USER_ID, 1, 2)
    put_requests(world, (1, 1, "forget", 1))
    rule = {"kind": "reset", "at": "answer", "endpoint": "/api/users/forget"}
    world.server.app_state.fail([rule])

    report = delete(world)
    doubted = world.dirty("users"), world.dirty("lists"), everything(world)["forgotten"]
    world.server.app_state.fail([])
    refused = sync_one(world, "users").rejected_by_reason
    again = delete(world)

    assert 1 == report.pending
    assert ({user_id(1): {"*"}}, {user_id(1): {"*"}}, []) == doubted
    assert {"forgotten": 1} == refused
    assert 1 == again.accepted
    assert [] == hits(world, email(1), user_id(1))


@pytest.mark.parametrize(
    ("world", "action"),
    [
        ("postgres", "forget"),
        ("postgres", "delete"),
        pytest.param("duckdb", "forget", marks=pytest.mark.all),
        pytest.param("duckdb", "delete", marks=pytest.mark.all),
    ],
    indirect=["world"],
)
def test_either_every_sync_knows_or_none_does(world: World, action: str) -> None:
    """A run that dies at any statement of its record leaves nothing done by halves."""
    with_people(world, ProjectType.USER_ID, 1, 2)
    put_requests(world, (1, 1, action, 1))
    client = world.connect()
    at, partial = 0, []
    while True:
        at += 7
        state = CrashingState(world.state, at)
        try:
            delete(world, client=client, state=state)  # type: ignore[arg-type]
        except Crash:
            known = [status(world, sync, 1) == "live" for sync in SYNCS]
            partial.append(len(set(known)))
            world.expire_leases()
            world.write("UPDATE {leases} SET held_until = now() - INTERVAL '1 second'")
            continue
        break

    assert at > 70
    assert {1} == set(partial)
    expected = "gone" if action == "delete" else None
    assert [expected] * len(SYNCS) == [status(world, sync, 1) for sync in SYNCS]
    assert action == "delete" or [] == hits(world, email(1), user_id(1))


def while_carts_run(world: World, then: Callable[[], Any], *, after: bool) -> RunReport:
    """Send all carts, and let something happen at the request for the first person's."""

    def hook(number: int, _rows: Any) -> None:
        if number == 1:
            then()

    client = Client(world.server, world.project_type, **{"after" if after else "before": hook})
    return sync_one(world, "carts", client=client, full_resync=True, threads=1)


@pytest.mark.parametrize("action", ["delete", "forget"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@on_postgres
def test_sync_that_runs_takes_it_up_by_itself(world: World, action: str, *, after: bool) -> None:
    """
    Its own request about the person came before or after, and nobody knows which.

    Its snapshot is left alone while it runs. At its end nothing is lost, and nothing of a forgotten
    person is left.
    """
    with_people(world, ProjectType.USER_ID, 1, 2, 3)
    put_requests(world, (1, 1, action, 1))
    seen: dict[str, Any] = {}

    def request() -> None:
        seen["report"] = delete(world, client=Client(world.server, world.project_type))
        seen["rows"] = [status(world, sync, 1) for sync in ("carts", "lists")]

    first = while_carts_run(world, request, after=after)
    at_the_end = hits(world, email(1), user_id(1))
    again = sync_people(world)

    gone = "gone" if action == "delete" else None
    assert (RunEnd.CLEAN, 1) == (seen["report"].end, seen["report"].accepted)
    assert ["live", gone] == seen["rows"]
    assert [] == [one for one in everything(world)["marks"] if "|doubt|" not in one]
    if action == "forget":
        assert ([], []) == (at_the_end, hits(world, email(1), user_id(1)))
        assert {user_id(2), user_id(3)} == there(world)
    else:
        # Sent before or after, whichever it was: the cart is sent once more.
        assert (3, 1) == (first.accepted, again["carts"].accepted)
        assert {1, 2, 3} == {
            n for n in (1, 2, 3) if "shoppingCartItems" in world.users()[user_id(n)]
        }


@on_postgres
def test_person_whom_a_running_sync_made_anew_is_not_left_behind(world: World) -> None:
    """Its request came after the deletion: what it made is taken back when the person leaves."""
    with_people(world, ProjectType.USER_ID, 1, 2)
    put_requests(world, (1, 1, "delete", 1))
    client = Client(world.server, world.project_type)
    while_carts_run(world, lambda: delete(world, client=client), after=False)
    made = world.users()[user_id(1)]
    put_people(world, 2)

    sync_one(world, "carts")

    assert made["shoppingCartItems"]
    assert [] == world.users()[user_id(1)]["shoppingCartItems"]


@pytest.mark.parametrize("action", ["delete", "forget"])
@on_postgres
def test_what_a_dead_run_left_brings_nobody_back(world: World, action: str) -> None:
    """A sync whose run died is brought up to date at once, and again when that run is folded."""
    with_people(world, ProjectType.USER_ID, 1, 2, 3)
    put_people(world, 1, 2, 3, city="Lyon")
    crash(world, at=3, applied=True, spec=users_spec(world))
    # As if it had died a moment later: the answers for the first two are recorded, and not folded.
    world.write("UPDATE {batches} SET state = 'settled' WHERE state = 'open' AND number < 3")
    world.expire_leases()
    put_requests(world, (1, 1, action, 1))

    delete(world)
    left = hits(world, email(1), user_id(1))
    before = status(world, "users", 1)
    report = sync_one(world, "users")

    assert ("gone" if action == "delete" else None) == before
    assert action == "delete" or [] == left
    assert (action == "delete") is (user_id(1) in there(world))
    cities = {who: has.get("city") for who, has in world.users().items()}
    assert {user_id(2): "Lyon", user_id(3): "Lyon"}.items() <= cities.items()
    # Somebody who comes back comes back whole.
    assert (action == "delete") is (cities.get(user_id(1)) == "Lyon")
    assert (1 if action == "forget" else 0) == report.skipped


def users_spec(world: World) -> SyncSpec:
    return world.spec(sql=world.sql("user_id", "email", "city"), threads=1, batch_rows=1)


@both
def test_lease_that_somebody_is_taking_is_left_to_them(world: World) -> None:
    """The marks stay: the run that begins at that moment heeds them at its beginning or end."""
    with_people(world, ProjectType.USER_ID, 1, 2)
    put_requests(world, (1, 1, "delete", 1))
    world.write(
        "UPDATE {leases} SET held_until = now() + INTERVAL '60 seconds' "
        "WHERE scope = 'sync:1.us/users'"
    )

    delete(world)
    left, others = status(world, "users", 1), status(world, "lists", 1)
    world.expire_leases()
    sync_one(world, "users")

    assert ("live", "gone") == (left, others)
    assert [] == everything(world)["marks"]
    assert {user_id(1), user_id(2)} == there(world)


@both
def test_marks_are_heeded_in_the_order_in_which_they_were_left(world: World) -> None:
    """Who got an address that another one then got, is known by the one that is theirs now."""
    with_people(world, ProjectType.EMAIL, 1, 2)
    registered = find_users(world)
    with world.state.session() as session, session.transaction():
        for old, new in ((2, 3), (1, 2), (3, 4)):
            mark(
                world.state,
                session,
                [Mark(Kind.RENAMED, f"email:{email(old).lower()}", f"email:{email(new)}")],
                [registered.sync_id],
            )
        mark(
            world.state,
            session,
            [Mark(Kind.DOUBT, f"email:{email(4).lower()}")],
            [registered.sync_id],
        )
        heed_marks(world.state, session, registered)

    rows = world.snapshot("users")
    assert {user_id(1): email(2), user_id(2): email(4)} == {k: r["email"] for k, r in rows.items()}
    assert {user_id(1): 2, user_id(2): 4} == {
        key: int(row["_identity"].removeprefix("email:person").removesuffix("@example.com"))
        for key, row in rows.items()
    }
    assert {user_id(2): {"*"}} == world.dirty("users")
    assert [] == [
        row for row in everything(world)["marks"] if row.startswith(f"{registered.sync_id}|")
    ]


@one
def test_userid_stays_where_the_address_changes(world: World) -> None:
    with_people(world, ProjectType.HYBRID, 1, 2)
    registered = find_users(world)
    with world.state.session() as session, session.transaction():
        marks = [Mark(Kind.RENAMED, f"userId:{user_id(1)}", f"email:{email(7)}")]
        mark(world.state, session, marks, [registered.sync_id])
        heed_marks(world.state, session, registered)

    row = world.snapshot("users")[user_id(1)]
    assert (f"userId:{user_id(1)}", email(7)) == (row["_identity"], row["email"])


def find_users(world: World) -> Registered:
    with world.state.session() as session:
        found = find(world.state, session, "1.us", "users")
    assert found is not None
    return found


@one
def test_hybrid_person_is_gone_under_both_identifiers(world: World) -> None:
    """A request by userId reaches the rows of syncs that know the e-mail alone."""
    with_people(world, ProjectType.HYBRID, 1, 2)
    columns = {"email": "text", "items": "text"}
    world.put((email(1), "[]"), (email(2), "[]"), columns=columns, table="mails")
    sync_one(world, "carts", sync="mails", sql=world.sql(*columns, table="mails"), key="email")
    put_requests(world, (1, 1, "delete", 1))
    world.execute(f"UPDATE {world.prefix}requests SET email = NULL")

    delete(world)

    found = {key: row["_status"] for key, row in world.snapshot("mails").items()}
    assert {email(1): "gone", email(2): "live"} == found
