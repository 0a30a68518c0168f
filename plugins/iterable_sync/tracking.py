"""What events of people share, whatever they say: ``POST /api/events/trackBulk``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from iterable_sync.addressees import identifiers, opened
from iterable_sync.names import join
from iterable_sync.payloads import PayloadBlock
from iterable_sync.sync_object import SyncObject

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from iterable_sync.fields import Chunk, DataFields
    from iterable_sync.payloads import Flags
    from iterable_sync.rows import Rejection, Target
    from iterable_sync.sync_object import MapContext


class TrackedInBulk(SyncObject):
    """What is the same for all sync objects whose rows are events."""

    lane: str = "events"
    path: str = "/api/events/trackBulk"
    array: str = "events"
    sends: Literal["changed_fields", "whole"] = "whole"
    # Source: Swagger, 10 requests a second per project, documented; 80 % of that.
    requests_per_s: float = 8.0
    # No limit is published; 1,000 rows and 4 MB is what other clients send.
    max_rows: int = 1_000
    answers: Literal["rows", "request"] = "rows"
    has_listed_fields: bool = False

    def body(
        self, rows: Sequence[bytes], *, create_new_fields: bool, target: Target | None = None
    ) -> bytes:
        """Wrap rows into a request body; what is said of new fields is in each row already."""
        return b"".join((b'{"events":[', b",".join(rows), b"]}"))


def written_events(
    chunk: Chunk,
    context: MapContext,
    who: pa.Array,
    by_email: Flags,
    refused: Mapping[int, str],
    fields: DataFields,
    *beside: str | pa.Array,
    names: str | pa.Array,
    ids: pa.Array,
    seconds: pa.Array,
) -> tuple[PayloadBlock, list[Rejection]]:
    """
    Write the rows of a chunk as events.

    Args:
        who: the e-mail or userId of each row.

        by_email: which rows are identified by an e-mail.

        refused: row -> why it cannot be sent.

        beside: members of each event, with the comma that is before them.

        names: insides of JSON strings.

        seconds: since 1970, as texts.
    """
    texts = join(
        *opened(who, by_email),
        '","eventName":"',
        names,
        '","id":"',
        ids,
        '","createdAt":',
        seconds,
        *beside,
        ',"dataFields":',
        *fields.objects().pieces,
        f',"createNewFields":{"true" if context.create_new_fields else "false"}}},',
        null="",
    )
    block = PayloadBlock(
        chunk.seqs,
        chunk.identity,
        identifiers(chunk, who, context.columns, context.project_type),
        texts,
        fields.names(),
    )
    return block.keep(chunk.but_for(refused)), chunk.rejections(refused, fields.refused)
