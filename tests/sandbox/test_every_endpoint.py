"""
What every endpoint refuses alike, with the answers of the real API.

The cases are made from the sandbox's own table of endpoints and from the members that Iterable's
Swagger document gives their bodies, so a new endpoint is covered by itself.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from iterable_facts import needs_facts, swagger
from iterable_swagger import Swagger
from iterable_sync.sandbox.routes import ENDPOINTS
from iterable_sync.sandbox.settings import DISABLED_KEY, READ_ONLY_KEY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iterable_sync.sandbox.endpoints import Endpoint

DOCUMENT = Swagger(swagger())

VALUES = {
    "email": "ada@example.com",
    "userEmail": "ada@example.com",
    "subscriptionGroup": "messageChannel",
}

# What a read-only key may call.
# Source: Iterable's article on API keys, copy of September 2026, documented.
READ_ONLY = {
    "/api/campaigns",
    "/api/channels",
    "/api/lists",
    "/api/lists/{}/size",
    "/api/messageTypes",
    "/api/users/getFields",
}

# Its errors have another envelope: Swagger, documented.
DOUBLE_OPT_IN = "/api/subscriptions/subscribeToDoubleOptIn"

WRONG: dict[str, Any] = {
    "string": 17,
    "integer": "many",
    "number": "much",
    "boolean": "yes",
    "array": "a",
    "object": "a",
}

RIGHT: dict[str, Any] = {
    "string": "object",
    "integer": 1,
    "number": 1.5,
    "boolean": True,
    "array": [],
}


def _path(endpoint: Endpoint) -> str:
    return re.sub(r"\{(\w+)\}", lambda found: VALUES.get(found[1], "1"), endpoint.path)


def _bare(path: str) -> str:
    return re.sub(r"\{\w+\}", "{}", path)


def _name(value: Any) -> str | None:
    return f"{value.method} {value.path}" if hasattr(value, "handle") else None


def _send(sandbox: Any, endpoint: Endpoint, **options: Any) -> Any:
    options.setdefault("headers", sandbox.headers)
    url = sandbox.server.url + _path(endpoint)
    return sandbox.http.request(endpoint.method, url, timeout=10, **options)


def _operation(endpoint: Endpoint) -> tuple[str, str] | None:
    return DOCUMENT.find(endpoint.method, _path(endpoint))


def _plant(sandbox: Any) -> dict[str, Any]:
    """Write somebody and something, and return all that the sandbox holds."""
    sandbox.server.reset(subscriptions_enabled=True)
    sandbox.post("/api/catalogs/1")
    sandbox.bulk({"email": "ada@example.com", "userId": "1", "dataFields": {"age": 36}})
    held: dict[str, Any] = sandbox.get("/__sandbox__/state").json()
    return held


EVERY = pytest.mark.parametrize("endpoint", ENDPOINTS, ids=_name)


@EVERY
@pytest.mark.parametrize(
    "headers",
    [pytest.param({}, id="no key"), pytest.param({"Api-Key": "wrong"}, id="wrong key")],
)
def test_no_endpoint_answers_without_the_key(sandbox, endpoint, headers):
    held = _plant(sandbox)

    answer = _send(sandbox, endpoint, headers=headers, json={})

    assert answer.status_code == 401
    assert answer.json() == {
        "msg": "Invalid API key",
        "code": "BadApiKey",
        "params": {"ip": "127.0.0.1", "endpoint": _path(endpoint)},
    }
    assert sandbox.get("/__sandbox__/state").json() == held


@EVERY
def test_read_only_key_reads_what_is_documented_and_no_more(sandbox, endpoint):
    held = _plant(sandbox)
    allowed = endpoint.method == "GET" and _bare(endpoint.path) in READ_ONLY

    answer = _send(sandbox, endpoint, headers={"Api-Key": READ_ONLY_KEY}, json={})

    assert (answer.status_code != 401) is allowed
    if not allowed:
        assert answer.json()["code"] == "BadApiKey"
        assert answer.json()["msg"] == "Disabled API key or insufficient privileges"
        assert answer.json()["params"].keys() == {
            *("ip", "endpoint", "apiKeyIdentifier", "apiKeyType"),
        }
    assert sandbox.get("/__sandbox__/state").json() == held


@EVERY
def test_no_endpoint_answers_to_a_disabled_key(sandbox, endpoint):
    held = _plant(sandbox)

    answer = _send(sandbox, endpoint, headers={"Api-Key": DISABLED_KEY}, json={})

    assert answer.status_code == 401
    assert answer.json()["code"] == "BadApiKey"
    assert answer.json()["msg"] == "Disabled API key or insufficient privileges"
    assert sandbox.get("/__sandbox__/state").json() == held


@EVERY
def test_every_endpoint_has_a_rate_limit_of_its_own(sandbox, endpoint):
    sandbox.server.reset(rate_limits=True, limits={endpoint.limit: 0.001})

    first = _send(sandbox, endpoint)
    second = _send(sandbox, endpoint)

    assert first.status_code != 429
    assert second.status_code == 429
    assert second.json() == {"msg": "Exceeded rate limit.", "code": "RateLimitExceeded"}


def _problems(answer: Any, endpoint: Endpoint) -> dict[str, str]:
    """Return what is wrong with the members of a body, by their paths."""
    assert answer.status_code == 400
    assert answer.json()["code"] == "BadJsonBody"
    assert answer.json()["msg"] == f"[{_path(endpoint)}] Invalid JSON body"
    problems: dict[str, str] = answer.json()["params"]
    return problems


def _with_body() -> Iterator[Endpoint]:
    for endpoint in ENDPOINTS:
        operation = _operation(endpoint)
        if operation and endpoint.path != DOUBLE_OPT_IN and DOCUMENT.body(operation):
            yield endpoint


@needs_facts
@pytest.mark.parametrize("endpoint", list(_with_body()), ids=_name)
@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"{", id="half an object"),
        pytest.param(b"[]", id="an array"),
        pytest.param(b"null", id="null"),
        pytest.param(b'"a"', id="a text"),
        pytest.param(b"\xff{}", id="no UTF-8"),
    ],
)
def test_body_that_is_no_json_object_is_refused(sandbox, endpoint, body):
    held = _plant(sandbox)

    answer = _send(sandbox, endpoint, data=body)

    assert _problems(answer, endpoint).keys() == {"obj"}
    assert sandbox.get("/__sandbox__/state").json() == held


def _misfits(schema: dict[str, Any], depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Give the paths of all members below *schema*, each with a value that is wrong just there."""
    rest = _fitting(schema)
    for name, member in schema.get("properties", {}).items():
        inner = DOCUMENT.resolved(member)
        kind = inner.get("type")
        if kind not in WRONG or depth > 2:
            continue
        yield f".{name}", {**rest, name: WRONG[kind]}
        if kind == "object":
            for path, value in _misfits(inner, depth + 1):
                yield f".{name}{path}", {**rest, name: value}
        if kind == "array":
            item = DOCUMENT.resolved(inner["items"])
            if item.get("type") in WRONG:
                yield f".{name}[0]", {**rest, name: [WRONG[item["type"]]]}
            for path, value in _misfits(item, depth + 1):
                yield f".{name}[0]{path}", {**rest, name: [value]}


def _fitting(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the least object that has all required members, of the right types."""
    fitting: dict[str, Any] = {}
    for name in schema.get("required", ()):
        member = DOCUMENT.resolved(schema["properties"][name])
        is_object = member.get("type") == "object"
        fitting[name] = _fitting(member) if is_object else RIGHT[member["type"]]
    return fitting


def _wrong_types() -> Iterator[Any]:
    for endpoint in _with_body():
        operation = _operation(endpoint)
        assert operation is not None
        for path, body in _misfits(DOCUMENT.body(operation)):
            yield pytest.param(endpoint, f"obj{path}", body, id=f"{_name(endpoint)} {path}")


@needs_facts
@pytest.mark.parametrize(("endpoint", "path", "body"), list(_wrong_types()))
def test_member_of_the_wrong_json_type_is_refused_with_its_path(sandbox, endpoint, path, body):
    held = _plant(sandbox)

    answer = _send(sandbox, endpoint, json=body)

    problems = _problems(answer, endpoint)
    assert [path] == list(problems)
    assert isinstance(problems[path], str)
    assert sandbox.get("/__sandbox__/state").json() == held
