"""Reading users and their fields."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..answers import Answer, Refused, envelope, reply
from ..endpoints import Call, Endpoint
from ..naming import email_named, refuse_email, user_id_named

if TYPE_CHECKING:
    from ..state import State


def get_by_email(state: State, call: Call) -> Answer:
    """
    Give the user with an e-mail address, by query or path; nobody is ``{}``.

    Source:
        Recorded 2017 and 2021, a malformed address included. That a userID-based project refuses
        the call is assumed: there an address need not be unique.
    """
    folded = email_named(call.params.get("email", call.query.get("email", "")))
    refuse_email(state.settings)
    person = state.shown_people().by_email(folded)
    return reply({} if person is None else {"user": person.as_json()})


def get_by_user_id(state: State, call: Call) -> Answer:
    """
    Give the user with a userId, by query or path.

    Source:
        Found: recorded 2017. Nobody: the code is inferred from two production clients; in 2017 it
        was a text with status 400, and today's status is unknown.
    """
    user_id = user_id_named(call.params.get("userId", call.query.get("userId", "")))
    person = state.shown_people().by_user_id(user_id)
    if person is None:
        text = "No user with that id exists!"
        raise Refused(envelope(400, "error.users.noUserWithIdExists", text))
    return reply({"user": person.as_json()})


def get_fields(state: State, _call: Call) -> Answer:
    """
    Give the type of every user field.

    Source:
        Recorded 2017: a flat object, arrays by the type of their elements. Nested fields by their
        dotted path: assumed.
    """
    return reply({"fields": state.shown_fields()})


ENDPOINTS = (
    Endpoint("GET", "/api/users/getByEmail", get_by_email, limit="users/get"),
    Endpoint("GET", "/api/users/{email}", get_by_email, limit="users/get"),
    Endpoint("GET", "/api/users/byUserId", get_by_user_id, limit="users/get"),
    Endpoint("GET", "/api/users/byUserId/{userId}", get_by_user_id, limit="users/get"),
    Endpoint(
        "GET", "/api/users/getFields", get_fields, limit="users/getFields", read_only_key=True
    ),
)
