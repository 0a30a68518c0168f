"""Who was forgotten, by the identifiers that may not come back."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from .profiles import Failure

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .profiles import Update


class Forgotten:
    """
    The identifiers of forgotten people.

    Source:
        Swagger ``users/forget`` and ``users/unforget``, documented. That a person with two
        identifiers is refused and unforgotten by either is assumed: the data collection that ends
        is that about the person.
    """

    def __init__(self) -> None:
        self._emails: dict[str, str | None] = {}
        self._user_ids: dict[str, str | None] = {}

    def add(self, email: str | None, user_id: str | None) -> None:
        """Refuse a person from now on, known by one identifier or both."""
        if email is not None:
            self._emails[email] = user_id
        if user_id is not None:
            self._user_ids[user_id] = email

    def remove(self, email: str | None, user_id: str | None) -> None:
        """Accept a person again."""
        if email in self._emails:
            user_id = self._emails.pop(email) or user_id
        if user_id in self._user_ids:
            self._emails.pop(self._user_ids.pop(user_id) or "", None)

    def has(self, email: str | None, user_id: str | None) -> bool:
        """Say whether one of these identifiers is forgotten."""
        return email in self._emails or user_id in self._user_ids

    def refuse(self, update: Update) -> Failure | None:
        """Return why *update* fails, if it names a forgotten identifier or would give one out."""
        for email in (update.email, update.new_email):
            if email in self._emails:
                return Failure("forgottenEmails", email or "")
        for user_id in (update.user_id, update.new_user_id):
            if user_id in self._user_ids:
                return Failure("forgottenUserIds", user_id or "")
        return None

    def email_hashes(self) -> list[str]:
        """Return the hash of every forgotten e-mail address."""
        return _hashes(self._emails)

    def user_id_hashes(self) -> list[str]:
        """Return the hash of every forgotten userId."""
        return _hashes(self._user_ids)

    def __len__(self) -> int:
        return len(self._emails) + len(self._user_ids)


def _hashes(identifiers: Iterable[str]) -> list[str]:
    # Documented: trimmed, lower-cased, SHA-256. That it is written in hexadecimal is assumed.
    return [sha256(each.strip().lower().encode()).hexdigest() for each in identifiers]
