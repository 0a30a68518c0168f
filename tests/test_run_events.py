"""Events from the warehouse into Iterable: each of them once, each person's in their order."""

from __future__ import annotations

import json
import threading
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from crashes import Crash, CrashingState, crash, killed
from event_rows import COLUMNS as MAPPED
from event_rows import frame, row
from event_world import (
    NOW,
    ago,
    arrived,
    event,
    numbers,
    put,
    sent,
    spec,
    sync,
    with_events,
)
from fakes import Clock
from harness import Client
from iterable_sync import push
from iterable_sync.errors import ConfigError
from iterable_sync.objects.events import OBJECT
from iterable_sync.rows import ProjectType, RunEnd
from iterable_sync.sync_object import MapContext
from tiers import one_in

if TYPE_CHECKING:
    from harness import World
    from iterable_sync.client import Answer

PATH = "/api/events/trackBulk"
FIELDS = "/api/users/getFields"


# -- what arrives ---------------------------------------------------------------------------------


@pytest.mark.capability("A8")
def test_an_event_arrives_with_its_name_time_and_fields(world: World) -> None:
    with_events(world, event(1, 2, who="ann", total=5))

    sync(world)

    (found,) = arrived(world)
    assert {"id": 1, "total": 5} == found["dataFields"]
    assert ("Bought", "ann", f"{ago(2)[:19]} +00:00") == tuple(
        found[name] for name in ("eventName", "userId", "createdAt")
    )


@pytest.mark.capability("A12")
def test_the_name_comes_from_a_column_where_none_is_given(world: World) -> None:
    with_events(world, event(1), event(2))
    sql = f"SELECT *, 'Seen' || id AS event_name FROM {world.prefix}events"

    sync(world, sql=sql, event_name=None)

    assert ["Seen1", "Seen2"] == [found["eventName"] for found in arrived(world)]


@pytest.mark.capability("C8")
def test_an_array_of_the_warehouse_is_a_list_of_the_event(world: World) -> None:
    """Also one of a single value, and none is no list of nothing."""
    with_events(world, event(1), event(2))
    sql = f"""SELECT *, CASE WHEN id = 1 THEN ARRAY['Acme', 'Ünïq'] END AS brands,
        ARRAY['Games,Board Games'] AS categories FROM {world.prefix}events"""

    sync(world, sql=sql)

    both, one = (found["dataFields"] for found in arrived(world))
    assert (["Acme", "Ünïq"], ["Games,Board Games"]) == (both["brands"], both["categories"])
    assert (["Games,Board Games"], False) == (one["categories"], "brands" in one)


def test_events_of_two_syncs_with_the_same_keys_are_different_events(world: World) -> None:
    with_events(world, event(1), event(2))

    sync(world, sync="bought", event_name="Bought")
    sync(world, sync="seen", event_name="Seen")

    assert Counter({"Bought": 2, "Seen": 2}) == Counter(e["eventName"] for e in arrived(world))
    assert 4 == len({found["id"] for found in arrived(world)})


def test_events_of_two_projects_have_different_ids(world: World) -> None:
    with_events(world, event(1))

    sync(world)
    sync(world, client=world.connect(project_id="2"))

    assert 2 == len({found["id"] for found in arrived(world)})


@pytest.mark.parametrize("missing", ["project", "sync"])
def test_no_event_is_mapped_without_what_makes_its_id_its_own(missing: str) -> None:
    named: dict[str, Any] = {"project": "1.us", "sync": "shop"} | {missing: ""}

    with pytest.raises(ValueError, match="would have one id"):
        OBJECT.payloads(frame(row()), MapContext(MAPPED, ProjectType.USER_ID, **named))


def test_fields_are_not_asked_for_and_not_created_ahead(world: World) -> None:
    with_events(world, event(1), event(2))

    report = sync(world)

    asked = [request["path"] for request in world.server.requests()]
    assert not any(path.startswith(FIELDS) for path in asked)
    assert (1, []) == (report.requests, report.new_fields)


def test_fields_that_may_not_be_created_are_named_and_the_events_are_done_with(
    world: World,
) -> None:
    with_events(world, event(1), event(2))

    report = sync(world, new_fields="fail")
    again = sync(world, new_fields="fail")

    assert [{}, {}] == [found["dataFields"] for found in arrived(world)]
    assert "2 fields were not created by Iterable: id, total" in report.notes[-1]
    assert "were taken without them" in report.notes[-1]
    assert (RunEnd.CLEAN, 2, 0) == (report.end, report.accepted, report.rejected)
    assert ({}, set(), 0) == (world.dirty("events"), world.rejections(), again.requests)


def test_a_wrong_type_costs_the_field_and_the_event_is_done_with(world: World) -> None:
    with_events(world, event(1, 1))
    sync(world)
    table = f"{world.prefix}events"
    put(world, event(1, 1), event(2), event(3))

    report = sync(world, sql=f"SELECT id, user_id, created_at, 'x' || total AS total FROM {table}")

    assert (2, 2) == (report.accepted, report.fields_rejected)
    assert [{"id": 1, "total": 1}, {"id": 2}, {"id": 3}] == [
        found["dataFields"] for found in arrived(world)
    ]
    assert ({}, 0) == (world.dirty("events"), sync(world).requests)


def test_a_bad_row_costs_itself(world: World) -> None:
    rows = [event(n, who=f"u{n}") for n in range(1, 51)]
    rows[7] = event(8, who="x" * 99)
    rows[8] = event(9, who=None)  # type: ignore[arg-type]
    with_events(world, *rows)

    report = sync(world)

    assert {"invalid_user_id": 1, "missing_identifier": 1} == report.rejected_by_reason
    assert set(range(1, 51)) - {8, 9} == set(numbers(world))


def test_several_syncs_may_have_fields_of_one_name(world: World) -> None:
    """What one field of a profile may not have: events own nothing."""
    with_events(world, event(1))

    reports = [sync(world, sync=name, event_name=name) for name in ("a", "b", "c")]

    assert [1, 1, 1] == [report.accepted for report in reports]


# -- old runs, other declarations ----------------------------------------------------------------


@pytest.mark.failure("P6")
def test_clearing_old_runs_sends_nothing_again(world: World) -> None:
    with_events(world, event(1, 1), event(2))
    today = datetime.now(UTC)
    sync(world, as_of=today)

    reports = [sync(world, as_of=today - timedelta(days=days)) for days in (3, 2, 1)]

    assert [(RunEnd.CLEAN, 0, 2)] * 3 == [(r.end, r.requests, r.unchanged) for r in reports]


def test_a_full_resync_sends_the_window_again_and_makes_no_new_events(world: World) -> None:
    with_events(world, event(1, 9, total=5), event(2, 1, total=5))
    sync(world)
    put(world, event(1, 9, total=6), event(2, 1, total=6))

    report = sync(world, full_resync=True)

    assert (1, 1) == (report.queried, report.accepted)
    assert [5, 6] == [found["dataFields"]["total"] for found in arrived(world)]
    assert 0 == sync(world).requests


@pytest.mark.parametrize("dry_run", [False, True])
@pytest.mark.parametrize(
    "changes",
    [
        {"newest_by": "total"},
        {"on_identity_change": "hold"},
        {"on_remove": "clear"},
        {"null": "skip"},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_what_is_not_for_events_is_refused_before_anything_happens(
    duckdb_world: World, changes: dict[str, Any], dry_run: bool
) -> None:
    with_events(duckdb_world, event(1))

    with pytest.raises(ConfigError, match="not for events"):
        sync(duckdb_world, dry_run=dry_run, **changes)

    assert [] == duckdb_world.server.requests()


def test_what_is_for_events_alone_is_refused_for_users(duckdb_world: World) -> None:
    duckdb_world.put()

    with pytest.raises(ConfigError, match="look_back_s: not for users"):
        duckdb_world.sync(look_back_s=60)


# -- guards ---------------------------------------------------------------------------------------


def test_a_first_run_of_too_many_events_is_held_and_since_lessens_it(world: World) -> None:
    with_events(world, *(event(n, n) for n in range(1, 11)))

    held = sync(world, first_sync=5)
    let = sync(world, first_sync=5, since=NOW - timedelta(days=5))

    assert (RunEnd.HELD, {"first_sync": 10}) == (held.end, held.held_by_guard)
    assert (RunEnd.CLEAN, 5) == (let.end, let.accepted)


def test_what_was_held_is_sent_when_it_may_be(world: World) -> None:
    """A held run is complete, and still the window reaches back to what it holds."""
    with_events(world, *(event(n, n) for n in range(1, 11)))
    sync(world, first_sync=5)

    report = sync(world, first_sync="all")

    assert (RunEnd.CLEAN, 10) == (report.end, report.accepted)


def test_an_empty_window_is_noted_and_nothing_is_lost(world: World) -> None:
    with_events(world, event(1, 1))
    sync(world)
    put(world)

    empty = sync(world)
    put(world, event(1, 1), event(2))
    after = sync(world)

    assert (RunEnd.CLEAN, 0) == (empty.end, empty.queried)
    assert (1, [1, 2]) == (after.accepted, numbers(world))


def test_many_new_events_are_no_mass_change(world: World) -> None:
    with_events(world, event(0, 1))
    sync(world)
    put(world, *(event(n) for n in range(300)))

    report = sync(world, guards={"max_changed": 0, "changed_floor": 0})

    assert (RunEnd.CLEAN, 299) == (report.end, report.accepted)


# -- one person, one request at a time ------------------------------------------------------------


class Watch:
    """Hooks of a client that see who is on the way, and in which order rows are sent."""

    def __init__(self) -> None:
        self.rows: dict[str, list[int]] = defaultdict(list)
        self.overlaps: list[str] = []
        self._on_the_way: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._others = threading.Event()

    def before(self, _number: int, rows: list[dict[str, Any]]) -> None:
        with self._lock:
            for who in {row["userId"] for row in rows}:
                self._on_the_way[who] += 1
                if self._on_the_way[who] > 1:
                    self.overlaps.append(who)
            for each in rows:
                self.rows[each["userId"]].append(each["dataFields"]["id"])
        # Room for another thread to send what it should not.
        self._others.wait(0.01)

    def after(self, _number: int, rows: list[dict[str, Any]]) -> None:
        with self._lock:
            self._on_the_way.subtract({row["userId"] for row in rows})


@pytest.mark.failure("D13")
@pytest.mark.parametrize("chunk", [20_000, 7, 1], ids=["one chunk", "cut", "a row a chunk"])
def test_a_person_is_never_in_two_requests_at_a_time(
    world: World, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(push, "_CHUNK_ROWS", chunk)
    rows = [event(n, 1, who="much") for n in range(30, 0, -1)]
    rows += [event(100 + n, 1, who=f"v{n}") for n in range(6)]
    rows += [event(50 + n, 1, who="also") for n in range(10)]
    with_events(world, *rows)
    watch = Watch()

    sync(
        world,
        client=world.connect(before=watch.before, after=watch.after),
        batch_rows=3,
        threads=4,
    )

    assert [] == watch.overlaps
    assert list(range(1, 31)) == watch.rows["much"]
    assert list(range(50, 60)) == watch.rows["also"]
    assert 46 == len(numbers(world))


class Turned(Client):
    """A client that sends requests with one event elsewhere, where they are refused for now."""

    event = 0
    elsewhere = "/api/commerce/trackPurchase"

    def send(self, method: str, path: str, body: bytes) -> Answer:
        ids = {each["dataFields"]["id"] for each in json.loads(body)["events"]}
        return super().send(method, self.elsewhere if self.event in ids else path, body)


@pytest.mark.failure("D13")
@pytest.mark.capability("B8")
def test_later_events_do_not_overtake_those_of_a_batch_that_was_not_taken(world: World) -> None:
    """Only those of the same person wait with it; others that share a batch go on."""
    rows = [event(n, 1, who="much") for n in range(1, 9)]
    with_events(world, *rows, *(event(100 + n, 1, who=f"z{n}") for n in range(60)))
    client = Turned(world.server, world.project_type)
    client.event = 1
    world.answer_next(*[{"status": 425}] * 6, path=client.elsewhere)
    clock = Clock()

    report = sync(
        world,
        client=client,
        options={"clock": clock, "sleep": clock.sleep},
        batch_rows=3,
        threads=4,
    )

    assert (RunEnd.PENDING, 8) == (report.end, report.pending)
    assert list(range(100, 160)) == numbers(world)

    watch = Watch()
    sync(world, client=world.connect(before=watch.before, after=watch.after), batch_rows=3)

    assert list(range(1, 9)) == watch.rows["much"]
    assert 68 == len(numbers(world))


def test_later_events_go_on_behind_one_that_is_refused(world: World) -> None:
    rows = [event(n, 1, who="much") for n in range(1, 9)]
    with_events(world, *rows)
    world.change(disallowed_event_names=["Bad"])
    name = "CASE WHEN id = 3 THEN 'Bad' ELSE 'Good' END AS event_name"
    sql = f"SELECT *, {name} FROM {world.prefix}events"

    report = sync(world, sql=sql, event_name=None, batch_rows=2)

    assert ({"disallowed_event_name": 1}, 7) == (report.rejected_by_reason, report.accepted)


# -- crashes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("applied", [False, True])
def test_a_crash_at_a_request_loses_and_doubles_nothing(world: World, applied: bool) -> None:
    with_events(world, *(event(n, 1, who=f"u{n % 3}") for n in range(1, 10)))

    crash(world, at=2, applied=applied, spec=spec(world, batch_rows=2, threads=1))
    world.expire_leases()
    report = sync(world)

    assert list(range(1, 10)) == numbers(world)
    assert ({}, 9) == (world.dirty("events"), report.accepted + report.unchanged)
    assert 0 == sync(world).requests


@pytest.mark.failure("P1")
@pytest.mark.parametrize("at", [1, 3])
def test_a_killed_process_loses_and_doubles_nothing(world: World, at: int) -> None:
    with_events(world, *(event(n, 1, who=f"u{n % 3}") for n in range(1, 10)))

    killed(world, spec(world, batch_rows=2, threads=1), at=at)
    world.expire_leases()
    sync(world)

    assert list(range(1, 10)) == numbers(world)
    assert ({}, 0) == (world.dirty("events"), sync(world).requests)


@pytest.mark.failure("P1")
@pytest.mark.parametrize("first", one_in(3, range(3)))
def test_a_crash_at_any_statement_loses_and_doubles_nothing(world: World, first: int) -> None:
    """Of every third statement, from one of the first three on: together, all of them."""
    with_events(world, event(0, 5))
    sync(world)
    # A statement costs DuckDB a visit to its file; a third of them is enough there.
    step = 3 if world.engine == "postgres" else 9
    at, rows = first * step // 3 - step + 1, [event(0, 5)]
    while True:
        at += step
        rows.append(event(len(rows), 4 - at / 100, who=f"u{at % 4}"))
        put(world, *rows)
        state = CrashingState(world.state, at)
        try:
            world.sync(spec(world), state=state)  # type: ignore[arg-type]
        except Crash:
            world.expire_leases()
        if not state.is_dead:
            break
        sync(world)
        assert list(range(len(rows))) == numbers(world), f"after statement {at}"
    assert at > 20
    assert {} == world.dirty("events")
    assert 0 == sync(world).requests


def test_what_an_answer_left_open_is_sent_again_as_the_same_event(world: World) -> None:
    with_events(world, event(1, 1), event(2, 1))
    world.answer_next(*[{"status": 500, "apply": True}] * 6, path=PATH)
    clock = Clock()

    first = sync(world, options={"clock": clock, "sleep": clock.sleep})
    second = sync(world)

    assert (2, 2) == (first.pending, second.accepted)
    assert [1, 2] == numbers(world)
    assert [1, 2] == sent(world)


def test_an_event_in_doubt_is_in_the_window_until_it_is_certain(world: World) -> None:
    """It is old, newer ones are accepted, and the run in between was killed."""
    with_events(world, event(1, 9), event(2, 8, who="u2"))
    crash(world, at=1, applied=False, spec=spec(world, batch_rows=1, threads=1))
    world.expire_leases()
    put(world, event(1, 9), event(2, 8, who="u2"), event(3, 0, who="u3"))

    report = sync(world)

    assert (RunEnd.CLEAN, [1, 2, 3]) == (report.end, numbers(world))
