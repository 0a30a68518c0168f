"""Cut the rows of a chunk into batches that cover its range of the plan without a gap."""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING

from iterable_sync.rows import Batch, Rejection

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

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
    Cut payloads into batches by rows and by the exact bytes of their request bodies.

    The rows of one identity stay in one batch, so that they are never in flight twice. Only an
    identity that alone is beyond a limit is cut, from the start of a batch on: batches of which one
    ends and the next begins with the same identity must be sent one after the other.

    Args:
        payloads: ordered by seq; those of one identity next to each other.

        rejections: what mapping refused in the range.

        seq_lo: first seq of the chunk.

        seq_hi: its last seq. Each seq of the range is in one batch, refused ones and those with
            nothing to send as well.

        max_rows: rows of a request, at most.

        max_bytes: bytes of a request body, at most.

        overhead_bytes: length of a body without rows; each row after the first costs a comma.

        first_number: number of the first batch.

    Returns:
        Batches with payloads; one without any if there are none at all; none for an empty range. A
        row that alone makes a body above *max_bytes* is rejected, ``too_large``.
    """
    if seq_hi < seq_lo:
        return []
    refused = list(rejections)
    fitting: list[Payload] = []
    largest = max_bytes - overhead_bytes
    for payload in payloads:
        if len(payload.body) > largest:
            refused.append(Rejection(payload.seq, TOO_LARGE))
        else:
            fitting.append(payload)
    # A batch begins with its first row, and ends where the next one begins.
    starts = _starts(fitting, max_rows, largest)
    ends = [*starts[1:], len(fitting)]
    firsts = [seq_lo, *(fitting[start].seq for start in starts[1:])]
    lasts = [*(first - 1 for first in firsts[1:]), seq_hi]
    batches = [
        Batch(first_number + index, first, last, fitting[start:end])
        for index, (start, end, first, last) in enumerate(
            zip(starts or [0], ends, firsts, lasts, strict=True)
        )
    ]
    for rejection in sorted(refused, key=lambda rejection: rejection.seq):
        batches[bisect_right(firsts, rejection.seq) - 1].rejections.append(rejection)
    return batches


def _starts(payloads: Sequence[Payload], max_rows: int, max_bytes: int) -> list[int]:
    """Give the places where a batch begins; *max_bytes* is for rows and the commas between."""
    totals = [0, *accumulate(len(payload.body) + 1 for payload in payloads)]
    starts: list[int] = []
    start = 0
    while start < len(payloads):
        starts.append(start)
        # One byte more: every row is counted with a comma, and the last one has none.
        end = min(start + max_rows, bisect_right(totals, totals[start] + max_bytes + 1) - 1)
        if end < len(payloads):
            cut = end
            while cut > start and payloads[cut - 1].identity == payloads[end].identity:
                cut -= 1
            end = cut if cut > start else end
        start = end
    return starts
