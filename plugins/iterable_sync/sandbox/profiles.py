"""A user profile: the fields that were written, and those that Iterable keeps by itself."""

from __future__ import annotations

from copy import copy
from sys import intern
from typing import Any, ClassVar, NamedTuple


class Update(NamedTuple):
    """
    One well-formed update of a user, types checked.

    Args:
        email: folded; ``None`` if there is none.

        new_email: the email to be written, from *fields* or else the one above.

        new_user_id: likewise.

        fields: what is left of ``dataFields``; ``None`` as a value deletes a field.
    """

    email: str | None
    user_id: str | None
    new_email: str | None
    new_user_id: str | None
    fields: dict[str, Any]
    merge_nested: bool
    prefer_user_id: bool


class Failure(NamedTuple):
    """Why a row was not applied: the array of the answer and the identifier in it."""

    array: str
    name: str


# Fields that Iterable keeps by itself; what a request says of them is passed over.
# Source: article 217744303, documented: they "should not be included" in calls. `signupDate`, the
# list and subscription fields and the cart are managed as well, and are writable (recorded 2021,
# and Swagger). What becomes of the others when they are sent is assumed.
MANAGED = frozenset(
    {
        "browserTokens",
        "devices",
        "itblDS",
        "itblInternal",
        "itblUserId",
        "profileUpdatedAt",
        "signupSource",
    }
)

# Texts that many profiles share, such as a country or a day, are kept once. Only short ones, and
# the table starts again when it is full: most texts are of one person.
_MAX_SHARED_LENGTH = 32
_MAX_SHARED = 4096
_shared: dict[str, str] = {}


class Profile:
    """One person."""

    __slots__ = ("created_at", "email", "fields", "number", "signup_date", "updated_at", "user_id")
    shows_number: ClassVar = False

    def __init__(self, number: int, now: str) -> None:
        self.number = number
        self.email: str | None = None
        self.user_id: str | None = None
        self.fields: dict[str, Any] = {}
        self.signup_date: str | None = now
        self.created_at = now
        self.updated_at = now

    def put(self, update: Update, now: str) -> None:
        """
        Write the fields of *update*.

        Source:
            Missing fields are kept: Swagger, documented. ``null`` deletes a field, and in a
            merged object a key of it: recorded 2021 for users/update, assumed for bulkUpdate.
            Merging goes one level deep and leaves arrays alone: article 360035402611, documented.
        """
        own = self.fields
        for name, value in update.fields.items():
            if value.__class__ is str:
                own[intern(name)] = (
                    _shared_text(value) if len(value) <= _MAX_SHARED_LENGTH else value
                )
            elif value is None:
                own.pop(name, None)
                if name == "signupDate":  # Recorded 2021: null removes it, like any field.
                    self.signup_date = None
            elif value.__class__ is dict:
                own[intern(name)] = _written(own.get(name), value, merge=update.merge_nested)
            else:
                own[intern(name)] = value
        self.updated_at = now

    def has(self, update: Update) -> bool:
        """Say whether *update* would change nothing."""
        if update.new_email not in (None, self.email):
            return False
        if update.new_user_id not in (None, self.user_id):
            return False
        own = self.fields
        for name, value in update.fields.items():
            old = own.get(name)
            if value is None:
                if name in own or (name == "signupDate" and self.signup_date is not None):
                    return False
            elif value.__class__ is dict:
                if _written(old, value, merge=update.merge_nested) != old:
                    return False
            elif value != old:
                return False
        return True

    def copy(self) -> Profile:
        """Return the profile as it is now; what is written later does not show in it."""
        twin = copy(self)
        twin.fields = dict(self.fields)
        return twin

    def data_fields(self) -> dict[str, Any]:
        """
        Return the profile's ``dataFields`` as a read shows them.

        Source:
            Recorded 2017 and 2021; the form of ``itblUserId`` is assumed.
        """
        shown: dict[str, Any] = {}
        if self.signup_date is not None:
            shown["signupDate"] = self.signup_date
        shown |= self.fields
        shown["signupSource"] = "API"
        shown["profileUpdatedAt"] = self.updated_at
        internal = {"documentCreatedAt": self.created_at, "documentUpdatedAt": self.updated_at}
        if self.email is not None:
            shown["email"] = self.email
            internal["emailDomain"] = self.email.rpartition("@")[2]
        if self.user_id is not None:
            shown["userId"] = self.user_id
        if self.shows_number:
            shown["itblUserId"] = f"{self.number:024x}"
        shown["itblInternal"] = internal
        return shown

    def as_json(self) -> dict[str, Any]:
        """
        Return the profile as a read gives it.

        Source:
            Recorded 2017: ``userId`` stands at the top only where there is one.
        """
        shown: dict[str, Any] = {"dataFields": self.data_fields()}
        if self.email is not None:
            shown["email"] = self.email
        if self.user_id is not None:
            shown["userId"] = self.user_id
        return shown


class NumberedProfile(Profile):
    """
    One person in a userID-based or hybrid project, where Iterable gives out an id of its own.

    Source:
        article 9216719179796, documented.
    """

    __slots__ = ()
    shows_number = True


def _shared_text(text: str) -> str:
    if len(_shared) >= _MAX_SHARED:
        _shared.clear()
    return _shared.setdefault(text, text)


def _written(old: Any, value: dict[str, Any], *, merge: bool) -> Any:
    return _without_nulls({**old, **value} if merge and old.__class__ is dict else value)


def _without_nulls(value: Any) -> Any:
    if value.__class__ is not dict:
        return value
    return {
        intern(name): _without_nulls(inner) for name, inner in value.items() if inner is not None
    }
