"""
Delivers batches: from a batch of rows to one outcome per row, from any number of threads.

An attempt has three outcomes, *not applied*, *applied* and *unknown*; a row whose acceptance was
not read stays in doubt once any request that held it may have been applied.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from typing import TYPE_CHECKING, Any

from iterable_sync.answers import Refusal
from iterable_sync.circuit import CircuitBreaker, RetryBudget
from iterable_sync.errors import ConfigError, IterableSyncError, RetryLater, UnknownList
from iterable_sync.isolation import Isolation, LearnedSize, Verdict
from iterable_sync.outcomes import (
    Attribution,
    Reading,
    attribute,
    attribute_whole,
    known_among,
    spread,
)
from iterable_sync.pacing import rest
from iterable_sync.retrying import (
    LONGEST_WAIT_S,
    MAX_ATTEMPTS,
    NEXT_RUN_S,
    UNKNOWN_LIST,
    Action,
    AttemptFailed,
    action_for,
    is_server_failure,
    wait_s,
)
from iterable_sync.rows import BatchResult

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from iterable_sync.client import Answer, IterableClient
    from iterable_sync.pacing import Pacer
    from iterable_sync.rows import Batch, Payload, Target
    from iterable_sync.sync_object import SyncObject

log = logging.getLogger(__name__)

_RETRIES = {Action.RETRY, Action.RETRY_UNKNOWN}
_FIELDS_SETTLE_S = (1.0, 2.0, 4.0, 8.0)


class _Halted(Exception):
    """The batch ends here; *stop* ends the run as well."""

    def __init__(self, stop: Exception | None = None) -> None:
        super().__init__()
        self.stop = stop


class Deliverer:
    """
    Sends the batches of one run; share one instance between the threads of the run.

    The first reason to stop (a refused key, a lost lease, an outage) stops all of its threads
    before their next request.

    Args:
        may_post: called right before each request; raises ``LeaseLost`` if the lease could end
            before the request does.

        should_stop: true once no further request may start (SIGTERM).

        attribute_answer: reads which rows of a 2xx failed; by default as the sync object says.
    """

    def __init__(
        self,
        client: IterableClient,
        sync_object: SyncObject,
        pacer: Pacer,
        *,
        may_post: Callable[[], None] = lambda: None,
        should_stop: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        rng: random.Random | None = None,
        breaker: CircuitBreaker | None = None,
        budget: RetryBudget | None = None,
        attribute_answer: Callable[[Sequence[Payload], Any], Attribution] | None = None,
    ) -> None:
        self._client = client
        self._object = sync_object
        self._pacer = pacer
        self._may_post = may_post
        self._should_stop = should_stop
        self._clock = clock
        self._sleep = sleep
        # Spreads waits; nothing secret hangs on it.
        self._rng = rng or random.Random()  # noqa: S311
        self._breaker = breaker or CircuitBreaker(clock=clock, sleep=sleep)
        self._budget = budget or RetryBudget(clock=clock)
        by_object = attribute if sync_object.answers == "rows" else attribute_whole
        self._attribute = attribute_answer or by_object
        self._size = LearnedSize()
        self._stop_lock = threading.Lock()
        self._stop: Exception | None = None

    def deliver(self, batch: Batch) -> BatchResult:
        """
        Send a batch and settle every row of it.

        Never raises for what happens on the way to Iterable: rows without an outcome are in the
        result, and ``result.stop`` is the reason to end the run, if there is one.

        ``requests`` counts every POST, ``attempts`` those of the request that took most.
        """
        started = self._clock()
        result = BatchResult(batch, rejections=list(batch.rejections))
        if batch.payloads:
            isolation = Isolation(
                result,
                self._object,
                lambda rows, body, on_unknown: self._send(result, rows, body, on_unknown),
                self._size,
                self._confirm_fields,
            )
            try:
                isolation.run()
            except _Halted as halted:
                result.stop = halted.stop
            isolation.close()
            spread(result)
        result.seconds = self._clock() - started
        log.debug(
            "batch %d: %d rows, %d requests, %.1f s",
            batch.number,
            len(batch.payloads),
            result.requests,
            result.seconds,
        )
        return result

    def _send(
        self,
        result: BatchResult,
        rows: Sequence[Payload],
        body: bytes,
        on_unknown: Callable[[], None],
    ) -> Verdict:
        self._budget.earn()
        for attempt in range(MAX_ATTEMPTS):
            self._pass_gates(result)
            result.attempts = max(result.attempts, attempt + 1)
            outcome = self._post(result, body)
            verdict = self._verdict(rows, outcome, result.batch.target)
            if verdict.action is Action.RETRY_UNKNOWN:
                on_unknown()
            if verdict.action not in _RETRIES:
                return verdict
            self._wait(attempt, outcome)
        raise _Halted(self._exhausted(outcome, result.batch.target))

    def _pass_gates(self, result: BatchResult) -> None:
        """Wait for the circuit and the rate; the lease is looked at last, right before sending."""
        try:
            going = self._breaker.enter(self._is_over) and self._pacer.acquire(self._is_over)
            if going:
                self._may_post()
        except IterableSyncError as error:
            raise self._halt(error) from None
        if not going:
            raise _Halted(self._stop)
        result.requests += 1

    def _post(self, result: BatchResult, body: bytes) -> Answer | AttemptFailed:
        path = self._path(result.batch.target)
        try:
            answer = self._client.post(path, body)
        except AttemptFailed as failure:
            self._breaker.failed()
            if failure.action is Action.RETRY_UNKNOWN:
                result.bytes_sent += len(body)
            log.info("%s", failure)
            return failure
        except ConfigError as error:
            raise self._halt(error) from None
        result.bytes_sent += len(body)
        result.http_status = answer.status
        result.request_id = answer.request_id or result.request_id
        if is_server_failure(answer.status):
            self._breaker.failed()
        else:
            self._breaker.succeeded()
        if answer.status == 429:
            # A wait beyond the cap ends the run; the pace of what is in flight is no matter then.
            try:
                self._pacer.on_429(answer.retry_after_s)
            except IterableSyncError as error:
                raise self._halt(error) from None
        if answer.status >= 400:
            log.info("%s: HTTP %d %s", path, answer.status, answer.code or "")
        return answer

    def _path(self, target: Target | None) -> str:
        return target.path if target is not None else self._object.path

    def _verdict(
        self, rows: Sequence[Payload], outcome: Answer | AttemptFailed, target: Target | None
    ) -> Verdict:
        if isinstance(outcome, AttemptFailed):
            return Verdict(outcome.action, Refusal())
        action = action_for(outcome.status, outcome.code)
        if action is Action.SETTLE:
            attribution = self._attribute(rows, outcome.json)
            if attribution.reading is Reading.UNREADABLE:
                log.info("%s: HTTP %d, unreadable", self._path(target), outcome.status)
                return Verdict(Action.RETRY_UNKNOWN, Refusal())
            if target is not None:
                attribution = attribution.without(target.harmless)
            return Verdict(action, outcome.refusal, attribution)
        if action is Action.REFUSED:
            raise self._halt(self._client.permission_refused(outcome, self._path(target)))
        if action is Action.STOP:
            raise self._halt(
                ConfigError(
                    f"{self._path(target)}: HTTP {outcome.status} {outcome.code or ''}".rstrip()
                    + ": Iterable does not take this request; check project type and features"
                )
            )
        return Verdict(action, outcome.refusal)

    def _wait(self, attempt: int, outcome: Answer | AttemptFailed) -> None:
        """Wait before the next attempt, or end the run if that would take too long."""
        if attempt + 1 >= MAX_ATTEMPTS:
            return
        seconds = wait_s(attempt, outcome.retry_after_s, self._rng)
        if seconds > LONGEST_WAIT_S:
            raise self._halt(
                RetryLater(f"{self._object.path}: Iterable asks for {seconds:.0f} s", seconds)
            )
        is_expected = not isinstance(outcome, AttemptFailed) and (
            outcome.status == 429 or outcome.code == UNKNOWN_LIST
        )
        if not is_expected and not self._budget.spend():
            raise self._halt(
                RetryLater(
                    f"{self._object.path}: more than a tenth of the requests fail", LONGEST_WAIT_S
                )
            )
        if not rest(seconds, self._is_over, self._sleep):
            raise _Halted(self._stop)

    def _exhausted(
        self, outcome: Answer | AttemptFailed, target: Target | None
    ) -> Exception | None:
        """Give the reason to stop the run after the last attempt of a request failed."""
        status = None if isinstance(outcome, AttemptFailed) else outcome.status
        if not isinstance(outcome, AttemptFailed) and outcome.code == UNKNOWN_LIST:
            words = (target.absent if target is not None else "") or "Iterable has no such list"
            return self._halt(
                UnknownList(f"{self._path(target)}: HTTP {status} {outcome.code}: {words}")
            ).stop
        if status == 429 or self._breaker.is_open:
            delay_s = NEXT_RUN_S if self._breaker.is_open else LONGEST_WAIT_S
            halted = self._halt(
                RetryLater(
                    f"{self._object.path}: {MAX_ATTEMPTS} attempts failed "
                    f"(last: {'no answer' if status is None else f'HTTP {status}'})",
                    max(outcome.retry_after_s or 0.0, delay_s),
                )
            )
            return halted.stop
        # Other requests get through: a matter of this batch, and its rows stay pending.
        return None

    def _confirm_fields(self, fields: frozenset[str]) -> None:
        """
        Wait until Iterable lists new fields, 15 s at most.

        What follows says ``createNewFields: false``, and Iterable is asynchronous: a field that is
        not there yet would be dropped from every row. Whatever is dropped all the same stays
        dirty, so this saves requests and is no promise.
        """
        for seconds in _FIELDS_SETTLE_S:
            try:
                if len(known_among(fields, self._client.known_fields())) == len(fields):
                    return
            except IterableSyncError as error:
                log.info("new fields not confirmed: %s", error)
            if not rest(seconds, self._is_over, self._sleep):
                return

    def _is_over(self) -> bool:
        return self._stop is not None or self._should_stop()

    def _halt(self, error: Exception) -> _Halted:
        with self._stop_lock:
            if self._stop is None:
                self._stop = error.with_traceback(None)
            return _Halted(self._stop)
