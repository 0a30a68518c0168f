"""Who may see the page and the controls: neither needs a key, so only this machine's people."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.responses import Response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import ASGIApp, Receive, Scope, Send

_LOCAL_HOSTS = ("127.0.0.1", "localhost", "")
_READING = ("GET", "HEAD", "OPTIONS")
# What a browser sends with a request from the same page, or from its address bar.
_OWN_SITES = ("same-origin", "none")


class LocalOnly:
    """
    Lets requests through that name this machine and do not come from another web page.

    A foreign page could give its own name the address 127.0.0.1 and read along, or send a form
    here without being able to read the answer.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass the request on."""
        headers = {name: text.decode("latin-1") for name, text in scope["headers"]}
        if headers.get(b"host", "").partition(":")[0] not in _LOCAL_HOSTS:
            await Response("not a local address\n", 421)(scope, receive, send)
        elif scope["method"] not in _READING and _is_cross_site(headers):
            await Response("not from another site\n", 403)(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def _is_cross_site(headers: Mapping[bytes, str]) -> bool:
    if headers.get(b"sec-fetch-site", "none") not in _OWN_SITES:
        return True
    origin = headers.get(b"origin")
    return origin is not None and urlsplit(origin).netloc != headers.get(b"host")
