"""Subscriptions in the small world of the harness: what people say, and what Iterable has of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iterable_sync.rows import ProjectType

if TYPE_CHECKING:
    from harness import World
    from iterable_sync.rows import RunReport
    from iterable_sync.spec import SyncSpec

SAID = {
    "user_id": "text",
    "subscription_group": "text",
    "group_id": "bigint",
    "subscribed": "boolean",
}
ARRAYS = {
    "user_id": "text",
    "email_list_ids": "text",
    "unsubscribed_channel_ids": "text",
    "unsubscribed_message_type_ids": "text",
    "subscribed_message_type_ids": "text",
}
# Those that the sandbox has: one out of which people opt, and one into which they opt.
OPT_OUT, OPT_IN, CHANNEL = 101, 103, 1
_FIELDS = (
    "emailListIds",
    "userListIds",
    "unsubscribedChannelIds",
    "unsubscribedMessageTypeIds",
    "subscribedMessageTypeIds",
)

Said = tuple[str, str, Any, bool | None]


def with_project(world: World, kind: ProjectType) -> None:
    """Turn a world into one of a project for which Iterable has enabled all of it."""
    world.with_project(kind)
    world.change(subscriptions_enabled=True, opt_in_message_types=True)


def with_said(world: World, *rows: Said, people: int = 0) -> World:
    """Turn a world into one of a project with so many people, and what they say."""
    with_project(world, ProjectType.USER_ID)
    world.server.seed({"users": [{"userId": f"u{n}"} for n in range(1, people + 1)]})
    put(world, *rows)
    return world


def put(world: World, *rows: tuple[Any, ...], columns: dict[str, str] | None = None) -> None:
    """Replace what people say in the warehouse."""
    world.put(*rows, columns=columns or SAID, table="said")


def offers(number: int, answer: bool | None) -> Said:
    """Give what somebody says to a message type that one is subscribed to at first."""
    return (f"u{number}", "messageType", OPT_OUT, answer)


def partners(number: int, answer: bool | None) -> Said:
    """Give what somebody says to a message type that one is not subscribed to at first."""
    return (f"u{number}", "messageType", OPT_IN, answer)


def spec(world: World, **changes: Any) -> SyncSpec:
    """Give the sync of what people say; of whole arrays with ``object="subscription_arrays"``."""
    is_single = changes.get("object", "subscriptions") == "subscriptions"
    values = {
        "sync": "said",
        "object": "subscriptions",
        "sql": world.sql(table="said"),
        "key": ("user_id", "subscription_group", "group_id") if is_single else ("user_id",),
    }
    return world.spec(**values | changes)


def sync(world: World, *, options: Any = None, client: Any = None, **changes: Any) -> RunReport:
    """Run the sync; no test waits for real."""
    waits = {"sleep": lambda _s: None} | (options or {})
    return world.sync(spec(world, **changes), options=waits, client=client)


def sent(world: World) -> list[tuple[str, dict[str, Any]]]:
    """Give group, id and action, and body of the requests of the latest client, in order."""
    assert world.client is not None
    paths = [path.removeprefix("/api/subscriptions/") for _, path in world.client.endpoints]
    return list(zip(paths, world.client.bodies, strict=True))


def has(world: World) -> dict[str, dict[str, list[int]]]:
    """Give what Iterable has of each person: array -> ids, where there are any."""
    return {
        who: {name: sorted(fields[name]) for name in _FIELDS if fields.get(name)}
        for who, fields in world.users().items()
    }


def endpoints(world: World) -> list[tuple[str, str]]:
    """Give method and path of the writes of the latest client, in order."""
    assert world.client is not None
    return world.client.endpoints
