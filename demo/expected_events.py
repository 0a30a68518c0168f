"""
Which events Iterable should have, from the rows of the shop's tables.

What is here was true at the end of a day; an event that was sent stays as it was then.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from expected_values import Record, by_owner, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from warehouse import Row, Tables

# Where the history begins that Iterable is to have.
SINCE = datetime(2026, 1, 1)  # noqa: DTZ001 - as all instants here, naive and in UTC
RETURN_AFTER = timedelta(hours=1)
ABANDONED_AFTER = timedelta(days=1)
ORDERED_WITHIN = timedelta(days=7)
BROWSED_AFTER = timedelta(hours=4)
REVIEW_AFTER = timedelta(days=7)
IMAGE_SIZE = 600

PAGE_VIEW = "Page View"
RETURN_CART = "Return Cart"
CART_ABANDONED = "Cart Abandoned"

# Event -> its sync, and the data fields that tell it from others of its name.
KINDS: dict[str, tuple[str, tuple[str, ...]]] = {
    PAGE_VIEW: ("events", ("view_id",)),
    RETURN_CART: ("return_carts", ("cart_id", "cart_updated_at")),
    CART_ABANDONED: ("return_carts", ("cart_id", "cart_updated_at")),
    "Browse Abandonment": ("browse_abandonment", ("user_id", "product_id", "viewed_on")),
    "Order Shipped": ("shipments", ("shipment_id",)),
    "Order Delivered": ("shipments", ("shipment_id",)),
    "Review Request": ("review_requests", ("order_id",)),
    "Subscription Started": ("product_subscription_events", ("subscription_id",)),
    "Subscription Renewed": ("product_subscription_events", ("subscription_id", "order_id")),
    "Subscription Cancelled": ("product_subscription_events", ("subscription_id",)),
}
_UTM = ("source", "medium", "campaign", "term", "content", "id")


def events(tables: Tables, now: datetime) -> dict[str, dict[str, Record]]:
    """
    Give all events that are due at a moment, by sync and by name.

    Args:
        now: the end of the day of which the tables are.
    """
    found: dict[str, dict[str, Record]] = {sync: {} for sync, _ in KINDS.values()}
    for event in (
        *_page_views(tables),
        *left_carts(tables),
        *_browsed(tables),
        *_shipments(tables),
        *_reviews(tables),
        *_subscriptions(tables),
    ):
        if SINCE <= event["createdAt"] <= now:
            record = shown(event | {"dataFields": shown(event["dataFields"])})
            found[KINDS[event["eventName"]][0]][name_of(record)] = record
    return found


def name_of(event: Record) -> str:
    """Give what tells an event from all others, whatever its id."""
    _, fields = KINDS.get(event["eventName"], ("", ()))
    said = {"user_id": event.get("userId")} | event["dataFields"]
    return " ".join((event["eventName"], *(str(said.get(field)) for field in fields)))


def image(row: Row) -> str:
    """Give the address of a thumbnail."""
    return f"{row['image']}?w={IMAGE_SIZE}"


def _event(event: str, row: Row, at: datetime, /, **data: Any) -> Record:
    return {"eventName": event, "userId": row["user_id"], "createdAt": at, "dataFields": data}


def _page_views(tables: Tables) -> Iterator[Record]:
    for row in tables["page_views"]:
        utm = row["utm"] or {}
        yield _event(
            PAGE_VIEW,
            row,
            row["viewed_at"],
            view_id=row["view_id"],
            url=row["url"],
            title=row["title"],
            path=urlsplit(row["url"]).path,
            product_id=row["product_id"],
            referrer=row["referrer"],
            secondsOnPage=row["seconds_on_page"],
            utm={part: utm[part] for part in _UTM if part in utm} or None,
        ) | {"campaignId": row["campaign_id"]}


def left_carts(tables: Tables) -> Iterator[Record]:
    """Give the events of carts that are no order, due or not."""
    items = by_owner(tables["cart_items"], "user_id")
    users = {row["user_id"]: row for row in tables["users"]}
    orders = by_owner(tables["orders"], "user_id")
    ordered = {row["cart_id"] for row in tables["orders"]}
    for cart in tables["carts"]:
        chosen = items.get(cart["user_id"])
        since = [row["ordered_at"] - cart["updated_at"] for row in orders.get(cart["user_id"], ())]
        # Of this cart, or of its person soon after.
        is_ordered = any(timedelta() <= after <= ORDERED_WITHIN for after in since)
        if not chosen or is_ordered or cart["cart_id"] in ordered:
            continue
        for name, after in ((RETURN_CART, RETURN_AFTER), (CART_ABANDONED, ABANDONED_AFTER)):
            yield _event(
                name,
                cart,
                cart["updated_at"] + after,
                cart_id=cart["cart_id"],
                cart_updated_at=cart["updated_at"],
                return_url=cart["return_url"],
                first_name=users[cart["user_id"]]["first_name"],
                sms_opt_in=users[cart["user_id"]]["sms_opt_in"],
                total=sum(item["price"] * item["quantity"] for item in chosen),
                items=[
                    shown(
                        {
                            "id": item["product_id"],
                            "name": item["name"],
                            "price": item["price"],
                            "quantity": item["quantity"],
                            "url": item["url"],
                            "imageUrl": image(item),
                        }
                    )
                    for item in sorted(chosen, key=_by_product)
                ],
            )


def _by_product(row: Row) -> str:
    return str(row["product_id"])


def _browsed(tables: Tables) -> Iterator[Record]:
    products = {row["product_id"]: row for row in tables["products"]}
    chosen = {(row["user_id"], row["product_id"]) for row in tables["cart_items"]}
    bought = defaultdict(list)
    for row in tables["order_items"]:
        bought[row["user_id"], row["product_id"]].append(row["ordered_at"])
    looks = defaultdict(list)
    for view in tables["page_views"]:
        if view["product_id"] is not None:
            looks[view["user_id"], view["product_id"], view["viewed_at"].date()].append(view)
    for (who, product_id, day), views in looks.items():
        times = [view["viewed_at"] for view in views]
        since = bought[who, product_id]
        if (who, product_id) in chosen or any(when >= min(times) for when in since):
            continue
        product = products[product_id]
        yield _event(
            "Browse Abandonment",
            views[0],
            max(times) + BROWSED_AFTER,
            product_id=product_id,
            viewed_on=day,
            views=len(views),
            url=max(view["url"] for view in views),
            name=product["name"],
            category=product["category"],
            price=product["price"],
            sale_price=product["sale_price"],
            imageUrl=image(product),
        )


def _shipments(tables: Tables) -> Iterator[Record]:
    contents = by_owner(tables["shipment_items"], "shipment_id")
    bought: Mapping[tuple[str, str], Row] = {
        (row["order_id"], row["product_id"]): row for row in tables["order_items"]
    }
    for row in tables["shipments"]:
        items = []
        for item in sorted(contents[row["shipment_id"]], key=lambda item: item["line_no"]):
            line = bought[row["order_id"], item["product_id"]]
            items.append(
                shown(
                    {
                        "id": item["product_id"],
                        "name": item["name"],
                        "price": line["price"],
                        "quantity": item["quantity"],
                        "url": line["url"],
                        "imageUrl": image(line),
                    }
                )
            )
        for name, at in (
            ("Order Shipped", row["shipped_at"]),
            ("Order Delivered", row["delivered_at"]),
        ):
            if at is not None:
                yield _event(
                    name,
                    row,
                    at,
                    **{
                        column: row[column]
                        for column in (
                            "shipment_id",
                            "order_id",
                            "carrier",
                            "tracking_numbers",
                            "is_subscription",
                            "is_rebill",
                        )
                    },
                    items=items,
                )


def _reviews(tables: Tables) -> Iterator[Record]:
    parcels = by_owner(tables["shipments"], "order_id")
    lines = by_owner(tables["order_items"], "order_id")
    reviewed = {(row["user_id"], row["product_id"]) for row in tables["reviews"]}
    for order in tables["orders"]:
        delivered = [row["delivered_at"] for row in parcels.get(order["order_id"], ())]
        open_lines = [
            line
            for line in sorted(lines.get(order["order_id"], ()), key=lambda line: line["line_no"])
            if (order["user_id"], line["product_id"]) not in reviewed
        ]
        if not delivered or None in delivered or order["is_refunded"] or not open_lines:
            continue
        yield _event(
            "Review Request",
            order,
            max(delivered) + REVIEW_AFTER,
            order_id=order["order_id"],
            items=[
                {
                    "id": line["product_id"],
                    "name": line["name"],
                    "url": line["url"],
                    "review_url": f"{line['url']}/review?order={order['order_id']}",
                    "imageUrl": image(line),
                }
                for line in open_lines
            ],
        )


def _subscriptions(tables: Tables) -> Iterator[Record]:
    orders = {row["order_id"]: row for row in tables["orders"]}
    renewals = by_owner(tables["product_subscription_renewals"], "subscription_id")
    bought = by_owner(tables["orders"], "subscription_id")
    for row in tables["product_subscriptions"]:
        number = row["subscription_id"]
        firsts = [o["order_id"] for o in bought.get(number, ()) if o["is_rebill"] is False]
        moments = [
            ("Subscription Started", row["started_at"], min(firsts, default=None)),
            ("Subscription Cancelled", row["cancelled_at"], None),
            *(
                ("Subscription Renewed", renewal["renewed_at"], renewal["order_id"])
                for renewal in renewals.get(number, ())
                if renewal["order_id"] not in firsts
            ),
        ]
        for name, at, order_id in moments:
            if at is not None:
                order = orders.get(order_id, {})
                yield _event(
                    name,
                    row,
                    at,
                    subscription_id=number,
                    plan=row["plan"],
                    interval_days=row["interval_days"],
                    price=row["price"],
                    order_id=order_id,
                    order_total=order.get("total"),
                    is_rebill=order.get("is_rebill"),
                    next_renewal_at=None if row["cancelled_at"] else row["next_renewal_at"],
                )
