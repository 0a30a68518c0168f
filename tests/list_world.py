"""Static lists in the small world of the harness: rows that are members, and what Iterable has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iterable_sync.sandbox.memberships import ListKind

if TYPE_CHECKING:
    from harness import World
    from iterable_sync.rows import RunReport
    from iterable_sync.spec import SyncSpec

NAME = "VIP"
MEMBERS = {"email": "text"}
AUDIENCES = {"email": "text", "audience": "text"}


def mails(*numbers: int) -> list[tuple[str]]:
    """Give rows of one column, ``u<n>@example.com``."""
    return [(f"u{n}@example.com",) for n in numbers]


def put(world: World, *rows: tuple[Any, ...], columns: dict[str, str] | None = None) -> None:
    """Replace the members of the warehouse."""
    world.put(*rows, columns=columns or MEMBERS, table="members")


def spec(world: World, **changes: Any) -> SyncSpec:
    """Give a sync of one list; without *list_name* of those that a column names."""
    values = {
        "sync": "vip",
        "object": "lists",
        "sql": world.sql(table="members"),
        "key": "email",
        "list_name": NAME,
    }
    return world.spec(**{k: v for k, v in (values | changes).items() if v is not None})


def sync(world: World, *, options: Any = None, client: Any = None, **changes: Any) -> RunReport:
    """Run the sync; no test waits for real."""
    waits = {"sleep": lambda _s: None} | (options or {})
    return world.sync(spec(world, **changes), options=waits, client=client)


def create(world: World, name: str = NAME, kind: ListKind = ListKind.STANDARD) -> int:
    """Create a list in Iterable, by hand."""
    with world.server.app_state.lock:
        return world.server.app_state.lists.create(name, 1, kind=kind).id


def delete(world: World, number: int) -> None:
    """Delete a list in Iterable, by hand."""
    with world.server.app_state.lock:
        world.server.app_state.lists.delete(number)


def subscribe(world: World, number: int, *mails: str) -> None:
    """Put people into a list past the sync."""
    client = world.connect()
    body = {"listId": number, "subscribers": [{"email": mail} for mail in mails]}
    import orjson

    client.send("POST", "/api/lists/subscribe", orjson.dumps(body))


def ids(world: World, name: str = NAME) -> list[int]:
    """Give the ids of the lists of a name."""
    with world.server.app_state.lock:
        found = world.server.app_state.lists.newest_first()
    return sorted(one.id for one in found if one.name == name)


def members(world: World, name: str = NAME) -> set[str]:
    """Give who is in the one list of a name: e-mail, or userId where there is none."""
    (number,) = ids(world, name)
    return members_of(world, number)


def members_of(world: World, number: int) -> set[str]:
    """Give who is in a list."""
    with world.server.app_state.lock:
        state = world.server.app_state
        inside = state.lists.get(number).members
        people = [person for _, person in state.people.profiles() if person.number in inside]
        return {person.email or person.user_id for person in people}


def pins(world: World) -> dict[str, tuple[int | None, bool | None]]:
    """Give what the state says of names: id, and whether it was created for a sync."""
    rows = world.rows("SELECT name, list_id, created FROM {lists}")
    return {name: (number, created) for name, number, created in rows}


def requests(world: World, *, method: str = "POST") -> list[str]:
    """Give the paths of the requests that the sandbox got, in order."""
    with world.server.app_state.lock:
        found = world.server.app_state.history.page(0, 10**9)
    return [entry.path for entry in found if entry.method == method][::-1]
