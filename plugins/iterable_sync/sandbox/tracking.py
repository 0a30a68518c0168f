"""Tracking: from the events of a request to stored events and failures."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, Any, NamedTuple

from .answers import Refused, bad_json, envelope
from .bodies import BOOLEAN, NUMBER, OBJECT, TEXT
from .event_typing import Typing
from .events import EventType, Tracked
from .identity import fold_email, is_email, is_user_id
from .kinds import MAX_LONG, MIN_LONG
from .people import digest
from .profiles import Failure, Update
from .settings import EchoedEmails, Mismatch, ProjectType, UnknownEventUser

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .bodies import Shape
    from .profiles import Profile
    from .state import State

EVENT_NAME: Shape = (("eventName", str, TEXT),)
EVENT: Shape = (
    *EVENT_NAME,
    ("email", str, TEXT),
    ("userId", str, TEXT),
    ("id", str, TEXT),
    ("createdAt", int, NUMBER),
    ("dataFields", dict, OBJECT),
    ("campaignId", int, NUMBER),
    ("templateId", int, NUMBER),
    ("createNewFields", bool, BOOLEAN),
)

# Source: Swagger `FailedEventUpdates`, documented; all of them always present: fixture of a
# public client, taken from real traffic.
FAILURE_ARRAYS = (
    "invalidEmails",
    "invalidUserIds",
    "notFoundEmails",
    "notFoundUserIds",
    "forgottenEmails",
    "forgottenUserIds",
)
# Only where the switch `type_mismatch` lays a wrong type on its item: no document has them here.
_WRONG_DATA_ARRAYS = ("invalidDataEmails", "invalidDataUserIds")

MAX_ID_BYTES = 512
_EVENT_ID = re.compile(r"[A-Za-z0-9-]+")

# Clients send seconds and milliseconds, and both are accepted (public clients); where one ends
# and the other begins is assumed: as seconds this is the year 5138, as milliseconds 1973.
_FIRST_MILLISECONDS = 10**11
# What can be shown as a date: the years 1 to 9999.
_FIRST_SECOND, _LAST_SECOND = -62_135_596_800, 253_402_300_799


@dataclass(slots=True)
class EventReport:
    """What became of the events of one request."""

    keys: list[str] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    disallowed: list[str] = field(default_factory=list)
    created_fields: list[str] = field(default_factory=list)
    filtered_fields: list[str] = field(default_factory=list)

    @property
    def fail_count(self) -> int:
        """How many events were not applied."""
        return len(self.failures) + len(self.disallowed)

    def as_json(self) -> dict[str, Any]:
        """
        Return the body of trackBulk.

        Source:
            Fixture of a public client, taken from real traffic; Swagger ``BulkTrackResponse``.
            That an event with a disallowed name counts as failed, and that a name is given once,
            is assumed.
        """
        failed: dict[str, list[str]] = {array: [] for array in FAILURE_ARRAYS}
        for failure in self.failures:
            failed.setdefault(failure.array, []).append(failure.name)
        return {
            "successCount": len(self.keys),
            "failCount": self.fail_count,
            "invalidEmails": failed["invalidEmails"],
            "invalidUserIds": failed["invalidUserIds"],
            "disallowedEventNames": list(dict.fromkeys(self.disallowed)),
            "filteredOutFields": self.filtered_fields,
            "createdFields": self.created_fields,
            "failedUpdates": failed,
        }


class Sender(NamedTuple):
    """Whom an event names: a folded e-mail address, a userId, or both."""

    email: str | None
    user_id: str | None


def track_events(state: State, items: list[dict[str, Any]], mismatch: Mismatch) -> EventReport:
    """
    Store the events *items*, in order, and report on each.

    Everything is checked before anything is stored, so that a refused request changes nothing.

    Args:
        state: the project.

        items: well-typed events of a request; their ``dataFields`` are changed in place.

        mismatch: what a value of the wrong type costs.

    Raises:
        Refused: an id is malformed, or a value has the wrong type and *mismatch* lays that on the
            whole request.
    """
    typing = Typing(state.event_fields, widen_numbers=state.settings.widen_numbers)
    report = EventReport()
    try:
        ready = list(_check(state, items, typing, mismatch, report))
        if mismatch is Mismatch.BATCH:
            typing.refuse_wrong(state.settings.project_id)
        typing.refuse_more_than(state.settings.max_event_fields)
    except Refused:
        typing.take_back()
        raise
    typing.close()
    report.created_fields, report.filtered_fields = typing.created, typing.filtered
    apply = _note if state.settings.discard else _store
    for sender, tracked in ready:
        applied = apply(state, sender, tracked)
        if isinstance(applied, Failure):
            report.failures.append(applied)
        else:
            report.keys.append(applied)
    state.accepted()
    return report


def check_numbers(items: list[dict[str, Any]], endpoint: str, path: str) -> None:
    """
    Check the integers of well-typed events: 64 bits, and a time that is a date.

    Args:
        items: the events.

        endpoint: path of the request.

        path: of the items in the body; ``{}`` stands for the number of the item.

    Raises:
        Refused: one is out of its range. That such a number is no number of the expected type is
            assumed.
    """
    problems = {}
    for index, item in enumerate(items):
        for name in ("campaignId", "templateId", "createdAt"):
            number = item.get(name)
            if number is None:
                continue
            fits = MIN_LONG <= number <= MAX_LONG
            if name == "createdAt":
                fits = fits and _FIRST_SECOND <= seconds_of(number) <= _LAST_SECOND
            if not fits:
                problems[f"{path.format(index)}.{name}"] = NUMBER
    if problems:
        raise Refused(bad_json(endpoint, problems))


def seconds_of(created_at: int) -> int:
    """Return a time in seconds, given in seconds or milliseconds."""
    return created_at // 1000 if abs(created_at) >= _FIRST_MILLISECONDS else created_at


def time_of(item: dict[str, Any]) -> int | None:
    """Return the ``createdAt`` of an item in seconds."""
    created_at = item.get("createdAt")
    return None if created_at is None else seconds_of(created_at)


def id_of(item: dict[str, Any], what: str, form: re.Pattern[str] | None = None) -> str | None:
    """
    Return the id of an item, or nothing if it has none.

    Source:
        At most 512 bytes: Swagger, documented. The characters of an event id: article 206430615,
        documented. That an empty id is none, and that a malformed one refuses the whole request
        (its report has no array for it), is assumed.
    """
    given: str | None = item.get("id")
    if not given:
        return None
    if len(given.encode()) > MAX_ID_BYTES or (form is not None and form.fullmatch(given) is None):
        raise Refused(envelope(400, "BadParams", f"Invalid {what} id: {given}"))
    return given


def find_sender(state: State, sender: Sender) -> Profile | None:
    """
    Find the person whom an event names.

    Source:
        Who is identified by what: articles 29156459027348 and 9216719179796, documented. With
        both in a hybrid project the userId goes first, and an event never changes a profile that
        there is: assumed.
    """
    email, user_id = sender
    project_type, people = state.settings.project_type, state.people
    if project_type is ProjectType.EMAIL and email is not None:
        return people.by_email(email)
    person = None if user_id is None else people.by_user_id(user_id)
    if person is None and email is not None and project_type is ProjectType.HYBRID:
        person = people.by_email(email)
    return person


def put_event(state: State, tracked: Tracked, person: int) -> None:
    """Store an event of a person, so that reads show it after the delay if there is one."""
    delay_s, now_s = state.settings.visibility_delay_s, state.now_ms() // 1000
    if delay_s > 0:
        state.events.accept(state.clock() + delay_s, tracked, person, now_s)
    else:
        state.events.advance(inf)  # What waits since the delay was longer goes first.
        state.events.put(tracked, person, now_s)


def _check(
    state: State,
    items: list[dict[str, Any]],
    typing: Typing,
    mismatch: Mismatch,
    report: EventReport,
) -> Iterator[tuple[Sender, Tracked]]:
    """Give the events that are fit to be stored; report on the others."""
    settings = state.settings
    disallowed = frozenset(settings.disallowed_event_names)
    as_sent = settings.echoed_emails is EchoedEmails.SENT
    for item in items:
        name = item["eventName"]
        event_id = id_of(item, "event", _EVENT_ID)
        if name in disallowed:
            report.disallowed.append(name)
            continue
        sender = _read_sender(item, settings.project_type)
        if isinstance(sender, Sender):
            sender = _refuse_sender(state, sender) or sender
        fields = item.get("dataFields")
        if fields and isinstance(sender, Sender):
            create = item.get("createNewFields")
            create = settings.create_new_fields if create is None else create
            fits = typing.admit(EventType.CUSTOM, name, fields, create=create)
            if not fits and mismatch is Mismatch.ITEM:
                sender = _wrong_data(sender)
        if isinstance(sender, Failure):
            if as_sent and sender.array.endswith("Emails"):
                sender = Failure(sender.array, item.get("email") or "")
            report.failures.append(sender)
            continue
        yield (
            sender,
            Tracked(
                event_id,
                name,
                time_of(item),
                fields or {},
                item.get("campaignId"),
                item.get("templateId"),
            ),
        )


def _read_sender(item: dict[str, Any], project_type: ProjectType) -> Sender | Failure:
    """Read the identifiers of one event; an empty one beside another counts as absent."""
    email, user_id = item.get("email"), item.get("userId")
    folded = fold_email(email) if email else ""
    if not folded and not user_id:
        names_user = email is None and (user_id is not None or project_type is ProjectType.USER_ID)
        return Failure("invalidUserIds" if names_user else "invalidEmails", "")
    if folded and not is_email(folded):
        return Failure("invalidEmails", folded)
    if user_id and not is_user_id(user_id):
        return Failure("invalidUserIds", user_id)
    return Sender(folded or None, user_id or None)


def _refuse_sender(state: State, sender: Sender) -> Failure | None:
    """
    Return why nobody can have this event, if so.

    Source:
        Unknown people: userID-based and hybrid projects create them, email-based ones do not
        (public documentation of a partner, and article 29156459027348); for what these answer see
        `Settings.unknown_event_user`. An e-mail address alone in a userID-based project: assumed.
    """
    settings = state.settings
    forgotten = state.forgotten.refuse(_creation(sender)) if len(state.forgotten) else None
    if forgotten is not None:
        return forgotten
    if settings.project_type is ProjectType.USER_ID and sender.user_id is None:
        return _not_found(sender)
    if (
        settings.project_type is ProjectType.EMAIL
        and settings.unknown_event_user is UnknownEventUser.NOT_FOUND
        and not settings.discard
        and find_sender(state, sender) is None
    ):
        return _not_found(sender)
    return None


def _store(state: State, sender: Sender, tracked: Tracked) -> str | Failure:
    """Store an event, and the person if it is a new one; return the person's key."""
    person = find_sender(state, sender)
    if person is None:
        if (
            state.settings.project_type is ProjectType.EMAIL
            and state.settings.unknown_event_user is UnknownEventUser.ACCEPT
        ):
            return _key(state, sender)
        made = state.people.write(_creation(sender), state.now())
        person = find_sender(state, sender)
        if person is None or isinstance(made, Failure):
            return made
    put_event(state, tracked, person.number)
    return state.people.key_of(person)


def _note(state: State, sender: Sender, tracked: Tracked) -> str:
    """Keep a digest of an event where nothing else is kept."""
    state.events.note(tracked, digest([*sender, *tracked[1:]]))
    return _key(state, sender)


def _key(state: State, sender: Sender) -> str:
    email, user_id = sender
    if state.settings.project_type is ProjectType.EMAIL:
        return email or user_id or ""
    return user_id or email or ""


def _creation(sender: Sender) -> Update:
    email, user_id = sender
    return Update(email, user_id, email, user_id, {}, merge_nested=False, prefer_user_id=True)


def _not_found(sender: Sender) -> Failure:
    if sender.email is not None:
        return Failure("notFoundEmails", sender.email)
    return Failure("notFoundUserIds", sender.user_id or "")


def _wrong_data(sender: Sender) -> Failure:
    if sender.email is not None:
        return Failure("invalidDataEmails", sender.email)
    return Failure("invalidDataUserIds", sender.user_id or "")
