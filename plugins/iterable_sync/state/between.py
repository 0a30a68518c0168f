"""A sync between its runs: looked at by whoever compares it with Iterable."""

from __future__ import annotations

import os
import socket
import time
import uuid
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from iterable_sync.errors import AlreadyRunning, ConfigError
from iterable_sync.rows import RunEnd
from iterable_sync.state import marker, sampling
from iterable_sync.state.begun import catch_up
from iterable_sync.state.leases import Lease
from iterable_sync.state.lists import Pins, memberships
from iterable_sync.state.projects import Seen, recognise
from iterable_sync.state.registry import Registered, find, the_sync
from iterable_sync.state.transactions import patiently, transact

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from iterable_sync.state.dialects.base import Session, StateEngine
    from iterable_sync.state.lists import Membership
    from iterable_sync.state.sampling import Sample


def registered_sync(engine: StateEngine, project: str, sync: str) -> Registered:
    """
    Give a sync that has run.

    Raises:
        ConfigError: there is none; names those that there are.
    """

    def read(session: Session) -> Registered:
        the_sync(engine, session, project, sync)
        known = find(engine, session, project, sync)
        if known is None:
            raise ConfigError(f"no sync {sync!r} of project {project} has run")
        return known

    return patiently(engine, read)


@dataclass(frozen=True, slots=True)
class Standing:
    """
    How a sync stands between its runs.

    Args:
        live: rows that Iterable has, or should have.

        last_clean_s: seconds since the last run that ended clean; None where none is remembered.
    """

    live: int
    last_clean_s: int | None


class BetweenRuns:
    """
    A sync whose lease is taken for moments only, so that looking at it keeps no run waiting.

    Args:
        registered: with the shape of its sync object, and the project.

        lease_s: as in :class:`iterable_sync.spec.SyncSpec`.
    """

    def __init__(
        self,
        engine: StateEngine,
        registered: Registered,
        project: str,
        sync: str,
        *,
        lease_s: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.registered = registered
        self._engine = engine
        self._project = project
        self._sync = sync
        self._name = f"{project}/{sync}"
        self._sleep = sleep
        self._lease_s = lease_s
        self._clock = clock
        self.lists = Pins(engine, project, self._new_lease(), sleep)

    def begin(self) -> Standing:
        """
        Make sure that no run is at it, fold what a dead one left, and say how it stands.

        Raises:
            AlreadyRunning: a run has the sync.

            ConfigError: the snapshot is not the one that the last run left.
        """
        with self._held():
            return patiently(self._engine, self._standing, self._sleep)

    def draw(self, *, rows: int, settle_s: float, seed: int, after: str) -> Sample:
        """Draw rows, see :func:`iterable_sync.state.sampling.draw`."""
        return patiently(
            self._engine,
            lambda session: sampling.draw(
                self._engine,
                session,
                self.registered,
                rows=rows,
                settle_s=settle_s,
                seed=seed,
                after=after,
            ),
            self._sleep,
        )

    def end(
        self,
        found: Mapping[str, Collection[str] | None],
        seen: Mapping[str, str],
        *,
        mark: bool,
    ) -> set[str]:
        """
        Doubt the rows that differ, but for those that were sent or doubted since they were drawn.

        Args:
            found: as :func:`iterable_sync.state.sampling.mark_dirty` takes it.

            seen: key -> as which version it was drawn.

            mark: False doubts none.

        Returns:
            The keys of those that nobody touched.

        Raises:
            AlreadyRunning: a run has the sync, and nobody knows what it has sent by now.
        """

        def write(session: Session) -> set[str]:
            keys = sampling.unchanged(self._engine, session, self.registered, seen)
            if mark:
                still = {key: found[key] for key in keys}
                sampling.mark_dirty(self._engine, session, self.registered, still)
            lease.check(session)
            return keys

        with self._held() as lease:
            return transact(self._engine, write, self._sleep)

    def recognise_project(self, channels: Collection[int]) -> Seen:
        """Compare the project's channels with those that it had."""
        return transact(
            self._engine,
            lambda session: recognise(self._engine, session, self._project, channels),
            self._sleep,
        )

    def memberships(self, settle_s: float) -> dict[str | None, Membership]:
        """Give who is in each list; in flight is who was accepted less than *settle_s* ago."""
        is_new = f"t._accepted_at > now() - {float(settle_s)} * INTERVAL '1 second'"
        return patiently(
            self._engine,
            lambda session: memberships(self._engine, session, self.registered, is_new),
            self._sleep,
        )

    def _new_lease(self) -> Lease:
        holder = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        return Lease(self._engine, holder, self._lease_s, self._clock)

    @contextmanager
    def _held(self) -> Iterator[Lease]:
        lease, scope = self._new_lease(), f"sync:{self._name}"
        try:
            with self._engine.session() as session:
                if lease.acquire(session, scope) is None:
                    holder = lease.holder_of(session, scope)
                    raise AlreadyRunning(f"sync {self._name} is held by {holder}")
                self._renew(session)
                catch_up(self._engine, session, self.registered, lease)
                if not marker.is_own(self._engine, session, self.registered):
                    raise ConfigError(
                        f"sync {self._name}: its snapshot is not the one that the last run left, "
                        "and says nothing of what Iterable has; run once with full_resync=True"
                    )
            yield lease
        finally:
            lease.release()

    def _renew(self, session: Session) -> None:
        """Take what the last run registered; a name keeps its object."""
        known = find(self._engine, session, self._project, self._sync)
        if known is not None:
            mine = self.registered
            self.registered = replace(known, shape=mine.shape, project=mine.project)

    def _standing(self, session: Session) -> Standing:
        ended = session.rows(
            "SELECT extract(epoch FROM now() - max(ended_at)) "
            f"FROM {self._engine.table('runs')} WHERE sync_id = ? AND state = ?",
            (self.registered.sync_id, RunEnd.CLEAN.value),
        )[0][0]
        return Standing(
            live=sampling.count_live(self._engine, session, self.registered),
            last_clean_s=None if ended is None else int(ended),
        )
