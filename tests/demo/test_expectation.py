"""The demo's own reckoning: it knows all that the models say, and what changed from day to day."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest

import expectation
import expected_people
import playground
from demo.three_days import CONFIG, end_of
from expectation import EVENTS, MEMBERSHIPS, SYNCS
from expected_events import KINDS
from iterable_sync.shop.plan import planned

if TYPE_CHECKING:
    from demo.three_days import ThreeDays

ROOT = Path(__file__).parents[2]


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

    profiles = expectation.read(file, end_of(1)).profiles.values()

    assert fields <= {name for profile in profiles for name in profile}


def test_the_syncs_are_those_of_the_dag():
    """One more, or another order, is a change of the demo as well."""
    tasks = [task.arguments["sync"] for task in planned(CONFIG) if task.object]

    assert [f"{CONFIG.name}.{sync}" for sync in SYNCS] == tasks


def test_each_day_has_something_of_everything(shop: ThreeDays):
    """Three days show every sync at work: none of the lines of the demo is there for nothing."""
    for ran in shop.ran[:3]:
        assert [] == [run.sync for run in ran.runs if not run.sent]
    names = {said["eventName"] for sync in EVENTS for said in shop.days[-1].held[sync].values()}
    assert set(KINDS) == names
    fields = {field for _, field in shop.days[-1].held[MEMBERSHIPS]}
    assert set(expected_people.AUDIENCES) == fields


def test_a_new_user_is_expected_with_what_has_no_value(shop: ThreeDays):
    """Iterable may have one of before."""
    new = shop.changes.keys() - shop.days[1].profiles.keys()

    assert new
    for who in new:
        assert set(expected_people.FIELDS) == set(shop.changes[who])
    assert any(None in shop.changes[who].values() for who in new)


def test_memberships_that_end_are_false(shop: ThreeDays):
    """Whoever was a member on an earlier day only is expected to be told so."""
    memberships = {("u0000009", "vip"): True, ("gone", "vip"): True}
    first = shop.days[0]
    before = replace(first, held=first.held | {MEMBERSHIPS: memberships})

    now = expectation.read(shop.place.warehouse, end_of(3), before)

    assert now.held[MEMBERSHIPS]["gone", "vip"] is False
    assert "gone" in now.people_since(before)[MEMBERSHIPS]


def test_who_has_left_is_expected_without_a_code(shop: ThreeDays):
    """Their traits stay, a code does not: it may be somebody else's by now."""
    first = shop.days[0]
    left = {sync: first.held[sync] | {"gone": {"a": 1}} for sync in ("traits", "vouchers")}
    before = replace(first, held=first.held | left)

    now = expectation.read(shop.place.warehouse, end_of(3), before)

    assert now.held["traits"]["gone"] == {"a": 1}
    assert now.held["vouchers"]["gone"] == {"vouchers": {}}
    assert "gone" in now.people_since(before)["vouchers"]


def test_an_event_stays_as_it_was_sent(shop: ThreeDays):
    """What the tables say of it on a later day is not expected of Iterable."""
    first, name = shop.days[0], next(iter(shop.days[0].held["events"]))
    sent = {name: {"userId": "u1", "dataFields": {"title": "as it was"}}}
    before = replace(first, held=first.held | {"events": sent})

    now = expectation.read(shop.place.warehouse, end_of(3), before)

    assert now.here["events"][name] != sent[name] == now.held["events"][name]
