"""From a batch to one outcome per row: retries, doubt, stops."""

from __future__ import annotations

import logging
import random
from typing import Any

import pytest

from fakes import (
    Clock,
    MemoryIterable,
    UsersObject,
    answer,
    batch,
    deliver,
    deliverer,
    mismatch,
    refused,
    rejected,
    row,
    rows,
    script,
    seq_of,
    taken,
)
from iterable_sync.client import Answer, NotSent, OutcomeUnknown
from iterable_sync.errors import ConfigError, LeaseLost, PermissionRefused, RetryLater
from iterable_sync.pacing import Pacer
from iterable_sync.rows import BatchResult, Rejection

# -- the ordinary way ----------------------------------------------------------------------------


def test_a_batch_that_is_taken_is_one_request_and_nothing_is_left() -> None:
    client, result = deliver(script(), rows(3))

    assert [["u0@example.com", "u1@example.com", "u2@example.com"]] == client.emails()
    assert ([], [], [], {}, None) == (
        result.rejections,
        result.in_doubt,
        result.not_applied,
        result.uncreated,
        result.stop,
    )
    assert (1, 1, 200, "req-1", len(client.bodies[0])) == (
        result.requests,
        result.attempts,
        result.http_status,
        result.request_id,
        result.bytes_sent,
    )


def test_a_batch_of_mapping_rejections_only_sends_nothing() -> None:
    refusals = [Rejection(4, "missing_identifier"), Rejection(5, "too_long", "bio")]

    client, result = deliver(script(), [], rejections=refusals)

    assert [] == client.requests
    assert refusals == result.rejections


def test_rejections_of_the_mapping_are_carried_over() -> None:
    refusal = Rejection(9, "not_finite", "score")

    _, result = deliver(
        script(taken(1, invalidEmails=["u0@example.com"])), rows(2)[:2], rejections=[refusal]
    )

    assert refusal in result.rejections


def test_a_partial_failure_rejects_those_rows_with_their_reasons() -> None:
    reply = taken(4, conflictEmails=["U1@EXAMPLE.com"], forgottenEmails=["u3@example.com"])

    client, result = deliver(script(reply), rows(4))

    assert {1: "conflict", 3: "forgotten"} == rejected(result)
    assert 1 == len(client.requests)


def test_a_failure_of_no_row_is_asked_about_and_never_dropped() -> None:
    """The answer of the whole says nothing; alone, each row is attributed by elimination."""

    def rule(users: list[dict[str, Any]], _: bool, __: int) -> Answer:
        bad = [seq_of(user) for user in users if seq_of(user) == 5]
        return taken(len(users), invalidEmails=["somebody@else.com"] if bad else [])

    client, result = deliver(rule, rows(8))

    assert {5: "invalid_email"} == rejected(result)
    assert 1 + 6 == len(client.requests)


def test_fields_that_iterable_dropped_are_named_by_row() -> None:
    sent = [row(0, plan="a"), row(1, city="b"), row(2, plan="c", city="d")]

    _, result = deliver(script(taken(3, dropped=["plan"])), sent)

    assert {0: ("plan",), 2: ("plan",)} == result.uncreated


# -- three outcomes and retries ------------------------------------------------------------------

UNKNOWN = OutcomeUnknown("x")
NOT_SENT = NotSent("x")


@pytest.mark.parametrize(
    ("last", "in_doubt"),
    [
        pytest.param([NOT_SENT] * 6, False, id="never connected"),
        pytest.param([refused(429, "RateLimitExceeded")] * 6, False, id="always limited"),
        pytest.param([UNKNOWN] * 6, True, id="never an answer"),
        pytest.param([answer(500)] * 6, True, id="always 500"),
        pytest.param([answer(200)] * 6, True, id="2xx without JSON"),
        pytest.param([answer(200, {"code": "Success"})] * 6, True, id="2xx of another shape"),
        pytest.param([UNKNOWN] + [NOT_SENT] * 5, True, id="unknown once, then never connected"),
        pytest.param([answer(503)] + [refused(429, "x")] * 5, True, id="503 once, then limited"),
    ],
)
def test_rows_without_an_answer_are_in_doubt_if_any_attempt_may_have_been_applied(
    last: list[Any], in_doubt: bool
) -> None:
    client, result = deliver(script(*last), rows(2))

    assert ([0, 1], []) == (
        (result.in_doubt, result.not_applied) if in_doubt else (result.not_applied, result.in_doubt)
    )
    assert (6, 6) == (len(client.requests), result.attempts)


@pytest.mark.parametrize(
    "failure", [NOT_SENT, UNKNOWN, answer(500), answer(503), answer(408), refused(429, "x")]
)
def test_an_acceptance_that_was_read_ends_the_doubt(failure: Any) -> None:
    _, result = deliver(script(failure, failure), rows(2))

    assert ([], [], None) == (result.in_doubt, result.not_applied, result.stop)
    assert (3, 3) == (result.requests, result.attempts)


def test_the_same_bytes_are_sent_again() -> None:
    client, _ = deliver(script(UNKNOWN), rows(3))

    assert client.bodies[0] == client.bodies[1]


def test_waits_grow_and_retry_after_is_obeyed() -> None:
    clock = Clock()

    deliver(script(answer(500), answer(500), answer(503, retry_after_s=20.0)), rows(1), clock=clock)

    assert 1_000 + 0.25 + 0.5 + 20.0 == clock.now


def test_a_wait_longer_than_a_minute_ends_the_run_with_that_delay() -> None:
    """The worker slot is given back, and Airflow waits."""
    client, result = deliver(script(refused(429, "x", retry_after_s=86_400.0)), rows(2))

    assert isinstance(result.stop, RetryLater)
    assert (86_400.0, [0, 1]) == (result.stop.delay_s, result.not_applied)
    assert 1 == len(client.requests)


def test_a_minute_is_still_waited() -> None:
    _, result = deliver(script(refused(429, "x", retry_after_s=60.0)), rows(2))

    assert result.stop is None


def test_a_429_slows_the_pacer_down() -> None:
    clock = Clock()
    pacer = Pacer(4, clock=clock, sleep=clock.sleep)
    client = MemoryIterable(script(refused(429, "x")))

    deliverer(client, clock, pacer=pacer).deliver(batch(rows(1)))

    assert pacer.requests_per_s < 4


def test_bytes_that_never_left_are_not_counted() -> None:
    client, result = deliver(script(NOT_SENT), rows(1))

    assert len(client.bodies[0]) == result.bytes_sent


# -- stops ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_stops_the_run_at_once(status: int) -> None:
    client = MemoryIterable(script(refused(status, "BadApiKey")))
    sender = deliverer(client)

    first, second = sender.deliver(batch(rows(2))), sender.deliver(batch(rows(3)))

    assert isinstance(first.stop, PermissionRefused)
    assert isinstance(second.stop, PermissionRefused)
    assert ([0, 1], [0, 1, 2]) == (first.not_applied, second.not_applied)
    assert 1 == len(client.requests)


def test_a_key_refused_after_an_unknown_outcome_leaves_the_rows_in_doubt() -> None:
    _, result = deliver(script(UNKNOWN, refused(401, "BadApiKey")), rows(2))

    assert ([0, 1], []) == (result.in_doubt, result.not_applied)


@pytest.mark.parametrize("outcome", [answer(404), answer(405), ConfigError("redirect")])
def test_what_a_person_must_change_stops_the_run(outcome: Any) -> None:
    client, result = deliver(script(outcome), rows(2))

    assert isinstance(result.stop, ConfigError)
    assert (1, [0, 1]) == (len(client.requests), result.not_applied)


def test_no_request_starts_without_the_lease() -> None:
    client = MemoryIterable(script(UNKNOWN))
    asked = []

    def may_post() -> None:
        asked.append(len(client.requests))
        if len(asked) == 2:
            raise LeaseLost("taken over")

    result = deliverer(client, may_post=may_post).deliver(batch(rows(2)))

    assert isinstance(result.stop, LeaseLost)
    assert ([0, 1], [0, 1]) == (asked, result.in_doubt)
    assert 1 == len(client.requests)


def test_the_lease_is_asked_last_after_all_waiting() -> None:
    """A lease that was good before a pause of the pacer may be gone after it."""
    clock = Clock()
    pacer = Pacer(0.1, clock=clock, sleep=clock.sleep)
    pacer.acquire()
    asked = []
    client = MemoryIterable(script())

    deliverer(client, clock, pacer=pacer, may_post=lambda: asked.append(clock.now)).deliver(
        batch(rows(1))
    )

    assert [1_010.0] == asked


def test_a_stop_sends_nothing_more_and_leaves_the_rest_pending() -> None:
    client = MemoryIterable(script())

    result = deliverer(client, should_stop=lambda: True).deliver(batch(rows(2)))

    assert ([], [0, 1], None) == (client.requests, result.not_applied, result.stop)


def test_a_stop_ends_the_wait_for_a_retry() -> None:
    clock = Clock()
    client = MemoryIterable(script(answer(503, retry_after_s=50.0)))

    result = deliverer(client, clock, should_stop=lambda: clock.now > 1_001).deliver(batch(rows(2)))

    assert ([0, 1], 1) == (result.in_doubt, len(client.requests))
    assert clock.now < 1_002


def test_an_outage_of_ten_minutes_costs_at_most_25_requests_and_then_all_arrives() -> None:
    """H3 and H4: run after run, each started when the one before asked to be."""
    clock = Clock()
    ends = clock.now + 600

    def rule(users: list[dict[str, Any]], _: bool, __: int) -> Any:
        clock.now += 0.5
        return taken(len(users)) if clock.now >= ends else answer(503)

    client = MemoryIterable(rule)
    results: list[BatchResult] = []
    while not results or results[-1].stop:
        started = clock.now
        sender = deliverer(client, clock)
        results = [sender.deliver(batch(rows(2))) for _ in range(20)]
        assert clock.now - started <= 125
        if isinstance(stop := results[-1].stop, RetryLater):
            clock.now += stop.delay_s

    assert len(client.requests) - 20 <= 25
    assert not [result for result in results if result.in_doubt or result.not_applied]


def test_after_five_failures_in_a_row_the_next_request_is_a_probe_30_s_later() -> None:
    clock = Clock()
    at: list[float] = []

    def rule(users: list[dict[str, Any]], _: bool, number: int) -> Any:
        at.append(clock.now)
        return answer(503) if number < 5 else taken(len(users))

    result = deliverer(MemoryIterable(rule), clock).deliver(batch(rows(1)))

    assert at[5] - at[4] == pytest.approx(30.0)
    assert (None, []) == (result.stop, result.in_doubt)


def test_a_batch_that_alone_breaks_the_server_does_not_end_the_run() -> None:
    def rule(users: list[dict[str, Any]], _: bool, __: int) -> Answer:
        return answer(500) if seq_of(users[0]) == 0 else taken(len(users))

    client = MemoryIterable(rule)
    sender = deliverer(client)
    bad, good = batch([row(0)]), batch([row(1)])
    outcome: list[BatchResult] = []
    original = client.send

    def send(method: str, path: str, body: bytes) -> Answer:
        # Another thread's batch gets through between two attempts.
        if b"u0@" in body:
            original(method, path, good_body)
            sender._breaker.succeeded()
        return original(method, path, body)

    good_body = UsersObject().body([good.payloads[0].body], create_new_fields=False)
    client.send = send  # type: ignore[method-assign]
    outcome += [sender.deliver(bad), sender.deliver(good)]

    assert (None, [0]) == (outcome[0].stop, outcome[0].in_doubt)
    assert (None, []) == (outcome[1].stop, outcome[1].in_doubt)


def test_a_tenth_of_faults_is_survived() -> None:
    """H3: 1,000 batches at 4/s, every tenth request fails."""
    clock = Clock()
    pacer = Pacer(4, clock=clock, sleep=clock.sleep)
    rng = random.Random(7)  # noqa: S311

    def rule(users: list[dict[str, Any]], _: bool, __: int) -> Any:
        return taken(len(users)) if rng.random() > 0.1 else rng.choice([UNKNOWN, answer(500)])

    sender = deliverer(MemoryIterable(rule), clock, pacer=pacer)

    results = [sender.deliver(batch(rows(1))) for _ in range(1_000)]

    assert not [result for result in results if result.stop or result.in_doubt]


def test_nothing_of_a_row_is_in_a_log_of_a_failing_batch(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    sent = [row(seq, age="canary-value", email=f"canary{seq}@example.com") for seq in range(5)]
    echo = {"msg": "canary", "code": "canary x", "params": {"offendingValue": "canary"}}
    answers = iter(
        [answer(500, echo), mismatch("age", "long", "string"), answer(400, echo)]
        + [refused(400, "BadJsonBody", {"obj.users[0].x": "canary"})] * 2
        + [taken(1, invalidEmails=["canary0@example.com"])] * 9
    )

    _, result = deliver(lambda *_: next(answers), sent)

    assert "canary" not in caplog.text
    assert "canary" not in repr(result.stop)
