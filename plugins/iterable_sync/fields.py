"""
The data fields of a chunk of the plan: which row sends what of which column.

Sync objects put identity and fields together; here is what they share. Everything is by column, so
a chunk of rows with many different masks costs no more than one with a single mask.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from iterable_sync.names import Template, dotted
from iterable_sync.rows import NullPolicy, Op
from iterable_sync.values import quote, render

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    import pandas as pd
    import pyarrow as pa

    from iterable_sync.rows import Column

    Flags = np.ndarray[Any, np.dtype[np.bool_]]


class Chunk:
    """A frame of the plan as Arrow arrays: ``_seq, _op, _mask, _identity`` and the columns."""

    def __init__(self, frame: pd.DataFrame) -> None:
        import pyarrow as pa
        import pyarrow.compute as pc

        table = pa.Table.from_pandas(frame, preserve_index=False)
        self._arrays = dict(zip(table.column_names, table.columns, strict=True))
        self.rows: int = table.num_rows
        self.seqs: list[int] = to_list(self.array("_seq"))
        self.op = self.text("_op")
        self.identity = self.text("_identity")
        self.is_removed = flags(pc.equal(self.op, Op.REMOVED.value))
        self._masks = pc.fill_null(self.text("_mask"), "")
        self._one_mask: str | None = None
        if self.rows and pc.all(pc.equal(self._masks, self._masks[0])).as_py():
            self._one_mask = self._masks[0].as_py()
        self._bits: Flags | None = None

    def array(self, name: str) -> pa.Array:
        """Give a column as one array."""
        return self._arrays[name].combine_chunks()

    def text(self, name: str) -> pa.Array:
        """Give a column as ``large_string``."""
        import pyarrow as pa

        return self.array(name).cast(pa.large_string())

    def sent(self, column: Column) -> Flags:
        """Tell which rows send a column's value; a removed row sends none."""
        return self._is_marked(column.position) & ~self.is_removed

    def sent_text(self, column: Column) -> pa.Array:
        """Give a column as ``large_string``, null where a row does not send it."""
        return where(self.sent(column), self.text(column.name))

    def _is_marked(self, position: int) -> Flags:
        import numpy as np

        if self._one_mask is not None:
            return np.full(self.rows, self._one_mask[position : position + 1] == "1")
        if self._bits is None:
            masks = self._masks.to_pylist()
            width = max(map(len, masks), default=0)
            padded = "".join(mask.ljust(width, "0") for mask in masks).encode()
            self._bits = np.frombuffer(padded, np.uint8).reshape(self.rows, width) == ord("1")
        if position >= self._bits.shape[1]:
            return np.zeros(self.rows, dtype=bool)
        return self._bits[:, position]


@dataclass(slots=True)
class _Member:
    """
    One field of a chunk's rows.

    Args:
        text: its JSON per row; null where a row does not send it.

        has_value: rows that send something other than null.

        leaves: of a JSON column, per row, the dotted fields that its value has.
    """

    name: str
    text: pa.Array
    has_value: Flags
    leaves: list[tuple[str, ...]] | None = None


class DataFields:
    """
    The data fields of a chunk.

    Attributes:
        refused: row, dotted field and reason of what cannot be sent.
    """

    def __init__(self, chunk: Chunk, known_types: Mapping[str, str]) -> None:
        self._chunk = chunk
        self._known_types = known_types
        # Iterable has an object if it has a part of it.
        self._known = {
            name[:end]
            for name in known_types
            for end in (*(match.start() for match in re.finditer(r"\.", name)), len(name))
        }
        self._members: list[_Member] = []
        self.refused: list[tuple[int, str, str]] = []

    def add(self, column: Column) -> None:
        """Send a column as a field: its value, or null where that clears the field."""
        import pyarrow as pa
        import pyarrow.compute as pc

        chunk, name = self._chunk, dotted(column.field)
        sent = chunk.sent(column)
        rendered = render(
            where(sent, chunk.array(column.name)),
            column.state,
            column.wire,
            name,
            self._known_types,
        )
        self.refused += [(row, name, reason) for row, reason in rendered.bad.items()]
        text = rendered.text
        has_value = flags(text.is_valid())
        if name in self._known:
            cleared = chunk.is_removed.copy()
            if column.null is NullPolicy.CLEAR:
                cleared |= sent & ~has_value
                cleared[list(rendered.bad)] = False
            if cleared.any():
                text = pc.if_else(pa.array(cleared), pa.scalar("null", text.type), text)
        self._members.append(_Member(name, text, has_value, rendered.leaves))

    def add_text(self, name: str, text: pa.Array) -> None:
        """Send JSON texts as a field; null where a row does not send it."""
        self._members.append(_Member(name, text, flags(text.is_valid())))

    def quote(self, name: str, text: pa.Array, usable: pa.Array, reason: str) -> pa.Array:
        """Write texts as JSON strings; a row whose text is not *usable* loses the field."""
        import numpy as np

        wrong = flags(text.is_valid()) & ~flags(usable)
        self.refused += [(row, name, reason) for row in np.flatnonzero(wrong).tolist()]
        return quote(where(~wrong, text), {})

    def objects(self) -> pa.Array:
        """Write the fields of each row as a JSON object; null where a row sends none."""
        import pyarrow as pa

        if not self._members:
            return pa.nulls(self._chunk.rows, pa.large_string())
        template = Template([member.name for member in self._members])
        return template.fill([member.text for member in self._members])

    def names(self) -> list[tuple[str, ...]]:
        """Name, per row, the fields that it sends with a value."""
        plain = [member for member in self._members if member.leaves is None]
        always = tuple(member.name for member in plain if member.has_value.all())
        sometimes = [member for member in plain if not member.has_value.all()]
        codes = _codes([member.has_value for member in sometimes], self._chunk.rows)
        keys = zip(codes, *(m.leaves for m in self._members if m.leaves is not None), strict=True)
        known: dict[tuple[Any, ...], tuple[str, ...]] = {}
        found: list[tuple[str, ...]] = []
        row_of_code = {code: row for row, code in enumerate(codes)}
        for key in keys:
            fields = known.get(key)
            if fields is None:
                row = row_of_code[key[0]]
                some = (member.name for member in sometimes if member.has_value[row])
                fields = known[key] = sum(key[1:], (*always, *some))
            found.append(fields)
        return found


def flags(array: pa.Array) -> Flags:
    """Give a boolean array as numpy has it; null is false."""
    import pyarrow.compute as pc

    filled: Flags = pc.fill_null(array, False).to_numpy(zero_copy_only=False)  # noqa: FBT003 - fill
    return filled


def where(rows: Flags, array: pa.Array) -> pa.Array:
    """Keep the values of *rows*; others become null."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if rows.all():
        return array
    return pc.if_else(pa.array(rows), array, pa.scalar(None, array.type))


def to_list(array: pa.Array) -> list[Any]:
    """Make Python values of texts or bytes, faster than ``to_pylist`` in older Arrow."""
    return array.to_numpy(zero_copy_only=False).tolist()  # type: ignore[no-any-return]


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
