"""People who were forgotten: nothing of them is left in the state, and nothing is sent for them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from crashes import crash
from iterable_sync.identity import hash_of
from iterable_sync.rows import ProjectType, RunEnd
from request_world import (
    TABLES,
    delete,
    email,
    everything,
    hits,
    known_by,
    put_people,
    put_requests,
    requests_spec,
    sync_one,
    sync_people,
    there,
    user_id,
    with_people,
)

if TYPE_CHECKING:
    from harness import World

SOON = {(ProjectType.EMAIL, "postgres"), (ProjectType.HYBRID, "duckdb")}
ENGINES = [
    pytest.param(kind, engine, marks=() if (kind, engine) in SOON else pytest.mark.all)
    for engine in ("duckdb", "postgres")
    for kind in ProjectType
]


@pytest.fixture
def world(request: pytest.FixtureRequest) -> World:
    """Give a world by the name of its engine."""
    made: World = request.getfixturevalue(f"{request.param}_world")
    return made


both = pytest.mark.parametrize("world", ["duckdb", "postgres"], indirect=True)
one = pytest.mark.parametrize("world", ["duckdb"], indirect=True)


def touched(world: World) -> list[str]:
    """Give what the latest client said about the first person."""
    assert world.client is not None
    said = [str(body) for body in (*world.client.bodies, *world.client.endpoints)]
    return [text for text in said if email(1).lower() in text.lower() or user_id(1) in text]


@pytest.mark.failure("S2")
@pytest.mark.parametrize(("kind", "world"), ENGINES, indirect=["world"])
def test_nothing_of_a_forgotten_person_is_left(world: World, kind: ProjectType) -> None:
    """Not in any table of the state, also after more runs of all syncs whose models have them."""
    with_people(world, kind, 1, 2)
    # The purchases have left marks for the carts.
    marked = "marks" in {name for name, _ in hits(world, email(1), user_id(1))}
    sync_one(world, "carts")
    put_requests(world, (1, 1, "forget", 1))
    before = Counter(name.partition("_")[0] for name, _ in hits(world, email(1), user_id(1)))

    report = delete(world)
    after = hits(world, email(1), user_id(1))
    again = {}
    for name in TABLES:
        again[name] = sync_one(world, name)
        assert [] == touched(world)
    delete(world)

    assert (True, {"snapshot": len(TABLES)}) == (marked, before)
    assert (RunEnd.CLEAN, 1) == (report.end, report.accepted)
    assert [] == after
    assert [] == hits(world, email(1), user_id(1))
    assert {known_by(world, 2)} == there(world)
    for done in again.values():
        assert (0, 1, 1, 0) == (done.accepted, done.skipped, done.unchanged, done.removed)
        assert ["1 rows are of people who were forgotten"] == done.notes


@one
def test_what_is_kept_is_the_hash_that_iterable_lists(world: World) -> None:
    with_people(world, ProjectType.EMAIL, 1, 2)
    put_requests(world, (1, 1, "forget", 1))

    delete(world)

    mine = [row.split("|")[1] for row in everything(world)["forgotten"]]
    with world.server.app_state.lock:
        theirs = world.server.app_state.forgotten.email_hashes()
    assert [hash_of(email(1))] == mine == theirs


@both
def test_rejections_and_held_changes_of_a_forgotten_person_go(world: World) -> None:
    """Of rows that were sent before, and of keys that are an identifier and were never sent."""
    with_people(world, ProjectType.USER_ID, 1, 2)
    put_people(world, 1, 2, 3)
    world.server.fail(
        {"kind": "refuse_rows", "keys": [user_id(n) for n in (1, 3)], "reason": "invalidData"}
    )
    put_people(world, 1, 2, 3, city="Lyon")
    sync_one(world, "users")
    world.server.fail()
    sync_one(world, "lists", key=["user_id", "email"], sync="beside", list_name="Other")
    world.write(
        "INSERT INTO {held_keys} (sync_id, op, key, guard, held_at, run_id) "
        f"SELECT sync_id, 'added', '[\"x\",\"{user_id(1)}\"]', 'first_sync', now(), 'r' "
        "FROM {syncs} WHERE sync = 'beside'"
    )
    put_requests(world, (1, 1, "forget", 1))
    before = {name for name, _ in hits(world, user_id(1))}

    delete(world)

    assert {"rejections", "held_keys"} <= before
    assert [] == hits(world, user_id(1))
    assert hits(world, user_id(3))


@one
def test_other_identifier_of_a_person_is_forgotten_in_a_hybrid_project(world: World) -> None:
    """By what the snapshots have side by side: a row with the e-mail alone is left out as well."""
    with_people(world, ProjectType.HYBRID, 1, 2)
    columns = {"id": "bigint", "email": "text", "created_at": "timestamptz"}
    world.put((7, email(1), "2026-11-01"), columns=columns, table="mails")
    put_requests(world, (1, 1, "forget", 1))
    world.execute(f"UPDATE {world.prefix}requests SET email = NULL")

    delete(world)
    report = sync_one(
        world, "events", sync="mails", sql=world.sql(*columns, table="mails"), key="id"
    )

    assert (0, 1) == (report.requests, report.skipped)
    assert [] == hits(world, email(1), user_id(1))


@one
def test_userid_project_forgets_no_other_person_of_the_same_address(world: World) -> None:
    """There an address is no identifier: a family may share one."""
    with_people(world, ProjectType.USER_ID, 1, 2)
    world.execute(f"UPDATE {world.prefix}users SET email = '{email(1)}'")
    sync_one(world, "users")
    put_requests(world, (1, 1, "forget", 1))

    delete(world)
    report = sync_one(world, "users")

    assert (1, 1) == (report.skipped, report.unchanged)
    assert [user_id(2)] == list(world.snapshot("users"))


@both
def test_unforgotten_person_is_sent_again(world: World) -> None:
    """By the next run of each sync that has them, as somebody new."""
    with_people(world, ProjectType.EMAIL, 1, 2)
    put_requests(world, (1, 1, "forget", 2))
    delete(world)
    put_requests(world, (1, 1, "forget", 2), (2, 1, "unforget", 1))

    report = delete(world)
    again = sync_people(world, "users", "lists")

    assert (1, 1) == (report.accepted, report.unchanged)
    assert [] == everything(world)["forgotten"]
    assert [1, 1] == [done.accepted for done in again.values()]
    assert known_by(world, 1) in there(world)


@pytest.mark.parametrize(
    ("actions", "is_forgotten"),
    [
        (["forget", "unforget"], False),
        (["forget", "unforget", "forget"], True),
        (["delete", "forget"], True),
    ],
    ids=["forget-unforget", "forget-unforget-forget", "delete-forget"],
)
@pytest.mark.parametrize("at", [None, 1, pytest.param(2, marks=pytest.mark.all)])
@one
def test_requests_of_one_person_end_as_the_last_says(
    world: World, actions: list[str], is_forgotten: bool, at: int | None
) -> None:
    """In the order of their times, not of their keys; also where a run dies between them."""
    with_people(world, ProjectType.USER_ID, 1, 2)
    rows = [(9 - n, 1, action, 5.0 - n) for n, action in enumerate(actions)]
    put_requests(world, *rows)
    if at is not None:
        crash(world, at=at, applied=True, spec=requests_spec(world))
        world.expire_leases()

    report = delete(world)

    assert {} == report.rejected_by_reason
    assert is_forgotten is bool(everything(world)["forgotten"])
    sync_one(world, "users")
    assert is_forgotten is (user_id(1) not in there(world))


@one
def test_rows_that_are_seeded_are_none_of_forgotten_people(world: World) -> None:
    with_people(world, ProjectType.USER_ID, 1, 2)
    put_requests(world, (1, 1, "forget", 1))
    delete(world)

    report = sync_one(
        world, "users", sync="again", exclude=["city"], seed_sql=world.sql("user_id", "email")
    )

    assert [] == hits(world, email(1), user_id(1))
    assert 1 == report.skipped


@one
def test_dry_run_leaves_forgotten_people_out(world: World) -> None:
    with_people(world, ProjectType.USER_ID, 1, 2)
    put_requests(world, (1, 1, "forget", 1))
    delete(world)
    put_people(world, 1, 2, city="Lyon")

    known = sync_one(world, "users", dry_run=True)
    new = sync_one(world, "users", sync="new", exclude=["city"], dry_run=True)

    assert [(1, 1), (1, 1)] == [(r.skipped, r.added + r.changed) for r in (known, new)]
