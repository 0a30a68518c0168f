"""The demo's comparison of both sides: all agrees that shall, and what does not is found."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import requests

import read_back
from demo.three_days import PEOPLE
from expectation import CARTS, MEMBERSHIPS, SYNCS
from iterable_sync.sandbox.server import SandboxServer
from local_iterable import LocalIterable

if TYPE_CHECKING:
    from demo.three_days import ThreeDays
    from read_back import Told

UNKNOWN = {
    "bad_user_id_too_long_" + "x" * 40: "invalid_user_id",
    "bad_user_id_not_ascii_é": "invalid_user_id",
}
BAD = UNKNOWN | {
    "bad_email_unknown_domain": "invalid_email",
    "bad_email_of_another_user": "conflict",
}
ABOUT_USERS = SYNCS[1:]


def told(shop: ThreeDays, part: int = -1, **held: Any) -> dict[str, Told]:
    ran = shop.ran[part]
    day = shop.days[min(part, 2) if part >= 0 else -1]
    found = read_back.compare_all(day, replace(ran.held, **held), ran.kept)
    return {one.sync: one for one in found}


def test_both_sides_agree_on_users_but_for_what_is_rejected(shop: ThreeDays):
    """Three days and two runs more leave no other difference than the bad rows."""
    result = shop.compare()
    profiles = shop.days[-1].profiles

    assert result.told.holds
    assert (result.rows, result.rows_without_key) == (len(profiles) + 1, 1)
    assert result.told.found == result.told.wanted == len(profiles) - len(BAD)
    assert len(profiles) > PEOPLE
    assert result.not_there == BAD
    assert result.lacking == {
        "bad_email_invalid": {"email": "invalid_email"},
        "bad_score_infinite": {"score": "not_finite"},
    }
    assert set(result.left) == shop.gone != set()


@pytest.mark.parametrize("run", range(5))
def test_both_sides_agree_on_all_about_users_after_each_run(shop: ThreeDays, run: int):
    """No sync has sent less, more or other values than the tables of the day say."""
    results = told(shop, run)

    assert {sync: [] for sync in ABOUT_USERS} == {sync: one.wrong for sync, one in results.items()}
    assert [] == [sync for sync, one in results.items() if not one.holds or not one.found]
    assert [] == read_back.strangers(shop.ran[run].held)


def test_who_is_unknown_to_iterable_has_no_traits_there(shop: ThreeDays):
    """What is rejected of a bad userId is not expected, and nothing else is left out."""
    refused = {sync: one.refused for sync, one in told(shop).items() if one.refused}

    assert {"traits": {"invalid_user_id": 2}, "audiences": {"invalid_user_id": 2}} == refused


def test_a_profile_that_differs_is_found(shop: ThreeDays):
    """A value, a profile that is missing, and one that is too much."""
    profiles = deepcopy(shop.ran[-1].held.profiles)
    profiles["u0000009"]["city"] = "Elsewhere"
    del profiles["u0000010"]
    profiles["stranger"] = {"city": "Porto"}

    result = users(shop, profiles)

    assert not result.holds
    assert sorted(result.wrong) == ["stranger", "u0000009", "u0000010"]
    assert result.found == result.wanted - 2


def test_only_the_field_that_was_rejected_may_differ(shop: ThreeDays):
    """The other fields of such a row are compared."""
    profiles = deepcopy(shop.ran[-1].held.profiles)
    profiles["bad_score_infinite"]["plan"] = "elsewhere"

    assert users(shop, profiles).wrong == ["bad_score_infinite"]


def test_a_field_that_nobody_asked_for_is_found(shop: ThreeDays):
    """What other syncs have in a profile is compared apart; nothing else is left out."""
    profiles = deepcopy(shop.ran[-1].held.profiles)
    profiles["u0000009"]["lapsed"] = True

    assert users(shop, profiles).wrong == ["u0000009"]


def users(shop: ThreeDays, profiles: dict[str, Any]) -> Told:
    last = shop.ran[-1]
    return read_back.compare(shop.days[-1], profiles, last.kept["users"], gone=shop.gone).told


@pytest.mark.parametrize("sync", ABOUT_USERS)
def test_what_differs_is_missing_or_too_much_is_found(shop: ThreeDays, sync: str):
    """Of each sync, by name, and of no other."""
    things = shop.ran[-1].held.things
    names = sorted(name for name, thing in things[sync].items() if thing or sync != CARTS)
    changed, missing = names[0], names[-1]
    stranger = ("stranger", "vip") if isinstance(changed, tuple) else "stranger"
    of = dict(things[sync])
    was = of.pop(missing)
    of |= {changed: "other", stranger: was}

    results = told(shop, things=things | {sync: of})

    (wrong,) = (one for one in results.values() if not one.holds)
    assert wrong.sync == sync
    assert set(wrong.wrong) == {
        name if isinstance(name, str) else " in ".join(name)
        for name in (changed, missing, stranger)
    }
    assert wrong.found == wrong.wanted - len({changed, missing})
    assert f"{sync}: Iterable holds {wrong.found:,} of {wrong.wanted:,}" in wrong.differences[0]


def test_a_membership_that_is_over_is_expected_to_be_false(shop: ThreeDays):
    """Not absent: a segment in Iterable tells who left from who never was in it."""
    over = [name for name, is_in in shop.ran[-1].held.things[MEMBERSHIPS].items() if not is_in]

    assert over
    assert dict.fromkeys(over, False).items() <= shop.days[-1].held[MEMBERSHIPS].items()


def test_an_event_that_is_there_twice_is_found(shop: ThreeDays):
    """Under another id it is another event to Iterable, and one view of a page to the shop."""
    view = {"userId": "u1", "eventName": "Page View", "dataFields": {"view_id": "v1-1"}}
    with SandboxServer(project_type="hybrid") as sandbox:
        for event in (view, view | {"id": "other"}):
            track(sandbox, event)
        held = LocalIterable(sandbox.url).contents()

    none = replace(shop.days[0], held={sync: {} for sync in SYNCS})
    events = {one.sync: one for one in read_back.compare_all(none, held, {})}["events"]

    assert len(held.things["events"]) == len(events.wrong) == 2


def test_an_event_that_no_sync_sends_is_found():
    """It is named; and so is a list that none keeps."""
    with SandboxServer(project_type="hybrid") as sandbox:
        track(sandbox, {"userId": "u1", "eventName": "Return Card"})
        held = LocalIterable(sandbox.url).contents()

    (wrong,) = read_back.strangers(held)

    assert "no sync sends these 1: Return Card" in wrong


def track(sandbox: SandboxServer, event: dict[str, Any]) -> None:
    requests.post(
        f"{sandbox.url}/api/events/track",
        json=event,
        headers={"Api-Key": sandbox.api_key},
        timeout=10,
    ).raise_for_status()
