"""
Reads a sample of what a sync has delivered back from Iterable, and doubts what does not show.

Iterable says that it took a row, and applies it later: it may drop one, and others write into the
same fields. Nothing of that is seen by a run. Here rows are drawn at random, their people read, and
their fields compared with what the snapshot says, sent through the mapping of the sync object. What
differs is marked in the snapshot, so that the next run sends it again, whatever the warehouse says.

Rows are read without the lease of the sync, and a row that a run touched meanwhile is left out.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from iterable_sync import objects
from iterable_sync.drift import ReconcileReport
from iterable_sync.errors import ConfigError, RetryLater
from iterable_sync.list_members import read_difference
from iterable_sync.pacing import Pacer
from iterable_sync.profile_reads import READS_PER_S, read_profile
from iterable_sync.read_back import OnProfiles, ReadBack
from iterable_sync.retrying import AttemptFailed, NotSent, read_patiently
from iterable_sync.same_project import check_project
from iterable_sync.spec import SyncSpec
from iterable_sync.state.between import BetweenRuns, registered_sync
from iterable_sync.sync_object import MapContext

if TYPE_CHECKING:
    from collections.abc import Callable

    from iterable_sync.client import IterableClient
    from iterable_sync.pacing import SharedRate
    from iterable_sync.read_back import Finding
    from iterable_sync.state import StateEngine
    from iterable_sync.sync_object import SyncObject

T = TypeVar("T")

log = logging.getLogger(__name__)

_CHUNK = 2_000
_THREADS = 16
# Source: Swagger, 5 requests a minute and project, shared with reading members, documented; 80 %.
_SIZES_PER_S = 5 / 60 * 0.8
_MOST_LISTS = 20
_LEASE_S = float(SyncSpec.model_fields["lease_s"].default)


def reconcile(
    sync: str,
    *,
    client: IterableClient,
    state: StateEngine,
    rows: int = 2_000,
    settle_s: float = 600.0,
    seed: int | None = None,
    mark: bool = True,
    merge_nested_objects: bool = True,
    requests_per_s: float = READS_PER_S,
    should_stop: Callable[[], bool] = lambda: False,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    shared_rate: SharedRate | None = None,
) -> ReconcileReport:
    """
    Compare rows that Iterable accepted, drawn at random, with what it shows.

    Of a sync of lists the sizes of its lists are compared, and nothing can be marked.

    Args:
        sync: its name in the state; all that comparing needs is known there.

        rows: so many at most.

        settle_s: rows that were accepted later than that are left out: Iterable is asynchronous.

        seed: of the sample; None draws another one each time.

        mark: False only reports.

        merge_nested_objects: as the sync says it.

        requests_per_s: 80 % of the published limit.

        should_stop, clock, sleep, shared_rate: as for :func:`iterable_sync.run.run_sync`.

    Raises:
        ConfigError: there is no such sync, nothing of its object can be read back, or the key is of
            another project; nothing was marked.

        RetryLater: Iterable does not answer, or it was stopped; nothing was marked.

        AlreadyRunning: a run has the sync; nothing was marked.
    """
    if rows < 1 or settle_s < 0:
        raise ConfigError("reconcile: rows has to be 1 or more, and settle_s not negative")
    project, started = client.project.name, clock()
    registered = registered_sync(state, project, sync)
    sync_object = objects.get(registered.object)
    profile_of = sync_object.profile_of if isinstance(sync_object, OnProfiles) else None
    if profile_of is None and not sync_object.shape.needs_lists:
        raise ConfigError(
            f"sync {sync!r}: {registered.object} cannot be read back: no profile shows which of "
            "its rows Iterable has applied, or people change them there themselves; what can be "
            f"are {', '.join(_read_back())}"
        )
    between = BetweenRuns(
        state,
        replace(registered, shape=sync_object.shape, project=client.project),
        project,
        sync,
        lease_s=_LEASE_S,
        clock=clock,
        sleep=sleep,
    )
    report = ReconcileReport(sync)
    with state.visits_follow():
        standing = between.begin()
        report.live, report.last_clean_s = standing.live, standing.last_clean_s
        check_project(client, between, report, sleep)
        if profile_of is None:
            pacer = Pacer(
                _SIZES_PER_S,
                clock=clock,
                sleep=sleep,
                shared=shared_rate,
                bucket=f"{project}/api/lists/size",
            )
            reader = _Reader(client, pacer, report, should_stop, sleep)
            _compare_sizes(between, reader, report, settle_s=settle_s)
        else:
            pacer = Pacer(
                requests_per_s,
                clock=clock,
                sleep=sleep,
                shared=shared_rate,
                bucket=f"{project}/api/users",
            )
            reader = _Reader(client, pacer, report, should_stop, sleep)
            context = MapContext(
                columns=between.registered.columns,
                project_type=client.project.type,
                merge_nested_objects=merge_nested_objects,
                known_types=_known_types(sync_object, client, sleep),
                project=project,
                sync=sync,
            )
            back = ReadBack(sync_object, profile_of, context, reader.profile, threads=_THREADS)
            findings = _compare_rows(
                between,
                back,
                report,
                rows=rows,
                settle_s=settle_s,
                seed=random.SystemRandom().getrandbits(31) if seed is None else seed,
            )
            _end(between, findings, report, mark=mark)
    report.seconds = clock() - started
    for line in report.lines():
        log.info("%s", line)
    return report


class _Reader:
    """Reads at a pace, patiently, from any number of threads."""

    def __init__(
        self,
        client: IterableClient,
        pacer: Pacer,
        report: ReconcileReport,
        should_stop: Callable[[], bool],
        sleep: Callable[[float], None],
    ) -> None:
        self.client = client
        self._pacer = pacer
        self._report = report
        self._should_stop = should_stop
        self._sleep = sleep
        self._lock = threading.Lock()
        # Spreads waits; nothing secret hangs on it.
        self._rng = random.Random()  # noqa: S311

    def profile(self, identity: str) -> dict[str, Any] | None:
        """Read a person, None if there is nobody."""
        return self.patiently(lambda: read_profile(self.client, identity))

    def patiently(self, read: Callable[[], T]) -> T:
        """Read something; raises as :func:`iterable_sync.retrying.read_patiently`."""
        return read_patiently(lambda: self._at_pace(read), rng=self._rng, sleep=self._sleep)

    def _at_pace(self, read: Callable[[], T]) -> T:
        if not self._pacer.acquire(self._should_stop):
            raise RetryLater("stopped before all was read; nothing was marked")
        with self._lock:
            self._report.requests += 1
        try:
            return read()
        except AttemptFailed as error:
            if not isinstance(error, NotSent):
                self._pacer.on_429(error.retry_after_s)
            raise


def _read_back() -> list[str]:
    """Give the names of the sync objects whose rows can be compared."""
    known = map(objects.get, objects.names())
    return sorted(one.name for one in known if one.shape.needs_lists or isinstance(one, OnProfiles))


def _known_types(
    sync_object: SyncObject, client: IterableClient, sleep: Callable[[float], None]
) -> dict[str, str]:
    if not sync_object.has_listed_fields:
        return {}
    return read_patiently(client.known_fields, rng=random.Random(), sleep=sleep)  # noqa: S311


def _compare_rows(
    between: BetweenRuns,
    back: ReadBack,
    report: ReconcileReport,
    *,
    rows: int,
    settle_s: float,
    seed: int,
) -> list[Finding]:
    """Read a sample piece by piece, so that memory stays flat."""
    findings: list[Finding] = []
    after = ""
    while report.sampled < rows:
        size = min(_CHUNK, rows - report.sampled)
        sample = between.draw(rows=size, settle_s=settle_s, seed=seed, after=after)
        if sample.frame.empty:
            break
        compared = back.compare(sample.frame)
        findings += compared.findings
        report.sampled += len(sample.frame)
        report.not_comparable += len(sample.frame) - compared.compared
        log.info("%s: %d rows read back, %d differ", report.sync, report.sampled, len(findings))
        after = sample.after
    return findings


def _end(
    between: BetweenRuns, findings: list[Finding], report: ReconcileReport, *, mark: bool
) -> None:
    """Mark what differs, and count what nobody touched since it was drawn."""
    found = {finding.key: finding.columns for finding in findings}
    seen = {finding.key: finding.seen for finding in findings}
    still = between.end(found, seen, mark=mark)
    report.changed_since = len(findings) - len(still)
    for finding in findings:
        if finding.key not in still:
            continue
        report.missing += finding.is_missing
        report.drifted += not finding.is_missing
        for name in sorted(finding.fields):
            report.fields[name] = report.fields.get(name, 0) + 1
    report.marked = len(still) if mark else 0


def _compare_sizes(
    between: BetweenRuns, reader: _Reader, report: ReconcileReport, *, settle_s: float
) -> None:
    """Compare the lists of a sync; those that were compared longest ago, where there are many."""
    members = between.memberships(settle_s)
    order = {name: place for place, name in enumerate(between.lists.known())}
    lists = [(name, number) for sync, name, number in between.lists.used() if sync == report.sync]
    lists.sort(key=lambda one: order.get(one[0], -1))
    for name, number in lists[:_MOST_LISTS]:
        # One list of all rows has no name in them, and one that is declared by its id none at all.
        membership = members.get(name) or members.get(None)
        if membership is None:
            continue
        known_as = None if name.startswith("#") else name
        found = reader.patiently(
            lambda: read_difference(reader.client, known_as, number, membership)  # noqa: B023
        )
        report.lists += 1
        report.sampled += membership.people
        report.missing += max(0, -found.people)
        report.drifted += max(0, found.people)
        if found.people:
            report.notes.append(found.note)
    between.lists.compared([name for name, _ in lists[:_MOST_LISTS]])
    if len(lists) > _MOST_LISTS:
        report.notes.append(
            f"{len(lists) - _MOST_LISTS} lists were not compared, which Iterable allows few such "
            "requests for; the next time begins with them"
        )
