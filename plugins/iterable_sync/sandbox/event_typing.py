"""The types of event fields: per event name, and of purchases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .answers import Refused
from .events import EventType
from .kinds import Kind
from .registry import Draft, FieldRegistry

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .registry import WrongType

# The cart in a profile and in a purchase, and the event of a changed cart.
# Source: articles 8698012206612 and 26732012099348, documented.
CART = "shoppingCartItems"
UPDATE_CART = "updateCart"
UPDATED_CART = "updatedShoppingCartItems"


# Source: Swagger `CommerceItem`, documented.
_ITEM_KINDS = {
    "id": Kind.STRING,
    "name": Kind.STRING,
    "price": Kind.DOUBLE,
    "quantity": Kind.LONG,
    "sku": Kind.STRING,
    "description": Kind.STRING,
    "categories": Kind.STRING,
    "url": Kind.STRING,
    "imageUrl": Kind.STRING,
    "dataFields": Kind.OBJECT,
}


def item_kinds(path: str) -> dict[str, Kind]:
    """Return the types of commerce items under *path*; without them a name could be a date."""
    kinds = {f"{path}.{name}": kind for name, kind in _ITEM_KINDS.items()}
    return {path: Kind.OBJECT, **kinds}


# What there is before the first event.
_KNOWN = {
    (EventType.PURCHASE, ""): {**item_kinds(CART), "total": Kind.DOUBLE},
    (EventType.CUSTOM, UPDATE_CART): item_kinds(UPDATED_CART),
}


class EventFields:
    """
    The field registries of all event names.

    Source:
        Same-named fields of same-named events keep their type: Swagger ``track``, documented. The
        category ``customEvent``: an error that a user of the API has published; that purchases
        have one called ``purchase`` is assumed.
    """

    def __init__(self) -> None:
        self._registries: dict[tuple[EventType, str], FieldRegistry] = {}

    def registry(self, kind: EventType, name: str) -> FieldRegistry:
        """Return the registry of an event name; it is made if there is none."""
        found = self._registries.get((kind, name))
        if found is None:
            found = self._registries[kind, name] = FieldRegistry(
                _KNOWN.get((kind, name), {}), category=kind.value
            )
        return found

    def drop_empty(self, keys: Iterable[tuple[EventType, str]]) -> None:
        """Forget the registries of *keys* that have no fields."""
        for key in keys:
            if key in self._registries and not self._registries[key].kinds:
                del self._registries[key]

    def as_json(self) -> dict[str, dict[str, dict[str, Kind]]]:
        """Return the types by event type, event name and path of the field."""
        shown: dict[str, dict[str, dict[str, Kind]]] = {kind.value: {} for kind in EventType}
        for (kind, name), registry in self._registries.items():
            shown[kind.value][name] = dict(registry.kinds)
        return shown


class Typing:
    """
    The typing of the events of one request; it can be taken back as a whole.

    Args:
        fields: the registries of the project; new fields are entered at once.

        widen_numbers: see `Settings`.
    """

    def __init__(self, fields: EventFields, *, widen_numbers: bool) -> None:
        self._fields = fields
        self._widen = widen_numbers
        self._drafts: dict[tuple[EventType, str], tuple[FieldRegistry, Draft]] = {}

    def admit(self, kind: EventType, name: str, data: dict[str, Any], *, create: bool) -> bool:
        """
        Check the fields of one event, and put them in their one form, in place.

        Returns:
            Whether all fit. If not, the new fields of this event are forgotten again.

        Raises:
            Refused: the fields are nested too deep.
        """
        registry, draft = self._drafts.get((kind, name)) or self._open(kind, name)
        before = len(draft.created)
        fits = registry.admit(data, draft, create=create, widen_numbers=self._widen)
        if not fits:
            registry.take_back(draft, since=before)
        return fits

    def take_back(self) -> None:
        """Forget all fields that the request has created."""
        for registry, draft in self._drafts.values():
            registry.take_back(draft)
        self._fields.drop_empty(self._drafts)

    def close(self) -> None:
        """Keep what the request has created."""
        self._fields.drop_empty(self._drafts)

    def refuse_wrong(self, project_id: int) -> None:
        """
        Refuse the request if a value did not fit.

        One field name under two event names is named once: assumed.

        Raises:
            Refused: with all fields that did not fit.
        """
        wrong: dict[str, WrongType] = {}
        for _, draft in self._drafts.values():
            wrong |= draft.wrong
        if wrong:
            registry, _ = next(iter(self._drafts.values()))
            raise Refused(registry.refusal(Draft(wrong=wrong), project_id))

    def refuse_more_than(self, most: int) -> None:
        """
        Refuse the request if it gives an event name more than *most* fields.

        Raises:
            Refused: it does.
        """
        for registry, draft in self._drafts.values():
            registry.refuse_more_than(most, draft)

    @property
    def created(self) -> list[str]:
        """The paths of the new fields, each once."""
        return list(
            dict.fromkeys(path for _, draft in self._drafts.values() for path in draft.created)
        )

    @property
    def filtered(self) -> list[str]:
        """The paths of the fields that were dropped, each once."""
        return list(
            dict.fromkeys(path for _, draft in self._drafts.values() for path in draft.filtered)
        )

    def _open(self, kind: EventType, name: str) -> tuple[FieldRegistry, Draft]:
        opened = self._drafts[kind, name] = (self._fields.registry(kind, name), Draft())
        return opened
