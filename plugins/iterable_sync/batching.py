"""Cut the rows of a chunk into batches that cover its range of the plan without a gap."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from iterable_sync.payloads import as_block
from iterable_sync.rows import Batch, Rejection

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from iterable_sync.payloads import PayloadBlock
    from iterable_sync.rows import Payload

TOO_LARGE = "too_large"


def split(
    payloads: Sequence[Payload],
    rejections: Iterable[Rejection],
    *,
    seq_lo: int,
    seq_hi: int,
    max_rows: int,
    max_bytes: int,
    overhead_bytes: int,
    first_number: int = 1,
) -> list[Batch]:
    """
    Cut payloads into batches by target, by rows and by the exact bytes of their request bodies.

    The rows of one identity stay in one batch, so that they are never in flight twice. Only an
    identity that alone is beyond a limit is cut, from the start of a batch on: batches of which one
    ends and the next begins with the same identity must be sent one after the other; see
    :func:`continued`.

    Args:
        payloads: ordered by seq; those of one identity next to each other; cut without a copy.

        rejections: what mapping refused in the range.

        seq_lo: first seq of the chunk.

        seq_hi: its last seq. Each seq of the range is in one batch, refused ones and those with
            nothing to send as well.

        max_rows: rows of a request, at most.

        max_bytes: bytes of a request body, at most.

        overhead_bytes: length of a body without rows; each row after the first costs a comma.
            What the target of a row has to say comes on top.

        first_number: number of the first batch.

    Returns:
        Batches with payloads; one without any if there are none at all; none for an empty range. A
        row that alone makes a body above *max_bytes* is rejected, ``too_large``.
    """
    if seq_hi < seq_lo:
        return []
    refused = list(rejections)
    block = as_block(payloads)
    heads = {len(target.head) for target in block.targets or ()}
    largest = max_bytes - overhead_bytes - max(heads, default=0)
    fits = block.sizes <= largest
    too_large = block.rows_of(block.seqs[~fits].tolist())
    refused += [Rejection(seq, TOO_LARGE) for seq in too_large]
    block = block.keep(fits)
    # A batch begins with its first row, and ends where the next one begins.
    starts = _starts(block, max_rows, largest)
    targets = block.targets
    ends = [*starts[1:], len(block)]
    firsts = [seq_lo, *block.seqs[starts[1:]].tolist()]
    lasts = [*(first - 1 for first in firsts[1:]), seq_hi]
    batches = [
        Batch(
            first_number + index,
            first,
            last,
            block[start:end],
            target=targets[start] if targets else None,
        )
        for index, (start, end, first, last) in enumerate(
            zip(starts or [0], ends, firsts, lasts, strict=True)
        )
    ]
    for rejection in sorted(refused, key=lambda rejection: rejection.seq):
        batches[bisect_right(firsts, rejection.seq) - 1].rejections.append(rejection)
    return batches


def continued(batches: Iterable[Batch], last: str | None = None) -> list[bool]:
    """
    Tell which batches begin with the identity with which the batch before ended.

    Such a batch must not be on its way together with the one before it. Only neighbours have to be
    looked at, as the plan has the rows of an identity next to each other: between two batches of
    one identity there is nothing but more of it.

    Args:
        batches: in the order of the plan, as :func:`split` gives them.

        last: the identity with which the batch before the first one ended (:func:`last_identity`);
            a chunk of the plan may end among the rows of one.
    """
    found = []
    for batch in batches:
        found.append(
            last is not None and bool(batch.payloads) and batch.payloads[0].identity == last
        )
        last = last_identity(batch, last)
    return found


def last_identity(batch: Batch, before: str | None = None) -> str | None:
    """Give the identity with which *batch* ends; of one that sends nothing, that *before* it."""
    return batch.payloads[-1].identity if batch.payloads else before


def _starts(block: PayloadBlock, max_rows: int, max_bytes: int) -> list[int]:
    """Give the places where a batch begins; *max_bytes* is for rows and the commas between."""
    import numpy as np

    rows = len(block)
    totals = np.zeros(rows + 1, np.int64)
    np.cumsum(block.sizes + 1, out=totals[1:])
    people = block.begins_identity.nonzero()[0]
    borders = [*block.target_starts, rows]
    starts: list[int] = []
    start = 0
    while start < rows:
        starts.append(start)
        # One byte more: every row is counted with a comma, and the last one has none.
        room = totals[start] + max_bytes + 1
        border = borders[bisect_right(borders, start)]
        end = min(start + max_rows, border, int(totals.searchsorted(room, side="right")) - 1)
        if end < rows:
            cut = int(people[people.searchsorted(end, side="right") - 1])
            end = cut if cut > start else end
        start = end
    return starts
