"""
Subscriptions, all of a person at once: ``POST /api/users/bulkUpdateSubscriptions``.

A row of the model is a person. Each array that the model has **overwrites** the one that the person
has: what is in Iterable and not in the array is lost, whoever put it there, people themselves by a
click on *unsubscribe* included. So it has to be allowed, ``allow_overwrite=True``.

================================  =================================================================
in the request                    from
================================  =================================================================
``email`` or ``userId``           by the same rule as for users; never both
``emailListIds``                  ``email_list_ids``: the lists that the person is in
``unsubscribedChannelIds``        ``unsubscribed_channel_ids``
``unsubscribedMessageTypeIds``    ``unsubscribed_message_type_ids``: of those one has to opt out of
``subscribedMessageTypeIds``      ``subscribed_message_type_ids``: of those one has to opt in to
================================  =================================================================

A column is a JSON list of integers. NULL leaves the array out, and Iterable leaves it as it is; an
empty list empties it.

Source: Swagger ``UpdateSubscriptionsRequest`` and ``BulkUpdateSubscriptionsResponse``, documented.
No rate and no number of people is published; both are assumed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import orjson

from iterable_sync.addressees import addressees, identifiers, opened
from iterable_sync.errors import ConfigError
from iterable_sync.fields import Chunk, flags
from iterable_sync.identity import EMAIL_PREFIX
from iterable_sync.names import join
from iterable_sync.payloads import FieldNames, PayloadBlock
from iterable_sync.rows import Rejection, Role
from iterable_sync.sync_object import Shape, SyncObject

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    import pyarrow as pa

    from iterable_sync.rows import Column, Project, Target
    from iterable_sync.spec import SyncSpec
    from iterable_sync.sync_object import MapContext

_ARRAYS = {
    Role.EMAIL_LISTS: ("email_list_ids", "emailListIds"),
    Role.CHANNELS_LEFT: ("unsubscribed_channel_ids", "unsubscribedChannelIds"),
    Role.TYPES_LEFT: ("unsubscribed_message_type_ids", "unsubscribedMessageTypeIds"),
    Role.TYPES_JOINED: ("subscribed_message_type_ids", "subscribedMessageTypeIds"),
}
_LARGEST_ID = 2**63 - 1


class SubscriptionArrays(SyncObject):
    """All subscriptions of people, written over those that they have."""

    name: str = "subscription_arrays"
    lane: str = "profiles"
    path: str = "/api/users/bulkUpdateSubscriptions"
    array: str = "updateSubscriptionsRequests"
    sends: Literal["changed_fields", "whole"] = "whole"
    requests_per_s: float = 5.0
    max_rows: int = 1_000
    answers: Literal["rows", "request"] = "rows"
    removals: tuple[str, ...] = ("ignore",)
    settings: frozenset[str] = frozenset(
        {"allow_overwrite", "newest_by", "on_identity_change", "requires", "seed_sql"}
    )
    shape: Shape = Shape(
        "subscription_arrays",
        writes_identity=False,
        roles=_ARRAYS,
        one_of=frozenset(_ARRAYS),
        has_fields=False,
    )
    has_listed_fields: bool = False

    def check(self, spec: SyncSpec, project: Project) -> None:
        """Ask to be allowed."""
        if not spec.allow_overwrite:
            raise ConfigError(
                f"sync {spec.sync}: style='overwrite' writes the arrays of the model over all "
                "lists, channels and message types that a person has in Iterable: what is not in "
                "the model is lost, also what people chose themselves. If the warehouse has all "
                "of it, say allow_overwrite=True; to change one group at a time leave "
                "style='single'"
            )

    def payloads(
        self, frame: pd.DataFrame, context: MapContext
    ) -> tuple[PayloadBlock, list[Rejection]]:
        """Map a chunk; see :class:`iterable_sync.sync_object.SyncObject`."""
        return _map(Chunk(frame, is_whole=True), context)

    def body(
        self, rows: Sequence[bytes], *, create_new_fields: bool, target: Target | None = None
    ) -> bytes:
        """Wrap rows into a request body."""
        return b"".join((b'{"updateSubscriptionsRequests":[', b",".join(rows), b"]}"))


OBJECT = SubscriptionArrays()


def _map(chunk: Chunk, context: MapContext) -> tuple[PayloadBlock, list[Rejection]]:
    import numpy as np
    import pyarrow.compute as pc

    by_email = flags(pc.starts_with(chunk.identity, EMAIL_PREFIX))
    who, refused = addressees(chunk, by_email, context.project_type)
    columns = [column for column in context.columns if column.role in _ARRAYS]
    arrays = [_array(chunk, column, refused) for column in columns]
    # A row of NULLs says nothing, and Iterable has what it would leave as it is.
    is_sent = ~chunk.is_removed & np.logical_or.reduce([flags(one.is_valid()) for one in arrays])

    members = [pc.fill_null(one, "") for one in arrays]
    block = PayloadBlock(
        chunk.seqs,
        chunk.identity,
        identifiers(chunk, who, context.columns, context.project_type),
        join(*opened(who, by_email), '"', *members, "},", null=""),
        FieldNames(chunk.rows),
    )
    return block.keep(is_sent & chunk.but_for(refused)), chunk.rejections(refused)


def _array(chunk: Chunk, column: Column, refused: dict[int, str]) -> pa.Array:
    """Write a column as a member of the request, with a comma before; null where it is left out."""
    import pyarrow as pa

    encoded = chunk.text(column.name).dictionary_encode()
    written = [_member(column.field, text) for text in encoded.dictionary.to_pylist()]
    codes = encoded.indices.to_pylist()
    for row, code in enumerate(codes):
        if code is not None and written[code] is None:
            refused.setdefault(row, "invalid_ids")
    values = pa.array(written, pa.large_string())
    return values.take(encoded.indices)


def _member(name: str, text: str) -> str | None:
    """Write a member; None where the text is no list of positive integers."""
    try:
        ids = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(ids, list) or not all(
        type(one) is int and 0 < one <= _LARGEST_ID for one in ids
    ):
        return None
    # The order of a list is no difference, nor is an id that comes twice.
    return f',"{name}":{orjson.dumps(sorted(set(ids))).decode()}'
