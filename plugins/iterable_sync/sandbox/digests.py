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
        if self.settings.project_type is ProjectType.EMAIL:
            key = update.email or update.user_id or ""
            if update.email is None and not update.prefer_user_id and key not in self._digests:
                refused = refuse_unknown(key, self.settings.unknown_user_id)
                if refused is not None:
                    return refused
        elif update.user_id is None and self.settings.project_type is ProjectType.USER_ID:
            return Failure("notFoundEmails", update.email or "")
        else:
            key = update.user_id or update.email or ""
        self._digests[key] = digest(update.fields)
        return key

    def by_email(self, email: str) -> Profile | None:
        """Find nobody: nothing is kept to be read."""
        return None

    def by_user_id(self, user_id: str) -> Profile | None:
        """Find nobody: nothing is kept to be read."""
        return None

    def profiles(self) -> Iterator[tuple[str, Profile]]:
        """Give nobody."""
        return iter(())

    def digests(self) -> Iterator[tuple[str, str]]:
        """Give the digests by identity."""
        for key, value in list(self._digests.items()):
            yield key, f"{value:016x}"

    def __len__(self) -> int:
        return len(self._digests)
