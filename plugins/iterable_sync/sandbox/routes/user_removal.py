"""Users who leave: deleted, or forgotten for good."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..answers import Answer, envelope, reply, success
from ..bodies import TEXT, parse_object
from ..digests import Digests
from ..endpoints import Call, Endpoint
from ..naming import bad_params, email_named, refuse_email, user_id_named
from ..settings import ProjectType

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..profiles import Profile
    from ..state import State

_USER = (("email", str, TEXT), ("userId", str, TEXT))


def delete_by_email(state: State, call: Call) -> Answer:
    """
    Delete the user with an e-mail address; that there was one is not asked.

    Source:
        Swagger, documented, not for userID-based projects (with a code that is assumed). Recorded
        2017 and 2021: the answer, with and without a user, and the one to a malformed address.
    """
    email = email_named(call.params["email"])
    refuse_email(state.settings)
    if isinstance(state.people, Digests):
        return _done(success(), [email] if state.people.discard(email) else [])
    person = state.people.by_email(email)
    return _done(success(), _drop(state, [] if person is None else [person]))


def delete_by_user_id(state: State, call: Call) -> Answer:
    """
    Delete everybody with a userId.

    Source:
        Swagger, documented; both answers recorded 2017. A fixture of a production client has
        another text for nobody: ``User does not exist. Email:  UserId: 42``.
    """
    user_id = user_id_named(call.params["userId"])
    if isinstance(state.people, Digests):
        keys = [user_id] if state.people.discard(user_id) else []
    else:
        keys = _drop(state, state.people.all_by_user_id(user_id))
    if not keys:
        raise bad_params(f"No users with userId {user_id} exist")
    text = f"All users associated with {user_id} were successfully deleted"
    return _done(envelope(200, "Success", text), keys)


def forget(state: State, call: Call) -> Answer:
    """
    Delete a user, and refuse all that comes about the person from now on.

    Source:
        Swagger ``UserRequest``, documented; the answer, also to a malformed address, recorded
        2021. Nobody: the words "user does not exist" are inferred from a production client. That
        somebody forgotten can be forgotten again, and the answer to the identifier that the
        project type does not take, are assumed.
    """
    email, user_id = _named(state, call)
    if state.forgotten.has(email, user_id):
        return _done(success(), [])
    # Without profiles nobody knows who has the address of a person with a userId.
    if isinstance(state.people, Digests):
        keys = [each for each in (email, user_id) if each and state.people.discard(each)]
        state.forgotten.add(email, user_id)
        return _done(success(), keys)
    person = state.people.by_email(email) if email else state.people.by_user_id(user_id or "")
    if person is None:
        raise _nobody(email, user_id)
    keys = _drop(state, [person])
    project_type = state.settings.project_type
    state.forgotten.add(
        None if project_type is ProjectType.USER_ID else person.email,
        None if project_type is ProjectType.EMAIL else person.user_id,
    )
    return _done(success(), keys)


def unforget(state: State, call: Call) -> Answer:
    """
    Accept a forgotten user again; what was deleted is gone.

    Source:
        Swagger ``UserRequest``, documented. The answer to somebody who is not forgotten is
        assumed, after that of ``forget`` to nobody.
    """
    email, user_id = _named(state, call)
    if not state.forgotten.has(email, user_id):
        raise _nobody(email, user_id)
    state.forgotten.remove(email, user_id)
    return _done(success(), [email or user_id or ""])


def forgotten_emails(state: State, _call: Call) -> Answer:
    """
    Give the hash of every forgotten e-mail address.

    Source:
        Swagger ``GetForgottenUserEmailsResponse``, documented, not for userID-based projects
        (with a code that is assumed).
    """
    refuse_email(state.settings)
    return reply({"hashedEmails": state.forgotten.email_hashes()})


def forgotten_user_ids(state: State, _call: Call) -> Answer:
    """
    Give the hash of every forgotten userId.

    Source:
        Swagger ``GetForgottenUserIdsResponse``, documented, not for email-based projects (with a
        code that is assumed).
    """
    _refuse_user_id(state)
    return reply({"hashedUserIds": state.forgotten.user_id_hashes()})


def _named(state: State, call: Call) -> tuple[str | None, str | None]:
    """Return the address or else the userId of a request, folded and checked."""
    body = parse_object(call.body, call.path, _USER)
    if body.get("email") is None and body.get("userId") is None:
        raise bad_params("Either email or userId must be set")
    email, user_id = body.get("email"), body.get("userId")
    if email or not user_id:
        if email is None:
            user_id_named(user_id or "")
        folded = email_named(email or "")
        refuse_email(state.settings)
        return folded, None
    _refuse_user_id(state)
    return None, user_id_named(user_id)


def _refuse_user_id(state: State) -> None:
    if state.settings.project_type is ProjectType.EMAIL:
        raise bad_params("Users of an email-based project are forgotten by email")


def _nobody(email: str | None, user_id: str | None) -> Exception:
    return bad_params(f"User does not exist. Email: {email or ''} UserId: {user_id or ''}")


def _drop(state: State, people: Iterable[Profile]) -> list[str]:
    keys = []
    for person in people:
        keys.append(state.people.key_of(person))
        state.people.drop(person)
        state.forget_person(person.number)
    return keys


def _done(answer: Answer, keys: list[str]) -> Answer:
    return replace(answer, rows=1, keys=keys, counts={"success": 1, "fail": 0})


ENDPOINTS = (
    Endpoint("DELETE", "/api/users/{email}", delete_by_email, limit="users/delete"),
    Endpoint("DELETE", "/api/users/byUserId/{userId}", delete_by_user_id, limit="users/delete"),
    Endpoint("POST", "/api/users/forget", forget, limit="users/forget"),
    Endpoint("POST", "/api/users/unforget", unforget, limit="users/unforget"),
    Endpoint("GET", "/api/users/forgotten", forgotten_emails, limit="users/forgotten"),
    Endpoint("GET", "/api/users/forgottenUserIds", forgotten_user_ids, limit="users/forgotten"),
)
