"""Which purchases and carts Iterable should have, from the rows of the shop's tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from expected_events import SINCE, image
from expected_values import Record, by_owner, picked, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from warehouse import Row, Tables

Items = list[dict[str, Any]]

_PURCHASE = {
    "userId": "user_id",
    "createdAt": "ordered_at",
    "total": "total",
    "campaignId": "campaign_id",
    "templateId": "template_id",
}
_OF_PURCHASE = {
    "order_id": "order_id",
    "cartId": "cart_id",
    "subscriptionId": "subscription_id",
    "isRebill": "is_rebill",
    "coupon": "coupon",
    "currency": "currency",
    "profit": "profit",
    "isRefunded": "is_refunded",
    "refundedAmount": "refunded_amount",
    "messageId": "message_id",
    "billing_address": "billing_address",
    "shipping_address": "shipping_address",
}
_ITEM = {
    "id": "product_id",
    "name": "name",
    "price": "price",
    "quantity": "quantity",
    "url": "url",
}
_UTM = ("source", "medium", "campaign", "term", "content", "id")


def purchases(tables: Tables) -> dict[str, Record]:
    """Give the purchases by the id of the order."""
    lines = by_owner(tables["order_items"], "order_id")
    orders = sorted(tables["orders"], key=lambda order: (order["ordered_at"], order["order_id"]))
    seen: set[str] = set()
    found = {}
    for order in orders:
        is_repeat = order["user_id"] in seen
        seen.add(order["user_id"])
        if order["ordered_at"] >= SINCE:
            found[order["order_id"]] = _purchase(
                order, lines[order["order_id"]], is_repeat=is_repeat
            )
    return found


def carts(tables: Tables) -> dict[str, Items]:
    """Give what is in the carts, by userId; of an empty one nothing."""
    chosen = by_owner(tables["cart_items"], "user_id")
    return {
        cart["user_id"]: [
            _item(item) for item in sorted(chosen.get(cart["user_id"], []), key=_by_product)
        ]
        for cart in tables["carts"]
    }


def _purchase(order: Row, lines: list[Row], *, is_repeat: bool) -> Record:
    utm: Mapping[str, str] = order["utm"] or {}
    return {
        **picked(order, _PURCHASE),
        "shoppingCartItems": [
            _item(line)
            | {"categories": [line["category"]], "dataFields": {"lineNo": line["line_no"]}}
            for line in sorted(lines, key=lambda line: line["line_no"])
        ],
        "dataFields": {
            **picked(order, _OF_PURCHASE),
            **shown({f"utm_{part}": utm.get(part) for part in _UTM}),
            "repeat": is_repeat,
        },
    }


def _item(row: Row) -> dict[str, Any]:
    return picked(row, _ITEM) | {"imageUrl": image(row)}


def _by_product(row: Row) -> str:
    return str(row["product_id"])
