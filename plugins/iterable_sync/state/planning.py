"""
A run until its plan stands: its lease, what crashed runs left, stage, plan, approvals.

What happens with the plan is :mod:`iterable_sync.state.runs`.
"""

from __future__ import annotations

import json
import os
import socket
import time
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING

from iterable_sync.errors import AlreadyRunning, ConfigError, Superseded
from iterable_sync.failpoints import failpoint
from iterable_sync.names import check as check_fields
from iterable_sync.rows import NOT_RENAMED, Role
from iterable_sync.state import append_only, diff, marker, plans
from iterable_sync.state.approvals import Approvals
from iterable_sync.state.claims import check_claimed, claim_brought
from iterable_sync.state.columns import understand
from iterable_sync.state.first_sync import limit_first
from iterable_sync.state.fold import Folded
from iterable_sync.state.lanes import Lane
from iterable_sync.state.leases import Lease
from iterable_sync.state.lists import Pins, audiences, declared_list
from iterable_sync.state.marks import heed_marks
from iterable_sync.state.members import seed_members
from iterable_sync.state.plan_rows import read_rows
from iterable_sync.state.projects import Seen, recognise
from iterable_sync.state.recovery import fold_leftovers
from iterable_sync.state.registry import (
    Registered,
    check_owners,
    find,
    lock,
    reconcile,
    save,
    snapshot_ddl,
)
from iterable_sync.state.renames import find_renamed, forget_renamed
from iterable_sync.state.requeue import Waiting, waiting
from iterable_sync.state.requires import hold_waiting, required_people
from iterable_sync.state.schema import install
from iterable_sync.state.seeding import SEED_IGNORED, is_first, seed
from iterable_sync.state.stage import Staged, stage
from iterable_sync.state.traits import widen
from iterable_sync.state.transactions import transact
from iterable_sync.state.window import (
    Window,
    find_window,
    leave_alone,
    newest_in,
    since_only,
)
from iterable_sync.sync_object import PLAIN
from iterable_sync.values import can_become

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    import pandas as pd

    from iterable_sync.rows import Column, Op, Project
    from iterable_sync.spec import SyncSpec
    from iterable_sync.state.dialects.base import Session, Source, StateEngine
    from iterable_sync.sync_object import Shape

FIRST_ROWS = 20_000
"""So many rows of its plan a dry run looks at; its tables are gone afterwards."""


class PlannedRun:
    """
    State of one run that plans.

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
        self.audiences: dict[str | None, bool] = {}
        self.adopted: Iterator[str] | None = None
        self.claimed: frozenset[str] = frozenset()
        self.seeded = 0
        self.at_s = 0
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
        self.commit_window_s = engine.commit_window_s
        self._token = 0
        self._known: Registered | None = None
        self._made: plans.Plan | None = None
        self._window: Window | None = None
        self._newest: str | None = None
        self.folded = Folded()
        self.waiting: list[Waiting] = []
        self.seconds_reading = 0.0
        self.first_rows: pd.DataFrame | None = None

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
            marker.look(self._engine, session, self._registered)
            fold_leftovers(self._engine, session, self._registered, self.lease)
            with session.transaction():
                heed_marks(self._engine, session, self._registered)
                self.lease.check(session)
            if not self.is_append_only:
                self._refuse_older(session)

    def plan(self) -> tuple[Staged, plans.Plan]:
        """
        Stage the model and write the plan.

        Raises:
            ConfigError, SyncAborted: nothing was sent.
        """
        engine = self._engine
        spec, duplicates = self._widened()
        model = understand(spec, self._source, engine.dialect, self._shape)
        if duplicates is not None:
            model = replace(model, duplicates=duplicates)
        check_fields(
            model.columns,
            merge_nested_objects=spec.merge_nested_objects,
            is_profile=self._shape.fields_of == "profile",
        )
        _check_types(model.columns)
        with engine.session() as session, engine.planning(session):
            people = required_people(engine, session, spec, self._project)
            known = self._known
            if spec.dry_run:
                known = self._find(session)
            registered = reconcile(
                known,
                model.columns,
                sync=spec.sync,
                project=self._project.name,
                object_name=spec.object,
                sql=_declared(spec),
                new_is_null=spec.trait is not None,
            )
            registered = replace(registered, shape=self._shape)
            if spec.dry_run:
                plan_table, snapshot = self._dry(session, registered)
            else:
                registered = self._register(session, registered)
                plan_table = engine.table(self._plan_name(registered))
                snapshot = engine.table(registered.snapshot_table)
            self._known = registered
            notes = self._seed(session, spec, registered, snapshot)
            placed = {c.name: c for c in registered.columns}
            columns = [placed[c.name] for c in model.columns]
            self.at_s = self._moment(session)
            if self.is_append_only:
                self._window = find_window(engine, session, spec, registered.sync_id)
            compared = None
            if not self.is_append_only:
                compared = diff.find_compared(
                    engine,
                    session,
                    spec,
                    registered,
                    snapshot,
                    has_newest=model.newest_by is not None,
                )
            staged = stage(
                engine,
                session,
                self._source,
                model,
                columns,
                self._project.type,
                self._window or since_only(spec),
                shares_identity=self._shape.shares_identity,
                compared=compared,
            )
            self._made = self._make_plan(session, registered, staged, plan_table, snapshot)
            self._leave_alone(session, registered, plan_table, snapshot)
            self._made.notes += notes
            self.claimed = claim_brought(
                engine,
                session,
                registered,
                plan_table,
                *([snapshot] if self.seeded else []),
                declared=declared_list(spec),
                project=self._project.name,
                sync=spec.sync,
                check=None if spec.dry_run else self.lease.check,
            )
            hold_waiting(
                engine,
                session,
                spec,
                registered,
                self._made,
                people=people,
                snapshot=snapshot,
            )
            if registered.sync_id:
                self._meet_approvals(session, self._made, snapshot)
            limit_first(session, self._made, spec.first_sync, snapshot=snapshot)
            if self._shape.needs_lists:
                self.audiences = audiences(engine, session, registered, plan_table)
            session.execute(f"DROP TABLE {staged.table}")
            engine.after_plan(session, plan_table)
            if spec.dry_run:
                self.first_rows = read_rows(
                    engine, session, plan_table, self.columns, f"TRUE LIMIT {FIRST_ROWS}"
                )
            return staged, self._made

    def _widened(self) -> tuple[SyncSpec, str | None]:
        """Give the declaration in wide form, and what shows duplicates of the long one."""
        if self._spec.trait is None:
            return self._spec, None
        known = self._known
        if self._spec.dry_run:
            with self._engine.session() as session:
                known = self._find(session)
        return widen(self._spec, self._source, self._engine.dialect, known)

    def _seed(
        self, session: Session, spec: SyncSpec, registered: Registered, snapshot: str
    ) -> list[str]:
        """Take for sent what Iterable holds, and the declaration says; give what to say of it."""
        if self.adopted is not None:
            self._seed_adopted(session, registered, snapshot)
        if spec.seed_sql is None:
            return []
        if self.seeded or not is_first(self._engine, session, registered):
            return [SEED_IGNORED]
        found = seed(
            self._engine,
            session,
            self._source,
            spec,
            registered,
            self._project.type,
            snapshot=snapshot,
            run_id=self.run_id,
            check=None if spec.dry_run else self.lease.check,
        )
        self.seeded = found.rows
        return [found.note]

    def is_new(self) -> bool:
        """Say whether no run has written into the snapshot of the sync yet."""
        with self._engine.session() as session:
            known = self._find(session)
            return known is None or is_first(self._engine, session, known)

    def _seed_adopted(self, session: Session, registered: Registered, snapshot: str) -> None:
        """Take those for sent who are in the list already."""
        with session.transaction():
            self.seeded = seed_members(
                self._engine,
                session,
                registered,
                self.adopted or (),
                self._project.type,
                snapshot=snapshot,
                run_id=self.run_id,
            )
            if not self._spec.dry_run:
                self.lease.check(session)

    def _find(self, session: Session) -> Registered | None:
        known = find(self._engine, session, self._project.name, self._spec.sync)
        return None if known is None else replace(known, shape=self._shape)

    def _moment(self, session: Session) -> int:
        """Give the moment whose data the run sends, in seconds since 1970."""
        if self._spec.as_of is not None:
            return int(self._spec.as_of.timestamp())
        return int(session.rows("SELECT extract(epoch FROM now())")[0][0])

    def _make_plan(
        self,
        session: Session,
        registered: Registered,
        staged: Staged,
        plan_table: str,
        snapshot: str,
    ) -> plans.Plan:
        if self._window is None:
            return diff.make_plan(
                self._engine,
                session,
                self._spec,
                registered,
                staged,
                plan_table=plan_table,
                snapshot=snapshot,
                is_temporary=self._spec.dry_run,
            )
        time = self._engine.dialect.quote(registered.time.name)
        self._newest = newest_in(session, staged.table, time)
        return append_only.make_plan(
            self._engine,
            session,
            self._spec,
            registered,
            staged,
            self._window,
            plan_table=plan_table,
            snapshot=snapshot,
            is_temporary=self._spec.dry_run,
        )

    def _leave_alone(
        self, session: Session, registered: Registered, plan_table: str, snapshot: str
    ) -> None:
        """Do not take rows for gone that are too old to be looked at."""
        window = since_only(self._spec)
        if self._window is not None or window is None:
            return
        quote = self._engine.dialect.quote
        (time,) = (c.name for c in registered.columns if c.role is Role.PURCHASED_AT)
        keys = [quote(key) for key in registered.key_columns]
        leave_alone(
            self._engine,
            session,
            keys,
            quote(time),
            window,
            plan=plan_table,
            snapshot=snapshot,
        )
        plans.recount(session, self._plan)

    def _meet_approvals(self, session: Session, plan: plans.Plan, snapshot: str) -> None:
        """Let go what a person approved, and note a snapshot that is not the sync's."""
        doubted = diff.in_doubt(self._engine, self._registered, snapshot)
        if self._spec.dry_run:
            plan.approved = self._approvals.take(session, plan.table, but_for=doubted)
        else:
            with session.transaction():
                plan.approved = self._approvals.take(session, plan.table, but_for=doubted)
                if plan.is_lost:
                    marker.note_lost(self._engine, session, self._sync_id)
                self.lease.check(session)
        if plan.approved:
            plans.recount(session, plan)
        if plan.total(route=plans.STILL_REJECTED):
            self.waiting = waiting(self._engine, session, self._sync_id, plan.table)

    def hold(self, ops: Sequence[Op], guard: str) -> int:
        """Hold the planned changes of some kinds, but for approved ones; give their number."""
        but_for = self._approvals.let_through(guard)
        with self._engine.session() as session:
            return plans.hold(session, self._plan, ops, guard, but_for=but_for)

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
    def _plan(self) -> plans.Plan:
        if self._made is None:
            raise RuntimeError("there is no plan yet: plan() comes first")
        return self._made

    @property
    def _approvals(self) -> Approvals:
        run_id = None if self._spec.dry_run else self.run_id
        return Approvals(self._engine, self._sync_id, run_id)

    @property
    def _sync_id(self) -> int:
        return self._registered.sync_id

    def _register(self, session: Session, registered: Registered) -> Registered:
        engine, project, sync = self._engine, self._project.name, self._spec.sync
        with session.transaction():
            lock(engine, session)
            check_owners(engine, session, registered, project=project, sync=sync)
            check_claimed(engine, session, registered, project=project, sync=sync)
            registered = save(engine, session, registered, project=project, sync=sync)
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


def _declared(spec: SyncSpec) -> str:
    """Give what of a declaration decides which columns there are; a change of it is no drift."""
    chosen = {
        "exclude": sorted(name.lower() for name in spec.exclude),
        "line_key": sorted(name.lower() for name in spec.line_key),
        "email": spec.email,
        "user_id": spec.user_id,
    }
    return f"{spec.sql}\n-- {json.dumps(chosen)}"


def _check_types(columns: Sequence[Column]) -> None:
    for column in columns:
        if not can_become(column.state, column.wire):
            raise ConfigError(
                f"column {column.name!r} is declared {column.wire.value}, which its values, kept "
                f"as {column.state.value}, cannot become; cast it in the SQL"
            )
