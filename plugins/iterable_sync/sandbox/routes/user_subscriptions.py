"""users/updateSubscriptions and users/bulkUpdateSubscriptions: whole arrays at once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..answers import Answer, Refused, bad_json, envelope, reply, success
from ..bodies import BOOLEAN, NUMBER, TEXT, array_problems, items_of, parse_object
from ..endpoints import Call, Endpoint
from ..members import Member, ids_of, member_of
from ..profiles import Failure
from ..settings import Mismatch, ProjectType
from ..subscribing import (
    CHANNELS_LEFT,
    TYPES_JOINED,
    TYPES_LEFT,
    assign_lists,
    echoed,
    find_member,
    write_arrays,
)
from ..updates import refusal_of, update_users

if TYPE_CHECKING:
    from ..state import State

_SHAPE = (
    ("email", str, TEXT),
    ("userId", str, TEXT),
    ("campaignId", int, NUMBER),
    ("templateId", int, NUMBER),
    ("validateChannelAlignment", bool, BOOLEAN),
)
_ARRAYS = ("emailListIds", "userListIds", CHANNELS_LEFT, TYPES_LEFT, TYPES_JOINED)
_VALID = ("validUserIdFailures", "validEmailFailures")


def update_subscriptions(state: State, call: Call) -> Answer:
    """
    Overwrite the subscriptions of one person; a stranger is created as by users/update.

    Source:
        Swagger ``UpdateSubscriptionsRequest``, documented; the answers to a known address and to
        a malformed one, recorded 2017. A request without any identifier: assumed.
    """
    body = parse_object(call.body, call.path, _SHAPE)
    _refuse_bad_arrays(call.path, {"obj": body})
    if body.get("email") is None and body.get("userId") is None:
        raise Refused(envelope(400, "BadParams", "Either email or userId must be set"))
    member = _apply(state, body)
    if isinstance(member, Failure):
        raise refusal_of(member)
    return replace(success(), rows=1, keys=[member.key], counts={"success": 1, "fail": 0})


def bulk_update_subscriptions(state: State, call: Call) -> Answer:
    """
    Overwrite the subscriptions of many people.

    Source:
        Swagger ``BulkUpdateSubscriptionsResponse``, documented; known and malformed addresses,
        recorded 2017. A conflict of identifiers answers 409 as a whole (documented); that the
        other items are applied all the same, and that ``valid...Failures`` name everybody else
        who was not updated, is assumed.
    """
    body = parse_object(call.body, call.path, ())
    items = items_of(body, "updateSubscriptionsRequests", call.path, _SHAPE)
    _refuse_bad_arrays(
        call.path,
        {f"obj.updateSubscriptionsRequests[{index}]": item for index, item in enumerate(items)},
    )
    keys: list[str] = []
    conflict: Failure | None = None
    failed: dict[str, list[str]] = {
        array: [] for array in ("invalidEmails", "invalidUserIds", *_VALID)
    }
    for item in items:
        try:
            outcome = _apply(state, item)
        except Refused:
            outcome = _not_updated(state, item)
        if isinstance(outcome, Member):
            keys.append(outcome.key)
        elif outcome.array.startswith("conflict"):
            conflict = conflict or outcome
        else:
            array = outcome.array
            if array not in failed:
                array = _VALID[array.endswith("Emails")]
            failed[array].append(outcome.name)
    counts = {"success": len(keys), "fail": len(items) - len(keys)}
    answer = reply({"successCount": counts["success"], "failCount": counts["fail"], **failed})
    if conflict is not None:
        answer = refusal_of(conflict).answer
    return replace(answer, rows=len(items), keys=keys, counts=counts)


def _refuse_bad_arrays(endpoint: str, items: dict[str, dict[str, Any]]) -> None:
    problems: dict[str, str] = {}
    for path, item in items.items():
        for name in _ARRAYS:
            problems |= array_problems(item, name, int, NUMBER, path)
    if problems:
        raise Refused(bad_json(endpoint, problems))


def _apply(state: State, item: dict[str, Any]) -> Member | Failure:
    """
    Write one person's subscriptions, or say why the person cannot be written.

    Raises:
        Refused: the subscriptions themselves cannot be.
    """
    identifiers = {name: item.get(name) for name in ("email", "userId")}
    found = find_member(state, identifiers["email"], identifiers["userId"])
    if isinstance(found, Failure) and found.array.startswith("invalid"):
        return found
    lists = item.get("emailListIds")
    if lists is None and state.settings.project_type is not ProjectType.EMAIL:
        # Inferred: a production client sends the lists of such a project by this name.
        lists = item.get("userListIds")
    arrays = {
        name: item[name]
        for name in (CHANNELS_LEFT, TYPES_LEFT, TYPES_JOINED)
        if item.get(name) is not None
    }
    left = arrays.get(CHANNELS_LEFT)
    if left is None:
        left = ids_of(found.profile, CHANNELS_LEFT) if isinstance(found, Member) else []
    problem = _unknown_id(state, lists or [], arrays) or _opt_in_problem(state, item, left)
    if problem is not None:
        raise Refused(envelope(400, "BadParams", problem))

    report = update_users(state, [identifiers], create_new_fields=None, mismatch=Mismatch.BATCH)
    if report.failures:
        return report.failures[0]
    member = member_of(state, report.keys[0])
    if lists is not None:
        assign_lists(state, member, lists)
    if arrays:
        write_arrays(state, member, arrays)
    return member


def _unknown_id(state: State, lists: list[int], arrays: dict[str, list[int]]) -> str | None:
    """Say which id does not exist; that such ids are refused is assumed."""
    messaging = state.messaging
    checks = (
        ("list", lists, state.lists.get),
        ("channel", arrays.get(CHANNELS_LEFT, []), messaging.channel),
        ("message type", arrays.get(TYPES_LEFT, []), messaging.message_type),
        ("message type", arrays.get(TYPES_JOINED, []), messaging.message_type),
    )
    for kind, identifiers, find in checks:
        for identifier in identifiers:
            if find(identifier) is None:
                return f"Invalid {kind} id: {identifier}"
    return None


def _opt_in_problem(state: State, item: dict[str, Any], left: list[int]) -> str | None:
    """
    Say what forbids ``subscribedMessageTypeIds``, given the channels a person has left.

    Source:
        Swagger ``UpdateSubscriptionsRequest``, documented; the texts are assumed.
    """
    joined = item.get(TYPES_JOINED)
    if joined is None:
        return None
    if not state.settings.opt_in_message_types:
        return f"{TYPES_JOINED} cannot be set: opt-in message types are not enabled"
    if item.get("validateChannelAlignment") is False:
        return None
    for identifier in joined:
        found = state.messaging.message_type(identifier)
        if found is not None and found["channelId"] in left:
            return f"Message type {identifier} belongs to an unsubscribed channel"
    return None


def _not_updated(state: State, item: dict[str, Any]) -> Failure:
    email = item.get("email")
    if email:
        return Failure("validEmailFailures", echoed(state, email))
    return Failure("validUserIdFailures", item.get("userId") or "")


ENDPOINTS = (
    Endpoint(
        "POST",
        "/api/users/updateSubscriptions",
        update_subscriptions,
        limit="users/updateSubscriptions",
    ),
    Endpoint(
        "POST",
        "/api/users/bulkUpdateSubscriptions",
        bulk_update_subscriptions,
        limit="users/bulkUpdateSubscriptions",
    ),
)
