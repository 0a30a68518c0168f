"""One run of one sync, from the query to the report: the nine steps in order, nothing else."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from iterable_sync import books, guards, objects
from iterable_sync.catalog_fields import find_catalog
from iterable_sync.catalog_items import read_back
from iterable_sync.delivery import Deliverer
from iterable_sync.errors import ConfigError, CountsDiffer, RetryLater, SyncAborted
from iterable_sync.estimate import estimate, foretell
from iterable_sync.failpoints import failpoint
from iterable_sync.list_ids import find_lists, judge
from iterable_sync.list_members import adopting, compare_sizes
from iterable_sync.names import sent_fields, shown
from iterable_sync.pacing import Pacer
from iterable_sync.push import Push, Pushed
from iterable_sync.rows import Op, RunEnd, RunReport
from iterable_sync.same_project import check_project
from iterable_sync.state import SyncState, plans
from iterable_sync.subscription_groups import read_groups
from iterable_sync.sync_object import completed

if TYPE_CHECKING:
    from collections.abc import Callable

    from iterable_sync.client import IterableClient
    from iterable_sync.pacing import SharedRate
    from iterable_sync.spec import SyncSpec
    from iterable_sync.state import Source, StateEngine
    from iterable_sync.state.plans import Plan
    from iterable_sync.state.stage import Staged
    from iterable_sync.sync_object import SyncObject

log = logging.getLogger(__name__)


def run_sync(
    spec: SyncSpec,
    *,
    source: Source,
    client: IterableClient,
    state: StateEngine,
    should_stop: Callable[[], bool] = lambda: False,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    shared_rate: SharedRate | None = None,
) -> RunReport:
    """
    Send Iterable what changed in the warehouse since it last accepted it.

    Args:
        should_stop: true once the run should end: no further request starts, those on their way
            are finished and recorded.

        clock, sleep: monotonic seconds.

        shared_rate: paces this run together with those that keep their state elsewhere.

    Returns:
        The report. ``report.end`` says how the run ended: clean, something held, too much
        rejected, or something pending.

    Raises:
        ConfigError: a person changes something; nothing or a recorded part was sent.

        RetryLater: nothing was sent; later it will work.

        SyncAborted: a person looks first.

        RunSkipped: another run is at it, or newer data has been sent.
    """
    sync_object = objects.get(spec.object)
    spec = completed(spec, sync_object)
    sync_object.check(spec, client.project)
    if spec.dry_run:
        with state.without_trace() as engine:
            return _dry_run(spec, sync_object, source, client, engine, clock, sleep)
    sync_state = SyncState(
        state,
        source,
        spec,
        client.project,
        sync_object.lane,
        sync_object.shape,
        clock=clock,
        sleep=sleep,
    )
    report = RunReport(spec.sync, sync_state.run_id)
    with state.visits_follow():
        try:
            sync_state.begin()
            if sync_object.shape.needs_catalog:
                read_back(spec, sync_object, client, sync_state, report, should_stop, sleep)
            return _run(
                spec,
                sync_state,
                sync_object,
                client,
                report,
                should_stop,
                clock,
                sleep,
                shared_rate,
            )
        except Exception:
            # No process died: what was on its way is over by now.
            sync_state.wake()
            raise
        finally:
            sync_state.lease.release()


def _dry_run(
    spec: SyncSpec,
    sync_object: SyncObject,
    source: Source,
    client: IterableClient,
    state: StateEngine,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
) -> RunReport:
    """Plan, and work out what sending would cost: no lease, no run, no write anywhere."""
    sync_state = SyncState(
        state,
        source,
        spec,
        client.project,
        sync_object.lane,
        sync_object.shape,
        clock=clock,
        sleep=sleep,
    )
    report = RunReport(spec.sync, sync_state.run_id, dry_run=True)
    with adopting(spec, client, sync_state, report, sleep):
        _, plan, held = _plan(spec, sync_state, client, report, clock)
    first = sync_state.first_rows
    if sync_object.shape.needs_lists:
        find_lists(spec, client, sync_state, report, sleep)
    if sync_object.shape.needs_catalog:
        find_catalog(spec, client, sync_state, report, sleep)
    if sync_object.shape.needs_groups and first is not None:
        sync_state.groups = read_groups(client, sleep)
    if first is not None:
        sends = [op for op in Op if op not in held]
        estimate(
            spec,
            sync_object,
            sync_state,
            client,
            report,
            rows=sum(plan.total(op=op, route=plans.SEND) for op in sends),
            frame=first[first["_op"].isin(sends)],
            sleep=sleep,
        )
    return report


def _run(
    spec: SyncSpec,
    sync_state: SyncState,
    sync_object: SyncObject,
    client: IterableClient,
    report: RunReport,
    should_stop: Callable[[], bool],
    clock: Callable[[], float],
    sleep: Callable[[float], None],
    shared_rate: SharedRate | None,
) -> RunReport:
    try:
        with adopting(spec, client, sync_state, report, sleep):
            staged, plan, _ = _plan(spec, sync_state, client, report, clock)
    except (ConfigError, SyncAborted):
        sync_state.close(report, "failed")
        raise
    failpoint("planned")
    keyless = sum(staged.rejected.values())
    pushed = Pushed()
    started = clock()
    if plan.last_seq:
        try:
            check_project(client, sync_state, report, sleep)
            if sync_object.shape.needs_lists:
                find_lists(spec, client, sync_state, report, sleep)
            if sync_object.shape.needs_catalog:
                find_catalog(spec, client, sync_state, report, sleep)
            if sync_object.shape.needs_groups:
                sync_state.groups = read_groups(client, sleep)
            sync_state.lane.enter(should_stop)
            pusher = Push(
                spec,
                sync_object,
                sync_state,
                client,
                Deliverer(
                    client,
                    sync_object,
                    Pacer(
                        spec.requests_per_s or sync_object.requests_per_s,
                        clock=clock,
                        sleep=sleep,
                        shared=shared_rate,
                        bucket=client.project.name + sync_object.path,
                    ),
                    may_post=lambda: sync_state.lease.may_post(client.deadline_s),
                    should_stop=should_stop,
                    clock=clock,
                    sleep=sleep,
                    quotas=sync_state.quotas,
                ),
                last_seq=plan.last_seq,
                should_stop=should_stop,
                clock=clock,
                sleep=sleep,
            )
            pushed = pusher.done
            pusher.run()
            pushed.stop = judge(pushed.stop, sync_state)
        except RetryLater as error:
            pushed.stop = error
        except ConfigError:
            _record(spec, sync_state, plan, pushed, report, keyless=keyless, state="failed")
            raise
    report.seconds["push"] = clock() - started
    report.seconds["of it mapping"] = pushed.seconds_mapping
    report.seconds["of it reading"] = pushed.seconds_reading
    report.seconds["of it recording"] = pushed.seconds_recording
    started = clock()
    failed = "failed" if isinstance(pushed.stop, ConfigError) else None
    _record(spec, sync_state, plan, pushed, report, keyless=keyless, state=failed)
    report.seconds["fold"] = clock() - started
    if sync_object.shape.needs_lists and not failed and report.end is not RunEnd.PENDING:
        compare_sizes(client, spec, sync_state, report)
    _log(report)
    if isinstance(pushed.stop, ConfigError):
        raise pushed.stop
    if differences := report.differences():
        raise CountsDiffer(
            f"sync {spec.sync}: rows are unaccounted for: {differences}; the run's counts are in "
            f"the table runs, run {report.run_id}"
        )
    return report


def _plan(
    spec: SyncSpec,
    sync_state: SyncState,
    client: IterableClient,
    report: RunReport,
    clock: Callable[[], float],
) -> tuple[Staged, Plan, set[Op]]:
    """Stage, diff and guard: steps 1 to 3; give as well what a dry run would hold."""
    would_hold: set[Op] = set()
    started = clock()
    staged, plan = sync_state.plan()
    report.seconds["stage and diff"] = clock() - started
    to_send = {
        op: plan.total(op=op, route=plans.SEND)
        + plan.total(op=op, route=plans.IGNORE)
        - plan.approved.get(op, 0)
        - plan.doubted.get(op, 0)
        - plan.free.get(op, 0)
        for op in Op
    }
    sync_object = objects.get(spec.object)
    rate = spec.requests_per_s or sync_object.requests_per_s
    for trip in guards.tripped(
        to_send,
        queried=staged.queried,
        live=plan.live,
        known=plan.known,
        guards=spec.guards,
        first_sync=spec.first_sync,
        is_full_resync=spec.full_resync,
        is_below_low_water=plan.is_below_low_water,
        is_lost=plan.is_lost,
        is_first=plan.is_first,
        rows_per_s=rate * min(spec.batch_rows, sync_object.max_rows),
        asks_first=sync_object.shape.has_history and spec.since is None,
        people=sync_state.people() if sync_object.shape.is_final else None,
    ):
        would_hold |= set(trip.ops)
        held = 0 if spec.dry_run else sync_state.hold(trip.ops, trip.guard)
        if trip.guard == guards.SNAPSHOT_LOST:
            # Also where no row differs: what an older copy says may be what the warehouse says.
            report.held_by_guard[trip.guard] = 0
        if held or spec.dry_run or trip.guard in report.held_by_guard:
            report.notes.append(f"held by {trip.guard}: {trip.words}")
    if (would_hold or spec.dry_run) and sync_object.shape.is_final:
        foretell(spec, sync_object, sync_state, client, report, rows=sum(to_send.values()))
    books.count_plan(report, staged, plan)
    if report.still_rejected:
        books.count_waiting(report, sync_state.waiting)
    log.info(
        "%s: %d rows queried; %d added, %d changed, %d removed, %d held",
        spec.sync,
        report.queried,
        report.added,
        report.changed,
        report.removed,
        report.held + report.removed_held,
    )
    return staged, plan, would_hold


def _record(
    spec: SyncSpec,
    sync_state: SyncState,
    plan: Plan,
    pushed: Pushed,
    report: RunReport,
    *,
    keyless: int,
    state: str | None,
) -> None:
    """Fold, count what was folded against what was planned, write the report: steps 8 and 9."""
    pending = sync_state.pending()
    is_complete = state is None and pushed.stop is None and not pending.total()
    sync_state.finish(is_complete=is_complete)
    failpoint("before_close")
    folded = sync_state.folded
    report.accepted = folded.accepted
    report.rejected = folded.rejected + keyless
    report.pending = pending.total() - pending[Op.REMOVED]
    report.removed_accepted = folded.removed
    report.removed_ignored = folded.ignored
    report.removed_rejected = folded.removed_rejected + plan.total(
        op=Op.REMOVED, route=plans.STILL_REJECTED
    )
    report.removed_pending = pending[Op.REMOVED]
    report.fields_rejected = folded.fields_rejected
    report.requests = pushed.requests
    report.bytes_sent = pushed.bytes_sent
    mapped = {*sent_fields(sync_state.columns), *sync_state.claimed}
    report.new_fields = shown(pushed.new_fields, mapped)
    for reason, rows in pushed.reasons.items():
        books.reject(report, reason, rows)
    books.end(
        spec,
        pushed,
        report,
        shown(pushed.uncreated, mapped),
        is_whole=sync_state.is_append_only,
        full=sync_state.quotas.full,
    )
    found = "counts_differ" if report.differences() else report.end.value
    sync_state.close(report, state or found)


def _log(report: RunReport) -> None:
    log.info(
        "%s: %s; accepted %d, rejected %d, still rejected %d, held %d, pending %d; %d requests",
        report.sync,
        report.end,
        report.accepted + report.removed_accepted,
        report.rejected + report.removed_rejected,
        report.still_rejected,
        report.held + report.removed_held,
        report.pending + report.removed_pending,
        report.requests,
    )
