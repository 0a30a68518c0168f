"""
One run of one sync, as state sees it: lease, stage, plan, lane, journal, fold, report.

:class:`SyncState` is what ``run.py`` and ``push.py`` work with; it holds no rows.
"""

from __future__ import annotations

import json
import os
import socket
import time
import uuid
from collections import Counter
from typing import TYPE_CHECKING

from iterable_sync.errors import AlreadyRunning, ConfigError, LaneBusy, Superseded
from iterable_sync.names import check as check_fields
from iterable_sync.rows import Column, Op, StateType, WireType
from iterable_sync.state import diff, journal
from iterable_sync.state.columns import understand
from iterable_sync.state.dialects.base import arrow_schema
from iterable_sync.state.fold import Fold, Folded
from iterable_sync.state.leases import Lease
from iterable_sync.state.recovery import fold_leftovers
from iterable_sync.state.registry import (
    Registered,
    check_owners,
    find,
    install,
    lock,
    reconcile,
    save,
    snapshot_ddl,
)
from iterable_sync.state.stage import Staged, stage
from iterable_sync.values import can_become

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pandas as pd

    from iterable_sync.rows import Batch, BatchResult, Project, RunReport
    from iterable_sync.spec import SyncSpec
    from iterable_sync.state.dialects.base import Session, Source, StateEngine

_LANE_POLL_S = 2.0
_BOOKKEEPING = tuple(
    Column(name, "", kind, WireType.STRING, -1)
    for name, kind in (
        ("_seq", StateType.BIGINT),
        ("_op", StateType.TEXT),
        ("_mask", StateType.TEXT),
        ("_identity", StateType.TEXT),
    )
)


class SyncState:
    """
    State of one run.

    Args:
        lane: of the sync object.

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
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        engine.check_source(source)
        self._engine = engine
        self._source = source
        self._spec = spec
        self._project = project
        self._lane = lane
        self._clock = clock
        self._sleep = sleep
        self.run_id = uuid.uuid4().hex
        holder = f"{socket.gethostname()}:{os.getpid()}:{self.run_id[:8]}"
        self.lease = Lease(engine, holder, spec.lease_s, clock)
        self.commit_window_s = engine.commit_window_s
        self._token = 0
        self._known: Registered | None = None
        self._made: diff.Plan | None = None
        self.folded = Folded()

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
            self._known = find(self._engine, session, self._project.name, self._spec.sync)
            if self._known is None:
                return
            fold_leftovers(self._engine, session, self._registered, self.lease)
            self._refuse_older(session)

    def plan(self) -> tuple[Staged, diff.Plan]:
        """
        Stage the model and write the plan.

        Raises:
            ConfigError, SyncAborted: nothing was sent.
        """
        engine, spec = self._engine, self._spec
        model = understand(spec, self._source, engine.dialect)
        check_fields(model.columns, merge_nested_objects=spec.merge_nested_objects)
        _check_types(model.columns)
        with engine.session() as session:
            known = self._known
            if spec.dry_run:
                known = find(engine, session, self._project.name, spec.sync)
            registered = reconcile(
                known,
                model.columns,
                sync=spec.sync,
                project=self._project.name,
                object_name=spec.object,
                sql=_declared(spec),
            )
            if spec.dry_run:
                plan_table, snapshot = self._dry(session, registered)
            else:
                registered = self._register(session, registered)
                plan_table = engine.table(self._plan_name(registered))
                snapshot = engine.table(registered.snapshot_table)
            self._known = registered
            placed = {c.name: c for c in registered.columns}
            columns = [placed[c.name] for c in model.columns]
            staged = stage(engine, session, self._source, model, columns, self._project.type)
            self._made = diff.make_plan(
                engine,
                session,
                spec,
                registered,
                staged,
                plan_table=plan_table,
                snapshot=snapshot,
                is_temporary=spec.dry_run,
            )
            session.execute(f"DROP TABLE {staged.table}")
            engine.after_plan(session, plan_table)
            return staged, self._made

    def hold(self, ops: Sequence[Op], guard: str) -> None:
        """Hold the planned changes of some kinds."""
        with self._engine.session() as session:
            diff.hold(session, self._plan, ops, guard)

    def enter_lane(self) -> None:
        """
        Take the project's lane, waiting for at most ``lane_wait_s``.

        Raises:
            LaneBusy: another sync still holds it; everything is pending.
        """
        scope = f"lane:{self._project.name}/{self._lane}"
        until = self._clock() + self._spec.lane_wait_s
        while True:
            with self._engine.session() as session:
                if self.lease.acquire(session, scope) is not None:
                    return
                holder = self.lease.holder_of(session, scope)
            if self._clock() >= until:
                raise LaneBusy(
                    f"lane {scope} is held by {holder}; waited {self._spec.lane_wait_s:.0f} s",
                    delay_s=max(60.0, self._spec.lane_wait_s),
                )
            self._sleep(_LANE_POLL_S)

    def visit(
        self,
        results: Sequence[BatchResult],
        to_open: Sequence[Batch],
        *,
        seq_lo: int,
        seq_hi: int,
        column_of: Mapping[str, str],
        retry_after_s: Mapping[str, float | None],
    ) -> pd.DataFrame | None:
        """
        Settle, open and read on, in one short visit to the database.

        Opening costs no commit of its own: it is in the transaction that settles.

        Returns:
            The rows of the plan with ``seq_lo <= _seq <= seq_hi`` that are to be sent, Arrow
            dtypes; None where the range is empty (``seq_hi < seq_lo``).

        Raises:
            LeaseLost: nothing was recorded.
        """
        with self._engine.session() as session:
            if results or to_open:
                with session.transaction():
                    journal.settle_batches(
                        self._engine,
                        session,
                        self.run_id,
                        results,
                        column_of=column_of,
                        retry_after_s=retry_after_s,
                    )
                    journal.open_batches(
                        self._engine,
                        session,
                        self.run_id,
                        self._token,
                        to_open,
                        column_of=column_of,
                        retry_after_s=retry_after_s,
                    )
                    self.lease.check(session)
            if seq_hi < seq_lo:
                return None
            return self._read(session, seq_lo, seq_hi)

    def fold(self) -> None:
        """Fold what was settled since the last fold."""
        with self._engine.session() as session, session.transaction():
            self.folded += self._fold().settled(session)
            self.lease.check(session)

    def pending(self) -> Counter[str]:
        """Count, by op, the planned rows without an outcome: those of no settled batch too."""
        with self._engine.session() as session:
            gaps = journal.unsettled(self._engine, session, self.run_id, self._plan.last_seq)
            missed = "".join(f"_seq BETWEEN {lo} AND {hi} OR " for lo, hi in gaps)
            rows = session.rows(
                f"SELECT _op, count(*) FROM {self._plan.table} WHERE _route = '{diff.SEND}' "
                f"AND ({missed}_seq IN (SELECT seq "
                f"FROM {self._engine.table('batch_exceptions')} WHERE run_id = '{self.run_id}' "
                "AND field = '' AND outcome NOT IN "
                f"('{journal.REJECTED}', '{journal.REJECTED_IN_DOUBT}'))) GROUP BY 1"
            )
        return Counter({op: int(n) for op, n in rows})

    def finish(self, *, is_complete: bool) -> None:
        """Fold what is left of the run, in one transaction."""
        engine = self._engine
        with engine.session() as session, session.transaction():
            self.folded += self._fold().everything(session)
            if is_complete:
                session.execute(
                    f"UPDATE {engine.table('syncs')} "
                    "SET as_of = COALESCE(CAST(? AS timestamptz), now()) WHERE sync_id = ?",
                    (self._spec.as_of, self._sync_id),
                )
            self.lease.check(session)

    def close(self, report: RunReport, state: str) -> None:
        """Write how the run ended and drop its plan."""
        engine = self._engine
        with engine.session() as session, session.transaction():
            session.execute(
                f"UPDATE {engine.table('runs')} SET state = ?, ended_at = now(), counts = ? "
                "WHERE run_id = ?",
                (state, json.dumps(report.counts() | report.reasons()), self.run_id),
            )
            session.execute(
                f"DELETE FROM {engine.table('batch_exceptions')} WHERE run_id = ?", (self.run_id,)
            )
            if self._made is not None:
                session.execute(f"DROP TABLE IF EXISTS {self._plan.table}")
            self.lease.check(session)

    @property
    def _registered(self) -> Registered:
        if self._known is None:
            raise RuntimeError("the sync is not registered yet: plan() comes first")
        return self._known

    @property
    def _plan(self) -> diff.Plan:
        if self._made is None:
            raise RuntimeError("there is no plan yet: plan() comes first")
        return self._made

    @property
    def _sync_id(self) -> int:
        return self._registered.sync_id

    def _fold(self) -> Fold:
        plan = self._plan_name(self._registered)
        return Fold(self._engine, self._registered, self.run_id, plan)

    def _register(self, session: Session, registered: Registered) -> Registered:
        engine, project, sync = self._engine, self._project.name, self._spec.sync
        with session.transaction():
            lock(engine, session)
            check_owners(engine, session, registered, project=project, sync=sync)
            registered = save(engine, session, registered, project=project, sync=sync)
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
        engine = self._engine
        plan = f"{engine.temporary}_plan"
        if registered.sync_id:
            return plan, engine.table(registered.snapshot_table)
        snapshot = f'{engine.temporary}"_empty_snapshot"'
        session.execute(f"DROP TABLE IF EXISTS {snapshot}")
        session.execute(f"CREATE TEMP TABLE {snapshot} ({snapshot_ddl(engine, registered)})")
        return plan, snapshot

    def _read(self, session: Session, seq_lo: int, seq_hi: int) -> pd.DataFrame:
        import pandas as pd

        wanted = (*_BOOKKEEPING, *self.columns)
        names = ", ".join(self._engine.dialect.quote(c.name) for c in wanted)
        table = session.arrow(
            f"SELECT {names} FROM {self._plan.table} "
            f"WHERE _seq BETWEEN {seq_lo} AND {seq_hi} AND _route = '{diff.SEND}'",
            arrow_schema(wanted),
        )
        seqs = table.column("_seq").to_numpy()
        if (seqs[1:] < seqs[:-1]).any():
            # Rare, and cheaper than asking the engine to sort whole rows of every chunk.
            table = table.sort_by("_seq")
        frame: pd.DataFrame = table.to_pandas(types_mapper=pd.ArrowDtype)
        return frame

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
