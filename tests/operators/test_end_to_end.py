"""
Each operator from the warehouse to Iterable: in the task runner, with its connections, twice.

The shop is small enough that what Iterable has after each of two days is written here by hand.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from airflow.providers.common.compat.sdk import DAG

import iterable_sync
from airflow_dags import connection_variables
from airflow_task import run_task
from event_world import ago
from harness import postgres_world
from iterable_sync.rows import ProjectType
from iterable_sync.sandbox.dump import whole

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness import World
    from iterable_sync.sandbox.server import SandboxServer

DAYS = ("2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z")
E1, E2, E3 = ago(hours=3), ago(hours=2), ago(hours=1)
TABLES = """
    CREATE TABLE {s}users (user_id text, email text, city text, points bigint);
    CREATE TABLE {s}traits (user_id text, trait text, value text);
    CREATE TABLE {s}members (user_id text, audience text);
    CREATE TABLE {s}views (id text, user_id text, created_at timestamptz, url text);
    CREATE TABLE {s}orders (order_id text, user_id text, created_at timestamptz, total integer);
    CREATE TABLE {s}lines (of_what text, id text, name text, price integer, quantity integer);
    CREATE TABLE {s}carts (user_id text)
"""
DAY = (
    f"""
    INSERT INTO {{s}}users VALUES ('u1', 'u1@x.com', 'Bern', 1), ('u2', 'u2@x.com', 'Rom', 2),
        ('u3', NULL, 'Oslo', NULL);
    INSERT INTO {{s}}traits VALUES ('u1', 'Spend Band', 'low'), ('u1', 'Likes Tea', 'yes'),
        ('u2', 'Spend Band', 'high');
    INSERT INTO {{s}}members VALUES ('u1', 'VIP'), ('u2', 'VIP'), ('u2', 'New in Town');
    INSERT INTO {{s}}views VALUES ('v-1', 'u1', '{E1}', '/a'), ('v-2', 'u2', '{E2}', '/b');
    INSERT INTO {{s}}orders VALUES ('A-1', 'u1', '{E1}', 20), ('A-2', 'u2', '{E2}', 7);
    INSERT INTO {{s}}carts VALUES ('u1'), ('u2');
    INSERT INTO {{s}}lines VALUES ('A-1', 'P2', 'Tea', 5, 2), ('A-1', 'P1', 'Cup', 10, 1),
        ('A-2', 'P3', 'Pot', 7, 1), ('u1', 'P1', 'Cup', 10, 1)
    """,
    f"""
    UPDATE {{s}}users SET city = 'Genf' WHERE user_id = 'u2';
    DELETE FROM {{s}}users WHERE user_id = 'u1';
    INSERT INTO {{s}}users VALUES ('u4', 'u4@x.com', 'Lyon', 4);
    UPDATE {{s}}traits SET value = 'middle' WHERE user_id = 'u1' AND trait = 'Spend Band';
    UPDATE {{s}}traits SET trait = 'Likes Tea', value = 'no' WHERE user_id = 'u2';
    UPDATE {{s}}members SET user_id = 'u3' WHERE user_id = 'u2' AND audience = 'VIP';
    INSERT INTO {{s}}views VALUES ('v-3', 'u1', '{E3}', '/c');
    UPDATE {{s}}orders SET total = 0 WHERE order_id = 'A-2';
    INSERT INTO {{s}}orders VALUES ('A-3', 'u1', '{E3}', 5);
    INSERT INTO {{s}}lines VALUES ('A-3', 'P2', 'Tea', 5, 1), ('u3', 'P2', 'Tea', 5, 1);
    UPDATE {{s}}lines SET quantity = 3 WHERE of_what = 'u1';
    DELETE FROM {{s}}carts WHERE user_id = 'u2';
    INSERT INTO {{s}}carts VALUES ('u3')
    """,
)
LINE = (
    "l.id AS items__id, l.name AS items__name, l.price AS items__price, "
    "l.quantity AS items__quantity"
)
CUP = {"id": "P1", "name": "Cup", "price": 10.0, "quantity": 1}
TEA = {"id": "P2", "name": "Tea", "price": 5.0, "quantity": 2}
POT = {"id": "P3", "name": "Pot", "price": 7.0, "quantity": 1}


@pytest.fixture(params=["duckdb", pytest.param("postgres", marks=pytest.mark.all)])
def world(request: pytest.FixtureRequest, iterable_server: SandboxServer) -> Iterator[World]:
    """Give a world; in Postgres in a database of its own, for the state lies in a schema of it."""
    if request.param == "duckdb":
        yield request.getfixturevalue("duckdb_world")
        return
    conninfo = request.getfixturevalue("postgres_db")
    with postgres_world(iterable_server, conninfo, "shop") as made:
        yield made


@dataclass(frozen=True)
class Case:
    """
    An operator, and what Iterable has of it after the first and the second day.

    Args:
        accepted: rows of each day that Iterable takes; those that nothing became of are not sent.
    """

    operator: str
    sql: str
    key: str | list[str]
    has: tuple[Any, Any]
    accepted: tuple[int, int]
    arguments: dict[str, Any] = field(default_factory=dict)


def person(number: int, city: str, points: int) -> dict[str, Any]:
    return {"userId": f"u{number}", "email": f"u{number}@x.com", "city": city, "points": points}


U3 = {"userId": "u3", "city": "Oslo"}


def view(who: str, number: int, at: str) -> tuple[Any, ...]:
    fields = {"id": f"v-{number}", "url": f"/{'abc'[number - 1]}"}
    return (who, "Seen", datetime.fromisoformat(at), fields)


def purchase(number: int, who: str, at: str, total: int, *items: dict[str, Any]) -> tuple[Any, ...]:
    return (f"A-{number}", who, datetime.fromisoformat(at), float(total), list(items))


def passage(who: str, direction: str, name: str, key: str) -> tuple[str, ...]:
    return (who, f"Audience {direction}", name, key)


ENTRIES = [
    passage("u1", "Entered", "VIP", "vip"),
    passage("u2", "Entered", "New in Town", "new_in_town"),
    passage("u2", "Entered", "VIP", "vip"),
]
MEMBERS = "SELECT user_id, audience FROM {s}members"
MEMBERSHIP = ["user_id", "audience"]
CASES = {
    "users": Case(
        "Users",
        "SELECT user_id, email, city, points FROM {s}users",
        "user_id",
        (
            {"u1": person(1, "Bern", 1), "u2": person(2, "Rom", 2), "u3": U3},
            {
                "u1": {"userId": "u1", "email": "u1@x.com"},
                "u2": person(2, "Genf", 2),
                "u3": U3,
                "u4": person(4, "Lyon", 4),
            },
        ),
        (3, 2),
        {"options": {"on_remove": "clear"}},
    ),
    "traits": Case(
        "Traits",
        "SELECT user_id, trait, value FROM {s}traits",
        "user_id",
        (
            {
                "u1": {"userId": "u1", "spend_band": "low", "likes_tea": "yes"},
                "u2": {"userId": "u2", "spend_band": "high"},
            },
            {
                "u1": {"userId": "u1", "spend_band": "middle", "likes_tea": "yes"},
                "u2": {"userId": "u2", "likes_tea": "no"},
            },
        ),
        (2, 2),
        {"options": {"trait": "trait"}},
    ),
    "audiences": Case(
        "Audiences",
        MEMBERS,
        MEMBERSHIP,
        (
            {
                "u1": {"userId": "u1", "vip": True},
                "u2": {"userId": "u2", "vip": True, "new_in_town": True},
            },
            {
                "u1": {"userId": "u1", "vip": True},
                "u2": {"userId": "u2", "vip": False, "new_in_town": True},
                "u3": {"userId": "u3", "vip": True},
            },
        ),
        (3, 1),
    ),
    "subscriptions": Case(
        "Subscriptions",
        "SELECT user_id, 'messageType' AS subscription_group, 103 AS group_id, "
        "city <> 'Rom' AS subscribed FROM {s}users",
        ["user_id", "subscription_group", "group_id"],
        (
            # Who says no is not made by it.
            {who: {"userId": who, "subscribedMessageTypeIds": [103]} for who in ("u1", "u3")},
            {"u1": {"userId": "u1"}}
            | {
                who: {"userId": who, "subscribedMessageTypeIds": [103]}
                for who in ("u2", "u3", "u4")
            },
        ),
        (3, 2),
        {"options": {"on_remove": "unsubscribe"}},
    ),
    "subscriptions, all at once": Case(
        "Subscriptions",
        "SELECT user_id, CASE WHEN points > 1 THEN '[101]' ELSE '[102]' END "
        "AS unsubscribed_message_type_ids FROM {s}users",
        "user_id",
        (
            {
                who: {"userId": who, "unsubscribedMessageTypeIds": [left]}
                for who, left in (("u1", 102), ("u2", 101), ("u3", 102))
            },
            {
                who: {"userId": who, "unsubscribedMessageTypeIds": [left]}
                for who, left in (("u1", 102), ("u2", 101), ("u3", 102), ("u4", 101))
            },
        ),
        (3, 1),
        {"style": "overwrite", "options": {"allow_overwrite": True}},
    ),
    "audiences as lists": Case(
        "Audiences",
        MEMBERS,
        MEMBERSHIP,
        (
            {"VIP": ["u1", "u2"], "New in Town": ["u2"]},
            {"VIP": ["u1", "u3"], "New in Town": ["u2"]},
        ),
        (3, 1),
        {"style": "list"},
    ),
    "audiences as events": Case(
        "Audiences",
        MEMBERS,
        MEMBERSHIP,
        (
            ENTRIES,
            sorted(
                [
                    *ENTRIES,
                    passage("u2", "Exited", "VIP", "vip"),
                    passage("u3", "Entered", "VIP", "vip"),
                ]
            ),
        ),
        (3, 1),
        {"style": "event"},
    ),
    "lists": Case(
        "Lists",
        "SELECT DISTINCT user_id FROM {s}members WHERE audience = 'VIP'",
        "user_id",
        ({"Very important": ["u1", "u2"]}, {"Very important": ["u1", "u3"]}),
        (2, 1),
        {"options": {"list_name": "Very important"}},
    ),
    "orders": Case(
        "Orders",
        f"SELECT o.order_id, o.user_id, o.created_at, o.total, {LINE} "
        "FROM {s}orders o LEFT JOIN {s}lines l ON l.of_what = o.order_id",
        "order_id",
        (
            [purchase(1, "u1", E1, 20, CUP, TEA), purchase(2, "u2", E2, 7, POT)],
            [
                purchase(1, "u1", E1, 20, CUP, TEA),
                purchase(2, "u2", E2, 0, POT),
                purchase(3, "u1", E3, 5, TEA | {"quantity": 1}),
            ],
        ),
        (2, 2),
        {"first_sync": "all"},
    ),
    "carts": Case(
        "Carts",
        f"SELECT c.user_id, {LINE} "
        "FROM {s}carts c LEFT JOIN {s}lines l ON l.of_what = c.user_id",
        "user_id",
        (
            {
                "u1": {"userId": "u1", "shoppingCartItems": [CUP]},
                "u2": {"userId": "u2", "shoppingCartItems": []},
            },
            {
                "u1": {"userId": "u1", "shoppingCartItems": [CUP | {"quantity": 3}]},
                "u2": {"userId": "u2", "shoppingCartItems": []},
                "u3": {"userId": "u3", "shoppingCartItems": [TEA | {"quantity": 1}]},
            },
        ),
        (2, 2),
    ),
    "catalog": Case(
        "Catalog",
        "SELECT of_what || '/' || id AS line, name, price, quantity AS size__of FROM {s}lines",
        "line",
        (
            {
                "x--A-2d1-2fP1": {"name": "Cup", "price": 10, "size": {"of": 1}},
                "x--A-2d1-2fP2": {"name": "Tea", "price": 5, "size": {"of": 2}},
                "x--A-2d2-2fP3": {"name": "Pot", "price": 7, "size": {"of": 1}},
                "x--u1-2fP1": {"name": "Cup", "price": 10, "size": {"of": 1}},
            },
            {
                "x--A-2d1-2fP1": {"name": "Cup", "price": 10, "size": {"of": 1}},
                "x--A-2d1-2fP2": {"name": "Tea", "price": 5, "size": {"of": 2}},
                "x--A-2d2-2fP3": {"name": "Pot", "price": 7, "size": {"of": 1}},
                "x--A-2d3-2fP2": {"name": "Tea", "price": 5, "size": {"of": 1}},
                "x--u1-2fP1": {"name": "Cup", "price": 10, "size": {"of": 3}},
                "x--u3-2fP2": {"name": "Tea", "price": 5, "size": {"of": 1}},
            },
        ),
        (4, 3),
        {"options": {"catalog": "Lines", "create_catalog": True}},
    ),
    "events": Case(
        "Events",
        "SELECT id, user_id, created_at, url FROM {s}views",
        "id",
        (
            [view("u1", 1, E1), view("u2", 2, E2)],
            [view("u1", 1, E1), view("u1", 3, E3), view("u2", 2, E2)],
        ),
        (2, 1),
        {"options": {"event_name": "Seen"}},
    ),
}


def held(world: World, name: str) -> Any:
    """Give what the sandbox's dump has of an object, in the form in which it is written here."""
    dump = whole(world.server.app_state)
    if "list" in name:
        return {one["name"]: sorted(one["members"]) for one in dump["lists"]}
    if name == "catalog":
        (catalog,) = dump["catalogs"]
        return catalog["items"]
    if name == "audiences as events":
        return sorted(
            (
                e["key"],
                e["eventName"],
                e["dataFields"]["audience_name"],
                e["dataFields"]["audience_key"],
            )
            for e in dump["events"]
        )
    if name == "events":
        return sorted(
            ((e["key"], e["eventName"], moment(e), e["dataFields"]) for e in dump["events"]),
            key=lambda one: one[:3],
        )
    if name == "orders":
        return [
            (p["id"], p["key"], moment(p), p["total"], p["shoppingCartItems"])
            for p in sorted(dump["purchases"], key=lambda p: p["id"])
        ]
    # A first subscription gives a person all arrays, and the others are empty.
    return {
        key: {
            field: value
            for field, value in fields.items()
            if field != "itblUserId" and not ("subscription" in name and value == [])
        }
        for key, fields in world.users().items()
    }


def moment(event: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(event["createdAt"].replace(" +", "+"))


def connections(world: World) -> dict[str, str]:
    """Give the variables of the connections of a world, state beside the data in Postgres."""
    if world.engine == "duckdb":
        source, state = world.source.path, world.state.path  # type: ignore[attr-defined]
        databases = {
            "warehouse": {"conn_type": "duckdb", "host": source},
            "state": {"conn_type": "duckdb", "host": state},
        }
    else:
        where = psycopg.conninfo.conninfo_to_dict(world.source.conninfo)  # type: ignore[attr-defined]
        postgres = {
            "conn_type": "postgres",
            "host": where["host"],
            "schema": where["dbname"],
            "login": where["user"],
        }
        databases = {"warehouse": postgres, "state": postgres}
    extra = {"data_center": "us", "project_type": "userId", "project_id": "1", "sandbox": True}
    iterable = {
        "conn_type": "iterable",
        "host": world.server.url,
        "password": world.server.api_key,
        "extra": extra,
    }
    return connection_variables(databases | {"iterable_default": iterable})


@pytest.mark.capability("A36", "B1", "C1")
@pytest.mark.parametrize("name", CASES)
def test_first_and_later_sync_end_as_it_is_written(
    world: World, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The dump is what is written here, after each day, and a third run has nothing to send."""
    case = CASES[name]
    world.with_project(ProjectType.USER_ID)
    world.change(subscriptions_enabled=True)
    for variable, value in connections(world).items():
        monkeypatch.setenv(variable, value)
    world.execute(TABLES.format(s=world.prefix))
    operator = getattr(iterable_sync, f"Iterable{case.operator}Operator")

    def run(at: str) -> dict[str, Any]:
        with DAG("shop", schedule=None):
            task = operator(
                task_id="sync",
                sql=case.sql.format(s=world.prefix),
                key=case.key,
                state_conn_id="state",
                **case.arguments,
            )
        done = run_task(task, logical_date=at)
        assert "success" == done.state, done.error
        counts: dict[str, Any] = json.loads(json.dumps(done.xcoms["return_value"]))
        return counts

    for at, change, expected, accepted in zip(DAYS, DAY, case.has, case.accepted, strict=True):
        world.execute(change.format(s=world.prefix))

        assert accepted == run(at)["accepted"]
        assert expected == held(world, name)
    assert 0 == run(DAYS[-1])["requests"]
