"""A project with people in many syncs, and requests about them: deletions, for tests of effects."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from event_world import ago
from fakes import Clock
from iterable_sync.rows import ProjectType

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness import World
    from iterable_sync.rows import RunReport

REQUESTS = {
    "id": "bigint",
    "email": "text",
    "user_id": "text",
    "action": "text",
    "requested_at": "timestamptz",
}
_USERS = {"user_id": "text", "email": "text", "city": "text"}
_EVENTS = {"id": "bigint", "user_id": "text", "email": "text", "created_at": "timestamptz"}
_MEMBERS = {"user_id": "text", "email": "text"}
_CARTS = {"user_id": "text", "email": "text", "items": "text"}
_ORDERS = {
    "user_id": "text",
    "email": "text",
    "total": "double precision",
    "created_at": "timestamptz",
    "items": "text",
}
_ITEMS = json.dumps([{"id": "P1", "name": "Cup", "price": 2.5, "quantity": 1}])
TABLES: dict[str, dict[str, str]] = {
    "users": _USERS,
    "events": _EVENTS,
    "lists": _MEMBERS,
    "carts": _CARTS,
    "orders": _ORDERS,
}
OPTIONS: dict[str, dict[str, Any]] = {
    "users": {"key": "user_id"},
    "events": {"key": "id", "event_name": "Seen"},
    "lists": {"key": "user_id", "list_name": "Good"},
    "carts": {"key": "user_id"},
    "orders": {"key": "user_id", "first_sync": "all"},
}


def email(number: int) -> str:
    """Give the address of a person, in a spelling that nobody sends."""
    return f"Person{number}@Example.com"


def user_id(number: int) -> str:
    return f"Known-{number}"


def put_people(world: World, *numbers: int, city: str = "Bern") -> None:
    """Let the warehouse have these people, in all of its tables."""
    for table, columns in TABLES.items():
        values = {
            "city": city,
            "created_at": ago(days=1),
            "items": _ITEMS,
            "total": 2.5,
        }
        rows = [
            tuple(
                {**values, "id": n, "user_id": user_id(n), "email": email(n)}[name]
                for name in columns
            )
            for n in numbers
        ]
        world.put(*rows, columns=columns, table=table)


def put_requests(world: World, *rows: tuple[int, int, str, float]) -> None:
    """Replace the requests: number, about whom, what, and so many days ago."""
    world.put(
        *(
            (number, email(who), user_id(who), action, ago(days))
            for number, who, action, days in rows
        ),
        columns=REQUESTS,
        table="requests",
    )


def sync_one(world: World, name: str, *, client: Any = None, **changes: Any) -> RunReport:
    """Run one of the syncs of people."""
    values = {
        "sync": name,
        "object": name,
        "sql": world.sql(*TABLES[name], table=name),
        **OPTIONS[name],
        "guards": {"min_rows": 0},
    }
    clock = Clock()
    return world.sync(
        world.spec(**values | changes),
        client=client,
        options={"clock": clock, "sleep": clock.sleep},
    )


def sync_people(world: World, *names: str) -> dict[str, RunReport]:
    """Run all syncs of people, or those that are named."""
    return {name: sync_one(world, name) for name in names or TABLES}


def requests_spec(world: World, **changes: Any) -> Any:
    """Give the sync of the requests."""
    values = {
        "sync": "deletions",
        "object": "deletions",
        "sql": world.sql(*REQUESTS, table="requests"),
        "key": "id",
        "first_sync": "all",
        "guards": {"min_rows": 0},
    }
    return world.spec(**values | changes)


def delete(world: World, *, client: Any = None, state: Any = None, **changes: Any) -> RunReport:
    """Make the requests."""
    clock = Clock()
    return world.sync(
        requests_spec(world, **changes),
        client=client,
        state=state,
        options={"clock": clock, "sleep": clock.sleep},
    )


def with_people(
    world: World, kind: ProjectType, *numbers: int, syncs: Iterable[str] = TABLES
) -> World:
    """Turn a world into a project of a type whose syncs have sent these people."""
    world.with_project(kind)
    put_people(world, *numbers)
    if kind is ProjectType.EMAIL:
        world.server.seed({"users": [{"email": email(n).lower()} for n in numbers]})
    for report in sync_people(world, *syncs).values():
        assert report.accepted == len(numbers), (report.sync, report.rejected_by_reason)
    return world


def known_by(world: World, number: int) -> str:
    """Give what a person is known by in Iterable."""
    return email(number).lower() if world.project_type is ProjectType.EMAIL else user_id(number)


def there(world: World) -> set[str]:
    """Give whom Iterable has a profile of."""
    return set(world.users())


def everything(world: World) -> dict[str, list[str]]:
    """Give all rows of all tables of the state, as text."""
    with world.state.session() as session:
        names = world.state.tables_of(session, "")
        found = {}
        for name in names:
            columns = world.state.columns_of(session, name)
            row = " || '|' || ".join(f"COALESCE(CAST(\"{c}\" AS text), '')" for c in columns)
            rows = session.rows(f"SELECT {row} FROM {world.state.table(name)}")
            found[name] = [text for (text,) in rows]
    return found


def hits(world: World, *texts: str) -> list[tuple[str, str]]:
    """Give the rows of the state that have one of these texts in them, in any case."""
    return [
        (name, row)
        for name, rows in everything(world).items()
        for row in rows
        if any(text.lower() in row.lower() for text in texts)
    ]


def of_people(rows: Iterable[str], number: int) -> list[str]:
    """Give those of some texts that are about a person."""
    return [row for row in rows if email(number).lower() in row.lower() or user_id(number) in row]
