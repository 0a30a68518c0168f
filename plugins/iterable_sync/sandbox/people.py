"""What every store of profiles can do, and the digest of a profile."""

from __future__ import annotations

from abc import ABC, abstractmethod
from hashlib import blake2b
from typing import TYPE_CHECKING, ClassVar

import orjson

from .profiles import Failure, NumberedProfile, Profile
from .settings import UnknownUserId

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .profiles import Update
    from .settings import Settings


class People(ABC):
    """The profiles of a project, found by the identifiers that its type knows."""

    profile_type: ClassVar[type[Profile]] = NumberedProfile

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        # Who was written (true) or deleted (false), for reads that lag behind; else nothing.
        self.changed: list[tuple[Profile, bool]] | None = None
        # Whom `write` wrote to last. A key may not tell: one person's userId may be another's
        # e-mail address.
        self.latest: Profile | None = None
        self._made = 0

    @abstractmethod
    def write(self, update: Update, now: str) -> str | Failure:
        """Apply *update* at the time *now*; return the profile's key, or why it was not applied."""

    @abstractmethod
    def find(self, update: Update) -> Profile | None:
        """Find the profile to which `write` would write."""

    @abstractmethod
    def by_email(self, email: str) -> Profile | None:
        """Find a profile by its folded e-mail address."""

    @abstractmethod
    def by_user_id(self, user_id: str) -> Profile | None:
        """Find a profile by its userId; of several the oldest."""

    def all_by_user_id(self, user_id: str) -> list[Profile]:
        """Find all profiles with a userId, oldest first."""
        person = self.by_user_id(user_id)
        return [] if person is None else [person]

    @abstractmethod
    def rename(self, person: Profile, *, email: str | None, user_id: str | None) -> None:
        """Give *person* these identifiers, which nobody else may hold; ``None`` keeps the old."""

    @abstractmethod
    def drop(self, person: Profile) -> None:
        """Delete *person*."""

    @abstractmethod
    def key_of(self, person: Profile) -> str:
        """Return the key of a profile."""

    def knows(self, update: Update) -> bool:
        """Say whether there is a profile to which `write` would write."""
        return self.find(update) is not None

    def key_if_unchanged(self, update: Update) -> str | None:
        """Return the key of the profile that already holds all of *update*, if there is one."""
        person = self.find(update)
        return self.key_of(person) if person is not None and person.has(update) else None

    def touch(self, person: Profile) -> None:
        """Note that *person* was written to."""
        self.latest = person
        if self.changed is not None:
            self.changed.append((person, True))

    @abstractmethod
    def profiles(self) -> Iterator[tuple[str, Profile]]:
        """Give all profiles by their keys."""

    @abstractmethod
    def __len__(self) -> int: ...

    def digests(self) -> Iterator[tuple[str, str]]:
        """Give a digest of the written fields by key; managed fields are left out."""
        for key, profile in self.profiles():
            yield key, f"{digest(profile.fields):016x}"

    def _new(self, now: str) -> Profile:
        self._made += 1
        return self.profile_type(self._made, now)

    def _gone(self, person: Profile) -> None:
        if self.changed is not None:
            self.changed.append((person, False))


def digest(fields: object) -> int:
    """Return 64 bits over *fields* in canonical JSON: names sorted, no spaces."""
    canonical = orjson.dumps(fields, option=orjson.OPT_SORT_KEYS)
    return int.from_bytes(blake2b(canonical, digest_size=8).digest())


def refuse_unknown(user_id: str, policy: UnknownUserId) -> Failure | None:
    """Return the failure of an unknown userId in an email-based project, if it is one."""
    if policy is UnknownUserId.CREATE:
        return None
    array = "notFoundUserIds" if policy is UnknownUserId.NOT_FOUND else "invalidUserIds"
    return Failure(array, user_id)
