"""What happens to every request, whatever its endpoint."""

from __future__ import annotations

import http.client

import pytest

from iterable_sync.sandbox.settings import READ_ONLY_KEY

BULK = "/api/users/bulkUpdate"


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({}, id="none"),
        pytest.param({"Api-Key": "wrong"}, id="wrong"),
        pytest.param({"Authorization": "Bearer sandbox"}, id="another header"),
    ],
)
def test_request_without_the_key_is_answered_as_iterable_does(sandbox, headers):
    answer = sandbox.post(BULK, {"users": []}, headers=headers)

    assert answer.status_code == 401
    assert answer.json() == {
        "msg": "Invalid API key",
        "code": "BadApiKey",
        "params": {"ip": "127.0.0.1", "endpoint": BULK},
    }


@pytest.mark.parametrize("name", ["Api-Key", "api-key", "API-KEY", "Api_Key"])
def test_key_is_taken_from_either_header(sandbox, name):
    answer = sandbox.get("/api/channels", headers={name: sandbox.server.api_key})

    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/channels", 200),
        ("GET", "/api/lists", 200),
        ("GET", "/api/users/getFields", 200),
        ("GET", "/api/users/ada@example.com", 401),
        ("POST", "/api/users/update", 401),
        ("POST", BULK, 401),
    ],
)
def test_read_only_key_reads_no_users_and_writes_nothing(sandbox, method, path, status):
    call = {"GET": sandbox.get, "POST": sandbox.post}[method]

    answer = call(path, headers={"Api-Key": READ_ONLY_KEY})

    assert answer.status_code == status
    if status == 401:
        assert answer.json()["msg"] == "Disabled API key or insufficient privileges"
        assert answer.json()["code"] == "BadApiKey"
        assert answer.json()["params"].keys() == {
            "ip", "endpoint", "apiKeyIdentifier", "apiKeyType",
        }  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/users/getFields"),
        ("DELETE", "/api/lists/"),
        ("GET", "/api/users/bulkUpdate/more/of/it"),
        ("GET", "/api/"),
        ("GET", "/api"),
        ("GET", "/nowhere"),
        ("PUT", "/"),
    ],
)
def test_unknown_route_is_an_html_404_with_or_without_key(sandbox, method, path):
    for headers in ({}, sandbox.headers):
        answer = sandbox.http.request(
            method, sandbox.server.url + path, headers=headers, timeout=10, allow_redirects=False
        )

        assert answer.status_code == 404
        assert answer.headers["Content-Type"].startswith("text/html")
        assert answer.text.startswith("<!doctype html>")


def test_answers_carry_the_headers_of_real_ones(sandbox):
    headers = sandbox.get("/api/lists").headers

    assert headers["Content-Type"] == "application/json"
    assert headers["Vary"] == "Origin"
    assert {"Iterable-Request-Id", "Request-Time"} <= headers.keys()


def test_above_the_limit_429_has_the_real_body_and_changes_nothing(sandbox):
    sandbox.server.reset(rate_limits=True, limits={"users/bulkUpdate": 0.001})
    first = sandbox.post(BULK, {"users": [{"userId": "1"}]})
    second = sandbox.post(BULK, {"users": [{"userId": "2"}]})

    assert (first.status_code, second.status_code) == (200, 429)
    assert second.json() == {"msg": "Exceeded rate limit.", "code": "RateLimitExceeded"}
    assert "Retry-After" not in second.headers
    assert sandbox.people().keys() == {"1"}


def test_retry_after_is_sent_where_it_is_switched_on(sandbox):
    sandbox.server.reset(rate_limits=True, limits={"lists/get": 0.1}, retry_after="auto")
    sandbox.get("/api/lists")

    answer = sandbox.get("/api/lists")

    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "10"


@pytest.mark.parametrize(
    ("excess", "status"),
    [
        pytest.param(-1, 200, id="one byte below"),
        pytest.param(0, 200, id="limit reached exactly"),
        pytest.param(1, 413, id="one byte above"),
    ],
)
def test_body_may_have_four_megabytes(sandbox, excess, status):
    body = b'{"users":[{"userId":"1"}]'
    body += b" " * (4_000_000 + excess - len(body) - 1) + b"}"

    answer = sandbox.post(BULK, body)

    assert answer.status_code == status
    assert len(sandbox.people()) == (1 if status == 200 else 0)


def test_status_of_a_body_that_is_too_large_can_be_switched(sandbox):
    sandbox.server.reset(max_body_bytes=10, too_large_status=400)

    answer = sandbox.post(BULK, {"users": [{"userId": "1"}]})

    assert answer.status_code == 400
    assert answer.json()["code"] == "BatchTooLarge"


def test_body_that_breaks_off_is_not_applied(sandbox):
    connection = http.client.HTTPConnection("127.0.0.1", sandbox.server.port, timeout=10)
    connection.putrequest("POST", BULK)
    connection.putheader("Api-Key", sandbox.server.api_key)
    connection.putheader("Content-Length", "1000")
    connection.endheaders(b'{"users":[{"userId":"1"}]}')
    connection.close()

    sandbox.get("/api/lists")

    assert [entry["path"] for entry in sandbox.history()] == ["/api/lists"]
    assert sandbox.people() == {}


def test_history_tells_each_request_in_order(sandbox):
    body = b'{"users":[{"userId":"1"},{"userId":"2"},{"email":"bad@"}]}'
    sandbox.post(BULK, body)
    sandbox.post(BULK, body)
    sandbox.get("/api/nowhere")

    first, again, nowhere = sandbox.history()

    assert (first["seq"], again["seq"], nowhere["seq"]) == (1, 2, 3)
    assert first["time"] <= again["time"] <= nowhere["time"]
    assert (first["method"], first["path"], first["status"]) == ("POST", BULK, 200)
    assert (first["rows"], first["bytes"]) == (3, len(body))
    assert (first["keys"], first["counts"]) == (["1", "2"], {"success": 2, "fail": 1})
    assert first["digest"] == again["digest"] != nowhere["digest"]
    assert (nowhere["status"], nowhere["applied"]) == (404, False)
