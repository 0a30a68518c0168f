"""Presets: tables of settings, below what a person says."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from iterable_sync import objects
from iterable_sync.errors import ConfigError
from iterable_sync.operators.arguments import build_spec
from iterable_sync.presets import PRESETS
from iterable_sync.spec import SyncSpec
from iterable_sync.sync_object import completed

OF_ALL = [(preset, name) for preset, known in PRESETS.items() for name in known]


def spec(name: str = "events", **changes: Any) -> SyncSpec:
    return SyncSpec(sync="s", object=name, sql="SELECT 1", key="id", **changes)


@pytest.mark.parametrize(("preset", "name"), OF_ALL)
def test_settings_of_a_preset_are_for_its_object(preset: str, name: str) -> None:
    """Each of them is taken, and none is refused as foreign."""
    made = completed(spec(name, preset=preset), objects.get(name))

    assert PRESETS[preset][name] == {
        setting: getattr(made, setting) for setting in PRESETS[preset][name]
    }


def test_names_of_the_shop_are_those_of_its_destination() -> None:
    """The four that are mapped; all others are left out."""
    made = spec(preset="seg")

    assert {
        "Viewed Product Category": "RangeView",
        "Viewed Product": "ProductView",
        "Added Product": "AddedToBasket",
        "Order Completed": "OrderPlaced",
    } == made.event_names
    assert "ignore" == made.unmapped_events


@pytest.mark.capability("B11")
def test_purchases_need_what_the_destination_needs() -> None:
    assert ("campaignId", "templateId", "items", "total") == spec(
        "orders", preset="freshpaint"
    ).required
    assert ("items", "total") == spec("orders", preset="segment_actions").required
    assert ("items",) == spec("carts", preset="segment_actions").required


@pytest.mark.capability("A8")
def test_commerce_goes_to_its_own_endpoints_and_all_else_passes() -> None:
    made = spec(preset="segment_actions")

    assert {"Order Completed": None, "Cart Updated": None} == made.event_names
    assert "pass" == made.unmapped_events


def test_explicit_settings_win_over_the_preset() -> None:
    """One by one: what was not given stays as the preset has it."""
    made = spec(preset="seg", unmapped_events="pass")

    assert ("pass", "ProductView") == (
        made.unmapped_events,
        (made.event_names or {})["Viewed Product"],
    )
    assert () == spec("users", preset="seg", required=()).required


def test_unknown_preset_is_an_error_that_lists_the_known() -> None:
    with pytest.raises(
        ConfigError, match="unknown preset 'rudder'; known: segment_actions, freshpaint, seg"
    ):
        spec(preset="rudder")


def test_preset_that_says_nothing_of_an_object_is_an_error() -> None:
    with pytest.raises(ConfigError, match="'seg' says nothing of 'carts'; it is for users, events"):
        spec("carts", preset="seg")


def test_operator_takes_a_preset_as_an_option() -> None:
    arguments = {"sync": "s", "object": "events", "sql": "SELECT 1", "key": "id", "fields": None}

    made = build_spec(arguments, {"preset": "seg"}, "task")

    assert "ignore" == made.unmapped_events
    with pytest.raises(ConfigError, match="known: segment_actions"):
        build_spec(arguments, {"preset": "x"}, "task")


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"unmapped_events": "ignore"}, id="nothing is mapped"),
        pytest.param({"event_names": {"a": ""}}, id="no name"),
        pytest.param({"event_names": {"a": "x" * 256}}, id="endless name"),
        pytest.param({"event_names": {"a": "b\n"}}, id="newline"),
        pytest.param({"event_names": {"a": None}, "event_name": "a"}, id="all are left out"),
        pytest.param(
            {"event_names": {"a": "b"}, "unmapped_events": "ignore", "event_name": "c"},
            id="all are unmapped",
        ),
        pytest.param({"phone_region": "us"}, id="region in small letters"),
        pytest.param({"naming": "kebab"}, id="unknown naming"),
        pytest.param({"row_id": "hash"}, id="unknown id"),
    ],
)
def test_value_that_cannot_be_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        spec(**changes)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("users", {"event_names": {"a": "b"}}),
        ("users", {"row_id": "key"}),
        ("carts", {"row_id": "key"}),
        ("events", {"identify_names": True}),
        ("events", {"clear_renamed": False}),
        ("orders", {"event_names": {"a": "b"}}),
    ],
)
def test_setting_of_another_object_is_refused(name: str, changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=f"{next(iter(changes))}: not for {name}"):
        completed(spec(name, **changes), objects.get(name))
