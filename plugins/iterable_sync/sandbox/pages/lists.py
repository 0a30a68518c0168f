"""Lists with their sizes and members."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .paging import cut
from .people import people_table
from .rendering import Shown, Table, day, link, missing

if TYPE_CHECKING:
    from starlette.requests import Request

    from ..state import State


def lists(state: State, _request: Request) -> Shown:
    """Show all lists, newest first."""
    rows = [
        (link(one.name, "lists", one.id), str(one.id), one.kind.value, len(one.members),
         day(one.created_at_ms / 1000))
        for one in state.lists.newest_first()
    ]  # fmt: skip
    table = Table("Lists", ("List", "Id", "Type", "Members", "Created"), rows)
    return Shown("lists", {"table": table})


def one_list(state: State, request: Request) -> Shown:
    """Show a list and who is in it."""
    wanted = request.path_params["list_id"]
    found = next((one for one in state.lists.newest_first() if str(one.id) == wanted), None)
    if found is None:
        return missing("list", "/lists", "Lists")
    part = cut(sorted(found.members), request)
    numbers = set(part.rows)
    members = [one for _, one in state.people.profiles() if one.number in numbers]
    values = {
        "name": found.name,
        "description": found.description,
        "facts": (
            ("id", found.id),
            ("type", found.kind.value),
            ("members", f"{len(found.members):,}"),
            ("created", day(found.created_at_ms / 1000)),
        ),
        "table": people_table("Members", members),
        "part": part,
        "discard": state.settings.discard,
    }
    return Shown("list", values)
