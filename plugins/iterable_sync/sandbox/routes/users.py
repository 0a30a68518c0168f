"""Writing users: one, or many."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..answers import Answer, Refused, envelope, reply, success
from ..bodies import BOOLEAN, USER, items_of, parse_object
from ..endpoints import Call, Endpoint
from ..settings import Mismatch
from ..updates import refusal_of, update_users

if TYPE_CHECKING:
    from ..state import State

_FLAG = (("createNewFields", bool, BOOLEAN),)


def update(state: State, call: Call) -> Answer:
    """
    Create or update one user.

    Source:
        Swagger ``ApiUserUpdateRequest``, documented; the answer, recorded 2021. A request without
        any identifier: recorded 2017 on the commerce endpoints, assumed here.
    """
    user = parse_object(call.body, call.path, (*USER, *_FLAG))
    if user.get("email") is None and user.get("userId") is None:
        text = "Either email or userId must be set: ApiUserUpdateRequest(None,None,None,None)"
        raise Refused(envelope(400, "BadParams", text))
    report = update_users(
        state, [user], create_new_fields=user.get("createNewFields"), mismatch=Mismatch.BATCH
    )
    if report.failures:
        raise refusal_of(report.failures[0])
    return replace(success(), rows=1, keys=report.keys, counts={"success": 1, "fail": 0})


def bulk_update(state: State, call: Call) -> Answer:
    """
    Create or update many users; failures are named by identifier, not by position.

    Source:
        Swagger ``BulkUpdateUsersRequest``, documented; no users at all: recorded 2017. Two rows
        of one user are applied in order, and both are counted: assumed. ``updateOnly`` and the
        ``noOp`` arrays are undocumented: a production client sends the one and was answered the
        others. That they name strangers who are passed over, and rows that change nothing, is
        inferred from their names.
    """
    body = parse_object(call.body, call.path, (*_FLAG, ("updateOnly", bool, BOOLEAN)))
    users = items_of(body, "users", call.path, USER)
    if not users:
        raise Refused(envelope(400, "InvalidEmailAddressError", "Emails invalid: "))
    report = update_users(
        state,
        users,
        create_new_fields=body.get("createNewFields"),
        mismatch=state.settings.type_mismatch,
        update_only=body.get("updateOnly") is True,
        find_no_ops=True,
    )
    return replace(
        reply(report.as_json()),
        rows=len(users),
        keys=report.keys,
        counts={"success": report.success_count, "fail": len(report.failures)},
    )


ENDPOINTS = (
    Endpoint("POST", "/api/users/update", update, limit="users/update"),
    Endpoint("POST", "/api/users/bulkUpdate", bulk_update, limit="users/bulkUpdate"),
)
