"""The streams that a shop can have, in the order in which they run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

CUSTOMERS = "regular_events.customers"
PURCHASES = "regular_events.purchases"
SHIPMENTS = "regular_events.shipments"
RETURN_CARTS = "return_cart_events"
BROWSING = "browsing_events"
SMS = "sms_events"

SETTLE = "settle"
"""The task between users and all that is about them; it is no stream."""


@dataclass(frozen=True, slots=True)
class Stream:
    """
    One model, and what is made of its rows.

    Args:
        object: the sync object; its operator is found by that name.

        sql: the model.

        key: the columns that identify a row of it.

        switches: names of settings of :class:`ShopConfig`, all of which have to be on.

        lane: that of the sync object; streams of one lane never push at the same time.

        sync: what the sync is called behind the shop's name, where it is not the stream's name.

        guards, options: as an operator takes them; a config adds to them and wins.

        after: streams that come first, besides users.

        is_sms: its events start text messages, so that they need a consent.
    """

    object: str
    sql: str
    key: tuple[str, ...]
    switches: tuple[str, ...]
    lane: str
    sync: str | None = None
    guards: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    after: tuple[str, ...] = ()
    is_sms: bool = False


def _of_people(object_: str, sql: str, *key: str, **options: str) -> Stream:
    return Stream(object_, f"models/{sql}", key, (CUSTOMERS,), "profiles", options=options)


def _events(sql: str, *key: str, of: str, sync: str | None = None, is_sms: bool = False) -> Stream:
    switches = (of, SMS) if is_sms else (of,)
    return Stream("events", f"models/{sql}", key, switches, "events", sync=sync, is_sms=is_sms)


STREAMS: dict[str, Stream] = {
    "users": _of_people("users", "users.sql", "user_id"),
    "traits": _of_people("traits", "computed_traits.sql", "user_id"),
    # Who has no code any more shall not be sent one.
    "vouchers": _of_people("traits", "vouchers.sql", "user_id", on_remove="clear"),
    "product_subscriptions": _of_people("traits", "product_subscriptions.sql", "user_id"),
    "audiences": _of_people("audiences", "audience_memberships.sql", "user_id", "audience"),
    "lists": Stream(
        "lists",
        "models/audience_memberships.sql",
        ("user_id",),
        (CUSTOMERS,),
        "profiles",
        # Whom their behaviour enrols come and go, and one day there is nobody.
        guards={"max_removed": 0.9, "min_rows": 0},
    ),
    "orders": Stream(
        "orders",
        "models/orders.sql",
        ("order_id",),
        (PURCHASES,),
        "commerce",
        options={"line_key": "items__lineNo"},
    ),
    "carts": Stream(
        "carts",
        "models/carts.sql",
        ("user_id",),
        (PURCHASES,),
        "commerce",
        # Carts come and go, more of them than people do.
        guards={"max_removed": 0.5, "max_changed": 0.9},
        # A purchase empties the person's cart in Iterable.
        after=("orders",),
    ),
    "catalog": Stream("catalog", "models/products.sql", ("product_id",), (), "catalogs"),
    "page_views": _events("events.sql", "view_id", of=BROWSING, sync="events"),
    "return_carts": _events(
        "abandoned_carts.sql", "cart_id", "cart_updated_at", "event_name", of=RETURN_CARTS
    ),
    "browse_abandonment": _events(
        "browse_abandonment.sql", "user_id", "product_id", "viewed_on", of=BROWSING
    ),
    "shipments": _events("shipments.sql", "shipment_id", "event_name", of=SHIPMENTS),
    "review_requests": _events("review_requests.sql", "order_id", of=SHIPMENTS),
    "product_subscription_events": _events(
        "product_subscription_events.sql",
        "subscription_id",
        "event_name",
        "created_at",
        of=PURCHASES,
    ),
    "return_carts_sms": _events(
        "abandoned_carts_sms.sql", "cart_id", "cart_updated_at", of=RETURN_CARTS, is_sms=True
    ),
    "shipments_sms": _events("shipments_sms.sql", "shipment_id", of=SHIPMENTS, is_sms=True),
}
"""Name -> stream. The name is that of its task as well."""

WITHOUT_PEOPLE = frozenset({"users", "catalog"})
"""Streams that need nobody to be known to Iterable before."""


def in_order(after: Mapping[str, set[str]]) -> list[str]:
    """
    Give the streams so that each comes behind those that it builds on, else as they are given.

    Args:
        after: stream -> the streams that come first; those that are not given do not count.

    Raises:
        ValueError: some of them wait for each other.
    """
    placed: list[str] = []
    left = list(after)
    while left:
        free = [name for name in left if not after[name] & set(left)]
        if not free:
            raise ValueError(f"after: these wait for each other: {', '.join(left)}")
        placed.append(free[0])
        left.remove(free[0])
    return placed
