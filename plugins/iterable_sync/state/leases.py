"""Who may record: leases with a token, on the clock of the database."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from iterable_sync.errors import LeaseLost, StateLost

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from iterable_sync.state.dialects.base import Session, StateEngine

log = logging.getLogger(__name__)

_HEARTBEATS_PER_LEASE = 3


class Lease:
    """
    The leases that one run holds, renewed by a thread on a connection of its own.

    Args:
        holder: host, process and run, for the messages of others.

        lease_s: seconds that a lease lasts without renewal.

        clock: monotonic seconds.
    """

    def __init__(
        self,
        engine: StateEngine,
        holder: str,
        lease_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self._holder = holder
        self._lease_s = lease_s
        self._clock = clock
        self._tokens: dict[str, int] = {}
        self._renewed_at: dict[str, float] = {}
        self._lost = False
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def acquire(self, session: Session, scope: str) -> int | None:
        """Take a free or expired lease; give its token, or None where another run holds it."""
        before = self._clock()
        token = self._take(session, scope)
        if token is None and self._make(session, scope):
            token = self._take(session, scope)
        if token is None:
            return None
        with self._lock:
            self._tokens[scope] = token
            # Counted from before the statement: the database's lease ends later than ours.
            self._renewed_at[scope] = before
        self._start()
        return token

    def give_back(self, session: Session, scope: str) -> None:
        """Give one lease back and keep the others."""
        with self._lock:
            self._tokens.pop(scope, None)
            self._renewed_at.pop(scope, None)
        # The token moves on: a heartbeat that is under way must not renew what nobody holds.
        session.execute(
            f"UPDATE {self._engine.table('leases')} SET token = token + 1, holder = '', "
            "held_until = now() - INTERVAL '1 second' WHERE scope = ? AND holder = ?",
            (scope, self._holder),
        )

    def holder_of(self, session: Session, scope: str) -> str:
        """Name who holds a lease."""
        found = session.rows(
            f"SELECT holder FROM {self._engine.table('leases')} WHERE scope = ?", (scope,)
        )
        return str(found[0][0]) if found else "nobody"

    def check(self, session: Session) -> None:
        """
        Make sure, inside the transaction that records, that this run still holds its leases.

        Raises:
            LeaseLost: another run took over; the transaction must not commit.
        """
        with self._lock:
            tokens = dict(self._tokens)
        if not tokens:
            return
        found = session.rows(
            f"SELECT scope FROM {self._engine.table('leases')} WHERE {_any_of(tokens)} "
            f"AND held_until > now(){self._engine.row_lock}",
            _flat(tokens),
        )
        held = {scope for (scope,) in found}
        for scope in tokens:
            if scope not in held:
                raise self._is_lost(scope)

    def may_post(self, deadline_s: float) -> None:
        """
        Make sure that a request started now ends while the leases are held.

        Raises:
            LeaseLost: it could outlive them.
        """
        with self._lock:
            last = min(self._renewed_at.values(), default=self._clock())
            lost = self._lost
        if lost or self._clock() + deadline_s >= last + self._lease_s:
            raise self._is_lost("run")

    def release(self) -> None:
        """Stop the heartbeat and give all leases back."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        with self._lock:
            tokens, self._tokens = dict(self._tokens), {}
        if not tokens:
            return
        try:
            with self._engine.session() as session:
                session.execute(
                    f"UPDATE {self._engine.table('leases')} SET held_until = "
                    f"now() - INTERVAL '1 second' WHERE {_any_of(tokens)}",
                    _flat(tokens),
                )
        except StateLost as error:
            # They run out by themselves, and this must not hide how the run ended.
            log.warning("leases not given back: %s", error)

    def _take(self, session: Session, scope: str) -> int | None:
        """Take a lease that is there and that nobody holds."""
        taken = session.rows(
            f"UPDATE {self._engine.table('leases')} SET token = token + 1, holder = ?, "
            f"held_until = {self._until()}, wanted_until = NULL "
            "WHERE scope = ? AND held_until < now() RETURNING token",
            (self._holder, scope),
        )
        return int(taken[0][0]) if taken else None

    def _make(self, session: Session, scope: str) -> bool:
        """Make a lease that is free; False if there is one, whoever made it."""
        made = session.execute(
            f"INSERT INTO {self._engine.table('leases')} (scope, token, holder, held_until) "
            "VALUES (?, 0, '', now() - INTERVAL '1 second') ON CONFLICT (scope) DO NOTHING",
            (scope,),
        )
        return made == 1

    def _is_lost(self, scope: str) -> LeaseLost:
        self._lost = True
        return LeaseLost(
            f"the lease {scope!r} of {self._holder} is no longer ours: another run took over, or "
            f"it could not be renewed for {self._lease_s:.0f} s; nothing more is sent or recorded"
        )

    def _until(self) -> str:
        return f"now() + {self._lease_s} * INTERVAL '1 second'"

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._beat, name="lease", daemon=True)
            self._thread.start()

    def _beat(self) -> None:
        while not self._stop.wait(self._lease_s / _HEARTBEATS_PER_LEASE):
            try:
                self._renew()
            # Whatever a driver raises: may_post() and check() draw the line, not this thread.
            except Exception as error:  # noqa: BLE001
                log.warning("lease not renewed: %s", type(error).__name__)

    def _renew(self) -> None:
        with self._lock:
            tokens = dict(self._tokens)
        with self._engine.session() as session:
            for scope, token in tokens.items():
                before = self._clock()
                renewed = session.execute(
                    f"UPDATE {self._engine.table('leases')} SET held_until = {self._until()} "
                    "WHERE scope = ? AND token = ?",
                    (scope, token),
                )
                with self._lock:
                    if renewed == 1:
                        self._renewed_at[scope] = before
                    elif scope in self._tokens:
                        self._lost = True


def holders(engine: StateEngine, session: Session, scopes: Sequence[str]) -> dict[str, str]:
    """Give who holds which of some leases; those that are free, or over, are not there."""
    return dict(
        session.rows(
            f"SELECT scope, holder FROM {engine.table('leases')} WHERE held_until > now() "
            "AND scope IN (SELECT unnest(CAST(? AS text[])))",
            (list(scopes),),
        )
    )


def _any_of(tokens: Mapping[str, int]) -> str:
    """Give the condition that a lease is one of these; its values are those of :func:`_flat`."""
    return f"({' OR '.join(['(scope = ? AND token = ?)'] * len(tokens))})"


def _flat(tokens: Mapping[str, int]) -> list[str | int]:
    return [value for pair in tokens.items() for value in pair]
