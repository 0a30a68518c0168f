"""Who can be texted: counted on either engine, and nothing else is said or done."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from iterable_sync.errors import ConfigError, ModelError, SyncAborted
from iterable_sync.models import render
from iterable_sync.sms import SmsPreflight, check, preflight

if TYPE_CHECKING:
    from harness import World

COLUMNS = {"user_id": "text", "phone": "text", "country": "text", "sms_opt_in": "boolean"}
MODEL = render("models/sms_preflight.sql", as_of=datetime(2026, 1, 2, tzinfo=UTC))
CANARY = "canary 4158675309"
# Swiss numbers tell mobiles from landlines, and North American ones do not.
PEOPLE = [
    ("mobile", "+41 79 123 45 67", "CH", True),
    ("landline", "+41446681800", "CH", True),
    ("no", "+41791234567", "ch", False),
    ("american", "+14158675309", "US", True),
    ("without a country", "(415) 867-5309", "US", True),
    ("canary", CANARY, "US", True),
    ("blank", "  ", "US", True),
    ("none", None, None, True),
    ("nothing said", None, "Bern", None),
]


def with_people(world: World, *rows: tuple[Any, ...]) -> World:
    # The models of sql/ name their tables without a schema.
    world.put(*(rows or PEOPLE), columns=COLUMNS)
    return world


def look(world: World, sql: str | None = None, **how: Any) -> SmsPreflight:
    found = sql or MODEL.replace("FROM users", f"FROM {world.prefix}users")
    return preflight(found, source=world.source, **how)


@pytest.mark.capability("E41", "E27")
def test_people_who_can_be_texted_are_counted(world: World) -> None:
    """By hand: three of seven who opted in; the blank phone is none."""
    report = look(with_people(world))

    assert {
        "people": 9,
        "with_phone": 6,
        "valid": 4,
        "valid_mobile": 2,
        "valid_either": 1,
        "opted_in": 7,
        "reachable": 3,
        "not_reachable": 4,
    } == report.counts()
    assert (4 / 6, 3 / 7) == (report.valid_share, report.reachable_share)


@pytest.mark.capability("E41")
def test_countries_are_counted_by_their_letters(world: World) -> None:
    """What is no country may be anything, and is not shown."""
    report = look(with_people(world))

    assert {
        "CH": {"people": 3, "opted_in": 2, "reachable": 2},
        "US": {"people": 4, "opted_in": 4, "reachable": 1},
        "none": {"people": 1, "opted_in": 1, "reachable": 0},
        "other": {"people": 1, "opted_in": 0, "reachable": 0},
    } == {code: dict(of) for code, of in report.by_country.items()}


def test_phones_are_read_as_a_sync_with_that_region_reads_them(duckdb_world: World) -> None:
    report = look(with_people(duckdb_world), phone_region="US")

    assert (5, 4) == (report.valid, report.reachable)


def test_report_has_counts_and_shares_and_no_value(duckdb_world: World) -> None:
    """It goes to logs; the countries of most people come first."""
    lines = look(with_people(duckdb_world)).lines()

    assert [
        "9 people: 6 with a phone, 7 opted in",
        "phones: 4 valid (66.7% of those with one); 2 mobile, 1 mobile or landline, 1 neither",
        "opted in: 3 with a valid phone (42.9%), 4 without",
        "country US: 4 people, 4 opted in, 1 of them with a valid phone",
        "country CH: 3 people, 2 opted in, 2 of them with a valid phone",
    ] == lines[:5]
    assert not any(word in " ".join(lines).lower() for word in ("canary", "4158675309", "bern"))


def test_more_countries_than_ten_are_added_up(duckdb_world: World) -> None:
    codes = ["AT", "BE", "CH", "DE", "DK", "ES", "FI", "FR", "GB", "IT", "NL", "SE"]
    rows = [("u", "+41791234567", code, True) for code in codes]

    lines = look(with_people(duckdb_world, *rows)).lines()

    assert (3 + 10 + 1, "and 2 countries more") == (len(lines), lines[-1])


def test_query_may_be_without_countries_and_with_other_names(world: World) -> None:
    """That of an SMS event is as good."""
    with_people(world)
    sql = (
        "SELECT phone AS \"phoneNumber\", CASE WHEN sms_opt_in THEN 'true' ELSE 'no' END "
        f'AS "smsOptIn" FROM {world.prefix}users'
    )

    report = look(world, sql)

    assert (7, 3, {}) == (report.opted_in, report.reachable, report.by_country)


def test_of_nobody_all_is_zero(duckdb_world: World) -> None:
    world = with_people(duckdb_world)

    report = look(world, MODEL + " WHERE FALSE")

    assert {0} == set(report.counts().values())
    assert (0.0, 0.0) == (report.valid_share, report.reachable_share)


def test_nothing_is_written_anywhere(world: World) -> None:
    """Neither into the state, which is not even made, nor to Iterable."""
    look(with_people(world))

    with world.state.session() as session:
        assert [] == world.state.tables_of(session, "")
    assert 0 == world.writes()


def test_it_stops_when_it_is_told_to(duckdb_world: World) -> None:
    with pytest.raises(SyncAborted, match="told to stop"):
        look(with_people(duckdb_world), should_stop=lambda: True)


@pytest.mark.capability("E41")
@pytest.mark.parametrize(
    ("limits", "says"),
    [
        pytest.param((4 / 6, 3 / 7), None, id="as much as is asked for"),
        pytest.param((0, 0), None, id="nothing is asked for"),
        pytest.param(
            (0.67, 0), "4 of 6 phones are valid, 66.7%, less than min_valid=0.67", id="phones"
        ),
        pytest.param(
            (0, 0.43),
            "3 of 7 who opted in have a valid phone, 42.9%, less than min_reachable=0.43",
            id="opted in",
        ),
    ],
)
def test_shares_below_the_limit_abort(
    duckdb_world: World, limits: tuple[float, float], says: str | None
) -> None:
    """With the count, and what to do."""
    report = look(with_people(duckdb_world))

    if says is None:
        check(report, min_valid=limits[0], min_reachable=limits[1])
        return
    with pytest.raises(SyncAborted) as raised:
        check(report, min_valid=limits[0], min_reachable=limits[1])

    assert says in str(raised.value)
    assert "phone_region=" in str(raised.value)


def test_nobody_is_too_few_where_a_share_is_asked_for() -> None:
    """An empty table is no good news."""
    with pytest.raises(SyncAborted, match="0 of 0 phones are valid"):
        check(SmsPreflight(), min_valid=0.5, min_reachable=0.0)


@pytest.mark.parametrize(
    ("select", "error", "says"),
    [
        pytest.param(
            "phone", ConfigError, "no column 'sms_opt_in' or 'smsOptIn'; it has phone", id="opt-in"
        ),
        pytest.param(
            "sms_opt_in", ConfigError, "no column 'phone' or 'phone_number' or", id="phone"
        ),
        pytest.param("phone, 1 AS sms_opt_in", ConfigError, "cast it in the SQL", id="a number"),
        pytest.param("nothing", ModelError, "nothing", id="no such column"),
    ],
)
def test_query_that_cannot_be_counted_is_refused(
    world: World, select: str, error: type[Exception], says: str
) -> None:
    with pytest.raises(error) as raised:
        look(with_people(world), f"SELECT {select} FROM {world.prefix}users")

    assert says in str(raised.value)


def test_region_that_is_no_country_is_refused(duckdb_world: World) -> None:
    with pytest.raises(ConfigError, match="phone_region='XX' is no country"):
        look(with_people(duckdb_world), phone_region="XX")
