"""Voucher codes in the warehouse become objects of the profile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from iterable_sync.errors import Superseded
from models.model_world import day, fill, profiles, requests, run, shop

if TYPE_CHECKING:
    from datetime import datetime

    from harness import World
    from iterable_sync.rows import RunReport

WELCOME = {
    "user_id": "u1",
    "campaign": "Welcome Codes",
    "alias": "welcome_codes",
    "code": "WEL-1",
    "kind": "voucher",
    "marketing_text": '10 % off: "today"',
    "assigned_at": day(1),
    "valid_until": day(31, "12:30:15"),
}
REFERRAL = WELCOME | {
    "campaign": "Referral Program",
    "alias": "referral",
    "code": "REF-1",
    "kind": "referral",
    "marketing_text": None,
    "valid_until": None,
}
WELCOME_1 = {
    "code": "WEL-1",
    "kind": "voucher",
    "campaign": "Welcome Codes",
    "marketing_text": '10 % off: "today"',
    "valid_until": "2026-03-31 12:30:15 +00:00",
}
REFERRAL_1 = {"code": "REF-1", "kind": "referral", "campaign": "Referral Program"}


def sync(world: World, as_of: datetime, **params: Any) -> RunReport:
    """Run the sync of the vouchers."""
    return run(
        world,
        "vouchers",
        object="traits",
        key="user_id",
        as_of=as_of,
        params=params,
        on_remove="clear",
    )


def held(world: World) -> dict[str, Any]:
    """Give the vouchers that Iterable has of each person, but for what is empty."""
    found = {who: of.get("vouchers") or {} for who, of in profiles(world).items()}
    return {
        who: {
            alias: {name: value for name, value in code.items() if value is not None}
            for alias, code in of.items()
            if code is not None
        }
        for who, of in found.items()
    }


@pytest.mark.capability("D1", "D2", "D13")
def test_each_alias_is_an_object_below_vouchers(world: World) -> None:
    """With the code, its text and how long it is valid, as a template asks for it."""
    shop(world, voucher_assignments=[WELCOME, REFERRAL, REFERRAL | {"user_id": "u2"}])

    sync(world, day(2))

    assert {
        "u1": {"welcome_codes": WELCOME_1, "referral": REFERRAL_1},
        "u2": {"referral": REFERRAL_1},
    } == held(world)


@pytest.mark.capability("D1")
def test_of_an_alias_the_code_that_was_assigned_last_counts(world: World) -> None:
    """An older code is sent by no run."""
    shop(
        world,
        voucher_assignments=[WELCOME, WELCOME | {"code": "WEL-2", "assigned_at": day(3)}],
    )

    sync(world, day(4))

    assert {"u1": {"welcome_codes": WELCOME_1 | {"code": "WEL-2"}}} == held(world)


@pytest.mark.capability("D1", "D11")
def test_which_aliases_become_fields_is_a_setting(world: World) -> None:
    """One that is not asked for is not sent."""
    birthday = WELCOME | {"alias": "birthday", "code": "BD-1"}
    shop(world, voucher_assignments=[WELCOME, REFERRAL, birthday])

    sync(world, day(2), voucher_aliases=["birthday"])

    assert {"u1": {"birthday": WELCOME_1 | {"code": "BD-1"}}} == held(world)


@pytest.mark.capability("D1", "D2")
def test_a_code_that_comes_leaves_the_other_alias_as_it_is(world: World) -> None:
    """Nested objects are merged; the same again sends nothing, and one change just that."""
    shop(world, voucher_assignments=[WELCOME])
    sync(world, day(2))
    sync(world, day(3))
    assert [] == requests(world)
    with pytest.raises(Superseded):
        sync(world, day(1))
    assert [] == requests(world)

    fill(world, voucher_assignments=[WELCOME, REFERRAL])
    sync(world, day(4))

    ((sent,),) = [body["users"] for body in requests(world)]
    assert sent["mergeNestedObjects"]
    assert ["referral"] == list(sent["dataFields"]["vouchers"])
    assert {"u1": {"welcome_codes": WELCOME_1, "referral": REFERRAL_1}} == held(world)


@pytest.mark.capability("D1")
def test_a_code_that_was_taken_back_goes(world: World) -> None:
    """No message names a code that is nobody's any more; not the last one either."""
    shop(world, voucher_assignments=[WELCOME, REFERRAL])
    sync(world, day(2))

    for day_of_month, left in ((3, [REFERRAL]), (4, [])):
        fill(world, voucher_assignments=left)
        sync(world, day(day_of_month))
        assert {"u1": {"referral": REFERRAL_1} if left else {}} == held(world)
