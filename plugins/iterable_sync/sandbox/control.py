"""``/__sandbox__/...``: what tests and benchmarks ask of the sandbox; no key is needed."""

from __future__ import annotations

from asyncio import sleep
from typing import TYPE_CHECKING, Any

import orjson
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from starlette.requests import Request

    from .state import State

PREFIX = "/__sandbox__"
_ROWS_PER_CHUNK = 500


def control_routes(state: State) -> list[Route]:
    """Return the control endpoints for *state*."""

    async def reset(request: Request) -> Response:
        body = await request.body()
        with state.lock:
            state.reset()
            return _try(lambda: state.change(_changes(body)), lambda: {"reset": True})

    async def settings(request: Request) -> Response:
        body = await request.body()
        with state.lock:
            return _try(
                lambda: state.change(_changes(body)),
                lambda: {**state.settings.as_json(), "fail_next": len(state.canned)},
            )

    async def history(request: Request) -> Response:
        after = _number(request, "after", 0)
        limit = _number(request, "limit", 1000)
        with state.lock:
            entries = state.history.page(after, limit)
            last = len(state.history)
        until = entries[-1].seq if entries else after
        return _json(
            {
                "requests": [entry.as_json() for entry in entries],
                "last_seq": last,
                "next_after": until if until < last else None,
            }
        )

    async def count(_request: Request) -> Response:
        with state.lock:
            return _json({"count": len(state.people)})

    async def dump(_request: Request) -> Response:
        with state.lock:
            people = state.people.profiles()
            head = {
                "project_type": state.settings.project_type,
                "count": len(state.people),
                "discarded": state.settings.discard,
                "fields": dict(state.user_fields.kinds),
            }
        rows = ({"key": key, **person.as_json()} for key, person in people)
        return _stream(head, "users", rows)

    async def digests(_request: Request) -> Response:
        with state.lock:
            rows = ([key, digest] for key, digest in state.people.digests())
        return _stream({"discarded": state.settings.discard}, "digests", rows)

    async def limits(_request: Request) -> Response:
        with state.lock:
            return _json(state.buckets.as_json())

    return [
        Route(f"{PREFIX}/reset", reset, methods=["POST"]),
        Route(f"{PREFIX}/settings", settings, methods=["GET", "POST"]),
        Route(f"{PREFIX}/history", history),
        Route(f"{PREFIX}/users/count", count),
        Route(f"{PREFIX}/state", dump),
        Route(f"{PREFIX}/digests", digests),
        Route(f"{PREFIX}/limits", limits),
    ]


def _changes(body: bytes) -> dict[str, Any]:
    changes = orjson.loads(body or b"{}")
    if not isinstance(changes, dict) or not isinstance(changes.get("fail_next", []), list):
        raise ValueError("expected an object of settings, with fail_next as an array")  # noqa: TRY004 -- answered like every other wrong value
    return changes


def _number(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name, "")
    return int(text) if text.isdecimal() else default


def _json(body: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json")


def _try(change: Callable[[], None], answer: Callable[[], Any]) -> Response:
    try:
        change()
    except ValueError as error:
        return _json({"error": str(error)}, 400)
    return _json(answer())


def _stream(head: dict[str, Any], name: str, rows: Iterable[Any]) -> Response:
    """Send *head* with one more member, an array that is never in memory as a whole."""

    async def chunks() -> AsyncIterator[bytes]:
        yield orjson.dumps(head)[:-1] + f',"{name}":['.encode()
        lines: list[bytes] = []
        first = True
        for row in rows:
            lines.append(orjson.dumps(row))
            if len(lines) == _ROWS_PER_CHUNK:
                yield (b"" if first else b",\n") + b",\n".join(lines)
                first = False
                lines.clear()
                await sleep(0)
        yield (b"" if first or not lines else b",\n") + b",\n".join(lines) + b"]}\n"

    return StreamingResponse(chunks(), media_type="application/json")
