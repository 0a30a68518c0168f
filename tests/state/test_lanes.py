"""A lane goes round: who waits gets it within a minute, and who gave it up gets it back."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from itertools import groupby
from typing import TYPE_CHECKING, Any

import pytest

from fakes import Clock
from harness import Client, people
from iterable_sync.errors import LaneBusy, RetryLater
from iterable_sync.rows import RunEnd
from iterable_sync.state import lanes
from iterable_sync.state.lanes import Lane
from iterable_sync.state.leases import Lease
from iterable_sync.state.schema import install

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness import World
    from iterable_sync.rows import RunReport

SCOPE = "lane:1.us/profiles"


@contextmanager
def in_line(
    world: World,
    name: str,
    *,
    clock: Clock | None = None,
    sleep: Callable[[float], None] | None = None,
    wait_s: float = 0.0,
    lease_s: float = 600.0,
    scope: str = SCOPE,
) -> Iterator[Lane]:
    """Give a run that wants the lane."""
    clock = clock or Clock()
    with world.state.session() as session:
        install(world.state, session)
    lease = Lease(world.state, name, lease_s)
    try:
        yield Lane(
            world.state, lease, scope, wait_s=wait_s, clock=clock, sleep=sleep or clock.sleep
        )
    finally:
        lease.release()


def ask(lane: Lane) -> None:
    """Look once for the lane, say that it is wanted, and go."""
    with pytest.raises(RetryLater, match="told to stop"):
        lane.enter(lambda: True)


def holder(world: World) -> str:
    return world.rows(f"SELECT holder FROM {{leases}} WHERE scope = '{SCOPE}'")[0][0]


@pytest.mark.parametrize(
    ("held_s", "asks", "expected"),
    [
        pytest.param(59.9, True, False, id="held for less than a minute"),
        pytest.param(60.0, True, True, id="held for a minute"),
        pytest.param(900.0, False, False, id="nobody waits"),
    ],
)
def test_a_lane_is_given_up_after_a_minute_if_somebody_waits(
    world: World, held_s: float, *, asks: bool, expected: bool
) -> None:
    clock = Clock()
    with (
        in_line(world, "one", clock=clock) as one,
        in_line(world, "two", clock=clock, wait_s=60) as two,
    ):
        one.enter()
        if asks:
            ask(two)
        clock.now += held_s

        assert expected == one.is_wanted()


def test_who_looks_only_once_makes_nobody_give_way(postgres_world: World) -> None:
    world, clock = postgres_world, Clock()
    with in_line(world, "one", clock=clock) as one, in_line(world, "two", wait_s=0) as two:
        one.enter()
        with pytest.raises(LaneBusy, match="held by one"):
            two.enter()
        clock.now += 100

        assert not one.is_wanted()


def test_who_waits_gets_the_lane_before_its_holder_has_it_again(world: World) -> None:
    holders: list[str] = []
    with in_line(world, "two", wait_s=60) as two:
        looks: list[Callable[[], None]] = [
            lambda: None,
            two.enter,
            lambda: None,
            two._lease.release,
        ]

        def sleep(_seconds: float) -> None:
            holders.append(holder(world))
            looks.pop(0)()

        with in_line(world, "one", sleep=sleep, wait_s=60) as one:
            one.enter()
            ask(two)
            one.give_way()

            assert ["", "", "two", "two"] == holders
            assert "one" == holder(world)


def test_a_lane_comes_back_when_who_waited_has_died(postgres_world: World) -> None:
    world = postgres_world

    def sleep(_seconds: float) -> None:
        world.write("UPDATE {leases} SET wanted_until = now() - INTERVAL '1 second'")

    with in_line(world, "two", wait_s=60) as two, in_line(world, "one", sleep=sleep) as one:
        one.enter()
        ask(two)
        one.give_way()

        assert "one" == holder(world)


def test_who_cannot_come_back_in_time_ends_and_says_so(postgres_world: World) -> None:
    """What it did not send is pending; a retry goes on with it."""
    world = postgres_world
    with in_line(world, "two", wait_s=60) as two:
        clock = Clock()

        def sleep(seconds: float) -> None:
            clock.sleep(seconds)
            if holder(world) == "":
                two.enter()

        with in_line(world, "one", clock=clock, sleep=sleep, wait_s=10) as one:
            one.enter()
            ask(two)

            with pytest.raises(LaneBusy, match="held by two; waited 10 s"):
                one.give_way()


def test_a_heartbeat_does_not_renew_what_was_given_back(postgres_world: World) -> None:
    world = postgres_world
    with in_line(world, "one", lease_s=0.3) as one, in_line(world, "two", wait_s=60) as two:
        one.enter()
        with world.state.session() as session:
            late = one._lease._tokens.copy()
            one._lease.give_back(session, SCOPE)
        one._lease._tokens |= late
        one._lease._renew()

        two.enter()

        assert "two" == holder(world)


def test_a_run_that_is_told_to_stop_does_not_wait_for_its_lane(postgres_world: World) -> None:
    world = postgres_world
    world.put(*people(1))
    with in_line(world, "another sync") as other:
        other.enter()

        report = world.sync(lane_wait_s=600, options={"should_stop": lambda: True})

    assert (RunEnd.PENDING, 1, 0) == (report.end, report.pending, world.writes())


def test_a_long_run_lets_a_short_one_pass_and_goes_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their requests do not overlap, and both deliver everything."""
    monkeypatch.setattr(lanes, "AT_LEAST_S", 0.0)
    monkeypatch.setattr("iterable_sync.push._CHUNK_ROWS", 2)
    world.put(*people(*range(20)))
    senders: list[str] = []
    reports: dict[str, RunReport] = {}
    busy: set[str] = set()
    most: set[int] = set()
    lock, is_under_way = threading.Lock(), threading.Event()

    def note(sync: str) -> Callable[[int, Any], None]:
        def hook(number: int, _users: Any) -> None:
            with lock:
                senders.append(sync)
                busy.add(sync)
                most.add(len(busy))
            if sync == "long" and number == 3:
                is_under_way.set()
                for _ in range(500):
                    if is_wanted(world):
                        break
                    time.sleep(0.02)

        return hook

    def run(sync: str, column: str) -> None:
        spec = world.spec(
            sync=sync,
            sql=world.sql("user_id", "email", column),
            batch_rows=1 if sync == "long" else 4,
            threads=1,
            lane_wait_s=60,
        )
        client = Client(
            world.server,
            world.project_type,
            before=note(sync),
            after=lambda _number, _users: busy.discard(sync),
        )
        reports[sync] = world.sync(
            spec, client=client, options={"sleep": lambda _s: time.sleep(0.02)}
        )

    long = threading.Thread(target=run, args=("long", "city"))
    long.start()
    assert is_under_way.wait(30)
    short = threading.Thread(target=run, args=("short", "points"))
    short.start()
    for thread in (long, short):
        thread.join(60)

    turns = [sync for sync, _requests in groupby(senders)]
    assert ["long", "short", "long"] == turns[:3]
    assert {1} == most
    assert {"long": (20, RunEnd.CLEAN), "short": (20, RunEnd.CLEAN)} == {
        sync: (report.accepted, report.end) for sync, report in reports.items()
    }
    assert {"folded"} == set(world.batches())


def is_wanted(world: World) -> bool:
    return bool(world.rows("SELECT 1 FROM {leases} WHERE wanted_until > now()"))
