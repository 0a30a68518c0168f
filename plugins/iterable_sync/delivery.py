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
from iterable_sync.looking import SEND, Looker
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
    from iterable_sync.rows import Batch, Look, Payload, Target
    from iterable_sync.state.quota import Quotas
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
        pacer: of the sync; an endpoint with a pace of its own has another one beside it.

        may_post: called right before each request; raises ``LeaseLost`` if the lease could end
            before the request does.

        should_stop: true once no further request may start (SIGTERM).

        attribute_answer: reads which rows of a 2xx failed; by default as the sync object says.

        quotas: count the requests of endpoints that have one.
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
        quotas: Quotas | None = None,
    ) -> None:
        self._client = client
        self._quotas = quotas
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
        self._looker: Looker | None = None
        if sync_object.look is not None:
            bucket = f"{client.project.name} looks of {sync_object.name}"
            self._looker = Looker(
                client,
                sync_object.look,
                pacer.beside(sync_object.look_per_s, bucket),
                self._breaker,
                should_stop=self._is_over,
                sleep=sleep,
                rng=self._rng,
            )
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
        target = result.batch.target
        for attempt in range(MAX_ATTEMPTS):
            look = self._look(rows, target)
            if look.kind in {"done", "reject"}:
                return self._seen(result, rows, look)
            to, content = (
                (look.target, look.body or b"") if look.kind == "other" else (target, body)
            )
            self._pass_gates(result, to)
            result.attempts = max(result.attempts, attempt + 1)
            outcome = self._post(result, to, content)
            verdict = self._verdict(rows, outcome, to)
            if verdict.action is Action.RETRY_UNKNOWN:
                on_unknown()
            if verdict.action not in _RETRIES:
                if look.reason and verdict.attribution is not None:
                    result.looked[rows[0].seq] = look.reason
                return verdict
            self._wait(attempt, outcome, to)
        reason = self._object.refusals.get(UNKNOWN_LIST)
        if reason is not None and verdict.refusal.code == UNKNOWN_LIST:
            # It is about all of the rows, and about no other list.
            failed = dict.fromkeys((row.seq for row in rows), reason)
            return Verdict(Action.SETTLE, Refusal(), Attribution(Reading.EXACT, failed))
        raise _Halted(self._exhausted(outcome, to))

    def _look(self, rows: Sequence[Payload], target: Target | None) -> Look:
        """Look before an attempt, where the sync object does; what a look costs is no request."""
        if self._looker is None:
            return SEND
        try:
            look = self._looker.look(rows[0], target)
        except IterableSyncError as error:
            raise self._halt(error) from None
        if look is None:
            raise _Halted(self._stop)
        return look

    def _seen(self, result: BatchResult, rows: Sequence[Payload], look: Look) -> Verdict:
        """Settle a row by what a look found."""
        seq = rows[0].seq
        failed = {seq: look.reason} if look.kind == "reject" else {}
        if look.kind == "done" and look.reason:
            result.looked[seq] = look.reason
        return Verdict(Action.SETTLE, Refusal(), Attribution(Reading.EXACT, failed))

    def _pacer_of(self, target: Target | None) -> Pacer:
        """Give what paces an endpoint: mostly the pacer of the sync."""
        if target is None or target.requests_per_s is None:
            return self._pacer
        bucket = self._client.project.name + target.name
        return self._pacer.beside(target.requests_per_s, bucket)

    def _pass_gates(self, result: BatchResult, target: Target | None) -> None:
        """Wait for the circuit and the rate; the lease is looked at last, right before sending."""
        pacer = self._pacer_of(target)
        quota = target.quota if target is not None else ""
        if quota and self._quotas is not None and self._quotas.is_full(quota):
            raise self._wait_for_quota(result)
        try:
            going = self._breaker.enter(self._is_over) and pacer.acquire(self._is_over)
            if going and quota and self._quotas is not None and not self._quotas.admit(quota):
                raise self._wait_for_quota(result)
            if going:
                self._may_post()
        except IterableSyncError as error:
            raise self._halt(error) from None
        if not going:
            raise _Halted(self._stop)
        result.requests += 1

    def _wait_for_quota(self, result: BatchResult) -> _Halted:
        """End the batch, and nothing else: its rows wait for longer than a run."""
        result.waits = True
        return _Halted(None)

    def _post(
        self, result: BatchResult, target: Target | None, body: bytes
    ) -> Answer | AttemptFailed:
        try:
            if target is None:
                answer = self._client.send("POST", self._object.path, body)
            else:
                answer = self._client.send(target.method, target.path, body)
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
        if answer.status == 429 and self._is_used_up(answer, target):
            raise self._wait_for_quota(result)
        if answer.status == 429:
            # A wait beyond the cap ends the run; the pace of what is in flight is no matter then.
            try:
                self._pacer_of(target).on_429(answer.retry_after_s)
            except IterableSyncError as error:
                raise self._halt(error) from None
        if answer.status >= 400:
            log.info("%s: HTTP %d %s", self._name(target), answer.status, answer.code or "")
        return answer

    def _is_used_up(self, answer: Answer, target: Target | None) -> bool:
        """Tell whether others have made so many requests that a quota has no room for hours."""
        if target is None or not target.quota or self._quotas is None:
            return False
        wait_s = answer.retry_after_s or 0.0
        if wait_s > LONGEST_WAIT_S:
            self._quotas.fill(target.quota, wait_s)
        return wait_s > LONGEST_WAIT_S

    def _name(self, target: Target | None) -> str:
        """Give the endpoint as it may be shown."""
        return target.name if target is not None else self._object.path

    def _verdict(
        self, rows: Sequence[Payload], outcome: Answer | AttemptFailed, target: Target | None
    ) -> Verdict:
        if isinstance(outcome, AttemptFailed):
            return Verdict(outcome.action, Refusal())
        action = action_for(outcome.status, outcome.code)
        if action is Action.SETTLE:
            attribution = self._attribute(rows, outcome.json)
            if attribution.reading is Reading.UNREADABLE:
                log.info("%s: HTTP %d, unreadable", self._name(target), outcome.status)
                return Verdict(Action.RETRY_UNKNOWN, Refusal())
            if target is not None:
                attribution = attribution.without(target.harmless)
            return Verdict(action, outcome.refusal, attribution)
        if action is Action.STOP and outcome.status == 404:
            if outcome.code in self._object.refusals:
                return Verdict(Action.ISOLATE, outcome.refusal)
            if target is not None and target.absent:
                where = f"{self._name(target)}: HTTP 404 {outcome.code or ''}".rstrip()
                raise self._halt(ConfigError(f"{where}: {target.absent}"))
        if action is Action.REFUSED:
            raise self._halt(self._client.permission_refused(outcome, self._name(target)))
        if action is Action.STOP:
            raise self._halt(
                ConfigError(
                    f"{self._name(target)}: HTTP {outcome.status} {outcome.code or ''}".rstrip()
                    + ": Iterable does not take this request; check project type and features"
                )
            )
        return Verdict(action, outcome.refusal)

    def _wait(self, attempt: int, outcome: Answer | AttemptFailed, target: Target | None) -> None:
        """Wait before the next attempt, or end the run if that would take too long."""
        if attempt + 1 >= MAX_ATTEMPTS:
            return
        seconds = wait_s(attempt, outcome.retry_after_s, self._rng)
        if seconds > LONGEST_WAIT_S:
            raise self._halt(
                RetryLater(f"{self._name(target)}: Iterable asks for {seconds:.0f} s", seconds)
            )
        is_expected = not isinstance(outcome, AttemptFailed) and (
            outcome.status == 429 or outcome.code == UNKNOWN_LIST
        )
        if not is_expected and not self._budget.spend():
            raise self._halt(
                RetryLater(
                    f"{self._name(target)}: more than a tenth of the requests fail", LONGEST_WAIT_S
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
                UnknownList(f"{self._name(target)}: HTTP {status} {outcome.code}: {words}")
            ).stop
        if status == 429 or self._breaker.is_open:
            delay_s = NEXT_RUN_S if self._breaker.is_open else LONGEST_WAIT_S
            halted = self._halt(
                RetryLater(
                    f"{self._name(target)}: {MAX_ATTEMPTS} attempts failed "
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
