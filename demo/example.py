"""One change of one field, found in the warehouse and followed into Iterable; values masked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from expectation import Expected
    from expected_people import Profile

# What reads well first.
_PREFERRED = ("lastName", "city", "plan", "emailOptIn", "smsOptIn", "score")


@dataclass(frozen=True)
class Example:
    """One field of one user, on two days."""

    user_id: str
    field: str
    old: Any
    new: Any

    @property
    def words(self) -> str:
        """Say what changed, without saying it."""
        return f"{self.field}  {mask(self.old)} -> {mask(self.new)}"


def find(before: Expected, changes: Mapping[str, Profile]) -> Example | None:
    """Give the change that reads best, of a user who was there before."""
    for field in _PREFERRED:
        for user_id, fields in changes.items():
            old = before.profiles.get(user_id, {}).get(field)
            new = fields.get(field)
            if None not in (old, new) and mask(old) != mask(new):
                return Example(user_id, field, old, new)
    return None


def mask(value: Any) -> str:
    """Give the first character: enough to see a change, too little to know a person by."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{str(value)[:1]}***"
