"""Rows in columns: what a block gives as a whole is what its rows give one by one."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iterable_sync.payloads import FieldNames, PayloadBlock, as_block
from iterable_sync.rows import Payload


def payload(seq: int, *fields: str, person: int | None = None, body: bytes = b"{}") -> Payload:
    name = f"userId:{seq if person is None else person}"
    return Payload(seq, name, frozenset({name, f"{seq}@x.co"}), body, fields)


def written() -> PayloadBlock:
    """Give a block as mapping writes it: columns, shared names, one buffer."""
    texts = ['{"a":1},', '{"é":2},', "{},", '{"a":4,"b":5},']
    has_b = np.array([False, False, False, True])
    leaves = [("j.x",), (), ("j.x", "j.y"), ()]
    return PayloadBlock(
        np.array([3, 4, 7, 8]),
        pa.array(["userId:1", "userId:2", "userId:2", "userId:3"], pa.large_string()),
        [
            pa.array(["1", "2", "2", "3"], pa.large_string()),
            pa.array(["a@x.co", None, "c@x.co", None], pa.large_string()),
        ],
        pa.array(texts, pa.large_string()),
        FieldNames(4, ("a",), [("b", has_b)], [leaves]),
    )


ROWS = [
    Payload(3, "userId:1", frozenset({"1", "a@x.co"}), b'{"a":1}', ("a", "j.x")),
    Payload(4, "userId:2", frozenset({"2"}), '{"é":2}'.encode(), ("a",)),
    Payload(7, "userId:2", frozenset({"2", "c@x.co"}), b"{}", ("a", "j.x", "j.y")),
    Payload(8, "userId:3", frozenset({"3"}), b'{"a":4,"b":5}', ("a", "b")),
]


@pytest.mark.parametrize("block", [written(), as_block(ROWS)], ids=["columns", "a list"])
def test_rows_are_the_same_however_they_are_reached(block: PayloadBlock) -> None:
    assert list(block) == ROWS
    assert [block[place] for place in range(4)] == ROWS
    assert block[-1] == ROWS[-1]
    assert list(block[1:3]) == ROWS[1:3]
    assert list(block[1:][1:][:1]) == ROWS[2:3]
    assert list(block.keep(np.array([True, False, False, True]))) == [ROWS[0], ROWS[3]]


@pytest.mark.parametrize("block", [written(), as_block(ROWS)], ids=["columns", "a list"])
def test_whole_is_what_its_rows_are(block: PayloadBlock) -> None:
    """Sizes count bytes; the joined rows have commas between them and none at the end."""
    assert block.sizes.tolist() == [len(row.body) for row in ROWS]
    assert block[1:].sizes.tolist() == [len(row.body) for row in ROWS[1:]]
    assert block.joined() == b",".join(row.body for row in ROWS)
    assert block[1:3].joined() == b",".join(row.body for row in ROWS[1:3])
    assert block.seqs.tolist() == [3, 4, 7, 8]
    assert block.begins_identity.tolist() == [True, True, False, True]
    assert block[2:].begins_identity.tolist() == [True, True]


def test_empty_block_is_an_empty_list() -> None:
    for empty in (as_block([]), written()[:0], written()[4:], written().keep(np.zeros(4, bool))):
        assert empty == []
        assert not empty
        assert (empty.joined(), empty.sizes.tolist()) == (b"", [])
        assert empty.fields.beyond(()) == frozenset()


def test_block_equals_a_sequence_of_the_same_rows() -> None:
    assert written() == ROWS
    assert written() == as_block(ROWS)
    assert written() != ROWS[:3]
    assert written() != [*ROWS[:3], payload(8)]
    assert written() != 4


def test_place_beyond_the_block_is_an_error() -> None:
    with pytest.raises(IndexError):
        written()[4]
    with pytest.raises(ValueError, match="next to each other"):
        written()[::2]


def test_block_is_a_block_already() -> None:
    block = written()

    assert as_block(block) is block


def test_row_without_identifiers_is_a_row() -> None:
    row = Payload(1, "userId:1", frozenset(), b"{}", ())

    assert list(as_block([row])) == [row]


def test_slice_shares_the_bytes_of_its_block() -> None:
    """A chunk is written once; cutting it into batches copies no row."""
    block = written()

    assert np.shares_memory(block.seqs, block[1:].seqs)
    assert block._texts.buffers()[2].address == block[1:]._texts.buffers()[2].address


def test_names_that_are_not_known_are_those_of_its_own_rows() -> None:
    """A batch asks for a field only if a row of it has a value for it."""
    fields = written().fields

    assert fields.beyond({"a"}) == {"b", "j.x", "j.y"}
    assert fields[:2].beyond({"a"}) == {"j.x"}
    assert fields[1:2].beyond({"a"}) == frozenset()
    assert fields[3:].beyond({"a"}) == {"b"}
    assert fields.keep(np.array([False, True, False, True])).beyond({"a"}) == {"b"}
    assert fields[:2].beyond({"a", "b", "j.x", "j.y"}) == frozenset()


def test_rows_with_the_same_fields_share_their_names() -> None:
    fields = FieldNames(3, ("a",), leaves=[[("j.x",), (), ("j.x",)]])

    assert fields[0] is fields[2]
    assert fields[1:][1] is next(iter(fields))


@given(st.lists(st.lists(st.booleans(), min_size=70, max_size=70), min_size=1, max_size=6))
def test_every_row_has_its_own_names(flags: list[list[bool]]) -> None:
    """However many columns there are."""
    columns = np.array(flags)
    fields = FieldNames(len(flags), (), [(f"f{n}", columns[:, n]) for n in range(70)])

    expected = [tuple(f"f{n}" for n in range(70) if row[n]) for row in flags]
    assert list(fields) == expected
    assert fields.union == {name for names in expected for name in names}
    assert fields[-1:].union == set(expected[-1])


@given(st.lists(st.binary(max_size=5), max_size=8), st.data())
def test_any_cut_joins_to_the_whole(bodies: list[bytes], data: st.DataObject) -> None:
    block = as_block([payload(seq, body=body) for seq, body in enumerate(bodies)])
    cuts = sorted(data.draw(st.lists(st.integers(0, len(bodies)), max_size=4)))
    parts = [block[lo:hi] for lo, hi in pairwise([0, *cuts, len(bodies)])]

    assert [row for part in parts for row in part] == list(block)
    assert b",".join(part.joined() for part in parts if part) == block.joined()
