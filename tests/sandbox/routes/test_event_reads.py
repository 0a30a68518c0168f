"""GET /api/events/...: the events of one person."""

from __future__ import annotations

import pytest

from iterable_sync.sandbox.buckets import LIMITS, Limit

BULK = "/api/events/trackBulk"
BY_EMAIL = "/api/events/ada@example.com"
BY_USER_ID = "/api/events/byUserId/U1"


def track(sandbox, *times):
    events = [
        {"email": "ada@example.com", "userId": "U1", "eventName": str(time), "createdAt": time}
        for time in times
    ]
    assert sandbox.post(BULK, {"events": events}).json()["failCount"] == 0


def names(answer):
    assert answer.status_code == 200, answer.text
    return [event["eventName"] for event in answer.json()["events"]]


@pytest.mark.parametrize("path", [BY_EMAIL, BY_USER_ID])
def test_newest_event_comes_first(sandbox, path):
    track(sandbox, 2, 3, 1)

    assert names(sandbox.get(path)) == ["3", "2", "1"]


def test_of_events_of_one_time_the_last_one_sent_comes_first(sandbox):
    events = [{"userId": "U1", "eventName": name, "createdAt": 1} for name in "abc"]
    sandbox.post(BULK, {"events": events})

    assert names(sandbox.get(BY_USER_ID)) == ["c", "b", "a"]


@pytest.mark.parametrize(
    ("limit", "count"),
    [
        pytest.param(None, 30, id="default"),
        pytest.param(1, 1, id="least"),
        pytest.param(199, 199, id="below the most"),
        pytest.param(200, 200, id="most"),
    ],
)
def test_limit_is_1_to_200_and_30_by_default(sandbox, limit, count):
    track(sandbox, *range(1, 211))

    answer = sandbox.get(BY_EMAIL, params={} if limit is None else {"limit": limit})

    assert names(answer) == [str(time) for time in range(210, 210 - count, -1)]


@pytest.mark.parametrize("limit", ["0", "201", "-1", "many", "", "1.5", "9" * 5000, "²"])
@pytest.mark.parametrize("path", [BY_EMAIL, BY_USER_ID])
def test_limit_outside_of_its_range_is_refused(sandbox, path, limit):
    answer = sandbox.get(path, params={"limit": limit})

    assert (answer.status_code, answer.json()["code"]) == (400, "BadParams")


@pytest.mark.parametrize("path", [BY_EMAIL, BY_USER_ID])
def test_nobody_has_no_events(sandbox, path):
    answer = sandbox.get(path)

    assert (answer.status_code, answer.json()) == (200, {"events": []})


def test_address_is_found_in_any_case_and_encoded(sandbox):
    track(sandbox, 1)

    assert names(sandbox.get("/api/events/ADA%40Example.com")) == ["1"]


def test_user_id_may_hold_a_slash(sandbox):
    sandbox.post(BULK, {"events": [{"userId": "a/b", "eventName": "x"}]})

    assert names(sandbox.get("/api/events/byUserId/a%2Fb")) == ["x"]


def test_malformed_address_is_refused(sandbox):
    answer = sandbox.get("/api/events/foo@")

    assert answer.status_code == 400
    assert answer.json() == {
        "msg": "Invalid email: foo@",
        "code": "InvalidEmailAddressError",
        "params": None,
    }


def test_malformed_user_id_is_refused(sandbox):
    answer = sandbox.get("/api/events/byUserId/" + "x" * 53)

    assert (answer.status_code, answer.json()["code"]) == (400, "InvalidUserIdError")


def test_user_id_project_has_no_reads_by_address(sandbox):
    sandbox.server.reset(project_type="userId")

    answer = sandbox.get(BY_EMAIL)

    assert (answer.status_code, answer.json()["code"]) == (400, "BadParams")


@pytest.mark.parametrize("path", [BY_EMAIL, BY_USER_ID])
def test_wrong_key_is_refused(sandbox, path):
    answer = sandbox.get(path, headers={"Api-Key": "wrong"})

    assert (answer.status_code, answer.json()["code"]) == (401, "BadApiKey")


@pytest.mark.parametrize("path", [BY_EMAIL, BY_USER_ID])
def test_read_only_key_may_not_read_events_of_people(sandbox, path):
    key = sandbox.server.app_state.settings.read_only_key

    assert sandbox.get(path, headers={"Api-Key": key}).status_code == 401


def test_both_reads_share_the_published_limit(sandbox):
    sandbox.server.reset(rate_limits=True, limits={"events/get": 0.001})

    assert Limit(100, 1) == LIMITS["events/get"]
    assert [sandbox.get(path).status_code for path in (BY_EMAIL, BY_USER_ID)] == [200, 429]


def test_renamed_person_keeps_the_events(sandbox):
    track(sandbox, 1)
    sandbox.bulk({"userId": "U1", "dataFields": {"email": "new@example.com"}})

    (event,) = sandbox.get("/api/events/new@example.com").json()["events"]
    assert event["email"] == "new@example.com"


def test_deleted_person_leaves_no_events(sandbox):
    track(sandbox, 1, 2)
    assert sandbox.http.delete(
        sandbox.server.url + "/api/users/ada@example.com", headers=sandbox.headers, timeout=10
    ).ok

    assert len(sandbox.server.app_state.events) == 0


def test_merged_people_share_their_events(sandbox):
    track(sandbox, 1)
    sandbox.post(BULK, {"events": [{"userId": "U2", "eventName": "2", "createdAt": 2}]})

    merged = sandbox.post("/api/users/merge", {"sourceUserId": "U2", "destinationUserId": "U1"})

    assert merged.status_code == 200, merged.text
    assert names(sandbox.get(BY_USER_ID)) == ["2", "1"]
