"""What the demo prints, said of real syncs: true, masked, and within a hundred columns."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import abandoned
import example
import read_back
import report
import run as run_demo
import summary
from expectation import EVENTS, MEMBERSHIPS, SYNCS, USERS
from read_back import Told

if TYPE_CHECKING:
    from collections.abc import Callable

    from demo.three_days import ThreeDays

ROOT = Path(__file__).parents[2]
TITLES = ("Day 1", "Day 2", "Day 3", "Day 3 again", "Day 2 again")
BAD_USERS = 4


def played(shop: ThreeDays) -> list[summary.Played]:
    return [
        summary.Played(title, ran.runs, len(ran.all_writes))
        for title, ran in zip(TITLES, shop.ran, strict=True)
    ]


def told(shop: ThreeDays) -> list[Told]:
    last = shop.ran[-1]
    return [shop.compare().told, *read_back.compare_all(shop.days[-1], last.held, last.kept)]


def cells(text: str) -> dict[str, list[str]]:
    return {first: rest for first, *rest in map(str.split, filter(str.strip, text.splitlines()))}


def test_every_row_of_a_run_has_its_reason(shop: ThreeDays):
    """Also that of a row without a key, which no table can list."""
    (users, *about_users), (later, *_) = shop.ran[1].runs, shop.ran[2].runs

    assert users.reasons == {
        "invalid_user_id": 2,
        "conflict": 1,
        "invalid_email": 1,
        "missing_key": 1,
    }
    assert {"traits": {"invalid_user_id": 2}, "audiences": {"invalid_user_id": 2}} == {
        run.sync: run.reasons for run in about_users if run.reasons
    }
    assert later.reasons == {"missing_key": 1}
    assert later.counts["still_rejected"] == BAD_USERS


def test_the_table_of_a_day_has_a_line_for_each_sync(shop: ThreeDays, printed: Callable[..., str]):
    """With its whole name, its counts, and why rows were rejected, in one line for a reason."""
    text = printed(report.day, "Day 2", "changes", shop.ran[1].runs, total_s=9.0)

    lines = cells(text)
    names = lines["sync"]
    for run in shop.ran[1].runs:
        of = dict(zip(names, lines[run.sync], strict=True))
        for name in ("queried", "unchanged", "added", "changed", "removed", "requests"):
            assert of[name] == f"{run.counts[name]:,}", (run.sync, name)
        assert of["accepted"] == f"{run.sent:,}"
    assert lines["users"][names.index("rejected")] == f"{BAD_USERS + 1}"
    assert "rejected, a userId of the row is malformed: users 2, traits 2, audiences 2" in text
    assert "accepted without a field that Iterable would not take: users 2" in text


def test_who_came_into_an_audience_and_who_left_is_said(printed: Callable[..., str]):
    """By day, and how many are in it at the end."""
    first = {("a", "vip"): True, ("b", "vip"): True, ("c", "lapsed"): False}
    second = {("a", "vip"): False, ("b", "vip"): True, ("c", "vip"): True, ("c", "lapsed"): False}

    text = printed(summary.audiences, TITLES[:2], [first, second])

    lines = cells(text)
    assert "+2 -0 +1 -1 2" == " ".join(lines["vip"])
    assert "+0 -0 +0 -0 0" == " ".join(lines["lapsed"])


def test_all_runs_stand_side_by_side(shop: ThreeDays, printed: Callable[..., str]):
    """What each sync has sent in each run, and how much of it Iterable holds at the end."""
    held = told(shop)
    held[0] = Told(USERS, wanted=9, found=8, refused={}, wrong=["u1"])

    lines = cells(printed(summary.sent, played(shop), held))

    for sync, one in zip(SYNCS, held, strict=True):
        *sent, found, _, wanted = lines[sync]
        assert (f"{one.found:,}", f"{one.wanted:,}") == (found, wanted)
        of = [{run.sync: f"{run.sent:,}" for run in ran.runs} for ran in shop.ran]
        assert sent == [each.get(sync, "older") for each in of]
        assert sent[3:] == ["0", "0" if sync in EVENTS else "older"]
    assert ["requests", *(f"{len(ran.all_writes):,}" for ran in shop.ran)] == lines["write"]


def test_what_became_of_carts_is_said(printed: Callable[..., str]):
    """A line for each end that a cart can have."""
    first = abandoned.Carts(frozenset("abc"), frozenset(), frozenset())
    second = abandoned.Carts(frozenset(), frozenset("ab"), frozenset("c"))

    text = printed(summary.carts, TITLES[:2], [first, second])

    lines = [line.split() for line in text.splitlines()]
    assert ["Return", "Cart", "was", "sent", "3", "0"] in lines
    assert ["became", "an", "order", "instead", "0", "1"] in lines


def test_ten_lines_say_what_happened(shop: ThreeDays, printed: Callable[..., str]):
    """A line for each run, one about carts, and whether both sides agree."""
    carts = [abandoned.Carts(frozenset("abc"), frozenset("a"), frozenset("b"))] * 3
    runs = played(shop)

    text = printed(summary.in_short, runs, carts, told(shop))

    lines = text.strip().splitlines()
    assert len(lines) <= 10
    assert f"Day 1        {runs[0].sent:,} rows were new" in text
    assert f"{runs[2].sent:,} had changed, come or gone, in {runs[2].writes:,} requests" in text
    assert "Day 3 again  nothing had changed; 0 write requests" in text
    assert "Day 2 again  newer data had gone out; 0 write requests" in text
    assert "9 were left: 3 became orders after a reminder, 3 were given up" in text
    assert f"what the warehouse says: {len(SYNCS)} of {len(SYNCS)} syncs" in lines[-1]


@pytest.mark.parametrize("width", [80, 100])
def test_nothing_is_wider_than_the_terminal(
    shop: ThreeDays, printed: Callable[..., str], width: int
):
    """No name of a sync is cut, no number is broken; a narrow one has columns less."""
    carts = [abandoned.Carts(frozenset(), frozenset(), frozenset())] * 3
    memberships = [ran.held.things[MEMBERSHIPS] for ran in shop.ran[:3]]
    texts = [
        printed(report.day, "Day 1", "new", shop.ran[0].runs, total_s=9.0, width=width),
        printed(summary.sent, played(shop), told(shop), width=width),
        printed(summary.audiences, TITLES[:3], memberships, width=width),
        printed(summary.carts, TITLES[:3], carts, width=width),
    ]

    assert "…" not in "".join(texts)
    assert all(sync in cells(text) for text in texts[:2] for sync in SYNCS)
    assert all(len(row) in {7, 9} for row in map(str.split, texts[0].splitlines()[3:-1]) if row[1:])
    assert ("queried" in cells(texts[0])["sync"]) == (width == 100)


def test_the_read_back_names_the_keys(shop: ThreeDays, printed: Callable[..., str]):
    """Of users who are not there, or without a field."""
    result = shop.compare()
    text = printed(report.read_back, result)

    assert f"{result.rows:,} rows, {BAD_USERS} of them rejected or held, 1 without a key" in text
    for key in (*result.not_there, "bad_email_invalid", "bad_score_infinite"):
        assert key in text


def test_what_differs_is_named(printed: Callable[..., str]):
    """With the sync that should have sent it."""
    wrong = Told("carts", wanted=2, found=1, refused={}, wrong=["u1"])

    text = printed(summary.unlike, [wrong])

    assert "carts: differ, and nothing says why: u1" in text


def test_the_example_is_real_and_masked(shop: ThreeDays):
    """It stands in the warehouse, was in a request, and is read back from Iterable."""
    found = example.find(shop.days[1], shop.changes)

    assert found is not None
    assert shop.days[1].profiles[found.user_id][found.field] == found.old
    assert shop.iterable.profile(found.user_id)[found.field] == found.new
    assert any(found.user_id in request["keys"] for request in shop.ran[2].writes[USERS])
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
    """Its first character stays: enough to see a change."""
    assert shown == example.mask(value)


def test_no_example_is_found_where_nothing_changed(shop: ThreeDays):
    """Then the demo shows none."""
    assert example.find(shop.days[0], {}) is None


def test_what_the_demo_points_at_exists():
    """Each file that it names at its end."""
    files = [place for place in run_demo.NEXT.values() if not place.startswith("make ")]

    assert [] == [name for name in files if not (ROOT / name).exists()]
