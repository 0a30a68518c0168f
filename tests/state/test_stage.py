"""What becomes of rows that cannot be synced, before anything is planned; in all four ways."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness import people
from iterable_sync.errors import DuplicateKeys
from iterable_sync.rows import ProjectType
from state.ways import query

if TYPE_CHECKING:
    from harness import World

NUMBERED = {"User Id": "bigint", "email": "text", "city": "text"}


@pytest.mark.failure("D7")
def test_duplicate_keys_stop_the_run_before_anything_is_sent_and_the_error_shows_them(way: World):
    way.put((1, "a@b.cc", "x"), (1, "b@b.cc", "x"), (2, "c@b.cc", "y"), columns=NUMBERED)
    sql = f'SELECT "User Id" AS userId, email, city FROM {way.prefix}users -- all of them'

    with pytest.raises(DuplicateKeys, match=r"^1 keys come more than once") as stopped:
        way.sync(sql=sql, key="userId")

    shown = str(stopped.value).partition("This shows them:\n")[2]
    assert [("1", 2)] == [(str(key), copies) for key, copies in query(way, shown)]
    assert 0 == way.writes()
    assert {} == way.users()


def test_rows_with_a_null_key_are_rejected_and_the_others_go_on(way: World):
    way.put((1, "a@b.cc", "x"), (None, "b@b.cc", "x"), (None, None, None), columns=NUMBERED)

    report = way.sync(key="User Id", fields={"User Id": {"name": "number"}})

    assert {"missing_key": 2} == report.rejected_by_reason
    assert {"a@b.cc"} == way.users().keys()
    assert 3 == report.queried


@pytest.mark.failure("D14")
def test_a_composite_key_tells_apart_what_a_joined_text_would_not(way: World):
    columns = {"shop": "text", "number": "text", "email": "text", "city": "text"}
    keys = [
        ("a", "b,c"),
        ("a,b", "c"),
        ('a","b', "c"),
        ("", "x"),
        ("x", ""),
        ("\\", '"'),
        ("é", "👩"),
    ]
    rows = [(*key, f"u{i}@b.cc", "x") for i, key in enumerate(keys)]
    way.put(*rows, columns=columns)
    way.sync(key=["shop", "number"])

    way.put(*rows[1:3], (*keys[3], "u3@b.cc", "new"), *rows[4:])
    report = way.sync(key=["shop", "number"])

    assert (1, 1, 5) == (report.removed, report.changed, report.unchanged)
    assert {"u3@b.cc": {"city": "new"}} == way.sent_fields


def test_a_composite_key_of_which_a_part_is_null_is_no_key(way: World):
    columns = {"shop": "text", "number": "bigint", "email": "text"}
    way.put(("a", 1, "a@b.cc"), ("a", None, "b@b.cc"), (None, 1, "c@b.cc"), columns=columns)

    report = way.sync(key=["shop", "number"])

    assert {"missing_key": 2} == report.rejected_by_reason
    assert {"a@b.cc"} == way.users().keys()


@pytest.mark.failure("D7", "D9")
def test_rows_that_share_an_identity_are_all_rejected(way: World):
    way.put(
        ("u1", "ana@b.cc", "x", 1),
        ("u2", " Ana@B.cc ", "y", 2),
        ("u3", "bo@b.cc", "z", 3),
        ("u4", None, "z", 4),
        ("u5", "  ", "z", 5),
    )

    report = way.sync()

    assert {"duplicate_identity": 2, "missing_identifier": 2} == report.rejected_by_reason
    assert {"bo@b.cc"} == way.users().keys()


@pytest.mark.failure("D7")
@pytest.mark.parametrize(
    ("kind", "old", "new"),
    [
        pytest.param("bigint", 9, 10, id="number"),
        pytest.param("timestamptz", "2024-01-02 00:30:00+02", "2024-01-01 23:00:00+00", id="time"),
        pytest.param("numeric(20,2)", 9.5, 10.5, id="decimal"),
        pytest.param("text", "a", "á", id="text"),
    ],
)
def test_of_rows_that_share_an_identity_the_newest_is_sent(
    copied_way: World, kind: str, old: object, new: object
):
    columns = {"user_id": "text", "email": "text", "city": "text", "loaded": kind}
    copied_way.put(
        ("u1", "ana@b.cc", "old", old),
        ("u2", "ANA@b.cc", "new", new),
        ("u3", "ana@b.cc", "never", None),
        columns=columns,
    )

    report = copied_way.sync(newest_by="loaded", exclude=["loaded"])

    assert {"duplicate_identity": 2} == report.rejected_by_reason
    assert "new" == copied_way.users()["ana@b.cc"]["city"]


@pytest.mark.failure("D7")
def test_where_two_rows_of_an_identity_are_newest_nothing_decides(way: World):
    way.put(
        ("u1", "ana@b.cc", "x", 2),
        ("u2", "ana@b.cc", "y", 2),
        ("u3", "ana@b.cc", "z", 1),
        ("u4", "bo@b.cc", "one", 7),
        ("u5", "bo@b.cc", "two", 8),
    )

    report = way.sync(newest_by="points")

    assert {"duplicate_identity": 4} == report.rejected_by_reason
    assert "two" == way.users()["bo@b.cc"]["city"]
    assert {"bo@b.cc"} == way.users().keys()


def test_a_row_waits_where_a_column_of_policy_skip_is_null(way: World):
    skip = {"fields": {"city": {"null": "skip"}}}
    way.put(*people(1, 2))
    way.sync(**skip)

    way.put(("u1", "u1@example.com", None, 5), ("u2", "u2@example.com", "Rom", 5))
    report = way.sync(**skip)

    assert (1, 1) == (report.skipped, report.accepted)
    assert ("Bern", 1) == way.acknowledged("city", "points")["u1"]
    assert ("Rom", 5) == way.acknowledged("city", "points")["u2"]


@pytest.mark.failure("D5")
def test_a_nul_character_costs_its_row_where_the_state_cannot_hold_it(
    duckdb_world: World, postgres_state: object
):
    """And its key does not look removed."""
    world = duckdb_world
    world.state = postgres_state  # type: ignore[assignment]
    world.put(*people(1, 2, 3))
    world.sync()

    world.execute("UPDATE users SET city = 'a' || chr(0) || 'b' WHERE user_id = 'u1'")
    world.execute("UPDATE users SET user_id = 'u' || chr(0) || '2' WHERE user_id = 'u2'")
    report = world.sync()

    assert {"nul_character": 2} == report.rejected_by_reason
    assert (3, 1, 1) == (report.queried, report.unchanged, report.removed)
    assert ("u1", "", "nul_character") in world.rejections()
    assert {"u1", "u3"} == world.acknowledged("city").keys()


@pytest.mark.failure("D5")
def test_a_nul_character_costs_its_field_where_the_state_can_hold_it(duckdb_world: World):
    duckdb_world.put(*people(1, 2))
    duckdb_world.execute("UPDATE users SET city = 'a' || chr(0) || 'b' WHERE user_id = 'u1'")

    report = duckdb_world.sync()

    assert (2, 1) == (report.accepted, report.fields_rejected)
    assert ("u1", "city", "nul_character") in duckdb_world.rejections()


@pytest.mark.parametrize("kind", [ProjectType.USER_ID, ProjectType.HYBRID])
def test_a_number_identifies_as_its_digits(way: World, kind: ProjectType):
    way.with_project(kind)
    columns = {"user_id": "bigint", "email": "text", "city": "text"}
    way.put((9007199254740993, "a@b.cc", "x"), columns=columns)

    way.sync()

    assert ["9007199254740993"] == [user["userId"] for user in way.sent]


def test_a_key_that_postgres_cannot_index_costs_its_row(postgres_world: World):
    key = "".join(map(chr, range(0x4E00, 0x4E00 + 1000)))  # 3,000 bytes that do not compress
    postgres_world.put((key, "a@b.cc", "x", 1), *people(1))

    report = postgres_world.sync()

    assert {"too_long": 1} == report.rejected_by_reason
    assert {"u1@example.com"} == postgres_world.users().keys()


@pytest.mark.parametrize(
    "again",
    [
        pytest.param(("u1", "u1@example.com", "Bern", 5), id="of an unchanged row"),
        pytest.param(("u2", "u2@example.com", "Bern", 7), id="of a changed row"),
        pytest.param(("u1", "u1@example.com", "Bern", 8), id="unchanged, and changed"),
        pytest.param(("u3", "u3@example.com", "Bern", 5), id="of a new row"),
        pytest.param(("u4", "u4@example.com", "Bern", 5), id="of a row that was gone"),
    ],
)
def test_a_key_that_comes_twice_is_seen_whatever_the_snapshot_knows_of_it(
    way: World, again: tuple[object, ...]
):
    """Also where as many keys left: the numbers of rows are the same then."""
    way.put(*people(1, 2, 4, 5))
    way.sync(on_remove="clear")
    way.put(*people(1, 2, 5))
    way.sync(on_remove="clear")
    sent = way.writes()

    rows = [*people(1, 3, 4), ("u2", "u2@example.com", "Bern", 7)]
    way.put(*rows, again)

    with pytest.raises(DuplicateKeys, match=r"^1 keys come more than once"):
        way.sync(on_remove="clear")
    assert sent == way.writes()

    way.put(*rows)
    report = way.sync(on_remove="clear")

    assert (2, 1, 1, 1) == (report.added, report.changed, report.removed, report.unchanged)
