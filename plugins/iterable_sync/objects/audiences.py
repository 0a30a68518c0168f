"""
Memberships in audiences as fields of people: ``POST /api/users/bulkUpdate``.

A row of the model is a membership, its key is person and audience. The field has the name of the
audience in snake_case, ``Order Completed Last 30days`` is ``order_completed_last_30days``, and says
who is in it:

=================  =======================================================================
membership         the field
=================  =======================================================================
added              ``true``
back again         ``true``
vanished           ``false``; or null, which deletes it, with ``on_remove="clear"``; or
                   what it was, with ``on_remove="ignore"``
=================  =======================================================================

Who never was a member gets nothing, so a first sync sends the members only. All memberships of one
person in a chunk of the plan are one entry of a request, and each of them has its own outcome.

A membership whose field Iterable holds with another type than boolean is rejected, ``wrong_type``:
written over, or deleted, it would take what somebody else keeps there.

Source: ``identify`` with ``true`` and ``false`` is what Segment's Personas destination sends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iterable_sync.addressees import addressees, identifiers
from iterable_sync.fields import Chunk, flags, where
from iterable_sync.identity import EMAIL_PREFIX
from iterable_sync.memberships import audiences_of
from iterable_sync.names import Written, join
from iterable_sync.payloads import FieldNames, PayloadBlock
from iterable_sync.profiles import Profiles, write_profiles
from iterable_sync.rows import Rejection, Role
from iterable_sync.sync_object import Shape
from iterable_sync.values import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    import pyarrow as pa

    from iterable_sync.payloads import Flags
    from iterable_sync.sync_object import MapContext

_ON_EXIT = {"false": "false", "clear": "null"}
_TYPE = "boolean"


class Audiences(Profiles):
    """Memberships in audiences, a field of the person for each."""

    name: str = "audiences"
    removals: tuple[str, ...] = ("false", "clear", "ignore")
    settings: frozenset[str] = frozenset(
        {"audience", "max_wait_s", "merge_nested_objects", "requires", "seed_sql"}
    )
    shape: Shape = Shape(
        "audiences",
        shares_identity=True,
        roles={Role.AUDIENCE: ("audience",)},
        required=frozenset({Role.AUDIENCE}),
        fields_of="profile",
        names_claimed=Role.AUDIENCE,
        has_fields=False,
    )

    def payloads(
        self, frame: pd.DataFrame, context: MapContext
    ) -> tuple[PayloadBlock, list[Rejection]]:
        """Map a chunk; see :class:`iterable_sync.sync_object.SyncObject`."""
        return _map(Chunk(frame), context)


OBJECT = Audiences()


def _map(chunk: Chunk, context: MapContext) -> tuple[PayloadBlock, list[Rejection]]:
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    by_email = flags(pc.starts_with(chunk.identity, EMAIL_PREFIX))
    who, refused = addressees(chunk, by_email, context.project_type)
    audience = next(c for c in context.columns if c.role is Role.AUDIENCE)
    keys = audiences_of(chunk, audience.name, refused).keys
    is_known, is_foreign = _look_up(keys, context.known_types)
    on_exit = _ON_EXIT.get(context.on_remove or "", "false")
    is_sent = np.ones(chunk.rows, dtype=bool)
    if on_exit == "null" or not context.create_new_fields:
        # What Iterable does not know nobody has, and there is nothing to take back.
        is_sent = is_known | ~chunk.is_removed
    may_write = is_known | context.create_new_fields
    for wrong, reason in (
        (is_foreign, Reason.WRONG_TYPE),
        (is_sent & ~may_write, "field_not_created"),
    ):
        for row in np.flatnonzero(wrong).tolist():
            refused.setdefault(row, reason)
    is_sent[list(refused)] = False

    rows = np.flatnonzero(is_sent)
    people = _People(chunk.identity.take(rows))
    firsts = rows[people.starts]
    is_member, fields = ~chunk.is_removed[rows], keys.take(rows)
    said = pc.if_else(pa.array(is_member), "true", on_exit).cast(pa.large_string())
    is_said = people.said_once(fields, is_member)
    texts = join('"', fields, '":', said).filter(pa.array(is_said))
    # Each person has a row that says something, so these are the same people in the same order.
    speaking = _People(chunk.identity.take(rows[is_said]))
    objects = pc.binary_join(speaking.parts(texts), pa.scalar(",", pa.large_string()))
    has_value = is_said & (is_member | (on_exit != "null"))
    named = people.parts(where(has_value, fields)).to_pylist()
    seqs = chunk.seqs[firsts]
    block = PayloadBlock(
        seqs,
        chunk.identity.take(firsts),
        [
            names.take(firsts)
            for names in identifiers(chunk, who, context.columns, context.project_type)
        ],
        write_profiles(
            who.take(firsts),
            by_email[firsts],
            None,
            Written(["{", objects, "}"]),
            is_merged=context.merge_nested_objects,
        ),
        FieldNames(len(seqs), leaves=[[tuple(filter(None, names)) for names in named]]),
        members={
            seq: tuple(zip(rows_of, fields_of, strict=True))
            for seq, rows_of, fields_of in zip(
                seqs.tolist(),
                people.parts(pa.array(chunk.seqs[rows])).to_pylist(),
                people.parts(fields).to_pylist(),
                strict=True,
            )
        },
    )
    return block, chunk.rejections(refused)


def _look_up(keys: pa.Array, known_types: Mapping[str, str]) -> tuple[Flags, Flags]:
    """Tell of which rows Iterable has the field, and of which with another type."""
    import numpy as np

    inside = {name.partition(".")[0] for name in known_types if "." in name}
    encoded = keys.dictionary_encode()
    names = encoded.dictionary.to_pylist()
    is_known = np.array([name in known_types or name in inside for name in names], dtype=bool)
    is_foreign = np.array(
        [name in inside or known_types.get(name, _TYPE) != _TYPE for name in names], dtype=bool
    )
    places = encoded.indices.to_numpy()
    return is_known[places], is_foreign[places]


class _People:
    """
    Who has which rows of a chunk; those of one person are next to each other.

    Attributes:
        starts: which rows are the first of their person.
    """

    def __init__(self, identity: pa.Array) -> None:
        import numpy as np
        import pyarrow.compute as pc

        self.starts: Flags = np.ones(len(identity), dtype=bool)
        if len(identity) > 1:
            self.starts[1:] = flags(pc.not_equal(identity[1:], identity[:-1]))
        self._bounds = [*np.flatnonzero(self.starts).tolist(), len(identity)]

    def parts(self, values: pa.Array) -> pa.Array:
        """Give a list for each person, of the values of their rows."""
        import pyarrow as pa

        return pa.LargeListArray.from_arrays(pa.array(self._bounds, pa.int64()), values)

    def said_once(self, fields: pa.Array, is_member: Flags) -> Flags:
        """
        Tell which rows say what their field is to be.

        Of two rows of one person with one field, which have that person under two keys, it is one:
        who is a member under either of them is a member.
        """
        import numpy as np

        number = np.cumsum(self.starts)
        encoded = fields.dictionary_encode()
        place = number * (len(encoded.dictionary) + 1) + encoded.indices.to_numpy()
        order = np.lexsort((~is_member, place))
        is_first = np.ones(len(place), dtype=bool)
        is_first[1:] = place[order][1:] != place[order][:-1]
        said = np.zeros(len(place), dtype=bool)
        said[order] = is_first
        return said
