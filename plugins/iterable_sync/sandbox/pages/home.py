"""The first page: how much there is, a person, the last requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .rendering import Shown
from .requests import request_table

if TYPE_CHECKING:
    from starlette.requests import Request

    from ..state import State

_LAST_REQUESTS = 10


def home(state: State, _request: Request) -> Shown:
    """Show the first page."""
    settings, plan = state.settings, state.faults
    faults = "none planned"
    if plan.rules:
        faults = f"{len(plan.rules)} {'on' if plan.enabled else 'off'}"
    values = {
        "tiles": (
            ("/people", "users", f"{len(state.people):,}"),
            ("/people", "events and purchases", f"{len(state.events):,}"),
            ("/lists", "lists", f"{len(state.lists):,}"),
            ("/catalogs", "catalogs", f"{len(state.catalogs):,}"),
            ("/fields", "user fields", f"{len(state.user_fields.kinds):,}"),
            ("/requests", "requests", f"{len(state.history):,}"),
            ("/limits", "rate limits", "on" if settings.rate_limits else "off"),
            ("/faults", "faults", faults),
        ),
        "project_type": settings.project_type.value,
        "region": settings.region.value.upper(),
        "requests": request_table(state.history.last(_LAST_REQUESTS)),
    }
    return Shown("home", values)
