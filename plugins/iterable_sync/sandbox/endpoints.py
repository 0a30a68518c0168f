"""What an endpoint is: a method, a path, a limit and a handler."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from .answers import Answer
    from .state import State

# Operations of the API that are not offered, and that a path with a parameter would take in.
_NOT_OFFERED = frozenset({("GET", "/api/users/getSentMessages")})


@dataclass(frozen=True, slots=True)
class Call:
    """
    One request, as far as a handler needs it.

    Args:
        query: of a name that is given twice the last value.

        pairs: the same query with every value.
    """

    path: str
    params: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes
    pairs: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True)
class Endpoint:
    """
    One operation of the API.

    Args:
        path: whole segments may be parameters: ``/api/catalogs/{catalogName}/items/{itemId}``.

        limit: name of its rate limit; endpoints may share one.

        read_only_key: whether a read-only key may call it.
    """

    method: str
    path: str
    handle: Callable[[State, Call], Answer]
    limit: str
    read_only_key: bool = False


class Table:
    """Finds the endpoint of a request; a literal path goes before one with parameters."""

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        self._literal: dict[tuple[str, str], Endpoint] = {}
        self._patterns: dict[tuple[str, int], list[tuple[list[str], Endpoint]]] = {}
        for endpoint in endpoints:
            if "{" in endpoint.path:
                segments = endpoint.path.split("/")
                alike = self._patterns.setdefault((endpoint.method, len(segments)), [])
                alike.append((segments, endpoint))
            else:
                self._literal[endpoint.method, endpoint.path] = endpoint
        for alike in self._patterns.values():
            # Literal segments before parameters, from the left: /lists/{id}/size before /{a}/{b}/c.
            alike.sort(key=lambda found: [segment.startswith("{") for segment in found[0]])

    def find(self, method: str, raw_path: str) -> tuple[Endpoint, dict[str, str]] | None:
        """
        Return the endpoint for *raw_path*, and its path parameters decoded.

        The path is cut before it is decoded, so that an encoded slash stays inside its parameter.
        """
        segments = [unquote(segment) for segment in raw_path.split("/")]
        whole = method, "/".join(segments)
        if whole in _NOT_OFFERED:
            return None
        endpoint = self._literal.get(whole)
        if endpoint is not None:
            return endpoint, {}
        for pattern, endpoint in self._patterns.get((method, len(segments)), ()):
            params = _match(pattern, segments)
            if params is not None:
                return endpoint, params
        return None


def _match(pattern: list[str], segments: list[str]) -> dict[str, str] | None:
    params: dict[str, str] = {}
    for expected, segment in zip(pattern, segments, strict=True):
        if not expected.startswith("{"):
            if expected != segment:
                return None
        elif not segment:
            return None
        else:
            params[expected[1:-1]] = segment
    return params
