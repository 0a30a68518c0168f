"""Rows that wait for their person, in email-based projects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from event_world import ago, arrived
from harness import people
from iterable_sync.errors import ConfigError
from iterable_sync.rows import ProjectType, RunEnd
from iterable_sync.spec import Guards
from iterable_sync.state.approvals import approve

if TYPE_CHECKING:
    from harness import World
    from iterable_sync.rows import RunReport

EVENTS = {"id": "bigint", "email": "text", "created_at": "timestamptz"}
TRAITS = {"user_id": "text", "email": "text", "visits": "bigint"}
USERS = ("user_id", "email", "city", "points")


def put_events(world: World, *rows: tuple[int, int, float]) -> None:
    """Replace the events: number, of whom, so many days ago."""
    world.put(
        *((number, f"u{who}@example.com", ago(days)) for number, who, days in rows),
        columns=EVENTS,
        table="events",
    )


def put_traits(world: World, *rows: tuple[int, int]) -> None:
    """Replace the traits: of whom, visits."""
    world.put(
        *((f"u{who}", f"u{who}@example.com", visits) for who, visits in rows),
        columns=TRAITS,
        table="traits",
    )


def put_people(world: World, *numbers: int) -> None:
    world.put(*people(*numbers), columns=dict.fromkeys(USERS, "text") | {"points": "bigint"})


def sync_users(world: World, *numbers: int, **changes: Any) -> RunReport:
    put_people(world, *numbers)
    return world.sync(sql=world.sql(*USERS), **changes)


def sync_events(world: World, **changes: Any) -> RunReport:
    values = {
        "sync": "events",
        "object": "events",
        "sql": world.sql(*EVENTS, table="events"),
        "key": "id",
        "event_name": "Seen",
        "requires": "users",
    }
    return world.sync(**values | changes)


def sync_traits(world: World, **changes: Any) -> RunReport:
    values = {
        "sync": "traits",
        "object": "traits",
        "sql": world.sql(*TRAITS, table="traits"),
        "requires": "users",
    }
    return world.sync(**values | changes)


def numbers(world: World) -> list[int]:
    return [row["dataFields"]["id"] for row in arrived(world)]


def age(world: World, days: float) -> None:
    """Let what is held be held since so long ago."""
    world.write(f"UPDATE {{held_keys}} SET held_at = now() - {days} * INTERVAL '1 day'")


@pytest.mark.failure("D13")
@pytest.mark.capability("A39")
def test_an_event_waits_for_its_person_and_goes_by_itself(world: World) -> None:
    """It is counted as held, by a guard of its own, and that is no reason for anybody to look."""
    sync_users(world, 1)
    put_events(world, (1, 1, 1), (2, 2, 1))

    first = sync_events(world)
    again = sync_events(world)
    sync_users(world, 1, 2)
    second = sync_events(world)

    assert (1, 1, {"waiting_for_user": 1}, RunEnd.CLEAN) == (
        first.accepted,
        first.held,
        first.held_by_guard,
        first.end,
    )
    assert (0, 1, 1) == (again.requests, again.held, again.unchanged)
    assert [note for note in again.notes if "1 rows wait for people whom the sync 'users'" in note]
    assert (1, 0, RunEnd.CLEAN) == (second.accepted, second.held, second.end)
    assert [1, 2] == numbers(world)
    assert set() == world.held()


def test_a_trait_makes_no_profile_of_somebody_whom_users_did_not_send(world: World) -> None:
    """Iterable makes people of them: without the wait a trait would make a hollow one."""
    sync_users(world, 1)
    put_traits(world, (1, 3), (2, 4))

    first = sync_traits(world)
    there = set(world.users())
    sync_users(world, 1, 2)
    second = sync_traits(world)

    assert (1, 1) == (first.accepted, first.held)
    assert {"u1@example.com"} == there
    assert (1, 0) == (second.accepted, second.held)
    assert 4 == world.users()["u2@example.com"]["visits"]


@pytest.mark.parametrize("what", ["events", "traits"])
def test_who_was_rejected_held_or_is_in_doubt_is_not_there(world: World, what: str) -> None:
    """Only an acceptance that was read lets a row go."""
    sync_users(world, 1, 2, 3)
    name = world.rows("SELECT snapshot_table FROM {syncs} WHERE sync = 'users'")[0][0]
    world.write(f"UPDATE {{{name}}} SET _dirty = '*' WHERE user_id = 'u1'")
    world.write(f"UPDATE {{{name}}} SET _status = 'gone' WHERE user_id = 'u2'")
    world.write(f"UPDATE {{{name}}} SET _dirty = '0010' WHERE user_id = 'u3'")
    put_events(world, (1, 1, 1), (2, 2, 1), (3, 3, 1), (4, 4, 1))
    put_traits(world, (1, 1), (2, 1), (3, 1), (4, 1))

    report = sync_events(world) if what == "events" else sync_traits(world)

    assert (1, 3) == (report.accepted, report.held)
    held = {"1", "2", "4"} if what == "events" else {"u1", "u2", "u4"}
    assert {("added", key, "waiting_for_user") for key in held} == world.held()


@pytest.mark.capability("A38")
@pytest.mark.parametrize("kind", [ProjectType.USER_ID, ProjectType.HYBRID])
def test_in_projects_with_user_ids_nobody_waits(duckdb_world: World, kind: ProjectType) -> None:
    """There a row of a person whom Iterable does not know makes the person."""
    world = duckdb_world.with_project(kind)
    sync_users(world, 1)
    put_traits(world, (2, 4))

    report = sync_traits(world)

    assert (1, 0) == (report.accepted, report.held)


def test_in_a_hybrid_project_not_even_those_with_an_email_wait(duckdb_world: World) -> None:
    world = duckdb_world.with_project(ProjectType.HYBRID)
    sync_users(world, 1)
    put_traits(world, (2, 4))

    report = sync_traits(
        world, key="id", sql=f"SELECT user_id AS id, email, visits FROM {world.prefix}traits"
    )

    assert (1, 0) == (report.accepted, report.held)
    assert ["u2@example.com"] == [user["email"] for user in world.sent]


def test_the_wait_begins_when_a_row_is_first_held(world: World) -> None:
    """Runs that find it waiting again do not begin it anew, nor does a guard that holds it too."""
    sync_users(world, 1)
    put_traits(world, (1, 1), (2, 4))
    sync_traits(world)
    age(world, 3)
    since = world.rows("SELECT CAST(held_at AS text) FROM {held_keys}")

    sync_traits(world)
    sync_traits(world, guards=Guards(min_rows=100))

    assert since == world.rows("SELECT CAST(held_at AS text) FROM {held_keys}")


def test_the_window_never_passes_an_event_that_waits(world: World) -> None:
    """It is far behind the newest by now, and is found as soon as its person is there."""
    sync_users(world, 1)
    put_events(world, (1, 2, 6), (2, 1, 5))
    sync_events(world, look_back_s=3600)
    put_events(world, (1, 2, 6), (2, 1, 5), (3, 1, 0))
    sync_events(world, look_back_s=3600)
    oldest = kept_of(world, "events")[1]

    sync_users(world, 1, 2)
    report = sync_events(world, look_back_s=3600)

    assert oldest is not None
    assert ago(6)[:19] == oldest[:19]
    assert (1, [1, 2, 3]) == (report.accepted, numbers(world))


def test_after_max_wait_an_event_is_given_up(world: World) -> None:
    """The wait began when it was first held, not with the run before; then the window moves on."""
    sync_users(world, 1)
    put_events(world, (1, 2, 1), (2, 1, 0))
    sync_events(world, look_back_s=3600)
    age(world, 6.9)
    still = sync_events(world, look_back_s=3600)
    age(world, 7.1)
    report = sync_events(world, look_back_s=3600)

    assert (1, 0) == (still.held, still.rejected)
    assert (0, 1, {"expired": 1}) == (report.held, report.rejected, report.rejected_by_reason)
    assert set() == world.held()
    assert kept_of(world, "events")[1] is None

    sync_users(world, 1, 2)
    assert 0 == sync_events(world, look_back_s=3600).accepted


def test_max_wait_is_a_setting(world: World) -> None:
    sync_users(world, 1)
    put_traits(world, (2, 4))
    sync_traits(world, max_wait_s=3600)
    age(world, 0.1)

    report = sync_traits(world, max_wait_s=3600)

    assert ({"expired": 1}, 0) == (report.rejected_by_reason, report.held)


def test_a_trait_that_was_given_up_goes_once_its_person_is_there(world: World) -> None:
    """Rows that change are never done with: what the warehouse says is to arrive in the end."""
    sync_users(world, 1)
    put_traits(world, (2, 4))
    sync_traits(world)
    age(world, 8)
    sync_traits(world)

    still = sync_traits(world)
    sync_users(world, 1, 2)
    report = sync_traits(world)

    assert (1, 0) == (still.still_rejected, still.held)
    assert (1, 0) == (report.accepted, report.still_rejected)
    assert set() == world.rejections()
    assert 4 == world.users()["u2@example.com"]["visits"]


def test_rows_that_wait_trip_no_guard_and_hide_none(world: World) -> None:
    """What a guard counts is what would be sent; and what a guard holds is still a held run."""
    strict = Guards(changed_floor=1, max_changed=0.1)
    sync_users(world, 1, 2, 3)
    put_traits(world, (1, 1), (2, 1), (3, 1))
    sync_traits(world)
    sync_users(world, 1, guards=Guards(removed_floor=9), on_remove="clear")
    put_traits(world, (1, 2), (2, 2), (3, 2))

    waiting = sync_traits(world, guards=strict)
    sync_users(world, 1, 2, 3)
    put_traits(world, (1, 3), (2, 3), (3, 3), (4, 3))
    held = sync_traits(world, guards=strict)

    assert (1, {"waiting_for_user": 2}, RunEnd.CLEAN) == (
        waiting.accepted,
        waiting.held_by_guard,
        waiting.end,
    )
    assert {"waiting_for_user": 1, "max_changed": 3} == held.held_by_guard
    assert RunEnd.HELD is held.end


def test_an_approval_does_not_make_a_person(world: World) -> None:
    """It is for what a guard holds; the row waits on."""
    sync_users(world, 1)
    put_traits(world, (2, 4))
    sync_traits(world)
    approve(world.state, "1.us", "traits", by="ana")

    report = sync_traits(world)

    assert (0, 1) == (report.accepted, report.held)


def test_a_removal_does_not_wait(world: World) -> None:
    """It is about somebody whom Iterable took with this very row."""
    sync_users(world, 1, 2)
    put_traits(world, (1, 1), (2, 1))
    sync_traits(world, on_remove="clear")
    sync_users(world, 1, on_remove="clear")
    put_traits(world, (1, 1))

    report = sync_traits(world, on_remove="clear")

    assert (1, 0) == (report.removed_accepted, report.removed_held)


def test_seeded_rows_do_not_wait(world: World) -> None:
    """Nothing is sent of them."""
    sync_users(world, 1)
    put_traits(world, (1, 1), (2, 1))

    report = sync_traits(world, first_sync="seed")

    assert (0, 0, 2) == (report.requests, report.held, report.seeded)


def test_a_dry_run_says_who_waits(world: World) -> None:
    sync_users(world, 1)
    put_traits(world, (1, 3), (2, 4))

    report = sync_traits(world, dry_run=True)

    assert {"waiting_for_user": 1} == report.held_by_guard
    assert set() == world.held()


def test_a_dry_run_may_come_before_the_sync_of_people(world: World) -> None:
    """It says what would go if all of them were there."""
    put_traits(world, (1, 3), (2, 4))

    report = sync_traits(world, dry_run=True)

    assert (2, {}) == (report.added, report.held_by_guard)


@pytest.mark.parametrize("kind", ProjectType)
@pytest.mark.parametrize(
    ("requires", "words"),
    [
        pytest.param("user", "no sync 'user' .*known here: 'events', 'users'", id="unknown"),
        pytest.param("traits", "no sync 'traits' .* has run", id="itself, in its first run"),
        pytest.param("events", "'events' is no sync of people", id="events"),
    ],
)
def test_what_is_required_is_a_sync_of_people_that_has_run_here(
    duckdb_world: World, kind: ProjectType, requires: str, words: str
) -> None:
    """In every type of project: the mistake is seen before it loses something."""
    world = duckdb_world.with_project(kind)
    sync_users(world, 1)
    world.put(
        (1, "u1", "u1@example.com", ago(1)),
        columns={"id": "bigint", "user_id": "text", "email": "text", "created_at": "timestamptz"},
        table="events",
    )
    sync_events(world, requires=None, sql=world.sql(table="events"))
    put_traits(world, (1, 3))

    with pytest.raises(ConfigError, match=f"requires: .*{words}"):
        sync_traits(world, requires=requires)


def test_a_sync_does_not_wait_for_itself(duckdb_world: World) -> None:
    world = duckdb_world
    put_traits(world, (1, 3))
    sync_traits(world, requires=None)

    with pytest.raises(ConfigError, match="'traits' is no sync of people for this one to wait for"):
        sync_traits(world, requires="traits")


def kept_of(world: World, sync: str) -> tuple[str | None, str | None, str | None]:
    """Give cursor, oldest unresolved time and low water of one of several syncs."""
    found = world.rows(
        f"SELECT cursor_at, unresolved_since, low_water FROM {{syncs}} WHERE sync = '{sync}'"
    )
    return found[0]
