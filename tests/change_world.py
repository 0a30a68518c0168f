"""Changes of e-mail addresses and merges in the small world of the harness."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from event_world import ago
from fakes import Clock
from harness import USERS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness import World
    from iterable_sync.rows import RunReport

CHANGES = {
    "change_id": "text",
    "old_email": "text",
    "new_email": "text",
    "changed_at": "timestamptz",
    "user_id": "text",
}
MERGES = {
    "merge_id": "text",
    "source_email": "text",
    "destination_email": "text",
    "requested_at": "timestamptz",
}
UPDATE_EMAIL = "/api/users/updateEmail"
MERGE = "/api/users/merge"


def mail(name: str) -> str:
    """Give the address of a letter; what has an @ is one."""
    return name if "@" in name or not name else f"{name}@example.com"


def change(
    number: int, old: str, new: str, who: str | None = None, *, minute: int | None = None
) -> tuple[Any, ...]:
    """Give a row of a change, a minute after the one of the number before."""
    at = ago(days=1, minutes=-(number if minute is None else minute))
    return (f"c{number}", mail(old), mail(new), at, who)


def merging(number: int, source: str, destination: str) -> tuple[Any, ...]:
    """Give a row of a merge."""
    return (f"m{number}", mail(source), mail(destination), ago(days=1, minutes=-number))


def seed(world: World, people: Iterable[str], **fields: Any) -> None:
    """Put people into Iterable past all syncs: letters of their addresses."""
    users = [
        {"email": mail(name), "userId": f"u-{name}", "dataFields": {"city": name} | fields}
        for name in people
    ]
    world.server.seed({"users": users})


def put_changes(world: World, *rows: tuple[Any, ...]) -> None:
    """Replace the changes of the warehouse."""
    world.put(*rows, columns=CHANGES, table="changes")


def sync_changes(
    world: World, *rows: tuple[Any, ...], client: Any = None, **changes: Any
) -> RunReport:
    """Run the sync of changes, of these rows if there are any; no test waits for real."""
    if rows:
        put_changes(world, *rows)
    names = ", ".join(changes.pop("columns", CHANGES))
    values = {
        "sync": "changes",
        "object": "email_changes",
        "sql": f"SELECT {names} FROM {world.prefix}changes",
        "key": "change_id",
        "first_sync": "all",
    }
    clock = Clock()
    return world.sync(
        world.spec(**values | changes),
        client=client,
        options={"clock": clock, "sleep": clock.sleep},
    )


def sync_merges(
    world: World, *rows: tuple[Any, ...], client: Any = None, **changes: Any
) -> RunReport:
    """Run the sync of merges, of these rows if there are any; no test waits for real."""
    columns = changes.pop("columns", MERGES)
    if rows:
        world.put(*rows, columns=columns, table="merges")
    values = {
        "sync": "merges",
        "object": "merge",
        "sql": f"SELECT * FROM {world.prefix}merges",
        "key": "merge_id",
        "first_sync": "all",
        "allow_merge": True,
    }
    clock = Clock()
    return world.sync(
        world.spec(**values | changes),
        client=client,
        options={"clock": clock, "sleep": clock.sleep},
    )


def put_users(world: World, **emails: str) -> None:
    """Replace the users of the warehouse: userId -> letter of the address."""
    rows = [(who, mail(email), f"City of {who}", 1) for who, email in emails.items()]
    world.put(*rows, columns=USERS)


def sync_users(world: World, **changes: Any) -> RunReport:
    """Run the sync of users, whatever table was put last."""
    return world.sync(sql=world.sql(*USERS), **changes)


def sent_changes(world: World) -> list[tuple[str, ...]]:
    """Give what the latest client asked for, by the letters of addresses."""
    assert world.client is not None
    return [tuple(map(_letter, body.values())) for body in world.client.bodies]


def addresses(world: World) -> dict[str, str]:
    """Give who has which address in Iterable, by the letter: userId -> letter."""
    return {fields.get("userId", "?"): _letter(key) for key, fields in world.users().items()}


def calls(world: World, path: str = UPDATE_EMAIL) -> int:
    """Count the requests that reached an endpoint since the last reset of the sandbox."""
    with world.server.app_state.lock:
        history = world.server.app_state.history.page(0, 10**9)
    return Counter(one.path for one in history)[path]


def _letter(value: Any) -> str:
    return str(value).removesuffix("@example.com")
