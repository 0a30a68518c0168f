"""The sandbox without a server and without HTTP: one request is one function call."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from iterable_sync.sandbox.gate import Gate
from iterable_sync.sandbox.routes import ENDPOINTS
from iterable_sync.sandbox.settings import Settings
from iterable_sync.sandbox.state import State

if TYPE_CHECKING:
    from collections.abc import Coroutine


class Reply(NamedTuple):
    """One answer."""

    status: int
    media_type: str
    content: bytes

    def json(self) -> Any:
        """Return the parsed body."""
        return json.loads(self.content)


class InProcess:
    """
    A project behind the sandbox's own gate.

    An exception that no handler catches, which a server would answer with 500, comes through.

    Args:
        switches: settings as plain values, by name.
    """

    def __init__(self, **switches: Any) -> None:
        self.state = State(Settings().changed({"rate_limits": False, **switches}))
        self._gate = Gate(self.state, ENDPOINTS)

    def request(self, method: str, path: str, body: Any = None) -> Reply:
        """Send one request; *path* may have a query, *body* is bytes or else becomes JSON."""
        path, _, query = path.partition("?")
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body)
        incoming = content.encode() if isinstance(content, str) else content
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": incoming}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode("ascii", "replace"),
            "query_string": query.encode("ascii", "replace"),
            "headers": [(b"api-key", self.state.settings.api_key.encode())],
            "client": ("127.0.0.1", 1),
        }
        _finish(self._gate(scope, receive, send))  # type: ignore[arg-type]
        head = {name: text.decode() for name, text in sent[0]["headers"]}
        content = b"".join(message.get("body", b"") for message in sent[1:])
        return Reply(sent[0]["status"], head[b"content-type"], content)

    def accepted(self, method: str, path: str, body: Any = None) -> Any:
        """Send one request that must be accepted; return its parsed answer."""
        reply = self.request(method, path, body)
        assert reply.status < 300, (method, path, body, reply)
        return reply.json()


def _finish(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine that never waits, which needs no event loop."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise RuntimeError("the request waits for something")
