"""Subscription groups: lists, message types and channels, people in and out of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ..answers import Answer, Refused, envelope, error_reply, text
from ..bodies import MISSING, NUMBER, TEXT, demand, parse_object, values_of
from ..endpoints import Call, Endpoint
from ..members import Member, member_of
from ..profiles import Failure
from ..settings import Mismatch
from ..subscribing import (
    CHANNELS_LEFT,
    TYPES_JOINED,
    TYPES_LEFT,
    add_to,
    find_member,
    join,
    leave,
    list_to_write,
    take_from,
)
from ..updates import refusal_of, update_users

if TYPE_CHECKING:
    from ..state import State

_LISTS, _TYPES, _CHANNELS = "emaillist", "messagetype", "messagechannel"


@dataclass(frozen=True, slots=True)
class _Group:
    """A list, message type or channel that exists."""

    kind: str
    id: int


def change_many(state: State, call: Call) -> Answer:
    """
    Subscribe people to a group, or unsubscribe them.

    Source:
        Swagger ``BulkSubscriptionActionRequest``, documented. Strangers are created where they
        subscribe (article 29156459027348, documented). The answer comes before the work is done
        and names nobody; that people who cannot be subscribed are passed over is assumed.
    """
    group = _group(state, call)
    action = call.query.get("action", "subscribe").lower()
    if action not in ("subscribe", "unsubscribe"):
        raise Refused(envelope(400, "BadParams", f"Invalid action: {call.query['action']}"))
    body = parse_object(call.body, call.path, ())
    emails = values_of(body, "users", call.path, str, TEXT) or []
    user_ids = values_of(body, "usersByUserId", call.path, str, TEXT) or []
    people = [*({"email": email} for email in emails), *({"userId": one} for one in user_ids)]
    keys = []
    for person in people:
        if action == "subscribe":
            member = _create(state, person)
        else:
            member = find_member(state, person.get("email"), person.get("userId"))
        if isinstance(member, Member):
            _change(state, member, group, subscribes=action == "subscribe")
            keys.append(member.key)
    counts = {"success": len(keys), "fail": len(people) - len(keys)}
    return replace(envelope(202, "Success"), rows=len(people), keys=keys, counts=counts)


def subscribe_one(state: State, call: Call) -> Answer:
    """
    Subscribe one person to a group; a stranger is created.

    Source:
        Swagger, documented; the body of the answer: the tests of Iterable's own client.
    """
    return _change_one(state, call, subscribes=True)


def unsubscribe_one(state: State, call: Call) -> Answer:
    """
    Unsubscribe one person from a group; a stranger is created.

    Source:
        As `subscribe_one`; that this creates strangers too: article 29156459027348, documented.
    """
    return _change_one(state, call, subscribes=False)


def subscribe_to_double_opt_in(state: State, call: Call) -> Answer:
    """
    Ask a person to confirm a subscription; nothing is subscribed until the person does.

    Source:
        Swagger ``DoubleOptInSubscriptionsRequest``, documented: the texts of 202 and 400, and
        which body is which kind. What ``data`` holds, and the text for a message type that is
        none of this kind, is assumed.
    """
    _refuse_unless_enabled(state)
    try:
        body = parse_object(
            call.body,
            call.path,
            tuple((name, str, TEXT) for name in ("email", "userId", "phoneNumber", "brandName")),
        )
        type_ids = values_of(body, "messageTypeIds", call.path, int, NUMBER)
        demand(body, call.path, (("messageTypeIds", list, MISSING),))
    except Refused as refusal:
        message = f"[{call.path}] Invalid JSON body"
        raise Refused(error_reply(400, "BadRequest", "error.json", message)) from refusal
    wrong = [each for each in type_ids or () if not state.messaging.is_double_opt_in(each)]
    if wrong or not type_ids:
        return text(f"Not double opt-in message types: {', '.join(map(str, wrong))}", 400)
    member = find_member(state, body.get("email"), body.get("userId"))
    if isinstance(member, Failure):
        user_id, email = body.get("userId") or "", body.get("email") or ""
        return text(f"User not found for userId: {user_id} or email: {email}", 400)
    if body.get("phoneNumber") is not None:
        person = {name: body.get(name) for name in ("email", "userId")}
        _create(state, {**person, "dataFields": {"phoneNumber": body["phoneNumber"]}})
    answer = text("Request for double opt-in subscription accepted", 202)
    return replace(answer, rows=1, keys=[member.key])


def _refuse_unless_enabled(state: State) -> None:
    """
    Answer 404 where Iterable has not switched the endpoints on.

    Source:
        Swagger, documented, with the text; the body is documented for double opt-in, and assumed
        for the others, which have the same text.
    """
    if not state.settings.subscriptions_enabled:
        raise Refused(envelope(404, "NotFound", "Endpoint not found"))


def _group(state: State, call: Call) -> _Group:
    """
    Return the group that a path names.

    Source:
        Its name in upper or lower case, documented. That an unknown one is refused, and with
        what, is assumed; an unknown list answers as it does in lists/subscribe.
    """
    _refuse_unless_enabled(state)
    name, given = call.params["subscriptionGroup"], call.params["subscriptionGroupId"]
    kind = name.lower()
    if kind not in (_LISTS, _TYPES, _CHANNELS):
        raise Refused(envelope(400, "BadParams", f"Invalid subscription group: {name}"))
    if not (given.isascii() and given.isdecimal() and len(given) <= 19):
        raise Refused(envelope(400, "BadParams", f"Invalid subscription group id: {given}"))
    group = _Group(kind, int(given))
    if kind == _LISTS:
        list_to_write(state, group.id)
        known = True
    elif kind == _TYPES:
        known = state.messaging.message_type(group.id) is not None
    else:
        known = state.messaging.channel(group.id) is not None
    if not known:
        raise Refused(envelope(400, "BadParams", f"Unknown subscription group: {name} {given}"))
    return group


def _change_one(state: State, call: Call, *, subscribes: bool) -> Answer:
    group = _group(state, call)
    names = {"userEmail": "email", "userId": "userId"}
    person = {names[name]: text for name, text in call.params.items() if name in names}
    member = _create(state, person)
    if isinstance(member, Failure):
        raise refusal_of(member)
    _change(state, member, group, subscribes=subscribes)
    return replace(envelope(202, "Success"), rows=1, keys=[member.key])


def _create(state: State, person: dict[str, Any]) -> Member | Failure:
    report = update_users(state, [person], create_new_fields=None, mismatch=Mismatch.BATCH)
    return report.failures[0] if report.failures else member_of(state, report.keys[0])


def _change(state: State, member: Member, group: _Group, *, subscribes: bool) -> None:
    """
    Write what a subscription means for a profile.

    Source:
        The meaning of the arrays: Swagger ``UpdateSubscriptionsRequest``, documented. That an
        opt-in message type is written to ``subscribedMessageTypeIds`` and any other is taken
        from ``unsubscribedMessageTypeIds`` follows from it (assumed).
    """
    if group.kind == _LISTS:
        (join if subscribes else leave)(state, member, list_to_write(state, group.id))
    elif group.kind == _CHANNELS:
        (take_from if subscribes else add_to)(state, member, CHANNELS_LEFT, group.id)
    elif state.messaging.is_opt_in(group.id):
        (add_to if subscribes else take_from)(state, member, TYPES_JOINED, group.id)
    else:
        (take_from if subscribes else add_to)(state, member, TYPES_LEFT, group.id)


_GROUP = "/api/subscriptions/{subscriptionGroup}/{subscriptionGroupId}"

ENDPOINTS = (
    Endpoint(
        "POST",
        "/api/subscriptions/subscribeToDoubleOptIn",
        subscribe_to_double_opt_in,
        limit="subscriptions/subscribeToDoubleOptIn",
    ),
    Endpoint("PUT", _GROUP, change_many, limit="subscriptions/bulk"),
    *(
        Endpoint(method, f"{_GROUP}/{person}", handle, limit="subscriptions/one")
        for person in ("user/{userEmail}", "byUserId/{userId}")
        for method, handle in (("PATCH", subscribe_one), ("DELETE", unsubscribe_one))
    ),
)
