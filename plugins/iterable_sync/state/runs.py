"""
One run of one sync, as state sees it: lease, stage, plan, lane, journal, fold, report.

:class:`SyncState` is what ``run.py`` and ``push.py`` work with; it holds no rows.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from typing import TYPE_CHECKING

from iterable_sync.failpoints import failpoint
from iterable_sync.state import append_only, journal, late, marker, plans
from iterable_sync.state.catalogs import latest_settled
from iterable_sync.state.fold import Fold, Folded
from iterable_sync.state.lists import Membership, memberships
from iterable_sync.state.marks import heed_marks
from iterable_sync.state.plan_rows import read_rows
from iterable_sync.state.planning import PlannedRun
from iterable_sync.state.retention import is_due, prune
from iterable_sync.state.sampling import draw, mark_dirty
from iterable_sync.state.transactions import patiently, transact

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    import pandas as pd

    from iterable_sync.rows import Batch, BatchResult, RunReport
    from iterable_sync.state.dialects.base import Session

log = logging.getLogger(__name__)


class SyncState(PlannedRun):
    """State of one run: it plans, see :class:`PlannedRun`, sends what is planned, and ends."""

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

        def record(session: Session) -> None:
            journal.settle_batches(
                self._engine,
                session,
                self.run_id,
                results,
                column_of=column_of,
                retry_after_s=retry_after_s,
            )
            failpoint("mid_transaction")
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

        if results or to_open:
            transact(self._engine, record, self._sleep)
        if seq_hi < seq_lo:
            return None
        started = self._clock()

        def read(session: Session) -> pd.DataFrame:
            # The plan of a run that was replaced is gone.
            self.lease.check(session)
            within = f"_seq BETWEEN {seq_lo} AND {seq_hi}"
            return read_rows(self._engine, session, self._plan.table, self.columns, within)

        frame = patiently(self._engine, read, self._sleep)
        self.seconds_reading += self._clock() - started
        return frame

    def fold(self) -> None:
        """Fold what was settled since the last fold."""

        def write(session: Session) -> Folded:
            folded = self._fold().settled(session)
            self.lease.check(session)
            return folded

        self.folded += transact(self._engine, write, self._sleep)

    def pending(self) -> Counter[str]:
        """Count, by op, the planned rows without an outcome: those of no settled batch too."""
        if not self._plan.last_seq:
            return Counter()

        def read(session: Session) -> Counter[str]:
            gaps = journal.unsettled(self._engine, session, self.run_id, self._plan.last_seq)
            missed = "".join(f"_seq BETWEEN {lo} AND {hi} OR " for lo, hi in gaps)
            rows = session.rows(
                f"SELECT _op, count(*) FROM {self._plan.table} WHERE _route = '{plans.SEND}' "
                f"AND ({missed}_seq IN (SELECT seq "
                f"FROM {self._engine.table('batch_exceptions')} WHERE run_id = '{self.run_id}' "
                "AND field = '' AND outcome NOT IN "
                f"('{journal.REJECTED}', '{journal.REJECTED_IN_DOUBT}'))) GROUP BY 1"
            )
            return Counter({op: int(n) for op, n in rows})

        return patiently(self._engine, read, self._sleep)

    def memberships(self) -> dict[str | None, Membership]:
        """Give, by the name of each list, who is in it as the snapshot says."""
        is_new = f"t._run = {self._engine.dialect.literal(self.run_id)}"
        return patiently(
            self._engine,
            lambda session: memberships(self._engine, session, self._registered, is_new),
            self._sleep,
        )

    def draw_latest(self, *, rows: int, settle_s: float) -> pd.DataFrame | None:
        """
        Draw rows of the latest run of which what was accepted has settled, see :mod:`.sampling`.

        Returns:
            What mapping takes, and the keys as text in ``_key``; None where there is nothing.
        """
        known = self._known
        if known is None:
            return None

        def read(session: Session) -> pd.DataFrame | None:
            run = latest_settled(self._engine, session, known, self._spec, settle_s=settle_s)
            if run is None:
                return None
            of_run = f"t._run = {self._engine.dialect.literal(run)}"
            # Another sample of the same run each time.
            seed = self._token
            return draw(
                self._engine,
                session,
                known,
                rows=rows,
                settle_s=settle_s,
                seed=seed,
                where=of_run,
            ).frame

        return patiently(self._engine, read, self._sleep)

    def doubt(self, found: Mapping[str, Collection[str] | None]) -> None:
        """Doubt the columns of rows, by their keys as text; None is the whole row."""

        def write(session: Session) -> None:
            mark_dirty(self._engine, session, self._registered, found)
            self.lease.check(session)

        transact(self._engine, write, self._sleep)

    def finish(self, *, is_complete: bool) -> None:
        """Fold what is left of the run, in one transaction."""
        engine = self._engine

        to_prune = False

        def write(session: Session) -> Folded:
            nonlocal to_prune
            folded = self._fold().everything(session)
            if is_complete and self._window is not None:
                append_only.move_on(
                    engine,
                    session,
                    self._registered,
                    self._spec,
                    self._window,
                    plan=self._plan.table,
                    newest=self._newest,
                )
            elif is_complete:
                session.execute(
                    f"UPDATE {engine.table('syncs')} "
                    "SET as_of = COALESCE(CAST(? AS timestamptz), now()) WHERE sync_id = ?",
                    (self._spec.as_of, self._sync_id),
                )
            if is_complete and self._spec.full_resync:
                marker.trust(engine, session, self._registered)
            to_prune = is_complete and is_due(engine, session, self._sync_id)
            heed_marks(engine, session, self._registered, run_id=self.run_id)
            self.lease.check(session)
            return folded

        self.folded += transact(engine, write, self._sleep)
        if to_prune:
            transact(engine, self._prune, self._sleep)

    def close(self, report: RunReport, state: str) -> None:
        """Write how the run ended and drop its plan."""
        engine = self._engine

        def write(session: Session) -> None:
            session.execute(
                f"UPDATE {engine.table('runs')} SET state = ?, ended_at = now(), counts = ? "
                "WHERE run_id = ?",
                (state, json.dumps(report.counts() | report.reasons()), self.run_id),
            )
            failpoint("writing_report")
            session.execute(
                f"DELETE FROM {engine.table('batch_exceptions')} WHERE run_id = ?", (self.run_id,)
            )
            if self._made is not None:
                session.execute(f"DROP TABLE IF EXISTS {self._plan.table}")
            self.lease.check(session)

        transact(engine, write, self._sleep)

    def wake(self) -> None:
        """Say that nothing of this run is on its way any more, where its lease is lost."""
        if self._known is None:
            return
        try:
            with self._engine.session() as session:
                late.wake(self._engine, session, self.run_id)
        # Whatever a driver raises: the next runs then wait longer before they look again.
        except Exception as error:  # noqa: BLE001
            log.warning("the end of the run is not noted: %s", type(error).__name__)

    def _prune(self, session: Session) -> None:
        prune(
            self._engine,
            session,
            self._sync_id,
            token=self._token,
            history_s=self._spec.history_s,
        )
        self.lease.check(session)

    def _fold(self) -> Fold:
        plan = self._plan_name(self._registered)
        return Fold(self._engine, self._registered, self.run_id, plan)
