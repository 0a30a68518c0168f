"""What a person sees in a browser."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from ..settings import ProjectType
from .catalogs import catalog, catalogs, item
from .faults import faults, switch_faults
from .fields import fields
from .home import home
from .limits import limits
from .lists import lists, one_list
from .people import people, person
from .rendering import Shown, render
from .requests import one_request, requests

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from ..state import State

    View = Callable[[State, Request], Shown]

# Nothing is loaded from elsewhere, and no script runs, whatever a profile holds.
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self';"
        " base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    # Not "no-referrer": a browser then sends forms without their origin, and `guard` refuses them.
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_FILES = (("/style.css", "text/css"), ("/icon.svg", "image/svg+xml"))
_VIEWS: tuple[tuple[str, View], ...] = (
    ("/", home),
    ("/people", people),
    ("/people/{number}", person),
    ("/lists", lists),
    ("/lists/{list_id}", one_list),
    ("/catalogs", catalogs),
    ("/catalogs/{name}", catalog),
    ("/catalogs/{name}/{item_id}", item),
    ("/fields", fields),
    ("/requests", requests),
    ("/requests/{seq}", one_request),
    ("/limits", limits),
    ("/faults", faults),
)


def page_routes(state: State) -> list[Route]:
    """Return the pages for *state*."""

    async def change_faults(request: Request) -> Response:
        # Not from another site: see `guard`.
        body = await request.body()
        with state.lock:
            shown = switch_faults(state, body)
        return _answer(state, request, shown)

    return [
        *(Route(path, _page(state, view), methods=["GET"]) for path, view in _VIEWS),
        *(Route(path, _file(path, kind), methods=["GET"]) for path, kind in _FILES),
        Route("/faults", change_faults, methods=["POST"]),
    ]


def _page(state: State, view: View) -> Callable[[Request], Any]:
    async def show(request: Request) -> Response:
        with state.lock:
            shown = view(state, request)
        return _answer(state, request, shown)

    return show


def _file(path: str, media_type: str) -> Callable[[Request], Any]:
    content = (Path(__file__).parent / "files" / path[1:]).read_bytes()

    async def send(_request: Request) -> Response:
        return Response(content, headers=_HEADERS, media_type=media_type)

    return send


def _answer(state: State, request: Request, shown: Shown) -> Response:
    if shown.location is not None:
        return RedirectResponse(shown.location, shown.status, headers=_HEADERS)
    settings = state.settings
    by_user_id = settings.project_type is ProjectType.USER_ID
    host, port = request.scope.get("server") or ("127.0.0.1", 80)
    values = {
        "here": request.url.path,
        "base": f"http://{host}:{port}",
        "api_key": settings.api_key,
        # Of the body of an example: somebody whom this type of project knows.
        "someone": '"userId": "ada-1"' if by_user_id else '"email": "ada@example.com"',
        "discard": settings.discard,
        **shown.values,
    }
    page = render(Shown(shown.template, values))
    return HTMLResponse(page, shown.status, headers=_HEADERS)
