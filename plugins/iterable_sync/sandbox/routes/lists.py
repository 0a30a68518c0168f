"""Lists: which there are, and who joins and leaves them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..answers import Answer, Refused, envelope, reply, text
from ..bodies import BOOLEAN, NUMBER, TEXT, USER, demand, items_of, parse_object
from ..endpoints import Call, Endpoint
from ..members import Member, ids_of, list_field, member_of
from ..memberships import ListKind
from ..profiles import Failure
from ..settings import ProjectType
from ..subscribing import CHANNELS_LEFT, add_to, find_member, join, leave, list_to_write
from ..updates import Report, update_users

if TYPE_CHECKING:
    from ..memberships import ContactList
    from ..profiles import Profile
    from ..state import State

_LIST_ID = (("listId", int, NUMBER),)
_NAME = (("name", str, TEXT),)
_UNSUBSCRIBER = (("email", str, TEXT), ("userId", str, TEXT))
_PREVIEW_DEFAULT, _PREVIEW_MOST = 1000, 5000


def get_lists(state: State, _call: Call) -> Answer:
    """
    Give all lists, newest first.

    Source:
        Recorded 2017 and 2021; a project without lists is assumed to give an empty array.
    """
    return reply({"lists": [one.as_json() for one in state.lists.newest_first()]})


def create(state: State, call: Call) -> Answer:
    """
    Create a static list.

    Source:
        Swagger ``CreateListRequest``, documented; the answer and the refusal of a name that is
        missing or ``null``, recorded 2017.
    """
    body = parse_object(call.body, call.path, (*_NAME, ("description", str, TEXT)))
    demand(body, call.path, _NAME)
    made = state.lists.create(body["name"], state.now_ms(), description=body.get("description"))
    return replace(reply({"listId": made.id}), rows=1)


def delete(state: State, call: Call) -> Answer:
    """
    Delete a list.

    Source:
        Swagger, documented; the answers for a list that is there and one that is not, recorded
        2017. The body of the documented 409 is assumed, and that a list is in use while a campaign
        that may still send names it.
    """
    given = call.params["listId"]
    project_id = state.settings.project_id
    found = _list_by_text(state, given)
    if found is None:
        msg = f"Unable to delete list {given} in Project {project_id}, which does not exist."
        raise Refused(envelope(400, "BadParams", msg))
    if state.messaging.uses_list(found.id):
        raise Refused(envelope(409, "Conflict", f"List {found.id} is in use"))
    for key, person in state.people.profiles():
        leave(state, Member(key, person.number, person), found)
    state.lists.delete(found.id)
    msg = f"List {found.id} in Project {project_id} was successfully deleted."
    return replace(envelope(200, "Success", msg), rows=1)


def subscribe(state: State, call: Call) -> Answer:
    """
    Put people into a list; unknown ones are created, and ``dataFields`` are written.

    Source:
        Swagger ``SubscribeRequest``, documented; no subscribers at all, recorded 2017. That
        strangers who are skipped for ``updateExistingUsersOnly`` are named in ``notFound...``
        follows from the text of these arrays ("for subscribe/unsubscribe only"). Values of the
        wrong type cost what they cost in bulkUpdate: assumed.
    """
    shape = (*_LIST_ID, ("updateExistingUsersOnly", bool, BOOLEAN))
    body = parse_object(call.body, call.path, shape)
    demand(body, call.path, _LIST_ID)
    subscribers = items_of(body, "subscribers", call.path, USER)
    contact_list = list_to_write(state, body["listId"])
    strangers: list[Failure] = []
    known = subscribers
    # Documented: email-based projects do not respect the flag.
    if body.get("updateExistingUsersOnly") and (
        state.settings.project_type is not ProjectType.EMAIL
    ):
        known = []
        for item in subscribers:
            found = find_member(state, item.get("email"), item.get("userId"))
            if isinstance(found, Failure):
                strangers.append(found)
            else:
                known.append(item)
    report = update_users(
        state,
        known,
        create_new_fields=None,
        mismatch=state.settings.type_mismatch,
        then=lambda key: join(state, member_of(state, key), contact_list),
    )
    report.failures.extend(strangers)
    return _answer(report, len(subscribers))


def unsubscribe(state: State, call: Call) -> Answer:
    """
    Take people out of a list; who is not in it counts as a success.

    Source:
        Swagger ``UnsubscribeRequest``, documented; a known user who is no member, recorded 2021;
        malformed addresses and no subscribers at all, recorded 2017. Which channel is a list's
        own is nowhere said: the first one for marketing e-mails, assumed.
    """
    shape = (
        *_LIST_ID,
        ("campaignId", int, NUMBER),
        ("channelUnsubscribe", bool, BOOLEAN),
    )
    body = parse_object(call.body, call.path, shape)
    demand(body, call.path, _LIST_ID)
    subscribers = items_of(body, "subscribers", call.path, _UNSUBSCRIBER)
    contact_list = list_to_write(state, body["listId"])
    channel = state.messaging.marketing_email_channel() if body.get("channelUnsubscribe") else None
    report = Report()
    for item in subscribers:
        member = find_member(state, item.get("email"), item.get("userId"))
        if isinstance(member, Failure):
            report.failures.append(member)
            continue
        leave(state, member, contact_list)
        if channel is not None:
            add_to(state, member, CHANNELS_LEFT, channel)
        report.keys.append(member.key)
    return _answer(report, len(subscribers))


def get_users(state: State, call: Call) -> Answer:
    """
    Give everybody in a list, one identifier per line.

    Source:
        Recorded 2017, the last line with an end of line too. The order is assumed: who was
        created first comes first.
    """
    found = _list_to_read(state, call.query.get("listId", ""))
    return _lines(state, call, _members(state, found))


def preview_users(state: State, call: Call) -> Answer:
    """
    Give some of the people in a list.

    Source:
        Swagger, documented: a random sample of up to 5000. Here it is the first ones, so that a
        test sees the same ones twice; the refusal of another size is assumed.
    """
    found = _list_to_read(state, call.query.get("listId", ""))
    size = _number(call.query.get("size", str(_PREVIEW_DEFAULT)))
    if not 1 <= size <= _PREVIEW_MOST:
        raise Refused(envelope(400, "BadParams", f"size must be from 1 to {_PREVIEW_MOST}"))
    return _lines(state, call, _members(state, found)[:size])


def get_size(state: State, call: Call) -> Answer:
    """
    Give the number of people in a list, as text.

    Source:
        Swagger, documented; the bare number is what Iterable's own client reads.
    """
    found = _list_to_read(state, call.params["listId"])
    size = len(found.members) if state.lagging is None else len(_members(state, found))
    return text(str(size))


def _answer(report: Report, rows: int) -> Answer:
    counts = {"success": len(report.keys), "fail": len(report.failures)}
    return replace(reply(report.as_json()), rows=rows, keys=report.keys, counts=counts)


def _list_to_read(state: State, given: str) -> ContactList:
    """
    Return the list that a read names.

    Raises:
        Refused: there is none; recorded 2017 for getUsers, the ids as texts. That the other
            reads answer likewise, and to an id that is no number, is assumed.
    """
    found = _list_by_text(state, given)
    if found is None:
        params = {"projectId": str(state.settings.project_id), "listId": given}
        raise Refused(envelope(400, "BadParams", "Invalid email list id", params))
    return found


def _list_by_text(state: State, given: str) -> ContactList | None:
    return state.lists.get(_number(given))


def _number(given: str) -> int:
    # Nineteen digits are the most of an int64; int() is slow for very long ones.
    return int(given) if given.isascii() and given.isdecimal() and len(given) <= 19 else -1


def _members(state: State, contact_list: ContactList) -> list[Profile]:
    people = [person for _, person in state.shown_people().profiles()]
    if state.lagging is not None and contact_list.kind is not ListKind.DYNAMIC:
        # A profile shows what it was; the list itself is ahead of it.
        name = list_field(state.settings.project_type)
        return [person for person in people if contact_list.id in ids_of(person, name)]
    return [person for person in people if person.number in contact_list.members]


def _lines(state: State, call: Call, people: list[Profile]) -> Answer:
    # Documented: the flag is for hybrid projects, and for people who have both.
    project_type = state.settings.project_type
    by_user_id = project_type is ProjectType.USER_ID or (
        project_type is ProjectType.HYBRID and call.query.get("preferUserId") == "true"
    )
    names = [
        (person.user_id or person.email) if by_user_id else (person.email or person.user_id)
        for person in people
    ]
    return text("".join(f"{name}\n" for name in names))


ENDPOINTS = (
    Endpoint("GET", "/api/lists", get_lists, limit="lists/get", read_only_key=True),
    Endpoint("POST", "/api/lists", create, limit="lists/create"),
    Endpoint("POST", "/api/lists/subscribe", subscribe, limit="lists/subscribe"),
    Endpoint("POST", "/api/lists/unsubscribe", unsubscribe, limit="lists/unsubscribe"),
    Endpoint("GET", "/api/lists/getUsers", get_users, limit="lists/getUsers"),
    Endpoint("GET", "/api/lists/previewUsers", preview_users, limit="lists/previewUsers"),
    Endpoint("GET", "/api/lists/{listId}/size", get_size, limit="lists/size", read_only_key=True),
    Endpoint("DELETE", "/api/lists/{listId}", delete, limit="lists/delete"),
)
