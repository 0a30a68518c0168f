"""What a change of address does to all other syncs: each goes on under the new address."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from change_world import (
    addresses,
    calls,
    change,
    mail,
    merging,
    put_users,
    sync_changes,
    sync_merges,
    sync_users,
)
from commerce_world import CART_LINES, CARTS, carts_spec, line, order, orders_spec, put_orders
from crashes import Crash, crash_at
from event_world import ago
from iterable_sync.errors import ConfigError
from iterable_sync.rows import RunEnd
from iterable_sync.sandbox.dump import whole

if TYPE_CHECKING:
    from harness import World
    from iterable_sync.rows import RunReport

MEMBERS = {"user_id": "text", "email": "text", "audience": "text"}
EVENTS = {"id": "text", "user_id": "text", "email": "text", "created_at": "timestamptz"}


def put_shop(world: World, **emails: str) -> None:
    """Replace all tables of the warehouse: userId -> letter of the address."""
    people = [(who, mail(email)) for who, email in emails.items()]
    put_orders(
        world,
        [(f"A-{who}", who, email, *order(1)[3:]) for who, email in people],
        [line(f"A-{who}", 1) for who, _ in people],
    )
    world.put(*people, columns=CARTS, table="carts")
    world.put(
        *[(who, *line("", 1)[1:]) for who, _ in people], columns=CART_LINES, table="cart_items"
    )
    members = [(who, email, "VIP") for who, email in people]
    world.put(*members, columns=MEMBERS, table="members")
    events = [(f"e-{who}", who, email, ago(hours=1)) for who, email in people]
    world.put(*events, columns=EVENTS, table="events")
    put_users(world, **emails)


def sync_shop(world: World) -> dict[str, RunReport]:
    """Run all syncs of the shop, users first."""
    members = world.sql(*MEMBERS, table="members")
    key = ["user_id", "audience"]
    specs = {
        "users": world.spec(sql=world.sql("user_id", "email", "city", "points")),
        "audiences": world.spec(sync="audiences", object="audiences", sql=members, key=key),
        "lists": world.spec(sync="lists", object="lists", sql=members, key=key),
        "orders": orders_spec(world),
        "carts": carts_spec(world),
        "events": world.spec(
            sync="events",
            object="events",
            sql=world.sql(*EVENTS, table="events"),
            key="id",
            event_name="Seen",
        ),
    }
    return {name: world.sync(spec) for name, spec in specs.items()}


@pytest.mark.capability("C12")
def test_everybody_goes_on_under_the_new_address(world: World) -> None:
    """
    People whose change was held go by themselves, with what else changed and nothing more.

    Nobody is made anew under the address of before, by none of the syncs.
    """
    put_shop(world, u1="a", u2="b", u3="c")
    sync_shop(world)
    put_shop(world, u1="x", u2="a", u3="c")
    held = sync_users(world)

    done = sync_changes(world, change(1, "a", "x", "u1"), change(2, "b", "a", "u2"))
    at_users = sync_users(world)
    sent = world.sent_fields
    rest = sync_shop(world)

    assert (RunEnd.HELD, {"identity_changed": 2}) == (held.end, held.held_by_guard)
    assert (RunEnd.CLEAN, 2) == (done.end, done.accepted)
    # As the snapshot knows the new addresses, nothing of these people differs.
    assert (RunEnd.CLEAN, 0, {}) == (at_users.end, at_users.requests, sent)
    assert dict.fromkeys(rest, (RunEnd.CLEAN, 0)) == {
        name: (report.end, report.requests) for name, report in rest.items()
    }
    assert {"u1": "x", "u2": "a", "u3": "c"} == addresses(world)


def test_what_changed_besides_is_all_that_is_sent(world: World) -> None:
    put_shop(world, u1="a")
    sync_shop(world)
    put_users(world, u1="x")
    world.execute(f"UPDATE {world.prefix}users SET city = 'Basel'")
    sync_users(world)

    sync_changes(world, change(1, "a", "x"))
    report = sync_users(world)

    assert (RunEnd.CLEAN, 1) == (report.end, report.changed)
    assert {mail("x"): {"city": "Basel"}} == world.sent_fields
    assert {"u1": "x"} == addresses(world)


def test_who_leaves_later_leaves_under_the_new_address(world: World) -> None:
    """The list, the audience and the cart know where the person went."""
    put_shop(world, u1="a", u2="b")
    sync_shop(world)
    sync_changes(world, change(1, "a", "x"))
    put_shop(world, u2="b")

    sync_shop(world)

    dump = whole(world.server.app_state)
    assert {"u1": "x", "u2": "b"} == addresses(world)
    assert [[mail("b")]] == [one["members"] for one in dump["lists"]]
    person = world.users()[mail("x")]
    assert (False, []) == (person["vip"], person.get("shoppingCartItems", []))


def test_memberships_under_the_address_follow_it(world: World) -> None:
    """The key of before is no removal, and whoever leaves later leaves under the new address."""
    spec = {"sync": "vip", "object": "lists", "key": "email", "list_name": "VIP"}

    def sync_members(*letters: str) -> RunReport:
        world.put(*[(mail(one),) for one in letters], columns={"email": "text"}, table="vip")
        return world.sync(world.spec(**spec, sql=world.sql("email", table="vip")))

    sync_members("a", "b")
    sync_changes(world, change(1, "a", "x"))
    moved = sync_members("x", "b")
    people = sorted(world.users())
    left = sync_members("b")

    (of_list,) = whole(world.server.app_state)["lists"]
    assert (RunEnd.CLEAN, 1, 1) == (moved.end, moved.accepted, moved.removed_ignored)
    assert [mail("b"), mail("x")] == people
    assert (1, [mail("b")]) == (left.removed_accepted, of_list["members"])
    assert people == sorted(world.users())


@pytest.mark.parametrize(
    ("row", "there"),
    [
        pytest.param(change(1, "a", "x"), "", id="nobody at either"),
        pytest.param(change(1, "a", "x"), "x", id="new one made by somebody else"),
    ],
)
def test_who_was_not_moved_by_us_is_sent_whole(
    world: World, row: tuple[Any, ...], there: str
) -> None:
    """A profile under the new address may lack what the one of before had."""
    put_users(world, u1="a")
    sync_users(world)
    with world.server.app_state.lock:
        people = world.server.app_state.people
        people.drop(people.by_email(mail("a")))
    if there:
        world.server.seed({"users": [{"email": mail(there), "dataFields": {}}]})
    put_users(world, u1="x")
    sync_users(world)

    sync_changes(world, row)
    report = sync_users(world)

    assert (RunEnd.CLEAN, 0) == (report.end, calls(world))
    assert {"u1": "x"} == addresses(world)
    assert ("City of u1", 1) == tuple(world.users()[mail("x")][n] for n in ("city", "points"))


def test_run_that_dies_before_it_notes_the_change_loses_none_of_it(world: World) -> None:
    put_shop(world, u1="a")
    sync_shop(world)
    put_shop(world, u1="x")
    with pytest.raises(Crash):
        sync_changes(world, change(1, "a", "x"), client=world.connect(after=crash_at(1)))
    world.expire_leases()

    sync_changes(world)
    rest = sync_shop(world)

    assert {RunEnd.CLEAN} == {report.end for report in rest.values()}
    assert (1, {"u1": "x"}) == (calls(world), addresses(world))


# -- merges --------------------------------------------------------------------------------------


def test_source_of_a_merge_is_gone_everywhere_and_the_destination_is_sent_again(
    world: World,
) -> None:
    """Whoever is still in the model comes back as somebody new; what it says wins again."""
    put_shop(world, u1="a", u2="b")
    sync_shop(world)
    put_shop(world, u2="b")

    report = sync_merges(world, merging(1, "a", "b"))
    rest = sync_shop(world)

    assert (RunEnd.CLEAN, 1) == (report.end, report.accepted)
    assert {RunEnd.CLEAN} == {one.end for one in rest.values()}
    assert {"u2": "b"} == addresses(world)
    assert "City of u2" == world.users()[mail("b")]["city"]
    assert 0 == sum(one.requests for one in sync_shop(world).values())


# -- changes out of the snapshot -----------------------------------------------------------------


def sync_derived(world: World, **changes: Any) -> RunReport:
    """Run the sync of changes that are worked out."""
    declared = {"sql": world.sql("user_id", "email", "city", "points"), "key": "user_id"}
    return sync_changes(world, **{"derive_from": "users"} | declared | changes)


def test_changes_are_worked_out_of_our_own_snapshot(world: World) -> None:
    """Chains of people, new people and those who stay; afterwards there is nothing to do."""
    put_users(world, u1="a", u2="b", u3="c", u4="d")
    sync_users(world)
    put_users(world, u1="x", u2="a", u3="b", u4=" D@Example.com ", u5="e")

    dry = sync_derived(world, dry_run=True)
    report = sync_derived(world)
    again = sync_derived(world)
    users = sync_users(world)

    assert (3, 3) == (dry.requests, dry.queried)
    assert (RunEnd.CLEAN, 3, 3) == (report.end, report.queried, report.accepted)
    assert (RunEnd.CLEAN, 0) == (again.end, again.queried)
    assert (RunEnd.CLEAN, 1, 0) == (users.end, users.added, users.identity_changed)
    assert {"u1": "x", "u2": "a", "u3": "b", "u4": "d", "u5": "e"} == addresses(world)


def test_there_and_back_and_there_again_is_three_changes(world: World) -> None:
    put_users(world, u1="a")
    sync_users(world)

    for number, address in enumerate("xaxa", start=1):
        put_users(world, u1=address)
        assert 1 == sync_derived(world).accepted
        assert (number, {"u1": address}) == (calls(world), addresses(world))


def test_who_went_in_doubt_and_came_back_is_brought_back(world: World) -> None:
    """The answer was lost with the run, and by the model nothing has changed since."""
    put_users(world, u1="a", u2="b")
    sync_users(world)
    put_users(world, u1="x", u2="b")
    with pytest.raises(Crash):
        sync_derived(world, client=world.connect(after=crash_at(1)))
    world.expire_leases()
    put_users(world, u1="a", u2="b")

    users = sync_users(world)
    back = sync_derived(world)
    again = sync_derived(world)

    assert (RunEnd.CLEAN, 0) == (users.end, users.requests)
    assert (1, 1, {"u1": "a", "u2": "b"}) == (back.queried, back.accepted, addresses(world))
    assert (0, 0) == (again.queried, sync_users(world).requests)


def test_swap_that_was_worked_out_stays_refused_and_is_counted_once(world: World) -> None:
    put_users(world, u1="a", u2="b", u3="c")
    sync_users(world)
    put_users(world, u1="b", u2="a", u3="c")

    report, again = sync_derived(world), sync_derived(world)

    assert {"email_cycle": 2} == report.rejected_by_reason
    assert (0, 2, 0) == (again.rejected, again.still_rejected, again.requests)


def test_change_that_was_worked_out_waits_for_a_target_that_goes(world: World) -> None:
    """It is rejected while somebody has the address, and is found again by itself."""
    put_users(world, u1="a", u2="b")
    sync_users(world)
    put_users(world, u1="b")

    refused = sync_derived(world)
    waits = sync_derived(world)
    with world.server.app_state.lock:
        people = world.server.app_state.people
        people.drop(people.by_email(mail("b")))
    world.write("UPDATE {rejections} SET next_try_at = now() - INTERVAL '1 second'")
    done = sync_derived(world)

    assert {"target_exists": 1} == refused.rejected_by_reason
    assert (0, 1) == (waits.rejected, waits.still_rejected)
    assert (1, {"u1": "b"}) == (done.accepted, addresses(world))


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        ({"derive_from": "nobody"}, "known here: 'users'.* It has to run before"),
        ({"key": "points"}, "is not one of users with the key points"),
        ({"key": "email"}, "is not one of users with the key email"),
    ],
)
def test_what_changes_cannot_be_worked_out_of_is_an_error(
    duckdb_world: World, declared: dict[str, Any], words: str
) -> None:
    put_users(duckdb_world, u1="a")
    sync_users(duckdb_world)

    with pytest.raises(ConfigError, match=words):
        sync_derived(duckdb_world, **declared)


def test_address_as_the_key_tells_nobody_from_another(duckdb_world: World) -> None:
    put_users(duckdb_world, u1="a")
    sync_users(duckdb_world, key="email")

    with pytest.raises(ConfigError, match="a key that stays with the person"):
        sync_derived(duckdb_world, key="email")
