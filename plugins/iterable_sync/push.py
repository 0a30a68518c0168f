"""
Steps 4 to 8 of a run: read the plan in chunks, map, batch, send, settle, record.

Threads do HTTP only. One recorder, the thread that calls :func:`push`, visits the database: in one
short visit it settles what was answered, opens the next batches and reads the next chunk; while
requests are on their way it maps that chunk. So an intent is always recorded before its request,
and a batch costs no commit of its own.
"""

from __future__ import annotations

import logging
import random
import time
from collections import Counter
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from iterable_sync.batching import split
from iterable_sync.errors import ConfigError, IterableSyncError
from iterable_sync.names import dotted
from iterable_sync.payloads import as_block
from iterable_sync.reasons import REASONS
from iterable_sync.retrying import read_patiently
from iterable_sync.rows import BatchResult, Role
from iterable_sync.sync_object import MapContext

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
_FOLD_EVERY_S = 600.0
_LOG_EVERY_S = 10.0
_RETRY_AFTER_S = {code: reason.retry_after_s for code, reason in REASONS.items()}


@dataclass(slots=True)
class Pushed:
    """
    What a push did.

    Args:
        requests: write requests, all attempts.

        next_seq: the first seq of the plan that no batch was opened for.


        reasons: reason -> rejected rows, and fields of rows.

        stop: why it ended early, or None.
    """

    requests: int = 0
    bytes_sent: int = 0
    next_seq: int = 1
    reasons: Counter[str] = field(default_factory=Counter)
    new_fields: set[str] = field(default_factory=set)
    uncreated: set[str] = field(default_factory=set)
    stop: Exception | None = None
    seconds_mapping: float = 0.0
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
            dotted(c.field): c.name for c in state.columns if c.role is Role.FIELD
        } | {c.field: c.name for c in state.columns if c.role is not Role.FIELD}
        self._known: dict[str, str] = {}
        self._listed: set[str] = set()
        self._in_flight: dict[Future[BatchResult], Batch] = {}
        self._results: list[BatchResult] = []
        self._number = 1
        self.done = Pushed()

    def run(self) -> Pushed:
        """
        Send the plan; every batch that was opened is settled when this returns.

        Raises:
            LeaseLost: another run took over; what is open stays open for it to fold.
        """
        self._learn(self._read_fields())
        self._check_new_fields()
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
                    if self._clock() - folded_at > _FOLD_EVERY_S:
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
        return self.done

    def _learn(self, known: dict[str, str]) -> None:
        """Take what Iterable lists; an object is known by any of its parts."""
        self._known = known
        self._listed |= known.keys()
        for name in known:
            while "." in name:
                name = name.rpartition(".")[0]  # noqa: PLW2901 - walks up
                self._listed.add(name)

    def _read_fields(self) -> dict[str, str]:
        # Spreads waits; nothing secret hangs on it.
        rng = random.Random()  # noqa: S311
        return read_patiently(self._client.known_fields, rng=rng, sleep=self._sleep)

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
            hi = min(lo + _CHUNK_ROWS - 1, self._last_seq)
        results, self._results = self._results, []
        if not results and not ready and hi < lo:
            return None, hi
        started = self._clock()
        frame = self._state.visit(
            results,
            ready,
            seq_lo=lo,
            seq_hi=hi,
            column_of=self._column_of,
            retry_after_s=_RETRY_AFTER_S,
        )
        self.done.seconds_recording += self._clock() - started
        if hi >= lo:
            self.done.next_seq = hi + 1
        return frame, hi

    def _take_back(self, ready: list[Batch]) -> None:
        if ready:
            self.done.next_seq = min(b.seq_lo for b in ready)
            ready.clear()

    def _map(self, frame: pd.DataFrame, upto: int) -> list[Batch]:
        """Map a chunk of the plan into batches that cover its range."""
        if frame.empty:
            return []
        started = self._clock()
        context = MapContext(
            columns=self._state.columns,
            project_type=self._client.project.type,
            merge_nested_objects=self._spec.merge_nested_objects,
            known_types=self._known,
        )
        payloads, rejections = self._object.payloads(frame, context)
        batches = split(
            payloads,
            rejections,
            seq_lo=int(frame["_seq"].iloc[0]),
            seq_hi=upto,
            max_rows=min(self._spec.batch_rows, self._object.max_rows),
            max_bytes=self._spec.batch_bytes,
            overhead_bytes=len(self._object.body([], create_new_fields=False)),
            first_number=self._number,
        )
        self._number += len(batches)
        self.done.seconds_mapping += self._clock() - started
        return batches

    def _submit(self, pool: ThreadPoolExecutor, batches: list[Batch]) -> None:
        for batch in batches:
            if self.done.stop is not None:
                left = [payload.seq for payload in batch.payloads]
                self._settle(BatchResult(batch, list(batch.rejections), not_applied=left))
            elif unknown := self._unknown_fields(batch):
                self._create_fields(pool, batch, unknown)
            else:
                self._in_flight[pool.submit(self._deliverer.deliver, batch)] = batch
        batches.clear()

    def _unknown_fields(self, batch: Batch) -> frozenset[str]:
        return as_block(batch.payloads).fields.beyond(self._listed)

    def _create_fields(
        self, pool: ThreadPoolExecutor, batch: Batch, unknown: frozenset[str]
    ) -> None:
        """
        Send a batch that carries new fields while nothing else is in flight.

        Two first writes of a field at the same time can fix different types of it, for ever.
        """
        while self._in_flight:
            self._take(wait(self._in_flight, return_when=FIRST_COMPLETED).done)
        batch.new_fields = unknown
        self._in_flight[pool.submit(self._deliverer.deliver, batch)] = batch
        self._take(wait(self._in_flight).done)
        if not self._is_over():
            try:
                self._learn(self._read_fields())
            except IterableSyncError as error:
                # What was sent is settled all the same; the rest of the plan stays pending.
                self.done.stop = error
                return
            self.done.new_fields |= unknown & self._known.keys()
            # What Iterable did not create is not asked for again in this run; but a row that was
            # refused has not asked.
            self._listed |= unknown & _asked(self._results[-1])

    def _collect(self, *, until: float, ready: list[Batch]) -> None:
        """Wait for answers until it is time to visit the database again."""
        while self._in_flight:
            starving = len(self._in_flight) <= self._spec.threads and (ready or not self._is_done())
            left = until - self._clock()
            if self._results and (starving or left <= 0):
                return
            if starving and ready and len(self._in_flight) < self._spec.threads:
                return
            finished = wait(
                self._in_flight,
                timeout=max(left, 0.05) if self._results else None,
                return_when=FIRST_COMPLETED,
            ).done
            self._take(finished)

    def _take(self, finished: set[Future[BatchResult]]) -> None:
        for future in finished:
            del self._in_flight[future]
            self._settle(future.result())

    def _settle(self, result: BatchResult) -> None:
        self._results.append(result)
        self.done.requests += result.requests
        self.done.bytes_sent += result.bytes_sent
        self.done.reasons.update(r.reason for r in result.rejections if r.field is None)
        for fields in result.uncreated.values():
            self.done.uncreated.update(fields)
        if result.stop is not None and self.done.stop is None:
            self.done.stop = result.stop

    def _check_new_fields(self) -> None:
        if self._spec.new_fields != "fail":
            return
        wanted = {dotted(c.field) for c in self._state.columns if c.role is Role.FIELD}
        if unknown := sorted(wanted - self._listed):
            raise ConfigError(
                f"{len(unknown)} fields are not known to the Iterable project: "
                f"{', '.join(unknown)}; create them there, or say new_fields='create'"
            )


def _asked(result: BatchResult) -> set[str]:
    """Give the fields that the accepted rows of a batch carried."""
    refused = {r.seq for r in result.rejections if r.field is None}
    refused.update(result.in_doubt, result.not_applied)
    return {f for p in result.batch.payloads if p.seq not in refused for f in p.fields}
