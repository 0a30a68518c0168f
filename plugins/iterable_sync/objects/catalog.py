"""
Items of a catalog: ``POST`` and ``DELETE /api/catalogs/{catalog}/items``.

A row of the model is an item, and its key is the item's id, as :mod:`iterable_sync.item_ids` writes
it. All other columns are fields of the item.

==============================  ====================================================================
in the request                  from
==============================  ====================================================================
``documents``                   id -> the fields of a row: of an added one all, of a changed one
                                those that changed
``replaceUploadedFieldsOnly``   always ``true``: a field that is not sent stays as it is. ``false``
                                would erase what a changed row does not send, and what others wrote
``itemIds``                     the ids of rows that left the model, where ``on_remove="delete"``
==============================  ====================================================================

A field is replaced as a whole: there is no ``mergeNestedObjects`` for items. So columns that are
parts of one object (``size__width``, ``size__height``) are sent together, once one of them changed.

A NULL is sent as null, where the catalog has the field. A key with a period inside of JSON costs
its field, and an item of more than 30,000 bytes, or whose id is too long, is rejected.

Source: Swagger ``BulkUpdateCatalogItemsRequest`` and article 360033215072, documented: 1,000
documents of 30 KB each, 100 requests a second for a key; 30 KB is read as 30,000 bytes of compact
JSON, assumed. That null takes the value from a field is documented nowhere: whether Iterable then
has a null or no field, a template shows nothing.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Literal

from iterable_sync.errors import ConfigError
from iterable_sync.fields import Chunk, DataFields, flags
from iterable_sync.item_ids import MAX_CHARACTERS, item_ids
from iterable_sync.names import join, split_name
from iterable_sync.payloads import PayloadBlock
from iterable_sync.periods import without_periods
from iterable_sync.row_ids import key_text
from iterable_sync.rows import Op, Rejection, Role, StateType, Target
from iterable_sync.sync_object import Shape, SyncObject

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from iterable_sync.payloads import Flags
    from iterable_sync.rows import Column, Project
    from iterable_sync.spec import SyncSpec
    from iterable_sync.sync_object import MapContext
    from iterable_sync.values import Rendered

MAX_ITEM_BYTES = 30_000
"""So many bytes of JSON the fields of an item may have."""

# Quotes, colon and comma around a name and a value, and the longest number.
_MEMBER_BYTES = 40
# A control character is six bytes in JSON.
_CHARACTER_BYTES = 6
_SHOWN = "/api/catalogs/{catalog}/items"


class Catalog(SyncObject):
    """Items of a catalog."""

    name: str = "catalog"
    lane: str = "catalogs"
    path: str = "/api/catalogs"
    array: str = "documents"
    sends: Literal["changed_fields", "whole"] = "changed_fields"
    requests_per_s: float = 80.0
    max_rows: int = 1_000
    answers: Literal["rows", "request"] = "request"
    removals: tuple[str, ...] = ("ignore", "delete")
    settings: frozenset[str] = frozenset(
        {
            "catalog",
            "clear_renamed",
            "create_catalog",
            "image_size",
            "read_back_sample",
            "seed_sql",
        }
    )
    shape: Shape = Shape("catalog", of_people=False, batch_by=(), needs_catalog=True)
    has_listed_fields: bool = False

    def check(self, spec: SyncSpec, project: Project) -> None:
        """Demand the name of the catalog."""
        if spec.catalog is None:
            raise ConfigError(
                f"sync {spec.sync!r}: which catalog of project {project.name} the items are of is "
                "missing, e.g. catalog='products'"
            )

    def payloads(
        self, frame: pd.DataFrame, context: MapContext
    ) -> tuple[PayloadBlock, list[Rejection]]:
        """Map a chunk; see :class:`iterable_sync.sync_object.SyncObject`."""
        return _map(frame, context)

    def body(
        self, rows: Sequence[bytes], *, create_new_fields: bool, target: Target | None = None
    ) -> bytes:
        """Wrap rows, which are members of an object, into a request body."""
        if target is not None and target.method == "DELETE":
            return b"".join((b'{"itemIds":[', b",".join(rows), b"]}"))
        head = b'{"replaceUploadedFieldsOnly":true,"documents":{'
        return b"".join((head, b",".join(rows), b"}}"))


OBJECT = Catalog()


class _Items(Chunk):
    """A chunk in which the parts of an object are sent together."""

    def __init__(
        self, frame: pd.DataFrame, columns: Sequence[Column], *, is_whole: bool = False
    ) -> None:
        super().__init__(frame, is_whole=is_whole)
        self._parts: defaultdict[str, list[int]] = defaultdict(list)
        for column in columns:
            self._parts[split_name(column.field)[0]].append(column.position)

    def sent(self, column: Column) -> Flags:
        """Tell which rows send a column's value, for its own sake or that of its object."""
        import numpy as np

        parts = self._parts[split_name(column.field)[0]]
        marked: Flags = np.logical_or.reduce([self._is_marked(place) for place in parts])
        return marked & ~self.is_removed


class _Fields(DataFields):
    """Fields of items, whose names have no period, inside of JSON as well."""

    def _render(self, column: Column, sent: Flags, name: str) -> Rendered:
        """Write a column, see :class:`DataFields`; values with a period in a key are bad."""
        return without_periods(super()._render(column, sent, name))


def _map(frame: pd.DataFrame, context: MapContext) -> tuple[PayloadBlock, list[Rejection]]:
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    chunk = _Items(frame, context.columns)
    (key,) = (column for column in context.columns if column.is_key)
    ids = item_ids(key_text(chunk.array(key.name), key.state))
    fields = _Fields(chunk, context.known_types)
    for column in context.columns:
        if column.role is Role.FIELD and not column.is_key:
            fields.clear_renamed(column, fields.add(column), context.renamed)
    objects = fields.objects()
    values = join(*objects.pieces, null="")

    refused: dict[int, str] = {}
    for wrong, reason in (
        (pc.greater(pc.binary_length(ids), MAX_CHARACTERS), "bad_item_id"),
        (pc.greater(pc.binary_length(values), MAX_ITEM_BYTES), "item_too_large"),
    ):
        for row in np.flatnonzero(flags(wrong)).tolist():
            refused.setdefault(row, reason)
    for row in _too_large(frame, chunk, context):
        refused.setdefault(row, "item_too_large")
    # An added row without fields still makes its item.
    is_silent = np.zeros(chunk.rows, dtype=bool)
    if objects.is_empty is not None:
        is_silent = flags(objects.is_empty) & flags(pc.equal(chunk.op, Op.CHANGED.value))
    # Plain text: drivers have their own ideas of an Enum.
    rejections = [
        Rejection(int(chunk.seqs[row]), str(reason), field)
        for row, field, reason in fields.refused
        if row not in refused
    ]
    for row, _, reason in fields.refused:
        if is_silent[row]:
            refused.setdefault(row, reason)
    rejections += [Rejection(int(chunk.seqs[row]), str(reason)) for row, reason in refused.items()]
    rejections.sort(key=lambda rejection: rejection.seq)
    is_silent[list(refused)] = True

    put, delete = (_target(context.catalog, method) for method in ("POST", "DELETE"))
    block = PayloadBlock(
        chunk.seqs,
        chunk.identity,
        [ids],
        pc.if_else(
            pa.array(chunk.is_removed), join('"', ids, '",'), join('"', ids, '":', values, ",")
        ),
        fields.names(),
        targets=[delete if is_removed else put for is_removed in chunk.is_removed.tolist()],
    )
    return block.keep(~is_silent), rejections


def _too_large(frame: pd.DataFrame, chunk: _Items, context: MapContext) -> list[int]:
    """Give the changed rows whose item is too large with what they do not send."""
    import numpy as np
    import pyarrow.compute as pc

    columns = [column for column in context.columns if not column.is_key]
    # At most; no number and no escaped character is written longer.
    most = np.full(chunk.rows, sum(len(c.field.encode()) + _MEMBER_BYTES for c in columns))
    for column in columns:
        if column.state is StateType.TEXT:
            sizes = pc.fill_null(pc.binary_length(chunk.text(column.name)), 0)
            most += _CHARACTER_BYTES * sizes.to_numpy(zero_copy_only=False)
    is_changed = flags(pc.equal(chunk.op, Op.CHANGED.value))
    rows = np.flatnonzero(is_changed & (most > MAX_ITEM_BYTES))
    if not rows.size:
        return []
    whole = _Fields(_Items(frame.iloc[rows], context.columns, is_whole=True), {})
    for column in columns:
        whole.add(column)
    sizes = pc.binary_length(join(*whole.objects().pieces, null=""))
    found: list[int] = rows[flags(pc.greater(sizes, MAX_ITEM_BYTES))].tolist()
    return found


def _target(catalog: str, method: str) -> Target:
    return Target(
        f"/api/catalogs/{catalog}/items",
        method=method,
        shown=_SHOWN,
        absent=f"Iterable has no catalog {catalog!r} any more; create it there, or say "
        "create_catalog=True, and run once with full_resync=True",
    )
