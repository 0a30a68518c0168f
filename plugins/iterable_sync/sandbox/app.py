"""The parts put together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import FastAPI
from starlette.responses import Response
from starlette.routing import Mount

from .answers import NOT_FOUND_PAGE
from .control import control_routes
from .gate import Gate
from .pages import page_routes
from .routes import ENDPOINTS
from .settings import Settings
from .state import State

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

_LOCAL_HOSTS = ("127.0.0.1", "localhost", "")


def create_app(settings: Settings | None = None, *, state: State | None = None) -> FastAPI:
    """
    Return the sandbox as an application; what it remembers is in ``app.state.sandbox``.

    Args:
        settings: the switches at the start, unless a *state* is given.

        state: what it goes on with.
    """
    state = state or State(settings or Settings())
    app = FastAPI(
        title="Iterable sandbox",
        openapi_url=None,
        redirect_slashes=False,
        routes=[
            *page_routes(state),
            *control_routes(state),
            Mount("/api", Gate(state, ENDPOINTS)),
        ],
        exception_handlers={404: _not_found, 405: _not_found},
    )
    app.state.sandbox = state
    app.add_middleware(_LocalOnly)
    return app


async def _not_found(_request: Request, _error: Exception) -> Response:
    return Response(NOT_FOUND_PAGE, 404, media_type="text/html")


class _LocalOnly:
    """
    Shows the page and the controls under a local name only.

    Both work without a key. A foreign web page could otherwise give its own name the address
    127.0.0.1 and read along.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not scope["path"].startswith("/api/"):
            host = dict(scope["headers"]).get(b"host", b"").decode("latin-1")
            if host.partition(":")[0] not in _LOCAL_HOSTS:
                await Response("not a local address\n", 421)(scope, receive, send)
                return
        await self._app(scope, receive, send)
