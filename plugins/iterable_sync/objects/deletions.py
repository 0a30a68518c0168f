"""
Requests to delete, forget or unforget people: one request for each row, and none can be undone.

=============  ==================================================  ================================
``action``     request                                             what else is taken for done
=============  ==================================================  ================================
``delete``     ``DELETE /api/users/{email}``, or                   nobody has the identifier; the
               ``DELETE /api/users/byUserId/{userId}``             person is forgotten
``forget``     ``POST /api/users/forget``                          nobody has the identifier; the
                                                                   person is forgotten
``unforget``   ``POST /api/users/unforget``                        the person is not forgotten
=============  ==================================================  ================================

A row is ``action``, ``requested_at``, the person by ``email`` or ``user_id`` after the rule of
:mod:`iterable_sync.identity`, and a key that says which request it is. Requests about one person
are made in the order of their times.

``delete`` takes the profile, and does not keep the person from coming back: whoever is in a model
is sent again. ``forget`` does: Iterable takes nothing more about the person, and neither do the
syncs of the project (:mod:`iterable_sync.state.forgotten`). Somebody whom Iterable does not know is
forgotten here all the same: there it may be the answer to a request that is made once more, and no
sync of the project shall bring the person. ``forget`` and ``unforget`` share a quota of a day
(:mod:`iterable_sync.quotas`).

Source: Swagger, documented; ``delete`` of nobody, by e-mail a 200 and by userId a 400, recorded
2017 and 2021. That ``forget`` of nobody and ``unforget`` of somebody who is not forgotten are
``BadParams`` is inferred from a client in production, and assumed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

from iterable_sync.addressees import addressees, identifiers, opened
from iterable_sync.fields import Chunk, flags
from iterable_sync.identity import EMAIL_PREFIX
from iterable_sync.names import join
from iterable_sync.payloads import FieldNames, PayloadBlock
from iterable_sync.quotas import FORGET
from iterable_sync.rows import Role, Target
from iterable_sync.sync_object import Shape, SyncObject

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pandas as pd
    import pyarrow as pa

    from iterable_sync.payloads import Flags
    from iterable_sync.rows import Rejection
    from iterable_sync.sync_object import MapContext

_FORGOTTEN, _NOBODY = "forgotten", "not_found"
# What a request says that is made once more, since its answer was lost.
_NOT_THERE = frozenset({_NOBODY, _FORGOTTEN})
_NOWHERE = Target("")
# Segments that are no name: a path with one of them is another path.
_NO_SEGMENTS = frozenset({".", ".."})
# Source: Swagger, documented: 3 a second each; 80 % of that.
_FORGET_PER_S = 2.4
_POSTED = {
    "forget": Target(
        "/api/users/forget",
        harmless=_NOT_THERE,
        requests_per_s=_FORGET_PER_S,
        quota=FORGET,
    ),
    "unforget": Target(
        "/api/users/unforget",
        harmless=frozenset({_NOBODY}),
        requests_per_s=_FORGET_PER_S,
        quota=FORGET,
    ),
}


class Deletions(SyncObject):
    """Requests to delete, forget or unforget people."""

    name: str = "deletions"
    lane: str = "profiles"
    path: str = "/api/users/forget"
    array: str = ""
    sends: Literal["changed_fields", "whole"] = "whole"
    # Source: Swagger, 100 deletions a second per project, documented; 80 % of that.
    requests_per_s: float = 80.0
    max_rows: int = 1
    answers: Literal["rows", "request"] = "request"
    removals: tuple[str, ...] = ("ignore",)
    settings: frozenset[str] = frozenset(
        {"created_at", "look_back_s", "max_wait_s", "retention_s", "since"}
    )
    shape: Shape = Shape(
        "deletions",
        is_append_only=True,
        shares_identity=True,
        roles={Role.CREATED_AT: ("requested_at",), Role.ACTION: ("action",)},
        required=frozenset({Role.CREATED_AT, Role.ACTION}),
        has_fields=False,
        has_history=True,
        effect="deletion",
        is_final=True,
    )
    has_listed_fields: bool = False
    refusals: Mapping[str, str] = {"BadParams": _NOBODY, "NotFound": _NOBODY}

    def payloads(
        self, frame: pd.DataFrame, context: MapContext
    ) -> tuple[PayloadBlock, list[Rejection]]:
        """Map a chunk; see :class:`iterable_sync.sync_object.SyncObject`."""
        return _map(Chunk(frame, is_whole=True), context)

    def body(
        self, rows: Sequence[bytes], *, create_new_fields: bool, target: Target | None = None
    ) -> bytes:
        """Give the request of a row, which is the row; a DELETE has it all in its path."""
        if target is not None and target.method == "DELETE":
            return b""
        return b",".join(rows)


OBJECT = Deletions()


def _map(chunk: Chunk, context: MapContext) -> tuple[PayloadBlock, list[Rejection]]:
    import pyarrow.compute as pc

    action = next(c for c in context.columns if c.role is Role.ACTION)
    by_email = flags(pc.starts_with(chunk.identity, EMAIL_PREFIX))
    who, refused = addressees(chunk, by_email, context.project_type)
    targets = list(_targets(chunk.text(action.name), who, by_email, refused))
    block = PayloadBlock(
        chunk.seqs,
        chunk.identity,
        identifiers(chunk, who, context.columns, context.project_type),
        join(*opened(who, by_email), '"},', null=""),
        FieldNames(chunk.rows),
        targets=targets,
    )
    return block.keep(chunk.but_for(refused)), chunk.rejections(refused)


def _targets(
    actions: pa.Array, who: pa.Array, by_email: Flags, refused: dict[int, str]
) -> Iterator[Target]:
    """Give where each row goes, and refuse those of which nobody can tell."""
    rows = zip(actions.to_pylist(), who.to_pylist(), by_email.tolist(), strict=True)
    for row, (action, identifier, is_email) in enumerate(rows):
        asked = (action or "").strip().lower()
        if asked == "delete" and identifier in _NO_SEGMENTS:
            refused.setdefault(row, "invalid_user_id")
        elif asked == "delete" and identifier is not None:
            yield _delete(identifier, is_email=is_email)
            continue
        elif asked in _POSTED:
            yield _POSTED[asked]
            continue
        elif asked != "delete":
            refused.setdefault(row, "bad_action")
        yield _NOWHERE


def _delete(identifier: str, *, is_email: bool) -> Target:
    path, shown = (
        ("/api/users/", "/api/users/{email}")
        if is_email
        else ("/api/users/byUserId/", "/api/users/byUserId/{userId}")
    )
    return Target(
        path + quote(identifier, safe=""),
        harmless=_NOT_THERE,
        method="DELETE",
        shown=shown,
    )
