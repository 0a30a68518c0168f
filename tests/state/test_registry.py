"""Syncs that register at the same time."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from harness import Client
from iterable_sync.errors import ConfigError
from iterable_sync.rows import RunEnd

if TYPE_CHECKING:
    from harness import World

COLUMNS = {"user_id": "text", "email": "text", **dict.fromkeys("abcdef", "text")}


def test_first_runs_of_many_syncs_at_once_do_not_stumble(postgres_world: World) -> None:
    """An empty database, and all tasks of a DAG at the same moment."""
    world = postgres_world
    world.put(("u1", "u1@example.com", *"abcdef"), columns=COLUMNS)

    ends = at_once(world, {name: name for name in "abcdef"})

    assert dict.fromkeys("abcdef", RunEnd.CLEAN) == ends
    assert {name: name for name in "abcdef"} == {
        name: value
        for name, value in world.users()["u1@example.com"].items()
        if name in COLUMNS and name != "email"
    }
    assert 6 == len({number for (number,) in world.rows("SELECT sync_id FROM {syncs}")})


def test_of_two_syncs_that_claim_a_field_at_once_one_gets_it(postgres_world: World) -> None:
    world = postgres_world
    world.put(("u1", "u1@example.com", *"abcdef"), columns=COLUMNS)

    ends = at_once(world, dict.fromkeys("abcdef", "a"))

    assert 1 == sum(end is RunEnd.CLEAN for end in ends.values())
    assert 5 == sum(isinstance(end, ConfigError) for end in ends.values())


def at_once(world: World, columns: dict[str, str]) -> dict[str, object]:
    """Run syncs (name -> their column) in threads that start together; give how they ended."""
    ends: dict[str, object] = {}
    start = threading.Barrier(len(columns))

    def run(sync: str, column: str) -> None:
        spec = world.spec(sync=sync, sql=world.sql("user_id", "email", column), lane_wait_s=30)
        client = Client(world.server, world.project_type)
        start.wait(10)
        try:
            ends[sync] = world.sync(
                spec, client=client, options={"sleep": lambda _s: threading.Event().wait(0.02)}
            ).end
        except Exception as error:  # noqa: BLE001 - the test says which are right
            ends[sync] = error

    threads = [threading.Thread(target=run, args=pair) for pair in columns.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return ends
