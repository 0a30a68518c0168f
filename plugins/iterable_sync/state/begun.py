"""
A run as it begins, and what it owns: its lease, its lane, its place in the registry.

What it plans is :mod:`iterable_sync.state.planning`.
"""

from __future__ import annotations

import os
import socket
import time
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING

from iterable_sync.errors import AlreadyRunning, Superseded
from iterable_sync.failpoints import failpoint
from iterable_sync.renamed import NOT_RENAMED
from iterable_sync.state import marker
from iterable_sync.state.claims import check_claimed
from iterable_sync.state.fold import Folded
from iterable_sync.state.lanes import Lane
from iterable_sync.state.leases import Lease
from iterable_sync.state.lists import Pins
from iterable_sync.state.marks import has_marks, heed_marks
from iterable_sync.state.projects import Seen, recognise
from iterable_sync.state.quota import Quotas
from iterable_sync.state.recovery import fold_leftovers
from iterable_sync.state.registry import (
    Registered,
    check_owners,
    find,
    lock,
    save,
    snapshot_ddl,
)
from iterable_sync.state.renames import find_renamed, forget_renamed
from iterable_sync.state.schema import install
from iterable_sync.state.seeding import is_first
from iterable_sync.state.transactions import transact
from iterable_sync.sync_object import PLAIN

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from iterable_sync.rows import Column, Project
    from iterable_sync.spec import SyncSpec
    from iterable_sync.state.dialects.base import Session, Source, StateEngine
    from iterable_sync.sync_object import Shape


class BegunRun:
    """
    State of one run that has begun.

    Args:
        lane: of the sync object.

        shape: of the rows of the sync object.

        clock, sleep: monotonic seconds.

    Raises:
        ConfigError: state cannot be kept beside this source.
    """

    def __init__(
        self,
        engine: StateEngine,
        source: Source,
        spec: SyncSpec,
        project: Project,
        lane: str,
        shape: Shape = PLAIN,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        engine.check_source(source)
        self._engine = engine
        self._source = source
        self._spec = spec
        self._project = project
        self._shape = shape
        self.is_append_only = shape.is_append_only
        self.list_ids: dict[str, int] = {}
        self.known_types: dict[str, str] = {}
        self.groups: dict[str, frozenset[int]] = {}
        self.adopted: Iterator[str] | None = None
        self.renamed = NOT_RENAMED
        self._clock = clock
        self._sleep = sleep
        self.run_id = uuid.uuid4().hex
        holder = f"{socket.gethostname()}:{os.getpid()}:{self.run_id[:8]}"
        self.lease = Lease(engine, holder, spec.lease_s, clock)
        self.lane = Lane(
            engine,
            self.lease,
            f"lane:{project.name}/{lane}",
            wait_s=spec.lane_wait_s,
            clock=clock,
            sleep=sleep,
        )
        self.lists = Pins(engine, project.name, self.lease, sleep)
        self.quotas = Quotas(engine, project.name, clock=clock, sleep=sleep)
        self.commit_window_s = engine.commit_window_s
        self._token = 0
        self._known: Registered | None = None
        self.folded = Folded()
        self.seconds_reading = 0.0

    @property
    def columns(self) -> tuple[Column, ...]:
        """The mapped columns of the sync, key first."""
        return self._registered.columns

    @property
    def snapshot_table(self) -> str:
        """The quoted, qualified name of the sync's snapshot."""
        return self._engine.table(self._registered.snapshot_table)

    def begin(self) -> None:
        """
        Take the sync's lease and fold what a crashed run left.

        Raises:
            AlreadyRunning: another run holds the sync.

            Superseded: a run with a newer ``as_of`` has completed.
        """
        name = f"{self._project.name}/{self._spec.sync}"
        with self._engine.session() as session:
            install(self._engine, session)
            token = self.lease.acquire(session, f"sync:{name}")
            if token is None:
                holder = self.lease.holder_of(session, f"sync:{name}")
                raise AlreadyRunning(f"sync {name} is held by {holder}")
            self._token = token
            failpoint("lease_taken")
            self._known = self._find(session)
            if self._known is None:
                return
            catch_up(self._engine, session, self._registered, self.lease)
            if not self.is_append_only:
                self._refuse_older(session)

    def is_new(self) -> bool:
        """Say whether no run has written into the snapshot of the sync yet."""
        with self._engine.session() as session:
            known = self._find(session)
            return known is None or is_first(self._engine, session, known)

    def recognise_project(self, channels: Collection[int]) -> Seen:
        """Compare the project's channels with those that it had."""
        return transact(
            self._engine,
            lambda session: recognise(self._engine, session, self._project.name, channels),
            self._sleep,
        )

    @property
    def _registered(self) -> Registered:
        if self._known is None:
            raise RuntimeError("the sync is not registered yet: plan() comes first")
        return self._known

    @property
    def _sync_id(self) -> int:
        return self._registered.sync_id

    def _find(self, session: Session) -> Registered | None:
        known = find(self._engine, session, self._project.name, self._spec.sync)
        return None if known is None else replace(known, shape=self._shape, project=self._project)

    def _moment(self, session: Session) -> int:
        """Give the moment whose data the run sends, in seconds since 1970."""
        if self._spec.as_of is not None:
            return int(self._spec.as_of.timestamp())
        return int(session.rows("SELECT extract(epoch FROM now())")[0][0])

    def _register(self, session: Session, registered: Registered) -> Registered:
        engine, project, sync = self._engine, self._project.name, self._spec.sync
        with session.transaction():
            lock(engine, session)
            check_owners(engine, session, registered, project=project, sync=sync)
            check_claimed(engine, session, registered, project=project, sync=sync)
            registered = save(
                engine, session, registered, project=project, sync=sync, known=self._known
            )
            self.renamed = find_renamed(engine, session, registered, project=project, sync=sync)
            registered = forget_renamed(engine, session, registered, self.renamed)
            session.execute(
                f"INSERT INTO {engine.table('runs')} "
                "(run_id, sync_id, token, state, plan_table, mapping_version, as_of, started_at) "
                "VALUES (?, ?, ?, 'running', ?, ?, CAST(? AS timestamptz), now())",
                (
                    self.run_id,
                    registered.sync_id,
                    self._token,
                    self._plan_name(registered),
                    registered.mapping_version,
                    self._spec.as_of,
                ),
            )
            self.lease.check(session)
        return registered

    def _plan_name(self, registered: Registered) -> str:
        return f"plan_{registered.sync_id}_{self._token}"

    def _dry(self, session: Session, registered: Registered) -> tuple[str, str]:
        """Give temporary stand-ins: a dry run writes nothing that stays."""
        engine, project = self._engine, self._project.name
        plan = f"{engine.temporary}_plan"
        session.execute(f"DROP TABLE IF EXISTS {plan}")
        has_snapshot = engine.columns_of(session, registered.snapshot_table)
        will_seed = self._spec.seed_sql is not None and is_first(engine, session, registered)
        if registered.sync_id and has_snapshot and self.adopted is None and not will_seed:
            names = {"project": project, "sync": self._spec.sync}
            self.renamed = find_renamed(engine, session, registered, **names)
            return plan, engine.table(registered.snapshot_table)
        snapshot = f'{engine.temporary}"_empty_snapshot"'
        session.execute(f"DROP TABLE IF EXISTS {snapshot}")
        session.execute(f"CREATE TEMP TABLE {snapshot} ({snapshot_ddl(engine, registered)})")
        return plan, snapshot

    def _refuse_older(self, session: Session) -> None:
        if self._spec.as_of is None:
            return
        newer = session.rows(
            f"SELECT CAST(as_of AS text) FROM {self._engine.table('syncs')} "
            "WHERE sync_id = ? AND as_of > CAST(? AS timestamptz)",
            (self._sync_id, self._spec.as_of),
        )
        if newer:
            raise Superseded(
                f"sync {self._spec.sync}: data as of {newer[0][0]} has been sent; this run is as "
                f"of {self._spec.as_of.isoformat()}"
            )


def catch_up(engine: StateEngine, session: Session, registered: Registered, lease: Lease) -> None:
    """
    Bring a snapshot to what is known: of runs that died, and of what other syncs say.

    Raises:
        LeaseLost: another run took over.
    """
    if marker.look(engine, session, registered):
        fold_leftovers(engine, session, registered, lease)
    if has_marks(engine, session, registered):
        with session.transaction():
            heed_marks(engine, session, registered)
            lease.check(session)
