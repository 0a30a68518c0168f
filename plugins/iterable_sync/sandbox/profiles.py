"""A user profile: the fields that were written, and those that Iterable keeps by itself."""

from __future__ import annotations

from sys import intern
from typing import Any, NamedTuple


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
    """Why a row was not applied: the array of ``failedUpdates`` and the identifier in it."""

    array: str
    name: str


class Profile:
    """One person."""

    __slots__ = ("created_at", "email", "fields", "number", "signup_date", "updated_at", "user_id")

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
            if value is None:
                own.pop(name, None)
                if name == "signupDate":  # Recorded 2021: null removes it, like any field.
                    self.signup_date = None
            elif value.__class__ is dict:
                old = own.get(name) if update.merge_nested else None
                own[intern(name)] = _without_nulls(
                    {**old, **value} if old.__class__ is dict else value
                )
            else:
                own[intern(name)] = value
        self.updated_at = now

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


def _without_nulls(value: Any) -> Any:
    if value.__class__ is not dict:
        return value
    return {
        intern(name): _without_nulls(inner) for name, inner in value.items() if inner is not None
    }
