"""
Static lists: ``POST /api/lists/subscribe`` and ``POST /api/lists/unsubscribe``.

A row of the model is a member of a list: of the one that ``SyncSpec.list_name`` or ``list_id``
says, or of the one that its audience names. New members are subscribed, and those whose row left
the model unsubscribed, each list in requests of its own.

=================  ================================================================================
in the request     from
=================  ================================================================================
``listId``         the list's id, as it was looked up or created before
``subscribers``    ``email`` or ``userId``, by the same rule as for users; never both, and nothing
                   else: a member has no data fields here, they are those of the profile
``channel-         always ``false`` where people are unsubscribed: ``true`` would take them off the
Unsubscribe``      whole channel
=================  ================================================================================

``updateExistingUsersOnly`` is not sent: its default is false, so somebody whom Iterable does not
know becomes a user. Who is unknown, or forgotten, is in no list: to unsubscribe such a person is
no failure.

Source: Swagger ``SubscribeRequest`` and ``UnsubscribeRequest``, documented. That an answer is read
as that of bulkUpdate: the same schema, documented. No rate and no number of rows is published; the
figures are those of bulkUpdate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from iterable_sync.addressees import addressees, identifiers, opened
from iterable_sync.fields import Chunk, flags
from iterable_sync.identity import EMAIL_PREFIX
from iterable_sync.names import join
from iterable_sync.payloads import FieldNames, PayloadBlock
from iterable_sync.rows import Rejection, Role, Target
from iterable_sync.sync_object import Shape, SyncObject

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pandas as pd

    from iterable_sync.sync_object import MapContext

_UNSUBSCRIBE = "/api/lists/unsubscribe"
_NOBODY = frozenset({"not_found", "forgotten"})


class Lists(SyncObject):
    """Members of static lists."""

    name: str = "lists"
    lane: str = "profiles"
    path: str = "/api/lists/subscribe"
    array: str = "subscribers"
    sends: Literal["changed_fields", "whole"] = "whole"
    requests_per_s: float = 4.0
    max_rows: int = 1_000
    answers: Literal["rows", "request"] = "rows"
    removals: tuple[str, ...] = ("unsubscribe", "ignore")
    settings: frozenset[str] = frozenset(
        {"adopt_list", "audience", "create_list", "list_id", "list_name", "requires", "seed_sql"}
    )
    shape: Shape = Shape(
        "lists",
        shares_identity=True,
        batch_by=(Role.AUDIENCE,),
        roles={Role.AUDIENCE: ()},
        names_claimed=Role.AUDIENCE,
        has_fields=False,
        needs_lists=True,
    )
    has_listed_fields: bool = False

    def payloads(
        self, frame: pd.DataFrame, context: MapContext
    ) -> tuple[PayloadBlock, list[Rejection]]:
        """Map a chunk; see :class:`iterable_sync.sync_object.SyncObject`."""
        return _map(Chunk(frame), context)

    def body(
        self,
        rows: Sequence[bytes],
        *,
        create_new_fields: bool,
        target: Target | None = None,
    ) -> bytes:
        """Wrap rows into a request body."""
        head = b"" if target is None else target.head
        return b"".join((b"{", head, b'"subscribers":[', b",".join(rows), b"]}"))


OBJECT = Lists()


def _map(chunk: Chunk, context: MapContext) -> tuple[PayloadBlock, list[Rejection]]:
    import numpy as np
    import pyarrow.compute as pc

    by_email = flags(pc.starts_with(chunk.identity, EMAIL_PREFIX))
    who, refused = addressees(chunk, by_email, context.project_type)
    targets = list(_targets(chunk, context, refused))
    is_sent = np.array([target is not None for target in targets], dtype=bool)
    is_sent &= chunk.but_for(refused)
    block = PayloadBlock(
        chunk.seqs,
        chunk.identity,
        identifiers(chunk, who, context.columns, context.project_type),
        join(*opened(who, by_email), '"},', null=""),
        FieldNames(chunk.rows),
        targets=[target or _NOWHERE for target in targets],
    )
    return block.keep(is_sent), chunk.rejections(refused)


_NOWHERE = Target("")


def _targets(chunk: Chunk, context: MapContext, refused: dict[int, str]) -> Iterator[Target | None]:
    """Give where each row goes: None for one that leaves a list which is not there."""
    column = next((c for c in context.columns if c.role is Role.AUDIENCE), None)
    removed = chunk.is_removed.tolist()
    made: dict[tuple[str | None, bool], Target | None] = {}
    names = [context.list_name] * chunk.rows
    if column is not None:
        names = chunk.text(column.name).to_pylist()
    for row, (name, is_removed) in enumerate(zip(names, removed, strict=True)):
        if column is not None and not (name or "").strip():
            refused.setdefault(row, "missing_audience")
        if (name, is_removed) not in made:
            made[name, is_removed] = _target(context, name, is_removed=is_removed)
        yield made[name, is_removed]


def _target(context: MapContext, name: str | None, *, is_removed: bool) -> Target | None:
    # A list that is declared by its id has no name.
    number = context.list_ids.get(name or "")
    if number is None:
        return None
    absent = absent_list(name, number)
    if not is_removed:
        return Target(Lists.path, b'"listId":%d,' % number, absent=absent)
    head = b'"listId":%d,"channelUnsubscribe":false,' % number
    return Target(_UNSUBSCRIBE, head, harmless=_NOBODY, absent=absent)


def absent_list(name: str | None, number: int) -> str:
    """Say what a person does about a list that Iterable does not have any more."""
    if not name:
        return f"Iterable has no list {number}; give list_id the id of one that it has"
    return (
        f"Iterable has no list {number} any more, which was {name!r}: somebody deleted it. Delete "
        "its row in the table lists of the state, and run with full_resync=True: the list is then "
        "looked up or created by its name, and gets all of its members"
    )
