"""
How a run ends, as the state of an Airflow task.

=====================================================  ==========================================
clean, rejected rows within limits                     success
rows that wait for a quota of Iterable                 success: the next run goes on
held                                                   failed, no retry (``on_held="succeed"``:
                                                       success; not of a lost snapshot)
rejected above limits, configuration, 401 and 403,     failed, no retry
a run that a person has to look at
rows pending, state or lane busy, Iterable down,       failed, retried after the delay asked for
already running (a retry)
already running (first try), superseded                skipped
=====================================================  ==========================================

No exception keeps its cause: Airflow logs whole chains, and a driver's message may quote a row.
"""

from __future__ import annotations

import traceback
from pathlib import Path

from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowFailException,
    AirflowSkipException,
)

from iterable_sync.errors import AlreadyRunning, IterableSyncError, RetryLater, RunSkipped
from iterable_sync.guards import SNAPSHOT_LOST
from iterable_sync.rows import RunEnd, RunReport
from iterable_sync.spec import SyncSpec

_LEASE_S = float(SyncSpec.model_fields["lease_s"].default)


class Unfinished(AirflowException):
    """
    The run could not finish now; Airflow retries.

    Args:
        message: what and why.

        delay_s: seconds after which a retry makes sense; None leaves it to the task.
    """

    def __init__(self, message: str, delay_s: float | None = None) -> None:
        super().__init__(message, delay_s)
        self.message = message
        self.delay_s = delay_s

    def __str__(self) -> str:
        return self.message


def of_error(error: Exception, *, is_retry: bool = False) -> Exception:
    """
    Give the exception that puts the task into the state that *error* calls for.

    One that is not ours keeps its type and the places it passed, but not its message.

    Args:
        is_retry: this try follows one that ended badly. A lease that is still held is then most
            likely the dead one's own: the retry waits for it to run out, and skips nothing.
    """
    if is_retry and isinstance(error, AlreadyRunning):
        return Unfinished(
            f"{error}; if that is the try before this one, its lease runs out", _LEASE_S
        )
    if isinstance(error, RunSkipped):
        return AirflowSkipException(str(error))
    if isinstance(error, RetryLater):
        return Unfinished(str(error), error.delay_s)
    if isinstance(error, IterableSyncError):
        return AirflowFailException(f"{type(error).__name__}: {error}")
    if isinstance(error, ImportError):
        return AirflowFailException(
            f"{error}. Is an extra missing? "
            "pip install 'airflow-provider-iterable[duckdb,postgres]'"
        )
    return AirflowException(
        f"unexpected {_type(error)}, its message withheld as it may quote a row; at {places(error)}"
    )


def of_report(report: RunReport, *, on_held: str) -> Exception | None:
    """Give the exception that a finished run ends its task with; None is success."""
    if report.end is RunEnd.PENDING:
        return Unfinished(
            f"sync {report.sync!r}: {report.pending + report.removed_pending} keys are still to be "
            "sent; what was accepted is recorded, and a retry sends the rest",
            report.retry_after_s,
        )
    if report.end is RunEnd.REJECTED:
        return AirflowFailException(
            f"sync {report.sync!r}: {report.rejected} rows rejected, more than thresholds= allows "
            f"({_listed(report.rejected_by_reason)}). The others are delivered. Mend the rows or "
            "the model, or raise thresholds"
        )
    if report.end is RunEnd.HELD and SNAPSHOT_LOST in report.held_by_guard:
        return AirflowFailException(
            f"sync {report.sync!r}: its snapshot is not the one that the last run left; everything "
            "is held, and none of it can be approved. Restore the snapshot, or run once with "
            "full_resync=True, which sends every row again"
        )
    if report.end is RunEnd.HELD and on_held != "succeed":
        return AirflowFailException(
            f"sync {report.sync!r}: {report.held + report.removed_held} changes held by a guard "
            f"({_listed(report.held_by_guard)}), nothing of them sent. The others are delivered. "
            "If they are meant, approve them with IterableReleaseOperator, or raise the limit in "
            "guards= (or first_sync=) for a run; the notes above say what each guard found"
        )
    return None


def places(error: BaseException) -> str:
    """Name the types of *error* and its causes and the lines they came from, innermost first."""
    parts = []
    current: BaseException | None = error
    while current is not None:
        frames = traceback.extract_tb(current.__traceback__)[-4:]
        lines = " < ".join(
            f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in reversed(frames)
        )
        parts.append(f"{_type(current)} [{lines}]")
        current = current.__cause__ or (
            None if current.__suppress_context__ else current.__context__
        )
    return ", from ".join(parts)


def _type(error: BaseException) -> str:
    kind = type(error)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{name}: {count}" for name, count in counts.items()) or "no reason given"
