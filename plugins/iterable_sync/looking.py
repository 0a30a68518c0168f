"""
Looks at Iterable before a request of one row is sent, so that none is sent twice.

What became of a request whose answer was lost is there to be seen. Each attempt begins with a look
(:attr:`SyncObject.look <iterable_sync.sync_object.SyncObject>`), at a pace of its own.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from iterable_sync.errors import RetryLater
from iterable_sync.pacing import rest
from iterable_sync.retrying import Action, AttemptFailed, NotSent, read_patiently
from iterable_sync.rows import Look

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from iterable_sync.circuit import CircuitBreaker
    from iterable_sync.client import IterableClient
    from iterable_sync.pacing import Pacer
    from iterable_sync.rows import Payload, Target

log = logging.getLogger(__name__)

SEND = Look("send")


class Looker:
    """
    Looks for the threads of one run.

    Args:
        look: of the sync object.

        pacer: of the looks.

        breaker: of the requests: an Iterable that is down is not looked at either.
    """

    def __init__(
        self,
        client: IterableClient,
        look: Callable[..., Look],
        pacer: Pacer,
        breaker: CircuitBreaker,
        *,
        should_stop: Callable[[], bool],
        sleep: Callable[[float], None],
        rng: random.Random,
    ) -> None:
        self._client = client
        self._look = look
        self._pacer = pacer
        self._breaker = breaker
        self._should_stop = should_stop
        self._sleep = sleep
        self._rng = rng

    def look(self, payload: Payload, target: Target | None) -> Look | None:
        """
        Say what to do with a request of one row; None where that is not to be had now.

        Raises:
            RetryLater: Iterable does not answer, or asks for a rest: nobody gets further.

            ConfigError: the look is not allowed, or makes no sense there.
        """
        failures: list[AttemptFailed] = []

        def once() -> Look:
            self._pass_gates()
            try:
                found: Look = self._look(self._client, payload, target)
            except AttemptFailed as failure:
                failures.append(failure)
                self._note(failure)
                raise
            self._breaker.succeeded()
            return found

        try:
            return read_patiently(once, rng=self._rng, sleep=self._rest)
        except RetryLater as error:
            if self._should_stop():
                return None
            asks_to_wait = bool(failures) and failures[-1].retry_after_s is not None
            if not failures or asks_to_wait or self._breaker.is_open:
                raise
            log.info("%s", error)
            return None

    def _pass_gates(self) -> None:
        going = self._breaker.enter(self._should_stop) and self._pacer.acquire(self._should_stop)
        if not going:
            raise RetryLater("stopped", 0.0)

    def _note(self, failure: AttemptFailed) -> None:
        if failure.action is Action.RETRY and not isinstance(failure, NotSent):
            self._pacer.on_429(failure.retry_after_s)
        else:
            self._breaker.failed()

    def _rest(self, seconds: float) -> None:
        rest(seconds, self._should_stop, self._sleep)
