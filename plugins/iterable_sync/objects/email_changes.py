"""
Changes of e-mail addresses: who had one address has another one now.

==================  ===============================================================================
project             request
==================  ===============================================================================
by e-mail           ``POST /api/users/updateEmail``: the profile moves to the new address, with all
                    that belongs to it. Any other write would make a second, hollow profile there.
by userId, hybrid   ``POST /api/users/update`` by the userId with the new address as its field.
                    ``updateEmail`` is refused there. Not bulkUpdate: its answer does not say of a
                    request, but of rows, whether it was taken, and a conflict would be found there
                    by elimination. A sync of users that maps the e-mail does the same by itself.
==================  ===============================================================================

What a person's several changes come to is one request, from the first address to the last; see
:mod:`iterable_sync.address_book`. Before each attempt it is looked up who has the two addresses:

=======  =======  ==============================================================================
old      new      what is done
=======  =======  ==============================================================================
there    nobody   it is sent
nobody   there    nothing, it is done: by a request whose answer was lost, or by somebody else
nobody   nobody   nothing, and counted: there is no profile to rename
there    there    ``on_target_exists``: ``fail`` rejects, ``merge`` merges the old profile into the
                  other one (``users/merge``), ``leave`` leaves both as they are
=======  =======  ==============================================================================

With a ``user_id`` in the model, a profile with another userId is somebody else's, and is not moved.

Source: Swagger ``UpdateEmailRequest``, ``MergeUsersRequest`` and ``ApiUserUpdateRequest``,
documented. A second call for an address that was moved is an error (a fixture of a client).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Literal

import orjson

from iterable_sync.address_book import Finding, Found, Journey, Move, Way, still_to_go, ways
from iterable_sync.errors import ConfigError
from iterable_sync.identity import EMAIL_PREFIX, USER_ID_PREFIX, fold_email, is_email, is_user_id
from iterable_sync.payloads import as_block
from iterable_sync.profile_reads import read_profile
from iterable_sync.rows import Look, Payload, ProjectType, Rejection, Role, Target
from iterable_sync.sync_object import Shape, SyncObject

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import pandas as pd

    from iterable_sync.client import IterableClient
    from iterable_sync.payloads import PayloadBlock
    from iterable_sync.rows import Project
    from iterable_sync.spec import SyncSpec
    from iterable_sync.sync_object import MapContext

UPDATE_EMAIL = "/api/users/updateEmail"
UPDATE = "/api/users/update"
# Source: Swagger, 50 requests a second, documented; 80 % of that.
_MERGE = Target("/api/users/merge", requests_per_s=40.0)
_NOWHERE = Way("", "")
_BLANKS = " \t\r\n"


@dataclass(frozen=True, slots=True)
class Rename(Target):
    """
    A change of address, with what the look at Iterable has to know of it.

    Args:
        way: of the address.

        user_id: whose it is, where that is known.

        on_target_exists: as declared.

        is_worked_out: the change says where the person is now, by today's model, and none of the
            ways there.
    """

    way: Way = _NOWHERE
    user_id: str | None = None
    on_target_exists: Literal["fail", "merge", "leave"] = "fail"
    is_worked_out: bool = False


class EmailChanges(SyncObject):
    """New addresses of people."""

    name: str = "email_changes"
    lane: str = "profiles"
    path: str = UPDATE_EMAIL
    array: str = ""
    answers: Literal["rows", "request"] = "request"
    sends: Literal["changed_fields", "whole"] = "whole"
    # No limit is published; people who change their address are few.
    requests_per_s: float = 10.0
    # Each looks up two people, and more where that is not enough.
    look_per_s: float = 30.0
    max_rows: int = 1
    removals: tuple[str, ...] = ("ignore",)
    settings: frozenset[str] = frozenset(
        {
            "allow_merge",
            "created_at",
            "derive_from",
            "look_back_s",
            "max_wait_s",
            "on_target_exists",
            "retention_s",
            "since",
        }
    )
    shape: Shape = Shape(
        "email_changes",
        is_append_only=True,
        shares_identity=True,
        roles={
            Role.OLD: ("old_email",),
            Role.NEW: ("new_email",),
            Role.CREATED_AT: ("changed_at",),
        },
        required=frozenset({Role.OLD, Role.NEW, Role.CREATED_AT}),
        has_fields=False,
        has_history=True,
        is_final=True,
        effect="email_change",
    )
    has_listed_fields: bool = False
    refusals: Mapping[str, str] = {
        "EmailAlreadyExists": "target_exists",
        "Conflict": "target_exists",
    }

    def check(self, spec: SyncSpec, project: Project) -> None:
        """Check what is declared; see :class:`iterable_sync.sync_object.SyncObject`."""
        by_email = project.type is ProjectType.EMAIL
        if spec.derive_from is not None and not by_email:
            raise ConfigError(
                "derive_from: in a project that goes by the userId the sync of users sends a new "
                "address by itself; leave this sync out"
            )
        if spec.on_target_exists != "merge":
            return
        if not by_email:
            raise ConfigError(
                "on_target_exists='merge' is for projects by e-mail: elsewhere the profile that "
                "would go is the one that the userId names; say 'fail' or 'leave'"
            )
        if not spec.allow_merge:
            raise ConfigError(
                "on_target_exists='merge' deletes the profile of the old address, which nothing "
                "brings back: the values of the other one win. Say allow_merge=True if that is "
                "meant"
            )

    def payloads(
        self, frame: pd.DataFrame, context: MapContext
    ) -> tuple[PayloadBlock, list[Rejection]]:
        """Map a chunk; see :class:`iterable_sync.sync_object.SyncObject`."""
        refused: list[Rejection] = []
        made: list[tuple[Payload, Rename, list[int]]] = []
        changes = list(_changes(frame, context, refused))
        for identity, theirs in groupby(changes, key=lambda change: change.identity):
            journeys = list(_journeys(theirs))
            for way, journey in zip(ways([one for one, _ in journeys]), journeys, strict=True):
                made.append(_request(identity, way, *journey, context))
        block = as_block([payload for payload, _, _ in made])
        block.targets = [target for _, target, _ in made]
        block.members = {
            payload.seq: tuple((row, "") for row in rows)
            for payload, _, rows in made
            if len(rows) > 1
        }
        return block, sorted(refused, key=lambda rejection: rejection.seq)

    def body(
        self, rows: Sequence[bytes], *, create_new_fields: bool, target: Target | None = None
    ) -> bytes:
        """Give the request of a row, which is the row."""
        return b",".join(rows)

    def look(self, client: IterableClient, payload: Payload, target: Target | None) -> Look:
        """Look who has the addresses; see the module."""
        if not isinstance(target, Rename):
            raise TypeError("a change of address has its target")
        if target.path == UPDATE_EMAIL:
            return _look_by_email(client, target)
        return _look_by_user_id(client, target)


OBJECT = EmailChanges()


@dataclass(frozen=True, slots=True)
class _Change:
    seq: int
    identity: str
    old: str
    new: str
    user_id: str | None


def _changes(
    frame: pd.DataFrame, context: MapContext, refused: list[Rejection]
) -> Iterator[_Change]:
    """Give the rows that can be sent, and refuse the others."""
    names = {column.role: column.name for column in context.columns}
    wanted = (Role.OLD, Role.NEW, Role.USER_ID, Role.CREATED_AT)
    columns = [
        frame[names[role]].tolist() if role in names else [None] * len(frame) for role in wanted
    ]
    by_email = context.project_type is ProjectType.EMAIL
    for seq, identity, old, new, user_id, at in zip(
        frame["_seq"].tolist(), frame["_identity"].tolist(), *columns, strict=True
    ):
        who = user_id if _is_text(user_id) and user_id.strip(_BLANKS) else None
        before, after = (fold_email(end) if _is_text(end) else "" for end in (old, new))
        reason = ""
        if not (is_email(before) and is_email(after)):
            reason = "not_an_address"
        elif not _is_text(at):
            reason = "missing_created_at"
        elif not by_email and who is None:
            reason = "missing_identifier"
        elif not by_email and who is not None and not is_user_id(who):
            reason = "invalid_user_id"
        if reason:
            refused.append(Rejection(seq, reason))
        else:
            yield _Change(seq, identity, before, after, who)


def _is_text(value: object) -> bool:
    # A NULL of a column of texts is no None in pandas.
    return isinstance(value, str)


def _journeys(changes: Iterable[_Change]) -> Iterator[tuple[Journey, str | None]]:
    """Give the changes of each person, which are next to each other, and whose they are."""
    journey, who = Journey(), None
    for change in changes:
        is_same = bool(journey.moves) and (
            who == change.user_id
            if who is not None and change.user_id is not None
            else journey.end == change.old
        )
        if journey.moves and not is_same:
            yield journey, who
            journey, who = Journey(), None
        who = who or change.user_id
        journey.moves.append(Move(change.seq, change.old, change.new, "", who))
    if journey.moves:
        yield journey, who


def _request(
    identity: str, way: Way, journey: Journey, who: str | None, context: MapContext
) -> tuple[Payload, Rename, list[int]]:
    rows = [move.row for move in journey.moves]
    if context.project_type is ProjectType.EMAIL:
        path, body = UPDATE_EMAIL, _update_email(way.start, way.end)
    else:
        path = UPDATE
        body = orjson.dumps({"userId": who, "dataFields": {"email": way.end}})
    named = {way.start, way.end, who} - {None}
    payload = Payload(rows[0], identity, frozenset(filter(None, named)), body, ())
    target = Rename(
        path,
        way=way,
        user_id=who,
        on_target_exists=context.on_target_exists,
        is_worked_out=context.is_worked_out,
    )
    return payload, target, rows


def _update_email(old: str, new: str) -> bytes:
    return orjson.dumps({"currentEmail": old, "newEmail": new})


def _look_by_email(client: IterableClient, target: Rename) -> Look:
    known: dict[str, Found] = {}

    def find(address: str) -> Found:
        if address not in known:
            known[address] = _found(read_profile(client, EMAIL_PREFIX + address), target.user_id)
        return known[address]

    finding, start = still_to_go(target.way, find)
    if finding is Finding.UNKNOWN and target.is_worked_out and target.user_id is not None:
        # On the way, by a request whose answer was lost, when the person moved on.
        profile = read_profile(client, USER_ID_PREFIX + target.user_id) or {}
        if isinstance(email := profile.get("email"), str) and email:
            start = fold_email(email)
            is_free = find(target.way.end) is Found.NOBODY
            finding = Finding.GO if is_free else Finding.TAKEN
    if finding is Finding.THERE:
        return Look("done", "already_done")
    if finding is Finding.UNKNOWN:
        return Look("done", "nobody_there")
    if finding is Finding.UNCLEAR:
        return Look("reject", "not_found")
    if finding is Finding.TAKEN:
        return _taken(target, start)
    if start == target.way.start:
        return Look("send")
    return Look("other", body=_update_email(start, target.way.end), target=target)


def _found(profile: Mapping[str, object] | None, user_id: str | None) -> Found:
    if profile is None:
        return Found.NOBODY
    theirs = profile.get("userId")
    if user_id is None or not theirs:
        return Found.WHO_MAY_BE
    return Found.THE_PERSON if theirs == user_id else Found.SOMEBODY_ELSE


def _look_by_user_id(client: IterableClient, target: Rename) -> Look:
    way = target.way
    profile = read_profile(client, f"{USER_ID_PREFIX}{target.user_id}")
    if profile is None:
        return Look("done", "nobody_there")
    email = profile.get("email")
    here = fold_email(email) if isinstance(email, str) else ""
    if here == way.end:
        return Look("done", "already_done")
    if here and here not in {way.start, *way.via}:
        # It went on to an address that no row here knows of.
        return Look("done", "nobody_there")
    if client.project.type is ProjectType.HYBRID:
        other = read_profile(client, EMAIL_PREFIX + way.end)
        if other is not None and other.get("userId") != target.user_id:
            return _taken(target, way.start)
    return Look("send")


def _taken(target: Rename, start: str) -> Look:
    if target.on_target_exists == "leave":
        return Look("done", "both_stay")
    if target.on_target_exists == "merge":
        body = orjson.dumps({"sourceEmail": start, "destinationEmail": target.way.end})
        return Look("other", "merged", body, _MERGE)
    return Look("reject", "target_exists")
