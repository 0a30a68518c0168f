"""Reading back in the small world of the harness: looks at once, and what happens past a sync."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness import BULK
from iterable_sync.reconcile import reconcile

if TYPE_CHECKING:
    from harness import World
    from iterable_sync.drift import ReconcileReport


def look(world: World, **arguments: Any) -> ReconcileReport:
    """Reconcile at once, without waiting for anything."""
    known = {"settle_s": 0, "requests_per_s": 1e9, "sleep": lambda _s: None}
    return reconcile(
        arguments.pop("sync", "users"),
        client=arguments.pop("client", None) or world.connect(),
        state=world.state,
        **known | arguments,
    )


def lose(world: World, fraction: float, path: str = BULK) -> None:
    """Let Iterable take rows and not apply them, from now on."""
    world.server.app_state.fail([{"kind": "drop", "fraction": fraction, "endpoint": f"{path}*"}])


def lose_none(world: World) -> None:
    """Let Iterable apply what it takes again."""
    world.server.app_state.fail([])


def write_over(world: World, who: str, **fields: Any) -> None:
    """Write into a profile past the sync."""
    state = world.server.app_state
    with state.lock:
        for key, person in state.people.profiles():
            if key == who:
                person.fields.update(fields)


def delete(world: World, who: str) -> None:
    """Delete a person past the sync."""
    world.connect().send("DELETE", f"/api/users/{who}", b"")


def mail(number: int) -> str:
    return f"u{number}@example.com"
