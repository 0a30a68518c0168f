"""The counts of a run, from its plan to its end: what the two identities of a report are of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iterable_sync import guards
from iterable_sync.errors import RetryLater
from iterable_sync.names import field_limit_notes
from iterable_sync.reasons import FOUND
from iterable_sync.rows import Op, RunEnd
from iterable_sync.state import plans

if TYPE_CHECKING:
    from collections.abc import Sequence

    from iterable_sync.push import Pushed
    from iterable_sync.rows import RunReport
    from iterable_sync.spec import SyncSpec
    from iterable_sync.state.plans import Plan
    from iterable_sync.state.quota import Full
    from iterable_sync.state.requeue import Waiting
    from iterable_sync.state.stage import Staged

_NOISY_FIELD = 0.9


def count_plan(report: RunReport, staged: Staged, plan: Plan) -> None:
    """Count what was queried and what is planned about it."""
    removed = plan.total(op=Op.REMOVED)
    report.seeded = plan.total(route=plans.SEEDED)
    in_plan = plan.total() - removed - plan.total(route=plans.UNCHANGED) - report.seeded
    refused_early = sum(staged.rejected.values())
    report.queried = staged.queried
    left_out = plan.ignored + plan.blocked + plan.forgotten
    report.unchanged = staged.queried - in_plan - refused_early - left_out
    report.added = _news(plan, Op.ADDED)
    report.changed = _news(plan, Op.CHANGED)
    report.identity_changed = _news(plan, Op.IDENTITY_CHANGED)
    report.removed = removed
    report.ignored = plan.ignored
    report.blocked = plan.blocked
    report.skipped = plan.total(route=plans.SKIPPED) + left_out
    report.notes += plan.notes
    report.still_rejected = plan.total(route=plans.STILL_REJECTED) - plan.total(
        op=Op.REMOVED, route=plans.STILL_REJECTED
    )
    report.removed_held = plan.total(op=Op.REMOVED, route=plans.HELD)
    report.held = plan.total(route=plans.HELD) - report.removed_held
    report.fields_changed = dict(plan.fields_changed)
    for (_, route), rows in plan.counts.items():
        if route.startswith(plans.HELD):
            guard = route.removeprefix(plans.HELD)
            report.held_by_guard[guard] = report.held_by_guard.get(guard, 0) + rows
        if route.startswith(plans.REJECT):
            reject(report, route.removeprefix(plans.REJECT), rows)
    for reason, rows in staged.rejected.items():
        reject(report, reason, rows)
    if report.changed > 100 and report.fields_changed:
        name, rows = max(report.fields_changed.items(), key=lambda item: item[1])
        others = sum(n for f, n in report.fields_changed.items() if f != name)
        if rows >= _NOISY_FIELD * report.changed and others < rows / 2:
            report.notes.append(
                f"{name!r} changed in {rows / report.changed:.0%} of the changed rows; exclude it?"
            )


def count_waiting(report: RunReport, found: Sequence[Waiting]) -> None:
    """Count what is rejected since an earlier run, and since when."""
    report.still_rejected_by_reason = {one.reason: one.rows for one in found}
    report.still_rejected_age_s = {one.reason: one.oldest_s for one in found}
    report.still_rejected_oldest_s = max(report.still_rejected_age_s.values(), default=0)


def _news(plan: Plan, op: Op) -> int:
    """Count the changes of a kind, without those that are waiting since an earlier run."""
    waiting = plan.total(op=op, route=plans.STILL_REJECTED)
    known = plan.total(op=op, route=plans.UNCHANGED) + plan.total(op=op, route=plans.SEEDED)
    return plan.total(op=op) - known - waiting


def reject(report: RunReport, reason: str, rows: int) -> None:
    """Count rows that were rejected."""
    report.rejected_by_reason[reason] = report.rejected_by_reason.get(reason, 0) + rows


def end(
    spec: SyncSpec,
    pushed: Pushed,
    report: RunReport,
    uncreated: list[str],
    *,
    is_whole: bool,
    full: Full | None = None,
) -> None:
    """
    Say how the run ends, and what is to be known about it.

    Args:
        full: the quota that was used up.
    """
    left = "the rows were taken without them" if is_whole else "they stay to be sent"
    if pushed.uncreated:
        report.notes.append(
            f"{len(pushed.uncreated)} fields were not created by Iterable: "
            f"{', '.join(uncreated)}; allow new fields in the project's settings, "
            f"or create them there; {left}"
        )
    report.notes += field_limit_notes(len(pushed.fields))
    report.notes += [
        f"{rows} rows: {FOUND.get(found, found)}" for found, rows in sorted(pushed.looked.items())
    ]
    limits = spec.thresholds
    rejected = report.rejected + report.removed_rejected
    waits = pushed.stop is None and 0 < report.pending == pushed.waiting
    if not waits and (report.pending or report.removed_pending or pushed.stop is not None):
        report.end = RunEnd.PENDING
        if isinstance(pushed.stop, RetryLater):
            report.retry_after_s = pushed.stop.delay_s
            report.notes.append(str(pushed.stop))
    elif report.held_by_guard.keys() - guards.AS_DECLARED:
        report.end = RunEnd.HELD
    elif rejected > max(limits.rejected_floor, limits.max_rejected * report.queried):
        report.end = RunEnd.REJECTED
    elif waits:
        report.end = RunEnd.WAITING
    if waits and full is not None:
        report.retry_after_s = full.wait_s
        report.notes.append(
            f"{report.pending} requests wait for a quota of Iterable, which has room again at "
            f"{full.until:%Y-%m-%d %H:%M} UTC; the first run after that goes on"
        )
