"""Audiences in the small world of the harness: who is a member, and what Iterable has of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iterable_sync.rows import ProjectType

if TYPE_CHECKING:
    from harness import World
    from iterable_sync.rows import RunReport
    from iterable_sync.spec import SyncSpec

COLUMNS = {"user_id": "text", "audience": "text"}


def with_members(
    world: World, *rows: tuple[Any, ...], project: ProjectType = ProjectType.USER_ID
) -> World:
    """Turn a world into one of memberships, in a project by userId unless told."""
    world.with_project(project)
    put(world, *rows)
    return world


def put(
    world: World,
    *rows: tuple[Any, ...],
    columns: dict[str, str] | None = None,
    table: str = "memberships",
) -> None:
    """Replace the memberships of the warehouse: (user_id, audience) unless told."""
    world.put(*rows, columns=columns or COLUMNS, table=table)


def spec(world: World, **changes: Any) -> SyncSpec:
    """Give a sync of all memberships, as fields of people; ``object`` for other styles."""
    values = {
        "sync": "audiences",
        "object": "audiences",
        "sql": world.sql(table="memberships"),
        "key": ("user_id", "audience"),
    }
    return world.spec(**values | changes)


def sync(
    world: World, *, options: Any = None, client: Any = None, state: Any = None, **changes: Any
) -> RunReport:
    """Run the sync of all memberships."""
    return world.sync(spec(world, **changes), options=options, client=client, state=state)


def fields(world: World) -> dict[str, dict[str, Any]]:
    """Give the fields that Iterable holds of people, identifiers left out."""
    return {
        key: {n: v for n, v in held.items() if n not in {"email", "userId"}}
        for key, held in world.users().items()
    }


def sent(world: World) -> dict[str, dict[str, Any]]:
    """Give who was in the latest client's requests, and what was said of them."""
    return world.sent_fields


def events(world: World) -> list[tuple[str, str, str, str]]:
    """Give the events that Iterable has, as they came: (who, audience, direction, time)."""
    with world.server.app_state.lock:
        state = world.server.app_state
        rows = list(state.events.as_rows(list(state.people.profiles())))
    return [
        (
            row.get("userId") or row["email"],
            row["dataFields"]["audience_name"],
            row["eventName"].removeprefix("Audience "),
            row["createdAt"],
        )
        for row in rows
    ]
