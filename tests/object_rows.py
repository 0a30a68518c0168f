"""
Rows that any sync object takes, made of what it declares, and what Iterable has of them.

A row is a person, or an item where rows are of no people; it is in the audience ``VIP`` where rows
are memberships; what it *says* is in the columns that the object sends. Nothing here is about one
object: a new one has its rows by being there.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from event_world import ago
from fakes import Clock
from iterable_sync import objects
from iterable_sync.rows import ProjectType, Role
from iterable_sync.sandbox.dump import whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from harness import World
    from iterable_sync.rows import RunReport
    from iterable_sync.spec import SyncSpec
    from iterable_sync.sync_object import SyncObject

AUDIENCE = "VIP"
CATALOG = "Rows"
# The first ids that the sandbox gives to lists.
LISTS = (100_001, 100_002)
IDENTITY = {"email", "userId"}
_AT = ago(hours=1)
_TYPES = {
    Role.AUDIENCE: "text",
    Role.CREATED_AT: "timestamptz",
    Role.EMAIL_LISTS: "text",
    Role.EVENT_NAME: "text",
    Role.GROUP: "text",
    Role.GROUP_ID: "bigint",
    Role.ITEMS: "text",
    Role.PURCHASED_AT: "timestamptz",
    Role.SUBSCRIBED: "boolean",
    Role.TOTAL: "double precision",
}


_KEY = ("user_id", "audience", "subscription_group", "group_id", "item")


def that_say() -> list[str]:
    """Give the objects whose rows say something: of a request nothing is left but what it did."""
    return [name for name in objects.names() if not objects.get(name).shape.is_final]


def can_change(sync_object: SyncObject) -> bool:
    """Tell whether a row can say something else later."""
    return not sync_object.shape.is_append_only and _says(sync_object)


def _says(sync_object: SyncObject) -> bool:
    roles = sync_object.shape.roles
    return _has_city(sync_object) or Role.ITEMS in roles or Role.EMAIL_LISTS in roles


def _has_city(sync_object: SyncObject) -> bool:
    shape = sync_object.shape
    return shape.has_fields and Role.ITEMS not in shape.roles


def table_of(sync_object: SyncObject) -> str:
    """Give the table of the warehouse that has the rows."""
    return f"rows_of_{sync_object.name}"


def columns_of(sync_object: SyncObject) -> dict[str, str]:
    """Give the columns of a model: name -> SQL type."""
    found = (
        {"user_id": "text", "email": "text"} if sync_object.shape.of_people else {"item": "text"}
    )
    for role, names in sync_object.shape.roles.items():
        if role in _TYPES:
            found[names[0] if names else role.value] = _TYPES[role]
    return found | ({"city": "text"} if _has_city(sync_object) else {})


def row(sync_object: SyncObject, number: int, says: str = "A", **instead: Any) -> tuple[Any, ...]:
    """
    Give the row of a person.

    Args:
        says: the value of what can change.

        instead: column -> another value.
    """
    item = {"id": "P1", "name": says, "price": 2.5, "quantity": 1}
    values = {
        "user_id": f"u{number}",
        "item": f"u{number}",
        "email": f"u{number}@example.com",
        "audience": AUDIENCE,
        "created_at": _AT,
        "event_name": "Seen",
        "items": json.dumps([item]),
        "subscription_group": "emailList",
        "group_id": LISTS[0],
        "subscribed": True,
        "email_list_ids": json.dumps(LISTS[:1] if says == "A" else LISTS),
        "total": 2.5,
        "city": says,
    } | instead
    return tuple(values[name] for name in columns_of(sync_object))


def rows(sync_object: SyncObject, numbers: Iterable[int], says: str = "A") -> list[tuple[Any, ...]]:
    """Give the rows of people."""
    return [row(sync_object, number, says) for number in numbers]


def put(world: World, sync_object: SyncObject, *given: tuple[Any, ...]) -> None:
    """Replace the rows of the warehouse."""
    world.put(*given, columns=columns_of(sync_object), table=table_of(sync_object))


def with_rows(
    world: World,
    sync_object: SyncObject,
    *given: tuple[Any, ...],
    project: ProjectType = ProjectType.USER_ID,
) -> World:
    """
    Turn a world into one with these rows, and a project that has nobody.

    By e-mail it has two people, of whom nothing is known: it drops events of others.
    """
    world.with_project(project)
    if project is ProjectType.EMAIL:
        world.server.seed({"users": [{"email": f"u{n}@example.com"} for n in (1, 2)]})
    if sync_object.shape.needs_catalog:
        with world.server.app_state.lock:
            world.server.app_state.catalogs.create(CATALOG)
    if sync_object.shape.roles.keys() & {Role.GROUP, Role.EMAIL_LISTS}:
        world.change(subscriptions_enabled=True)
        with world.server.app_state.lock:
            made = [world.server.app_state.lists.create(name, 1) for name in (AUDIENCE, "Other")]
        assert list(LISTS) == [one.id for one in made]
    put(world, sync_object, *given)
    return world


def spec(world: World, sync_object: SyncObject, **changes: Any) -> SyncSpec:
    """Give the sync of all rows."""
    names = columns_of(sync_object)
    values = {
        "sync": sync_object.name,
        "object": sync_object.name,
        "sql": world.sql(*names, table=table_of(sync_object)),
        "key": [name for name in _KEY if name in names],
        "first_sync": "all",
        "guards": {"min_rows": 0},
        "thresholds": {"max_rejected": 1},
    }
    if sync_object.shape.needs_catalog:
        values |= {"catalog": CATALOG, "create_catalog": True}
    if "allow_overwrite" in sync_object.settings:
        values["allow_overwrite"] = True
    return world.spec(**values | changes)


def sync(world: World, sync_object: SyncObject, *, client: Any = None, **changes: Any) -> RunReport:
    """Run the sync of all rows; no test waits for real."""
    clock = Clock()
    return world.sync(
        spec(world, sync_object, **changes),
        client=client,
        options={"clock": clock, "sleep": clock.sleep},
    )


def rows_in(sync_object: SyncObject, body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Give the rows in a parsed request; one for a list, or a catalog, has none."""
    if not sync_object.array:
        return [dict(body)]
    held = body.get(sync_object.array, body.get("users", ()))
    if isinstance(held, dict):
        return [{"id": name, **fields} for name, fields in held.items()]
    # Some requests have nothing of a person but who it is.
    who = "userId" if sync_object.array in body else "email"
    return [{who: one} if isinstance(one, str) else one for one in held]


def sent(world: World, sync_object: SyncObject) -> list[dict[str, Any]]:
    """Give the rows in the requests of the latest client, in an order of their own."""
    assert world.client is not None
    found = [row for body in world.client.bodies for row in rows_in(sync_object, body)]
    return sorted(found, key=json.dumps)


def said(world: World) -> dict[str, Any]:
    """
    Give what Iterable has, each thing as it was said last.

    Returns:
        ``people``: key -> fields with a value; ``lists``: name -> members; ``events``: (who,
        audience) -> name and data fields of the latest; ``purchases``: id -> what was bought;
        ``items``: id -> fields with a value; and ``happened``: how many events and purchases there
        are. Iterable's own event of each request for a cart is none of them.
    """
    dump = whole(world.server.app_state)
    own = [event for event in dump["events"] if event["eventName"] != "updateCart"]
    return {
        "people": {key: _with_value(fields) for key, fields in world.users().items()},
        "lists": {one["name"]: sorted(one["members"]) for one in dump["lists"]},
        "events": {
            (event["key"], event["dataFields"].get("audience_name")): (
                event["eventName"],
                event["dataFields"],
            )
            for event in own
        },
        "purchases": {
            one["id"]: (one["key"], one["total"], one["shoppingCartItems"])
            for one in dump["purchases"]
        },
        "items": {
            name: _with_value(fields)
            for catalog in dump["catalogs"]
            for name, fields in catalog["items"].items()
        },
        "happened": (len(own), len(dump["purchases"])),
    }


def whom(world: World) -> list[str]:
    """Give of whom Iterable has more than who it is."""
    has = said(world)
    told = {key for key, fields in has["people"].items() if fields.keys() - IDENTITY}
    told |= {member for members in has["lists"].values() for member in members}
    told |= (
        has["items"].keys()
        | {who for who, _ in has["events"]}
        | {who for who, *_ in has["purchases"].values()}
    )
    return sorted(told)


def _with_value(fields: Mapping[str, Any]) -> dict[str, Any]:
    named = {name: value for name, value in fields.items() if name != "itblUserId"}
    return {name: value for name, value in named.items() if value not in (None, [])}
