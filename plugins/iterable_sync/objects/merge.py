"""
Merges: two profiles turn out to be one person.

``POST /api/users/merge`` with ``sourceEmail`` or ``sourceUserId``, and ``destinationEmail`` or
``destinationUserId``: what the columns of the model are called. The source is deleted, with its
lists, events and devices gone over to the destination, whose values win. Nothing brings it back, so
it has to be allowed, ``allow_merge=True``.

Before each attempt it is looked up who is there:

=======  ===========  ==========================================================================
source   destination  what is done
=======  ===========  ==========================================================================
there    there        it is sent
there    nobody       it is sent: Iterable gives the source the identifier of the destination
nobody   there        nothing, it is done: by a request whose answer was lost, or by somebody else
nobody   nobody       nothing, and counted
=======  ===========  ==========================================================================

Merges that share a person go one after the other, in the order of their times.

Source: Swagger ``MergeUsersRequest`` and article 33744314673172, documented. ``arrayMerge`` is not
sent: arrays of the destination stay as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import orjson

from iterable_sync.errors import ConfigError
from iterable_sync.identity import EMAIL_PREFIX, USER_ID_PREFIX, fold_email, is_email, is_user_id
from iterable_sync.payloads import as_block
from iterable_sync.profile_reads import read_profile
from iterable_sync.rows import Look, Payload, ProjectType, Rejection, Role, Target
from iterable_sync.sync_object import Shape, SyncObject

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from iterable_sync.client import IterableClient
    from iterable_sync.payloads import PayloadBlock
    from iterable_sync.rows import Column, Project
    from iterable_sync.spec import SyncSpec
    from iterable_sync.sync_object import MapContext

_PATH = "/api/users/merge"
_BLANKS = " \t\r\n"


@dataclass(frozen=True, slots=True)
class Both(Target):
    """The two people of a merge, by their identities as in the plan."""

    source: str = ""
    destination: str = ""


class Merges(SyncObject):
    """Profiles that are merged into others."""

    name: str = "merge"
    lane: str = "profiles"
    path: str = _PATH
    array: str = ""
    answers: Literal["rows", "request"] = "request"
    sends: Literal["changed_fields", "whole"] = "whole"
    # Source: Swagger, 50 requests a second for a key, documented; 80 % of that.
    requests_per_s: float = 40.0
    # Each looks up two people.
    look_per_s: float = 40.0
    max_rows: int = 1
    removals: tuple[str, ...] = ("ignore",)
    settings: frozenset[str] = frozenset(
        {"allow_merge", "created_at", "look_back_s", "max_wait_s", "retention_s", "since"}
    )
    shape: Shape = Shape(
        "merge",
        is_append_only=True,
        shares_identity=True,
        roles={
            Role.OLD: ("source_email", "source_user_id"),
            Role.NEW: ("destination_email", "destination_user_id"),
            Role.CREATED_AT: ("requested_at",),
        },
        required=frozenset({Role.OLD, Role.NEW, Role.CREATED_AT}),
        has_fields=False,
        has_history=True,
        is_final=True,
        effect="merge",
    )
    has_listed_fields: bool = False

    def check(self, spec: SyncSpec, project: Project) -> None:
        """Check what is declared; see :class:`iterable_sync.sync_object.SyncObject`."""
        del project
        if not spec.allow_merge:
            raise ConfigError(
                "a merge deletes the profile of the source, which nothing brings back, and the "
                "values of the destination win. Say allow_merge=True if that is meant"
            )

    def payloads(
        self, frame: pd.DataFrame, context: MapContext
    ) -> tuple[PayloadBlock, list[Rejection]]:
        """Map a chunk; see :class:`iterable_sync.sync_object.SyncObject`."""
        by_role = {column.role: column for column in context.columns}
        old, new = by_role[Role.OLD], by_role[Role.NEW]
        refused: list[Rejection] = []
        made: list[Payload] = []
        targets: list[Both] = []
        for seq, identity, source, destination in zip(
            *(frame[name].tolist() for name in ("_seq", "_identity", old.name, new.name)),
            strict=True,
        ):
            two = [
                _identity(old, source, context.project_type),
                _identity(new, destination, context.project_type),
            ]
            wrong = next((who.reason for who in two if who.reason), "")
            if not wrong and two[0].name == two[1].name:
                wrong = "same_person"
            if wrong:
                refused.append(Rejection(seq, wrong))
                continue
            body = {
                f"{side}{who.kind}": who.value
                for side, who in zip(("source", "destination"), two, strict=True)
            }
            values = frozenset(who.value for who in two)
            made.append(Payload(seq, identity, values, orjson.dumps(body), ()))
            targets.append(Both(_PATH, source=two[0].name, destination=two[1].name))
        block = as_block(made)
        block.targets = targets
        return block, refused

    def body(
        self, rows: Sequence[bytes], *, create_new_fields: bool, target: Target | None = None
    ) -> bytes:
        """Give the request of a row, which is the row."""
        return b",".join(rows)

    def look(self, client: IterableClient, payload: Payload, target: Target | None) -> Look:
        """Look who is there; see the module."""
        if not isinstance(target, Both):
            raise TypeError("a merge has its target")
        source = read_profile(client, target.source)
        destination = read_profile(client, target.destination)
        if source is None:
            return Look("done", "nobody_there" if destination is None else "already_done")
        if destination is None:
            return Look("send", "renamed")
        if source == destination:
            return Look("reject", "same_person")
        return Look("send")


OBJECT = Merges()


@dataclass(frozen=True, slots=True)
class _Who:
    """One side of a merge; *reason* says why it cannot be one."""

    kind: str = ""
    value: str = ""
    name: str = ""
    reason: str = ""


def _identity(column: Column, value: object, project_type: ProjectType) -> _Who:
    # A NULL of a column of texts is no None in pandas.
    text = value if isinstance(value, str) and value.strip(_BLANKS) else None
    kind = ProjectType.USER_ID if column.has_user_ids else ProjectType.EMAIL
    if text is None or project_type not in (kind, ProjectType.HYBRID):
        return _Who(reason="missing_identifier")
    if column.has_user_ids:
        reason = "" if is_user_id(text) else "invalid_user_id"
        return _Who("UserId", text, USER_ID_PREFIX + text, reason)
    email = fold_email(text)
    return _Who("Email", email, EMAIL_PREFIX + email, "" if is_email(email) else "not_an_address")
