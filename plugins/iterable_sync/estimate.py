"""What a plan would cost to send, worked out without sending: the figures of a dry run."""

from __future__ import annotations

import math
import random
from collections import Counter
from typing import TYPE_CHECKING

from iterable_sync.batching import split
from iterable_sync.names import field_limit_notes, sent_fields, shown
from iterable_sync.payloads import as_block
from iterable_sync.quotas import QUOTAS
from iterable_sync.retrying import read_patiently
from iterable_sync.rows import Target
from iterable_sync.sync_object import map_context

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pandas as pd

    from iterable_sync.client import IterableClient
    from iterable_sync.rows import Batch, Payload, Project, Rejection, RunReport
    from iterable_sync.spec import SyncSpec
    from iterable_sync.state import SyncState
    from iterable_sync.sync_object import SyncObject


def estimate(
    spec: SyncSpec,
    sync_object: SyncObject,
    state: SyncState,
    client: IterableClient,
    report: RunReport,
    *,
    rows: int,
    frame: pd.DataFrame,
    sleep: Callable[[float], None],
) -> None:
    """
    Put requests, bytes, seconds at the limit and new fields into a report.

    Asks Iterable for its fields, and nothing else.

    Args:
        rows: how many would be sent.

        frame: the first of them; where it is all of them, the figures are exact but for what
            Iterable refuses.

    Raises:
        RetryLater: Iterable cannot be asked now.
    """
    known = state.known_types
    if sync_object.has_listed_fields:
        # Spreads waits; nothing secret hangs on it.
        rng = random.Random()  # noqa: S311
        known = read_patiently(client.known_fields, rng=rng, sleep=sleep)
    if frame.empty:
        return
    payloads, rejections, covering = map_rows(
        spec, sync_object, state, client.project, frame, known
    )
    batches = [batch for batch in covering if batch.payloads]
    overhead = len(sync_object.body([], create_new_fields=False))
    size = sum(
        overhead + len(batch.payloads) - 1 + sum(len(p.body) for p in batch.payloads)
        for batch in batches
    )
    scale = rows / len(frame)
    report.requests = math.ceil(len(batches) * scale)
    report.bytes_sent = math.ceil(size * scale)
    report.seconds["sending, at the limit"] = report.requests / (
        spec.requests_per_s or sync_object.requests_per_s
    )
    if scale > 1:
        report.notes.append(
            f"requests, bytes and seconds are those of the first {len(frame)} of {rows} rows, "
            "multiplied"
        )
    if sync_object.has_listed_fields:
        mapped = {*sent_fields(state.columns), *state.claimed}
        listed = {part for name in known for part in _upwards(name)}
        unknown = as_block(payloads).fields.beyond(listed)
        report.new_fields = shown(unknown, mapped)
        report.notes += field_limit_notes(len(known.keys() | unknown))
        if report.new_fields and spec.new_fields == "fail":
            report.notes.append("new_fields='fail': a run would end before it sends anything")
    if rejections:
        refused = len({rejection.seq for rejection in rejections})
        report.notes.append(
            f"of {len(frame)} rows {refused} have values that would be refused before sending"
        )


def foretell(
    spec: SyncSpec,
    sync_object: SyncObject,
    state: SyncState,
    client: IterableClient,
    report: RunReport,
    *,
    rows: int,
) -> None:
    """
    Say in a note which requests a plan would make, and how long they take; asks nobody.

    Args:
        rows: how many would be sent; it is counted in the first of them.
    """
    frame = state.first_rows
    if frame is None or frame.empty or not rows:
        return
    *_, covering = map_rows(spec, sync_object, state, client.project, frame, {})
    own = Target(sync_object.path)
    scale = rows / len(frame)
    at_most = spec.requests_per_s or sync_object.requests_per_s
    targets = [batch.target or own for batch in covering if batch.payloads]
    # One of each endpoint stands for all of those that are named alike.
    kinds = {f"{target.method} {target.name}": target for target in targets}
    counts = Counter(f"{target.method} {target.name}" for target in targets)
    found = [
        (words, kinds[words], math.ceil(requests * scale))
        for words, requests in sorted(counts.items())
    ]
    seconds = max(
        (n / min(target.requests_per_s or at_most, at_most) for _, target, n in found), default=0.0
    )
    of_quota: Counter[str] = Counter()
    for _, target, requests in found:
        of_quota[target.quota] += requests
    days = [
        words
        for quota, requests in of_quota.items()
        if quota and (words := QUOTAS[quota].in_words(requests))
    ]
    named = ", ".join(f"{requests} {words}" for words, _, requests in found)
    takes = "".join(f", and {words}" for words in days)
    report.notes.append(
        f"it would make requests that cannot be undone, {named}: {sum(n for *_, n in found)} in "
        f"all, which take {math.ceil(seconds)} seconds{takes}"
    )


def map_rows(
    spec: SyncSpec,
    sync_object: SyncObject,
    state: SyncState,
    project: Project,
    frame: pd.DataFrame,
    known: Mapping[str, str],
) -> tuple[Sequence[Payload], list[Rejection], list[Batch]]:
    """
    Map rows of a plan, not empty, as a push would.

    Args:
        known: dotted field name -> Iterable's type of it.

    Returns:
        The rows as they would be sent, what was refused of them, and batches that cover all of
        them; those without payloads are no request, and may hold rows that are too large for one.
    """
    context = map_context(
        spec,
        state.columns,
        project,
        known_types=known,
        list_ids=state.list_ids,
        at_s=state.at_s,
        renamed=state.renamed,
        groups=state.groups,
    )
    payloads, rejections = sync_object.payloads(frame, context)
    batches = split(
        payloads,
        rejections,
        seq_lo=int(frame["_seq"].iloc[0]),
        seq_hi=int(frame["_seq"].iloc[-1]),
        max_rows=min(spec.batch_rows, sync_object.max_rows),
        max_bytes=spec.batch_bytes,
        overhead_bytes=len(sync_object.body([], create_new_fields=False)),
    )
    return payloads, rejections, batches


def _upwards(name: str) -> list[str]:
    """Give a dotted name and the objects that it lies in: each is known where a part is."""
    parts = name.split(".")
    return [".".join(parts[: i + 1]) for i in range(len(parts))]
