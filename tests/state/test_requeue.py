"""Rejections made due before their time, and the age of those that wait."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from harness import people
from iterable_sync.errors import ConfigError
from iterable_sync.rows import RunEnd
from iterable_sync.state.requeue import requeue

if TYPE_CHECKING:
    from harness import World

REFUSED = '{"successCount": 0, "failCount": %d, "failedUpdates": {"%s": [%s]}}'


def refuse(world: World, *numbers: int, array: str) -> None:
    """Let the next request, for these people alone, be refused for all of them."""
    emails = ", ".join(f'"u{n}@example.com"' for n in numbers)
    world.answer_next({"status": 200, "body": REFUSED % (len(numbers), array, emails)})


def rejected(world: World) -> None:
    """Have u1 and u2 rejected, conflict, to be tried again, and u3, invalid, which is not."""
    world.put(*people(0))
    world.sync()
    world.put(*people(0, 1, 2))
    refuse(world, 1, 2, array="conflictEmails")
    assert 2 == world.sync().rejected
    world.put(*people(0, 1, 2, 3))
    refuse(world, 3, array="invalidDataEmails")
    assert (2, 1) == ((report := world.sync()).still_rejected, report.rejected)


def again(world: World, **how: Any) -> dict[str, int]:
    return requeue(world.state, "1.us", "users", **how)


def test_requeued_rows_are_sent_by_the_next_run(world: World) -> None:
    rejected(world)

    assert {"conflict": 2} == again(world)
    report = world.sync()

    assert (2, 1, RunEnd.CLEAN) == (report.accepted, report.still_rejected, report.end)
    assert {f"u{n}@example.com" for n in range(3)} == set(world.users())


def test_what_waits_for_a_new_value_is_due_only_when_asked_for(world: World) -> None:
    rejected(world)

    assert {"conflict": 2} == again(world)
    assert {"invalid_data": 1} == again(world, include_permanent=True)
    assert 3 == world.sync().accepted


def test_reasons_choose(world: World) -> None:
    rejected(world)

    assert {} == again(world, reasons=["wrong_type", "x' OR '1'='1"], include_permanent=True)
    assert {"invalid_data": 1} == again(
        world, reasons=["invalid_data", "wrong_type"], include_permanent=True
    )
    assert {"u3"} == {
        key for key, due in world.rows("SELECT key, next_try_at <= now() FROM {rejections}") if due
    }


def test_a_number_of_keys_takes_those_that_wait_longest(world: World) -> None:
    rejected(world)
    world.write("UPDATE {rejections} SET first_seen = now() - INTERVAL '9 days' WHERE key = 'u2'")

    assert {"conflict": 1} == again(world, max_keys=1)
    world.sync()

    assert {"u0@example.com", "u2@example.com"} == set(world.users())


def test_an_age_leaves_what_is_younger(world: World) -> None:
    rejected(world)
    world.write("UPDATE {rejections} SET first_seen = now() - INTERVAL '9 days' WHERE key = 'u2'")

    assert {"conflict": 1} == again(world, older_than_s=8 * 86_400)
    assert {} == again(world, older_than_s=10 * 86_400)


def test_what_is_due_already_is_not_counted_again(postgres_world: World) -> None:
    rejected(postgres_world)

    assert {"conflict": 2} == again(postgres_world)
    assert {} == again(postgres_world)


def test_a_row_that_is_refused_again_keeps_its_first_time(postgres_world: World) -> None:
    world = postgres_world
    rejected(world)
    world.write("UPDATE {rejections} SET first_seen = now() - INTERVAL '9 days'")
    again(world)
    refuse(world, 1, 2, array="conflictEmails")
    world.sync()

    rows = world.rows(
        "SELECT key, attempts, first_seen < now() - INTERVAL '8 days' FROM {rejections} "
        "ORDER BY key"
    )
    assert [("u1", 2, True), ("u2", 2, True), ("u3", 1, True)] == rows


def test_a_rejected_field_is_sent_again_alone(world: World) -> None:
    world.columns = {"user_id": "text", "email": "text", "city": "text", "born": "text"}
    world.put(("u1", "u1@example.com", "Bern", "never"))
    report = world.sync(fields={"born": {"type": "date"}})
    assert (1, 1) == (report.accepted, report.fields_rejected)

    assert 1 == sum(again(world, include_permanent=True).values())
    tried = world.sync(fields={"born": {"type": "date"}})

    assert 1 == tried.fields_rejected


@pytest.mark.parametrize("how", [{"max_keys": 0}, {"older_than_s": -1}])
def test_numbers_that_make_no_sense_are_refused(postgres_world: World, how: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="requeue"):
        again(postgres_world, **how)


def test_the_age_of_what_is_still_rejected_is_reported_by_reason(world: World) -> None:
    rejected(world)
    world.write("UPDATE {rejections} SET first_seen = now() - INTERVAL '9 days' WHERE key = 'u2'")
    world.write("UPDATE {rejections} SET first_seen = now() - INTERVAL '1 days' WHERE key = 'u3'")

    report = world.sync()

    assert {"conflict": 2, "invalid_data": 1} == report.still_rejected_by_reason
    assert {"conflict": 9, "invalid_data": 1} == {
        reason: seconds // 86_400 for reason, seconds in report.still_rejected_age_s.items()
    }
    assert 9 == report.counts()["still_rejected_oldest_s"] // 86_400
    assert '"conflict": 2' in world.rows("SELECT counts FROM {runs} ORDER BY token DESC")[0][0]


def test_a_dry_run_reports_the_age_as_well(world: World) -> None:
    rejected(world)

    assert {"conflict": 2, "invalid_data": 1} == world.sync(dry_run=True).still_rejected_by_reason
