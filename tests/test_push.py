"""How a plan goes out: batches, intents before requests, one recorder, an orderly stop."""

from __future__ import annotations

import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from fakes import Clock
from harness import people
from iterable_sync.rows import RunEnd

if TYPE_CHECKING:
    from harness import Client, World


def sizes(client: Client) -> list[int]:
    """Give the number of rows of each request, biggest first."""
    return sorted((len(body["users"]) for body in client.bodies), reverse=True)


def settle_fields(world: World) -> None:
    """Let Iterable know the fields, so that later runs send plain batches."""
    world.put(("u0", "u0@example.com", "Bern", 1))
    world.sync()


@pytest.mark.capability("A32")
@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        pytest.param(9, [9], id="below the limit"),
        pytest.param(10, [10], id="the limit exactly"),
        pytest.param(11, [10, 1], id="above the limit"),
    ],
)
def test_a_request_holds_as_many_rows_as_allowed(
    postgres_world: World, rows: int, expected: list[int]
) -> None:
    world = postgres_world
    settle_fields(world)
    world.put(*people(*range(rows + 1)))
    client = world.connect()

    world.sync(client=client, batch_rows=10)

    assert expected == sizes(client)


@pytest.mark.capability("A32")
def test_a_request_holds_as_many_bytes_as_allowed(postgres_world: World) -> None:
    world = postgres_world
    settle_fields(world)
    world.put(*people(0), *((f"u{n}", f"u{n}@example.com", "x" * 200, 1) for n in range(1, 41)))
    longest: list[int] = []
    client = world.connect()
    send = client.send
    client.send = lambda method, path, body: longest.append(len(body)) or send(method, path, body)  # type: ignore[method-assign]

    world.sync(client=client, batch_bytes=1_500)

    assert 1_100 < max(longest) <= 1_500
    assert {f"u{n}@example.com": 1 for n in range(1, 41)} == Counter(u["email"] for u in world.sent)


def test_a_row_that_no_request_can_hold_is_rejected_alone(postgres_world: World) -> None:
    world = postgres_world
    world.put(*people(1, 2), ("u3", "u3@example.com", "x" * 2_000, 1))

    report = world.sync(batch_bytes=1_000)

    assert {("u3", "", "too_large")} == world.rejections()
    assert (2, 1) == (report.accepted, report.rejected)


def test_the_intent_is_recorded_before_its_request(world: World) -> None:
    """At the moment of a POST the journal says that its rows are on their way."""
    settle_fields(world)
    world.put(*people(*range(7)))
    seen: list[set[str]] = []

    def look(_number: int, users: list[dict[str, Any]]) -> None:
        plan = world.rows("SELECT plan_table FROM {runs} ORDER BY token DESC")[0][0]
        on_their_way = world.rows(
            f"SELECT p._key FROM {{{plan}}} p JOIN {{batches}} b "
            "ON p._seq BETWEEN b.seq_lo AND b.seq_hi WHERE b.state = 'open'"
        )
        seen.append({user["userId"] for user in users} - {key for (key,) in on_their_way})

    world.sync(client=world.connect(before=look), batch_rows=2)

    assert [set(), set(), set()] == seen


def test_what_was_answered_is_recorded_while_the_next_requests_go_out(
    postgres_world: World,
) -> None:
    world = postgres_world
    settle_fields(world)
    world.put(*people(*range(12)))
    settled: list[int] = []

    def wait_for_the_recorder(number: int, _users: Any) -> None:
        for _ in range(500):
            if number < 3 or world.batches().count("settled") >= number - 2:
                break
            time.sleep(0.02)
        settled.append(world.batches().count("settled"))

    world.sync(client=world.connect(before=wait_for_the_recorder), batch_rows=1, threads=1)

    assert settled == sorted(settled)
    assert 9 <= settled[-1] <= 10


@pytest.mark.failure("D9", "D13")
def test_no_person_is_in_two_requests_at_a_time(postgres_world: World) -> None:
    """Two keys were once the same person, and both leave: one removal is enough."""
    world = postgres_world
    world.put(("a", "x@example.com", "Bern", 1), *people(*range(6)))
    world.sync(on_remove="clear")
    world.put(("a", "y@example.com", "Bern", 1), ("b", "x@example.com", "Bern", 1))
    world.sync(on_remove="ignore")
    world.put(*people(1))
    busy: Counter[str] = Counter()
    most: Counter[str] = Counter()
    lock = threading.Lock()

    def enter(_number: int, users: list[dict[str, Any]]) -> None:
        with lock:
            for user in users:
                busy[user["email"]] += 1
                most[user["email"]] = max(most[user["email"]], busy[user["email"]])
        time.sleep(0.03)

    def leave(_number: int, users: list[dict[str, Any]]) -> None:
        with lock:
            busy.subtract(user["email"] for user in users)

    world.sync(
        client=world.connect(before=enter, after=leave), on_remove="clear", batch_rows=1, threads=4
    )

    assert {"x@example.com": 1, "u1@example.com": 1} == most
    assert {"email", "userId"} == set(world.users()["x@example.com"])


def test_no_more_requests_than_threads_are_on_their_way(postgres_world: World) -> None:
    world = postgres_world
    settle_fields(world)
    world.put(*people(*range(13)))
    busy, most, lock = [0], [0], threading.Lock()

    def enter(_number: int, _users: Any) -> None:
        with lock:
            busy[0] += 1
            most[0] = max(most[0], busy[0])
        time.sleep(0.02)

    def leave(_number: int, _users: Any) -> None:
        with lock:
            busy[0] -= 1

    world.sync(client=world.connect(before=enter, after=leave), batch_rows=1, threads=3)

    assert [3] == most


def test_a_told_run_records_what_is_in_flight_and_starts_nothing(postgres_world: World) -> None:
    world = postgres_world
    settle_fields(world)
    world.put(*people(*range(13)))
    told, all_there = threading.Event(), threading.Barrier(3, timeout=10)

    def stop(_number: int, _users: Any) -> None:
        all_there.wait()
        told.set()

    client = world.connect(before=stop)
    report = world.sync(
        client=client, batch_rows=1, threads=3, options={"should_stop": told.is_set}
    )

    sent = {user["userId"] for body in client.bodies for user in body["users"]}
    assert 3 == len(sent)
    assert {"u0", *sent} == set(world.acknowledged())
    assert (RunEnd.PENDING, 3, 9, {}) == (
        report.end,
        report.accepted,
        report.pending,
        world.dirty(),
    )


def test_new_fields_are_created_by_one_request_with_nothing_beside_it(
    postgres_world: World,
) -> None:
    """Two first writes of a field at a time could give it two types."""
    world = postgres_world
    world.put(*people(*range(9)))
    busy: list[int] = []
    events: list[tuple[bool, int]] = []
    lock = threading.Lock()
    client = world.connect()
    send = client.send

    def watched(method: str, path: str, body: bytes) -> Any:
        creates = b'"createNewFields":true' in body
        with lock:
            busy.append(1)
            events.append((creates, len(busy)))
        time.sleep(0.01)
        answer = send(method, path, body)
        with lock:
            busy.pop()
        return answer

    client.send = watched  # type: ignore[method-assign]
    report = world.sync(client=client, batch_rows=3, threads=3)

    assert [(True, 1)] == [event for event in events if event[0]]
    assert events[0][0]
    assert ["city", "points"] == report.new_fields


def test_a_file_is_opened_once_for_many_answers(duckdb_world: World) -> None:
    """Answers are recorded together, at most every two seconds while requests go on."""
    world = duckdb_world
    settle_fields(world)
    world.put(*people(*range(31)))

    world.sync(batch_rows=1, threads=3)

    commits = world.rows(
        "SELECT count(DISTINCT settled_at) FROM {batches} "
        "WHERE token = (SELECT max(token) FROM {batches})"
    )[0][0]
    assert 30 == len(world.sent)
    assert commits <= 6


@pytest.mark.failure("P9")
@pytest.mark.parametrize("chunk", [1, 2, 5, 10, 11])
def test_a_plan_is_read_in_chunks_without_losing_a_row(
    postgres_world: World, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    """Held, rejected and unchanged rows lie between those that are sent."""
    monkeypatch.setattr("iterable_sync.push._CHUNK_ROWS", chunk)
    world = postgres_world
    world.put(*people(*range(10)), ("bad", "none", "Bern", 1))
    world.sync()
    world.put(
        *people(*range(5), city="Genf"),
        ("u5", "moved@example.com", "Bern", 1),
        ("bad", "none either", "Bern", 1),
        *people(*range(6, 10)),
        *people(*range(20, 30)),
    )

    report = world.sync(batch_rows=2)

    assert {
        **{f"u{n}@example.com": {"city": "Genf"} for n in range(5)},
        **{f"u{n}@example.com": {"city": "Bern", "points": 1} for n in range(20, 30)},
    } == world.sent_fields
    assert (15, 1, 1, 4) == (report.accepted, report.held, report.rejected, report.unchanged)


def test_a_long_run_folds_in_between_and_counts_everything_once(postgres_world: World) -> None:
    world, clock = postgres_world, Clock()
    settle_fields(world)
    world.put(*people(*range(9)), ("bad", "none", "Bern", 1))
    folded: list[set[str]] = []

    def take_long(number: int, _users: Any) -> None:
        clock.now += 700.0
        for _ in range(500):
            if world.batches()[1:].count("open") <= 9 - number:
                break
            time.sleep(0.02)
        folded.append(set(world.acknowledged()))

    report = world.sync(
        client=world.connect(before=take_long),
        options={"clock": clock, "sleep": clock.sleep},
        lease_s=1e6,
        batch_rows=1,
        threads=1,
    )

    assert {"u0"} < folded[-1] < {f"u{n}" for n in range(9)}
    assert (8, 1, RunEnd.CLEAN) == (report.accepted, report.rejected, report.end)
    assert {f"u{n}" for n in range(9)} == set(world.acknowledged())
