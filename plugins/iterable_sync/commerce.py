"""
What orders and carts share: one row is one request, about one person, with items.

``user`` names the person by the rule of :mod:`.identity`, and has the columns that are nested under
``user`` (``user__city``) as its data fields: they are written to the profile as ``users/update``
would. It is made if Iterable does not know it.

Source: Swagger ``ApiUserUpdateRequest``, documented.
"""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from iterable_sync.addressees import addressees, identifiers
from iterable_sync.commerce_items import write_items
from iterable_sync.errors import ConfigError
from iterable_sync.fields import Chunk, DataFields, flags, where
from iterable_sync.identity import EMAIL_PREFIX
from iterable_sync.names import MANAGED, dotted, join
from iterable_sync.payloads import PayloadBlock
from iterable_sync.rows import Rejection, Role
from iterable_sync.sync_object import SyncObject
from iterable_sync.values import escape

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from iterable_sync.payloads import Flags
    from iterable_sync.rows import Column, Target
    from iterable_sync.sync_object import MapContext

log = logging.getLogger(__name__)

INVALID_ITEMS = "invalid_items"
_USER = "user."


class Commerce(SyncObject):
    """What is the same for all sync objects whose rows are requests of their own."""

    lane: str = "commerce"
    array: str = ""
    sends: Literal["changed_fields", "whole"] = "whole"
    # No limit is published. 20 a second is slow enough to leave room for an application that
    # tracks what happens at the same time.
    requests_per_s: float = 20.0
    # There is no bulk form (Swagger, documented).
    max_rows: int = 1
    answers: Literal["rows", "request"] = "request"
    has_listed_fields: bool = False

    def body(
        self, rows: Sequence[bytes], *, create_new_fields: bool, target: Target | None = None
    ) -> bytes:
        """Give the request of a row, which is the row; it says itself what it may create."""
        return b",".join(rows)


class Requests:
    """
    The requests of a chunk, in the making.

    Attributes:
        refused: row -> why it cannot be sent.

        data: the data fields of the row itself, without those of its person.
    """

    def __init__(self, chunk: Chunk, context: MapContext) -> None:
        import pyarrow.compute as pc

        self.chunk = chunk
        self.data = DataFields(chunk, {})
        self._context = context
        self._by_email = flags(pc.starts_with(chunk.identity, EMAIL_PREFIX))
        self._who, self.refused = addressees(chunk, self._by_email, context.project_type)
        self._person = DataFields(chunk, {})
        self._has_person_fields = False

    def add_fields(self) -> list[Column]:
        """Send the columns of the person's fields, and give the others that have no role."""
        others = []
        for column in self._context.columns:
            name = dotted(column.field)
            if column.role is not Role.FIELD:
                continue
            if not name.startswith(_USER):
                others.append(column)
                continue
            own = name.removeprefix(_USER)
            if (why := MANAGED.get(own.partition(".")[0])) is not None:
                raise ConfigError(f"field {column.field!r} cannot be written: {why}")
            self._person.add(replace(column, field=own))
            self._has_person_fields = True
        return others

    def items(self, column: Column) -> pa.Array:
        """Write the items of each row; a row whose items are wrong is refused."""
        items, wrong = write_items(where(~self.chunk.is_removed, self.chunk.text(column.name)))
        for row in wrong:
            self.refused.setdefault(row, INVALID_ITEMS)
        for what, rows in sorted(Counter(wrong.values()).items()):
            log.warning(
                "%s: %d rows rejected, %s: %s", self._context.sync, rows, INVALID_ITEMS, what
            )
        return items

    def refuse(self, rows: Flags, reason: str) -> None:
        """Refuse rows that have no other reason yet."""
        import numpy as np

        for row in np.flatnonzero(rows).tolist():
            self.refused.setdefault(row, reason)

    def user(self) -> pa.Array:
        """Write whose the rows are."""
        import pyarrow as pa
        import pyarrow.compute as pc

        large = pa.large_string()
        fields: list[str | pa.Array] = []
        if self._has_person_fields:
            fields = [',"dataFields":', *self._person.objects().pieces]
        merges = "true" if self._context.merge_nested_objects else "false"
        creates = "true" if self._context.create_new_fields else "false"
        return join(
            pc.if_else(
                pa.array(self._by_email),
                pa.scalar('{"user":{"email":"', large),
                pa.scalar('{"user":{"userId":"', large),
            ),
            escape(self._who, {}),
            '"',
            *fields,
            f',"mergeNestedObjects":{merges},"createNewFields":{creates}}}',
            null="",
        )

    def written(self, *pieces: str | pa.Array) -> tuple[PayloadBlock, list[Rejection]]:
        """Join what is behind the user of each row to requests; a null counts as nothing."""
        chunk, context = self.chunk, self._context
        of_person = ((row, _USER + name, why) for row, name, why in self._person.refused)
        rejections = chunk.rejections(self.refused, [*self.data.refused, *of_person])
        block = PayloadBlock(
            chunk.seqs,
            chunk.identity,
            identifiers(chunk, self._who, context.columns, context.project_type),
            join(self.user(), *pieces, "},", null=""),
            self.data.names(),
        )
        return block.keep(chunk.but_for(self.refused)), rejections
