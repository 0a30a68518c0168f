"""Every endpoint for users: who may call it, and that it answers without profiles too."""

from __future__ import annotations

import pytest

from iterable_sync.sandbox.routes import user_identity, user_reads, user_removal, users
from iterable_sync.sandbox.settings import DISABLED_KEY, READ_ONLY_KEY

BODIES = {
    "/api/users/update": {"userId": "1"},
    "/api/users/bulkUpdate": {"users": [{"userId": "1"}]},
    "/api/users/updateEmail": {"currentEmail": "a@example.com", "newEmail": "b@example.com"},
    "/api/users/merge": {"sourceUserId": "1", "destinationUserId": "2"},
    "/api/users/forget": {"userId": "1"},
    "/api/users/unforget": {"userId": "1"},
}
QUERIES = {"/api/users/getByEmail": "?email=a@example.com", "/api/users/byUserId": "?userId=1"}
CALLS = [
    (endpoint.method, endpoint.path, endpoint.read_only_key)
    for module in (users, user_reads, user_identity, user_removal)
    for endpoint in module.ENDPOINTS
]
WRITES = [(method, path) for method, path, _ in CALLS if method == "POST"]
IDS = [f"{method} {path}" for method, path, _ in CALLS]


def call(sandbox, method, path, headers=None, body=None):
    url = path.format(email="a@example.com", userId="1") + QUERIES.get(path, "")
    return sandbox.http.request(
        method,
        sandbox.server.url + url,
        headers=headers if headers is not None else sandbox.headers,
        json=BODIES.get(path) if body is None else body,
        timeout=10,
    )


@pytest.mark.parametrize(("method", "path", "read_only"), CALLS, ids=IDS)
def test_wrong_or_missing_key_is_refused(sandbox, method, path, read_only):
    for headers in ({}, {"Api-Key": "wrong"}):
        answer = call(sandbox, method, path, headers)

        assert answer.status_code == 401
        assert answer.json()["code"] == "BadApiKey"
        assert answer.json()["msg"] == "Invalid API key"
        assert answer.json()["params"].keys() == {"ip", "endpoint"}


@pytest.mark.parametrize(("method", "path", "read_only"), CALLS, ids=IDS)
def test_disabled_key_is_refused_everywhere(sandbox, method, path, read_only):
    answer = call(sandbox, method, path, {"Api-Key": DISABLED_KEY})

    assert answer.status_code == 401
    assert answer.json()["code"] == "BadApiKey"
    assert answer.json()["msg"] == "Disabled API key or insufficient privileges"
    assert answer.json()["params"]["apiKeyType"] == "ServerSide"


@pytest.mark.parametrize(("method", "path", "read_only"), CALLS, ids=IDS)
def test_read_only_key_reads_no_more_than_the_fields(sandbox, method, path, read_only):
    answer = call(sandbox, method, path, {"Api-Key": READ_ONLY_KEY})

    assert read_only is (path == "/api/users/getFields")
    if read_only:
        assert answer.status_code == 200
    else:
        assert (answer.status_code, answer.json()["code"]) == (401, "BadApiKey")
        assert answer.json()["params"]["apiKeyType"] == "ServerSideReadOnly"


@pytest.mark.parametrize(("method", "path"), WRITES)
@pytest.mark.parametrize("body", [[], "text", 1])
def test_body_that_is_no_object_is_refused(sandbox, method, path, body):
    answer = call(sandbox, method, path, body=body)

    assert answer.status_code == 400
    assert answer.json() == {
        "msg": f"[{path}] Invalid JSON body",
        "code": "BadJsonBody",
        "params": {"obj": "error.expected.jsobject"},
    }


@pytest.mark.parametrize("known", [True, False], ids=["known user", "nobody"])
@pytest.mark.parametrize("project_type", ["email", "userId", "hybrid"])
@pytest.mark.parametrize(("method", "path", "read_only"), CALLS, ids=IDS)
def test_every_endpoint_answers_without_profiles(
    sandbox, method, path, read_only, project_type, known
):
    sandbox.server.reset(project_type=project_type, discard=True)
    if known:
        sandbox.bulk({"email": "a@example.com", "userId": "1"}, {"userId": "1"})

    answer = call(sandbox, method, path)

    assert answer.status_code in (200, 400)
    assert isinstance(answer.json(), dict)


def test_deletes_merges_and_new_emails_are_counted_without_profiles(sandbox):
    sandbox.server.reset(discard=True)
    sandbox.bulk(*({"userId": name} for name in "abcd"))

    merged = sandbox.post("/api/users/merge", {"sourceUserId": "a", "destinationUserId": "b"})
    again = sandbox.post("/api/users/merge", {"sourceUserId": "a", "destinationUserId": "b"})
    sandbox.post("/api/users/forget", {"userId": "c"})
    deleted = call(sandbox, "DELETE", "/api/users/byUserId/d")
    missing = call(sandbox, "DELETE", "/api/users/byUserId/d")

    statuses = [answer.status_code for answer in (merged, again, deleted, missing)]
    assert statuses == [200, 400, 200, 400]
    assert sandbox.get("/__sandbox__/users/count").json() == {"count": 1}
    refused = sandbox.bulk({"userId": "c"}, {"userId": "e"}, updateOnly=True)
    assert refused["failedUpdates"]["forgottenUserIds"] == ["c"]
    assert refused["noOpUserIds"] == ["e"]


def test_new_email_moves_the_digest_without_profiles(sandbox):
    sandbox.server.reset(discard=True, project_type="email")
    sandbox.bulk({"email": "a@example.com"}, {"email": "c@example.com"})
    body = BODIES["/api/users/updateEmail"]

    moved = sandbox.post("/api/users/updateEmail", body)
    again = sandbox.post("/api/users/updateEmail", body)
    used = sandbox.post("/api/users/updateEmail", {**body, "currentEmail": "c@example.com"})

    assert [moved.status_code, again.status_code] == [200, 400]
    assert used.json()["code"] == "EmailAlreadyExists"
    digests = sandbox.get("/__sandbox__/digests").json()["digests"]
    assert sorted(key for key, _ in digests) == ["b@example.com", "c@example.com"]
