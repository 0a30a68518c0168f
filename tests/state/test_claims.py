"""Names that rows bring: one sync of a project has each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from audience_world import fields, put, sync, with_members
from iterable_sync.errors import ConfigError
from iterable_sync.rows import ProjectType
from iterable_sync.state import claims

if TYPE_CHECKING:
    from harness import World


def claimed(world: World) -> set[tuple[str, str, str, str]]:
    """Give the claims: (kind, name, as in the warehouse, sync)."""
    return set(
        world.rows(
            "SELECT c.kind, c.name, c.raw, s.sync FROM {claims} c "
            "JOIN {syncs} s ON s.sync_id = c.sync_id"
        )
    )


def refused(world: World, words: str, **changes: Any) -> None:
    """Run, and see it end before it sends anything."""
    before = world.writes()
    with pytest.raises(ConfigError, match=words):
        sync(world, **changes)
    assert before == world.writes()


def test_fields_of_audiences_are_claimed_by_the_sync_that_brings_them(world: World) -> None:
    with_members(world, ("a", "VIP"))
    sync(world)
    put(world, ("a", "VIP"), ("b", "New Ones"), ("c", " "))
    sync(world)

    assert {
        ("profile", "vip", "VIP", "audiences"),
        ("profile", "new_ones", "New Ones", "audiences"),
    } == claimed(world)


@pytest.mark.capability("C17")
def test_two_audiences_that_are_one_field_are_an_error(world: World) -> None:
    """Capability C17: it names both, and nothing is sent."""
    with_members(world, ("a", "New Ones"), ("b", "new-ones"))

    refused(world, "'New Ones' and 'new-ones' are one field in Iterable, 'new_ones'")

    assert set() == claimed(world)


def test_two_audiences_that_come_one_after_the_other_are_an_error(world: World) -> None:
    with_members(world, ("a", "VIP"))
    sync(world)
    put(world, ("a", "VIP"), ("a", "vip"))

    refused(world, "'VIP' and 'vip' are one field")


def test_field_of_another_sync_of_audiences_is_an_error(world: World) -> None:
    with_members(world, ("a", "VIP"))
    sync(world)

    refused(world, r"'VIP', whose field 'vip' belongs to sync 'audiences'", sync="others")

    put(world, ("a", "Other"))
    assert 1 == sync(world, sync="others").accepted


def test_owner_that_gave_a_name_up_can_be_forgotten(world: World) -> None:
    """The message says how."""
    with_members(world, ("a", "VIP"))
    sync(world)
    refused(world, "delete its row in the table claims", sync="others")
    world.write("DELETE FROM {claims}")

    assert 1 == sync(world, sync="others").accepted


@pytest.mark.parametrize("name", ["vip", "VIP", "vip.since"])
def test_field_that_a_sync_of_users_maps_is_an_error(duckdb_world: World, name: str) -> None:
    world = with_members(duckdb_world, ("a", "VIP"))
    people = f'SELECT user_id, 1 AS "{name}" FROM {world.prefix}memberships'
    world.sync(sync="people", sql=people)

    refused(world, "whose field 'vip' belongs to sync 'people'")


@pytest.mark.parametrize("name", ["vip", "vip.since"])
def test_field_of_an_audience_is_an_error_in_a_sync_of_users(
    duckdb_world: World, name: str
) -> None:
    """The other way round."""
    world = with_members(duckdb_world, ("a", "VIP"))
    sync(world)
    people = f'SELECT user_id, 1 AS "{name}" FROM {world.prefix}memberships'

    with pytest.raises(ConfigError, match="the field of the audience 'VIP' of sync 'audiences'"):
        world.sync(sync="people", sql=people)

    assert {"vip": True} == {n: v for n, v in fields(world)["a"].items() if n == "vip"}


def test_key_of_a_sync_of_users_is_a_field_as_well(duckdb_world: World) -> None:
    """It is sent, and other syncs of users may share it; an audience cannot."""
    world = with_members(duckdb_world, ("a", "Number"))
    people = f"SELECT user_id, 1 AS number FROM {world.prefix}memberships"
    world.sync(sync="people", sql=people, key=("user_id", "number"))

    refused(world, "belongs to sync 'people'")


def test_projects_and_events_have_nothing_to_do_with_it(world: World) -> None:
    with_members(world, ("a", "VIP"))
    sync(world)

    elsewhere = sync(world, sync="others", client=world.connect(project_id="2"))
    events = sync(world, sync="events", object="audience_events")

    assert [1, 1] == [elsewhere.accepted, events.accepted]


def test_dry_run_checks_and_claims_nothing(world: World) -> None:
    with_members(world, ("a", "VIP"))
    sync(world, dry_run=True)
    sync(world)
    put(world, ("a", "VIP"), ("b", "New"))

    refused(world, "belongs to sync", dry_run=True, sync="others")
    sync(world, dry_run=True)
    put(world, ("a", "VIP"), ("a", "vip"))
    refused(world, "are one field", dry_run=True)

    assert {("profile", "vip", "VIP", "audiences")} == claimed(world)


@pytest.mark.parametrize("name", ["Email", "devices"])
def test_field_that_iterable_keeps_for_itself_is_an_error(duckdb_world: World, name: str) -> None:
    with_members(duckdb_world, ("a", name))

    refused(duckdb_world, "cannot be written")


def test_too_many_audiences_are_an_error(
    duckdb_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is a field for ever: a wrong column has as many names as there are people."""
    monkeypatch.setattr(claims, "MAX_AUDIENCES", 3)
    with_members(duckdb_world, *(("a", f"A{n}") for n in range(3)))
    sync(duckdb_world)
    put(duckdb_world, ("a", "A4"))

    refused(duckdb_world, "brings 4 audiences", guards={"max_removed": 1})


def test_address_is_not_shown(duckdb_world: World) -> None:
    """The wrong column, perhaps: its values are people's."""
    with_members(duckdb_world, ("a", "Ann@example.com"), ("b", "ann@example.com"))

    with pytest.raises(ConfigError) as caught:
        sync(duckdb_world)

    assert "@example" not in str(caught.value)


def test_lists_are_claimed_as_they_are_named(world: World) -> None:
    """Two audiences may be one field, and are two lists."""
    columns = {"email": "text", "audience": "text"}
    with_members(world, project=ProjectType.EMAIL)
    put(world, ("a@example.com", "VIP"), ("a@example.com", "vip"), columns=columns)
    lists = {"object": "lists", "key": ("email", "audience"), "options": {"sleep": lambda _s: None}}

    sync(world, **lists)

    assert {("list", "VIP", "VIP", "audiences"), ("list", "vip", "vip", "audiences")} == claimed(
        world
    )
    refused(world, "list 'VIP', which belongs to sync 'audiences'", sync="others", **lists)
