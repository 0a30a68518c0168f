"""A dry run says what a run would do, and does none of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import people
from iterable_sync.spec import Guards
from iterable_sync.state import planning

if TYPE_CHECKING:
    import pytest

    from harness import World


def asked(world: World) -> list[tuple[str, str]]:
    """Give method and path of the requests since the last reset."""
    with world.server.app_state.lock:
        return [(e.method, e.path) for e in world.server.app_state.history.page(0, 10**9)]


def test_it_names_requests_bytes_and_seconds_as_the_run_then_has_them(world: World) -> None:
    world.put(*people(0))
    world.sync()
    world.put(*people(*range(25)))
    how: dict[str, Any] = {"batch_rows": 10, "requests_per_s": 2.0}

    told = world.sync(dry_run=True, **how)
    done = world.sync(batch_rows=10)

    assert (3, 3, 24, 24) == (told.requests, done.requests, told.added, done.accepted)
    assert told.bytes_sent == done.bytes_sent
    assert 1.5 == told.seconds["sending, at the limit"]


def test_it_names_the_fields_that_would_be_new(world: World) -> None:
    world.put(*people(1))
    world.sync()
    columns = {**world.columns, "vip": "boolean", "nick": "text"}
    world.put(("u1", "u1@example.com", "Bern", 2, True, None), columns=columns)

    report = world.sync(dry_run=True)

    assert ["vip"] == report.new_fields
    assert {"vip": 1, "points": 1, "nick": 1} == report.fields_changed


def test_it_says_that_new_fields_would_end_the_run(world: World) -> None:
    world.put(*people(1))

    report = world.sync(dry_run=True, new_fields="fail")

    assert ["city", "points"] == report.new_fields
    assert any("new_fields='fail'" in note for note in report.notes)


def test_it_reads_the_fields_of_the_project_and_sends_nothing(world: World) -> None:
    world.put(*people(1, 2))

    world.sync(dry_run=True)

    assert [("GET", "/api/users/getFields")] == asked(world)


def test_what_a_guard_would_hold_costs_nothing(world: World) -> None:
    world.put(*people(*range(10)))
    world.sync()
    world.put(*people(*range(10), city="Genf"), *people(10, 11, 12))

    report = world.sync(dry_run=True, batch_rows=1, guards=Guards(max_changed=0.1, changed_floor=0))

    assert (10, 3, 3) == (report.changed, report.added, report.requests)
    assert any(note.startswith("held by max_changed") for note in report.notes)


def test_of_a_large_plan_it_looks_at_the_first_rows_and_says_so(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "FIRST_ROWS", 10)
    world.put(*people(*range(10, 50)))

    report = world.sync(dry_run=True, batch_rows=5)

    assert 8 == report.requests
    assert any("first 10 of 40 rows" in note for note in report.notes)


def test_it_counts_the_rows_with_values_that_would_be_refused(world: World) -> None:
    world.put(*people(1), ("u2", "none", "Bern", 1))

    report = world.sync(dry_run=True)

    assert (2, 1) == (report.added, report.requests)
    assert any("of 2 rows 1 have values" in note for note in report.notes)


def test_it_leaves_no_file_where_there_was_none(duckdb_world: World) -> None:
    world = duckdb_world
    world.put(*people(1, 2))
    folder = Path(world.state.path).parent
    before = sorted(folder.iterdir())

    report = world.sync(dry_run=True)

    assert (2, 1) == (report.added, report.requests)
    assert before == sorted(folder.iterdir())


def test_it_takes_no_lease_and_waits_for_none(world: World) -> None:
    world.put(*people(1))
    world.sync()
    world.write("UPDATE {leases} SET held_until = now() + INTERVAL '1 hour', holder = 'another'")
    leases = world.rows("SELECT scope, token, holder FROM {leases} ORDER BY scope")
    world.put(*people(1, 2))

    report = world.sync(dry_run=True)

    assert 1 == report.added
    assert leases == world.rows("SELECT scope, token, holder FROM {leases} ORDER BY scope")
    assert ["clean"] == world.runs()
