"""
Subscriptions, one group at a time: ``PUT /api/subscriptions/{group}/{id}?action=...``.

A row of the model is what a person says to a group: to a list, a message type or a channel. No
other subscription of the person is touched, for a request names one group alone.

=======================  ==========================================================================
in the request           from
=======================  ==========================================================================
``{group}``              ``subscription_group``: ``emailList``, ``messageType`` or
                         ``messageChannel``, in upper or lower case
``{id}``                 ``group_id``, the id that Iterable has for it
``action``               ``subscribed``: ``subscribe`` where it is true, ``unsubscribe`` where it is
                         false, and for a row that left where ``on_remove="unsubscribe"`` says so
``users``                the e-mails of people who are addressed by it
``usersByUserId``        the userIds of the others
=======================  ==========================================================================

A NULL in ``subscribed`` is neither: the row is rejected, and what Iterable has stays. Opt-outs go
first, and all of them are answered before the first opt-in is sent.

Somebody whom Iterable does not know becomes a user by subscribing; to unsubscribe them is passed
over, and no failure.

Source: Swagger ``BulkSubscriptionActionRequest`` and article 29156459027348, documented: the body,
202, 404 where support has not enabled it, and that only subscribing creates users. No rate and no
number of people is published; both are assumed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from iterable_sync.addressees import addressees, identifiers
from iterable_sync.fields import Chunk, flags
from iterable_sync.identity import EMAIL_PREFIX
from iterable_sync.names import join
from iterable_sync.payloads import FieldNames, PayloadBlock
from iterable_sync.retrying import UNKNOWN_LIST
from iterable_sync.rows import Rejection, Role, Target
from iterable_sync.sync_object import Shape, SyncObject
from iterable_sync.values import escape, render

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pandas as pd

    from iterable_sync.rows import Column
    from iterable_sync.sync_object import MapContext

_PATH = "/api/subscriptions"
_EMAILS, _USER_IDS = "users", "usersByUserId"
_GROUPS = {name.lower(): name for name in ("emailList", "messageType", "messageChannel")}
_LARGEST_ID = 2**63 - 1
_NOBODY = frozenset({"not_found", "forgotten"})
_ABSENT = (
    "Iterable has not enabled subscriptions by API for this project; ask your Customer Success "
    "Manager or support at Iterable to enable it"
)


class Subscriptions(SyncObject):
    """What people say to lists, message types and channels, one at a time."""

    name: str = "subscriptions"
    lane: str = "profiles"
    path: str = _PATH
    array: str = _USER_IDS
    sends: Literal["changed_fields", "whole"] = "whole"
    requests_per_s: float = 5.0
    max_rows: int = 1_000
    answers: Literal["rows", "request"] = "request"
    removals: tuple[str, ...] = ("ignore", "unsubscribe")
    settings: frozenset[str] = frozenset({"requires", "seed_sql"})
    shape: Shape = Shape(
        "subscriptions",
        shares_identity=True,
        batch_by=(Role.GROUP, Role.GROUP_ID),
        roles={
            Role.GROUP: ("subscription_group", "group"),
            Role.GROUP_ID: ("group_id",),
            Role.SUBSCRIBED: ("subscribed",),
        },
        required=frozenset({Role.GROUP, Role.GROUP_ID, Role.SUBSCRIBED}),
        has_fields=False,
        free_of_guards=Role.SUBSCRIBED,
        needs_groups=True,
        makes_people=False,
    )
    has_listed_fields: bool = False
    # A list that was deleted in the midst of a run.
    refusals: Mapping[str, str] = {UNKNOWN_LIST: "unknown_group"}

    def payloads(
        self, frame: pd.DataFrame, context: MapContext
    ) -> tuple[PayloadBlock, list[Rejection]]:
        """Map a chunk; see :class:`iterable_sync.sync_object.SyncObject`."""
        return _map(Chunk(frame, is_whole=True), context)

    def body(
        self, rows: Sequence[bytes], *, create_new_fields: bool, target: Target | None = None
    ) -> bytes:
        """Wrap people into a request body."""
        array = self.array if target is None or target.array is None else target.array
        return b"".join((b'{"', array.encode(), b'":[', b",".join(rows), b"]}"))


OBJECT = Subscriptions()


def _map(chunk: Chunk, context: MapContext) -> tuple[PayloadBlock, list[Rejection]]:
    import pyarrow as pa
    import pyarrow.compute as pc

    by_email = flags(pc.starts_with(chunk.identity, EMAIL_PREFIX))
    who, refused = addressees(chunk, by_email, context.project_type)
    columns = {column.role: column for column in context.columns}
    said = _said(chunk, columns[Role.SUBSCRIBED], refused)
    targets = list(_targets(chunk, columns, context, by_email.tolist(), said, refused))
    block = PayloadBlock(
        chunk.seqs,
        chunk.identity,
        identifiers(chunk, who, context.columns, context.project_type),
        join(pa.scalar('"', pa.large_string()), escape(who, {}), '",', null=""),
        FieldNames(chunk.rows),
        targets=[target or _NOWHERE for target in targets],
    )
    return block.keep(chunk.but_for(refused)), chunk.rejections(refused)


_NOWHERE = Target("")


def _said(chunk: Chunk, column: Column, refused: dict[int, str]) -> list[bool | None]:
    """Give what each row says; a row that left says no, as it only is here if it shall."""
    rendered = render(chunk.array(column.name), column.state, column.wire, column.field, {})
    words = rendered.text.to_pylist()
    for row, (word, is_removed) in enumerate(zip(words, chunk.is_removed.tolist(), strict=True)):
        if is_removed:
            words[row] = "false"
        elif row in rendered.bad:
            refused.setdefault(row, rendered.bad[row])
        elif word is None:
            refused.setdefault(row, "missing_subscribed")
    return [None if word is None else word == "true" for word in words]


def _targets(
    chunk: Chunk,
    columns: Mapping[Role, Column],
    context: MapContext,
    by_email: Sequence[bool],
    said: Sequence[bool | None],
    refused: dict[int, str],
) -> Iterator[Target | None]:
    """Give where each row goes; few places for many rows."""
    groups = chunk.text(columns[Role.GROUP].name).to_pylist()
    ids = chunk.text(columns[Role.GROUP_ID].name).to_pylist()
    found: dict[tuple[str | None, str | None], tuple[str, int] | str] = {}
    made: dict[tuple[object, ...], Target] = {}
    for row, (group, number) in enumerate(zip(groups, ids, strict=True)):
        if (group, number) not in found:
            found[group, number] = _group(group, number, context.groups)
        place = found[group, number]
        if isinstance(place, str):
            refused.setdefault(row, place)
        answer = said[row]
        if isinstance(place, str) or answer is None:
            yield None
            continue
        place_of = (place, answer, by_email[row])
        if place_of not in made:
            made[place_of] = _target(place, subscribes=answer, by_email=by_email[row])
        yield made[place_of]


def _group(
    name: str | None, number: str | None, known: Mapping[str, frozenset[int]]
) -> tuple[str, int] | str:
    """Give a group as Iterable names it, or why there is none."""
    kind = _GROUPS.get((name or "").strip().lower())
    digits = (number or "").strip()
    if kind is None or not (digits.isascii() and digits.isdecimal() and len(digits) <= 19):
        return "bad_group"
    identifier = int(digits)
    if not 0 < identifier <= _LARGEST_ID:
        return "bad_group"
    if kind in known and identifier not in known[kind]:
        return "unknown_group"
    return kind, identifier


def _target(place: tuple[str, int], *, subscribes: bool, by_email: bool) -> Target:
    kind, identifier = place
    action = "subscribe" if subscribes else "unsubscribe"
    return Target(
        f"{_PATH}/{kind}/{identifier}?action={action}",
        harmless=frozenset() if subscribes else _NOBODY,
        absent=_ABSENT,
        method="PUT",
        array=_EMAILS if by_email else _USER_IDS,
        rank=int(subscribes),
    )
