"""The parts put together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.responses import Response

from .answers import NOT_FOUND_PAGE
from .control import control_routes
from .gate import Gate
from .guard import LocalOnly
from .pages import page_routes
from .routes import ENDPOINTS
from .settings import Settings
from .state import State

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send


def create_app(settings: Settings | None = None, *, state: State | None = None) -> ASGIApp:
    """
    Return the sandbox as an application.

    Args:
        settings: the switches at the start, unless a *state* is given.

        state: what it goes on with.
    """
    state = state or State(settings or Settings())
    rest = Starlette(
        routes=[*page_routes(state), *control_routes(state)],
        exception_handlers={404: _not_found, 405: _not_found},
    )
    rest.router.redirect_slashes = False
    return _Front(Gate(state, ENDPOINTS), LocalOnly(rest))


async def _not_found(_request: Request, _error: Exception) -> Response:
    return Response(NOT_FOUND_PAGE, 404, media_type="text/html")


class _Front:
    """
    Gives the API to the gate, and all else to the page and the controls.

    Nothing lies between the server and the gate: faults of the connection need the server's own
    ``send``, and small requests are answered faster.
    """

    def __init__(self, api: ASGIApp, rest: ASGIApp) -> None:
        self._api = api
        self._rest = rest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_api = scope["path"].startswith("/api/")
        await (self._api if is_api else self._rest)(scope, receive, send)
