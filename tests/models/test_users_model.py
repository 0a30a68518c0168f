"""Customers: contact, address and consent, as the warehouse has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from iterable_sync.errors import Superseded
from models.model_world import day, fill, profiles, requests, run, shop

if TYPE_CHECKING:
    from datetime import datetime

    from harness import World
    from iterable_sync.rows import RunReport

ANA = {
    "user_id": "u1",
    "email": "ana@example.com",
    "first_name": "Ana",
    "last_name": "Novák",
    "phone": "(212) 555-0100",
    "country": "US",
    "city": "New York",
    "address": {"street": "Pearl Street 1", "postcode": "10004", "city": "New York"},
    "sms_opt_in": True,
    "email_opt_in": False,
}


NAMES = ("phoneNumber", "smsOptIn", "emailOptIn")


def sync(world: World, as_of: datetime) -> RunReport:
    """Run the sync of the users, whose phones without a country are of the United States."""
    return run(
        world,
        "users",
        object="users",
        key="user_id",
        as_of=as_of,
        fields={"phoneNumber": {"type": "phone"}},
        phone_region="US",
    )


@pytest.mark.capability("E14", "E22", "E26", "E27")
def test_a_profile_has_contact_address_and_consent(world: World) -> None:
    """The phone in E.164, the address as an object, and consent as it was said."""
    shop(world, users=[ANA])

    sync(world, day(2))

    expected = {
        "firstName": "Ana",
        "lastName": "Novák",
        "phoneNumber": "+12125550100",
        "country": "US",
        "city": "New York",
        "address": {"street": "Pearl Street 1", "postcode": "10004", "city": "New York"},
        "smsOptIn": True,
        "emailOptIn": False,
    }
    held = profiles(world)["u1"]
    assert expected == {name: held.get(name) for name in expected}


@pytest.mark.capability("E26", "E27")
def test_no_consent_is_read_off_a_phone_and_no_bad_phone_is_sent(world: World) -> None:
    """A phone without an answer has none, and an answer stays where the phone is bad."""
    shop(
        world,
        users=[
            {"user_id": "u1", "phone": "+442079460000"},
            {"user_id": "u2", "phone": "5", "sms_opt_in": True},
        ],
    )

    report = sync(world, day(2))

    held = profiles(world)
    assert (2, 1) == (report.accepted, report.fields_rejected)
    assert ["+442079460000", None, None] == [held["u1"].get(name) for name in NAMES]
    assert [None, True, None] == [held["u2"].get(name) for name in NAMES]


@pytest.mark.capability("E26")
def test_a_run_sends_only_what_changed(world: World) -> None:
    """Who takes back the consent is sent with that alone."""
    eve = {"user_id": "u2", "email": "eve@example.com", "sms_opt_in": True}
    shop(world, users=[ANA, eve])
    sync(world, day(2))
    sync(world, day(3))
    assert [] == requests(world)
    with pytest.raises(Superseded):
        sync(world, day(1))
    assert [] == requests(world)

    fill(world, users=[ANA, eve | {"sms_opt_in": False}])
    sync(world, day(4))

    assert [[("u2", {"smsOptIn": False})]] == [
        [(user["userId"], user["dataFields"]) for user in body["users"]] for body in requests(world)
    ]


def test_a_field_has_one_owner(world: World) -> None:
    """What is worked out of orders is a trait: the profile's own fields are those of users."""
    who = {"user_id": "u1"}
    shop(
        world,
        users=[ANA],
        product_subscriptions=[who | {"plan": "weekly"}],
        voucher_assignments=[who | {"alias": "referral", "code": "REF-1"}],
    )

    sync(world, day(2))
    for model in ("computed_traits", "product_subscriptions", "vouchers"):
        run(world, model, object="traits", key="user_id", as_of=day(2))
    key = ("user_id", "audience")
    run(world, "audience_memberships", object="audiences", key=key, as_of=day(2))

    held = profiles(world)["u1"]
    assert ("Ana", 0, True) == (held["firstName"], held["order_count"], held["sms_opted_in"])
    assert ("weekly", "REF-1") == (
        held["subscription"]["plan"],
        held["vouchers"]["referral"]["code"],
    )
