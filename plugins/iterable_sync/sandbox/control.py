"""``/__sandbox__/...``: what tests and benchmarks ask of the sandbox; no key is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from .dump import head_of, sections_of, stream
from .faults.kinds import KINDS
from .seeds import load_seed

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from .state import State

PREFIX = "/__sandbox__"


def control_routes(state: State) -> list[Route]:
    """Return the control endpoints for *state*."""
    controls = _Controls(state)
    return [
        Route(f"{PREFIX}/{path}", handle, methods=methods)
        for path, handle, methods in (
            ("health", controls.health, ["GET"]),
            ("reset", controls.reset, ["POST"]),
            ("settings", controls.settings, ["GET", "POST"]),
            ("faults", controls.faults, ["GET", "PUT", "PATCH", "DELETE"]),
            ("faults/kinds", controls.kinds, ["GET"]),
            ("history", controls.history, ["GET"]),
            ("snapshots", controls.snapshots, ["GET"]),
            ("snapshots/{name}", controls.snapshot, ["PUT", "DELETE"]),
            ("snapshots/{name}/restore", controls.restore, ["POST"]),
            ("seed", controls.seed, ["POST"]),
            ("users/count", controls.count, ["GET"]),
            ("state", controls.dump, ["GET"]),
            ("digests", controls.digests, ["GET"]),
            ("limits", controls.limits, ["GET"]),
        )
    ]


class _Controls:
    def __init__(self, state: State) -> None:
        self._state = state

    async def health(self, _request: Request) -> Response:
        return _json({"status": "ok", "requests": len(self._state.history)})

    async def reset(self, request: Request) -> Response:
        body = await request.body()
        state = self._state
        with state.lock:
            state.reset()
            return _try(lambda: state.change(_object(body)), lambda: {"reset": True})

    async def settings(self, request: Request) -> Response:
        body = await request.body()
        state = self._state
        with state.lock:
            return _try(lambda: state.change(_object(body)), lambda: state.settings.as_json())  # noqa: PLW0108 -- the settings after the change

    async def faults(self, request: Request) -> Response:
        body = await request.body()
        state = self._state

        def change() -> None:
            if request.method == "PUT":
                state.fail(orjson.loads(body))
            elif request.method == "DELETE":
                state.fail([])
            elif request.method == "PATCH":
                enabled = _object(body).get("enabled")
                if not isinstance(enabled, bool):
                    raise ValueError("enabled: expected true or false")
                state.faults.enabled = enabled

        with state.lock:
            return _try(change, lambda: state.faults.as_json())  # noqa: PLW0108 -- the plan after the change

    async def kinds(self, _request: Request) -> Response:
        return _json({"kinds": [kind.as_json(name) for name, kind in KINDS.items()]})

    async def history(self, request: Request) -> Response:
        after = _number(request, "after", 0)
        limit = _number(request, "limit", 1000)
        query = request.query_params
        applied = query.get("applied")
        with self._state.lock:
            history = self._state.history
            entries = history.page(
                after,
                limit,
                path=query.get("path"),
                status=_number(request, "status", None),
                fault=query.get("fault"),
                applied=None if applied is None else applied == "true",
            )
            last, forgotten = len(history), history.forgotten
        # A page that is not full has seen everything.
        until = entries[-1].seq if entries and len(entries) == limit else last
        return _json(
            {
                "requests": [entry.as_json() for entry in entries],
                "last_seq": last,
                "next_after": until if until < last else None,
                "forgotten": forgotten,
            }
        )

    async def snapshots(self, _request: Request) -> Response:
        with self._state.lock:
            sizes = {name: len(saved) for name, saved in self._state.snapshots.items()}
        return _json({"snapshots": [{"name": n, "bytes": size} for n, size in sizes.items()]})

    async def snapshot(self, request: Request) -> Response:
        name = request.path_params["name"]
        state = self._state
        with state.lock:
            if request.method == "PUT":
                state.snapshots[name] = state.saved()
                return _json({"name": name, "bytes": len(state.snapshots[name])})
            if state.snapshots.pop(name, None) is None:
                return self._no_snapshot(name)
            return _json({"name": name, "deleted": True})

    async def restore(self, request: Request) -> Response:
        name = request.path_params["name"]
        state = self._state
        with state.lock:
            saved = state.snapshots.get(name)
            if saved is None:
                return self._no_snapshot(name)
            state.restore(saved)
            return _json({"name": name, "restored": True})

    async def seed(self, request: Request) -> Response:
        body = await request.body()
        written: dict[str, int] = {}
        return _try(
            lambda: written.update(load_seed(self._state, orjson.loads(body))), lambda: written
        )

    async def count(self, _request: Request) -> Response:
        with self._state.lock:
            return _json({"count": len(self._state.people)})

    async def dump(self, _request: Request) -> Response:
        with self._state.lock:
            head, sections = head_of(self._state), sections_of(self._state)
        return StreamingResponse(stream(head, sections), media_type="application/json")

    async def digests(self, _request: Request) -> Response:
        state = self._state
        with state.lock:
            rows = ([key, digest] for key, digest in state.people.digests())
            head = {"discarded": state.settings.discard}
        return StreamingResponse(stream(head, {"digests": rows}), media_type="application/json")

    async def limits(self, _request: Request) -> Response:
        with self._state.lock:
            return _json(self._state.buckets.as_json())

    def _no_snapshot(self, name: str) -> Response:
        known = ", ".join(self._state.snapshots) or "none"
        return _json({"error": f"no snapshot {name!r}; known: {known}"}, 404)


def _object(body: bytes) -> dict[str, Any]:
    parsed = orjson.loads(body or b"{}")
    if not isinstance(parsed, dict):
        raise ValueError("expected an object")  # noqa: TRY004 -- answered like every other wrong value
    return parsed


def _number(request: Request, name: str, default: Any) -> Any:
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
