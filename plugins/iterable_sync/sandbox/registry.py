"""The field registry of a project: the first value of a field decides its type, for good."""

from __future__ import annotations

from dataclasses import dataclass, field
from sys import maxsize
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from .answers import Refused, envelope
from .kinds import INCOMING, MAX_LONG, MIN_LONG, Kind, fits, kind_of, normal_date

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .answers import Answer

# Objects nested deeper than this are refused. Assumed: the default of the search engine whose
# type names Iterable reports; a limit there must be, or one body could exhaust the stack.
MAX_DEPTH = 20

_PLAIN: Final[dict[type, Kind]] = {float: Kind.DOUBLE, bool: Kind.BOOLEAN}
_STRING: Final = Kind.STRING
_LONG: Final = Kind.LONG
_DROP: Final = object()

# What a user profile has from the start.
# Source: `email` and `userId` are always in getFields (the tests of Iterable's own client); the
# names of the others are documented in article 217744303, their types recorded 2017 or assumed.
USER_FIELDS: Mapping[str, Kind] = {
    "email": Kind.STRING,
    "userId": Kind.STRING,
    "itblUserId": Kind.STRING,
    "signupDate": Kind.DATE,
    "signupSource": Kind.STRING,
    "profileUpdatedAt": Kind.DATE,
    "phoneNumber": Kind.STRING,
    "emailListIds": Kind.LONG,
    "userListIds": Kind.LONG,
    "subscribedMessageTypeIds": Kind.LONG,
    "unsubscribedChannelIds": Kind.LONG,
    "unsubscribedMessageTypeIds": Kind.LONG,
    "itblInternal": Kind.OBJECT,
    "itblInternal.documentCreatedAt": Kind.DATE,
    "itblInternal.documentUpdatedAt": Kind.DATE,
    "itblInternal.emailDomain": Kind.STRING,
}


@dataclass(frozen=True, slots=True)
class WrongType:
    """A value that does not fit the type of its field."""

    expected: Kind
    incoming: Kind
    value: Any


class Bounds(NamedTuple):
    """The most characters that a text value and a new field's name may have."""

    text: int = maxsize
    name: int = maxsize


@dataclass(slots=True)
class Draft:
    """
    What one request does to the registry, so that a refused one can be taken back.

    Args:
        oversize: the fields whose value or name was too long, once per value.
    """

    created: list[str] = field(default_factory=list)
    filtered: dict[str, None] = field(default_factory=dict)
    wrong: dict[str, WrongType] = field(default_factory=dict)
    oversize: list[str] = field(default_factory=list)


_NO_BOUNDS: Final = Bounds()


class FieldRegistry:
    """
    The types of all fields of one kind (``user``), nested ones by their dotted path.

    Source:
        support.iterable.com article 208183076, documented; that a dotted name and a nested field
        of the same path are one field is assumed.
    """

    def __init__(self, fields: Mapping[str, Kind], *, category: str) -> None:
        self.kinds: dict[str, Kind] = dict(fields)
        self.category = category
        self._from_start = len(fields)

    def admit(
        self,
        data: dict[str, Any],
        draft: Draft,
        *,
        create: bool,
        widen_numbers: bool,
        bounds: Bounds = _NO_BOUNDS,
    ) -> bool:
        """
        Check *data* against the types, give new fields theirs, and put dates in their one form.

        *data* is changed in place: dates are normalised, and with ``create=False`` unknown fields
        are dropped and named in ``draft.filtered``.

        Returns:
            Whether all values fit; those that do not are in ``draft.wrong`` and
            ``draft.oversize``.
        """
        known = self.kinds
        rules = _Rules(draft, bounds, create=create, widen_numbers=widen_numbers)
        longest = bounds.text
        dropped: list[str] = []
        for name, value in data.items():
            kind = known.get(name)
            # The hot lines: most values of most rows are plain and have the type they had before.
            if value.__class__ is str:
                if kind is _STRING and len(value) <= longest:
                    continue
            elif value is None or (kind is not None and _PLAIN.get(value.__class__) is kind):
                continue
            if kind is _LONG and value.__class__ is int and MIN_LONG <= value <= MAX_LONG:
                continue
            stored = self._admit(name, name, value, rules, 1)
            if stored is _DROP:
                dropped.append(name)
            elif stored is not value:
                data[name] = stored
        for name in dropped:
            del data[name]
        return rules.clean

    def take_back(self, draft: Draft, since: int = 0) -> None:
        """Forget the fields that *draft* created, from its number *since* on."""
        for path in draft.created[since:]:
            del self.kinds[path]
        del draft.created[since:]

    def refuse_more_than(self, most: int, draft: Draft) -> None:
        """
        Refuse a request that creates fields beyond the first *most*, those from the start apart.

        Raises:
            Refused: it does; what it created is taken back.

        Source:
            The limit: Swagger ``users/update``, documented as a soft one, nested fields included.
            The code is documented; that it answers the whole request, and the text, are assumed.
        """
        if draft.created and len(self.kinds) - self._from_start > most:
            self.take_back(draft)
            text = f"The number of unique {self.category} fields exceeds the limit of {most}"
            raise Refused(envelope(400, "UniqueFieldsLimitExceeded", text))

    def refusal(self, draft: Draft, project_id: int) -> Answer:
        """
        Answer to a request with values of the wrong type.

        Source:
            Recorded 2021, for one field. Several fields in one answer are assumed.
        """
        sentences, errors = [], {}
        for path, wrong in draft.wrong.items():
            incoming = INCOMING[wrong.incoming]
            sentences.append(
                f"Field '{path}' already exists for type '{self.category}' and has a data type of"
                f" '{wrong.expected}' but possible types '{', '.join(incoming)}' in the request."
            )
            errors[path] = {
                "incomingTypes": incoming,
                "expectedType": wrong.expected,
                "_type": "UnexpectedType",
                "offendingValue": wrong.value,
                "category": self.category,
            }
        msg = (
            f"Project {project_id}: The request does not have the same data types as the data"
            f" previously submitted. {' '.join(sentences)}"
        )
        return envelope(400, "RequestFieldsTypesMismatched", msg, {"validationErrors": errors})

    def _admit(self, path: str, name: str, value: Any, rules: _Rules, depth: int) -> Any:
        """Return *value* as it is stored, or ``_DROP``."""
        if depth > MAX_DEPTH:
            text = f"dataFields are nested deeper than {MAX_DEPTH} levels"
            raise Refused(envelope(400, "BadParams", text))
        if value.__class__ is list:
            return self._admit_list(path, name, value, rules, depth)

        known = self.kinds.get(path)
        date = normal_date(value) if value.__class__ is str else None
        incoming = kind_of(name, value) if date is None else Kind.DATE
        if known is None:
            if not rules.create:
                rules.draft.filtered[path] = None
                return _DROP
            if len(name) > rules.bounds.name:
                rules.refuse_size(path)
                return value
            self.kinds[path] = known = incoming
            rules.draft.created.append(path)
        if not fits(known, incoming, value, widen_numbers=rules.widen_numbers):
            rules.clean = False
            rules.draft.wrong.setdefault(path, WrongType(known, incoming, value))
        elif value.__class__ is str and len(value) > rules.bounds.text:
            rules.refuse_size(path)
        elif known is Kind.DATE:
            value = date
        elif known is Kind.OBJECT:
            value = self._admit_object(path, value, rules, depth)
        return value

    def _admit_list(
        self, path: str, name: str, values: list[Any], rules: _Rules, depth: int
    ) -> Any:
        # An array has the type of its elements (documented); an empty one fixes none (assumed).
        stored = [
            None if value is None else self._admit(path, name, value, rules, depth + 1)
            for value in values
        ]
        return _DROP if any(value is _DROP for value in stored) else stored

    def _admit_object(self, path: str, value: dict[str, Any], rules: _Rules, depth: int) -> Any:
        stored = {}
        for name, inner in value.items():
            if inner is not None:
                inner = self._admit(f"{path}.{name}", name, inner, rules, depth + 1)  # noqa: PLW2901 -- the stored form takes the place of what was sent
            if inner is not _DROP:
                stored[name] = inner
        return stored


@dataclass(slots=True)
class _Rules:
    """How the values of one row are admitted, and whether all of them fitted."""

    draft: Draft
    bounds: Bounds
    create: bool
    widen_numbers: bool
    clean: bool = True

    def refuse_size(self, path: str) -> None:
        """Note that the value or the name of a field is too long."""
        self.clean = False
        self.draft.oversize.append(path)
