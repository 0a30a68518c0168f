"""What the demo says, said of real syncs: each claim holds, and what is not so is found."""

from __future__ import annotations

import re
from collections import Counter
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
import requests

import checks
import example
import expectation
import playground
import read_back
import report
import run as run_demo
from demo.two_days import SYNCS, TwoDays
from iterable_sync.sandbox.server import SandboxServer
from local_iterable import LocalIterable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]
BAD = {
    "bad_user_id_too_long_" + "x" * 40: "invalid_user_id",
    "bad_user_id_not_ascii_é": "invalid_user_id",
    "bad_email_unknown_domain": "invalid_email",
    "bad_email_of_another_user": "conflict",
}


@pytest.fixture(scope="module")
def shop() -> Iterator[TwoDays]:
    with SandboxServer(project_type="hybrid") as sandbox:
        made = TwoDays(sandbox)
        yield made
        made.place.remove()


def test_both_sides_agree_but_for_what_is_rejected(shop: TwoDays):
    result = shop.compare()

    assert result.holds
    assert (result.rows, result.rows_without_key) == (len(shop.days[1].profiles) + 1, 1)
    assert result.found == result.wanted == len(shop.days[1].profiles) - len(BAD)
    assert result.not_there == BAD
    assert result.lacking == {
        "bad_email_invalid": {"email": "invalid_email"},
        "bad_score_infinite": {"score": "not_finite"},
    }
    assert set(result.left) == shop.gone != set()


@pytest.mark.parametrize("users", [200, 1_000])
def test_the_expectation_knows_every_column_of_the_model(users: int, tmp_path: Path):
    """A column that the model gains and the read-back does not compare would go unnoticed."""
    fields = {
        name.partition(".")[0]
        for name in re.findall(r'AS "([^"]+)"', (ROOT / "sql/models/users.sql").read_text())
    }
    file = tmp_path / "warehouse.duckdb"
    with duckdb.connect(str(file)) as connection:
        playground.shop.create_shop(connection, "duckdb", users, 1)

    profiles = expectation.read(file).profiles.values()

    assert fields <= {name for profile in profiles for name in profile}


def test_a_profile_that_differs_is_found(shop: TwoDays):
    profiles = deepcopy(shop.held[-1].profiles)
    profiles["u0000009"]["city"] = "Elsewhere"
    del profiles["u0000010"]
    profiles["stranger"] = {"city": "Porto"}

    result = read_back.compare(shop.days[-1], profiles, shop.kept, gone=shop.gone)

    assert not result.holds
    assert sorted(result.wrong) == ["stranger", "u0000009", "u0000010"]
    assert result.found == result.wanted - 2


def test_only_the_field_that_was_rejected_may_differ(shop: TwoDays):
    profiles = deepcopy(shop.held[-1].profiles)
    profiles["bad_score_infinite"]["plan"] = "elsewhere"

    result = read_back.compare(shop.days[-1], profiles, shop.kept, gone=shop.gone)

    assert result.wrong == ["bad_score_infinite"]


def test_a_field_that_nobody_asked_for_is_found(shop: TwoDays):
    """Memberships and carts are compared apart; nothing else of a profile is left out."""
    profiles = deepcopy(shop.held[-1].profiles)
    profiles["u0000009"]["lapsed"] = True

    result = read_back.compare(shop.days[-1], profiles, shop.kept, gone=shop.gone)

    assert result.wrong == ["u0000009"]


@pytest.mark.parametrize("day", [0, 1, 2])
def test_both_sides_agree_on_all_about_users_on_each_day(shop: TwoDays, day: int):
    now = shop.days[day]

    results = {one.what: one for one in read_back.compare_all(now, shop.held[day])}

    assert [] == [name for one in results.values() for name in one.wrong]
    assert {
        "memberships": len(now.memberships),
        "purchases": now.rows["orders"],
        "carts": len([items for items in now.carts.values() if items]),
        "events": len(now.events),
    } == {what: one.found for what, one in results.items() if one.holds}
    assert all(one.found for one in results.values())


@pytest.mark.parametrize(
    ("part", "what"),
    [
        pytest.param("memberships", "memberships", id="membership"),
        pytest.param("purchases", "purchases", id="purchase"),
        pytest.param("carts", "carts", id="cart"),
        pytest.param("events", "events", id="event"),
    ],
)
def test_what_differs_is_missing_or_too_much_is_found(shop: TwoDays, part: str, what: str):
    rows = dict(getattr(shop.held[-1], part))
    changed, missing, *_ = sorted(name for name, row in rows.items() if row)
    stranger = ("stranger", "vip") if part == "memberships" else "stranger"
    rows |= {changed: "other", stranger: rows.pop(missing)}

    results = read_back.compare_all(shop.days[-1], replace(shop.held[-1], **{part: rows}))

    (wrong,) = (one for one in results if not one.holds)
    names = [name if isinstance(name, str) else " in ".join(name) for name in (changed, missing)]
    assert (wrong.what, wrong.found) == (what, wrong.wanted - 2)
    assert wrong.wrong == sorted(
        [*names, stranger if isinstance(stranger, str) else "stranger in vip"]
    )


def test_an_event_that_is_there_twice_is_found(shop: TwoDays):
    """Under another id it is another event to Iterable, and one view of a page to the shop."""
    view = {"userId": "u1", "eventName": "Page View", "dataFields": {"view_id": "v1-1"}}
    with SandboxServer(project_type="hybrid") as sandbox:
        for event in (view, view | {"id": "other"}):
            requests.post(
                f"{sandbox.url}/api/events/track",
                json=event,
                headers={"Api-Key": sandbox.api_key},
                timeout=10,
            ).raise_for_status()
        held = LocalIterable(sandbox.url).contents()

    (*_, events) = read_back.compare_all(replace(shop.days[0], events={}), held)

    assert len(held.events) == len(events.wrong) == 2


def test_a_new_user_is_expected_with_what_has_no_value(shop: TwoDays):
    new = shop.changes.keys() - shop.days[0].profiles.keys()

    assert {None} == {shop.changes[who]["lastOrderAt"] for who in new}


def test_day_one_is_checked(shop: TwoDays):
    first, second = shop.runs[:2]

    assert checks.everything_arrived(first, shop.days[0]) == []
    for sync in SYNCS:
        rows = dict(shop.days[0].rows)
        rows[sync] += 1
        (*_, last) = checks.everything_arrived(first, replace(shop.days[0], rows=rows))
        assert last.startswith(f"accepted of {sync} is")
    assert checks.everything_arrived(second, shop.days[0]) != []


def test_a_day_without_one_of_its_syncs_or_its_end_is_found(shop: TwoDays):
    runs = shop.runs[1]

    assert checks.all_ended_well(runs) == []
    assert "these syncs have run" in checks.all_ended_well(runs[:-1])[0]
    assert "these syncs have run" in checks.all_ended_well(runs[::-1])[0]
    (wrong,) = checks.all_ended_well([*runs[:-1], replace(runs[-1], end="held")])
    assert "of events ended 'held'" in wrong


def test_a_request_that_no_sync_has_sent_is_found(shop: TwoDays):
    stray = shop.all_writes[1][0] | {"wall_time": 0.0}

    assert "while no sync ran" in checks.by_sync(shop.runs[1], [stray])[1][0]


def test_the_second_day_sends_the_changed_fields_of_the_changed_users(shop: TwoDays):
    sent, wrong = checks.only_changes_were_sent(
        shop.writes[1]["users"], shop.days[1], shop.changes, shop.kept
    )

    assert wrong == []
    assert sent.of_users == shop.days[1].rows["users"]
    assert sent.users <= len(shop.changes)
    assert sent.bytes < sent.bytes_of_whole_rows


def test_a_day_that_sends_too_much_or_too_little_is_found(shop: TwoDays):
    def wrong(writes: list[dict[str, Any]]) -> list[str]:
        return checks.only_changes_were_sent(writes, shop.days[1], shop.changes, shop.kept)[1]

    (request,) = shop.writes[1]["users"]

    assert "in no request" in wrong([request | {"keys": request["keys"][1:]}])[0]
    assert "nothing of theirs" in wrong([request | {"keys": [*request["keys"], "u0000009"]}])[0]
    assert "bytes were sent" in wrong([request | {"bytes": request["bytes"] * 2}])[0]


def test_the_second_day_sends_what_is_new_about_users(shop: TwoDays):
    assert checks.only_news_was_sent(shop.writes[1], shop.people) == []
    assert all(shop.people[sync] for sync in ("orders", "carts", "events"))


@pytest.mark.parametrize("sync", ["orders", "carts", "events"])
def test_a_sync_that_sends_too_much_or_too_little_is_found(shop: TwoDays, sync: str):
    def wrong(requests: list[checks.Request]) -> list[str]:
        return checks.only_news_was_sent(shop.writes[1] | {sync: requests}, shop.people)

    first, *others = shop.writes[1][sync]

    assert "in no request" in wrong([first | {"keys": first["keys"][1:]}, *others])[0]
    assert "nothing is new" in wrong([first | {"keys": [*first["keys"], "who"]}, *others])[0]
    assert f"{sync}: " in wrong([first | {"rows": first["rows"] + 1}, *others])[0]


def test_a_cart_that_a_purchase_has_emptied_is_put_back(shop: TwoDays):
    """One of them is as the day before: nothing but the purchase is why it is sent."""
    writes = shop.writes[1]

    assert checks.refilled_carts(writes, shop.days[1], shop.days[0]) == (1, [])

    (_, wrong) = checks.refilled_carts(writes | {"carts": []}, shop.days[1], shop.days[0])
    assert wrong == ["1 carts were not sent after a purchase"]

    early = [request | {"seq": 0} for request in writes["carts"]]
    (_, wrong) = checks.refilled_carts(writes | {"carts": early}, shop.days[1], shop.days[0])
    assert wrong == ["1 carts were not sent after a purchase"]


def test_a_third_run_that_writes_is_found(shop: TwoDays):
    assert shop.all_writes[2] == []
    assert checks.nothing_was_sent(shop.all_writes[2]) == []
    assert "write requests" in checks.nothing_was_sent(shop.all_writes[1])[0]


def test_memberships_that_end_are_false(shop: TwoDays):
    """Whoever was a member on an earlier day only is expected to be told so."""
    before = replace(shop.days[0], memberships={("u0000009", "vip"): True, ("gone", "vip"): True})

    now = expectation.read(shop.place.warehouse, before)

    assert now.memberships["gone", "vip"] is False
    assert now.people_since(before)["audiences"][0] == "gone"


def test_every_row_of_a_run_has_its_reason(shop: TwoDays):
    (second, *about_users), (third, *_) = shop.runs[1:]

    assert Counter() == Counter(reason for run in about_users for reason in run.reasons)
    assert second.reasons == {
        "invalid_user_id": 2,
        "conflict": 1,
        "invalid_email": 1,
        "missing_key": 1,
    }
    assert third.reasons == {"missing_key": 1}
    assert third.counts["still_rejected"] == len(BAD)


def test_the_table_of_a_day_has_a_column_for_each_sync(shop: TwoDays, printed: Callable[..., str]):
    text = printed(report.day, "Day 2", "changes", shop.runs[1], total_s=9.0)

    lines = {cells[0]: cells[1:] for row in text.splitlines() if len(cells := cells_of(row)) == 6}
    assert lines[""] == list(SYNCS)
    for name in ("queried", "unchanged", "added", "changed", "removed", "accepted", "requests"):
        assert lines[name] == [
            f"{run.counts[name] + run.counts.get(f'removed_{name}', 0):,}" for run in shop.runs[1]
        ], name
    assert "users: 2 rejected: a userId of the row is malformed" in text
    assert "users: 2 accepted without a field" in text


def cells_of(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip("│").split("│")]


def test_who_came_into_an_audience_and_who_left_is_said(printed: Callable[..., str]):
    before = {("a", "vip"): True, ("b", "vip"): True, ("c", "lapsed"): False}
    now = {("a", "vip"): False, ("b", "vip"): True, ("c", "vip"): True, ("c", "lapsed"): False}

    text = printed(report.audiences, before, now)

    assert "vip     2 in it: 1 came, 1 left" in text
    assert "lapsed  0 in it: 0 came, 0 left" in text


def test_what_is_about_users_is_counted_on_both_sides(shop: TwoDays, printed: Callable[..., str]):
    results = read_back.compare_all(shop.days[-1], shop.held[-1])
    results[0] = read_back.Told("memberships", wanted=9, found=8, wrong=["u1 in vip"])

    text = printed(report.told, results)

    assert "Iterable holds 8 of 9 memberships" in text
    assert "differ, and nothing says why: u1 in vip" in text
    assert "Iterable holds 8 of 8 purchases" in text
    assert f"Iterable holds {len(shop.days[-1].events)} of" in text


def test_the_read_back_names_the_keys(shop: TwoDays, printed: Callable[..., str]):
    text = printed(report.read_back, shop.compare())

    number = len(shop.days[1].profiles) - len(BAD)
    assert f"Iterable holds what the warehouse says: {number} of {number} users" in text
    for key in (*BAD, "bad_email_invalid", "bad_score_infinite"):
        assert key in text


def test_the_example_is_real_and_masked(shop: TwoDays):
    found = example.find(shop.days[0], shop.changes)

    assert found is not None
    assert shop.days[0].profiles[found.user_id][found.field] == found.old
    assert shop.iterable.profile(found.user_id)[found.field] == found.new
    assert any(found.user_id in request["keys"] for request in shop.writes[1]["users"])
    assert found.words == f"{found.field}  {found.old[0]}*** -> {found.new[0]}***"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        pytest.param("Kowalska-Nowak", "K***", id="text"),
        pytest.param("", "***", id="empty text"),
        pytest.param(True, "true", id="boolean"),
        pytest.param(False, "false", id="false"),
        pytest.param(12.5, "1***", id="number"),
    ],
)
def test_a_value_is_masked(value: Any, shown: str):
    assert shown == example.mask(value)


def test_no_example_is_found_where_nothing_changed(shop: TwoDays):
    assert example.find(shop.days[0], {}) is None


def test_what_the_demo_points_at_exists():
    files = [place for place in run_demo.NEXT.values() if not place.startswith("make ")]

    assert [] == [name for name in files if not (ROOT / name).exists()]
