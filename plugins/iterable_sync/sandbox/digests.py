"""The store of ``--discard``: no profiles, a digest per identity."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .people import People, digest, refuse_unknown
from .profiles import Failure
from .settings import ProjectType

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .profiles import Profile, Update
    from .settings import Settings


class Digests(People):
    """
    No profiles: per identity a digest of the fields of its last update, as they were sent.

    A run of a million users then costs memory for their keys only. Without profiles there are no
    reads and no conflicts, and an identity is the identifier that was sent.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._digests: dict[str, int] = {}

    def write(self, update: Update, now: str) -> str | Failure:
        """Note the digest of *update*."""
        key = self._key(update)
        if self.settings.project_type is ProjectType.EMAIL:
            if update.email is None and not update.prefer_user_id and key not in self._digests:
                refused = refuse_unknown(key, self.settings.unknown_user_id)
                if refused is not None:
                    return refused
        elif update.user_id is None and self.settings.project_type is ProjectType.USER_ID:
            return Failure("notFoundEmails", update.email or "")
        self._digests[key] = digest(update.fields)
        return key

    def find(self, update: Update) -> Profile | None:
        """Find nobody."""
        return None

    def knows(self, update: Update) -> bool:
        """Say whether the identity of *update* was sent before."""
        return self._key(update) in self._digests

    def holds(self, identity: str) -> bool:
        """Say whether there is a digest of this identity."""
        return identity in self._digests

    def discard(self, identity: str) -> bool:
        """Delete the digest of an identity; say whether there was one."""
        return self._digests.pop(identity, None) is not None

    def move(self, old: str, new: str) -> None:
        """Let the digest of one identity be that of another, unless that has one."""
        value = self._digests.pop(old)
        self._digests.setdefault(new, value)

    def by_email(self, email: str) -> Profile | None:
        """Find nobody: nothing is kept to be read."""
        return None

    def by_user_id(self, user_id: str) -> Profile | None:
        """Find nobody: nothing is kept to be read."""
        return None

    def rename(self, person: Profile, *, email: str | None, user_id: str | None) -> None:
        """Do nothing: there are no profiles."""

    def drop(self, person: Profile) -> None:
        """Do nothing: there are no profiles."""

    def key_of(self, person: Profile) -> str:
        """Return the identifier; of two the one that identifies in the project."""
        if self.settings.project_type is ProjectType.EMAIL:
            return person.email or person.user_id or ""
        return person.user_id or person.email or ""

    def profiles(self) -> Iterator[tuple[str, Profile]]:
        """Give nobody."""
        return iter(())

    def digests(self) -> Iterator[tuple[str, str]]:
        """Give the digests by identity."""
        for key, value in list(self._digests.items()):
            yield key, f"{value:016x}"

    def __len__(self) -> int:
        return len(self._digests)

    def _key(self, update: Update) -> str:
        if self.settings.project_type is ProjectType.EMAIL:
            return update.email or update.user_id or ""
        return update.user_id or update.email or ""
