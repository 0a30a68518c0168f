"""A quota of a day: never more requests within any 24 hours, whoever dies when."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from crashes import crash
from iterable_sync.operators.ends import of_report
from iterable_sync.quotas import DAY_S, FORGET, QUOTAS, Quota
from iterable_sync.rows import ProjectType, RunEnd
from iterable_sync.state.quota import admit
from iterable_sync.state.schema import install
from request_world import delete, known_by, put_requests, requests_spec, there
from request_world import with_people as with_all

if TYPE_CHECKING:
    from harness import World

PROJECT = "1.us"
LIMIT = QUOTAS[FORGET].requests


def with_people(world: World, kind: ProjectType, *numbers: int) -> None:
    """Turn a world into a project whose sync of users has sent these people."""
    with_all(world, kind, *numbers, syncs=["users"])


def used(world: World) -> int:
    """Give how many requests are written down."""
    return int(world.rows("SELECT COALESCE(sum(requests), 0) FROM {quota}")[0][0])


def use(world: World, requests: int, *, hours_ago: float = 1) -> None:
    """Let so many requests have been made before."""
    with world.state.session() as session:
        install(world.state, session)
    world.write(
        "INSERT INTO {quota} SELECT '1.us', 'forget', "
        f"CAST(floor(extract(epoch FROM now()) / 60) AS bigint) - {int(hours_ago * 60)}, {requests}"
    )


def let_pass(world: World, hours: float) -> None:
    """Let time pass for what is written down."""
    world.write(f"UPDATE {{quota}} SET minute = minute - {int(hours * 60)}")


def try_one(world: World, quota: Quota) -> float:
    with world.state.session() as session, session.transaction():
        return admit(world.state, session, PROJECT, FORGET, quota)


def test_there_is_room_for_so_many_and_no_more(world: World) -> None:
    """What is refused is not counted, and there is room again when the oldest is a day old."""
    with world.state.session() as session:
        install(world.state, session)
    quota = Quota(3)

    found = [try_one(world, quota) for _ in range(5)]
    counted = used(world)
    let_pass(world, 23.9)
    early = try_one(world, quota)
    let_pass(world, 0.2)
    late = [try_one(world, quota) for _ in range(4)]

    assert [0.0, 0.0, 0.0] == found[:3]
    assert all(DAY_S - 60 < wait_s <= DAY_S + 60 for wait_s in found[3:])
    assert 3 == counted
    assert 0 < early <= 7 * 60
    assert [0.0, 0.0, 0.0] == late[:3]
    assert late[3] > 0
    assert 3 == used(world)


def test_a_minute_counts_until_its_last_second_is_a_day_old(world: World) -> None:
    use(world, 3, hours_ago=24)

    assert 0 < try_one(world, Quota(3)) <= 60


def test_many_at_a_time_get_no_more_than_there_is(postgres_world: World) -> None:
    """Of several processes, that know nothing of each other."""
    with postgres_world.state.session() as session:
        install(postgres_world.state, session)
    found: list[float] = []

    def ask() -> None:
        for _ in range(5):
            found.append(try_one(postgres_world, Quota(12)))  # noqa: PERF401

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (20, 12) == (len(found), found.count(0.0))
    assert 12 == used(postgres_world)


def test_what_is_beyond_it_waits_and_the_task_succeeds(world: World) -> None:
    """The report says until when; a deletion needs no quota, and a later run goes on."""
    with_people(world, ProjectType.USER_ID, *range(1, 6))
    use(world, LIMIT - 2)
    rows = [(n, n, "forget", 5.0 - n / 10) for n in range(1, 5)]
    put_requests(world, *rows, (9, 5, "delete", 1))

    first = delete(world)
    left = there(world)
    again = delete(world)
    let_pass(world, 23.5)
    after = delete(world)

    assert (RunEnd.WAITING, 3, 2) == (first.end, first.accepted, first.pending)
    assert of_report(first, on_held="fail") is None
    # Which of them go decides who is first to ask: they are asked for side by side.
    assert 2 == len(left & {known_by(world, n) for n in range(1, 5)}) == len(left)
    assert 22.9 * 3_600 < (first.retry_after_s or 0) < 23.1 * 3_600
    assert [note for note in first.notes if "2 requests wait for a quota" in note]
    assert (RunEnd.WAITING, 0, 2) == (again.end, again.requests, again.pending)
    assert (RunEnd.CLEAN, 2, set()) == (after.end, after.accepted, there(world))
    assert ["waiting", "waiting", "clean"] == world.runs()[-3:]


def test_who_waits_longest_is_first(world: World) -> None:
    """Not by who they are, or those whose name begins with a late letter would wait for ever."""
    with_people(world, ProjectType.USER_ID, 1, 2, 3)
    use(world, LIMIT - 1)
    put_requests(world, (1, 1, "forget", 1), (2, 2, "forget", 2), (3, 3, "forget", 3))

    delete(world)

    assert {known_by(world, 1), known_by(world, 2)} == there(world)


def test_requests_of_one_person_wait_together(world: World) -> None:
    """What is asked later is not done before: a person who is to be forgotten first is not lost."""
    with_people(world, ProjectType.USER_ID, 1, 2)
    use(world, LIMIT)
    put_requests(world, (1, 1, "forget", 2), (2, 1, "delete", 1))

    report = delete(world)

    assert (RunEnd.WAITING, 2, 0) == (report.end, report.pending, report.requests)
    assert {known_by(world, 1), known_by(world, 2)} == there(world)


@pytest.mark.parametrize("applied", [False, True])
def test_a_run_that_dies_has_written_its_requests_down(world: World, *, applied: bool) -> None:
    """Before it sent them: it may count one that never went, and never misses one that did."""
    with_people(world, ProjectType.USER_ID, 1, 2, 3)
    put_requests(world, *((n, n, "forget", 1) for n in (1, 2, 3)))

    crash(world, at=2, applied=applied, spec=requests_spec(world, threads=1))
    counted = used(world)
    world.expire_leases()
    delete(world)

    sent = sum(e.path == "/api/users/forget" for e in entries(world))
    assert counted >= 2
    assert sent <= used(world) <= sent + 1


def test_every_attempt_counts(world: World) -> None:
    with_people(world, ProjectType.USER_ID, 1)
    put_requests(world, (1, 1, "forget", 1))
    world.answer_next({"status": 500}, {"status": 500}, path="/api/users/forget")

    report = delete(world)

    assert (1, 3, 3) == (report.accepted, report.requests, used(world))


def test_a_quota_that_others_have_used_up_ends_nothing_else(world: World) -> None:
    """Iterable says so itself, with hours to wait."""
    with_people(world, ProjectType.USER_ID, 1, 2)
    put_requests(world, (1, 1, "forget", 2), (2, 2, "delete", 1))
    answer = {"status": 429, "headers": {"Retry-After": "7200"}}
    world.answer_next(answer, path="/api/users/forget")

    report = delete(world)

    assert (RunEnd.WAITING, 1, 1) == (report.end, report.accepted, report.pending)
    assert 7_200 == report.retry_after_s


def entries(world: World) -> list[Any]:
    with world.server.app_state.lock:
        return list(world.server.app_state.history.page(0, 10**6))
