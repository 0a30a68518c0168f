"""Memberships as events of people: who entered, who left, and each of it once."""

from __future__ import annotations

import json
import random
import uuid
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from audience_world import events, put, with_members
from audience_world import sync as sync_any
from fakes import Clock
from iterable_facts import needs_facts, swagger
from iterable_swagger import Swagger
from iterable_sync.objects.audience_events import OBJECT
from iterable_sync.row_ids import NAMESPACE
from iterable_sync.rows import ProjectType, Rejection, RunEnd
from membership_rows import bodies, mapped, row

if TYPE_CHECKING:
    from harness import World
    from iterable_sync.rows import RunReport

BULK = "/api/events/trackBulk"
NOW = datetime(2026, 3, 1, tzinfo=UTC)
AT = "2024-11-25 13:37:19.5+00:00"
AT_S = 1732541839


def sync(world: World, **changes: Any) -> RunReport:
    return sync_any(world, object="audience_events", **changes)


def id_of(*parts: str) -> str:
    """Give the id as it is documented: each part with its length, below one namespace."""
    named = "".join(f"{len(part.encode())}:{part}" for part in ("1.us", "shop", *parts))
    return str(uuid.uuid5(NAMESPACE, named))


# -- one row, one event -------------------------------------------------------------------------


def test_entry_and_exit_are_events_with_name_and_key_of_the_audience() -> None:
    block, rejections = mapped(
        OBJECT, row("a", "Big Spenders"), row("b", "VIP", "removed", _episode=3), at_s=1_700_000_000
    )

    assert [
        {
            "userId": "a",
            "eventName": "Audience Entered",
            "id": id_of("Big Spenders", "a", "1", "Audience Entered"),
            "createdAt": 1_700_000_000,
            "dataFields": {"audience_name": "Big Spenders", "audience_key": "big_spenders"},
            "createNewFields": True,
        },
        {
            "userId": "b",
            "eventName": "Audience Exited",
            "id": id_of("VIP", "b", "3", "Audience Exited"),
            "createdAt": 1_700_000_000,
            "dataFields": {"audience_name": "VIP", "audience_key": "vip"},
            "createNewFields": True,
        },
    ] == bodies(block)
    assert [] == rejections


def test_entry_has_the_time_of_the_model_and_exit_that_of_the_run() -> None:
    block, _ = mapped(
        OBJECT,
        row("a", "A", entered_at=AT),
        row("a", "B"),
        row("a", "C", "removed", entered_at=AT),
        at_s=5,
    )

    assert [AT_S, 5, 5] == [body["createdAt"] for body in bodies(block)]


def test_bad_time_rejects_the_membership() -> None:
    _, rejections = mapped(OBJECT, row("a", "A", entered_at="infinity"))

    assert [Rejection(10, "invalid_datetime")] == rejections


def test_other_columns_are_data_fields_of_the_entry() -> None:
    block, _ = mapped(OBJECT, row("a", "A", score=7), row("b", "A", "removed", score=7))

    assert [7, None] == [body["dataFields"].get("score") for body in bodies(block)]


def test_audience_without_a_name_is_rejected() -> None:
    block, rejections = mapped(OBJECT, row("a", " "), row("a", "VIP"))

    assert [11] == [payload.seq for payload in block]
    assert [Rejection(10, "missing_audience")] == rejections


@pytest.mark.parametrize("other", [{"audience": "B"}, {"who": "b"}, {"_episode": 2}], ids=str)
def test_ids_differ_by_person_audience_and_episode(other: dict[str, Any]) -> None:
    told: dict[str, Any] = {"who": "a", "audience": "A"}

    block, _ = mapped(OBJECT, row(**told), row(**told | other), row(**told, op="removed"))

    assert 3 == len({body["id"] for body in bodies(block)})


@needs_facts
def test_body_is_what_iterables_document_asks_for() -> None:
    block, _ = mapped(OBJECT, row("a", "A"), row("a", "B", "removed"), at_s=1)

    body = json.loads(OBJECT.body([p.body for p in block], create_new_fields=False))

    assert [] == Swagger(swagger()).request_problems("post", BULK, body)


# -- with the engine ----------------------------------------------------------------------------


@pytest.mark.capability("C19", "C20")
def test_first_sync_sends_entries_and_later_ones_what_changed(world: World) -> None:
    """Capabilities C19 and C20, as events."""
    with_members(world, ("a", "VIP"), ("b", "VIP"))
    first = sync(world, as_of=NOW)
    put(world, ("b", "VIP"), ("c", "VIP"))

    second = sync(world, as_of=NOW + timedelta(days=1))

    assert (2, 1, 1) == (first.accepted, second.accepted, second.removed_accepted)
    assert {
        ("a", "VIP", "Entered", "2026-03-01 00:00:00 +00:00"),
        ("b", "VIP", "Entered", "2026-03-01 00:00:00 +00:00"),
        ("a", "VIP", "Exited", "2026-03-02 00:00:00 +00:00"),
        ("c", "VIP", "Entered", "2026-03-02 00:00:00 +00:00"),
    } == set(events(world))
    assert 0 == sync(world, as_of=NOW + timedelta(days=1)).requests


@pytest.mark.capability("C21")
def test_who_comes_back_enters_anew(world: World) -> None:
    """Capability C21: each episode has its own two events."""
    with_members(world)
    for day, rows in enumerate([[("a", "VIP")], [], [("a", "VIP")], [], [("a", "VIP")]]):
        put(world, *rows, ("b", "VIP"))
        sync(world, as_of=NOW + timedelta(days=day))

    found = [(direction, at[:10]) for who, _, direction, at in events(world) if who == "a"]

    assert [
        ("Entered", "2026-03-01"),
        ("Exited", "2026-03-02"),
        ("Entered", "2026-03-03"),
        ("Exited", "2026-03-04"),
        ("Entered", "2026-03-05"),
    ] == sorted(found, key=lambda one: one[1])


def test_ignored_exits_send_nothing_and_end_the_episode(world: World) -> None:
    with_members(world)
    for day, rows in enumerate([[("a", "VIP")], [], [("a", "VIP")]]):
        put(world, *rows, ("b", "VIP"))
        sync(world, as_of=NOW + timedelta(days=day), on_remove="ignore")

    found = [(direction, at[:10]) for who, _, direction, at in events(world) if who == "a"]

    assert [("Entered", "2026-03-01"), ("Entered", "2026-03-03")] == sorted(found)


def test_events_of_a_person_are_sent_in_the_order_of_their_times(world: World) -> None:
    columns = {"user_id": "text", "audience": "text", "created_at": "timestamptz"}
    days = [5, 2, 9, 1, 7]
    with_members(world)
    rows = [("a", f"A{n}", f"2026-01-0{day} 00:00:00+00") for n, day in enumerate(days)]
    put(world, *rows, ("b", "A0", "2026-01-03 00:00:00+00"), columns=columns)

    sync(world, batch_rows=2)

    assert world.client is not None
    sent = [row for body in world.client.bodies for row in body["events"] if row["userId"] == "a"]
    assert sorted(days) == [datetime.fromtimestamp(one["createdAt"], UTC).day for one in sent]


def test_a_changed_time_is_the_same_entry(world: World) -> None:
    """Iterable updates the event that it has."""
    columns = {"user_id": "text", "audience": "text", "created_at": "timestamptz"}
    with_members(world)
    for day in (1, 2):
        put(world, ("a", "VIP", f"2026-01-0{day} 00:00:00+00"), columns=columns)
        sync(world)

    assert [("a", "VIP", "Entered", "2026-01-02 00:00:00 +00:00")] == events(world)


def test_days_of_audiences_are_told_as_they_were(world: World) -> None:
    """Worked out from the rows alone: one event each time that somebody came or left."""
    rng = random.Random(11)  # noqa: S311 - test data
    with_members(world)
    inside: set[tuple[str, str]] = set()
    expected = set()
    for day in range(5):
        now = {(f"u{n}", name) for n in range(12) for name in ("VIP", "New") if rng.random() < 0.5}
        at = NOW + timedelta(days=day)
        expected |= {(*one, "Entered", f"{at:%Y-%m-%d} 00:00:00 +00:00") for one in now - inside}
        expected |= {(*one, "Exited", f"{at:%Y-%m-%d} 00:00:00 +00:00") for one in inside - now}
        inside = now
        put(world, *sorted(now))

        report = sync(world, as_of=at, batch_rows=5)

        assert RunEnd.CLEAN is report.end
    found = events(world)
    assert (expected, len(expected)) == (set(found), len(found))


@pytest.mark.parametrize("kind", list(ProjectType))
def test_in_every_kind_of_project_people_are_found(duckdb_world: World, kind: ProjectType) -> None:
    columns = {"user_id": "text", "email": "text", "audience": "text"}
    with_members(duckdb_world, project=kind)
    put(duckdb_world, ("a", "a@example.com", "VIP"), columns=columns)
    # An event does not make its person.
    duckdb_world.sync(sync="people", sql=duckdb_world.sql("user_id", "email", table="memberships"))

    sync(duckdb_world)

    assert duckdb_world.client is not None
    ((event,),) = [body["events"] for body in duckdb_world.client.bodies]
    by_email = kind is ProjectType.EMAIL
    assert ("a@example.com" if by_email else "a") == event["email" if by_email else "userId"]
    assert not {"email", "userId"} <= event.keys()


def test_both_styles_live_side_by_side(world: World) -> None:
    """Events own no field."""
    with_members(world, ("a", "VIP"))

    reports = [sync_any(world, sync="fields"), sync(world, sync="events")]

    assert [1, 1] == [report.accepted for report in reports]


def test_a_lost_answer_of_an_exit_is_not_the_end_of_the_next_episode(world: World) -> None:
    """Whether the exit arrived or not, who came back has entered after it."""
    with_members(world, ("a", "VIP"), ("b", "VIP"))
    sync(world, as_of=NOW)
    by_day: dict[str, list[str]] = defaultdict(list)
    put(world, ("b", "VIP"))
    world.answer_next(*[{"status": 500, "apply": True}] * 6, path=BULK)
    clock = Clock()
    patience = {"clock": clock, "sleep": clock.sleep}
    lost = sync(world, as_of=NOW + timedelta(days=1), options=patience)
    put(world, ("a", "VIP"), ("b", "VIP"))

    back = sync(world, as_of=NOW + timedelta(days=2))

    for who, _, direction, at in events(world):
        if who == "a":
            by_day[at[:10]].append(direction)
    assert (1, 1) == (lost.removed_pending, back.accepted)
    assert {
        "2026-03-01": ["Entered"],
        "2026-03-02": ["Exited"],
        "2026-03-03": ["Entered"],
    } == by_day
