"""
Work on the state that survives the loss of a connection, a deadlock and a lost acknowledgement.

A commit whose answer is lost may have happened. The engine is asked, by the transaction's own
number, before anything is written a second time: so each piece of work is done exactly once, and
what it counted stays true.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, TypeVar

from iterable_sync.errors import StateLost

if TYPE_CHECKING:
    from collections.abc import Callable

    from iterable_sync.state.dialects.base import Session, StateEngine

log = logging.getLogger(__name__)

_T = TypeVar("_T")

# A server that restarts is back within seconds; with longer pauses a lease could run out.
_PAUSES_S = (0.1, 1.0, 3.0, 10.0)


def patiently(
    engine: StateEngine,
    read: Callable[[Session], _T],
    sleep: Callable[[float], None] = time.sleep,
) -> _T:
    """
    Read, anew on another connection where one is lost.

    Raises:
        StateLost: it was lost again and again.
    """
    for pause_s in _PAUSES_S:
        try:
            with engine.session() as session:
                return read(session)
        except StateLost as error:
            log.info("%s; again in %.1f s", error, pause_s)
        sleep(pause_s)
    with engine.session() as session:
        return read(session)


def transact(
    engine: StateEngine,
    write: Callable[[Session], _T],
    sleep: Callable[[float], None] = time.sleep,
) -> _T:
    """
    Write in one transaction, once, whatever becomes of the connection.

    Args:
        write: may be called more than once, each time in a new transaction; the earlier ones have
            not happened.

    Raises:
        StateLost: the database cannot be reached, or refuses again and again; whether the last
            attempt happened is then unknown.
    """
    for pause_s in (*_PAUSES_S, None):
        number = None
        try:
            with engine.session() as session, session.transaction():
                done = write(session)
                number = engine.transaction_number(session)
        except StateLost as error:
            if pause_s is None:
                raise
            log.info("%s; again in %.1f s", error, pause_s)
        else:
            return done
        sleep(pause_s)
        if number is not None and _has_happened(engine, number, sleep):
            return done
    raise AssertionError("unreachable")


def _has_happened(engine: StateEngine, number: int, sleep: Callable[[float], None]) -> bool:
    for pause_s in _PAUSES_S:
        found = patiently(engine, lambda session: engine.has_committed(session, number), sleep)
        if found is not None:
            return found
        # The server has not noticed yet that nobody listens.
        sleep(pause_s)
    raise StateLost("a transaction of a lost connection is still open in the state database")
