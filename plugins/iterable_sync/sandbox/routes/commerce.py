"""Purchases and carts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..answers import Answer, Refused, bad_json, envelope, success
from ..bodies import BOOLEAN, NUMBER, OBJECT, TEXT, USER, demand, object_of, parse_object
from ..commerce import cart_event, read_items, record
from ..endpoints import Call, Endpoint
from ..event_typing import CART
from ..events import EventType, Tracked
from ..tracking import check_numbers, id_of, time_of

if TYPE_CHECKING:
    from ..bodies import Shape
    from ..state import State

_USER_BLOCK: Shape = (("user", dict, OBJECT),)
_USER: Shape = (*USER, ("createNewFields", bool, BOOLEAN))
_DEMANDED: Shape = (*_USER_BLOCK, ("total", float, NUMBER))
_PURCHASE: Shape = (
    *_DEMANDED,
    ("id", str, TEXT),
    ("createdAt", int, NUMBER),
    ("dataFields", dict, OBJECT),
    ("campaignId", int, NUMBER),
    ("templateId", int, NUMBER),
)
_MAX_INT, _MIN_INT = 2**31 - 1, -(2**31)


def track_purchase(state: State, call: Call) -> Answer:
    """
    Track a purchase: the profile is written, its cart is emptied.

    Source:
        Swagger ``TrackPurchaseRequest``, documented, also that the id is returned; where it stands
        is assumed to be as in events/track. The empty ``msg``, and that ``total`` must be a
        number: recorded 2017.
    """
    purchase = parse_object(call.body, call.path, _PURCHASE)
    demand(purchase, call.path, _DEMANDED)
    items = read_items(purchase, call.path)
    _check_ids(purchase, call)
    user = _user_of(purchase, call)
    purchase_id = id_of(purchase, "purchase") or state.events.new_id()
    event = Tracked(
        purchase_id,
        "",
        time_of(purchase),
        {CART: items, "total": float(purchase["total"])},
        purchase.get("campaignId"),
        purchase.get("templateId"),
        EventType.PURCHASE,
    )
    key = record(state, user, [], event, purchase.get("dataFields"))
    return _done(envelope(200, "Success", "", {"id": purchase_id}), key)


def update_cart(state: State, call: Call) -> Answer:
    """
    Replace the cart of a profile; each call is an event as well.

    Source:
        Swagger ``UpdateCartRequest``, documented; the answers, recorded 2017.
    """
    body = parse_object(call.body, call.path, _USER_BLOCK)
    demand(body, call.path, _USER_BLOCK)
    items = read_items(body, call.path)
    key = record(state, _user_of(body, call), items, cart_event(items))
    return _done(success(), key)


def _user_of(body: dict[str, Any], call: Call) -> dict[str, Any]:
    user = object_of(body, "user", call.path, _USER)
    if user.get("email") is None and user.get("userId") is None:
        text = "Either email or userId must be set: ApiUserUpdateRequest(None,None,None,None)"
        raise Refused(envelope(400, "BadParams", text))
    return user


def _check_ids(purchase: dict[str, Any], call: Call) -> None:
    """Check the integers of a purchase; its ids have 32 bits, other than those of events."""
    check_numbers([purchase], call.path, "obj")
    problems = {
        f"obj.{name}": NUMBER
        for name in ("campaignId", "templateId")
        if not _MIN_INT <= (purchase.get(name) or 0) <= _MAX_INT
    }
    if problems:
        raise Refused(bad_json(call.path, problems))


def _done(answer: Answer, key: str) -> Answer:
    return replace(answer, rows=1, keys=[key], counts={"success": 1, "fail": 0})


ENDPOINTS = (
    # No limit is published for these two.
    Endpoint("POST", "/api/commerce/trackPurchase", track_purchase, limit="commerce/trackPurchase"),
    Endpoint("POST", "/api/commerce/updateCart", update_cart, limit="commerce/updateCart"),
)
