"""Purchases and carts: their items, and what they do to a profile and its events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .answers import Refused, bad_json
from .bodies import ARRAY, NUMBER, OBJECT, TEXT, array_problems, items_of
from .event_typing import CART, UPDATE_CART, UPDATED_CART, Typing, item_kinds
from .events import Tracked
from .kinds import MAX_LONG, MIN_LONG
from .members import member_of
from .people import digest
from .settings import Mismatch
from .tracking import put_event
from .updates import refusal_of, update_users

if TYPE_CHECKING:
    from .bodies import Shape
    from .state import State

_DEMANDED: Shape = (
    ("id", str, TEXT),
    ("name", str, TEXT),
    ("price", float, NUMBER),
    ("quantity", int, NUMBER),
)
_ITEM: Shape = (
    *_DEMANDED,
    ("sku", str, TEXT),
    ("description", str, TEXT),
    ("categories", list, ARRAY),
    ("url", str, TEXT),
    ("imageUrl", str, TEXT),
    ("dataFields", dict, OBJECT),
)


def read_items(body: dict[str, Any], endpoint: str) -> list[dict[str, Any]]:
    """
    Return the ``items`` of a purchase or cart, each with its known members in their order.

    Raises:
        Refused: an item lacks a member, or one has another JSON type.

    Source:
        Swagger ``CommerceItem``, documented: what is extra belongs into its ``dataFields``. That
        other unknown members are dropped, and that there may be no item, is assumed.
    """
    items = items_of(body, "items", endpoint, _ITEM, _DEMANDED)
    problems: dict[str, str] = {}
    for index, item in enumerate(items):
        item["price"] = float(item["price"])
        path = f"obj.items[{index}]"
        problems |= array_problems(item, "categories", str, TEXT, path)
        if not MIN_LONG <= item["quantity"] <= MAX_LONG:
            problems[f"{path}.quantity"] = NUMBER
    if problems:
        raise Refused(bad_json(endpoint, problems))
    return [
        {name: item[name] for name, _, _ in _ITEM if item.get(name) is not None} for item in items
    ]


def record(
    state: State,
    user: dict[str, Any],
    cart: list[dict[str, Any]],
    event: Tracked,
    data_fields: dict[str, Any] | None = None,
) -> str:
    """
    Update a profile with *user*, give it *cart*, and store the event that goes with it.

    All is checked before anything is written, so that a refused request changes nothing.

    Args:
        state: the project.

        user: the well-typed user object of the request.

        cart: what the profile's cart holds from now on.

        event: the purchase, or the custom event of a cart; its fields are changed in place.

        data_fields: ``dataFields`` of a purchase.

    Returns:
        The key of the profile.

    Raises:
        Refused: a value has the wrong type, or the profile cannot be written.

    Source:
        Swagger ``trackPurchase`` and ``updateCart``, documented: the profile is created or
        updated like one of users/update. That an emptied cart is shown as ``[]``: article
        8698012206612 says that it is emptied.
    """
    settings = state.settings
    typing = Typing(state.event_fields, widen_numbers=settings.widen_numbers)
    user_kinds = state.user_fields.kinds
    first = {path: kind for path, kind in item_kinds(CART).items() if path not in user_kinds}
    user_kinds |= first
    try:
        for fields in (event.fields, data_fields or {}):
            typing.admit(event.type, event.name, fields, create=settings.create_new_fields)
        typing.refuse_wrong(settings.project_id)
        typing.refuse_more_than(settings.max_event_fields)
        report = update_users(
            state,
            [{**user, "dataFields": {**(user.get("dataFields") or {}), CART: cart}}],
            create_new_fields=user.get("createNewFields"),
            mismatch=Mismatch.BATCH,
        )
        if report.failures:
            raise refusal_of(report.failures[0])
    except Refused:
        typing.take_back()
        for path in first:
            del user_kinds[path]
        raise
    typing.close()
    if data_fields:
        event.fields["dataFields"] = data_fields
    (key,) = report.keys
    if settings.discard:
        state.events.note(event, digest([key, *event[1:]]))
    else:
        put_event(state, event, member_of(state, key).number)
    return key


def cart_event(items: list[dict[str, Any]]) -> Tracked:
    """
    Return the event of an updated cart.

    Source:
        Article 26732012099348, documented: a custom event ``updateCart`` whose
        ``updatedShoppingCartItems`` are the new cart.
    """
    return Tracked(None, UPDATE_CART, None, {UPDATED_CART: items}, None, None)
