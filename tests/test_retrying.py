"""What an answer means, row by row of the table, and how long a retry waits."""

from __future__ import annotations

import pickle

import pytest
import time_machine

from fakes import Always, Clock
from iterable_sync.errors import ConfigError, RetryLater
from iterable_sync.retrying import (
    TABLE,
    Action,
    AttemptFailed,
    NotSent,
    OutcomeUnknown,
    action_for,
    is_server_failure,
    parse_retry_after,
    read_patiently,
    wait_s,
)

CASES = [
    (200, "Success", Action.SETTLE),
    (200, None, Action.SETTLE),
    (201, None, Action.SETTLE),
    (202, "Success", Action.SETTLE),
    (204, None, Action.SETTLE),
    (301, None, Action.STOP),
    (307, None, Action.STOP),
    (400, None, Action.ISOLATE),
    (400, "Success", Action.ISOLATE),
    (400, "BadJsonBody", Action.ISOLATE),
    (400, "BadParams", Action.ISOLATE),
    (400, "InvalidEmailAddressError", Action.ISOLATE),
    (400, "InvalidUserIdError", Action.ISOLATE),
    (400, "ForgottenUserError", Action.ISOLATE),
    (400, "UniqueFieldsLimitExceeded", Action.ISOLATE),
    (400, "NeverSeenBefore", Action.ISOLATE),
    (400, "RequestFieldsTypesMismatched", Action.FIT_TYPES),
    (400, "BatchTooLarge", Action.HALVE),
    (400, "error.lists.invalidListId", Action.RETRY),
    (413, None, Action.HALVE),
    (413, "BatchTooLarge", Action.HALVE),
    (401, "BadApiKey", Action.REFUSED),
    (401, None, Action.REFUSED),
    (401, "Success", Action.REFUSED),
    (403, "Forbidden", Action.REFUSED),
    (404, "NotFound", Action.STOP),
    (405, None, Action.STOP),
    (408, None, Action.RETRY_UNKNOWN),
    (409, "Conflict", Action.ISOLATE),
    (409, "ForgottenUserError", Action.ISOLATE),
    (422, None, Action.ISOLATE),
    (425, None, Action.RETRY),
    (429, "RateLimitExceeded", Action.RETRY),
    (429, None, Action.RETRY),
    (499, None, Action.STOP),
    (500, "GenericError", Action.RETRY_UNKNOWN),
    (500, "DatabaseError", Action.RETRY_UNKNOWN),
    (502, None, Action.RETRY_UNKNOWN),
    (503, None, Action.RETRY_UNKNOWN),
    (504, None, Action.RETRY_UNKNOWN),
    (599, None, Action.RETRY_UNKNOWN),
    (101, None, Action.STOP),
    (600, None, Action.STOP),
]


@pytest.mark.parametrize(
    ("status", "code", "expected"), [pytest.param(*c, id=f"{c[0]} {c[1]}") for c in CASES]
)
def test_status_and_code_decide_the_action(status: int, code: str | None, expected: Action) -> None:
    assert expected == action_for(status, code)


def test_each_row_of_the_table_decides_some_case() -> None:
    """A row that no answer reaches is a mistake in the order."""
    decisive = {
        id(next(rule for rule in TABLE if rule.fits(status, code)))
        for status, code, _ in CASES
        if any(rule.fits(status, code) for rule in TABLE)
    }

    assert {id(rule) for rule in TABLE} == decisive


def test_the_phase_decides_where_there_is_no_answer() -> None:
    assert (Action.RETRY, Action.RETRY_UNKNOWN) == (NotSent("x").action, OutcomeUnknown("x").action)


@pytest.mark.parametrize(
    ("status", "expected"),
    [(200, False), (400, False), (401, False), (408, True), (429, False), (500, True), (503, True)],
)
def test_only_trouble_of_the_server_counts_against_it(status: int, expected: bool) -> None:
    assert expected == is_server_failure(status)


SENT_AT = "Wed, 21 Oct 2026 07:28:00 GMT"


@pytest.mark.failure("H2")
@pytest.mark.parametrize(
    ("value", "answered_at", "expected"),
    [
        pytest.param(None, SENT_AT, None, id="no header"),
        pytest.param("0", SENT_AT, 0.0, id="zero"),
        pytest.param("60", None, 60.0, id="seconds"),
        pytest.param(" 60 ", None, 60.0, id="seconds in spaces"),
        pytest.param("1.5", None, 1.5, id="fraction"),
        pytest.param("86400", None, 86_400.0, id="a day"),
        pytest.param("9" * 300, None, 1e9, id="for ever"),
        pytest.param("9" * 301, None, None, id="no number of this world"),
        pytest.param("-5", SENT_AT, None, id="negative"),
        pytest.param("abc", SENT_AT, None, id="garbage"),
        pytest.param("", SENT_AT, None, id="empty"),
        pytest.param("1e3", SENT_AT, None, id="exponent"),
        pytest.param("nan", SENT_AT, None, id="nan"),
        pytest.param("٣", SENT_AT, None, id="digits of another script"),
        pytest.param("Wed, 21 Oct 2026 07:28:30 GMT", SENT_AT, 30.0, id="date by their clock"),
        pytest.param("Wed, 21 Oct 2026 09:28:30 +0200", SENT_AT, 30.0, id="date with a zone"),
        pytest.param("Wed, 21 Oct 2026 07:28:30 -0000", SENT_AT, 30.0, id="date without a zone"),
        pytest.param("Wed, 21 Oct 2026 07:27:00 GMT", SENT_AT, 0.0, id="date that is past"),
        pytest.param("Wed, 21 Oct 2026 08:00:30 GMT", None, 30.0, id="date by our clock"),
        pytest.param("Wed, 21 Oct 2026 08:00:30 GMT", "garbage", 30.0, id="their clock is garbage"),
        pytest.param("Wed, 99 Oct 2026 07:28:00 GMT", SENT_AT, None, id="no such date"),
        pytest.param("Wed, 21 Oct 99999 07:28:00 GMT", SENT_AT, None, id="no such year"),
    ],
)
def test_retry_after_in_all_its_forms(
    value: str | None, answered_at: str | None, expected: float | None
) -> None:
    """H2: a date counts against the answer's own Date, for our clock may be wrong."""
    with time_machine.travel("2026-10-21T08:00:00Z", tick=False):
        seconds = parse_retry_after(value, answered_at)

    assert expected == seconds


@pytest.mark.parametrize(
    ("attempt", "longest"),
    [(0, 0.5), (1, 1.0), (2, 2.0), (5, 16.0), (6, 32.0), (7, 60.0), (50, 60)],
)
def test_waits_are_full_jitter_up_to_a_minute(attempt: int, longest: float) -> None:
    waits = [wait_s(attempt, None, Always(share)) for share in (0.0, 0.5, 1.0)]

    assert [0.0, longest / 2, longest] == waits


def test_a_retry_after_is_never_undercut() -> None:
    assert 7.0 == wait_s(0, 7.0, Always(1.0))
    assert 32.0 == wait_s(6, 7.0, Always(1.0))


def test_a_failed_attempt_survives_pickling() -> None:
    error = pickle.loads(pickle.dumps(OutcomeUnknown("where", 7.0)))  # noqa: S301

    assert ("where", 7.0, 7.0) == (str(error), error.retry_after_s, error.delay_s)


def test_a_read_is_tried_again_and_no_sooner_than_asked() -> None:
    clock = Clock()
    failures = [NotSent("x"), AttemptFailed("x", 9.0)]

    def read() -> str:
        if failures:
            raise failures.pop(0)
        return "read"

    result = read_patiently(read, rng=Always(0.5), sleep=clock.sleep)

    assert "read" == result
    assert [0.25, 9.0] == clock.slept


def test_a_read_gives_up_after_four_attempts() -> None:
    clock = Clock()
    calls: list[int] = []

    def read() -> None:
        calls.append(1)
        raise NotSent("x")

    with pytest.raises(RetryLater):
        read_patiently(read, rng=Always(1.0), sleep=clock.sleep)

    assert (4, [0.5, 1.0, 2.0]) == (len(calls), clock.slept)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [(None, 300.0), (2.0, 300.0), (86_400.0, 86_400.0)],
    ids=["nothing asked", "a short wait, tried", "a long wait"],
)
def test_the_run_after_a_read_that_gave_up_comes_no_sooner_than_makes_sense(
    asked: float | None, expected: float
) -> None:
    """H4: an outage is met by every run with four reads; the runs have to be far apart."""

    def read() -> None:
        raise AttemptFailed("x", asked)

    with pytest.raises(RetryLater) as caught:
        read_patiently(read, rng=Always(1.0), sleep=lambda _: None)

    assert expected == caught.value.delay_s


def test_a_read_does_not_wait_longer_than_a_minute() -> None:
    clock = Clock()

    def read() -> None:
        raise AttemptFailed("x", 61.0)

    with pytest.raises(RetryLater) as caught:
        read_patiently(read, rng=Always(1.0), sleep=clock.sleep)

    assert ([], 61.0) == (clock.slept, caught.value.delay_s)


def test_a_configuration_error_is_not_tried_again() -> None:
    calls: list[int] = []

    def read() -> None:
        calls.append(1)
        raise ConfigError("x")

    with pytest.raises(ConfigError):
        read_patiently(read, rng=Always(1.0), sleep=lambda _: None)

    assert [1] == calls
