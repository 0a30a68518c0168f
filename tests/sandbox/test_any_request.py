"""
Whatever is sent to any endpoint, the sandbox answers as an API does.

Requests come from two sources: our own, near enough to real ones to get past the first checks and
to meet each other in the state, and schemathesis, which reads Iterable's Swagger document.
"""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode

from iterable_facts import needs_facts, swagger
from iterable_in_process import InProcess
from iterable_swagger import Swagger
from iterable_sync.sandbox.routes import ENDPOINTS

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn, SearchStrategy

    from iterable_in_process import Reply

pytestmark = needs_facts

DOCUMENT = Swagger(swagger())

LIST = 100_001  # The number of the first list.

PROJECTS = {
    "email": {"project_type": "email"},
    "userId": {"project_type": "userId", "region": "eu"},
    "hybrid": {"project_type": "hybrid", "type_mismatch": "item"},
    "visible later": {"project_type": "hybrid", "visibility_delay_s": 60.0},
    "discarded": {"project_type": "hybrid", "discard": True},
}

# Few, so that requests meet in the state: by the name of the parameter or member that has them.
LIKELY: dict[str, list[Any]] = {
    "email": [
        *("ada@example.com", "ADA@Example.com", "bob@example.com", "new@example.com"),
        "gone@example.com",
    ],
    "userId": ["ada", "bob", "new"],
    "listId": [LIST, LIST, 2],
    "emailListIds": [LIST, 2],
    "subscriptionGroup": ["emailList", "messageType", "messageChannel"],
    "subscriptionGroupId": [LIST, 1, 101],
    "unsubscribedChannelIds": [1, 3],
    "messageTypeIds": [105, 101],
    "action": ["subscribe", "unsubscribe"],
    "eventName": ["seen", "bought"],
    "id": ["one", "two"],
    "itemId": ["one", "two"],
    "itemIds": ["one", "two"],
    "catalogName": ["shop", "Shop", "another"],
    "fieldName": ["age", "tags"],
    "fieldType": ["long", "string", "object"],
    "orderBy": ["age"],
    "createdAt": [1_700_000_000, 1_700_000_000_000],
    "limit": [1, 2, 10],
    "sortAscending": ["true", "false"],
}
FOR = {
    **dict.fromkeys(("currentEmail", "newEmail", "sourceEmail", "users"), "email"),
    **dict.fromkeys(("destinationEmail", "userEmail"), "email"),
    **dict.fromkeys(("currentUserId", "sourceUserId", "destinationUserId"), "userId"),
    **dict.fromkeys(("page", "pageSize", "size"), "limit"),
    "usersByUserId": "userId",
    **dict.fromkeys(("subscribedMessageTypeIds", "unsubscribedMessageTypeIds"), "messageTypeIds"),
}
_EMAILS = st.sampled_from([*LIKELY["email"], None])
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "age": st.sampled_from([1, 2, None]),
        "tags": st.lists(st.sampled_from(["a", "b"]), max_size=2),
        "email": _EMAILS,
        "userId": st.sampled_from(["ada", "bob", "new", None]),
        "place": st.fixed_dictionaries({"city": st.sampled_from(["a", None])}),
    },
)
SHAPED: dict[str, SearchStrategy[Any]] = {
    **dict.fromkeys(("dataFields", "value", "update"), FIELDS),
    "documents": st.dictionaries(st.sampled_from(["one", "two"]), FIELDS, min_size=1),
}

# Good for nothing, mostly.
ODD = [
    *("ada", "one", "x_geo_location", "2020-01-01", "true", "1", "-1", "1e3"),
    *("", "bad@", "a.b", "ü", "\x00", "\ud800", "<b>", "x" * 600, "/", "%", " ", "null", "9" * 25),
]
TEXTS = st.sampled_from(ODD)
NUMBERS = st.sampled_from([0, 1, 2, 3, -1, 1.5, 10**11, 2**31, 2**63 - 1, 2**63, 1e308])
LEAVES = st.none() | st.booleans() | TEXTS | NUMBERS
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3)
)


def _mostly(right: SearchStrategy[Any], wrong: SearchStrategy[Any]) -> SearchStrategy[Any]:
    return st.integers(0, 24).flatmap(lambda chance: wrong if chance == 24 else right)


def _likely(name: str) -> SearchStrategy[Any]:
    pool = LIKELY.get(FOR.get(name, name))
    return TEXTS if pool is None else st.sampled_from(pool)


def _values_of(schema: dict[str, Any], name: str = "", depth: int = 0) -> SearchStrategy[Any]:
    """Return values of *schema*, mostly."""
    schema = DOCUMENT.resolved(schema)
    kind = schema.get("type")
    right: SearchStrategy[Any]
    if name in SHAPED:
        right = SHAPED[name]
    elif kind == "object" and schema.get("properties") and depth < 5:
        members = {
            member: _values_of(inner, member, depth + 1)
            for member, inner in schema["properties"].items()
        }
        required = {member: members.pop(member) for member in schema.get("required", ())}
        right = st.fixed_dictionaries(required, optional=members)
    elif kind == "array":
        right = st.lists(_values_of(schema["items"], name, depth + 1), min_size=1, max_size=3)
    elif FOR.get(name, name) in LIKELY:
        right = _likely(name)
    else:
        plain: dict[str | None, SearchStrategy[Any]] = {
            "string": st.sampled_from(["a", "tags"]),
            "integer": st.integers(1, 3),
            "number": st.sampled_from([1, 2.5]),
            "boolean": st.booleans(),
        }
        right = plain.get(kind, VALUES)
    return _mostly(right, VALUES)


@st.composite
def requests(draw: DrawFn) -> tuple[str, str, bytes]:
    """Draw a method, a path with its query, and a body."""
    endpoint = draw(st.sampled_from(ENDPOINTS))
    segments = [
        _in_path(draw, part[1:-1]) if part.startswith("{") else part
        for part in endpoint.path.split("/")
    ]
    path = "/".join(segments)
    operation = DOCUMENT.find(endpoint.method, endpoint.path)
    assert operation is not None
    names = [
        parameter["name"]
        for parameter in DOCUMENT.operations[operation].get("parameters", ())
        if parameter["in"] == "query"
    ]
    if names:
        members = {name: _mostly(_likely(name), TEXTS) for name in names}
        query = draw(st.fixed_dictionaries({}, optional=members))
        path += "?" + urlencode(query, errors="ignore")
    return endpoint.method, path, _encoded(draw(_bodies_of(operation)))


def _in_path(draw: DrawFn, name: str) -> str:
    text = draw(_mostly(_likely(name), TEXTS))
    return quote(str(text), safe="", errors="ignore")


@cache
def _bodies_of(operation: tuple[str, str]) -> SearchStrategy[Any]:
    return _mostly(
        _values_of(DOCUMENT.body(operation)), st.sampled_from([b"", b"{", b"[]", b"\xff"])
    )


def _encoded(body: Any) -> bytes:
    return body if isinstance(body, bytes) else json.dumps(body).encode()


def _project(switches: dict[str, Any]) -> tuple[InProcess, bytes]:
    """Return a project with people and what belongs to them, and itself as bytes."""
    project = InProcess(subscriptions_enabled=True, opt_in_message_types=True, **switches)
    ada = {"email": "ada@example.com", "userId": "ada", "dataFields": {"age": 36, "tags": ["a"]}}
    people = [ada, {"email": "bob@example.com", "userId": "bob"}]
    project.accepted("POST", "/api/users/bulkUpdate", {"users": people})
    made = project.accepted("POST", "/api/lists", {"name": "first"})
    subscribers = {"listId": made["listId"], "subscribers": [{"userId": "ada"}]}
    project.accepted("POST", "/api/lists/subscribe", subscribers)
    event = {"userId": "ada", "eventName": "seen", "id": "one", "dataFields": {"age": 1.5}}
    project.accepted("POST", "/api/events/track", event)
    project.accepted("POST", "/api/catalogs/shop")
    items = {"documents": {"one": {"age": 1}}, "replaceUploadedFieldsOnly": True}
    project.accepted("POST", "/api/catalogs/shop/items", items)
    gone = (
        {"userId": "gone"}
        if switches["project_type"] == "userId"
        else {"email": "gone@example.com"}
    )
    project.accepted("POST", "/api/users/bulkUpdate", {"users": [gone]})
    project.accepted("POST", "/api/users/forget", gone)
    return project, project.state.saved()


def _check(method: str, path: str, reply: Reply) -> None:
    bare = path.partition("?")[0]
    if "//" in bare or bare.endswith("/"):  # An empty parameter makes another path.
        assert (reply.status, reply.media_type.partition(";")[0]) == (404, "text/html")
        return
    problems = DOCUMENT.problems(method, path, reply.status, reply.media_type, reply.content)
    assert problems == [], (method, path, reply)


def _send_all(name: str, sent: list[tuple[str, str, bytes]]) -> None:
    project, saved = _PLANTED.setdefault(name, _project(PROJECTS[name]))
    project.state.restore(saved)
    for method, path, body in sent:
        _check(method, path, project.request(method, path, body))


_PLANTED: dict[str, tuple[InProcess, bytes]] = {}

_QUICK = settings(
    deadline=None, database=None, suppress_health_check=list(HealthCheck), max_examples=150
)
_LONG = settings(_QUICK, max_examples=2000)
SEQUENCES = st.lists(requests(), min_size=1, max_size=5)
EVERY_PROJECT = pytest.mark.parametrize("name", PROJECTS)


@EVERY_PROJECT
@given(sent=SEQUENCES)
@_QUICK
def test_no_request_breaks_the_sandbox(name, sent):
    """No request ends in an exception, and every answer is one that the API documents."""
    _send_all(name, sent)


@pytest.mark.all
@EVERY_PROJECT
@given(sent=SEQUENCES)
@_LONG
def test_none_of_many_requests_breaks_the_sandbox(name, sent):
    _send_all(name, sent)


def _schemathesis_cases(mode: GenerationMode) -> list[Any]:
    schema = schemathesis.openapi.from_dict(swagger())
    offered = {DOCUMENT.find(endpoint.method, endpoint.path) for endpoint in ENDPOINTS}
    return [
        operation.as_strategy(generation_mode=mode)
        for operation in (result.ok() for result in schema.get_all_operations())
        if (operation.method.lower(), operation.path) in offered
    ]


def _fuzz(mode: GenerationMode, size: settings) -> None:
    for cases in _schemathesis_cases(mode):
        _fuzz_one(cases, size)


def _fuzz_one(cases: SearchStrategy[Any], size: settings) -> None:
    project, saved = _PLANTED.setdefault("hybrid", _project(PROJECTS["hybrid"]))

    @given(case=cases)
    @size
    def send(case: Any) -> None:
        project.state.restore(saved)
        path = quote(case.formatted_path, safe="/%", errors="ignore")
        query = urlencode(case.query or {}, doseq=True, errors="ignore")
        body = case.body if case.body is None or isinstance(case.body, bytes) else _json(case.body)
        reply = project.request(case.method, f"{path}?{query}", body)
        _check(case.method, path, reply)

    send()


def _json(value: Any) -> bytes:
    return json.dumps(value, default=str).encode()


MODES = pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)


@MODES
def test_no_request_of_schemathesis_breaks_the_sandbox(mode):
    _fuzz(mode, settings(_QUICK, max_examples=3))


@pytest.mark.all
@MODES
def test_none_of_many_requests_of_schemathesis_breaks_the_sandbox(mode):
    _fuzz(mode, settings(_QUICK, max_examples=100))
