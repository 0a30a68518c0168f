"""Whole runs against an Iterable that is down, slow or refuses the key; only waits are not real."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from fakes import Clock
from harness import BULK, FIELDS, people
from iterable_sync.errors import PermissionRefused
from iterable_sync.rows import RunEnd

if TYPE_CHECKING:
    from harness import World

REQUESTS = "/api/*"


def asked(world: World, **wanted: Any) -> int:
    return len(world.server.requests(path=REQUESTS, **wanted))


def outage(world: World, after: int) -> None:
    """Let all of Iterable fail once *after* requests to it were answered."""
    world.server.fail(
        {"kind": "error", "endpoint": REQUESTS, "between": [after + 1, 10**9], "status": 503}
    )


@pytest.mark.failure("H4")
@pytest.mark.parametrize("after", [0, 1, 5], ids=["from the start", "of the push", "in its midst"])
@pytest.mark.parametrize("threads", [1, 4])
def test_an_outage_of_ten_minutes_costs_25_requests_and_then_everything_arrives(
    postgres_world: World, threads: int, after: int
) -> None:
    """H4: run after run, each when the one before asked for it; reads count as well."""
    world, clock = postgres_world, Clock()
    world.put(*people(*range(1, 41)))
    world.sync(sql=world.sql() + " WHERE user_id = 'u1'")
    outage(world, after)
    before = asked(world)
    delays = []

    while clock.now < 1_600:
        report = world.sync(
            options={"clock": clock, "sleep": clock.sleep},
            lease_s=1e6,
            batch_rows=2,
            threads=threads,
        )
        assert RunEnd.PENDING == report.end
        assert report.retry_after_s
        delays.append(report.retry_after_s)
        clock.now += report.retry_after_s

    assert asked(world, status=503) <= 25
    assert asked(world) - before <= 25 + after
    assert {300.0} == set(delays)

    world.server.fail()
    report = world.sync()

    assert (RunEnd.CLEAN, {}) == (report.end, world.dirty())
    assert {f"u{n}@example.com" for n in range(1, 41)} == set(world.users())


@pytest.mark.failure("H13")
@pytest.mark.parametrize("status", [401, 403])
def test_after_a_key_is_revoked_each_thread_sends_at_most_one_more_request(
    postgres_world: World, status: int
) -> None:
    """H13: the run ends, and what was accepted before is recorded."""
    world = postgres_world
    world.put(*people(*range(1, 60)))
    world.sync(sql=world.sql() + " WHERE user_id = 'u1'")
    body = {"code": "BadApiKey", "params": {"apiKeyType": "ServerSide"}}
    world.server.fail(
        {
            "kind": "answer",
            "endpoint": BULK,
            "between": [9, 10**9],
            "status": status,
            "body": body,
            "delay_s": 0.05,
        }
    )
    accepted_before = world.writes()

    with pytest.raises(PermissionRefused, match=rf"{BULK}: HTTP {status}.*ServerSide"):
        world.sync(batch_rows=1, threads=4)

    assert 8 == world.writes() - accepted_before - asked(world, status=status)
    assert 1 <= asked(world, status=status) <= 4
    assert 1 + 8 == len(world.acknowledged())


@pytest.mark.failure("H2")
def test_a_day_of_retry_after_at_the_first_read_ends_pending_with_that_delay(
    postgres_world: World,
) -> None:
    """H2: for Airflow's retry; no worker waits for it."""
    world = postgres_world
    world.put(*people(1, 2))
    world.server.fail({"kind": "rate_limit", "endpoint": FIELDS, "retry_after": 86_400})

    report = world.sync()

    assert (RunEnd.PENDING, 86_400.0, 2) == (report.end, report.retry_after_s, report.pending)
    assert 1 == len(world.server.requests(path=FIELDS))
    assert 0 == world.writes()


@pytest.mark.failure("W8")
@pytest.mark.parametrize("threads", [1, 4])
def test_nothing_is_idle_in_a_transaction_while_a_limit_is_waited_for(
    postgres_world: World, warehouse_db: str, threads: int
) -> None:
    """W8: looked at within the wait, which does not end before a look has found nothing."""
    world, clock = postgres_world, Clock()
    world.put(*people(*range(1, 30)))
    looks: list[int] = []

    def idle() -> int:
        with psycopg.connect(warehouse_db, autocommit=True) as connection:
            found = connection.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                "AND state LIKE 'idle in transaction%'"
            ).fetchone()
        assert found
        return int(found[0])

    def sleep(seconds: float) -> None:
        # Another thread may be between two statements of a visit right now; one that holds a
        # transaction open over the wait still holds it at the last look.
        held = idle()
        for _ in range(50):
            if not held or any(looks):
                break
            time.sleep(0.02)
            held = idle()
        looks.append(held)
        clock.sleep(seconds)

    world.server.fail({"kind": "rate_limit", "endpoint": BULK, "retry_after": 5, "every": 4})
    report = world.sync(
        options={"clock": clock, "sleep": sleep},
        requests_per_s=4,
        lease_s=1e6,
        batch_rows=2,
        threads=threads,
    )

    assert (RunEnd.CLEAN, 29) == (report.end, report.accepted)
    assert len(looks) >= 10
    assert {0} == set(looks)
