"""The syncs of the shop: what each declares, in which order they may run, and how they fail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from random import Random

USERS = "users"
_LINE = (
    "l.product_id AS items__product_id, l.name AS items__name, l.price AS items__price, "
    "l.quantity AS items__quantity"
)

# name -> object, key, model over the tables of the shop, and whatever else it declares.
SYNCS: dict[str, dict[str, Any]] = {
    USERS: {
        "object": "users",
        "key": "user_id",
        "sql": 'SELECT user_id, email, city, points, nick, balance, is_vip AS "isVip", '
        'born_on AS "bornOn", signed_up_at AS "signedUpAt", zip AS address__zip, '
        "street AS address__street FROM {users}",
        "fields": {"nick": {"null": "keep"}},
        "on_remove": "clear",
    },
    "traits": {
        "object": "traits",
        "key": "user_id",
        "sql": 'SELECT user_id, email, order_count AS "orderCount", spent, favourite FROM {traits}',
        "requires": USERS,
    },
    "audiences": {
        "object": "audiences",
        "key": ("user_id", "audience"),
        "sql": "SELECT user_id, email, audience FROM {audiences}",
        "requires": USERS,
    },
    "lists": {
        "object": "lists",
        "key": ("user_id", "audience"),
        "audience": "audience",
        "sql": "SELECT user_id, email, audience FROM {lists}",
        "requires": USERS,
    },
    "stages": {
        "object": "audience_events",
        "key": ("user_id", "audience"),
        "sql": "SELECT user_id, email, audience, entered_at FROM {stages}",
        "created_at": "entered_at",
        "requires": USERS,
    },
    "orders": {
        "object": "orders",
        "key": "order_id",
        "sql": "SELECT o.order_id, o.user_id, o.email, o.ordered_at AS created_at, o.total, "
        f'o.coupon, o.is_refunded AS "isRefunded", {_LINE}, l.line_no AS items__line_no '
        "FROM {orders} o LEFT JOIN {order_lines} l ON l.order_id = o.order_id",
        "line_key": "items__line_no",
        "since": "2025-01-01T00:00:00Z",
        "requires": USERS,
    },
    "carts": {
        "object": "carts",
        "key": "user_id",
        "sql": f"SELECT c.user_id, c.email, {_LINE} "
        "FROM {carts} c LEFT JOIN {cart_lines} l ON l.user_id = c.user_id",
        "requires": USERS,
    },
    "events": {
        "object": "events",
        "key": "event_id",
        "sql": "SELECT event_id, user_id, email, event_name, happened_at AS created_at, channel, "
        "score FROM {events}",
        "requires": USERS,
    },
    "page_views": {
        "object": "events",
        "key": "view_id",
        "event_name": "Page View",
        "sql": "SELECT view_id, user_id, email, viewed_at AS created_at, url, "
        "split_part(substr(url, 25), '?', 1) AS path FROM {page_views}",
        "requires": USERS,
    },
    "consents": {
        "object": "subscriptions",
        "key": ("user_id", "subscription_group", "group_id"),
        "sql": "SELECT user_id, email, subscription_group, group_id, subscribed FROM {consents}",
        "requires": USERS,
    },
    "email_changes": {
        "object": "email_changes",
        "key": "change_id",
        "sql": "SELECT change_id, user_id, old_email, new_email, changed_at FROM {email_changes}",
        "since": "2025-01-01T00:00:00Z",
    },
    "merges": {
        "object": "merge",
        "key": "merge_id",
        "sql": "SELECT merge_id, source_email, destination_email, merged_at FROM {merges}",
        "created_at": "merged_at",
        "allow_merge": True,
        "since": "2025-01-01T00:00:00Z",
    },
    "deletions": {
        "object": "deletions",
        "key": "request_id",
        "sql": "SELECT request_id, email, user_id, action, requested_at FROM {requests}",
        "since": "2025-01-01T00:00:00Z",
    },
    "products": {
        "object": "catalog",
        "key": "product_id",
        "catalog": "products",
        "create_catalog": True,
        "on_remove": "delete",
        "sql": 'SELECT product_id, name, price, in_stock AS "inStock", stock, category '
        "FROM {products}",
    },
}
# In projects by userId.
BY_USER_ID: dict[str, dict[str, Any]] = {
    "merges": {
        "sql": "SELECT merge_id, source_user_id, destination_user_id, merged_at FROM {merges}",
    },
}
# First what changes who somebody is, then the people, then what is about them: docs/objects.md.
ORDER = (
    ("email_changes",),
    ("deletions",),
    (USERS,),
    ("merges",),
    ("traits", "audiences"),
    ("lists", "consents", "stages", "orders"),
    ("carts", "events", "page_views"),
)
ANYWHERE = {"products"}
# Table of the requests: without their sync nobody knows under which address to tell of somebody.
ALWAYS = {"email_changes": "email_changes", "merges": "merges", "deletions": "requests"}
_FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "rate_limit"},
    {"kind": "rate_limit", "retry_after": 1},
    {"kind": "error", "status": 500},
    {"kind": "error", "status": 500, "apply": True},
    {"kind": "error", "status": 503, "apply": True},
    {"kind": "reset", "at": "handled"},
    {"kind": "reset", "at": "upload"},
    {"kind": "truncate"},
    {"kind": "bad_json"},
)


def in_order(names: Iterable[str]) -> list[str]:
    """Give syncs in the order that is written down."""
    place = {name: number for number, group in enumerate(ORDER) for name in group}
    return sorted(names, key=lambda name: (place.get(name, 0), name))


def shuffled(rng: Random, names: Iterable[str], *, wildly: bool) -> list[str]:
    """
    Give syncs in an order of the seed.

    Args:
        wildly: only what changes who somebody is goes before the rest: who is not there yet is
            waited for (``requires``).
    """
    mixed = list(names)
    rng.shuffle(mixed)
    place = {name: number for number, group in enumerate(ORDER) for name in group}
    if wildly:
        place = {name: min(number, place["merges"]) for name, number in place.items()}
        place[USERS] = place["merges"]
    free = [name for name in mixed if name in ANYWHERE]
    found = sorted((name for name in mixed if name not in ANYWHERE), key=lambda n: place[n])
    for name in free:
        found.insert(rng.randint(0, len(found)), name)
    return found


def faults(rng: Random) -> list[dict[str, Any]]:
    """Give rules of the sandbox under which a run may need to be repeated; nothing is dropped."""
    return [
        dict(rng.choice(_FAULTS)) | {"probability": 0.3, "times": rng.randint(1, 6)}
        for _ in range(rng.randint(1, 3))
    ]
