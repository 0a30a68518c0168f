"""What a person sees in a browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from .home import home

if TYPE_CHECKING:
    from starlette.requests import Request

    from ..state import State

# Nothing is loaded from anywhere, and no script runs, whatever a profile holds.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
}


def page_routes(state: State) -> list[Route]:
    """Return the pages for *state*."""

    async def show_home(request: Request) -> Response:
        with state.lock:
            page = home(state, find=request.query_params.get("find", "").strip())
        return HTMLResponse(page, headers=_HEADERS)

    return [Route("/", show_home)]
