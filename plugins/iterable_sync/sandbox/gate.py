"""One request on its way: fault, key, limit, size, handler, history."""

from __future__ import annotations

from asyncio import sleep
from hashlib import blake2b, sha256
from time import perf_counter
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from .answers import (
    Answer,
    Refused,
    bad_key,
    key_lacks_privilege,
    no_such_route,
    too_large,
    too_many_requests,
)
from .buckets import retry_after
from .canned import take
from .endpoints import Call, Table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.types import Receive, Scope, Send

    from .canned import Canned
    from .endpoints import Endpoint
    from .state import State

# A body above the limit is read on, so that the client hears the answer, but not for ever.
_MAX_READ_BYTES = 64_000_000
_BODILESS = (204, 304)


class Gate:
    """The API as an ASGI application: every request under ``/api`` passes here."""

    def __init__(self, state: State, endpoints: Iterable[Endpoint]) -> None:
        self._state = state
        self._table = Table(endpoints)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        started = perf_counter()
        read = await _read(receive)
        if read is None:
            return
        body, size = read
        with self._state.lock:
            answer, canned = self._respond(scope, body, size, started)
            number = len(self._state.history)
        if canned is not None and canned.delay_s > 0:
            await sleep(canned.delay_s)
        await _send(send, answer, request_id=f"{number:016x}", seconds=perf_counter() - started)

    def _respond(
        self, scope: Scope, body: bytes, size: int, started: float
    ) -> tuple[Answer, Canned | None]:
        """Give the answer, and write the request down."""
        state = self._state
        path = scope["path"]
        canned = take(state.canned, path)
        own, handled = None, False
        if canned is None or canned.apply:
            own, handled = self._own_answer(scope, body, size)
        answer = own if canned is None else canned.answer()
        assert answer is not None  # noqa: S101 -- either canned or own; mypy cannot see it
        state.history.add(
            time=state.clock(),
            seconds=round(perf_counter() - started, 6),
            method=scope["method"],
            path=path,
            status=answer.status,
            bytes=size,
            digest=blake2b(body, digest_size=8).hexdigest(),
            rows=own.rows if own else 0,
            applied=handled,
            canned=canned is not None,
            keys=own.keys if own and not state.settings.discard else (),
            counts=(own.counts if own else None) or {},
        )
        return answer, canned

    def _own_answer(self, scope: Scope, body: bytes, size: int) -> tuple[Answer, bool]:
        """Return the sandbox's own answer, and whether a handler accepted the request."""
        settings = self._state.settings
        path = scope["path"]
        found = self._table.find(scope["method"], scope["raw_path"].decode("ascii", "replace"))
        if found is None:
            return no_such_route(), False
        endpoint, params = found
        refused = self._refuse_key(scope, endpoint)
        if refused is not None:
            return refused, False
        if settings.rate_limits:
            wait_s = self._state.buckets.take(endpoint.limit)
            if wait_s > 0:
                return too_many_requests(retry_after(settings.retry_after, wait_s)), False
        if size > settings.max_body_bytes:
            return too_large(settings.too_large_status, size, settings.max_body_bytes), False
        query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        try:
            return endpoint.handle(self._state, Call(path, params, query, body)), True
        except Refused as refusal:
            return refusal.answer, False

    def _refuse_key(self, scope: Scope, endpoint: Endpoint) -> Answer | None:
        # Documented: `Api-Key`, in any case, or `Api_Key`.
        key = next(
            (
                value.decode("latin-1")
                for name, value in scope["headers"]
                if name in (b"api-key", b"api_key")
            ),
            None,
        )
        settings = self._state.settings
        if key == settings.api_key:
            return None
        ip = scope["client"][0] if scope.get("client") else "127.0.0.1"
        if key != settings.read_only_key:
            return bad_key(scope["path"], ip)
        if endpoint.read_only_key:
            return None
        digest = sha256(key.encode("latin-1")).hexdigest()[:8]
        return key_lacks_privilege(scope["path"], ip, digest)


async def _read(receive: Receive) -> tuple[bytes, int] | None:
    """Read a body; return it and its size, or nothing if the client went away before its end."""
    chunks, size, more = [], 0, True
    while more and size <= _MAX_READ_BYTES:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunk = message.get("body", b"")
        size += len(chunk)
        chunks.append(chunk)
        more = message.get("more_body", False)
    return b"".join(chunks), size


async def _send(send: Send, answer: Answer, *, request_id: str, seconds: float) -> None:
    """
    Send *answer*.

    Source:
        The headers that real answers carry: recorded 2022.
    """
    body = b"" if answer.status in _BODILESS else answer.body
    headers = {
        "Content-Type": answer.media_type,
        "Content-Length": str(len(body)),
        "Iterable-Request-Id": request_id,
        "Request-Time": str(round(seconds * 1000)),
        "Vary": "Origin",
        **(answer.headers or {}),
    }
    encoded = [(name.lower().encode(), text.encode("latin-1")) for name, text in headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": encoded})
    await send({"type": "http.response.body", "body": body})
