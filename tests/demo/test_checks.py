"""The demo's checks of requests: each claim holds of real syncs, and what is not so is found."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

import abandoned
import checks
import state_tables
from demo.three_days import end_of
from expectation import EVENTS, SYNCS, USERS

if TYPE_CHECKING:
    from demo.three_days import ThreeDays

NEWS = [sync for sync in SYNCS if sync != USERS]


def test_day_one_is_checked(shop: ThreeDays):
    """Every row is new and accepted; a row more in the shop is found, of each sync."""
    first, second = shop.ran[:2]
    day = shop.days[0]

    assert checks.everything_arrived(first.runs, day) == []
    for sync in NEWS:
        here = day.here | {sync: day.here[sync] | {"one more": {}}}
        (*_, last) = checks.everything_arrived(first.runs, replace(day, here=here))
        assert last.startswith(f"accepted of {sync} is")
    more = replace(day, tables=day.tables | {"users": [*day.tables["users"], {}]})
    assert "accepted of users is" in checks.everything_arrived(first.runs, more)[-1]
    assert checks.everything_arrived(second.runs, day) != []


def test_a_run_without_one_of_its_syncs_or_its_end_is_found(shop: ThreeDays):
    """Each sync runs once, in order, and ends clean."""
    runs = shop.ran[1].runs

    assert checks.all_ended_well(runs) == []
    assert "these syncs have run" in checks.all_ended_well(runs[:-1])[0]
    assert "these syncs have run" in checks.all_ended_well(runs[::-1])[0]
    (wrong,) = checks.all_ended_well([*runs[:-1], replace(runs[-1], end="held")])
    assert f"of {SYNCS[-1]} ended 'held'" in wrong


def test_a_request_that_no_sync_has_sent_is_found(shop: ThreeDays):
    """By the time at which it came."""
    stray = shop.ran[1].all_writes[0] | {"wall_time": 0.0}

    assert "while no sync ran" in checks.by_sync(shop.ran[1].runs, [stray])[1][0]


@pytest.mark.parametrize("day", [1, 2])
def test_a_later_day_sends_the_changed_fields_of_the_changed_users(shop: ThreeDays, day: int):
    """And nobody else, nor whole rows."""
    changes = shop.days[day].changes_since(shop.days[day - 1])
    ran = shop.ran[day]

    sent, wrong = checks.only_changes_were_sent(
        ran.writes[USERS], shop.days[day], changes, ran.kept[USERS]
    )

    assert wrong == []
    assert sent.of_users == shop.days[day].rows[USERS]
    assert 0 < sent.users <= len(changes)
    assert sent.bytes < sent.bytes_of_whole_rows


def test_a_day_that_sends_too_much_or_too_little_is_found(shop: ThreeDays):
    """A user who is missing, one whom nobody asked for, and whole rows."""
    ran = shop.ran[2]

    def wrong(writes: list[dict[str, Any]]) -> list[str]:
        kept = ran.kept[USERS]
        return checks.only_changes_were_sent(writes, shop.days[2], shop.changes, kept)[1]

    (request,) = ran.writes[USERS]

    assert "in no request" in wrong([request | {"keys": request["keys"][1:]}])[0]
    assert "nothing of theirs" in wrong([request | {"keys": [*request["keys"], "u0000009"]}])[0]
    assert "bytes were sent" in wrong([request | {"bytes": request["bytes"] * 2}])[0]


@pytest.mark.parametrize("day", [1, 2])
def test_a_later_day_sends_what_is_new_about_users(shop: ThreeDays, day: int):
    """Of each sync, and there is something of each."""
    people = shop.days[day].people_since(shop.days[day - 1])
    ran = shop.ran[day]

    assert checks.only_news_was_sent(ran.writes, people, ran.kept) == []
    assert [] == [sync for sync in NEWS if not people[sync]]


@pytest.mark.parametrize("sync", NEWS)
def test_a_sync_that_sends_too_much_or_too_little_is_found(shop: ThreeDays, sync: str):
    """Somebody who is missing, somebody too many, and a row that is there twice."""
    ran = shop.ran[2]

    def wrong(requests: list[checks.Request]) -> list[str]:
        writes = ran.writes | {sync: requests}
        return checks.only_news_was_sent(writes, shop.people, ran.kept)

    first, *others = ran.writes[sync]

    assert "in no request" in wrong([first | {"keys": []}, *others])[0]
    assert "nothing is new" in wrong([first | {"keys": [*first["keys"], "who"]}, *others])[0]
    assert f"{sync}: " in wrong([first | {"rows": first["rows"] + 3}, *others])[0]


def test_a_cart_that_a_purchase_has_emptied_is_put_back(shop: ThreeDays):
    """One of them is as the day before: nothing but the purchase is why it is sent."""
    writes, days = shop.ran[1].writes, (shop.days[1], shop.days[0])

    assert checks.refilled_carts(writes, *days) == (1, [])

    (_, wrong) = checks.refilled_carts(writes | {"carts": []}, *days)
    assert wrong == ["1 carts were not sent after a purchase"]

    early = [request | {"seq": 0} for request in writes["carts"]]
    (_, wrong) = checks.refilled_carts(writes | {"carts": early}, *days)
    assert wrong == ["1 carts were not sent after a purchase"]


def test_a_run_of_an_unchanged_shop_that_writes_is_found(shop: ThreeDays):
    """Day 3 once more has written nothing."""
    assert shop.ran[3].all_writes == []
    assert checks.nothing_was_sent(shop.ran[3].all_writes) == []
    assert "write requests" in checks.nothing_was_sent(shop.ran[1].all_writes)[0]


def test_a_day_that_is_over_sends_nothing_of_the_past(shop: ThreeDays):
    """Events look and find nothing new, everything else is left to the newer data."""
    old = shop.ran[4]
    newest = state_tables.newest_data(shop.place.state)

    assert old.all_writes == []
    assert [*old.older, *(run.sync for run in old.runs)] == list(SYNCS)
    assert [run.sync for run in old.runs] == list(EVENTS)
    assert checks.older_was_refused(old.runs, newest, old.as_of) == []


def test_a_day_that_is_over_and_runs_all_the_same_is_found(shop: ThreeDays):
    """Whether a sync has run, or would have had to."""
    old = shop.ran[4]
    newest = state_tables.newest_data(shop.place.state)
    assert {end_of(3)} == {newest[sync] for sync in SYNCS if sync not in EVENTS}

    assert checks.older_was_refused([*old.runs, *old.runs[:1]], newest, old.as_of) != []
    early = old.as_of + timedelta(days=1)
    assert [
        f"{sync} has sent nothing newer than 2026-01-04 00:00" for sync in sorted(old.older)
    ] == (checks.older_was_refused(old.runs, newest, early))


@pytest.mark.parametrize("day", [0, 1, 2])
def test_both_sides_agree_on_the_carts_that_were_left(shop: ThreeDays, day: int):
    """Which carts were reminded of, given up, and ordered instead; each of it occurs."""
    said, there = carts(shop, day)

    assert said == there
    assert abandoned.differences(said, there) == []
    assert said.reminded
    assert bool(said.ordered) == (day > 0)


def test_a_cart_that_was_ordered_is_never_given_up(shop: ThreeDays):
    """Nobody is asked back to what they have bought; what both sides differ in is found."""
    said, there = carts(shop, 2)
    given_up = [cart for day in range(3) for cart in carts(shop, day)[1].given_up]
    assert given_up
    assert not set(given_up) & there.ordered

    both = replace(there, given_up=there.given_up | there.ordered)
    (wrong,) = abandoned.differences(both, both)
    assert "were ordered and are abandoned" in wrong
    for what in ("reminded", "given_up", "ordered"):
        (wrong,) = abandoned.differences(said, replace(there, **{what: frozenset({"other"})}))
        assert wrong.startswith(f"carts {what.replace('_', ' ')}: the warehouse has")


def carts(shop: ThreeDays, day: int) -> tuple[abandoned.Carts, abandoned.Carts]:
    before = (shop.days[day - 1], shop.ran[day - 1].held) if day else (None, None)
    return (
        abandoned.in_warehouse(shop.days[day], before[0]),
        abandoned.in_iterable(shop.ran[day].held, before[1]),
    )
