"""
Runs of the product on one thread: its thread pool, its heartbeat and its clock, by turns.

What several threads would have on their way at a time is what is *in the window* here; which of
them gets its turn is decided by the seed.
"""

from __future__ import annotations

from concurrent.futures import ALL_COMPLETED, Future
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple
from unittest.mock import patch
from uuid import UUID

from crashes import Crash
from fakes import Clock
from iterable_sync import delivery, known_fields, push, same_project
from iterable_sync.state import begun
from iterable_sync.state.leases import Lease

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator

_BEAT_S = 40.0


class Turns:
    """
    The part of a run that threads would do.

    Args:
        rng: decides whose turn it is.
    """

    def __init__(self, rng: random.Random, clock: BeatingClock) -> None:
        self.rng = rng
        self.clock = clock
        self.leases: list[Lease] = []
        self.beaten_at = clock.now
        self.pool: Pool | None = None
        self.is_dead = False

    def beat(self) -> None:
        """Renew the leases, as the heartbeat thread does."""
        self.beaten_at = self.clock.now
        for lease in self.leases:
            lease._renew()

    def die(self) -> None:
        """End like a killed process: requests on their way may arrive or not."""
        self.is_dead = True
        if self.pool is not None:
            self.pool.scatter()


class BeatingClock(Clock):
    """A clock for runs within runs; whoever sleeps has its leases renewed meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self.running: list[Turns] = []
        self.run_ids = 0

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        turns = self.running[-1] if self.running else None
        if turns is not None and not turns.is_dead and self.now - turns.beaten_at >= _BEAT_S:
            turns.beat()


class _Waiting(NamedTuple):
    future: Future[Any]
    work: Callable[[], Any]
    after: Future[Any] | None

    @property
    def may_go(self) -> bool:
        """Whether it waits for nothing that is still on its way."""
        return self.after is None or self.after.done()


class _Waited(NamedTuple):
    done: set[Future[Any]]
    not_done: set[Future[Any]]


class Pool:
    """Stands for ``ThreadPoolExecutor``: nothing runs before somebody waits for it."""

    turns: Turns

    def __init__(self, threads: int, **_: Any) -> None:
        self.turns = _CLOCK[-1].running[-1]
        self.turns.pool = self
        self._threads = threads
        self._queue: list[_Waiting] = []
        self._active = 0
        self.started: list[Any] = []

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        while (waiting := self._take()) is not None and kind is not Crash:
            self._run(waiting)

    def submit(self, function: Callable[..., Any], *args: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.pool = self  # type: ignore[attr-defined]

        def work() -> Any:
            self.started.append(args[-1])
            return function(*args)

        after = args[0] if isinstance(args[0], Future) else None
        self._queue.append(_Waiting(future, work, after))
        self._open_window()
        return future

    def run_one(self) -> bool:
        """Let one of those in the window run to its end; False if there is none."""
        waiting = self._take()
        if waiting is not None:
            self._run(waiting)
        return waiting is not None

    def scatter(self) -> None:
        """Let those in the window do what requests do whose process has died."""
        for waiting in [w for w in self._open_window() if w.may_go]:
            try:
                waiting.work()
            except Crash:
                continue
        self._queue.clear()

    def _open_window(self) -> list[_Waiting]:
        """Give what is on its way beside what has its turn: as many as there are threads."""
        self._queue = [w for w in self._queue if not w.future.cancelled()]
        window = self._queue[: self._threads - self._active]
        for waiting in window:
            if not waiting.future.running():
                waiting.future.set_running_or_notify_cancel()
        return window

    def _take(self) -> _Waiting | None:
        ready = [waiting for waiting in self._open_window() if waiting.may_go]
        if not ready:
            return None
        chosen = self.turns.rng.choice(ready)
        self._queue.remove(chosen)
        return chosen

    def _run(self, waiting: _Waiting) -> None:
        self._active += 1
        try:
            waiting.future.set_result(waiting.work())
        # What a thread would keep for whoever asks for the result.
        except BaseException as error:  # noqa: BLE001
            waiting.future.set_exception(error)
        finally:
            self._active -= 1


def _wait(futures: Any, timeout: float | None = None, return_when: str = ALL_COMPLETED) -> _Waited:
    futures = set(futures)
    pool: Pool = next(iter(futures)).pool
    if timeout is not None and pool.turns.rng.random() < 0.3:
        pool.turns.clock.sleep(timeout)
        return _split(futures)
    while not (split := _split(futures)).done or (return_when == ALL_COMPLETED and split.not_done):
        pool.run_one()
    return split


def _split(futures: set[Future[Any]]) -> _Waited:
    done = {future for future in futures if future.done()}
    return _Waited(done, futures - done)


_CLOCK: list[BeatingClock] = []


class _Counted:
    """Stands for the module ``uuid``: runs that are numbered say in each world the same SQL."""

    @staticmethod
    def uuid4() -> UUID:
        clock = _CLOCK[-1]
        clock.run_ids += 1
        return UUID(int=clock.run_ids)


class _Seeded:
    """Stands for the module ``random``: what spreads waits comes from the seed as well."""

    @staticmethod
    def Random() -> random.Random:  # noqa: N802
        return _CLOCK[-1].running[-1].rng


def _register(lease: Lease) -> None:
    turns = _CLOCK[-1].running[-1]
    if lease not in turns.leases:
        turns.leases.append(lease)


@contextmanager
def one_thread(clock: BeatingClock) -> Iterator[None]:
    """Let runs of the product start no thread within this block."""
    _CLOCK.append(clock)
    try:
        with (
            patch.object(push, "ThreadPoolExecutor", Pool),
            patch.object(push, "wait", _wait),
            patch.object(Lease, "_start", _register),
            patch.object(begun, "uuid", _Counted),
            patch.object(delivery, "random", _Seeded),
            patch.object(known_fields, "random", _Seeded),
            patch.object(same_project, "random", _Seeded),
        ):
            yield
    finally:
        _CLOCK.pop()
