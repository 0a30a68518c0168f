"""Rows of one sync that go to different places, and payloads that are made of several rows."""

from __future__ import annotations

from itertools import chain, groupby
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes import deliver, row, script, taken
from iterable_sync.batching import split
from iterable_sync.outcomes import Attribution, Reading, attribute_whole, spread
from iterable_sync.payloads import FieldNames, PayloadBlock
from iterable_sync.rows import Batch, BatchResult, Rejection, Target

if TYPE_CHECKING:
    from collections.abc import Sequence

IN, OUT = Target("/in", b'"listId":7,'), Target("/out", b'"listId":1234,')
LARGE = pa.large_string()


def block(people: Sequence[str], targets: Sequence[Target] | None = None) -> PayloadBlock:
    """Give rows of ten bytes, in the order of their seqs."""
    return PayloadBlock(
        np.arange(1, len(people) + 1),
        pa.array(people, LARGE),
        [pa.array(people, LARGE)],
        pa.array(["x" * 10 + ","] * len(people), LARGE),
        FieldNames(len(people)),
        targets=targets,
    )


def cut(rows: PayloadBlock, **limits: int) -> list[Batch]:
    known = {"max_rows": 1000, "max_bytes": 10_000, "seq_lo": 1, "seq_hi": len(rows)} | limits
    return split(rows, [], overhead_bytes=2, **known)


def shape(batches: list[Batch]) -> list[tuple[str | None, list[int]]]:
    return [(b.target and b.target.path, [p.seq for p in b.payloads]) for b in batches]


def test_a_request_holds_rows_of_one_target() -> None:
    rows = block(["a", "b", "b", "c"], [IN, IN, OUT, OUT])

    assert shape(cut(rows)) == [("/in", [1, 2]), ("/out", [3, 4])]


def test_what_a_target_says_beside_its_rows_is_counted() -> None:
    """Two rows, a comma, the envelope and the longest head make 36 bytes."""
    rows = block(["a", "b"], [OUT, OUT])
    size = 2 + len(OUT.head) + 10 + 1 + 10

    assert [len(cut(rows, max_bytes=size)), len(cut(rows, max_bytes=size - 1))] == [1, 2]


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3)), max_size=30),
    st.integers(1, 6),
    st.integers(30, 90),
)
def test_targets_people_and_limits_are_kept_together(
    rows: list[tuple[int, int]], max_rows: int, max_bytes: int
) -> None:
    """No batch mixes targets or exceeds a limit, and the rows are all there, in order."""
    rows.sort()
    targets = [Target(f"/{n}", b"h" * n) for n, _ in rows]
    made = block([f"p{who}" for _, who in rows], targets)

    batches = cut(made, max_rows=max_rows, max_bytes=max_bytes)

    assert [p.seq for b in batches for p in b.payloads] == list(range(1, len(rows) + 1))
    for one in batches:
        assert len(one.payloads) <= max_rows
        size = sum(len(p.body) + 1 for p in one.payloads) - 1 + 2
        assert not one.payloads or size + len(one.target.head if one.target else b"") <= max_bytes
        assert {targets[p.seq - 1] for p in one.payloads} <= {one.target}
    edges = list(chain.from_iterable((b.seq_lo, b.seq_hi) for b in batches))
    assert edges == sorted(edges)
    # Fewest requests: neighbours of one target are apart for a limit or a person only.
    assert len([path for path, _ in groupby(b.target for b in batches)]) == len(set(targets))


def members(*rows: tuple[int, str]) -> PayloadBlock:
    made = block(["a"])
    made.members = {1: rows}
    return made


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        pytest.param({"in_doubt": [1]}, ([1, 2], [], []), id="in doubt"),
        pytest.param({"not_applied": [1]}, ([], [1, 2], []), id="not applied"),
        pytest.param(
            {"rejections": [Rejection(1, "conflict")]},
            ([], [], [Rejection(1, "conflict"), Rejection(2, "conflict")]),
            id="rejected",
        ),
        pytest.param(
            {"rejections": [Rejection(1, "wrong_type", "b")]},
            ([], [], [Rejection(2, "wrong_type")]),
            id="a field of it rejected",
        ),
        pytest.param(
            {"uncreated": {1: ("a",)}},
            ([], [], [Rejection(1, "field_not_created")]),
            id="a field of it not created",
        ),
    ],
)
def test_the_rows_of_a_payload_share_its_outcome(
    outcome: dict[str, Any], expected: tuple[list[int], list[int], list[Rejection]]
) -> None:
    """A field that Iterable does not take is the row that it came from, and no other."""
    result = BatchResult(Batch(1, 1, 2, members((1, "a"), (2, "b"))), **outcome)

    spread(result)

    assert (result.in_doubt, result.not_applied, result.rejections) == expected
    assert result.uncreated == {}


def test_what_mapping_refused_is_not_spread() -> None:
    """It is about a row of the plan already."""
    refusal = Rejection(2, "missing_audience")
    made = Batch(1, 1, 2, members((1, "a")), rejections=[refusal])

    result = BatchResult(made, rejections=[refusal, Rejection(1, "conflict")])
    spread(result)

    assert result.rejections == [refusal, Rejection(1, "conflict")]


def sent(target: Target, *outcomes: Any, count: int = 2) -> BatchResult:
    _, result = deliver(script(*outcomes), [row(n) for n in range(count)], target=target)
    return result


def test_a_reason_that_does_not_matter_there_is_an_acceptance() -> None:
    """Who is not known is in no list, which is what was wanted."""
    harmless = Target("/api/lists/unsubscribe", harmless=frozenset({"not_found"}))
    reply = taken(2, notFoundEmails=["u0@example.com"], invalidEmails=["u1@example.com"])

    assert [r.reason for r in sent(harmless, reply).rejections] == ["invalid_email"]
    assert len(sent(Target("/api/lists/subscribe"), reply).rejections) == 2


@pytest.mark.parametrize(
    ("said", "reading"),
    [
        ({"code": "Success", "msg": "", "params": None}, Reading.EXACT),
        ({"code": "Accepted"}, Reading.EXACT),
        ({"code": "BadParams"}, Reading.UNREADABLE),
        ({"successCount": 1, "failCount": 0}, Reading.UNREADABLE),
        ({}, Reading.UNREADABLE),
        (None, Reading.UNREADABLE),
        ([{"code": "Success"}], Reading.UNREADABLE),
    ],
)
def test_an_answer_for_a_whole_request_says_so_or_is_no_acceptance(
    said: Any, reading: Reading
) -> None:
    assert attribute_whole([row(0)], said) == Attribution(reading)
