"""The lists of a project, and who is in them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

# Ids of lists, channels, message types and campaigns lie apart, so that one taken for another is
# an unknown one.
_FIRST_LIST_ID = 100_001


class ListKind(StrEnum):
    """
    What decides who is in a list.

    Source:
        Swagger ``ListDetails``, documented. The API creates ``Standard`` lists only; the members
        of a ``Dynamic`` one come from a query that Iterable runs itself.
    """

    STANDARD = "Standard"
    DYNAMIC = "Dynamic"
    SUPPRESSION = "Suppression"
    INTERNAL = "Internal"


@dataclass(slots=True)
class ContactList:
    """
    One list.

    Args:
        created_at_ms: Unix time.

        members: `Profile.number` of everybody in it.
    """

    id: int
    name: str
    created_at_ms: int
    description: str | None = None
    kind: ListKind = ListKind.STANDARD
    members: set[int] = field(default_factory=set)

    def as_json(self) -> dict[str, Any]:
        """
        Return the list as a read gives it.

        Source:
            Swagger ``ListDetails``, documented; recorded 2017: no ``description`` without one,
            and ``createdAt`` in milliseconds.
        """
        shown: dict[str, Any] = {
            "id": self.id,
            "name": self.name,
            "createdAt": self.created_at_ms,
            "listType": self.kind,
        }
        if self.description is not None:
            shown["description"] = self.description
        if self.kind is ListKind.SUPPRESSION:
            shown["isGlobalSuppressionEnabled"] = False
        return shown


class Lists:
    """All lists by id."""

    def __init__(self) -> None:
        self._lists: dict[int, ContactList] = {}
        self._next_id = _FIRST_LIST_ID

    def create(
        self,
        name: str,
        now_ms: int,
        *,
        description: str | None = None,
        kind: ListKind = ListKind.STANDARD,
    ) -> ContactList:
        """Create an empty list; names need not be unique (assumed: nothing says they must)."""
        created = ContactList(self._next_id, name, now_ms, description, kind)
        self.put(created)
        return created

    def put(self, contact_list: ContactList) -> None:
        """Take a list with an id of its own, in place of another with that id."""
        self._next_id = max(self._next_id, contact_list.id + 1)
        self._lists[contact_list.id] = contact_list

    def get(self, list_id: int) -> ContactList | None:
        """Return the list with this id."""
        return self._lists.get(list_id)

    def set_kind(self, list_id: int, kind: ListKind) -> None:
        """Let a list be of another kind; its members stay."""
        self._lists[list_id].kind = kind

    def delete(self, list_id: int) -> None:
        """Delete a list; its members stay people."""
        del self._lists[list_id]

    def newest_first(self) -> list[ContactList]:
        """Return all lists; recorded 2017 and 2021: in this order."""
        return sorted(
            self._lists.values(), key=lambda one: (one.created_at_ms, one.id), reverse=True
        )

    def of(self, number: int) -> list[int]:
        """Return the ids of the lists in which the person with this number is."""
        return [one.id for one in self._lists.values() if number in one.members]

    def assign(self, number: int, list_ids: Iterable[int]) -> None:
        """Let a person be in exactly these lists; dynamic ones stay as they are."""
        wanted = set(list_ids)
        for one in self._lists.values():
            if one.kind is ListKind.DYNAMIC:
                continue
            if one.id in wanted:
                one.members.add(number)
            else:
                one.members.discard(number)

    def drop_person(self, number: int) -> None:
        """Take a deleted person out of all lists."""
        for one in self._lists.values():
            one.members.discard(number)

    def move_person(self, source: int, destination: int) -> None:
        """Let the person *destination* be in the lists of *source* too, and *source* in none."""
        for one in self._lists.values():
            if source in one.members:
                one.members.remove(source)
                one.members.add(destination)

    def __len__(self) -> int:
        return len(self._lists)
