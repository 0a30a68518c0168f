"""Reading back where nothing can be said: nothing is marked, and nothing is shown of anybody."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from harness import Client, duckdb_world, people
from iterable_sync.errors import AlreadyRunning, ConfigError, RetryLater
from iterable_sync.profile_reads import READS_PER_S
from iterable_sync.sandbox.server import SandboxServer
from reconcile_world import delete, look, mail, write_over

if TYPE_CHECKING:
    from pathlib import Path

    from harness import World
    from iterable_sync.client import Answer


def test_it_is_skipped_while_a_run_has_the_sync(world: World) -> None:
    """Nobody knows what that run has sent by now."""
    world.put(*people(1, 2))
    world.sync()
    write_over(world, mail(1), city="Genf")
    world.write(
        "UPDATE {leases} SET holder = 'another', held_until = now() + INTERVAL '1 minute', "
        "token = token + 1 WHERE scope = 'sync:1.us/users'"
    )

    with pytest.raises(AlreadyRunning, match=r"sync 1\.us/users is held by another"):
        look(world)

    assert {} == world.dirty()


def test_it_marks_nothing_where_a_run_took_the_sync_meanwhile(world: World) -> None:
    world.put(*people(1, 2))
    world.sync()
    write_over(world, mail(1), city="Genf")

    class Taken(Client):
        once = threading.Lock()

        def get(self, path: str, params: Any = None) -> Answer:
            if path.endswith("getByEmail") and self.once.acquire(blocking=False):
                world.write(
                    "UPDATE {leases} SET holder = 'another', "
                    "held_until = now() + INTERVAL '1 minute' WHERE scope = 'sync:1.us/users'"
                )
            return super().get(path, params)

    with pytest.raises(AlreadyRunning):
        look(world, client=Taken(world.server, world.project_type))

    assert {} == world.dirty()


def test_a_key_of_another_project_marks_nothing(duckdb_world: World) -> None:
    """There nobody is known, and everything would be sent again."""
    world = duckdb_world
    world.put(*people(1, 2))
    world.sync()
    world.server.reset()
    with world.server.app_state.lock:
        for channel in world.server.app_state.messaging.channels:
            channel["id"] += 1_000

    with pytest.raises(ConfigError, match="the key is of another project"):
        look(world)

    assert {} == world.dirty()


def test_a_snapshot_that_is_not_the_one_of_the_last_run_is_not_compared(world: World) -> None:
    world.put(*people(1, 2))
    world.sync()
    (table,) = (row[0] for row in world.rows("SELECT snapshot_table FROM {syncs}"))
    world.write(f"UPDATE {{{table}}} SET _run = 'older'")

    with pytest.raises(ConfigError, match="full_resync"):
        look(world)


def test_it_waits_for_a_limit_and_goes_on(duckdb_world: World) -> None:
    world = duckdb_world
    world.put(*people(1, 2, 3))
    world.sync()
    rule = {"kind": "answer", "endpoint": "/api/users/getByEmail*"}
    limit, outage = {**rule, "status": 429, "times": 1}, {**rule, "status": 503, "times": 2}
    # One profile less often than it is tried, should it meet all of them.
    world.server.app_state.fail([limit, outage])

    found = look(world)

    assert (3, 0, 6) == (found.compared, found.drift.count, found.requests)


def test_an_outage_marks_nothing_and_is_tried_later(duckdb_world: World) -> None:
    world = duckdb_world
    world.put(*people(1, 2, 3))
    world.sync()
    write_over(world, mail(1), city="Genf")
    rule = {"kind": "answer", "endpoint": "/api/users/getByEmail*", "status": 503}
    world.server.app_state.fail([rule])

    with pytest.raises(RetryLater):
        look(world)

    assert {} == world.dirty()


def test_it_stops_when_it_is_told_to(duckdb_world: World) -> None:
    world = duckdb_world
    world.put(*people(1, 2, 3))
    world.sync()
    write_over(world, mail(1), city="Genf")

    with pytest.raises(RetryLater, match="stopped"):
        look(world, should_stop=lambda: True)

    assert {} == world.dirty()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param({"sync": "people"}, "no sync 'people' of project 1.us has run", id="sync"),
        pytest.param({"rows": 0}, "rows has to be 1 or more", id="rows"),
        pytest.param({"settle_s": -1}, "settle_s not negative", id="settle"),
    ],
)
def test_a_declaration_that_makes_no_sense_is_refused(
    duckdb_world: World, arguments: dict[str, Any], message: str
) -> None:
    duckdb_world.put(*people(1))
    duckdb_world.sync()

    with pytest.raises(ConfigError, match=message):
        look(duckdb_world, **arguments)


def test_no_value_and_no_key_is_in_a_log_or_in_the_report(
    duckdb_world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world = duckdb_world
    world.put(*people(1, 2, city="Canaryville"))
    world.sync()
    write_over(world, mail(1), city="Canaryfield")
    delete(world, mail(2))
    caplog.set_level(logging.DEBUG)
    caplog.clear()

    found = look(world)

    # The sandbox runs in this process, and its server logs what it is asked.
    ours = [r.getMessage() for r in caplog.records if not r.name.startswith("uvicorn")]
    said = f"{ours} {found.lines()} {found.counts()} {found!r}"
    assert (1, 1) == (found.missing, found.drifted)
    assert "field city" in said
    for secret in ("Canary", "@example.com", "u1", "u2", world.server.api_key):
        assert secret not in said


@pytest.mark.all
def test_the_pace_of_reading_meets_no_limit(tmp_path: Path) -> None:
    """Sixteen threads, for three seconds, against the published limit."""
    with SandboxServer() as server:
        world = duckdb_world(server, tmp_path)
        world.put(*people(*range(240)))
        world.sync(batch_rows=1_000)

        found = look(world, requests_per_s=READS_PER_S, sleep=time.sleep)

        with server.app_state.lock:
            statuses = {e.status for e in server.app_state.history.page(0, 10**9)}
    assert (240, 240) == (found.compared, found.requests)
    assert 429 not in statuses
