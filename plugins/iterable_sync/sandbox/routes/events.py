"""Custom events: tracking one or many, and reading those of a person."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..answers import Answer, Refused, envelope, reply
from ..bodies import demand, items_of, parse_object
from ..endpoints import Call, Endpoint
from ..identity import fold_email, is_email, is_user_id
from ..settings import Mismatch, ProjectType
from ..tracking import EVENT, EVENT_NAME, check_numbers, track_events
from ..updates import refusal_of

if TYPE_CHECKING:
    from ..profiles import Profile
    from ..state import State

# Documented: Swagger `User events`.
_DEFAULT_LIMIT, _MAX_LIMIT = 30, 200


def track(state: State, call: Call) -> Answer:
    """
    Track one event.

    Source:
        Swagger ``TrackRequest``, documented; the answer: a fixture of a public client, taken from
        real traffic, and article 206430615 (in 2017 it had no id, recorded). A disallowed name is
        answered with 200: a production client; what else that answer holds is assumed. A request
        without any identifier: recorded 2017 on trackPushOpen, assumed here.
    """
    event = parse_object(call.body, call.path, EVENT)
    demand(event, call.path, EVENT_NAME)
    check_numbers([event], call.path, "obj")
    if event.get("email") is None and event.get("userId") is None:
        text = "Either email or userId must be specified in a track call"
        raise Refused(envelope(400, "BadParams", text))
    event["id"] = event_id = event.get("id") or state.events.new_id()
    report = track_events(state, [event], Mismatch.BATCH)
    if report.failures:
        raise refusal_of(report.failures[0])
    if report.disallowed:
        answer = envelope(
            200, "Success", f"Event {event['eventName']} is disallowed from tracking."
        )
    else:
        answer = envelope(200, "Success", f"Event with id: {event_id} tracked.", {"id": event_id})
    counts = {"success": len(report.keys), "fail": report.fail_count}
    return replace(answer, rows=1, keys=report.keys, counts=counts)


def track_bulk(state: State, call: Call) -> Answer:
    """
    Track many events; failures are named by the identifier of the user, not by position.

    Source:
        Swagger ``BulkTrackRequest``, documented; no events at all, and a name of ``null``:
        recorded 2022.
    """
    body = parse_object(call.body, call.path, ())
    events = items_of(body, "events", call.path, EVENT, EVENT_NAME)
    check_numbers(events, call.path, "obj.events[{}]")
    report = track_events(state, events, state.settings.type_mismatch)
    return replace(
        reply(report.as_json()),
        rows=len(events),
        keys=report.keys,
        counts={"success": len(report.keys), "fail": report.fail_count},
    )


def get_by_email(state: State, call: Call) -> Answer:
    """
    Give the newest events of the user with an e-mail address.

    Source:
        Recorded 2017. Malformed addresses and userID-based projects are answered as in reads of
        users; that nobody has no events is assumed.
    """
    email = call.params["email"]
    folded = fold_email(email)
    if not is_email(folded):
        raise Refused(envelope(400, "InvalidEmailAddressError", f"Invalid email: {email}"))
    if state.settings.project_type is ProjectType.USER_ID:
        text = "Users of a userID-based project are identified by userId"
        raise Refused(envelope(400, "BadParams", text))
    return _events_of(state, call, state.shown_people().by_email(folded))


def get_by_user_id(state: State, call: Call) -> Answer:
    """
    Give the newest events of the user with a userId.

    Source:
        Swagger, documented; that nobody has no events is assumed.
    """
    user_id = call.params["userId"]
    if not is_user_id(user_id):
        raise Refused(envelope(400, "InvalidUserIdError", f"Invalid userId: {user_id}"))
    return _events_of(state, call, state.shown_people().by_user_id(user_id))


def _events_of(state: State, call: Call, person: Profile | None) -> Answer:
    limit = _limit(call)
    if person is None:
        return reply({"events": []})
    state.events.advance(state.clock())
    newest = state.events.newest(person.number, limit)
    return reply({"events": [event.as_json(person) for event in newest]})


def _limit(call: Call) -> int:
    """Read the limit; what a wrong one is answered with is assumed."""
    text = call.query.get("limit", str(_DEFAULT_LIMIT))
    number = int(text) if text.isdecimal() and len(text) < 10 else 0
    if not 1 <= number <= _MAX_LIMIT:
        message = f"limit must be between 1 and {_MAX_LIMIT}: {text}"
        raise Refused(envelope(400, "BadParams", message))
    return number


ENDPOINTS = (
    Endpoint("POST", "/api/events/track", track, limit="events/track"),
    Endpoint("POST", "/api/events/trackBulk", track_bulk, limit="events/trackBulk"),
    Endpoint("GET", "/api/events/{email}", get_by_email, limit="events/get"),
    Endpoint("GET", "/api/events/byUserId/{userId}", get_by_user_id, limit="events/get"),
)
