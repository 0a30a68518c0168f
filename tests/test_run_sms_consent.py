"""SMS events go to people with a phone and an opt-in, and to nobody else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from event_world import ago, arrived, numbers, put, spec, sync, with_events
from fakes import Clock
from iterable_sync.errors import ConfigError
from iterable_sync.rows import RunEnd

if TYPE_CHECKING:
    from harness import World
    from iterable_sync.rows import RunReport

COLUMNS = {
    "id": "bigint",
    "user_id": "text",
    "created_at": "timestamptz",
    "phone_number": "text",
    "sms_opt_in": "boolean",
}
PHONE = "+14158675309"


def text(
    number: int, phone: str | None = PHONE, opt_in: bool | None = True, *, days: float = 0
) -> tuple[Any, ...]:
    """Give an event that may become a text message."""
    return (number, f"u{number}", ago(days), phone, opt_in)


def with_texts(world: World, *rows: tuple[Any, ...]) -> World:
    with_events(world)
    put(world, *rows, columns=COLUMNS)
    return world


def run(world: World, **changes: Any) -> RunReport:
    return sync(world, **{"sms_consent": True} | changes)


def notes(report: RunReport) -> list[str]:
    return [note for note in report.notes if note.startswith("blocked")]


# What people are, and whether an SMS event may go to them: by hand, from numbering plans.
PEOPLE = [
    ("+14158675309", True, True),
    ("+1 (415) 867-5309", True, True),
    ("+41446681800", True, True),
    ("+14158675309", False, False),
    ("+14158675309", None, False),
    (None, True, False),
    (None, None, False),
    ("", True, False),
    ("  ", True, False),
    ("4158675309", True, False),
    ("+1415867530", True, False),
    ("+141586753091", True, False),
    ("+99912345678", True, False),
    ("+1415TAXIYES", True, False),
    ("+14158675309 ext. 5", True, False),
    (" +14158675309", True, False),
    ("call me", True, False),
    ("+1" + " " * 300 + "4158675309", True, False),
    ("0", False, False),
]


@pytest.mark.capability("E18", "E27", "E41")
def test_no_sms_event_goes_without_phone_and_opt_in(world: World) -> None:
    """Whatever the rows hold; each is in one count, and the counts by kind add up."""
    with_texts(world, *(text(n, phone, opt_in) for n, (phone, opt_in, _) in enumerate(PEOPLE)))

    report = run(world)

    assert [n for n, (_, _, may) in enumerate(PEOPLE) if may] == numbers(world)
    assert {PHONE, "+41446681800"} == {row["dataFields"]["phone_number"] for row in arrived(world)}
    assert {True} == {row["dataFields"]["sms_opt_in"] for row in arrived(world)}
    assert (19, 3, 16, 16, 0, 0) == (
        report.queried,
        report.accepted,
        report.blocked,
        report.skipped,
        report.rejected,
        report.ignored,
    )
    assert [
        "blocked 16 events, by sms_consent: 4 whose people have not opted in, 3 without a phone "
        "number, 9 with one that cannot be dialled"
    ] == notes(report)


def test_blocked_events_fail_no_run(duckdb_world: World) -> None:
    """However many there are: they are no bad data, and nothing remembers them as rejected."""
    world = with_texts(duckdb_world, *(text(n, "none", n % 2 == 0) for n in range(40)), text(99))

    report = run(world)

    assert (RunEnd.CLEAN, 1, 40) == (report.end, report.accepted, report.blocked)
    assert set() == world.rejections()
    assert 40 == report.counts()["blocked"]


@pytest.mark.parametrize(
    "before",
    [
        pytest.param((PHONE, False), id="opted in"),
        pytest.param((None, True), id="gave a number"),
        pytest.param(("+1415", True), id="corrected the number"),
    ],
)
def test_consent_that_comes_within_the_window_lets_the_event_go(
    world: World, before: tuple[str | None, bool]
) -> None:
    """Once; after that it is what was sent."""
    with_texts(world, text(1), text(2, *before, days=1))
    first = run(world)
    put(world, text(1), text(2, days=1), columns=COLUMNS)

    second = run(world)
    third = run(world)

    assert (1, 1) == (first.accepted, first.blocked)
    assert (1, 0) == (second.accepted, second.blocked)
    assert (0, 2, [1, 2]) == (third.requests, third.unchanged, numbers(world))


def test_consent_that_comes_after_the_window_is_too_late(duckdb_world: World) -> None:
    """Nobody gets a text about what was days ago."""
    world = with_texts(duckdb_world, text(1), text(2, opt_in=False, days=3))
    run(world)
    put(world, text(1), text(2, days=3), columns=COLUMNS)

    report = run(world)

    assert ([1], 0) == (numbers(world), report.blocked)


def test_consent_that_is_withdrawn_stops_what_is_on_its_way(duckdb_world: World) -> None:
    """An event that Iterable refused for now waits, and is not tried again."""
    world = with_texts(duckdb_world, text(1), text(2))
    world.change(disallowed_event_names=["Bought"])
    run(world)
    world.change(disallowed_event_names=[])
    put(world, text(1), text(2, opt_in=False), columns=COLUMNS)
    world.write("UPDATE {rejections} SET next_try_at = now() - INTERVAL '1 hour'")

    report = run(world)

    assert ([1], 1, 1) == (numbers(world), report.accepted, report.blocked)


def test_consent_that_is_withdrawn_stops_what_has_no_answer(duckdb_world: World) -> None:
    """Iterable may have it or not; it is not asked a second time."""
    world = with_texts(duckdb_world, text(1), text(2))
    world.answer_next(*[{"status": 500, "apply": False}] * 6, path="/api/events/trackBulk")
    clock = Clock()
    lost = run(world, options={"clock": clock, "sleep": clock.sleep})
    put(world, text(1), text(2, opt_in=False), columns=COLUMNS)

    report = run(world)

    assert 2 == lost.pending
    assert ([1], 1, 1) == (numbers(world), report.accepted, report.blocked)


def test_numbers_without_a_country_are_of_the_region(duckdb_world: World) -> None:
    world = with_texts(duckdb_world, text(1, "(415) 867-5309"), text(2, "044 668 18 00"))

    report = run(world, phone_region="US")

    assert {PHONE} == {row["dataFields"]["phone_number"] for row in arrived(world)}
    assert (1, 1) == (report.accepted, report.blocked)


def test_opt_in_may_be_a_text_and_the_phone_a_number(world: World) -> None:
    """For warehouses without booleans: nothing but true is a yes."""
    columns = COLUMNS | {"phone_number": "bigint", "sms_opt_in": "text"}
    rows = [(n, f"u{n}", ago(), 4158675309, says) for n, says in enumerate(("TRUE", "yes", "1"))]
    with_events(world)
    put(world, *rows, (3, "u3", ago(), 12, "true"), columns=columns)

    report = run(world, phone_region="US")

    assert [(PHONE, True)] == [
        (row["dataFields"]["phone_number"], row["dataFields"]["sms_opt_in"])
        for row in arrived(world)
    ]
    assert (1, 3) == (report.accepted, report.blocked)


def test_columns_may_be_in_camel_case(duckdb_world: World) -> None:
    world = with_texts(duckdb_world, text(1), text(2, opt_in=False))
    sql = (
        'SELECT id, user_id, created_at, phone_number AS "phoneNumber", sms_opt_in AS "smsOptIn" '
        "FROM events"
    )

    report = run(world, sql=sql)

    assert ([1], 1) == (numbers(world), report.blocked)


def test_events_that_are_left_out_by_name_are_not_counted_as_blocked(duckdb_world: World) -> None:
    """A row is in one count."""
    world = with_events(duckdb_world)
    named = [(*text(1), "Sent"), (*text(2, opt_in=False), "Sent"), (*text(3, None), "Left out")]
    put(world, *named, columns=COLUMNS | {"event_name": "text"})

    report = run(world, event_name=None, event_names={"Left out": None})

    assert (1, 1, 1, 2) == (report.accepted, report.blocked, report.ignored, report.skipped)


def test_a_dry_run_counts_what_would_be_blocked(world: World) -> None:
    with_texts(world, text(1), text(2, opt_in=False), text(3, "none"))

    report = run(world, dry_run=True)

    assert (1, 2, []) == (report.added, report.blocked, arrived(world))


def test_without_the_option_nothing_is_blocked(duckdb_world: World) -> None:
    """The columns alone mean nothing: most events are none of text messages."""
    world = with_texts(duckdb_world, text(1, None, opt_in=False))

    report = run(world, sms_consent=False)

    assert (1, 0) == (report.accepted, report.blocked)


@pytest.mark.parametrize(
    ("columns", "changes", "says"),
    [
        pytest.param(
            ("id", "user_id", "created_at", "phone_number"),
            {},
            "needs the columns 'phone_number' and 'sms_opt_in' (or 'phoneNumber' and 'smsOptIn'), "
            "and has no 'sms_opt_in'",
            id="no opt-in",
        ),
        pytest.param(
            ("id", "user_id", "created_at", "sms_opt_in"),
            {},
            "and has no 'phone_number'",
            id="no phone",
        ),
        pytest.param(
            (*COLUMNS,),
            {"exclude": "sms_opt_in"},
            "exclude: sms_consent needs the column 'sms_opt_in'",
            id="excluded",
        ),
        pytest.param(
            (*COLUMNS,),
            {"fields": {"PHONE_NUMBER": {"type": "string"}}},
            "'phone_number' is declared as string, and sms_consent needs it as phone",
            id="another type",
        ),
        pytest.param(
            ("id", "user_id", "created_at", "phone_number", "1 AS sms_opt_in"),
            {},
            "column 'sms_opt_in' is a",
            id="a number as opt-in",
        ),
    ],
)
def test_model_that_cannot_say_who_consents_is_refused(
    duckdb_world: World, columns: tuple[str, ...], changes: dict[str, Any], says: str
) -> None:
    """Before anything is sent; the message names both columns."""
    world = with_texts(duckdb_world, text(1))

    with pytest.raises(ConfigError) as raised:
        run(world, sql=world.sql(*columns, table="events"), **changes)

    assert says in str(raised.value)
    assert [] == arrived(world)


def test_consent_is_of_events_alone(duckdb_world: World) -> None:
    """Elsewhere it would be without effect, and somebody would rely on it."""
    made = spec(duckdb_world).model_dump(exclude_unset=True) | {
        "object": "users",
        "event_name": None,
        "sms_consent": True,
    }
    made.pop("event_name")

    with pytest.raises(ConfigError, match="sms_consent: not for users"):
        duckdb_world.sync(type(spec(duckdb_world))(**made))
