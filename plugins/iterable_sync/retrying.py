"""
What an answer means for the rows that were sent, and how long to wait before the next attempt.

The one place that decides about retries. :data:`TABLE` is read from the top; the first row that
fits counts. Read it aloud: *status, code -> action, because*.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt

from iterable_sync.errors import RetryLater

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from tenacity import RetryCallState

T = TypeVar("T")

MAX_ATTEMPTS = 6
LONGEST_WAIT_S = 60.0
UNKNOWN_LIST = "error.lists.invalidListId"
# After an outage the next run waits this long: one of 10 minutes then costs two or three runs.
NEXT_RUN_S = 300.0
_FIRST_WAIT_S = 0.5
# Nobody waits 30 years; a bound keeps the arithmetic of callers finite.
_LONGEST_RETRY_AFTER_S = 1e9


class Action(StrEnum):
    """What to do with the rows of a request."""

    SETTLE = "settle"  # taken: read the outcome of each row
    ISOLATE = "isolate"  # refused as a whole: find the rows that are the reason
    FIT_TYPES = "fit_types"  # refused as a whole for the types of named fields
    HALVE = "halve"  # too large
    RETRY = "retry"  # certainly not applied: send again
    RETRY_UNKNOWN = "retry_unknown"  # may have been applied: in doubt, send again
    REFUSED = "refused"  # 401, 403: stop the run, name the right that is missing
    STOP = "stop"  # a person has to change something: stop the run


class AttemptFailed(RetryLater):
    """
    One request came to nothing; whoever sends it decides about the next.

    Args:
        message: where and what.

        retry_after_s: the wait that the server asked for, if it did.
    """

    action = Action.RETRY

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message, LONGEST_WAIT_S if retry_after_s is None else retry_after_s)
        self.args = (message, retry_after_s)
        self.retry_after_s = retry_after_s


class NotSent(AttemptFailed):
    """No byte of the request went out (DNS, refused, connect timeout): certainly not applied."""


class OutcomeUnknown(AttemptFailed):
    """Bytes went out and no complete, readable answer came back: it may have been applied."""

    action = Action.RETRY_UNKNOWN


@dataclass(frozen=True, slots=True)
class Rule:
    """A row of the table; ``code`` None fits every code."""

    lowest: int
    highest: int
    code: str | None
    action: Action
    because: str

    def fits(self, status: int, code: str | None) -> bool:
        """Tell whether an answer falls under this row."""
        return self.lowest <= status <= self.highest and self.code in {None, code}


# Source: reference of the endpoints and "API Response Codes" (documented), statuses that only
# clients in production name (inferred: 408, 413, 502, 504). Status first, code second: Iterable
# also answers 400 with the code "Success".
TABLE = (
    Rule(200, 299, None, Action.SETTLE, "taken; what it says per row counts"),
    Rule(300, 399, None, Action.STOP, "somebody between us and Iterable; redirects are not taken"),
    Rule(401, 401, None, Action.REFUSED, "the key is wrong, disabled or lacks the right"),
    Rule(403, 403, None, Action.REFUSED, "the key may not do this"),
    Rule(400, 400, "RequestFieldsTypesMismatched", Action.FIT_TYPES, "a field has another type"),
    Rule(400, 400, "BatchTooLarge", Action.HALVE, "too many rows or bytes"),
    Rule(400, 400, UNKNOWN_LIST, Action.RETRY, "a new list is not known everywhere at once"),
    Rule(413, 413, None, Action.HALVE, "too many bytes"),
    Rule(400, 400, None, Action.ISOLATE, "one malformed row refuses the whole request"),
    Rule(409, 409, None, Action.ISOLATE, "a conflict or a forgotten user refuses the request"),
    Rule(422, 422, None, Action.ISOLATE, "a row cannot be processed"),
    Rule(408, 408, None, Action.RETRY_UNKNOWN, "timed out on their side, maybe after the work"),
    Rule(425, 425, None, Action.RETRY, "refused before it was processed"),
    Rule(429, 429, None, Action.RETRY, "refused by the rate limit before it was processed"),
    Rule(400, 499, None, Action.STOP, "no such endpoint or method: the same at every attempt"),
    Rule(500, 599, None, Action.RETRY_UNKNOWN, "may have failed after the work"),
)


def action_for(status: int, code: str | None = None) -> Action:
    """Give what to do after a complete answer; statuses of no known class stop the run."""
    return next((rule.action for rule in TABLE if rule.fits(status, code)), Action.STOP)


def is_server_failure(status: int) -> bool:
    """Tell whether the answer speaks of trouble at Iterable, not of a limit or of our rows."""
    return status >= 500 or status == 408


def wait_s(attempt: int, retry_after_s: float | None, rng: random.Random) -> float:
    """
    Give the seconds to wait after failed attempt number *attempt*, counted from 0.

    Full jitter: the threads of all workers do not come back at the same moment. A Retry-After is
    obeyed, never undercut.
    """
    jitter = rng.uniform(0.0, min(LONGEST_WAIT_S, _FIRST_WAIT_S * 2**attempt))
    return max(jitter, retry_after_s or 0.0)


def parse_retry_after(value: str | None, answered_at: str | None) -> float | None:
    """
    Give the seconds of a Retry-After header, or None if there is none that makes sense.

    Args:
        value: the header: seconds, or an HTTP date.

        answered_at: the answer's own Date header; a date is meant on the server's clock, and
            ours may be wrong.
    """
    if value is None:
        return None
    text = value.strip()
    if re.fullmatch(r"[0-9]{1,300}(\.[0-9]{1,300})?", text):
        return min(float(text), _LONGEST_RETRY_AFTER_S)
    moment = _http_date(text)
    if moment is None:
        return None
    now = _http_date(answered_at or "") or datetime.now(UTC)
    return min(max((moment - now).total_seconds(), 0.0), _LONGEST_RETRY_AFTER_S)


def _http_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def read_patiently(
    read: Callable[[], T],
    *,
    rng: random.Random,
    sleep: Callable[[float], None] = time.sleep,
    attempts: int = 4,
) -> T:
    """
    Call a request that changes nothing until it succeeds, at most *attempts* times.

    Raises:
        RetryLater: the last attempt failed, or the wait asked for is longer than a minute.
    """

    def patience(state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.retry_after_s if isinstance(error, AttemptFailed) else None
        return wait_s(state.attempt_number - 1, asked, rng)

    def hopeless(state: RetryCallState) -> bool:
        return state.upcoming_sleep > LONGEST_WAIT_S

    try:
        return Retrying(
            stop=lambda state: stop_after_attempt(attempts)(state) or hopeless(state),
            wait=patience,
            retry=retry_if_exception_type(AttemptFailed),
            sleep=sleep,
            reraise=True,
        )(read)
    except AttemptFailed as error:
        asked_s = error.retry_after_s or 0.0
        # A short Retry-After was tried; run after run of it would hammer an Iterable that is down.
        delay_s = asked_s if asked_s > LONGEST_WAIT_S else NEXT_RUN_S
        message = str(error)
    raise RetryLater(message, delay_s)
