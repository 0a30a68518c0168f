"""
User profiles as ``POST /api/users/bulkUpdate`` takes them: what all objects that write them share.

===========  ================  ==============================  =====================
project      a row has its     userId                          e-mail
===========  ================  ==============================  =====================
email        ``email``         top level, written to the user  identifies
userId       ``userId``        identifies                      ``dataFields.email``
hybrid       ``userId``        identifies                      ``dataFields.email``
hybrid       ``email``         (the row has none)              identifies
===========  ================  ==============================  =====================

``preferUserId`` is never sent: its use is to make people of rows without an e-mail in email-based
projects, and such rows are rejected. An identifier is never sent as null.

A bad identity rejects the row. A bad value rejects its field, and the row goes on; a *changed* row
that has nothing else to send is rejected too, with the reason of its first field. A *changed* or
*removed* row with nothing to send at all (nulls of fields that Iterable does not have) gives no
payload and no rejection: Iterable holds what it would say. Only a row that sends all of its columns
is sent without fields as well: Iterable may never have got it.

A JSON column is one field and sent whole. While nested objects are merged, Iterable keeps a key
that is no longer in it; a null for the key, or ``merge_nested_objects=False``, makes it go.

Source: Iterable's Swagger 1.8 and https://support.iterable.com/hc/en-us/articles/29156459027348,
documented. That null deletes a field is recorded for ``users/update`` only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from iterable_sync.addressees import addressees, identifiers
from iterable_sync.fields import Chunk, DataFields, flags, where
from iterable_sync.identity import (
    EMAIL_PREFIX,
    IdentityReason,
    are_emails,
    are_user_ids,
    trim_emails,
    usable_user_ids,
)
from iterable_sync.names import join
from iterable_sync.payloads import PayloadBlock
from iterable_sync.rows import Op, ProjectType, Rejection, Role
from iterable_sync.sync_object import SyncObject
from iterable_sync.values import escape

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    import pyarrow as pa

    from iterable_sync.names import Written
    from iterable_sync.payloads import Flags
    from iterable_sync.rows import Target
    from iterable_sync.sync_object import MapContext, Shape


class Profiles(SyncObject):
    """What is the same for all sync objects whose rows become fields of people, row by row."""

    shape: Shape
    lane: str = "profiles"
    path: str = "/api/users/bulkUpdate"
    array: str = "users"
    sends: Literal["changed_fields", "whole"] = "changed_fields"
    # Source: Swagger, 5 requests a second per project, documented; 80 % of that.
    requests_per_s: float = 4.0
    # Only the bytes of a request are limited (documented); 1,000 rows is what other clients send.
    max_rows: int = 1_000
    answers: Literal["rows", "request"] = "rows"
    removals: tuple[str, ...] = ("ignore", "clear")
    settings: frozenset[str] = frozenset(
        {
            "clear_renamed",
            "merge_nested_objects",
            "newest_by",
            "on_identity_change",
            "seed_sql",
        }
    )
    has_listed_fields: bool = True

    def payloads(
        self, frame: pd.DataFrame, context: MapContext
    ) -> tuple[PayloadBlock, list[Rejection]]:
        """Map a chunk; see :class:`iterable_sync.sync_object.SyncObject`."""
        return _map(Chunk(frame), context, writes_identity=self.shape.writes_identity)

    def body(
        self, rows: Sequence[bytes], *, create_new_fields: bool, target: Target | None = None
    ) -> bytes:
        """Wrap rows into a request body."""
        flag = b"true" if create_new_fields else b"false"
        # Not `%b`, which grows its buffer and costs 40 times as much for a body of this size.
        return b"".join((b'{"users":[', b",".join(rows), b'],"createNewFields":', flag, b"}"))

    def profile_of(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Give what the profile shows of a row; see :class:`iterable_sync.read_back.OnProfiles`."""
        identifiers = {name: row[name] for name in ("email", "userId") if name in row}
        return {**identifiers, **row["dataFields"]}


def _map(
    chunk: Chunk, context: MapContext, *, writes_identity: bool
) -> tuple[PayloadBlock, list[Rejection]]:
    import numpy as np
    import pyarrow.compute as pc

    written = {column.role: column for column in context.columns if writes_identity}
    by_email = flags(pc.starts_with(chunk.identity, EMAIL_PREFIX))
    who, refused = addressees(chunk, by_email, context.project_type)
    fields = DataFields(chunk, context.known_types)
    for column in context.columns:
        if column.role is Role.FIELD:
            fields.clear_renamed(column, fields.add(column), context.renamed)
    user_ids: pa.Array | None = None
    if context.project_type is ProjectType.EMAIL:
        if (beside := written.get(Role.USER_ID)) is not None:
            texts = usable_user_ids(chunk.sent_text(beside))
            user_ids = fields.escape("userId", texts, are_user_ids(texts), IdentityReason.USER_ID)
    elif (email := written.get(Role.EMAIL)) is not None:
        texts = where(~by_email, trim_emails(chunk.sent_text(email)))
        inside = fields.escape("email", texts, are_emails(texts), IdentityReason.EMAIL)
        fields.add_string("email", inside)
    objects = fields.objects()

    is_empty = np.zeros(chunk.rows, dtype=bool)
    if objects.is_empty is not None:
        is_empty = flags(objects.is_empty)
    if user_ids is not None:
        is_empty &= flags(user_ids.is_null())
    # An added row without fields still makes its user; so does one that may never have arrived.
    is_known = flags(pc.equal(chunk.op, Op.CHANGED.value)) & ~chunk.sends_all(context.columns)
    is_silent = is_empty & (chunk.is_removed | is_known)
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

    block = PayloadBlock(
        chunk.seqs,
        chunk.identity,
        identifiers(chunk, who, context.columns, context.project_type),
        write_profiles(who, by_email, user_ids, objects, is_merged=context.merge_nested_objects),
        fields.names(),
    )
    return block.keep(~is_silent), rejections


def write_profiles(
    who: pa.Array,
    by_email: Flags,
    user_ids: pa.Array | None,
    objects: Written,
    *,
    is_merged: bool,
) -> pa.Array:
    """
    Write people, in one pass; each with a comma behind it, as a block of payloads has them.

    Args:
        who: the e-mail or userId that identifies each; *by_email* says which of both.

        user_ids: insides of JSON strings, written to people who are identified by an e-mail; null
            where a row does not send it.

        objects: their data fields.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    large = pa.large_string()
    start: str | pa.Array = '{"userId":"'
    if by_email.all():
        start = '{"email":"'
    elif by_email.any():
        start = pc.if_else(
            pa.array(by_email), pa.scalar('{"email":"', large), pa.scalar(start, large)
        )
    return join(
        start,
        escape(who, {}),
        '"',
        *([] if user_ids is None else [join(',"userId":"', user_ids, '"')]),
        ',"dataFields":',
        *objects.pieces,
        f',"mergeNestedObjects":{"true" if is_merged else "false"}}},',
        null="",
    )
