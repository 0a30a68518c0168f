"""Every answer is as Iterable's own Swagger document says; every operation exists in both."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from iterable_facts import needs_facts, swagger
from iterable_requests import ADA, INFALLIBLE, OPERATIONS, REQUESTS, Request
from iterable_swagger import Swagger
from iterable_sync.sandbox.endpoints import Table
from iterable_sync.sandbox.routes import ENDPOINTS

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCUMENT = Swagger(swagger())


def plant(sandbox: Any, project: str) -> int:
    """Fill an empty project with two people, a list, a catalog and more; return the list."""
    sandbox.server.reset(project_type=project, subscriptions_enabled=True)
    people = [ADA, {"email": "bob@example.com", "userId": "bob"}]
    people[0] = {**ADA, "dataFields": {"age": 36, "tags": ["a"], "address": {"city": "London"}}}
    if project == "userId":
        people.append({"userId": "without-email"})
    sandbox.bulk(*people)
    number: int = sandbox.post("/api/lists", {"name": "first"}).json()["listId"]
    sandbox.post("/api/lists/subscribe", {"listId": number, "subscribers": [{"userId": "ada"}]})
    bought = {"userId": "ada", "eventName": "bought", "dataFields": {"sum": 2.5}}
    sandbox.post("/api/events/track", bought)
    sandbox.post("/api/catalogs/shop")
    documents = {"documents": {"one": {"price": 9.5, "name": "One"}}}
    sandbox.post("/api/catalogs/shop/items", {**documents, "replaceUploadedFieldsOnly": False})
    if project != "userId":
        sandbox.bulk({"email": "gone@example.com"})
        sandbox.post("/api/users/forget", {"email": "gone@example.com"})
    return number


def send(sandbox: Any, request: Request, number: int) -> Any:
    """Send *request* with the number of the planted list in its place."""
    body = request.body
    if isinstance(body, dict) and body.get("listId") == "{list}":
        body = {**body, "listId": number}
    return sandbox.http.request(
        request.method,
        sandbox.server.url + request.path.replace("{list}", str(number)),
        json=body,
        headers=sandbox.headers,
        timeout=10,
    )


def _problems(method: str, path: str, answer: Any) -> list[str]:
    media_type = answer.headers.get("Content-Type", "")
    return DOCUMENT.problems(method, path, answer.status_code, media_type, answer.content)


def _name(request: Request) -> str:
    return f"{request.status} {request.method} {request.path} {str(request.body or '')[:60]}"


@needs_facts
@pytest.mark.parametrize("request_", REQUESTS, ids=_name)
def test_answer_is_as_documented(sandbox, request_):
    number = plant(sandbox, request_.project)

    answer = send(sandbox, request_, number)

    failed = answer.status_code == 200 and b'"failCount"' in answer.content
    partly = 207 if failed and answer.json()["failCount"] else answer.status_code
    assert request_.status == partly, answer.text
    assert _problems(request_.method, request_.path, answer) == []


def test_requests_cover_success_and_failure_of_every_operation():
    table = Table(ENDPOINTS)
    seen = set()
    for request in REQUESTS:
        found = table.find(request.method, request.path.partition("?")[0].replace("{list}", "1"))
        assert found is not None, request
        endpoint, _ = found
        seen.add((endpoint.method, _bare(endpoint.path), request.status < 207))
    offered = {(endpoint.method, _bare(endpoint.path)) for endpoint in ENDPOINTS}

    assert offered - {operation[:2] for operation in seen if operation[2]} == set()
    assert offered - {operation[:2] for operation in seen if not operation[2]} == INFALLIBLE


def test_sandbox_offers_the_operations_of_the_list():
    assert {(endpoint.method, _bare(endpoint.path)) for endpoint in ENDPOINTS} == OPERATIONS


@needs_facts
def test_offered_operations_are_operations_of_the_api():
    documented = {(method.upper(), _bare(path)) for method, path in DOCUMENT.operations}

    assert documented >= OPERATIONS


def _bare(path: str) -> str:
    return re.sub(r"\{\w+\}", "{}", path)


def _others() -> Iterator[tuple[str, str]]:
    for method, path in DOCUMENT.operations:
        if (method.upper(), _bare(path)) not in OPERATIONS:
            yield method.upper(), re.sub(r"\{\w+\}", "1", path)


@needs_facts
@pytest.mark.parametrize(("method", "path"), list(_others()))
def test_operation_that_is_not_offered_has_no_route(sandbox, method, path):
    answer = sandbox.http.request(
        method, sandbox.server.url + path, headers=sandbox.headers, timeout=10
    )

    assert answer.status_code == 404
    assert answer.headers["Content-Type"].startswith("text/html")
