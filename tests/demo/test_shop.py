"""What the demo shop promises: the same rows anywhere, and days that move on as said."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import duckdb
import jinja2
import psycopg
import pytest

import shop
from demo.shop_rows import EMAIL_CHANGES, GDPR_REQUESTS, USERS, Row, digest, rows, users_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def postgres(postgres_db: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(postgres_db) as connection:
        yield connection


def is_bad(user: Row) -> bool:
    return "bad_" in (user["user_id"] or "bad_")


def test_rows_are_the_same_on_duckdb_and_postgres(
    duck: duckdb.DuckDBPyConnection, postgres: psycopg.Connection
):
    for day in (1, 2, 3):
        counts = shop.create_shop(duck, "duckdb", 2000, day)

        assert counts == shop.create_shop(postgres, "postgres", 2000, day)
        assert digest(duck) == digest(postgres)


def test_column_types_are_the_same_on_duckdb_and_postgres(
    duck: duckdb.DuckDBPyConnection, postgres: psycopg.Connection
):
    shop.create_shop(duck, "duckdb", 200, 1)
    shop.create_shop(postgres, "postgres", 200, 1)
    spelled = {
        "VARCHAR": "text",
        "VARCHAR[]": "text[]",
        "DECIMAL(12,2)": "numeric(12,2)",
        "DOUBLE": "double precision",
    }
    of_duckdb = {
        name: spelled.get(kind, kind.lower())
        for table in shop.TABLES
        for name, kind, *_ in duck.execute(f"DESCRIBE {table}").fetchall()
    }
    of_postgres = dict(
        postgres.execute(
            "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute"
            " JOIN pg_class c ON c.oid = attrelid WHERE relname = ANY(%s) AND attnum > 0",
            (list(shop.TABLES),),
        ).fetchall()
    )

    assert of_duckdb == of_postgres
    assert of_postgres["signed_up_at"] == "timestamp with time zone"


def test_shop_is_made_anew_from_any_day_with_the_same_rows(duck: duckdb.DuckDBPyConnection):
    """Neither the days before nor the tables that are replaced leave a trace."""
    shop.create_shop(duck, "duckdb", 500, 3)
    directly = digest(duck)
    for day in (1, 2, 3):
        shop.create_shop(duck, "duckdb", 500, day)

    assert directly == digest(duck)


@pytest.mark.parametrize(
    ("users", "expected"),
    [
        pytest.param(200, {"changed": 4, "new": 2, "gone": 1, "emails": 3}, id="the smallest shop"),
        pytest.param(2_000, {"changed": 40, "new": 20, "gone": 2, "emails": 3}, id="2,000"),
        pytest.param(20_000, {"changed": 400, "new": 200, "gone": 20, "emails": 10}, id="20,000"),
    ],
)
@pytest.mark.parametrize("day", [2, 3])
def test_a_day_changes_2_per_cent_adds_1_and_loses_a_thousandth(
    duck: duckdb.DuckDBPyConnection, day: int, users: int, expected: dict[str, int]
):
    before = users_of(duck, users=users, day=day - 1)
    after = users_of(duck, users=users, day=day)
    both = before.keys() & after.keys()
    differing = {key for key in both if before[key] != after[key]}
    with_new_email = {key for key in both if before[key]["email"] != after[key]["email"]}

    assert expected == {
        "changed": len(differing - with_new_email),
        "new": len([key for key in after.keys() - both if not is_bad(after[key])]),
        "gone": len(before.keys() - both),
        "emails": len(with_new_email),
    }


def test_a_change_touches_one_field_or_a_few(duck: duckdb.DuckDBPyConnection):
    before = users_of(duck, users=20_000, day=1)
    after = users_of(duck, users=20_000, day=2)
    touched = {
        frozenset(name for name in after[key] if before[key][name] != after[key][name])
        for key in before.keys() & after.keys()
    } - {frozenset()}
    orders = {"order_count", "lifetime_value", "loyalty_points", "last_order_at"}
    may_follow = {"average_order_value", "is_vip"}

    assert {frozenset()} == {fields & {"user_id", "signed_up_at"} for fields in touched}
    assert {"updated_at"} == frozenset.intersection(*touched)
    alone = {fields - {"updated_at"} - may_follow for fields in touched}
    assert {
        frozenset({"email"}),
        frozenset({"email_opt_in"}),
        frozenset({"sms_opt_in"}),
        frozenset({"plan"}),
        frozenset({"last_name"}),
        frozenset({"score"}),
        frozenset({"score", "favourite_categories"}),
        frozenset({"city", "address"}),
        frozenset({"city", "address", "time_zone"}),
        frozenset({"city", "address", "time_zone", "country"}),
        frozenset(orders),
    } == alone | {frozenset({"city", "address"})}


def test_consent_flaps_back_and_forth(duck: duckdb.DuckDBPyConnection):
    """On days 1, 2, 3 and 4 the flags of the same people read A, B, A, B."""
    days = [users_of(duck, users=2000, day=day) for day in (1, 2, 3, 4)]
    kept = set.intersection(*(set(day) for day in days))
    flags = {key: tuple(day[key]["email_opt_in"] for day in days) for key in kept}
    flapping = {key for key, (a, b, c, d) in flags.items() if a != b and a == c and b == d}

    assert len(flapping) == 10
    assert flapping == {key for key, values in flags.items() if len(set(values)) > 1}
    assert {True, False} == {flags[key][0] for key in flapping}


def test_bad_rows_are_there_from_day_2_whatever_the_size(duck: duckdb.DuckDBPyConnection):
    """Exactly one row of each named kind; none on day 1."""
    assert not [user for user in users_of(duck, users=2000, day=1).values() if is_bad(user)]
    for users, day in ((200, 2), (2000, 2), (2000, 3)):
        everyone = users_of(duck, users=users, day=day)
        bad = [user for user in everyone.values() if is_bad(user)]
        name = re.compile(r"bad_(" + "|".join(shop.BAD_KINDS) + r")")
        named = [name.match(user["user_id"] or user["email"]) for user in bad]
        by_kind = {match[1]: user for match, user in zip(named, bad, strict=True) if match}

        assert sorted(shop.BAD_KINDS) == sorted(by_kind)
        assert len(shop.BAD_KINDS) == len(bad)
        assert by_kind["key_null"]["user_id"] is None
        assert len(by_kind["user_id_too_long"]["user_id"]) > 52
        assert not by_kind["user_id_not_ascii"]["user_id"].isascii()
        assert "@" not in by_kind["email_invalid"]["email"]
        assert by_kind["email_unknown_domain"]["email"].endswith(".invalid")
        assert by_kind["score_infinite"]["score"] == float("inf")
        taken = everyone["u0000002"]["email"]
        other = by_kind["email_of_another_user"]["email"]
        assert taken.lower() == other.lower()
        assert taken != other


def test_bad_rows_stay_as_they_are(duck: duckdb.DuckDBPyConnection):
    """So that the days after show them as still rejected, not as changed."""
    second = users_of(duck, users=2000, day=2)
    fourth = users_of(duck, users=2000, day=4)
    bad = [key for key, user in second.items() if is_bad(user)]

    assert [second[key] for key in bad] == [fourth[key] for key in bad]


def test_identities_of_honest_users_are_unique_after_folding(duck: duckdb.DuckDBPyConnection):
    for day in (1, 5):
        honest = [u for u in users_of(duck, users=5000, day=day).values() if not is_bad(u)]

        assert len(honest) == len({user["email"].lower() for user in honest})
        assert len(honest) == len({user["user_id"] for user in honest})
        assert all(re.fullmatch(r"u\d{7}", user["user_id"]) for user in honest)
        assert all(
            re.fullmatch(r"[A-Za-z.+\-]+\d+(\+shop)?@[\w.]*example\.(com|org|net)", email.lower())
            for user in honest
            if (email := user["email"])
        )


def test_who_has_left_stays_away(duck: duckdb.DuckDBPyConnection):
    days = [users_of(duck, users=2000, day=day).keys() for day in range(1, 8)]
    left = [before - after for before, after in itertools.pairwise(days)]

    assert [len(keys) for keys in left] == [2] * 6
    assert all(not (left[0] & later) for later in days[2:])


def test_email_changes_tell_every_email_that_was(duck: duckdb.DuckDBPyConnection):
    """From day to day, also where one person changes twice: old, new and who."""
    previous = users_of(duck, users=200, day=1)
    told: list[Row] = []
    for day in range(2, 13):
        today = users_of(duck, users=200, day=day)
        changes = rows(duck, EMAIL_CHANGES)
        of_today = changes[len(told) :]

        assert told == changes[: len(told)]
        assert {
            (key, previous[key]["email"], user["email"])
            for key, user in today.items()
            if key in previous and user["email"] != previous[key]["email"]
        } == {(c["user_id"], c["old_email"], c["new_email"]) for c in of_today}
        assert {f"2026-01-{day:02}"} == {c["changed_at"][:10] for c in of_today}
        previous, told = today, changes
    assert len(told) > len({change["user_id"] for change in told})


def test_requests_of_people_stay_and_are_of_both_kinds(duck: duckdb.DuckDBPyConnection):
    """Who is deleted has left the shop, who is forgotten is still in it; and some come back."""
    told: list[Row] = []
    for day in range(2, 16):
        users = users_of(duck, users=2000, day=day)
        requests = rows(duck, GDPR_REQUESTS)
        known = {(r["request_id"], r["user_id"], r["action"], r["requested_at"]) for r in requests}

        assert known >= {
            (r["request_id"], r["user_id"], r["action"], r["requested_at"]) for r in told
        }
        assert len(known) == len({r["request_id"] for r in requests})
        of_today = [r for r in requests if r["requested_at"].startswith(f"2026-01-{day:02}")]
        assert len(of_today) == len(requests) - len(told)
        for request in of_today:
            assert (request["action"] == "delete") is (request["user_id"] not in users)
        told = requests

    count = Counter(request["action"] for request in told)
    assert count["delete"] == 28
    assert 0 < count["unforget"] < count["forget"]


def test_people_are_as_various_as_real_ones(duck: duckdb.DuckDBPyConnection):
    users = list(users_of(duck, users=10_000, day=1).values())

    def share(is_so: Any) -> float:
        return sum(1 for user in users if is_so(user)) / len(users)

    assert 0.14 < share(lambda u: u["phone"] is None) < 0.16
    assert 0.08 < share(lambda u: "+" in u["email"]) < 0.12
    assert share(lambda u: u["email"].split("@")[0] != u["email"].split("@")[0].lower()) > 0.08
    assert share(lambda u: not u["first_name"].isascii()) > 0.5
    assert 0.01 < share(lambda u: "🌻" in u["first_name"]) < 0.04
    assert 0.01 < share(lambda u: "\u200d" in u["first_name"]) < 0.04
    assert share(lambda u: "'" in u["last_name"]) > 0.05
    assert 0.15 < share(lambda u: u["last_order_at"] is None) < 0.25
    assert 0.65 < share(lambda u: u["email_opt_in"]) < 0.75
    assert 0.2 < share(lambda u: u["favourite_categories"] == "") < 0.3
    assert 0.05 < share(lambda u: u["is_vip"]) < 0.25
    assert len({user["city"] for user in users}) == 12
    assert all(re.fullmatch(r"\+[1-9]\d{9,14}", u["phone"]) for u in users if u["phone"])
    assert all(
        u["signed_up_at"] < (u["last_order_at"] or "9") < "2026" or not u["last_order_at"]
        for u in users
    )


def test_files_render_in_jinja_as_by_plain_replacement():
    """Airflow renders them with params; the loader needs no Jinja."""
    for file in shop.TABLES.values():
        template = (shop.SQL_ROOT / file).read_text(encoding="utf-8")
        rendered = jinja2.Template(template).render(params={"users": 2000, "day": 3})

        assert rendered.strip() == shop.render(file, users=2000, day=3).strip()
        assert "{{" not in rendered


@pytest.mark.parametrize(
    ("engine", "users", "day", "words"),
    [
        pytest.param("mysql", 2000, 1, "unknown engine 'mysql'", id="engine"),
        pytest.param("duckdb", 199, 1, "200 to", id="too few"),
        pytest.param("duckdb", 1_000_000_001, 1, "200 to", id="too many"),
        pytest.param("duckdb", 200, 0, "day 0 is before the first", id="day 0"),
    ],
)
def test_a_shop_that_cannot_be_is_refused(
    duck: duckdb.DuckDBPyConnection, engine: str, users: int, day: int, words: str
):
    with pytest.raises(ValueError, match=words):
        shop.create_shop(duck, engine, users, day)

    assert not duck.execute("SHOW TABLES").fetchall()


def test_tables_stay_as_they_were_when_a_file_fails(
    duck: duckdb.DuckDBPyConnection,
    postgres: psycopg.Connection,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    for connection, engine in ((duck, "duckdb"), (postgres, "postgres")):
        shop.create_shop(connection, engine, 200, 1)
    for file in shop.TABLES.values():
        (tmp_path / file).write_text(shop.render(file, users=300, day=2), encoding="utf-8")
    (tmp_path / "email_changes.sql").write_text("SELECT nothing FROM nowhere", encoding="utf-8")
    monkeypatch.setattr(shop, "SQL_ROOT", tmp_path)

    for connection, engine in ((duck, "duckdb"), (postgres, "postgres")):
        with pytest.raises((duckdb.Error, psycopg.Error)):
            shop.create_shop(connection, engine, 300, 2)

        assert len(rows(connection, USERS)) == 200


def test_command_fills_a_file_and_says_what_is_in_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    path = tmp_path / "shop.duckdb"

    shop.main(["--path", str(path), "--users", "200", "--day", "2"])

    assert "day 2: shop_diary 8, users 208, email_changes 3" in capsys.readouterr().out
    with duckdb.connect(path, read_only=True) as connection:
        assert len(rows(connection, USERS)) == 208


def test_command_fills_postgres(postgres_db: str, capsys: pytest.CaptureFixture[str]):
    shop.main(["--postgres", postgres_db, "--users", "200"])

    assert "day 1: shop_diary 0, users 200, email_changes 0" in capsys.readouterr().out
    with psycopg.connect(postgres_db) as connection:
        assert len(rows(connection, USERS)) == 200
