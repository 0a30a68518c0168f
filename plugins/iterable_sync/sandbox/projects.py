"""The three project types: who is found, who is created, and what is in conflict."""

from __future__ import annotations

from bisect import insort
from typing import TYPE_CHECKING

from .digests import Digests
from .identity import placeholder_email
from .people import People, refuse_unknown
from .profiles import Failure, Profile
from .settings import ProjectType

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .profiles import Update
    from .settings import Settings


def people_of(settings: Settings) -> People:
    """Return an empty store for a project with these *settings*."""
    if settings.discard:
        return Digests(settings)
    if settings.project_type is ProjectType.EMAIL:
        return EmailBased(settings)
    if settings.project_type is ProjectType.USER_ID:
        return UserIdBased(settings)
    return Hybrid(settings)


class UserIdBased(People):
    """
    ``userId`` identifies; ``email`` is a field like any other, and need not be unique.

    Source:
        support.iterable.com articles 29156459027348 and 9216719179796, documented. Assumed: a row
        with an e-mail address only is not found, and a userId never changes.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._people: dict[str, Profile] = {}

    def write(self, update: Update, now: str) -> str | Failure:
        """Apply *update* to the person with its userId."""
        key = update.user_id
        if key is None:
            return Failure("notFoundEmails", update.email or "")
        other = update.new_user_id
        if other is not None and other != key and other in self._people:
            return Failure("conflictUserIds", other)
        person = self._people.get(key)
        if person is None:
            person = self._people[key] = self._new(now)
            person.user_id = key
        if update.new_email is not None:
            person.email = update.new_email
        person.put(update, now)
        self.touch(person)
        return person.user_id or key

    def find(self, update: Update) -> Profile | None:
        """Find the person with the userId of *update*."""
        return self._people.get(update.user_id or "")

    def by_email(self, email: str) -> Profile | None:
        """Find the first person with this address; it identifies nobody here."""
        return next((person for person in self._people.values() if person.email == email), None)

    def by_user_id(self, user_id: str) -> Profile | None:
        """Find the person with this userId."""
        return self._people.get(user_id)

    def rename(self, person: Profile, *, email: str | None, user_id: str | None) -> None:
        """Give *person* these identifiers."""
        if email is not None:
            person.email = email
        if user_id is not None:
            del self._people[person.user_id or ""]
            person.user_id = user_id
            self._people[user_id] = person
        self.touch(person)

    def drop(self, person: Profile) -> None:
        """Delete *person*."""
        del self._people[person.user_id or ""]
        self._gone(person)

    def key_of(self, person: Profile) -> str:
        """Return the userId."""
        return person.user_id or ""

    def profiles(self) -> Iterator[tuple[str, Profile]]:
        """Give all people by userId."""
        return iter(list(self._people.items()))

    def __len__(self) -> int:
        return len(self._people)


class Hybrid(People):
    """
    ``userId`` and ``email`` both identify, and both are unique.

    Source:
        The same articles, documented. Inferred from what clients send: a row with both must mean
        one profile. Assumed: with both, ``userId`` decides and the other e-mail address becomes
        the profile's; an identifier that another profile holds is named in ``conflict...``.

    A profile's key is its userId, or without one its e-mail address. Should the userId of one
    person be the e-mail address of another, two keys are equal; the dump tells the two apart.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._by_email: dict[str, Profile] = {}
        self._by_user_id: dict[str, Profile] = {}
        self._without_user_id: dict[int, Profile] = {}

    def write(self, update: Update, now: str) -> str | Failure:
        """Apply *update* to the person whom its identifiers mean."""
        person = self.find(update)
        if update.email is not None:
            holder = self._by_email.get(update.email)
            if holder is not None and holder is not person:
                return Failure("conflictEmails", update.email)

        email, user_id = update.new_email, update.new_user_id
        if email is not None and self._by_email.get(email, person) is not person:
            return Failure("conflictEmails", email)
        if user_id is not None and self._by_user_id.get(user_id, person) is not person:
            return Failure("conflictUserIds", user_id)

        if person is None:
            person = self._new(now)
            self._without_user_id[person.number] = person
        self._name(person, email, user_id)
        person.put(update, now)
        self.touch(person)
        return person.user_id or person.email or ""

    def find(self, update: Update) -> Profile | None:
        """Find the person whom the identifiers of *update* mean, the userId before the address."""
        person = None
        if update.user_id is not None:
            person = self._by_user_id.get(update.user_id)
        if person is None and update.email is not None:
            holder = self._by_email.get(update.email)
            if update.user_id is None or _is_anonymous(holder):
                person = holder
        return person

    def key_if_unchanged(self, update: Update) -> str | None:
        """Return the key of who already holds all of *update*; `write` names who is in conflict."""
        holder = self._by_email.get(update.email or "")
        if holder is not None and holder is not self.find(update):
            return None
        return super().key_if_unchanged(update)

    def by_email(self, email: str) -> Profile | None:
        """Find the person with this address."""
        return self._by_email.get(email)

    def by_user_id(self, user_id: str) -> Profile | None:
        """Find the person with this userId."""
        return self._by_user_id.get(user_id)

    def rename(self, person: Profile, *, email: str | None, user_id: str | None) -> None:
        """Give *person* these identifiers."""
        self._name(person, email, user_id)
        self.touch(person)

    def drop(self, person: Profile) -> None:
        """Delete *person*."""
        self._by_email.pop(person.email or "", None)
        self._by_user_id.pop(person.user_id or "", None)
        self._without_user_id.pop(person.number, None)
        self._gone(person)

    def key_of(self, person: Profile) -> str:
        """Return the userId, or without one the e-mail address."""
        return person.user_id or person.email or ""

    def profiles(self) -> Iterator[tuple[str, Profile]]:
        """Give all people, by userId and, without one, by e-mail address."""
        anonymous = [(person.email or "", person) for person in self._without_user_id.values()]
        return iter([*self._by_user_id.items(), *anonymous])

    def __len__(self) -> int:
        return len(self._by_user_id) + len(self._without_user_id)

    def _name(self, person: Profile, email: str | None, user_id: str | None) -> None:
        if email is not None and email != person.email:
            self._by_email.pop(person.email or "", None)
            person.email = email
            self._by_email[email] = person
        if user_id is not None and user_id != person.user_id:
            self._by_user_id.pop(person.user_id or "", None)
            self._without_user_id.pop(person.number, None)
            person.user_id = user_id
            self._by_user_id[user_id] = person


def _is_anonymous(person: Profile | None) -> bool:
    return person is not None and person.user_id is None


class EmailBased(People):
    """
    ``email`` identifies; several profiles may share a ``userId``.

    Source:
        The same articles, documented: an unknown ``email`` is created; an unknown ``userId``
        alone only with ``preferUserId``, with a placeholder address; a ``userId`` beside an
        ``email`` is written to the profile. Assumed: of several profiles with one userId the
        oldest is meant, and ``dataFields.email`` changes nothing (there is an endpoint for it).
    """

    profile_type = Profile

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._people: dict[str, Profile] = {}
        self._by_user_id: dict[str, list[Profile]] = {}

    def write(self, update: Update, now: str) -> str | Failure:
        """Apply *update* to the person with its e-mail address, or else its userId."""
        if update.email is not None:
            person = self._people.get(update.email)
            email = update.email
        else:
            user_id = update.user_id or ""
            person = self.by_user_id(user_id)
            email = placeholder_email(user_id)
            if person is None and not update.prefer_user_id:
                refused = refuse_unknown(user_id, self.settings.unknown_user_id)
                if refused is not None:
                    return refused
        if person is None:
            person = self._people[email] = self._new(now)
            person.email = email
        if update.new_user_id is not None:
            self._give_user_id(person, update.new_user_id)
        person.put(update, now)
        self.touch(person)
        return person.email or email

    def find(self, update: Update) -> Profile | None:
        """Find the person with the e-mail address of *update*, or else its userId."""
        if update.email is not None:
            return self._people.get(update.email)
        return self.by_user_id(update.user_id or "")

    def by_email(self, email: str) -> Profile | None:
        """Find the person with this address."""
        return self._people.get(email)

    def by_user_id(self, user_id: str) -> Profile | None:
        """Find the oldest person with this userId."""
        return next(iter(self._by_user_id.get(user_id, ())), None)

    def all_by_user_id(self, user_id: str) -> list[Profile]:
        """Find everybody with this userId."""
        return list(self._by_user_id.get(user_id, ()))

    def rename(self, person: Profile, *, email: str | None, user_id: str | None) -> None:
        """Give *person* these identifiers."""
        if email is not None:
            del self._people[person.email or ""]
            person.email = email
            self._people[email] = person
        if user_id is not None:
            self._give_user_id(person, user_id)
        self.touch(person)

    def drop(self, person: Profile) -> None:
        """Delete *person*."""
        del self._people[person.email or ""]
        self._leave_user_id(person)
        self._gone(person)

    def key_of(self, person: Profile) -> str:
        """Return the e-mail address."""
        return person.email or ""

    def profiles(self) -> Iterator[tuple[str, Profile]]:
        """Give all people by e-mail address."""
        return iter(list(self._people.items()))

    def __len__(self) -> int:
        return len(self._people)

    def _give_user_id(self, person: Profile, user_id: str) -> None:
        if user_id != person.user_id:
            self._leave_user_id(person)
            person.user_id = user_id
            sharing = self._by_user_id.setdefault(user_id, [])
            insort(sharing, person, key=lambda one: one.number)

    def _leave_user_id(self, person: Profile) -> None:
        if person.user_id is not None:
            sharing = self._by_user_id[person.user_id]
            sharing.remove(person)
            if not sharing:
                del self._by_user_id[person.user_id]
