"""
The rows of a chunk as Iterable gets them, in columns; a row is made an object when it is looked at.

Nearly every request is taken as it is, and then nobody looks at a row: a batch is a slice of these
columns, and its body a slice of one buffer that Arrow wrote for the whole chunk. What failed, what
creates a field and what is sent again is looked at, and comes as a :class:`Payload`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import compress, pairwise, starmap, zip_longest
from typing import TYPE_CHECKING, Any, TypeAlias, overload

from iterable_sync.rows import Payload

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping

    import numpy as np
    import pyarrow as pa

    from iterable_sync.rows import Target

    Flags: TypeAlias = np.ndarray[Any, np.dtype[np.bool_]]
    Longs: TypeAlias = np.ndarray[Any, np.dtype[np.int64]]
    Members: TypeAlias = Mapping[int, tuple[tuple[int, str], ...]]


class FieldNames(Sequence[tuple[str, ...]]):
    """
    The dotted names of the fields to which each row gives a value; equal tuples are one object.

    Args:
        rows: how many rows there are.

        always: fields of every row.

        sometimes: name of a field, and which rows have it.

        leaves: of each JSON column, per row, the fields that its value has.

        part_of: the names of the whole chunk, if these are of some of its rows.
    """

    def __init__(
        self,
        rows: int,
        always: tuple[str, ...] = (),
        sometimes: Sequence[tuple[str, Flags]] = (),
        leaves: Sequence[Sequence[tuple[str, ...]]] = (),
        *,
        part_of: FieldNames | None = None,
    ) -> None:
        self._rows = rows
        self._always = always
        self._sometimes = sometimes
        self._leaves = leaves
        self._whole = self if part_of is None else part_of
        self._seen: dict[tuple[str, ...], tuple[str, ...]] = {}

    def __len__(self) -> int:
        return self._rows

    @overload
    def __getitem__(self, index: int) -> tuple[str, ...]: ...
    @overload
    def __getitem__(self, index: slice) -> FieldNames: ...
    def __getitem__(self, index: int | slice) -> tuple[str, ...] | FieldNames:
        """Give the names of one row, or of rows next to each other."""
        if not isinstance(index, slice):
            row = range(self._rows)[index]
            return next(iter(self[row : row + 1]))
        return FieldNames(
            len(range(*index.indices(self._rows))),
            self._always,
            [(name, has_value[index]) for name, has_value in self._sometimes],
            [column[index] for column in self._leaves],
            part_of=self._whole,
        )

    def __iter__(self) -> Iterator[tuple[str, ...]]:
        codes = _codes([has_value for _, has_value in self._sometimes], self._rows)
        row_of_code = {code: row for row, code in enumerate(codes)}
        plain = {
            code: self._always + tuple(name for name, has in self._sometimes if has[row])
            for code, row in row_of_code.items()
        }
        for code, *found in zip(codes, *self._leaves, strict=True):
            yield self._whole.shared(sum(found, plain[code]))

    def shared(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Give the one object that all rows with these names have."""
        return self._seen.setdefault(names, names)

    def keep(self, rows: Flags) -> FieldNames:
        """Give the names of some rows."""
        places = rows.nonzero()[0].tolist()
        return FieldNames(
            len(places),
            self._always,
            [(name, has_value[rows]) for name, has_value in self._sometimes],
            [[column[place] for place in places] for column in self._leaves],
        )

    def beyond(self, known: Container[str]) -> frozenset[str]:
        """Give the names that are not *known* and that one of the rows has."""
        # Of a whole chunk it is asked once; mostly all of its names are known, and no part is
        # looked into.
        if all(name in known for name in self._whole.union):
            return frozenset()
        return frozenset(name for name in self.union if name not in known)

    @cached_property
    def union(self) -> frozenset[str]:
        """All names that one of the rows has, exactly."""
        found = set(self._always if self._rows else ())
        found.update(name for name, has_value in self._sometimes if has_value.any())
        for column in self._leaves:
            found.update(*set(column))
        return frozenset(found)


class PayloadBlock(Sequence[Payload]):
    """
    Payloads in columns; slices share them.

    Args:
        seqs: places in the plan, ascending.

        identity: as in the plan (``large_string``).

        identifiers: columns of names by which Iterable may mean a row; null where there is none.

        texts: each row's JSON *with a comma behind it* (``large_string`` or ``large_binary``), so
            that rows next to each other are what a request body has between its brackets.

        fields: the names of the fields that each row carries.

        targets: where each row goes, next to each other for one target; None is the endpoint of
            the sync object for all of them.

        members: of a payload that is made of several rows of the plan, or of rows that are one
            field of it each: the seq of its first row -> (seq, field) of all of them. They share
            its outcome, and a field of it that is refused is the row that it came from.
    """

    def __init__(
        self,
        seqs: Longs,
        identity: pa.Array,
        identifiers: Sequence[pa.Array],
        texts: pa.Array,
        fields: FieldNames,
        *,
        targets: Sequence[Target] | None = None,
        members: Members | None = None,
    ) -> None:
        import numpy as np

        self.seqs = seqs
        self.fields = fields
        self.targets = targets
        self.members: Members = {} if members is None else members
        self._identity = identity
        self._identifiers = identifiers
        self._texts = texts
        self._offsets: Longs = np.zeros(1, np.int64)
        if len(texts):
            _, places, content = texts.buffers()
            offsets = np.frombuffer(places, np.int64)
            self._offsets = offsets[texts.offset : texts.offset + len(texts) + 1]
            self._content = memoryview(content)

    def __len__(self) -> int:
        return len(self.seqs)

    @overload
    def __getitem__(self, index: int) -> Payload: ...
    @overload
    def __getitem__(self, index: slice) -> PayloadBlock: ...
    def __getitem__(self, index: int | slice) -> Payload | PayloadBlock:
        """Give one row as an object, or rows next to each other, without a copy."""
        if not isinstance(index, slice):
            row = range(len(self))[index]
            return next(iter(self[row : row + 1]))
        start, stop, step = index.indices(len(self))
        if step != 1:
            raise ValueError("a block is cut into rows next to each other")
        count = max(0, stop - start)
        return PayloadBlock(
            self.seqs[start:stop],
            self._identity.slice(start, count),
            [names.slice(start, count) for names in self._identifiers],
            self._texts.slice(start, count),
            self.fields[start:stop],
            targets=None if self.targets is None else self.targets[start:stop],
            members=self.members,
        )

    def __iter__(self) -> Iterator[Payload]:
        named = list(zip(*(names.to_pylist() for names in self._identifiers), strict=True))
        places = pairwise(self._offsets.tolist())
        rows = zip(
            self.seqs.tolist(),
            self._identity.to_pylist(),
            [frozenset(names).difference([None]) for names in named or [()] * len(self)],
            (bytes(self._content[begin : end - 1]) for begin, end in places),
            self.fields,
            strict=True,
        )
        return starmap(Payload, rows)

    def __eq__(self, other: object) -> bool:
        """Tell whether *other* is a sequence of the same payloads."""
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(map(Payload.__eq__, self, other))

    __hash__ = None  # type: ignore[assignment]

    @property
    def sizes(self) -> Longs:
        """The bytes of each row's JSON."""
        return self._offsets[1:] - self._offsets[:-1] - 1

    @property
    def begins_identity(self) -> Flags:
        """Which rows are of another person than the row before."""
        import numpy as np
        import pyarrow.compute as pc

        begins = np.ones(len(self), dtype=bool)
        if len(self) > 1:
            differs = pc.not_equal(self._identity[1:], self._identity[:-1])
            begins[1:] = differs.to_numpy(zero_copy_only=False)
        begins[self.target_starts] = True
        return begins

    @property
    def target_starts(self) -> list[int]:
        """The places at which rows of another target begin."""
        if self.targets is None:
            return []
        pairs = pairwise(self.targets)
        return [place for place, (a, b) in enumerate(pairs, start=1) if a is not b and a != b]

    def rows_of(self, seqs: Iterable[int]) -> list[int]:
        """Give the seqs of all rows of the plan that some payloads are made of."""
        if not self.members:
            return list(seqs)
        return [row for seq in seqs for row, _ in self.members.get(seq, ((seq, ""),))]

    def keep(self, rows: Flags) -> PayloadBlock:
        """Give some rows."""
        import pyarrow as pa

        if rows.all():
            return self
        mask = pa.array(rows)
        return PayloadBlock(
            self.seqs[rows],
            self._identity.filter(mask),
            [names.filter(mask) for names in self._identifiers],
            self._texts.filter(mask),
            self.fields.keep(rows),
            targets=None if self.targets is None else list(compress(self.targets, rows)),
            members=self.members,
        )

    def joined(self) -> bytes:
        """Give the JSON of all rows with commas between them: ``{...},{...}``."""
        begin, end = int(self._offsets[0]), int(self._offsets[-1])
        return bytes(self._content[begin : end - 1]) if end > begin else b""


def as_block(payloads: Sequence[Payload]) -> PayloadBlock:
    """Give payloads as a block, which they mostly are already."""
    import numpy as np
    import pyarrow as pa

    if isinstance(payloads, PayloadBlock):
        return payloads
    large = pa.large_string()
    columns = zip_longest(*(sorted(payload.identifiers) for payload in payloads))
    return PayloadBlock(
        np.array([payload.seq for payload in payloads], np.int64),
        pa.array([payload.identity for payload in payloads], large),
        [pa.array(names, large) for names in columns],
        pa.array([payload.body + b"," for payload in payloads], pa.large_binary()),
        FieldNames(len(payloads), leaves=[[payload.fields for payload in payloads]]),
    )


def _codes(columns: Sequence[Flags], rows: int) -> list[Any]:
    """Give rows with equal flags an equal code."""
    import numpy as np

    if not columns:
        return [0] * rows
    packed = np.packbits(np.column_stack(columns), axis=1)
    wide = np.zeros((rows, -(-packed.shape[1] // 8) * 8), np.uint8)
    wide[:, : packed.shape[1]] = packed
    words = wide.view(np.uint64)
    return words[:, 0].tolist() if words.shape[1] == 1 else list(map(tuple, words.tolist()))
