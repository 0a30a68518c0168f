"""Reading back what is no user: traits, memberships, carts, lists, and what nothing shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import audience_world
import commerce_world
import list_world
from harness import people
from iterable_sync.drift import Share
from iterable_sync.errors import ConfigError
from reconcile_world import look, mail, write_over

if TYPE_CHECKING:
    from harness import World


def test_traits_are_compared_as_users_are(duckdb_world: World) -> None:
    world = duckdb_world
    world.put(*people(1, 2))
    world.sync(object="traits", sync="traits")
    write_over(world, mail(1), points=7)

    assert {"points": 1} == look(world, sync="traits").fields
    assert {"u1": {"points"}} == world.dirty("traits")


def test_a_membership_that_does_not_show_is_sent_again(world: World) -> None:
    """It is a row of its own, also where its person has others."""
    rows = [("u1", "VIP"), ("u1", "Lapsed Buyers"), ("u2", "VIP"), ("u3", "VIP")]
    audience_world.with_members(world, *rows)
    audience_world.sync(world)
    write_over(world, "u1", vip=False)
    world.connect().send("DELETE", "/api/users/byUserId/u3", b"")

    found = look(world, sync="audiences")
    report = audience_world.sync(world)

    assert (4, 1, 1, {"vip": 1}) == (found.sampled, found.missing, found.drifted, found.fields)
    assert (2, 2) == (report.accepted, report.unchanged)
    assert {"u1": {"vip": True}, "u3": {"vip": True}} == audience_world.sent(world)
    assert 0 == look(world, sync="audiences").drift.count


def test_a_cart_that_does_not_show_is_sent_again(duckdb_world: World) -> None:
    world = commerce_world.with_people(duckdb_world)
    whole = {who: [commerce_world.line(who, 1, color="red")] for who in ("u1", "u2")}
    commerce_world.put_carts(world, {**whole, "u3": []})
    commerce_world.sync_carts(world)
    write_over(world, "u2", shoppingCartItems=[])

    found = look(world, sync="carts")
    report = commerce_world.sync_carts(world)

    assert (3, {"shoppingCartItems": 1}) == (found.compared, found.fields)
    assert (1, 2) == (report.accepted, report.unchanged)
    assert 0 == look(world, sync="carts").drift.count


def test_a_cart_that_a_purchase_emptied_is_sent_again_by_itself_and_no_drift(
    duckdb_world: World,
) -> None:
    world = commerce_world.with_people(duckdb_world)
    commerce_world.put_carts(world, {"u1": [commerce_world.line("u1", 1)]})
    commerce_world.sync_carts(world)
    lines = [commerce_world.line("A-1", 1)]
    commerce_world.put_orders(world, [commerce_world.order(1)], lines)
    commerce_world.sync_orders(world)

    found = look(world, sync="carts")

    assert (1, 0) == (found.live, found.sampled)
    assert {"u1": {"*"}} == world.dirty("carts")


@pytest.mark.parametrize("name", ["orders", "events", "audience_events", "subscriptions"])
def test_what_no_profile_shows_or_people_change_is_refused_with_the_reason(
    duckdb_world: World, name: str
) -> None:
    world = duckdb_world
    world.put(*people(1))
    world.sync()
    world.write(f"UPDATE {{syncs}} SET object = '{name}'")

    with pytest.raises(
        ConfigError, match=f"{name} cannot be read back.* audiences, carts, lists, traits, users"
    ):
        look(world)


def test_of_lists_the_sizes_are_compared(world: World) -> None:
    """Who is missing nobody can say; the note says how all of them are subscribed again."""
    list_world.put(world, *list_world.mails(1, 2, 3, 4))
    list_world.sync(world)
    (number,) = list_world.ids(world)
    whole = look(world, sync="vip")
    with world.server.app_state.lock:
        members = world.server.app_state.lists.get(number).members
        members.discard(min(members))

    found = look(world, sync="vip")

    assert (1, 4, 0, []) == (whole.lists, whole.sampled, whole.drift.count, whole.notes)
    assert (1, Share(1, 4), 1, 0) == (found.lists, found.drift, found.missing, found.marked)
    assert f"the list 'VIP' ({number}) has 3 people in Iterable, and 4" in found.notes[0]
