"""
The data fields of a chunk of the plan: which row sends what of which column.

Sync objects put identity and fields together; here is what they share. Everything is by column, so
a chunk of rows with many different masks costs no more than one with a single mask.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import compress
from typing import TYPE_CHECKING

from iterable_sync.names import Template, Written, dotted, half_of
from iterable_sync.payloads import FieldNames
from iterable_sync.rows import NullPolicy, Op, Rejection
from iterable_sync.values import Reason, Rendered, escape, places_of, render

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pandas as pd
    import pyarrow as pa

    from iterable_sync.payloads import Flags, Longs
    from iterable_sync.renamed import Renamed
    from iterable_sync.rows import Column


class Chunk:
    """
    A frame of the plan as Arrow arrays: ``_seq, _op, _mask, _identity`` and the columns.

    Args:
        is_whole: every row sends all of its columns, whatever its mask says.
    """

    def __init__(self, frame: pd.DataFrame, *, is_whole: bool = False) -> None:
        import pyarrow as pa
        import pyarrow.compute as pc

        table = pa.Table.from_pandas(frame, preserve_index=False)
        self._arrays = dict(zip(table.column_names, table.columns, strict=True))
        self.rows: int = table.num_rows
        self.seqs: Longs = self.array("_seq").to_numpy()
        self.op = self.text("_op")
        self.identity = self.text("_identity")
        self.is_removed = flags(pc.equal(self.op, Op.REMOVED.value))
        self._is_whole = is_whole
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

    def sends_all(self, columns: Iterable[Column]) -> Flags:
        """Tell which rows send all that the model says of them."""
        import numpy as np

        marked = [self._is_marked(c.position) for c in columns if not c.is_key]
        sends: Flags = np.logical_and.reduce([~self.is_removed, *marked])
        return sends

    def rejections(
        self, refused: Mapping[int, str], of_fields: Iterable[tuple[int, str, str]] = ()
    ) -> list[Rejection]:
        """
        Give the rejections of a chunk, in the order of its rows.

        Args:
            refused: row -> why it cannot be sent.

            of_fields: (row, field, reason); they count where the row is sent.
        """
        # Plain text: drivers have their own ideas of an Enum.
        found = [
            Rejection(int(self.seqs[row]), str(reason), field)
            for row, field, reason in of_fields
            if row not in refused
        ]
        found += [Rejection(int(self.seqs[row]), str(reason)) for row, reason in refused.items()]
        return sorted(found, key=lambda rejection: rejection.seq)

    def but_for(self, refused: Mapping[int, str]) -> Flags:
        """Tell which rows are not refused."""
        import numpy as np

        is_sent = np.ones(self.rows, dtype=bool)
        is_sent[list(refused)] = False
        return is_sent

    def _is_marked(self, position: int) -> Flags:
        import numpy as np

        if self._is_whole:
            return np.ones(self.rows, dtype=bool)
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
        written: its JSON per row; null where a row does not send it.

        has_value: rows that send something other than null.

        leaves: of a JSON column, per row, the dotted fields that its value has.

        is_string: *written* lacks the quotes around it.
    """

    name: str
    written: pa.Array
    has_value: Flags
    leaves: list[tuple[str, ...]] | None = None
    is_string: bool = False


class DataFields:
    """
    The data fields of a chunk.

    Attributes:
        refused: row, dotted field and reason of what cannot be sent.
    """

    def __init__(self, chunk: Chunk, known_types: Mapping[str, str]) -> None:
        import pyarrow.compute as pc

        self._chunk = chunk
        self._known_types = known_types
        # Iterable has an object if it has a part of it.
        self._known = {
            name[:end]
            for name in known_types
            for end in (*(match.start() for match in re.finditer(r"\.", name)), len(name))
        }
        self._members: list[_Member] = []
        self._halves: dict[str, tuple[str, Column]] = {}
        self._cleared: dict[str, Flags] = {}
        self._is_changed = flags(pc.equal(chunk.op, Op.CHANGED.value))
        self.refused: list[tuple[int, str, str]] = []

    def add(self, column: Column) -> Flags:
        """
        Send a column as a field: its value, or null where that clears the field.

        Two columns that are the ``lat`` and the ``lon`` of a place are one field, sent with the
        second of them.

        Returns:
            The rows of which Iterable then has under this name what the warehouse says.
        """
        name, sent = dotted(column.field), self._chunk.sent(column)
        if (half := half_of(name)) is not None:
            return self._add_half(*half, column)
        rendered = self._render(column, sent, name)
        self.refused += [(row, name, reason) for row, reason in rendered.bad.items()]
        is_cleared = column.null is NullPolicy.CLEAR
        return self._put(name, rendered, sent, is_cleared=is_cleared)

    def clear_renamed(self, column: Column, named: Flags, renamed: Renamed) -> None:
        """
        Send null as the names that the field of a column had, where Iterable has such fields.

        Args:
            named: the rows that have the field under its new name, see :meth:`add`.
        """
        rows = named
        if column.name not in renamed.of_changed:
            rows = named & ~self._is_changed
        for was in renamed.was.get(column.name, ()):
            half = half_of(was)
            name = was if half is None else half[0]
            if name in self._known:
                self._cleared[name] = rows | self._cleared.get(name, rows)

    def _render(self, column: Column, sent: Flags, name: str) -> Rendered:
        values = where(sent, self._chunk.array(column.name))
        types = self._known_types
        return render(values, column.state, column.wire, name, types, region=column.region)

    def _add_half(self, place: str, part: str, column: Column) -> Flags:
        import numpy as np

        if place not in self._halves:
            self._halves[place] = (part, column)
            return np.zeros(self._chunk.rows, dtype=bool)
        columns = dict([(part, column), self._halves.pop(place)])
        sent = np.logical_or.reduce([self._chunk.sent(one) for one in columns.values()])
        # What Iterable knows of a part is not a type that the part could have alone.
        halves = {name: self._render(one, sent, "") for name, one in columns.items()}
        given = np.logical_or.reduce(
            [flags(where(sent, self._chunk.array(one.name)).is_valid()) for one in columns.values()]
        )
        written = places_of(halves["lat"].text, halves["lon"].text)
        bad = np.flatnonzero(given & ~flags(written.is_valid())).tolist()
        rendered = Rendered(written, dict.fromkeys(bad, Reason.INVALID_GEO_LOCATION))
        self.refused += [
            (row, dotted(one.field), reason)
            for row, reason in rendered.bad.items()
            for one in columns.values()
        ]
        is_cleared = all(one.null is NullPolicy.CLEAR for one in columns.values())
        return self._put(place, rendered, sent, is_cleared=is_cleared)

    def _put(self, name: str, rendered: Rendered, sent: Flags, *, is_cleared: bool) -> Flags:
        """Make a member of what is written; *is_cleared* where a NULL takes the field away."""
        import pyarrow as pa
        import pyarrow.compute as pc

        written, is_string = rendered.written, rendered.is_string
        has_value = flags(written.is_valid())
        cleared = self._chunk.is_removed.copy()
        if is_cleared:
            cleared |= sent & ~has_value
            cleared[list(rendered.bad)] = False
        if name in self._known and cleared.any():
            text = rendered.text
            written = pc.if_else(pa.array(cleared), pa.scalar("null", text.type), text)
            is_string = False
        self._members.append(_Member(name, written, has_value, rendered.leaves, is_string))
        return has_value | cleared

    def add_string(self, name: str, inside: pa.Array) -> None:
        """Send the insides of JSON strings as a field; null where a row does not send it."""
        self._members.append(_Member(name, inside, flags(inside.is_valid()), is_string=True))

    def top_level(self, column: Column) -> pa.Array:
        """Write a column that stands beside the fields; null where there is no usable value."""
        values = where(self._chunk.sent(column), self._chunk.array(column.name))
        rendered = render(values, column.state, column.wire, column.field, {})
        self.refused += [(row, column.field, reason) for row, reason in rendered.bad.items()]
        return rendered.text

    def escape(self, name: str, text: pa.Array, usable: pa.Array, reason: str) -> pa.Array:
        """Give the insides of JSON strings; a row whose text is not *usable* loses the field."""
        import numpy as np

        wrong = flags(text.is_valid()) & ~flags(usable)
        self.refused += [(row, name, reason) for row in np.flatnonzero(wrong).tolist()]
        return escape(where(~wrong, text), {})

    def objects(self) -> Written:
        """Write the fields of each row as a JSON object."""
        import numpy as np
        import pyarrow as pa

        for name, rows in self._cleared.items():
            self._members.append(_Member(name, _nulls(rows), rows & False))
        self._cleared = {}
        if not self._members:
            return Written(["{}"], pa.array(np.ones(self._chunk.rows, dtype=bool)))
        strings = {place for place, member in enumerate(self._members) if member.is_string}
        template = Template([member.name for member in self._members])
        return template.write([member.written for member in self._members], strings)

    def names(self) -> FieldNames:
        """Name, per row, the fields that it sends with a value."""
        plain = [member for member in self._members if member.leaves is None]
        is_always = [bool(member.has_value.all()) for member in plain]
        return FieldNames(
            self._chunk.rows,
            tuple(compress((member.name for member in plain), is_always)),
            [
                (member.name, member.has_value)
                for member, always in zip(plain, is_always, strict=True)
                if not always
            ],
            [member.leaves for member in self._members if member.leaves is not None],
        )


def _nulls(rows: Flags) -> pa.Array:
    """Write JSON's null for some rows, and nothing for the others."""
    import pyarrow as pa
    import pyarrow.compute as pc

    large = pa.large_string()
    return pc.if_else(pa.array(rows), pa.scalar("null", large), pa.scalar(None, large))


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
