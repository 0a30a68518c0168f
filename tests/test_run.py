"""What a run sends, what it leaves alone, and what it remembers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness import people
from iterable_sync.errors import ConfigError, CountsDiffer, DuplicateKeys, Superseded
from iterable_sync.rows import NullPolicy, Op, ProjectType, RunEnd
from iterable_sync.spec import FieldSpec, Guards

if TYPE_CHECKING:
    from harness import World

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
TUESDAY = datetime(2026, 3, 3, tzinfo=UTC)


@pytest.mark.capability("A7", "B6")
def test_a_run_sends_everything_then_changed_fields_then_nothing(world: World) -> None:
    world.put(*people(1, 2, 3))

    first = world.sync()

    assert {
        f"u{n}@example.com": {"city": "Bern", "points": 1} for n in (1, 2, 3)
    } == world.sent_fields
    assert (3, 3, 3, RunEnd.CLEAN) == (first.queried, first.added, first.accepted, first.end)

    world.put(
        ("u1", "u1@example.com", "Bern", 2),
        ("u2", "u2@example.com", "Genf", 1),
        *people(3, 4),
    )
    second = world.sync()

    assert {
        "u1@example.com": {"points": 2},
        "u2@example.com": {"city": "Genf"},
        "u4@example.com": {"city": "Bern", "points": 1},
    } == world.sent_fields
    assert (4, 1, 2, 1) == (second.queried, second.unchanged, second.changed, second.added)
    assert {"points": 1, "city": 1} == second.fields_changed

    before = world.writes()
    third = world.sync()

    assert before == world.writes()
    assert (4, 4, 0, 0) == (third.queried, third.unchanged, third.accepted, third.requests)
    assert ["clean", "clean", "clean"] == world.runs()


@pytest.mark.capability("A7")
def test_what_iterable_holds_equals_the_warehouse(world: World) -> None:
    """Each side is counted on its own: Iterable by its profiles, the warehouse by plain Python."""
    rows = [
        (f"u{n}", f"U{n}@Example.com", f"town {n % 7}", n if n % 5 else None) for n in range(230)
    ]
    world.put(*rows)

    world.sync(batch_rows=40, threads=3)
    rows = [(u, e, "Zug" if p == 3 else c, p) for u, e, c, p in rows[10:]]
    world.put(*rows)
    world.sync(batch_rows=40, threads=3, on_remove="clear")

    expected = {
        e.lower(): {"userId": u, "email": e.lower(), "city": c} | ({"points": p} if p else {})
        for u, e, c, p in rows
    }
    held = world.users()
    gone = {key: held.pop(key) for key in set(held) - set(expected)}
    assert expected == held
    assert {
        f"u{n}@example.com": {"userId": f"u{n}", "email": f"u{n}@example.com"} for n in range(10)
    } == gone


@pytest.mark.failure("D1")
def test_null_is_kept_cleared_or_waited_for_as_the_field_says(world: World) -> None:
    columns = {
        "user_id": "text",
        "email": "text",
        "city": "text",
        "points": "bigint",
        "plan": "text",
    }
    policies = {
        "city": FieldSpec(null=NullPolicy.KEEP),
        "points": FieldSpec(null=NullPolicy.CLEAR),
        "plan": FieldSpec(null=NullPolicy.SKIP),
    }
    full = [(f"u{n}", f"u{n}@example.com", "Bern", 1, "pro") for n in (1, 2, 3)]
    world.put(*full, columns=columns)
    world.sync(fields=policies)

    world.put(
        ("u1", "u1@example.com", None, 1, "pro"),
        ("u2", "u2@example.com", "Bern", None, "pro"),
        ("u3", "u3@example.com", "Genf", 1, None),
    )
    report = world.sync(fields=policies)

    assert {"u2@example.com": {"points": None}} == world.sent_fields
    assert (1, 1, 1) == (report.unchanged, report.accepted, report.skipped)
    assert {
        "u1": ("Bern", 1, "pro"),
        "u2": ("Bern", None, "pro"),
        "u3": ("Bern", 1, "pro"),
    } == world.acknowledged("city", "points", "plan")
    held = world.users()
    assert ("Bern", False, "Bern") == (
        held["u1@example.com"]["city"],
        "points" in held["u2@example.com"],
        held["u3@example.com"]["city"],
    )

    world.put(*full[:2], ("u3", "u3@example.com", "Genf", 1, "pro"))
    world.sync(fields=policies)

    assert {
        "u2@example.com": {"points": 1},
        "u3@example.com": {"city": "Genf"},
    } == world.sent_fields


def test_an_ignored_removal_is_remembered_and_a_key_that_returns_is_new(world: World) -> None:
    world.put(*people(1, 2))
    world.sync()

    world.put(*people(1))
    report = world.sync()

    assert (1, 1, 0) == (report.removed, report.removed_ignored, report.requests)
    gone = world.snapshot()["u2"]
    assert ("gone", None, None, "email:u2@example.com", 1) == tuple(
        gone[name] for name in ("_status", "city", "points", "_identity", "_episode")
    )
    assert {"u1@example.com", "u2@example.com"} == set(world.users())

    world.put(*people(1, 2))
    report = world.sync()

    assert {"u2@example.com": {"city": "Bern", "points": 1}} == world.sent_fields
    assert (1, 0) == (report.added, report.changed)
    back = world.snapshot()["u2"]
    assert ("live", "Bern", 2) == (back["_status"], back["city"], back["_episode"])


def test_a_cleared_removal_takes_the_fields_out_of_iterable_once(postgres_world: World) -> None:
    world = postgres_world
    world.put(*people(1, 2))
    world.sync(on_remove="clear")

    world.put(*people(1))
    report = world.sync(on_remove="clear")
    again = world.sync(on_remove="clear")

    assert (1, 1) == (report.removed, report.removed_accepted)
    assert {"userId": "u2", "email": "u2@example.com"} == world.users()["u2@example.com"]
    assert "gone" == world.snapshot()["u2"]["_status"]
    assert (0, 0) == (again.removed, again.requests)


def test_a_removed_key_whose_person_moved_to_another_key_is_left_alone(
    postgres_world: World,
) -> None:
    world = postgres_world
    world.put(*people(1, 2))
    world.sync(on_remove="clear")

    world.put(*people(1), ("k9", "u2@example.com", "Bern", 1))
    report = world.sync(on_remove="clear")

    assert (1, 1, 0) == (report.removed, report.removed_ignored, report.removed_accepted)
    assert {"userId": "k9", "email": "u2@example.com", "city": "Bern", "points": 1} == (
        world.users()["u2@example.com"]
    )


def test_a_removed_key_whose_person_waits_under_another_key_is_removed(world: World) -> None:
    """The row of the other key is held, perhaps for ever; what is left of the old one goes."""
    world.put(*people(1, 2))
    world.sync(on_remove="clear")

    world.put(("u2", "u1@example.com", "Genf", 7))
    report = world.sync(on_remove="clear")

    assert (1, 1, 1) == (report.held, report.removed, report.removed_accepted)
    assert {"userId", "email"} == set(world.users()["u1@example.com"])

    world.sync(on_remove="clear", on_identity_change="full_row")

    assert {"userId": "u2", "email": "u1@example.com", "city": "Genf", "points": 7} == (
        world.users()["u1@example.com"]
    )


def test_a_guard_that_holds_the_other_key_lets_the_removal_go(world: World) -> None:
    world.put(*people(1, 2))
    world.sync(on_remove="clear")

    world.put(("u2", "u1@example.com", "Genf", 7))
    report = world.sync(
        on_remove="clear",
        on_identity_change="full_row",
        guards=Guards(max_changed=0, changed_floor=0),
    )

    assert (1, 1, 1) == (report.held, report.removed, report.removed_accepted)
    assert {"userId", "email"} == set(world.users()["u1@example.com"])


@pytest.mark.failure("D12")
def test_a_changed_identity_is_held_and_the_others_are_delivered(world: World) -> None:
    world.put(*people(1, 2))
    world.sync()

    world.put(("u1", "new@example.com", "Genf", 1), ("u2", "u2@example.com", "Genf", 1))
    report = world.sync()
    world.sync()

    assert (RunEnd.HELD, 1, 1, 1) == (
        report.end,
        report.identity_changed,
        report.held,
        report.accepted,
    )
    assert {"identity_changed": 1} == report.held_by_guard
    assert {(Op.IDENTITY_CHANGED, "u1", "identity_changed")} == world.held()
    assert {"u1@example.com", "u2@example.com"} == set(world.users())
    assert {"u1": ("email:u1@example.com", "Bern"), "u2": ("email:u2@example.com", "Genf")} == (
        world.acknowledged("_identity", "city")
    )

    world.put(*people(1, 2, city="Genf"))
    back = world.sync()

    assert {"u1@example.com": {"city": "Genf"}} == world.sent_fields
    assert (RunEnd.CLEAN, set()) == (back.end, world.held())


@pytest.mark.failure("D12")
def test_a_changed_identity_may_be_sent_as_a_full_row(postgres_world: World) -> None:
    world = postgres_world
    world.put(*people(1, 2))
    world.sync()

    world.put(("u1", "new@example.com", "Bern", 1), *people(2))
    report = world.sync(on_identity_change="full_row")
    again = world.sync(on_identity_change="full_row")

    assert (1, 1, RunEnd.CLEAN) == (report.identity_changed, report.accepted, report.end)
    assert {"userId": "u1", "email": "new@example.com", "city": "Bern", "points": 1} == (
        world.users()["new@example.com"]
    )
    assert {"u1": ("email:new@example.com",), "u2": ("email:u2@example.com",)} == (
        world.acknowledged("_identity")
    )
    assert 0 == again.requests


@pytest.mark.failure("D12")
@pytest.mark.capability("A34")
@pytest.mark.parametrize("kind", [ProjectType.USER_ID, ProjectType.HYBRID])
def test_a_changed_email_is_an_ordinary_update_where_the_user_id_identifies(
    postgres_world: World, kind: ProjectType
) -> None:
    world = postgres_world.with_project(kind)
    world.put(*people(1, 2))
    world.sync()

    world.put(("u1", "new@example.com", "Bern", 1), *people(2))
    report = world.sync()

    assert [{"userId": "u1", "dataFields": {"email": "new@example.com"}}] == [
        {name: user[name] for name in ("userId", "dataFields")} for user in world.sent
    ]
    assert (1, 0, RunEnd.CLEAN) == (report.changed, report.identity_changed, report.end)
    assert "new@example.com" == world.users()["u1"]["email"]


def test_full_resync_sends_every_field_of_every_row(postgres_world: World) -> None:
    world = postgres_world
    world.put(*people(1, 2))
    world.sync()

    report = world.sync(full_resync=True)

    assert {f"u{n}@example.com": {"city": "Bern", "points": 1} for n in (1, 2)} == (
        world.sent_fields
    )
    assert (2, 2) == (report.changed, report.accepted)


def test_an_older_run_is_superseded_before_it_queries(world: World) -> None:
    world.put(*people(1))
    world.sync(as_of=TUESDAY)

    with pytest.raises(Superseded):
        world.sync(as_of=MONDAY, sql="SELECT broken FROM nowhere")
    world.sync(as_of=TUESDAY)

    assert ["clean", "clean"] == world.runs()


@pytest.mark.failure("P6")
def test_clearing_ten_old_runs_pushes_nothing_of_the_past(world: World) -> None:
    """Whatever the model says today, for a template of the date it says the past."""
    world.put(*people(1, 2, city="today"))
    world.sync(as_of=TUESDAY)
    requests = world.writes()
    for day in range(10):
        world.put(*people(2, city=f"day {day}"))
        with pytest.raises(Superseded, match="has been sent"):
            world.sync(as_of=TUESDAY - timedelta(days=day + 1), on_remove="clear")

    assert requests == world.writes()
    assert {"today"} == {user["city"] for user in world.users().values()}
    assert ["clean"] == world.runs()


def test_a_run_with_something_pending_does_not_move_as_of(postgres_world: World) -> None:
    world = postgres_world
    world.put(*people(1))
    world.answer_next({"status": 503, "headers": {"Retry-After": "3600"}})

    assert RunEnd.PENDING == world.sync(as_of=TUESDAY).end

    assert RunEnd.CLEAN == world.sync(as_of=MONDAY).end


def test_state_of_a_newer_version_is_left_alone(postgres_world: World) -> None:
    world = postgres_world
    world.put(*people(1))
    world.sync()
    world.write("UPDATE {meta} SET schema_version = 99")
    world.put(*people(1, 2))

    with pytest.raises(ConfigError, match="version 99"):
        world.sync()

    assert {"u1@example.com"} == set(world.users())


def test_a_dry_run_counts_and_writes_nothing(world: World) -> None:
    world.put(*people(1, 2, 3))
    world.sync()
    world.put(*people(2, 4), ("u3", "u3@example.com", "Genf", 1))
    before, requests = contents(world), world.writes()

    report = world.sync(dry_run=True)

    assert (3, 1, 1, 1, 1) == (
        report.queried,
        report.unchanged,
        report.added,
        report.changed,
        report.removed,
    )
    assert {"city": 1} == report.fields_changed
    assert before == contents(world)
    assert requests == world.writes()


def test_a_dry_run_before_the_first_run_makes_no_tables(world: World) -> None:
    world.put(*people(1, 2))

    report = world.sync(dry_run=True)

    assert (2, 2) == (report.queried, report.added)
    assert [] == tables_of(world)
    assert 0 == world.writes()


@pytest.mark.failure("O2")
def test_a_row_that_vanishes_from_the_books_fails_the_run(postgres_world: World) -> None:
    """The sums are not taken from one place: a lost row shows."""
    world = postgres_world
    world.put(*people(1, 2, 3))

    def lose_one(number: int, _users: object) -> None:
        if number == 2:
            plan = world.rows("SELECT plan_table FROM {runs}")[0][0]
            world.write(f"DELETE FROM {{{plan}}} WHERE _key = 'u3'")

    with pytest.raises(CountsDiffer, match="'queried': 1"):
        world.sync(client=world.connect(before=lose_one))

    assert [("counts_differ",)] == world.rows("SELECT state FROM {runs}")


def test_a_run_that_stops_for_duplicate_keys_ends_as_failed(world: World) -> None:
    """It does not look as if it were still running, and the next one is not told of a crash."""
    world.put(*people(1, 1))

    with pytest.raises(DuplicateKeys):
        world.sync()

    assert [("failed",)] == world.rows("SELECT state FROM {runs}")


def test_keys_of_several_columns_and_any_type_find_their_rows_again(world: World) -> None:
    columns = {"shop": "integer", "user_id": "text", "email": "text", "city": "text"}
    rows = [(shop, f"u{n}", f"{shop}.{n}@example.com", "Bern") for shop in (1, 2) for n in (1, 2)]
    world.put(*rows, columns=columns)
    world.sync(key=("shop", "user_id"))

    world.put((1, "u1", "1.1@example.com", "Genf"), *rows[1:3])
    report = world.sync(key=("shop", "user_id"))

    assert {"1.1@example.com": {"city": "Genf"}} == world.sent_fields
    assert (2, 1, 1) == (report.unchanged, report.changed, report.removed)


def contents(world: World) -> dict[str, list[tuple[object, ...]]]:
    """Give all rows of all tables of state."""
    found = {}
    for name in tables_of(world):
        with world.state.session() as session:
            columns = ", ".join(
                f'CAST("{c}" AS text)' for c in world.state.columns_of(session, name)
            )
            rows = session.rows(f"SELECT {columns} FROM {world.state.table(name)}")
        found[name] = sorted(rows, key=repr)
    return found


def tables_of(world: World) -> list[str]:
    """Name all tables of state."""
    if world.engine == "duckdb":
        if not Path(world.state.path).exists():
            return []
        sql = "SELECT table_name FROM duckdb_tables() ORDER BY 1"
    else:
        sql = (
            f"SELECT tablename FROM pg_tables WHERE schemaname = '{world.state.schema}' ORDER BY 1"
        )
    return [row[0] for row in world.rows(sql)]
