"""A run that is told to stop finishes what is on its way, within seconds, and records it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from harness import BULK, people
from iterable_sync import push
from iterable_sync.client import NotSent
from iterable_sync.rows import RunEnd

if TYPE_CHECKING:
    from harness import World


def settle_fields(world: World) -> None:
    """Let Iterable know the fields, so that later runs send plain batches."""
    world.put(*people(0))
    world.sync()


def delay(world: World, seconds: float) -> None:
    world.server.app_state.fail(
        [{"kind": "delay", "endpoint": f"{BULK}*", "times": 1, "delay_s": seconds}]
    )


@pytest.mark.failure("P2")
def test_an_answer_that_comes_in_time_is_waited_for(world: World) -> None:
    settle_fields(world)
    world.put(*people(0, 1))
    told = threading.Event()
    delay(world, 1.5)

    report = world.sync(
        client=world.connect(before=lambda _n, _u: told.set()),
        options={"should_stop": told.is_set},
    )

    assert (RunEnd.CLEAN, 1, {}) == (report.end, report.accepted, world.dirty())


@pytest.mark.failure("P2")
def test_a_request_that_takes_too_long_is_cut_off_and_its_rows_are_in_doubt(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its answer would come, and would be a success: nobody waits for it."""
    monkeypatch.setattr(push, "_LAST_S", 0.3)
    monkeypatch.setattr(push, "_LOOK_UP_S", 0.05)
    settle_fields(world)
    world.put(*people(0, 1, 2))
    told = threading.Event()
    delay(world, 12.0)

    report = world.sync(
        client=world.connect(deadline_s=60.0, before=lambda _n, _u: told.set()),
        batch_rows=1,
        threads=1,
        options={"should_stop": told.is_set},
    )

    assert (RunEnd.PENDING, 0, 2) == (report.end, report.accepted, report.pending)
    assert [{"*"}] == list(world.dirty().values())
    assert 1 == len(world.client.bodies)

    world.answer_next()
    report = world.sync()

    assert (RunEnd.CLEAN, 2, {}) == (report.end, report.accepted, world.dirty())


def test_nothing_is_sent_once_a_client_is_cut_off(postgres_world: World) -> None:
    world = postgres_world
    client = world.connect()
    client.cut_off()

    with pytest.raises(NotSent):
        client.send("POST", BULK, b'{"users": []}')

    assert 0 == world.writes()


def test_a_told_run_can_be_gone_on_with(world: World) -> None:
    """Three times told in the middle: nothing is sent twice, and in the end all of it is there."""
    settle_fields(world)
    world.put(*people(*range(12)))
    sent: list[str] = []
    for _ in range(3):
        told = threading.Event()

        def stop(number: int, _users: Any, told: threading.Event = told) -> None:
            if number == 2:
                told.set()

        report = world.sync(
            client=world.connect(before=stop),
            batch_rows=1,
            threads=2,
            options={"should_stop": told.is_set},
        )
        sent += world.sent_fields
        assert RunEnd.PENDING == report.end

    report = world.sync()
    sent += world.sent_fields

    assert (RunEnd.CLEAN, 11) == (report.end, len(sent))
    assert {f"u{n}@example.com" for n in range(1, 12)} == set(sent)
