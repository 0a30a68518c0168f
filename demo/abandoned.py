"""What became of the carts that people left, as the warehouse has it and as Iterable has it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from expectation import PURCHASES
from expected_events import CART_ABANDONED, KINDS, RETURN_CART

if TYPE_CHECKING:
    from expectation import Expected, Things
    from local_iterable import Contents

_SYNC, _ = KINDS[RETURN_CART]


@dataclass(frozen=True)
class Carts:
    """
    What happened to carts on one day, by their ids.

    Args:
        reminded: those whose people got a ``Return Cart``.

        given_up: those that have a ``Cart Abandoned``.

        ordered: those that were bought after all, so that it never came to that.
    """

    reminded: frozenset[str]
    given_up: frozenset[str]
    ordered: frozenset[str]


def in_warehouse(now: Expected, before: Expected | None) -> Carts:
    """Read it out of the tables: an order names the cart that it was."""
    known = before.held[_SYNC] if before else {}
    left = _carts(known, RETURN_CART)
    orders = now.tables["orders"]
    known_orders = {row["order_id"] for row in before.tables["orders"]} if before else set()
    new = {row["cart_id"] for row in orders if row["order_id"] not in known_orders}
    return _day(now.held[_SYNC], known, frozenset(left & new))


def in_iterable(now: Contents, before: Contents | None) -> Carts:
    """Read it out of events and purchases: who was reminded of a cart has bought what was in it."""
    known = before.things[_SYNC] if before else {}
    known_orders = before.things[PURCHASES] if before else {}
    bought = {
        (order["userId"], _contents(order["shoppingCartItems"]))
        for number, order in now.things[PURCHASES].items()
        if number not in known_orders
    }
    ordered = {
        event["dataFields"]["cart_id"]
        for event in known.values()
        if event["eventName"] == RETURN_CART
        and (event["userId"], _contents(event["dataFields"]["items"])) in bought
    }
    return _day(now.things[_SYNC], known, frozenset(ordered))


def differences(said: Carts, there: Carts) -> list[str]:
    """Give what is wrong with a day: both sides agree, and no cart is given up and ordered."""
    wrong = [
        f"carts {what.replace('_', ' ')}: the warehouse has {len(getattr(said, what)):,}, "
        f"Iterable {len(getattr(there, what)):,}, and {len(unlike):,} of them differ"
        for what in ("reminded", "given_up", "ordered")
        if (unlike := getattr(said, what) ^ getattr(there, what))
    ]
    if both := there.given_up & there.ordered:
        wrong.append(f"{len(both):,} carts were ordered and are abandoned to Iterable")
    return wrong


def _day(now: Things, before: Things, ordered: frozenset[str]) -> Carts:
    new = {name: event for name, event in now.items() if name not in before}
    return Carts(_carts(new, RETURN_CART), _carts(new, CART_ABANDONED), ordered)


def _carts(events: Things, kind: str) -> frozenset[str]:
    return frozenset(
        event["dataFields"]["cart_id"] for event in events.values() if event["eventName"] == kind
    )


def _contents(items: list[dict[str, Any]]) -> frozenset[tuple[str, float, int]]:
    return frozenset((item["id"], float(item["price"]), item["quantity"]) for item in items)
