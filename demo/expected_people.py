"""What Iterable should know about people, from the rows of the shop's tables."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any

from expected_events import CART_ABANDONED, left_carts
from expected_values import Record, by_owner, picked, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from warehouse import Row, Tables

Profile = Record

# Iterable's field -> column, what users.sql says of people.
FIELDS = {
    "userId": "user_id",
    "email": "email",
    "firstName": "first_name",
    "lastName": "last_name",
    "phoneNumber": "phone",
    "locale": "locale",
    "timeZone": "time_zone",
    "country": "country",
    "city": "city",
    "address": "address",
    "birthDate": "birth_date",
    "signedUpAt": "signed_up_at",
    "loyaltyPoints": "loyalty_points",
    "isVip": "is_vip",
    "plan": "plan",
    "score": "score",
    "emailOptIn": "email_opt_in",
    "smsOptIn": "sms_opt_in",
    "favouriteCategories": "favourite_categories",
}
# Sync -> its fields in a profile.
OF_PROFILES: dict[str, tuple[str, ...]] = {
    "traits": (
        "lifetime_value",
        "currency",
        "order_count",
        "average_order_value",
        "last_order_at",
        "churn_risk",
        "expected_reorder_at",
        "next_renewal_at",
    ),
    "vouchers": ("vouchers",),
    "product_subscriptions": ("subscription",),
}
# Sync of a list -> its name, and the field of the audience that is in it.
LISTS = {"list_cart_abandoners": ("Cart abandoners", "cart_abandoners")}

_CENT = Decimal("0.01")
_USUAL_INTERVAL_S = 60 * 24 * 3600
_DAY_S = 24 * 3600
_AT_RISK = 0.5


@dataclass(frozen=True)
class _Person:
    row: Row
    traits: Record
    last_order_at: datetime | None
    has_left_a_cart: bool
    now: datetime


# Field of the audience -> whether a person is in it.
AUDIENCES: dict[str, Callable[[_Person], bool]] = {
    "order_completed_last_30days": lambda person: (
        person.last_order_at is not None and person.now - person.last_order_at < timedelta(days=30)
    ),
    "vip": lambda person: bool(person.row["is_vip"]),
    "at_churn_risk": lambda person: person.traits.get("churn_risk", 0) >= _AT_RISK,
    "cart_abandoners": lambda person: person.has_left_a_cart,
    "sms_opted_in": lambda person: bool(person.row["sms_opt_in"] and person.row["phone"]),
    "never_ordered": lambda person: person.traits["order_count"] == 0,
}


def profiles(tables: Tables) -> dict[str, Profile]:
    """Give what users.sql says of people, by userId; nobody is known without one."""
    return {
        row["user_id"]: picked(row, FIELDS) | {"email": row["email"].strip().lower()}
        for row in _known(tables)
    }


def of_profiles(tables: Tables, now: datetime) -> dict[str, dict[str, Record]]:
    """Give the other fields of profiles, by sync and by userId."""
    return {
        "traits": {who: shown(traits) for who, traits in _traits(tables, now).items()},
        "vouchers": _vouchers(tables),
        "product_subscriptions": _subscriptions(tables),
    }


def memberships(tables: Tables, now: datetime) -> dict[tuple[str, str], bool]:
    """Give who is in which audience, true for each."""
    traits = _traits(tables, now)
    left = {
        event["userId"]
        for event in left_carts(tables)
        if event["eventName"] == CART_ABANDONED and event["createdAt"] <= now
    }
    found: dict[tuple[str, str], bool] = {}
    for row in _known(tables):
        who = row["user_id"]
        person = _Person(row, traits[who], traits[who].get("last_order_at"), who in left, now)
        found |= {(who, field): True for field, is_in in AUDIENCES.items() if is_in(person)}
    return found


def members(
    memberships: dict[tuple[str, str], bool],
) -> dict[str, dict[tuple[str, str], bool]]:
    """Give who is in which list, by its sync, as the audiences have it."""
    return {
        sync: {(who, name): True for who, field in memberships if field == audience}
        for sync, (name, audience) in LISTS.items()
    }


def _known(tables: Tables) -> list[Row]:
    return [row for row in tables["users"] if row["user_id"] is not None]


def _traits(tables: Tables, now: datetime) -> dict[str, dict[str, Any]]:
    orders = by_owner((row for row in tables["orders"] if not row["is_refunded"]), "user_id")
    renewals = by_owner(
        (row for row in tables["product_subscriptions"] if row["status"] == "active"), "user_id"
    )
    found = {}
    for row in _known(tables):
        who = row["user_id"]
        due = [one["next_renewal_at"] for one in renewals.get(who, ())]
        found[who] = _of_orders(orders.get(who, ()), now) | {
            "next_renewal_at": min((at for at in due if at is not None), default=None)
        }
    return found


def _of_orders(orders: Sequence[Row], now: datetime) -> dict[str, Any]:
    if not orders:
        return {"lifetime_value": Decimal(0), "order_count": 0}
    in_time = sorted(orders, key=lambda order: (order["ordered_at"], order["order_id"]))
    first, latest = in_time[0]["ordered_at"], in_time[-1]["ordered_at"]
    currency = in_time[-1]["currency"]
    totals = [order["total"] for order in orders if order["currency"] == currency]
    usual_s = _USUAL_INTERVAL_S
    if len(orders) > 1:
        usual_s = max(_DAY_S, int((latest - first).total_seconds() / (len(orders) - 1)))
    missed = int((now - latest).total_seconds() / usual_s)
    return {
        "lifetime_value": sum(totals),
        "currency": currency,
        "order_count": len(orders),
        "average_order_value": (sum(totals) / len(totals)).quantize(_CENT, ROUND_HALF_UP),
        "last_order_at": latest,
        "churn_risk": min(1.0, 0.25 * missed),
        "expected_reorder_at": latest + timedelta(seconds=usual_s),
    }


def _vouchers(tables: Tables) -> dict[str, Record]:
    newest = sorted(
        tables["voucher_assignments"], key=lambda row: (row["assigned_at"], row["code"])
    )
    found: dict[str, dict[str, Any]] = {}
    for row in newest:
        columns = ("code", "kind", "campaign", "marketing_text", "valid_until")
        found.setdefault(row["user_id"], {})[row["alias"]] = {name: row[name] for name in columns}
    return {who: shown({"vouchers": vouchers}) for who, vouchers in found.items()}


def _subscriptions(tables: Tables) -> dict[str, Record]:
    newest = sorted(
        tables["product_subscriptions"],
        key=lambda row: (row["started_at"], row["subscription_id"]),
    )
    columns = {
        "id": "subscription_id",
        **{
            name: name
            for name in (
                "status",
                "plan",
                "interval_days",
                "price",
                "started_at",
                "renewed_at",
                "next_renewal_at",
                "cancelled_at",
            )
        },
    }
    return {row["user_id"]: {"subscription": picked(row, columns)} for row in newest}
