"""What subscribing does to a person: lists joined and left, and the arrays of the profile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .answers import Refused, envelope
from .identity import fold_email
from .members import Member, ids_of, list_field
from .memberships import ListKind
from .people import digest
from .profiles import Failure, Update
from .settings import DynamicLists, EchoedEmails, ProjectType
from .updates import read_update

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .memberships import ContactList
    from .state import State

CHANNELS_LEFT = "unsubscribedChannelIds"
TYPES_LEFT = "unsubscribedMessageTypeIds"
TYPES_JOINED = "subscribedMessageTypeIds"

_ECHOED = ("invalidEmails", "notFoundEmails", "forgottenEmails")


def find_member(state: State, email: str | None, user_id: str | None) -> Member | Failure:
    """
    Find a person by what a request says, or say why there is none.

    Source:
        The arrays ``invalid...`` and ``notFound...``: Swagger ``FailedUserUpdates``, documented.
        Two identifiers of two people are a conflict: assumed.
    """
    read = read_update({"email": email, "userId": user_id}, state.settings.project_type)
    if isinstance(read, Failure):
        found: Member | Failure = read
    else:
        found = state.forgotten.refuse(read) or _found(state, read)
    if isinstance(found, Failure) and found.array in _ECHOED:
        return Failure(found.array, echoed(state, email or ""))
    return found


def echoed(state: State, email: str) -> str:
    """Return an address as an answer names it: folded, or as it was sent where switched so."""
    return email if state.settings.echoed_emails is EchoedEmails.SENT else fold_email(email)


def _found(state: State, read: Update) -> Member | Failure:
    project_type, people = state.settings.project_type, state.people
    found = people.find(read)
    if project_type is ProjectType.HYBRID and read.email is not None:
        holder = people.by_email(read.email)
        if holder is not None and holder is not found:
            return Failure("conflictEmails", read.email)
    if found is not None:
        return Member(people.key_of(found), found.number, found)
    names_user = read.email is None or (project_type is ProjectType.USER_ID and read.user_id)
    if people.knows(read):  # Without profiles, somebody may be known and not be found.
        by_email = read.user_id is None or (project_type is ProjectType.EMAIL and read.email)
        key = (read.email if by_email else read.user_id) or ""
        return Member(key, digest(key), None)
    if names_user:
        return Failure("notFoundUserIds", read.user_id or "")
    return Failure("notFoundEmails", read.email or "")


def list_to_write(state: State, list_id: int) -> ContactList:
    """
    Return the list with this id.

    Raises:
        Refused: there is none, or it is dynamic and the settings refuse that.

    Source:
        A test of Iterable's own client and a comment in another one: status 400 with the code
        ``Success``. That a refused dynamic list gets the same answer is assumed.
    """
    found = state.lists.get(list_id)
    refuses = state.settings.dynamic_lists is DynamicLists.REFUSE
    if found is None or (found.kind is ListKind.DYNAMIC and refuses):
        params = {"projectId": state.settings.project_id, "listId": list_id}
        raise Refused(envelope(400, "Success", f"error.lists.invalidListId({list_id})", params))
    return found


def join(state: State, member: Member, contact_list: ContactList) -> None:
    """Put a person into a list; the members of a dynamic one stay those of its query."""
    if contact_list.kind is ListKind.DYNAMIC:
        return
    contact_list.members.add(member.number)
    name = list_field(state.settings.project_type)
    write_arrays(state, member, {name: _with(ids_of(member.profile, name), contact_list.id)})


def leave(state: State, member: Member, contact_list: ContactList) -> None:
    """Take a person out of a list, if the person is in it."""
    if contact_list.kind is ListKind.DYNAMIC or member.number not in contact_list.members:
        return
    contact_list.members.remove(member.number)
    name = list_field(state.settings.project_type)
    write_arrays(state, member, {name: _without(ids_of(member.profile, name), contact_list.id)})


def assign_lists(state: State, member: Member, list_ids: Iterable[int]) -> None:
    """Let a person be in exactly these lists."""
    state.lists.assign(member.number, list_ids)
    name = list_field(state.settings.project_type)
    write_arrays(state, member, {name: state.lists.of(member.number)})


def add_to(state: State, member: Member, name: str, identifier: int) -> None:
    """Add one id to the array *name* of a profile."""
    write_arrays(state, member, {name: _with(ids_of(member.profile, name), identifier)})


def take_from(state: State, member: Member, name: str, identifier: int) -> None:
    """Take one id out of the array *name* of a profile."""
    write_arrays(state, member, {name: _without(ids_of(member.profile, name), identifier)})


def write_arrays(state: State, member: Member, arrays: Mapping[str, list[int]]) -> None:
    """
    Write subscription arrays as a whole; those not named stay.

    Source:
        A profile shows all four of them from the first subscription on: recorded 2021.
    """
    if member.profile is None:
        return
    names = (list_field(state.settings.project_type), CHANNELS_LEFT, TYPES_LEFT, TYPES_JOINED)
    fields: dict[str, Any] = {name: [] for name in names if name not in member.profile.fields}
    fields.update(arrays)
    update = Update(
        email=None,
        user_id=None,
        new_email=None,
        new_user_id=None,
        fields=fields,
        merge_nested=False,
        prefer_user_id=False,
    )
    member.profile.put(update, state.now())
    state.people.touch(member.profile)


def _with(ids: list[int], identifier: int) -> list[int]:
    return ids if identifier in ids else [*ids, identifier]


def _without(ids: list[int], identifier: int) -> list[int]:
    return [each for each in ids if each != identifier]
