"""One request on its way: fault, key, limit, size, handler, history."""

from __future__ import annotations

from asyncio import sleep
from dataclasses import dataclass, field
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
    success,
    too_large,
    too_many_requests,
)
from .buckets import retry_after
from .endpoints import Call, Table
from .faults.answers import Asked
from .faults.plans import NO_HIT, length_of
from .faults.rows import Withheld
from .faults.wire import Connection, deliver, send_whole

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.types import Receive, Scope, Send

    from .endpoints import Endpoint
    from .faults.plans import Hit
    from .faults.rows import Handler
    from .state import State

# A body above the limit is read on, so that the client hears the answer, but not for ever.
_MAX_READ_BYTES = 64_000_000
_BODILESS = (204, 304)


@dataclass(slots=True)
class _Request:
    """One request as far as it was read, and what faults do to it."""

    scope: Scope
    body: bytes
    size: int
    started: float
    hit: Hit
    withheld: Withheld = field(default_factory=Withheld)


class Gate:
    """The API as an ASGI application: every request under ``/api`` passes here."""

    def __init__(self, state: State, endpoints: Iterable[Endpoint]) -> None:
        self._state = state
        self._table = Table(endpoints)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        started = perf_counter()
        hit = self._hit(scope) if self._state.faults.rules else NO_HIT
        fault = hit.fault
        if fault is not None and fault.cuts_upload:
            await self._cut(scope, receive, send, started, hit)
            return
        read = await _read(receive, _MAX_READ_BYTES)
        if read is None:
            return
        is_late = fault is not None and fault.arguments.get("late", False)
        if fault is not None and is_late:
            await sleep(fault.delay_s)
        with self._state.lock:
            answer = self._respond(_Request(scope, *read, started, hit))
            number = len(self._state.history)
            wait_s = self._state.latency_s()
        if fault is not None and not is_late:
            wait_s += fault.delay_s
        if wait_s > 0:
            await sleep(wait_s)
        head = _head(answer, request_id=f"{number:016x}", seconds=perf_counter() - started)
        body = b"" if answer.status in _BODILESS else answer.body
        if fault is not None and fault.spec.is_wire:
            await deliver(fault, receive, send, answer.status, head, body)
        else:
            await send_whole(send, answer.status, head, body)

    def _hit(self, scope: Scope) -> Hit:
        with self._state.lock:
            length = length_of(scope["headers"])
            return self._state.faults.take(scope["method"], scope["path"], length)

    async def _cut(
        self, scope: Scope, receive: Receive, send: Send, started: float, hit: Hit
    ) -> None:
        """Cut the connection before the request is complete."""
        assert hit.fault is not None  # noqa: S101 -- for mypy; `cuts_upload` was asked of it
        most = hit.fault.bytes_before_cut(scope["headers"])
        read = (b"", 0) if most is None else await _read(receive, most)
        if read is None:
            return
        with self._state.lock:
            self._note(_Request(scope, *read, started, hit), None, None, accepted=False)
        await sleep(hit.fault.delay_s)
        await Connection(receive, send).reset()

    def _respond(self, request: _Request) -> Answer:
        """Give the answer, and write the request down."""
        fault = request.hit.fault
        own, accepted = None, False
        if fault is None or fault.applies:
            own, accepted = self._own_answer(request)
        answer = own or success()
        if fault is not None and fault.spec.answer is not None:
            scope = request.scope
            asked = Asked(scope["path"], scope["headers"], request.body, request.size)
            answer = fault.spec.answer(asked, own, fault.arguments)
        self._note(request, answer, own, accepted=accepted)
        return answer

    def _note(
        self, request: _Request, answer: Answer | None, own: Answer | None, *, accepted: bool
    ) -> None:
        state, scope, fault = self._state, request.scope, request.hit.fault
        withheld = request.withheld
        faults = withheld.kinds if fault is None else [*withheld.kinds, fault.kind]
        shows_keys = not state.settings.discard
        state.history.add(
            time=state.clock(),
            wall_time=state.wall_time(),
            seconds=round(perf_counter() - request.started, 6),
            method=scope["method"],
            path=scope["path"],
            status=answer.status if answer else 0,
            bytes=request.size,
            digest=blake2b(request.body, digest_size=8).hexdigest(),
            rows=own.rows if own else 0,
            applied=accepted and not withheld.is_whole,
            faults=faults,
            cut=fault is not None and fault.spec.cuts,
            keys=own.keys if own and shows_keys else (),
            counts=(own.counts if own else None) or {},
            dropped=withheld.dropped if shows_keys else (),
            refused=withheld.refused if shows_keys else (),
        )

    def _own_answer(self, request: _Request) -> tuple[Answer, bool]:
        """Return the sandbox's own answer, and whether a handler accepted the request."""
        scope = request.scope
        path = scope["path"]
        found = self._table.find(scope["method"], scope["raw_path"].decode("ascii", "replace"))
        if found is None:
            return no_such_route(), False
        endpoint, params = found
        refused = self._refuse_key(scope, endpoint) or self._refuse_load(endpoint, request.size)
        if refused is not None:
            return refused, False
        pairs = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        call = Call(path, params, dict(pairs), request.body, pairs)
        try:
            if request.hit.rows:
                return self._handler(endpoint, request)(call), True
            return endpoint.handle(self._state, call), True
        except Refused as refusal:
            return refusal.answer, False
        finally:
            self._state.accepted()

    def _handler(self, endpoint: Endpoint, request: _Request) -> Handler:
        """Return the handler behind all faults that take rows out of the request."""
        state = self._state

        def handle(call: Call) -> Answer:
            return endpoint.handle(state, call)

        wrapped: Handler = handle
        for rule in reversed(request.hit.rows):
            assert rule.spec.rows is not None  # noqa: S101 -- for mypy; `Plan.take` chose them so
            wrapped = rule.spec.rows(state, wrapped, rule.arguments, rule.random, request.withheld)
        return wrapped

    def _refuse_load(self, endpoint: Endpoint, size: int) -> Answer | None:
        settings = self._state.settings
        if settings.rate_limits:
            wait_s = self._state.buckets.take(endpoint.limit)
            if wait_s > 0:
                return too_many_requests(retry_after(settings.retry_after, wait_s))
        if size > settings.max_body_bytes:
            return too_large(settings.too_large_status, size, settings.max_body_bytes)
        return None

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
        if key not in (settings.read_only_key, settings.disabled_key):
            return bad_key(scope["path"], ip)
        is_disabled = key == settings.disabled_key
        if endpoint.read_only_key and not is_disabled:
            return None
        digest = sha256(key.encode("latin-1")).hexdigest()[:8]
        key_type = "ServerSide" if is_disabled else "ServerSideReadOnly"
        return key_lacks_privilege(scope["path"], ip, digest, key_type)


async def _read(receive: Receive, most: int) -> tuple[bytes, int] | None:
    """Read up to *most* bytes; return them, or nothing if the client went away before."""
    chunks, size, more = [], 0, True
    while more and size <= most:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunk = message.get("body", b"")
        size += len(chunk)
        chunks.append(chunk)
        more = message.get("more_body", False)
    return b"".join(chunks), size


def _head(answer: Answer, *, request_id: str, seconds: float) -> list[tuple[bytes, bytes]]:
    """
    Return the headers of *answer*.

    Source:
        Those that real answers carry: recorded 2022.
    """
    length = 0 if answer.status in _BODILESS else len(answer.body)
    headers = {
        "content-type": answer.media_type,
        "content-length": str(length),
        "iterable-request-id": request_id,
        "request-time": str(round(seconds * 1000)),
        "vary": "Origin",
    }
    for name, text in (answer.headers or {}).items():
        headers[name.lower()] = text
    return [(name.encode(), text.encode("latin-1")) for name, text in headers.items()]
