"""Who may send and record: one run per sync, one push per lane, and nobody who lost the lease."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from fakes import Clock
from harness import people
from iterable_sync.errors import AlreadyRunning, LaneBusy, LeaseLost
from iterable_sync.rows import Project, ProjectType, RunEnd
from iterable_sync.state import SyncState
from iterable_sync.state.leases import Lease
from iterable_sync.state.schema import install

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness import World

PROJECT = Project("1", "us", ProjectType.EMAIL)
SCOPE = "sync:1.us/users"


@contextmanager
def lease(
    world: World, name: str = "one", *, lease_s: float = 60.0, **more: Any
) -> Iterator[Lease]:
    """Give a lease that nobody took yet; it is given back at the end."""
    with world.state.session() as session:
        install(world.state, session)
    made = Lease(world.state, name, lease_s, **more)
    try:
        yield made
    finally:
        made.release()


def take(world: World, mine: Lease, scope: str = SCOPE) -> int | None:
    with world.state.session() as session:
        return mine.acquire(session, scope)


def check(world: World, mine: Lease) -> None:
    with world.state.session() as session, session.transaction():
        mine.check(session)


def test_a_held_lease_is_not_given_again_and_names_its_holder(world: World) -> None:
    with lease(world, "first") as first, lease(world, "second") as second:
        assert 1 == take(world, first)
        assert take(world, second) is None
        with world.state.session() as session:
            assert "first" == second.holder_of(session, SCOPE)


def test_every_holder_gets_a_greater_token(world: World) -> None:
    tokens = []
    for name in ("a", "b", "c"):
        with lease(world, name) as mine:
            tokens.append(take(world, mine))

    assert [1, 2, 3] == tokens


@pytest.mark.failure("P4")
def test_a_lease_that_ran_out_is_taken_over_and_the_old_holder_may_not_record(
    world: World,
) -> None:
    with lease(world, "old") as old, lease(world, "new") as new:
        take(world, old)
        check(world, old)
        world.expire_leases()

        with pytest.raises(LeaseLost):
            check(world, old)
        assert 2 == take(world, new)
        with pytest.raises(LeaseLost):
            check(world, old)
        check(world, new)


def test_giving_back_a_lost_lease_takes_nothing_from_the_new_holder(world: World) -> None:
    with lease(world, "old") as old, lease(world, "new") as new:
        take(world, old)
        world.expire_leases()
        take(world, new)
        old.release()

        check(world, new)


def test_what_a_run_without_the_lease_records_is_rolled_back(world: World) -> None:
    with lease(world, "old") as old:
        take(world, old)
        world.expire_leases()

        def record() -> None:
            with world.state.session() as session, session.transaction():
                session.execute(f"UPDATE {world.state.table('meta')} SET schema_version = 77")
                old.check(session)

        with pytest.raises(LeaseLost):
            record()

        assert [(1,)] == world.rows("SELECT schema_version FROM {meta}")


@pytest.mark.failure("P4")
@pytest.mark.parametrize(
    ("later_s", "may"),
    [
        pytest.param(0.0, True, id="just renewed"),
        pytest.param(89.9, True, id="the answer comes just in time"),
        pytest.param(90.0, False, id="the answer could come when the lease has ended"),
        pytest.param(500.0, False, id="frozen for long"),
    ],
)
def test_no_request_starts_that_could_outlive_the_lease(
    postgres_world: World, later_s: float, *, may: bool
) -> None:
    world, clock = postgres_world, Clock()
    with lease(world, lease_s=120.0, clock=clock) as mine:
        take(world, mine)
        clock.now += later_s

        if may:
            mine.may_post(deadline_s=30.0)
        else:
            with pytest.raises(LeaseLost):
                mine.may_post(deadline_s=30.0)


def test_a_lane_that_is_older_than_the_sync_lease_decides(postgres_world: World) -> None:
    """A run holds two leases; the one that ends first counts."""
    world, clock = postgres_world, Clock()
    with lease(world, lease_s=120.0, clock=clock) as mine:
        take(world, mine)
        clock.now += 80.0
        take(world, mine, "lane:1.us/profiles")
        mine.may_post(deadline_s=30.0)
        clock.now += 20.0

        with pytest.raises(LeaseLost):
            mine.may_post(deadline_s=30.0)


def test_once_lost_a_lease_stays_lost(postgres_world: World) -> None:
    world, clock = postgres_world, Clock()
    with lease(world, lease_s=120.0, clock=clock) as mine:
        take(world, mine)
        world.expire_leases()
        with pytest.raises(LeaseLost):
            check(world, mine)

        with pytest.raises(LeaseLost):
            mine.may_post(deadline_s=0.0)


def test_the_heartbeat_renews_a_lease(world: World) -> None:
    with lease(world, lease_s=0.3) as mine, lease(world, "other") as other:
        take(world, mine)
        before = held_until(world)
        for _ in range(100):
            if held_until(world) > before:
                break
            time.sleep(0.02)

        assert held_until(world) > before
        assert take(world, other) is None
        mine.may_post(deadline_s=0.0)


def test_the_heartbeat_notices_that_another_run_took_over(postgres_world: World) -> None:
    world = postgres_world
    with lease(world, lease_s=0.3) as old, lease(world, "new") as new:
        take(world, old)
        world.write("UPDATE {leases} SET token = token + 1")
        for _ in range(100):
            try:
                old.may_post(deadline_s=-1e9)
            except LeaseLost:
                break
            time.sleep(0.02)

        with pytest.raises(LeaseLost):
            old.may_post(deadline_s=-1e9)
        assert take(world, new) is None


def held_until(world: World) -> str:
    return world.rows("SELECT CAST(held_until AS text) FROM {leases}")[0][0]


@pytest.mark.failure("P3")
def test_a_second_run_of_a_sync_is_refused_and_names_the_first(world: World) -> None:
    world.put(*people(1))
    world.sync()
    requests = world.writes()
    with lease(world, "first") as first:
        take(world, first)

        with pytest.raises(AlreadyRunning, match="held by first"):
            world.sync()

    assert (["clean"], requests) == (world.runs(), world.writes())
    assert RunEnd.CLEAN == world.sync().end


def test_a_run_gives_its_leases_back_however_it_ends(postgres_world: World) -> None:
    world = postgres_world
    world.put(*people(1))
    world.sync()
    with pytest.raises(Exception, match="nowhere"):
        world.sync(sql="SELECT user_id, email FROM nowhere")

    assert [] == world.rows("SELECT scope FROM {leases} WHERE held_until > now()")
    assert {"sync:1.us/users", "lane:1.us/profiles"} == {
        scope for (scope,) in world.rows("SELECT scope FROM {leases}")
    }


def test_a_busy_lane_leaves_everything_pending(world: World) -> None:
    world.put(*people(1, 2))
    with lease(world, "another sync") as other:
        take(world, other, "lane:1.us/profiles")

        report = world.sync(lane_wait_s=0)

    assert (RunEnd.PENDING, 2, 0) == (report.end, report.pending, world.writes())
    assert any("held by another sync" in note for note in report.notes)
    assert report.retry_after_s
    assert 2 == world.sync().accepted


def test_a_run_with_nothing_to_send_needs_no_lane(postgres_world: World) -> None:
    world = postgres_world
    world.put(*people(1))
    world.sync()
    with lease(world, "another sync") as other:
        take(world, other, "lane:1.us/profiles")

        assert RunEnd.CLEAN == world.sync().end


def test_a_sync_waits_for_its_lane_and_goes_on(postgres_world: World) -> None:
    world, clock = postgres_world, Clock()
    with lease(world, "another sync") as other:
        take(world, other, "lane:1.us/profiles")

        def sleep(seconds: float) -> None:
            clock.sleep(seconds)
            if len(clock.slept) == 3:
                other.release()

        state = waiting(world, clock, sleep)
        state.lane.enter()
        state.lease.release()

    assert 3 == len(clock.slept)


def test_a_sync_waits_for_its_lane_no_longer_than_told(postgres_world: World) -> None:
    world, clock = postgres_world, Clock()
    with lease(world, "another sync") as other:
        take(world, other, "lane:1.us/profiles")
        state = waiting(world, clock, clock.sleep)

        with pytest.raises(LaneBusy, match="waited 10 s"):
            state.lane.enter()
        state.lease.release()

    assert 10 <= sum(clock.slept) <= 12


def waiting(world: World, clock: Clock, sleep: Any) -> SyncState:
    """Give the state of a sync that waits for its lane for up to 10 s."""
    return SyncState(
        world.state,
        world.source,
        world.spec(lane_wait_s=10, lease_s=600),
        PROJECT,
        "profiles",
        clock=clock,
        sleep=sleep,
    )


def test_two_syncs_of_a_project_push_one_after_the_other(postgres_world: World) -> None:
    """Both stage at once; their requests do not overlap."""
    world = postgres_world
    world.put(*people(*range(1, 9)))
    events: list[str] = []
    lock = threading.Lock()

    def note(sync: str, what: str) -> Any:
        def hook(_number: int, _users: Any) -> None:
            with lock:
                events.append(f"{sync} {what}")

        return hook

    def run(sync: str, column: str) -> None:
        from harness import Client

        client = Client(
            world.server,
            world.project_type,
            before=note(sync, "begins"),
            after=note(sync, "ends"),
        )
        spec = world.spec(
            sync=sync,
            sql=world.sql("user_id", "email", column),
            batch_rows=2,
            threads=1,
            lane_wait_s=30,
        )
        world.sync(spec, client=client, options={"sleep": lambda _s: time.sleep(0.02)})

    syncs = [threading.Thread(target=run, args=pair) for pair in (("a", "city"), ("b", "points"))]
    with world.state.session() as session:
        install(world.state, session)
    for thread in syncs:
        thread.start()
    for thread in syncs:
        thread.join(30)

    owners = [event[0] for event in events]
    assert {"a", "b"} == set(owners)
    assert 1 == sum(one != other for one, other in pairwise(owners))
    assert {f"u{n}" for n in range(1, 9)} == set(world.acknowledged(sync="a"))
    assert {f"u{n}" for n in range(1, 9)} == set(world.acknowledged(sync="b"))
