"""What an endpoint is: a method, a path, a limit and a handler."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from .answers import Answer
    from .state import State


@dataclass(frozen=True, slots=True)
class Call:
    """One request, as far as a handler needs it."""

    path: str
    params: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Endpoint:
    """
    One operation of the API.

    Args:
        path: the last segment may be a parameter: ``/api/users/{email}``.

        limit: name of its rate limit; endpoints may share one.

        read_only_key: whether a read-only key may call it.
    """

    method: str
    path: str
    handle: Callable[[State, Call], Answer]
    limit: str
    read_only_key: bool = False


class Table:
    """Finds the endpoint of a request; a literal path goes before one with a parameter."""

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        self._literal: dict[tuple[str, str], Endpoint] = {}
        self._parameter: dict[tuple[str, str], tuple[str, Endpoint]] = {}
        for endpoint in endpoints:
            stem, _, last = endpoint.path.rpartition("/")
            if last.startswith("{"):
                self._parameter[endpoint.method, stem] = (last[1:-1], endpoint)
            else:
                self._literal[endpoint.method, endpoint.path] = endpoint

    def find(self, method: str, raw_path: str) -> tuple[Endpoint, dict[str, str]] | None:
        """
        Return the endpoint for *raw_path*, and its path parameters decoded.

        The path is taken before decoding, so that an encoded slash stays inside its parameter.
        """
        path = unquote(raw_path)
        endpoint = self._literal.get((method, path))
        if endpoint is not None:
            return endpoint, {}
        stem, _, last = raw_path.rpartition("/")
        found = self._parameter.get((method, unquote(stem)))
        if found is None or not last:
            return None
        name, endpoint = found
        return endpoint, {name: unquote(last)}
