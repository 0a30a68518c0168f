"""Users who change their name: a new e-mail address, and two profiles that are one person."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..answers import Answer, Refused, envelope, success
from ..bodies import ARRAY, TEXT, demand, items_of, parse_object
from ..digests import Digests
from ..endpoints import Call, Endpoint
from ..members import list_field
from ..merging import ArrayMerge, merged_fields
from ..naming import bad_params, email_named, forgotten_user, refuse_email, user_id_named
from ..profiles import MANAGED
from ..settings import ProjectType

if TYPE_CHECKING:
    from ..profiles import Profile
    from ..state import State

_NEW_EMAIL = (("newEmail", str, TEXT),)
_CURRENT = (("currentEmail", str, TEXT), ("currentUserId", str, TEXT))
_SIDES = (
    ("sourceEmail", str, TEXT),
    ("sourceUserId", str, TEXT),
    ("destinationEmail", str, TEXT),
    ("destinationUserId", str, TEXT),
    ("arrayMerge", list, ARRAY),
)
_ARRAY_MERGE = (("field", str, TEXT), ("dedupeBy", str, TEXT))


def update_email(state: State, call: Call) -> Answer:
    """
    Give a user a new e-mail address, in an email-based project.

    Source:
        Swagger ``UpdateEmailRequest``, documented, ``currentEmail`` before ``currentUserId``. The
        answers to a known and a malformed address: recorded 2017; the profile afterwards, with
        new dates of its creation, recorded 2021. Nobody: a fixture of a production client. That
        an address in use is an ``EmailAlreadyExists`` is assumed: the code is documented, with
        400, and the endpoint says 400 or 409. Other project types: the code is assumed.
    """
    body = parse_object(call.body, call.path, (*_CURRENT, *_NEW_EMAIL))
    demand(body, call.path, _NEW_EMAIL)
    if state.settings.project_type is not ProjectType.EMAIL:
        raise bad_params("Use users/update to change an email in this type of project")
    email = body.get("currentEmail") or None
    user_id = None if email else body.get("currentUserId") or None
    if email is None and user_id is None:
        raise bad_params("Either currentEmail or currentUserId must be set")
    if email is not None:
        email = email_named(email)
    if user_id is not None:
        user_id = user_id_named(user_id)
    new_email = email_named(body["newEmail"])
    if state.forgotten.has(email, user_id) or state.forgotten.has(new_email, None):
        raise forgotten_user()

    people = state.people
    unknown = bad_params(
        f"Cannot change user Some({email or user_id}) to {new_email}. User does not exist"
    )
    used = Refused(envelope(400, "EmailAlreadyExists", f"Email already exists: {new_email}"))
    if isinstance(people, Digests):
        if not people.holds(email or user_id or ""):
            raise unknown
        if people.holds(new_email):
            raise used
        people.move(email or user_id or "", new_email)
        return _done(new_email)
    person = _find(state, email, user_id)
    if person is None:
        raise unknown
    if people.by_email(new_email) is not None:
        raise used
    now = state.now()
    person.signup_date = person.created_at = person.updated_at = now
    person.fields.pop("signupDate", None)
    people.rename(person, email=new_email, user_id=None)
    return _done(people.key_of(person))


def merge(state: State, call: Call) -> Answer:
    """
    Merge one user into another; the source is deleted, or renamed where there is nobody else.

    Source:
        Swagger ``MergeUsersRequest`` and article 33744314673172, documented; 409 where either was
        forgotten. The codes for an unknown source are documented, their use here is assumed. So
        is that an identifier which the destination lacks is taken from the source.
    """
    body = parse_object(call.body, call.path, _SIDES)
    arrays = _arrays(body, call)
    source_ids = _side(state, body, "source")
    target_ids = _side(state, body, "destination")
    if state.forgotten.has(*source_ids) or state.forgotten.has(*target_ids):
        raise forgotten_user()
    if isinstance(state.people, Digests):
        return _merge_digests(state.people, source_ids, target_ids)

    people = state.people
    source, target = _find(state, *source_ids), _find(state, *target_ids)
    if source is None:
        raise _unknown_source(source_ids)
    if source is target:
        raise bad_params("Source and destination are the same user")
    if target is None:
        email, user_id = target_ids
        people.rename(source, email=email, user_id=user_id)
        return _done(people.key_of(source))

    lists = list_field(state.settings.project_type)
    fields = merged_fields(source.fields, target.fields, arrays)
    email = source.email if target.email is None else None
    user_id = source.user_id if target.user_id is None else None
    people.drop(source)
    state.move_person(source.number, target.number)
    target.fields = fields
    if lists in fields:
        fields[lists] = state.lists.of(target.number)
    target.updated_at = state.now()
    people.rename(target, email=email, user_id=user_id)
    return _done(people.key_of(target))


def _arrays(body: dict[str, Any], call: Call) -> list[ArrayMerge]:
    if body.get("arrayMerge") is None:
        return []
    items = items_of(body, "arrayMerge", call.path, _ARRAY_MERGE)
    named = [ArrayMerge(item.get("field") or "", item.get("dedupeBy")) for item in items]
    for array in named:
        # Documented: for a project's own arrays only. What else is answered is assumed.
        if not array.field or array.field in MANAGED:
            raise bad_params(f"arrayMerge cannot merge the field '{array.field}'")
    return named


def _side(state: State, body: dict[str, Any], side: str) -> tuple[str | None, str | None]:
    """Return the identifier of one side: an address or a userId, never both."""
    email, user_id = body.get(f"{side}Email") or None, body.get(f"{side}UserId") or None
    if (email is None) == (user_id is None):
        raise bad_params(f"Either {side}Email or {side}UserId must be set, but not both")
    if email is not None:
        email = email_named(email)
        refuse_email(state.settings)
    if user_id is not None:
        user_id = user_id_named(user_id)
    return email, user_id


def _find(state: State, email: str | None, user_id: str | None) -> Profile | None:
    if email is not None:
        return state.people.by_email(email)
    return state.people.by_user_id(user_id or "")


def _merge_digests(
    people: Digests, source: tuple[str | None, str | None], target: tuple[str | None, str | None]
) -> Answer:
    old, new = source[0] or source[1] or "", target[0] or target[1] or ""
    if not people.holds(old):
        raise _unknown_source(source)
    if old == new:
        raise bad_params("Source and destination are the same user")
    people.move(old, new)
    return _done(new)


def _unknown_source(source: tuple[str | None, str | None]) -> Refused:
    email, user_id = source
    if email is not None:
        return Refused(envelope(400, "UnknownEmailError", f"No user with email {email} exists"))
    return Refused(envelope(400, "UnknownUserIdError", f"No user with userId {user_id} exists"))


def _done(key: str) -> Answer:
    return replace(success(), rows=1, keys=[key], counts={"success": 1, "fail": 0})


ENDPOINTS = (
    Endpoint("POST", "/api/users/updateEmail", update_email, limit="users/updateEmail"),
    Endpoint("POST", "/api/users/merge", merge, limit="users/merge"),
)
