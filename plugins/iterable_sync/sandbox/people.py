"""What every store of profiles can do, and the digest of a profile."""

from __future__ import annotations

from abc import ABC, abstractmethod
from hashlib import blake2b
from typing import TYPE_CHECKING

import orjson

from .profiles import Failure, Profile
from .settings import UnknownUserId

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .profiles import Update
    from .settings import Settings


class People(ABC):
    """The profiles of a project, found by the identifiers that its type knows."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._made = 0

    @abstractmethod
    def write(self, update: Update, now: str) -> str | Failure:
        """Apply *update* at the time *now*; return the profile's key, or why it was not applied."""

    @abstractmethod
    def by_email(self, email: str) -> Profile | None:
        """Find a profile by its folded e-mail address."""

    @abstractmethod
    def by_user_id(self, user_id: str) -> Profile | None:
        """Find a profile by its userId; of several the oldest."""

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
        return Profile(self._made, now)


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
