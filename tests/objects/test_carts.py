"""Carts: the cart in Iterable is the one in the warehouse, also after purchases and crashes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from commerce_world import (
    CART_LINES,
    carts,
    carts_spec,
    expected_items,
    line,
    order,
    orders_spec,
    put_carts,
    put_orders,
    sync_carts,
    sync_orders,
    with_people,
)
from crashes import Crash, CrashingState, crash
from fakes import Clock
from iterable_facts import needs_facts, swagger
from iterable_swagger import Swagger
from iterable_sync.errors import ConfigError
from iterable_sync.rows import ProjectType, RunEnd

if TYPE_CHECKING:
    from harness import World

PURCHASE = "/api/commerce/trackPurchase"
CART = "/api/commerce/updateCart"


def of_warehouse(
    given: dict[str, list[Any]], kind: ProjectType = ProjectType.USER_ID
) -> dict[str, list[dict[str, Any]]]:
    """Give the carts that Iterable shall have."""
    suffix = "@example.com" if kind is ProjectType.EMAIL else ""
    return {f"{who}{suffix}": expected_items(lines, who) for who, lines in given.items()}


def sent(world: World) -> list[str]:
    """Give whose carts the latest client sent."""
    assert world.client is not None
    people = [body["user"] for body in world.client.bodies]
    return sorted(person.get("userId") or person["email"] for person in people)


@pytest.mark.capability("A5")
@pytest.mark.parametrize("kind", [ProjectType.EMAIL, ProjectType.USER_ID, ProjectType.HYBRID])
def test_first_and_later_sync_bring_what_the_warehouse_says(
    world: World, kind: ProjectType
) -> None:
    """A cart that changed, a new one, an emptied one, and one that vanished; the rest stays."""
    with_people(world, kind)
    given = {
        "u1": [line("u1", 2), line("u1", 1, quantity=3, color="red")],
        "u2": [line("u2", 5)],
        "u3": [],
        "u4": [line("u4", 4)],
        "u5": [line("u5", 6)],
    }
    put_carts(world, given)
    first = sync_carts(world)
    assert (RunEnd.CLEAN, 5, 5) == (first.end, first.accepted, first.requests)
    assert of_warehouse(given, kind) == carts(world)

    given = {
        "u1": [line("u1", 2), line("u1", 1, quantity=4, color="red")],
        "u2": [],
        "u3": [],
        "u5": [line("u5", 6)],
        "u6": [line("u6", 6)],
    }
    put_carts(world, given)
    second = sync_carts(world)

    assert (RunEnd.CLEAN, 3, 1) == (second.end, second.accepted, second.removed_accepted)
    assert len(sent(world)) == 4
    assert of_warehouse(given | {"u4": []}, kind) == carts(world)
    assert 0 == sync_carts(world).requests


def test_cart_that_vanished_stays_where_the_sync_says_so(world: World) -> None:
    with_people(world)
    put_carts(world, {"u1": [line("u1", 1)], "u2": [line("u2", 1)]})
    sync_carts(world)
    put_carts(world, {"u1": [line("u1", 1)]})

    report = sync_carts(world, on_remove="ignore")

    assert (1, 0) == (report.removed_ignored, report.requests)
    assert of_warehouse({"u2": [line("u2", 1)]})["u2"] == carts(world)["u2"]


@pytest.mark.capability("A21")
def test_cart_comes_and_goes_and_comes(world: World) -> None:
    """Each time what is sent is what the warehouse says, and an empty cart is sent once."""
    with_people(world)
    full, gone = {"u1": [line("u1", 1)], "u2": []}, {"u2": []}

    for given in (full, gone, gone, full, {"u1": [], "u2": []}, {"u1": [], "u2": []}, full):
        put_carts(world, given)
        sync_carts(world)
        assert of_warehouse({"u1": []} | given) == carts(world)

    events = [e for e in world.server.app_state.history.page(0, 10**9) if e.path == CART]
    assert 6 == len(events)


def test_cart_of_a_null_column_is_an_empty_one(world: World) -> None:
    with_people(world)
    world.put(
        ("u1", None), ("u2", "[]"), columns={"user_id": "text", "items": "json"}, table="carts"
    )
    sql = f"SELECT user_id, items FROM {world.prefix}carts"

    assert 2 == world.sync(carts_spec(world, sql=sql)).accepted
    assert {"u1": [], "u2": []} == carts(world)
    assert 0 == world.sync(carts_spec(world, sql=sql)).requests


def test_carts_that_iterable_has_are_named_by_a_query(world: World) -> None:
    """With their lines: what changed since is sent, and a cart that is left over is emptied."""
    with_people(world)
    put_carts(world, {"u1": [line("u1", 1), line("u1", 2)], "u2": [line("u2", 2)], "u3": []})
    old = [line("u1", 2), line("u1", 1), line("u2", 2, quantity=7), line("u9", 1)]
    world.put(*old, columns=CART_LINES, table="old_lines")
    model = carts_spec(world).sql.replace(f"{world.prefix}cart_items", f"{world.prefix}old_lines")
    people = "SELECT DISTINCT user_id, user_id || '@example.com' AS email"
    seed = model.replace(f"{world.prefix}carts c", f"({people} FROM {world.prefix}old_lines) AS c")

    report = sync_carts(world, seed_sql=seed)

    assert (2, 1, 1) == (report.accepted, report.unchanged, report.removed_accepted)
    assert ["u2", "u3", "u9"] == sent(world)
    assert of_warehouse({"u2": [line("u2", 2)], "u3": [], "u9": []}) == carts(world)


@pytest.mark.parametrize("name", ["carts", "traits"])
def test_another_e_mail_of_a_person_by_user_id_is_no_change(world: World, name: str) -> None:
    """It is not sent, and a cart that is sent again makes another event."""
    with_people(world)
    columns = {"user_id": "text", "email": "text", "items": "json"}
    spec = carts_spec(world, sync=name, object=name, sql=world.sql(*columns, table="carts"))
    world.put(("u1", "a@example.com", "[]"), columns=columns, table="carts")
    world.sync(spec)
    world.put(("u1", "b@example.com", "[]"), columns=columns, table="carts")

    report = world.sync(spec)

    assert (1, 0, 0) == (report.unchanged, report.changed, report.requests)


def test_two_carts_of_one_person_are_rejected(world: World) -> None:
    with_people(world)
    columns = {"cart_id": "text", "user_id": "text", "items": "json"}
    world.put(("c1", "u1", "[]"), ("c2", "u1", "[]"), ("c3", "u2", "[]"), columns=columns)

    report = world.sync(carts_spec(world, sql=world.sql(), key="cart_id"))

    assert (1, {"duplicate_identity": 2}) == (report.accepted, report.rejected_by_reason)


@pytest.mark.capability("A19")
def test_fields_of_the_person_go_with_the_cart(world: World) -> None:
    with_people(world)
    columns = {"user_id": "text", "user__city": "text", "items": "json"}
    world.put(("u1", "Bern", "[]"), columns=columns, table="carts")

    world.sync(carts_spec(world, sql=world.sql(table="carts")))

    assert "Bern" == world.users()["u1"]["city"]


def test_column_that_a_cart_cannot_have_is_an_error(world: World) -> None:
    with_people(world)
    columns = {"user_id": "text", "updated_at": "text", "items": "json"}
    world.put(("u1", "now", "[]"), columns=columns, table="carts")

    with pytest.raises(ConfigError, match="a cart has no fields of its own: updated_at"):
        world.sync(carts_spec(world, sql=world.sql(table="carts")))
    assert {} == carts(world)


@needs_facts
def test_request_is_what_the_documentation_says(world: World) -> None:
    with_people(world)
    put_carts(world, {"u1": [line("u1", 1, color="red")], "u2": []})
    sync_carts(world)

    document = Swagger(swagger())
    assert world.client is not None
    for body in world.client.bodies:
        assert [] == document.request_problems("post", CART, body)


# -- a purchase empties the cart -----------------------------------------------------------------


def shop(world: World) -> dict[str, list[Any]]:
    """Give people with carts that Iterable has, of whom two are about to buy something."""
    with_people(world)
    given = {who: [line(who, 1), line(who, 2)] for who in ("u1", "u2", "u3")}
    put_carts(world, given)
    sync_carts(world)
    put_orders(world, [order(1, "u1"), order(2, "u2")], [line("A-1", 3)])
    return given


@pytest.mark.capability("A25")
def test_cart_is_sent_again_after_a_purchase(world: World) -> None:
    """Unchanged as it is: Iterable has emptied it. Those who bought nothing are left alone."""
    given = shop(world)

    sync_orders(world)
    assert [] == carts(world)["u1"] == carts(world)["u2"]
    sync_carts(world)

    assert ["u1", "u2"] == sent(world)
    assert of_warehouse(given) == carts(world)
    assert 0 == sync_carts(world).requests


def test_cart_is_sent_again_after_an_order_that_changed(world: World) -> None:
    given = shop(world)
    sync_orders(world)
    sync_carts(world)

    put_orders(world, [order(1, "u1", total=-20), order(2, "u2")], [line("A-1", 3)])
    sync_orders(world)
    sync_carts(world)

    assert ["u1"] == sent(world)
    assert of_warehouse(given) == carts(world)


def test_cart_is_not_held_by_guards_for_a_purchase(world: World) -> None:
    given = shop(world)
    sync_orders(world)

    guards = {"changed_floor": 0, "max_changed": 0, "min_rows": 0}
    report = sync_carts(world, guards=guards)

    assert (RunEnd.CLEAN, 2) == (report.end, report.accepted)
    assert of_warehouse(given) == carts(world)


def test_refused_purchase_marks_no_cart(world: World) -> None:
    given = shop(world)
    refusal = {"status": 409, "body": {"code": "Conflict", "msg": "m", "params": None}}
    world.answer_next(refusal, refusal, path=PURCHASE)

    sync_orders(world)

    assert 0 == sync_carts(world).requests
    assert of_warehouse(given) == carts(world)


def test_purchase_in_doubt_marks_the_cart(world: World) -> None:
    """The answer is lost for good: nobody knows whether the cart is empty."""
    given = shop(world)
    rule = {"kind": "reset", "at": "answer", "endpoint": f"{PURCHASE}*"}
    world.server.app_state.fail([rule])

    clock = Clock()
    report = world.sync(orders_spec(world), options={"clock": clock, "sleep": clock.sleep})
    assert 2 == report.pending
    world.server.app_state.fail([])
    sync_carts(world)

    assert "u1" in sent(world)
    assert of_warehouse(given) == carts(world)


def test_run_that_died_after_a_purchase_marks_the_cart_later(world: World) -> None:
    """Between answer and record the process is gone; the next run of orders tells the carts."""
    given = shop(world)

    crash(world, at=1, applied=True, spec=orders_spec(world, threads=1))
    world.expire_leases()
    sync_orders(world)
    sync_carts(world)

    assert ["u1", "u2"] == sent(world)
    assert of_warehouse(given) == carts(world)


def test_mark_outlives_a_run_of_carts_that_died(world: World) -> None:
    """The doubt is in the snapshot before anything is sent, and goes with an acceptance alone."""
    given = shop(world)
    sync_orders(world)

    crash(world, at=1, applied=False, spec=carts_spec(world, threads=1))
    world.expire_leases()
    sync_carts(world)

    assert of_warehouse(given) == carts(world)


@pytest.mark.parametrize("dying", ["carts", "orders"])
def test_run_that_dies_anywhere_leaves_the_cart_right_after_the_next(
    duckdb_world: World, dying: str
) -> None:
    """
    The run of one sync dies at a statement, the other's comes next: in the end it is as it was.

    Among these are carts that were sent, and answered, before the purchase, and that are written
    into the snapshot after it was recorded.
    """
    world = duckdb_world
    given = shop(world)
    orders = [order(1, "u1"), order(2, "u2")]
    runs = {"carts": (sync_carts, carts_spec), "orders": (sync_orders, orders_spec)}
    reached = []
    for at in range(3, 400, 17):
        given["u1"] = [line("u1", 1, quantity=at)]
        orders.append(order(at, "u1"))
        put_carts(world, given)
        put_orders(world, orders)
        state = CrashingState(world.state, at)
        try:
            world.sync(runs[dying][1](world), state=state)  # type: ignore[arg-type]
        except Crash:
            reached.append(at)
        world.expire_leases()
        for name in ("orders", "carts") if dying == "carts" else ("carts", "orders", "carts"):
            runs[name][0](world)
        assert of_warehouse(given) == carts(world), at
        if not state.is_dead:
            break
    assert len(reached) > 3


def test_other_project_is_not_marked(world: World) -> None:
    shop(world)
    sync_orders(world, client=world.connect(project_id="2"))

    assert 0 == sync_carts(world).requests
