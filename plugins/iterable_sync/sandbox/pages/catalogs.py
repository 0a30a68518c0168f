"""Catalogs, their fields and their items."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .fields import badge_of, field_table
from .paging import cut
from .rendering import Shown, Table, code, day, link, missing, number, quiet

if TYPE_CHECKING:
    from starlette.requests import Request

    from ..state import State


def catalogs(state: State, _request: Request) -> Shown:
    """Show all catalogs by name."""
    rows = [
        (
            link(one.name, "catalogs", one.name),
            len(one.items),
            len(one.mappings),
            len(one.undefined()),
        )
        for one in sorted(state.catalogs, key=lambda one: one.name.lower())
    ]
    columns = ("Catalog", "Items", "Typed fields", "Fields without a type")
    return Shown("catalogs", {"table": Table("Catalogs", columns, rows)})


def catalog(state: State, request: Request) -> Shown:
    """Show a catalog: its fields, and its items in part."""
    found = state.catalogs.find(request.path_params["name"])
    if found is None:
        return missing("catalog", "/catalogs", "Catalogs")
    kinds = [(code(path), badge_of(kind)) for path, kind in sorted(found.mappings.items())]
    kinds += [(code(path), quiet("none")) for path in sorted(found.undefined())]
    part = cut(list(found.items.items()), request)
    items = [
        (
            link(item_id, "catalogs", found.name, item_id),
            f"{number(item.size)} bytes",
            day(item.modified_ms / 1000),
        )
        for item_id, item in part.rows
    ]
    values = {
        "name": found.name,
        "fields": Table("Fields", ("Field", "Type"), kinds, layout="dense"),
        "table": Table("Items", ("Item", "Size", "Last modified"), items),
        "part": part,
        "discard": state.settings.discard,
    }
    return Shown("catalog", values)


def item(state: State, request: Request) -> Shown:
    """Show one item of a catalog."""
    found = state.catalogs.find(request.path_params["name"])
    if found is None:
        return missing("catalog", "/catalogs", "Catalogs")
    item_id = request.path_params["item_id"]
    one = found.items.get(item_id)
    if one is None:
        return missing("item", f"/catalogs/{found.name}", found.name)
    values = {
        "catalog": found.name,
        "item_id": item_id,
        "facts": (("size", f"{one.size:,} bytes"), ("modified", day(one.modified_ms / 1000))),
        "fields": None
        if one.value is None
        else field_table("Fields of the item", one.value, found.mappings),
    }
    return Shown("item", values)
