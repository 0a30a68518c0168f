"""A run's report as lines for the task's log: counts, field names and reasons, no values."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from iterable_sync.rows import RunReport

_SHOWN_FIELDS = 10

_ALWAYS = (
    "queried",
    "unchanged",
    "added",
    "changed",
    "identity_changed",
    "removed",
    "accepted",
    "rejected",
    "still_rejected",
    "held",
    "skipped",
    "pending",
)


def lines(report: RunReport) -> list[str]:
    """Give the table: every count that says something, then reasons, fields, notes, seconds."""
    counts = {name: n for name, n in report.counts().items() if n or name in _ALWAYS}
    width = max(map(len, counts))
    head = "dry run, nothing sent" if report.dry_run else report.end.value
    rows = [f"{report.sync}, run {report.run_id}: {head}"]
    rows += [f"  {name:<{width}}  {count:>12,}" for name, count in counts.items()]
    rows += [f"  rejected: {reason}  {n:,}" for reason, n in report.rejected_by_reason.items()]
    rows += [
        f"  still rejected: {reason}  {n:,}, the oldest for {_lasting(report, reason)}"
        for reason, n in report.still_rejected_by_reason.items()
    ]
    rows += [f"  held by {guard}  {n:,}" for guard, n in report.held_by_guard.items()]
    fields = sorted(report.fields_changed.items(), key=lambda item: -item[1])
    rows += [f"  changed field {name}  {n:,}" for name, n in fields[:_SHOWN_FIELDS]]
    if len(fields) > _SHOWN_FIELDS:
        rows.append(f"  and {len(fields) - _SHOWN_FIELDS} more fields")
    if report.new_fields:
        rows.append(f"  new in Iterable: {', '.join(report.new_fields)}")
    if report.seconds:
        spent = ", ".join(f"{stage} {seconds:.1f}" for stage, seconds in report.seconds.items())
        rows.append(f"  seconds: {spent}")
    rows += [f"  note: {note}" for note in report.notes]
    return rows


def _lasting(report: RunReport, reason: str) -> str:
    seconds = report.still_rejected_age_s.get(reason, 0)
    return f"{seconds / 86_400:.1f} days" if seconds >= 86_400 else f"{seconds / 3_600:.1f} hours"
