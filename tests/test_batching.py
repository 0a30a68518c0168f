from __future__ import annotations

from itertools import chain, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iterable_sync.batching import continued, last_identity, split
from iterable_sync.rows import Batch, Payload, Rejection

OVERHEAD = 10


def payload(seq: int, size: int = 10, identity: str | None = None) -> Payload:
    name = identity or f"userId:{seq}"
    return Payload(seq, name, frozenset({name}), b"x" * size, ())


def cut(
    payloads: list[Payload], rejections: list[Rejection] | None = None, **limits: int
) -> list[Batch]:
    limits = {"max_rows": 1000, "max_bytes": 4_000_000, "seq_lo": 1, "seq_hi": 10} | limits
    return split(payloads, rejections or [], overhead_bytes=OVERHEAD, **limits)


def seqs(batches: list[Batch]) -> list[list[int]]:
    return [[payload.seq for payload in batch.payloads] for batch in batches]


def body_bytes(batch: Batch) -> int:
    return OVERHEAD + len(b",".join(payload.body for payload in batch.payloads))


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        pytest.param(2, [[1, 2]], id="row limit - 1"),
        pytest.param(3, [[1, 2, 3]], id="row limit"),
        pytest.param(4, [[1, 2, 3], [4]], id="row limit + 1"),
    ],
)
def test_rows_are_limited(rows: int, expected: list[list[int]]) -> None:
    payloads = [payload(seq) for seq in range(1, rows + 1)]

    assert seqs(cut(payloads, max_rows=3)) == expected


@pytest.mark.parametrize(
    ("max_bytes", "expected"),
    [
        # Three rows of 10, two commas and the overhead make 42.
        pytest.param(43, [[1, 2, 3]], id="one byte less than the limit"),
        pytest.param(42, [[1, 2, 3]], id="the limit exactly"),
        pytest.param(41, [[1, 2], [3]], id="one byte more than the limit"),
        pytest.param(20, [[1], [2], [3]], id="one row fits exactly"),
    ],
)
def test_bytes_are_counted_exactly(max_bytes: int, expected: list[list[int]]) -> None:
    """The envelope and the commas count."""
    assert seqs(cut([payload(1), payload(2), payload(3)], max_bytes=max_bytes)) == expected


@pytest.mark.failure("D11")
@pytest.mark.parametrize(("size", "is_sent"), [(9, True), (10, True), (11, False)])
def test_row_above_the_limit_is_rejected(size: int, is_sent: bool) -> None:
    """A row that no request can hold is rejected, and its neighbours are sent."""
    batches = cut([payload(1, 1), payload(2, size), payload(3, 1)], max_bytes=OVERHEAD + 10)

    rejected = [rejection for batch in batches for rejection in batch.rejections]
    assert rejected == ([] if is_sent else [Rejection(2, "too_large")])
    assert [*chain(*seqs(batches))] == ([1, 2, 3] if is_sent else [1, 3])


@pytest.mark.capability("A18")
def test_first_row_alone_above_the_limit_makes_no_empty_request() -> None:
    """A batch is never empty because its first row did not fit."""
    batches = cut([payload(1, 100), payload(2), payload(3)], max_bytes=50, max_rows=1)

    assert seqs(batches) == [[2], [3]]
    assert [(batch.seq_lo, batch.seq_hi) for batch in batches] == [(1, 2), (3, 10)]


def test_ranges_cover_refused_and_silent_rows() -> None:
    """A seq without payload belongs to the batch before the next one's first row."""
    batches = cut(
        [payload(2), payload(5), payload(6), payload(8)],
        [Rejection(9, "b"), Rejection(4, "a"), Rejection(5, "f", "city")],
        max_rows=2,
        first_number=7,
    )

    assert [(batch.number, batch.seq_lo, batch.seq_hi) for batch in batches] == [
        (7, 1, 5),
        (8, 6, 10),
    ]
    assert [batch.rejections for batch in batches] == [
        [Rejection(4, "a"), Rejection(5, "f", "city")],
        [Rejection(9, "b")],
    ]


def test_chunk_without_payloads_is_one_batch_without_payloads() -> None:
    """What was refused altogether is recorded all the same."""
    (batch,) = cut([], [Rejection(3, "missing_identifier")])

    assert (batch.seq_lo, batch.seq_hi, batch.payloads) == (1, 10, [])
    assert batch.rejections == [Rejection(3, "missing_identifier")]


def test_empty_range_has_no_batch() -> None:
    assert cut([], seq_lo=1, seq_hi=0) == []


def test_identity_stays_in_one_batch() -> None:
    """Two rows of a person are never in two requests."""
    rows = [payload(1), payload(2, identity="a"), payload(3, identity="a"), payload(4)]

    assert seqs(cut(rows, max_rows=2)) == [[1], [2, 3], [4]]
    assert seqs(cut(rows, max_bytes=OVERHEAD + 21)) == [[1], [2, 3], [4]]


def test_identity_above_the_limit_is_cut_from_the_start_of_a_batch() -> None:
    """Only an identity that no request can hold is cut, into batches that follow each other."""
    rows = [payload(1), *(payload(seq, identity="a") for seq in range(2, 7)), payload(7)]

    assert seqs(cut(rows, max_rows=2)) == [[1], [2, 3], [4, 5], [6, 7]]


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(1, 40), st.booleans()), max_size=30),
    st.integers(1, 6),
    st.integers(OVERHEAD + 1, OVERHEAD + 90),
)
def test_batches_keep_their_promises(
    rows: list[tuple[int, int, bool]], max_rows: int, max_bytes: int
) -> None:
    """Whatever the rows: no gap or overlap, no row lost or doubled, no limit broken."""
    payloads, refused, identity = [], [], 0
    for seq, (kind, size, is_new) in enumerate(rows, start=5):
        identity += is_new
        if kind == 0:
            refused.append(Rejection(seq, "bad"))
        elif kind > 1:
            payloads.append(payload(seq, size, f"userId:{identity}"))
    hi = 4 + len(rows)

    batches = cut(
        payloads,
        refused,
        seq_lo=5,
        seq_hi=hi,
        max_rows=max_rows,
        max_bytes=max_bytes,
        first_number=3,
    )

    if not rows:
        assert batches == []
        return
    assert [batch.number for batch in batches] == list(range(3, 3 + len(batches)))
    assert (batches[0].seq_lo, batches[-1].seq_hi) == (5, hi)
    assert all(left.seq_hi + 1 == right.seq_lo for left, right in pairwise(batches))
    too_large = [p.seq for p in payloads if OVERHEAD + len(p.body) > max_bytes]
    assert [*chain(*seqs(batches))] == [p.seq for p in payloads if p.seq not in too_large]
    assert sorted(
        (rejection.seq, rejection.reason) for batch in batches for rejection in batch.rejections
    ) == sorted([(r.seq, r.reason) for r in refused] + [(seq, "too_large") for seq in too_large])
    for batch in batches:
        assert batch.payloads or len(batches) == 1
        assert len(batch.payloads) <= max_rows
        assert not batch.payloads or body_bytes(batch) <= max_bytes
        inside = [p.seq for p in batch.payloads] + [r.seq for r in batch.rejections]
        assert all(batch.seq_lo <= seq <= batch.seq_hi for seq in inside)
    for left, right in pairwise(batches):
        person = left.payloads[-1].identity
        if person == right.payloads[0].identity:
            # Cut only because this person filled the batch from its start.
            assert left.payloads[0].identity == person


def test_batches_that_share_an_identity_at_their_border_are_told() -> None:
    """Only those of one identity that was cut, and what comes after it stands alone again."""
    a, b = [payload(seq, identity="userId:A") for seq in range(1, 6)], payload(6, identity="x")

    batches = cut([*a, b], max_rows=2)

    assert [[1, 2], [3, 4], [5, 6]] == seqs(batches)
    assert [False, True, True] == continued(batches)


@pytest.mark.parametrize(
    ("last", "expected"),
    [(None, [False]), ("userId:1", [True]), ("userId:2", [False])],
    ids=["the first of all", "same identity", "other identity"],
)
def test_identity_may_go_on_in_the_next_chunk(last: str | None, expected: list[bool]) -> None:
    assert expected == continued(cut([payload(1), payload(2)]), last)


def test_batch_that_sends_nothing_ends_as_the_one_before_it() -> None:
    """The rows of a chunk may all be refused, in the midst of an identity."""
    first, silent, second = cut([payload(1)])[0], cut([])[0], cut([payload(1)])[0]

    assert [False, False, True] == continued([first, silent, second])
    assert "userId:1" == last_identity(silent, last_identity(first))
    assert last_identity(silent) is None


@given(
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=8),
    chunk=st.integers(1, 10),
    max_rows=st.integers(1, 4),
)
def test_no_two_batches_of_one_identity_are_free_of_each_other(
    sizes: list[int], chunk: int, max_rows: int
) -> None:
    """However the plan is cut into chunks and these into batches."""
    rows = [
        payload(0, identity=f"userId:{who}") for who, size in enumerate(sizes) for _ in range(size)
    ]
    batches: list[Batch] = []
    waits: list[bool] = []
    last: str | None = None
    for start in range(0, len(rows), chunk):
        made = cut(rows[start : start + chunk], max_rows=max_rows)
        waits += continued(made, last)
        batches += made
        last = last_identity(made[-1], last)

    holders = [{p.identity for p in batch.payloads} for batch in batches]

    assert waits == [False] + [bool(one & two) for one, two in pairwise(holders)]
    for index, who in enumerate(holders):
        for later in range(index + 1, len(holders)):
            assert not (who & holders[later]) or all(waits[index + 1 : later + 1])
