"""The fields of a project, and those of one person or item."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .rendering import Shown, Table, code, json_value, quiet

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from starlette.requests import Request

    from ..state import State


def fields(state: State, _request: Request) -> Shown:
    """Show the types of all fields: of users, and per name of custom events and of purchases."""
    registries = [("Users", "user fields", state.user_fields.kinds)]
    for kind, names in state.event_fields.as_json().items():
        for name, kinds in sorted(names.items()):
            title = f"Event {name}" if kind == "customEvent" else "Purchases"
            registries.append((title, f"fields of {title}", kinds))
    parts = [
        (title, len(kinds), Table(caption, ("Field", "Type"), _kind_rows(kinds), layout="dense"))
        for title, caption, kinds in registries
    ]
    return Shown("fields", {"parts_": parts, "create": state.settings.create_new_fields})


def field_table(caption: str, value: Mapping[str, Any], kinds: Mapping[str, str]) -> Table:
    """Return the fields of a person or an item, nested ones by their dotted path."""
    rows = [
        (
            code(path),
            badge_of(kinds[path]) if path in kinds else quiet("none yet"),
            json_value(inner),
        )
        for path, inner in _flat("", value)
    ]
    return Table(caption, ("Field", "Type", "Value"), rows, layout="dense")


def badge_of(kind: str) -> object:
    """Return the name of a type as it is shown."""
    return code(str(kind))


def _kind_rows(kinds: Mapping[str, str]) -> list[tuple[object, object]]:
    return [(code(path), badge_of(kind)) for path, kind in sorted(kinds.items())]


def _flat(parent: str, fields_: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in sorted(fields_.items()):
        path = f"{parent}{name}"
        # A place is one value: its type stands with it, not with its two numbers.
        if isinstance(value, dict) and value and value.keys() != {"lat", "lon"}:
            yield from _flat(f"{path}.", value)
        else:
            yield path, value
