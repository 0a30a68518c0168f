"""A sandbox over real HTTP, emptied for each test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import requests

from iterable_facts import HERE, swagger
from iterable_swagger import Swagger
from iterable_sync.sandbox.endpoints import Table
from iterable_sync.sandbox.routes import ENDPOINTS
from iterable_sync.sandbox.server import SandboxServer

if TYPE_CHECKING:
    from collections.abc import Iterator

BULK = "/api/users/bulkUpdate"
DOCUMENT = Swagger(swagger())
TABLE = Table(ENDPOINTS)


class Client:
    """
    A client with the sandbox's key, and shortcuts for what the tests do most.

    It holds every answer that no fault changed against Iterable's Swagger document, where that
    is at hand.
    """

    def __init__(self, server: SandboxServer) -> None:
        self.server = server
        self.http = requests.Session()
        self.headers = {"Api-Key": server.api_key}
        if HERE:
            self.http.hooks["response"].append(self._check)

    def _check(self, answer: requests.Response, **_: Any) -> None:
        method, path = answer.request.method, urlsplit(answer.url).path
        is_offered = path.startswith("/api/") and TABLE.find(method, path) is not None
        if is_offered and not self.server.app_state.faults.rules:
            media_type = answer.headers.get("Content-Type", "")
            assert not DOCUMENT.problems(
                method, path, answer.status_code, media_type, answer.content
            )

    def get(self, path: str, **options: Any) -> requests.Response:
        options.setdefault("headers", self.headers)
        return self.http.get(self.server.url + path, timeout=10, **options)

    def post(self, path: str, body: Any = None, **options: Any) -> requests.Response:
        options.setdefault("headers", self.headers)
        if isinstance(body, bytes):
            options["data"] = body
        else:
            options["json"] = body
        return self.http.post(self.server.url + path, timeout=10, **options)

    def bulk(self, *users: Any, **members: Any) -> dict[str, Any]:
        """Send users, expect 200, return the answer."""
        answer = self.post(BULK, {"users": list(users), **members})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def people(self) -> dict[str, dict[str, Any]]:
        """Return the written and managed fields of everybody, by key."""
        users = self.get("/__sandbox__/state").json()["users"]
        return {user["key"]: user["dataFields"] for user in users}

    def history(self, **query: Any) -> list[dict[str, Any]]:
        return self.get("/__sandbox__/history", params=query).json()["requests"]


@pytest.fixture(scope="session")
def server() -> Iterator[SandboxServer]:
    with SandboxServer(rate_limits=False) as running:
        yield running


@pytest.fixture
def sandbox(server: SandboxServer) -> Iterator[Client]:
    """Give a client for an empty hybrid project without rate limits."""
    server.reset()
    client = Client(server)
    yield client
    client.http.close()
