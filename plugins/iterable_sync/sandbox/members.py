"""People as members of lists: their numbers, and what their profiles show of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .people import digest
from .settings import ProjectType

if TYPE_CHECKING:
    from .profiles import Profile
    from .state import State


class Member(NamedTuple):
    """
    Somebody who can be in lists.

    Args:
        key: the one by which the project's people are told apart.

        number: `Profile.number`; without profiles 64 bits over the key, so that a person counts
            once all the same.

        profile: none where profiles are discarded.
    """

    key: str
    number: int
    profile: Profile | None


def list_field(project_type: ProjectType) -> str:
    """
    Return the field of a profile that shows its lists.

    Source:
        support.iterable.com article 217744303, documented.
    """
    return "emailListIds" if project_type is ProjectType.EMAIL else "userListIds"


def member_of(state: State, key: str) -> Member:
    """Return the person whose profile an update has just reported by this *key*."""
    if state.settings.discard:
        return Member(key, digest(key), None)
    person = state.people.latest
    if person is None or state.people.key_of(person) != key:
        raise LookupError("not the key of the profile that was written last")
    return Member(key, person.number, person)


def ids_of(person: Profile | None, name: str) -> list[int]:
    """Return the ids in the array *name* of a profile; a lone number is an array of one."""
    value = [] if person is None else person.fields.get(name, [])
    return value if isinstance(value, list) else [value]


def follow_profile(state: State, key: str) -> None:
    """
    Put the person with this *key* into the static lists that the profile names, and no others.

    Source:
        Swagger, documented: the list field may be written through ``dataFields`` as well.
    """
    member = member_of(state, key)
    if member.profile is not None:
        name = list_field(state.settings.project_type)
        state.lists.assign(member.number, ids_of(member.profile, name))
