"""
Steps 4 to 8 of a run: read the plan in chunks, map, batch, send, settle, record.

Threads do HTTP only. One recorder, the thread that calls :func:`push`, visits the database: in one
short visit it settles what was answered, opens the next batches and reads the next chunk; while
requests are on their way it maps that chunk. So an intent is always recorded before its request,
and a batch costs no commit of its own.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from iterable_sync.batching import continued, last_identity, split
from iterable_sync.errors import IterableSyncError
from iterable_sync.failpoints import failpoint
from iterable_sync.known_fields import KnownFields
from iterable_sync.names import dotted, sent_fields
from iterable_sync.outcomes import is_waiting
from iterable_sync.payloads import as_block
from iterable_sync.reasons import REASONS
from iterable_sync.rows import BatchResult, Role
from iterable_sync.sync_object import map_context

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from iterable_sync.client import IterableClient
    from iterable_sync.delivery import Deliverer
    from iterable_sync.rows import Batch
    from iterable_sync.spec import SyncSpec
    from iterable_sync.state import SyncState
    from iterable_sync.sync_object import SyncObject

log = logging.getLogger(__name__)

_CHUNK_ROWS = 20_000
# A crash leaves in doubt what was opened: never more than some seconds of requests.
_CHUNK_REQUESTS = 20
_CHUNK_S = 5.0
_FOLD_EVERY_S = 600.0
_LOG_EVERY_S = 10.0
_LOOK_UP_S = 1.0
_LAST_S = 10.0
_RETRY_AFTER_S = {code: reason.retry_after_s for code, reason in REASONS.items()}


@dataclass(slots=True)
class Pushed:
    """
    What a push did.

    Args:
        requests: write requests, all attempts.

        next_seq: the first seq of the plan that no batch was opened for.

        reasons: reason -> rejected rows, and fields of rows.

        looked: what was found -> rows that were accepted without their request.

        fields: what the project lists, and what it was asked to create.

        waiting: rows that are left since a quota is used up.

        stop: why it ended early, or None.
    """

    requests: int = 0
    bytes_sent: int = 0
    next_seq: int = 1
    reasons: Counter[str] = field(default_factory=Counter)
    looked: Counter[str] = field(default_factory=Counter)
    fields: set[str] = field(default_factory=set)
    new_fields: set[str] = field(default_factory=set)
    uncreated: set[str] = field(default_factory=set)
    waiting: int = 0
    stop: Exception | None = None
    seconds_mapping: float = 0.0
    seconds_reading: float = 0.0
    seconds_recording: float = 0.0


class Push:
    """
    One push; see the module.

    Args:
        last_seq: the last seq of the plan that is to be sent.
    """

    def __init__(
        self,
        spec: SyncSpec,
        sync_object: SyncObject,
        state: SyncState,
        client: IterableClient,
        deliverer: Deliverer,
        *,
        last_seq: int,
        should_stop: Callable[[], bool],
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._spec = spec
        self._object = sync_object
        self._state = state
        self._client = client
        self._deliverer = deliverer
        self._last_seq = last_seq
        self._should_stop = should_stop
        self._clock = clock
        self._sleep = sleep
        self._column_of = {
            **{dotted(c.field): c.name for c in state.columns if c.role is Role.FIELD},
            **sent_fields(state.columns),
            **{c.field: c.name for c in state.columns if c.role is not Role.FIELD},
        }
        self._known = KnownFields(client, sleep)
        self._in_flight: dict[Future[BatchResult], Batch] = {}
        self._results: list[BatchResult] = []
        self._told_at: float | None = None
        self._batch_rows = min(spec.batch_rows, sync_object.max_rows)
        rate = spec.requests_per_s or sync_object.requests_per_s
        requests = max(_CHUNK_REQUESTS, min(rate * _CHUNK_S, _CHUNK_ROWS))
        self._chunk_rows = min(_CHUNK_ROWS, int(requests * self._batch_rows))
        self._number = 1
        self._last: tuple[str, Future[BatchResult]] | None = None
        self._rank = 0
        self.done = Pushed()

    def run(self) -> Pushed:
        """
        Send the plan; every batch that was opened is settled when this returns.

        Raises:
            LeaseLost: another run took over; what is open stays open for it to fold.
        """
        if self._object.has_listed_fields:
            self._read_fields()
            if self._spec.new_fields == "fail":
                self._known.check(sent_fields(self._state.columns))
        ready: list[Batch] = []
        folded_at = logged_at = self._clock()
        with ThreadPoolExecutor(self._spec.threads, thread_name_prefix="push") as pool:
            try:
                while True:
                    frame, upto = self._visit(ready)
                    visited_at = self._clock()
                    self._submit(pool, ready)
                    ready = self._map(frame, upto) if frame is not None else []
                    if not ready and not self._in_flight and not self._results and self._is_done():
                        break
                    self._collect(until=visited_at + self._state.commit_window_s, ready=ready)
                    failpoint("between_batches")
                    self._let_others_pass(ready)
                    if self._clock() - folded_at > _FOLD_EVERY_S:
                        _give_memory_back()
                        self._state.fold()
                        folded_at = self._clock()
                    if self._clock() - logged_at > _LOG_EVERY_S:
                        logged_at = self._clock()
                        log.info(
                            "%s: %d of %d planned rows sent, %d requests",
                            self._spec.sync,
                            self.done.next_seq - 1,
                            self._last_seq,
                            self.done.requests,
                        )
            except BaseException:
                for future in self._in_flight:
                    future.cancel()
                raise
        _give_memory_back()
        return self.done

    def _read_fields(self) -> None:
        self._known.read()
        self.done.fields |= self._known.types.keys()

    def _is_done(self) -> bool:
        return self._is_over() or self.done.next_seq > self._last_seq

    def _is_over(self) -> bool:
        return self.done.stop is not None or self._should_stop()

    def _visit(self, ready: list[Batch]) -> tuple[pd.DataFrame | None, int]:
        """Settle, open and read the next chunk, unless enough is on its way already."""
        lo = self.done.next_seq
        hi = lo - 1
        if self._is_over():
            # Opened for nothing otherwise: these rows stay as they are, and pending.
            self._take_back(ready)
        elif len(self._in_flight) <= 2 * self._spec.threads:
            hi = min(lo + self._chunk_rows - 1, self._last_seq)
        results, self._results = self._results, []
        if not results and not ready and hi < lo:
            return None, hi
        frame = self._record(results, ready, lo, hi)
        if hi >= lo:
            self.done.next_seq = hi + 1
        return frame, hi

    def _record(
        self, results: list[BatchResult], to_open: list[Batch], seq_lo: int, seq_hi: int
    ) -> pd.DataFrame | None:
        started, read_before = self._clock(), self._state.seconds_reading
        frame = self._state.visit(
            results,
            to_open,
            seq_lo=seq_lo,
            seq_hi=seq_hi,
            column_of=self._column_of,
            retry_after_s=_RETRY_AFTER_S,
        )
        read_s = self._state.seconds_reading - read_before
        self.done.seconds_reading += read_s
        self.done.seconds_recording += self._clock() - started - read_s
        return frame

    def _take_back(self, ready: list[Batch]) -> None:
        if ready:
            self.done.next_seq = min(b.seq_lo for b in ready)
            ready.clear()

    def _map(self, frame: pd.DataFrame, upto: int) -> list[Batch]:
        """Map a chunk of the plan into batches that cover its range."""
        if frame.empty:
            return []
        started = self._clock()
        context = map_context(
            self._spec,
            self._state.columns,
            self._client.project,
            known_types=self._state.known_types or self._known.types,
            list_ids=self._state.list_ids,
            at_s=self._state.at_s,
            renamed=self._state.renamed,
            groups=self._state.groups,
        )
        payloads, rejections = self._object.payloads(frame, context)
        batches = split(
            payloads,
            rejections,
            seq_lo=int(frame["_seq"].iloc[0]),
            seq_hi=upto,
            max_rows=self._batch_rows,
            max_bytes=self._spec.batch_bytes,
            overhead_bytes=len(self._object.body([], create_new_fields=False)),
            first_number=self._number,
        )
        self._number += len(batches)
        self.done.seconds_mapping += self._clock() - started
        return batches

    def _submit(self, pool: ThreadPoolExecutor, batches: list[Batch]) -> None:
        for batch in batches:
            failpoint("ledger_written")
            if batch.target is not None and batch.target.rank > self._rank:
                self._drain()
                self._rank = batch.target.rank
            if self.done.stop is not None:
                block = as_block(batch.payloads)
                left = block.rows_of(block.seqs.tolist())
                self._settle(BatchResult(batch, list(batch.rejections), not_applied=left))
            elif unknown := self._unknown_fields(batch):
                self._create_fields(pool, batch, unknown)
            else:
                self._in_flight[self._start(pool, batch)] = batch
        batches.clear()

    def _start(self, pool: ThreadPoolExecutor, batch: Batch) -> Future[BatchResult]:
        """Start a batch; one that goes on with somebody waits for the batch before."""
        if self._last is not None and continued([batch], self._last[0])[0]:
            # The pool starts in order: what is waited for has its thread already.
            future = pool.submit(self._deliver_after, self._last[1], batch)
        else:
            future = pool.submit(self._deliverer.deliver, batch)
        if (last := last_identity(batch)) is not None:
            self._last = (last, future)
        return future

    def _deliver_after(self, before: Future[BatchResult], batch: Batch) -> BatchResult:
        """Deliver what follows the rows of somebody, but nothing of them past what still waits."""
        if not is_waiting(before.result()):
            return self._deliverer.deliver(batch)
        block = as_block(batch.payloads)
        others = block.begins_identity.nonzero()[0]
        first = int(others[1]) if len(others) > 1 else len(block)
        result = self._deliverer.deliver(replace(batch, payloads=block[first:]))
        result.batch = batch
        result.waits |= before.result().waits
        result.not_applied += block.rows_of(block.seqs[:first].tolist())
        return result

    def _unknown_fields(self, batch: Batch) -> frozenset[str]:
        return self._known.unknown(batch) if self._object.has_listed_fields else frozenset()

    def _create_fields(
        self, pool: ThreadPoolExecutor, batch: Batch, unknown: frozenset[str]
    ) -> None:
        """
        Send a batch that carries new fields while nothing else is in flight.

        Two first writes of a field at the same time can fix different types of it, for ever.
        """
        self._drain()
        batch.new_fields = unknown
        self.done.fields |= unknown
        self._in_flight[pool.submit(self._deliverer.deliver, batch)] = batch
        self._drain()
        if not self._is_over():
            try:
                self._read_fields()
            except IterableSyncError as error:
                # What was sent is settled all the same; the rest of the plan stays pending.
                self.done.stop = error
                return
            self.done.new_fields |= unknown & self._known.types.keys()
            self._known.was_asked(self._results[-1])

    def _collect(self, *, until: float, ready: list[Batch]) -> None:
        """Wait for answers until it is time to visit the database again."""
        while self._in_flight:
            starving = len(self._in_flight) <= self._spec.threads and (ready or not self._is_done())
            left = until - self._clock()
            if self._results and (starving or left <= 0):
                return
            if starving and ready and len(self._in_flight) < self._spec.threads:
                return
            self._wait(max(left, 0.05) if self._results else _LOOK_UP_S)

    def _let_others_pass(self, ready: list[Batch]) -> None:
        """Give the lane up to a sync that waits, with nothing on its way, and come back to it."""
        if self._is_over() or (self._is_done() and not ready) or not self._state.lane.is_wanted():
            return
        self._drain()
        results, self._results = self._results, []
        self._record(results, [], 1, 0)
        log.info("%s: lets another sync into the lane", self._spec.sync)
        self._state.lane.give_way(self._should_stop)

    def _drain(self) -> None:
        while self._in_flight:
            self._wait(_LOOK_UP_S)

    def _wait(self, seconds: float) -> None:
        """
        Take what is answered within *seconds*.

        Once the run was told to stop, requests that take longer than ``_LAST_S`` are cut off: what
        became of them is unknown then, and recorded as such, before somebody kills the process.
        """
        finished = wait(
            self._in_flight, timeout=min(seconds, _LOOK_UP_S), return_when=FIRST_COMPLETED
        ).done
        self._take(finished)
        if self._should_stop():
            now = self._clock()
            self._told_at = now if self._told_at is None else self._told_at
            if now - self._told_at >= _LAST_S:
                self._client.cut_off()

    def _take(self, finished: set[Future[BatchResult]]) -> None:
        for future in finished:
            del self._in_flight[future]
            self._settle(future.result())
            failpoint("answered_uncommitted")

    def _settle(self, result: BatchResult) -> None:
        for fields in result.uncreated.values():
            self.done.uncreated.update(fields)
        if self._object.shape.is_append_only:
            # An event was taken without them, and is done with.
            result.uncreated = {}
        self._results.append(result)
        self.done.requests += result.requests
        self.done.bytes_sent += result.bytes_sent
        if result.waits:
            refused = {r.seq for r in result.rejections if r.field is None}
            self.done.waiting += len({*result.not_applied, *result.in_doubt} - refused)
        self.done.reasons.update(r.reason for r in result.rejections if r.field is None)
        self.done.looked.update(result.looked.values())
        if result.stop is not None and self.done.stop is None:
            self.done.stop = result.stop


def _give_memory_back() -> None:
    """Give back what Arrow keeps of the chunks that were mapped: folding wants it next."""
    import pyarrow as pa

    pa.default_memory_pool().release_unused()
