"""People: who there are, and one of them as Iterable shows a profile."""

from __future__ import annotations

from heapq import nlargest
from itertools import islice
from typing import TYPE_CHECKING, Any

from ..identity import fold_email
from .fields import field_table
from .rendering import Shown, Table, badge, code, json_value, link, missing, quiet

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from starlette.requests import Request

    from ..profiles import Profile
    from ..state import State

_SHOWN = 50
_SHOWN_EVENTS = 50
_CART = "shoppingCartItems"
# How the arrays of a profile are named to a reader, and by what their ids are named.
_SUBSCRIPTIONS = (
    ("unsubscribedChannelIds", "Unsubscribed from channel", "channel"),
    ("unsubscribedMessageTypeIds", "Unsubscribed from message type", "message_type"),
    ("subscribedMessageTypeIds", "Subscribed to message type", "message_type"),
)


def people(state: State, request: Request) -> Shown:
    """Show who fits what is looked for; a single one at once."""
    find = request.query_params.get("find", "").strip()
    if state.settings.discard:
        return Shown("digests", {"find": find, "table": _digests(state, find), "shown": _SHOWN})
    if find:
        found = list(islice(_matches(state, find), _SHOWN + 1))
        if len(found) == 1:
            return Shown("", location=f"/people/{found[0].number}", status=303)
    else:
        everybody = (person for _, person in state.people.profiles())
        found = nlargest(_SHOWN + 1, everybody, key=lambda person: person.number)
    values = {
        "find": find,
        "forgotten": len(state.forgotten),
        "delay_s": state.settings.visibility_delay_s,
        "table": people_table("People", found[:_SHOWN]),
        "total": len(state.people),
        "more": len(found) > _SHOWN,
        "shown": _SHOWN,
    }
    return Shown("people", values)


def person(state: State, request: Request) -> Shown:
    """Show one person."""
    number = request.path_params["number"]
    found = next((one for _, one in state.people.profiles() if str(one.number) == number), None)
    if found is None:
        return missing("person", "/people", "People")
    shown = found.as_json()["dataFields"]
    cart = shown.pop(_CART, None)
    kinds = state.user_fields.kinds
    values = {
        "name": name_of(found),
        "email": found.email,
        "user_id": found.user_id,
        "fields": field_table("Fields of the profile", shown, kinds),
        "lists": _lists(state, found),
        "subscriptions": _subscriptions(state, shown),
        "cart": _cart(cart),
        **_events(state, found),
    }
    return Shown("person", values)


def name_of(person: Profile) -> str:
    """Return by what a person is named: the e-mail address, or else the userId."""
    return person.email or person.user_id or f"person {person.number}"


def people_table(caption: str, found: list[Profile]) -> Table:
    """Return a table of people."""
    rows = [
        (
            link(name_of(one), "people", one.number),
            code(one.user_id) if one.user_id else quiet("none"),
            len(one.fields),
            one.updated_at,
        )
        for one in found
    ]
    return Table(caption, ("Person", "userId", "Fields written", "Updated"), rows)


def _matches(state: State, find: str) -> Iterator[Profile]:
    """Give the people who have *find* as an identifier, then those who have it in one."""
    exact = {}
    for one in (state.people.by_user_id(find), state.people.by_email(fold_email(find))):
        if one is not None:
            exact[one.number] = one
    yield from exact.values()
    part = find.casefold()
    for _, one in state.people.profiles():
        if one.number not in exact and any(
            part in (identifier or "").casefold() for identifier in (one.email, one.user_id)
        ):
            yield one


def _digests(state: State, find: str) -> Table:
    part = find.casefold()
    fitting = (
        (code(key), code(digest))
        for key, digest in state.people.digests()
        if part in key.casefold()
    )
    return Table("Identities", ("Identity", "Digest"), list(islice(fitting, _SHOWN)))


def _lists(state: State, found: Profile) -> Table:
    rows = []
    for list_id in state.lists.of(found.number):
        one = state.lists.get(list_id)
        if one is not None:
            rows.append((link(one.name, "lists", one.id), str(one.id), one.kind.value))
    return Table("Lists", ("List", "Id", "Type"), rows)


def _subscriptions(state: State, shown: Mapping[str, Any]) -> Table:
    rows = []
    for field, text, kind in _SUBSCRIPTIONS:
        ids = shown.get(field) or []
        for identifier in ids if isinstance(ids, list) else [ids]:
            known = getattr(state.messaging, kind)(identifier)
            mark = badge(text, "good" if text.startswith("Subscribed") else "odd")
            rows.append((mark, known["name"] if known else quiet("unknown"), str(identifier)))
    return Table("Subscriptions", ("State", "Name", "Id"), rows)


def _cart(cart: Any) -> Table:
    rows = [
        (
            code(item.get("id", "")),
            item.get("name", ""),
            item.get("quantity", ""),
            item.get("price", ""),
            json_value(
                {
                    name: value
                    for name, value in item.items()
                    if name not in ("id", "name", "quantity", "price")
                }
            ),
        )
        for item in (cart if isinstance(cart, list) else [])
        if isinstance(item, dict)
    ]
    return Table("Cart", ("Id", "Name", "Quantity", "Price", "Other fields"), rows)


def _events(state: State, found: Profile) -> dict[str, Any]:
    events, purchases = [], []
    for event in state.events.newest(found.number, _SHOWN_EVENTS):
        shown = event.as_json(found)
        event_id = code(event.id) if event.id else quiet("none")
        if event.type == "purchase":
            purchases.append(
                (
                    shown["createdAt"],
                    shown.get("total", ""),
                    event_id,
                    json_value(shown.get(_CART, [])),
                    json_value(shown.get("dataFields") or {}),
                )
            )
        else:
            fields = json_value(shown["dataFields"])
            events.append((shown["createdAt"], event.name, event_id, fields))
    return {
        "events": Table("Events", ("Created", "Event", "Id", "Fields"), events),
        "purchases": Table(
            "Purchases", ("Created", "Total", "Id", "Items", "Other fields"), purchases
        ),
        "events_total": state.events.count_of(found.number),
        "events_shown": len(events) + len(purchases),
    }
