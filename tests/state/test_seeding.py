"""``seed_sql``: what Iterable holds already, taken for sent before the first diff."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from audience_world import events, fields, put, sync, with_members
from audience_world import sent as said
from harness import USERS, people
from iterable_sync.errors import ConfigError, DuplicateKeys
from iterable_sync.rows import ProjectType, RunEnd

if TYPE_CHECKING:
    from harness import World

GUARDS = {"max_removed": 1.0}


def export(world: World, *rows: tuple[Any, ...], columns: dict[str, str] | None = None) -> str:
    """Put rows into the table of another tool's export, and give the query of it."""
    before = world.columns
    put(world, *rows, columns=columns or {"user_id": "text", "audience": "text"}, table="export")
    sql = world.sql(table="export")
    world.columns = before
    return sql


def seeded(world: World, sync_name: str = "audiences") -> set[tuple[Any, ...]]:
    """Give what the snapshot has from a seed: (user_id, audience, status)."""
    ((table,),) = world.rows(f"SELECT snapshot_table FROM {{syncs}} WHERE sync = '{sync_name}'")
    return set(
        world.rows(
            f"SELECT user_id, audience, _status FROM {{{table}}} WHERE _origin = 'seeded' "
            "AND _episode = 1"
        )
    )


def test_members_of_both_are_unchanged_and_leftovers_leave(way: World) -> None:
    """In whatever database model, seed and state are."""
    with_members(way, ("a", "VIP"), ("b", "VIP"), ("b", "New"))
    seed_sql = export(way, ("a", "VIP"), ("old", "VIP"), ("old", "Gone"))

    report = sync(way, seed_sql=seed_sql)

    assert {"b": {"vip": True, "new": True}, "old": {"vip": False, "gone": False}} == said(way)
    assert (1, 2, 2) == (report.unchanged, report.accepted, report.removed_accepted)
    assert "seed_sql: 3 rows are taken for sent" in report.notes
    assert {("a", "VIP", "live"), ("old", "VIP", "gone"), ("old", "Gone", "gone")} == seeded(way)
    assert 0 == sync(way).requests


def test_leftovers_are_under_the_guard(world: World) -> None:
    """What is seeded counts as live."""
    with_members(world, ("a", "VIP"))
    seed_sql = export(world, ("a", "VIP"), *((f"old{n}", "VIP") for n in range(101)))

    report = sync(world, seed_sql=seed_sql)

    assert (RunEnd.HELD, {"max_removed": 101}, 0) == (
        report.end,
        report.held_by_guard,
        report.requests,
    )
    assert 101 == sync(world, guards=GUARDS).removed_accepted


def test_a_first_run_with_a_seed_is_a_first_run(world: World) -> None:
    """The guard of first runs counts what would be sent, until something was."""
    with_members(world, *((f"u{n}", "VIP") for n in range(6)))
    seed_sql = export(world, ("u0", "VIP"))
    guards = {"first_sync_rows": 4}

    held = [sync(world, seed_sql=seed_sql, guards=guards) for _ in range(2)]
    sync(world, guards=guards, first_sync="all")
    put(world, *((f"u{n}", "VIP") for n in range(12)))
    later = sync(world, guards=guards)

    assert [{"first_sync": 5}] * 2 == [report.held_by_guard for report in held]
    assert (RunEnd.CLEAN, 6) == (later.end, later.accepted)


def test_it_is_for_the_first_run_alone(world: World) -> None:
    with_members(world, ("a", "VIP"))
    sync(world, seed_sql=export(world, ("a", "VIP")))

    report = sync(world, seed_sql=export(world, ("old", "VIP")))

    assert (0, 0) == (report.removed, report.requests)
    assert any("seed_sql is not looked at" in note for note in report.notes)


def test_a_lost_snapshot_is_not_seeded(world: World) -> None:
    """It is held, as without a seed: a seed says what was there before anything was sent."""
    with_members(world, ("a", "VIP"))
    sync(world)
    ((table,),) = world.rows("SELECT snapshot_table FROM {syncs}")
    world.write(f"DELETE FROM {{{table}}}")

    report = sync(world, seed_sql=export(world, ("a", "VIP")))

    assert (RunEnd.HELD, ["snapshot_lost"]) == (report.end, list(report.held_by_guard))


def test_a_seed_alone_is_no_lost_snapshot(world: World) -> None:
    """Nothing was sent in the first run, and the second one knows its snapshot."""
    with_members(world, ("a", "VIP"))
    seed_sql = export(world, ("a", "VIP"))

    reports = [sync(world, seed_sql=seed_sql), sync(world, seed_sql=seed_sql)]

    assert [(RunEnd.CLEAN, 1, 0)] * 2 == [(r.end, r.unchanged, r.requests) for r in reports]


def test_a_dry_run_plans_with_it_and_writes_nothing(world: World) -> None:
    with_members(world, ("a", "VIP"), ("b", "VIP"))
    seed_sql = export(world, ("a", "VIP"), ("old", "VIP"))
    known = []

    for _ in range(2):
        report = sync(world, dry_run=True, seed_sql=seed_sql)
        known.append((report.unchanged, report.added, report.removed))
    sync(world, first_sync=0)
    report = sync(world, dry_run=True, seed_sql=seed_sql)
    known.append((report.unchanged, report.added, report.removed))

    assert [(1, 1, 1)] * 3 == known
    assert set() == seeded(world)


def test_names_of_a_seed_are_claimed(world: World) -> None:
    """Also those that the model does not have: their fields are written too."""
    with_members(world, ("a", "VIP"))
    sync(world, sync="owner")
    put(world, ("a", "New"))

    with pytest.raises(ConfigError, match="'VIP', whose field 'vip' belongs to sync 'owner'"):
        sync(world, sync="others", seed_sql=export(world, ("a", "VIP")))


def test_events_of_who_was_seeded_are_the_exit_alone(world: World) -> None:
    with_members(world, ("a", "VIP"))
    seed_sql = export(world, ("a", "VIP"), ("old", "VIP"))
    world.sync(sync="people", sql=seed_sql.replace('"audience"', "1 AS one"))

    sync(world, object="audience_events", seed_sql=seed_sql, guards=GUARDS)

    assert [("old", "VIP", "Exited")] == [found[:3] for found in events(world)]


def test_rows_that_nobody_is_known_of_are_left_out_and_counted(world: World) -> None:
    with_members(world, project=ProjectType.EMAIL)
    columns = {"user_id": "text", "email": "text", "audience": "text"}
    put(world, ("a", "a@example.com", "VIP"), columns=columns)
    rows = [("a", "a@example.com", "VIP"), ("b", None, "VIP"), (None, "c@example.com", "VIP")]

    report = sync(world, seed_sql=export(world, *rows, columns=columns))

    assert (
        "seed_sql: 1 rows are taken for sent, 2 are left out: missing_identifier 1, missing_key 1"
        in report.notes
    )
    assert 0 == report.requests


def test_values_that_a_seed_has_are_compared_and_others_are_sent(world: World) -> None:
    """Of users: a column that is not in the seed is one that Iterable has no value of."""
    world.put(*people(1, 2), columns=USERS)
    columns = {"user_id": "text", "email": "text", "city": "text"}
    rows = [("u1", "u1@example.com", "Bern"), ("u2", "u2@example.com", "Rome")]

    report = world.sync(seed_sql=export(world, *rows, columns=columns))

    assert {"u1@example.com": {"points": 1}, "u2@example.com": {"city": "Bern", "points": 1}} == (
        world.sent_fields
    )
    assert (0, 2) == (report.added, report.changed)


def test_what_is_declared_of_other_columns_is_no_matter(duckdb_world: World) -> None:
    world = duckdb_world
    world.put(*people(1), columns=USERS)
    columns = {"USER_ID": "text", "Email": "text"}

    report = world.sync(
        seed_sql=export(world, ("u1", "u1@example.com"), columns=columns),
        fields={"points": {"name": "score", "null": "keep"}},
        exclude="city",
        newest_by="points",
        required="score",
    )

    assert ({"u1@example.com": {"score": 1}}, 1) == (world.sent_fields, report.changed)


def test_a_crash_before_anything_is_sent_keeps_the_seed(world: World) -> None:
    """The next run goes on from it, and says that it is not read again."""
    with_members(world, ("a", "VIP"), ("b", "VIP"))
    seed_sql = export(world, ("a", "VIP"), ("old", "VIP"))
    put(world, ("a", "VIP"), ("b", "vip"))
    with pytest.raises(ConfigError, match="are one field"):
        sync(world, seed_sql=seed_sql)
    put(world, ("a", "VIP"), ("b", "VIP"))

    report = sync(world, seed_sql=seed_sql)

    assert (1, 1, 1) == (report.unchanged, report.accepted, report.removed_accepted)
    assert {"vip": False} == {n: v for n, v in fields(world)["old"].items() if n == "vip"}


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        pytest.param({"user_id": "text"}, "seed_sql: .*audience", id="no key"),
        pytest.param(
            {"user_id": "text", "audience": "text", "name": "text"},
            "seed_sql(:| has columns).*name",
            id="unknown column",
        ),
    ],
)
def test_a_seed_that_does_not_fit_is_an_error(
    duckdb_world: World, columns: dict[str, str], words: str
) -> None:
    with_members(duckdb_world, ("a", "VIP"))
    seed_sql = export(duckdb_world, ("x",) * len(columns), columns=columns)

    with pytest.raises(ConfigError, match=words):
        sync(duckdb_world, seed_sql=seed_sql)

    assert 0 == duckdb_world.writes()


def test_a_column_of_another_type_is_an_error(duckdb_world: World) -> None:
    duckdb_world.put(*people(1), columns=USERS)
    columns = {"user_id": "text", "email": "text", "points": "text"}
    seed_sql = export(duckdb_world, ("u1", "u1@example.com", "1"), columns=columns)

    with pytest.raises(ConfigError, match="'points' is kept as text, and that of the model as big"):
        duckdb_world.sync(seed_sql=seed_sql)


def test_keys_that_come_twice_are_an_error_that_shows_them(world: World) -> None:
    with_members(world, ("a", "VIP"))
    seed_sql = export(world, ("a", "VIP"), ("a", "VIP"))

    with pytest.raises(DuplicateKeys, match=r"seed_sql: 1 keys come more than once[\s\S]*export"):
        sync(world, seed_sql=seed_sql)


def test_events_have_no_seed(duckdb_world: World) -> None:
    duckdb_world.put(*people(1), columns=USERS)

    with pytest.raises(ConfigError, match="seed_sql: not for events"):
        duckdb_world.sync(object="events", seed_sql="SELECT 1")
