"""Events in the small world of the harness: rows of a table that grows, and what Iterable has."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from iterable_sync.rows import ProjectType

if TYPE_CHECKING:
    from harness import World
    from iterable_sync.rows import RunReport
    from iterable_sync.spec import SyncSpec

COLUMNS = {"id": "bigint", "user_id": "text", "created_at": "timestamptz", "total": "bigint"}
NOW = datetime.now(UTC).replace(microsecond=0)


def ago(days: float = 0, **more: float) -> str:
    """Give a time so long before the tests began."""
    return (NOW - timedelta(days=days, **more)).isoformat(sep=" ")


def event(number: int, days: float = 0, *, who: str = "u1", total: int | None = None) -> tuple:  # type: ignore[type-arg]
    """Give a row that happened so many days ago."""
    return (number, who, ago(days), number if total is None else total)


def with_events(world: World, *rows: tuple[Any, ...]) -> World:
    """Turn a world into one of events, in a project by userId."""
    world.with_project(ProjectType.USER_ID)
    put(world, *rows)
    return world


def put(world: World, *rows: tuple[Any, ...], columns: dict[str, str] | None = None) -> None:
    """Replace the events of the warehouse."""
    world.put(*rows, columns=columns or COLUMNS, table="events")


def spec(world: World, **changes: Any) -> SyncSpec:
    """Give a sync of all events."""
    values = {
        "sync": "events",
        "object": "events",
        "sql": world.sql(table="events"),
        "key": "id",
        "event_name": "Bought",
    }
    return world.spec(**values | changes)


def sync(world: World, *, options: Any = None, client: Any = None, **changes: Any) -> RunReport:
    """Run the sync of all events."""
    return world.sync(spec(world, **changes), options=options, client=client)


def sent(world: World) -> list[int]:
    """Give the numbers of the events in the latest client's requests, in the order of the rows."""
    assert world.client is not None
    return [row["dataFields"]["id"] for body in world.client.bodies for row in body["events"]]


def arrived(world: World) -> list[dict[str, Any]]:
    """Give all events that Iterable has, by their own ids."""
    with world.server.app_state.lock:
        state = world.server.app_state
        rows = list(state.events.as_rows(list(state.people.profiles())))
    return sorted(rows, key=lambda row: (row["dataFields"].get("id", 0), row["id"]))


def numbers(world: World) -> list[int]:
    """Give the numbers of the events that Iterable has, one for each event."""
    return [row["dataFields"]["id"] for row in arrived(world)]


def kept(world: World) -> tuple[str | None, str | None, str | None]:
    """Give cursor, oldest unresolved time and low water."""
    found = world.rows("SELECT cursor_at, unresolved_since, low_water FROM {syncs}")
    return found[0]
