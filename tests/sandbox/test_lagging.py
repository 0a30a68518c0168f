"""Accepted is not applied: what reads show while `visibility_delay_s` is more than 0."""

from __future__ import annotations

import pytest

from iterable_sync.sandbox.settings import Mismatch, Settings
from iterable_sync.sandbox.state import State
from iterable_sync.sandbox.updates import update_users

DELAY_S = 60


@pytest.fixture
def clock(sandbox, monkeypatch):
    """Give a clock to move; the project of `sandbox` lags by a minute."""
    now = [1000.0]
    monkeypatch.setattr(sandbox.server.app_state, "clock", lambda: now[0])
    sandbox.server.reset(visibility_delay_s=DELAY_S)
    return now


def seen(sandbox, user_id):
    """Return what a read says of a person's field `a`; nothing if it finds nobody."""
    answer = sandbox.get(f"/api/users/byUserId/{user_id}")
    return answer.json()["user"]["dataFields"].get("a") if answer.status_code == 200 else None


def test_new_person_is_found_after_the_delay_only(sandbox, clock):
    sandbox.bulk({"userId": "1", "email": "1@example.com", "dataFields": {"a": 1}})

    for waited_s, found in ((0, False), (DELAY_S - 1, False), (DELAY_S, True)):
        clock[0] = 1000 + waited_s
        assert (seen(sandbox, "1") == 1) is found
        assert ("user" in sandbox.get("/api/users/1@example.com").json()) is found
        assert ("a" in sandbox.get("/api/users/getFields").json()["fields"]) is found


def test_each_write_shows_after_its_own_delay(sandbox, clock):
    for value in (1, 2, 3):
        sandbox.post("/api/users/update", {"userId": "1", "dataFields": {"a": value}})
        clock[0] += 10

    shown = []
    for now in (1059, 1060, 1070, 1080):
        clock[0] = now
        shown.append(seen(sandbox, "1"))

    assert shown == [None, 1, 2, 3]


def test_hidden_writes_count_for_the_checks_of_later_ones(sandbox, clock):
    sandbox.bulk({"userId": "1", "email": "1@example.com", "dataFields": {"a": 1}})

    conflict = sandbox.bulk({"userId": "2", "email": "1@example.com"})
    mismatch = sandbox.post("/api/users/update", {"userId": "3", "dataFields": {"a": "text"}})
    added = sandbox.bulk({"userId": "1", "dataFields": {"b": 1}})

    assert conflict["failedUpdates"]["conflictEmails"] == ["1@example.com"]
    assert mismatch.json()["code"] == "RequestFieldsTypesMismatched"
    assert added["createdFields"] == ["b"]


def test_deleted_person_is_seen_until_the_delay_is_over(sandbox, clock):
    sandbox.bulk({"userId": "1", "dataFields": {"a": 1}})
    clock[0] += DELAY_S
    sandbox.http.delete(
        sandbox.server.url + "/api/users/byUserId/1", headers=sandbox.headers, timeout=10
    )

    assert seen(sandbox, "1") == 1
    clock[0] += DELAY_S
    assert seen(sandbox, "1") is None


def test_new_identifier_shows_after_the_delay(sandbox, clock):
    sandbox.bulk({"userId": "1", "email": "old@example.com", "dataFields": {"a": 1}})
    clock[0] += DELAY_S
    sandbox.bulk({"userId": "1", "dataFields": {"email": "new@example.com"}})

    def found():
        return [
            "user" in sandbox.get(f"/api/users/{name}@example.com").json()
            for name in ("old", "new")
        ]

    assert found() == [True, False]
    clock[0] += DELAY_S
    assert found() == [False, True]


def test_refused_request_shows_nothing_later(sandbox, clock):
    sandbox.bulk({"userId": "1", "dataFields": {"a": 1}})
    sandbox.post("/api/users/update", {"userId": "1", "dataFields": {"a": "x", "new": 1}})
    clock[0] += DELAY_S

    assert seen(sandbox, "1") == 1
    assert "new" not in sandbox.get("/api/users/getFields").json()["fields"]


def test_people_from_before_the_switch_stay_visible(sandbox, clock):
    sandbox.server.app_state.change({"visibility_delay_s": 0})
    sandbox.bulk({"userId": "1", "dataFields": {"a": 1}})
    sandbox.server.app_state.change({"visibility_delay_s": 5})
    sandbox.bulk({"userId": "1", "dataFields": {"a": 2}})

    assert seen(sandbox, "1") == 1
    sandbox.server.app_state.change({"visibility_delay_s": 0})
    assert seen(sandbox, "1") == 2


@pytest.mark.parametrize("project_type", ["email", "userId", "hybrid"])
def test_all_people_are_shown_by_their_keys(sandbox, clock, project_type):
    sandbox.server.app_state.change({"project_type": project_type})
    sandbox.bulk(*({"userId": name, "email": f"{name}@example.com"} for name in "ab"))
    clock[0] += DELAY_S

    state = sandbox.server.app_state
    assert [key for key, _ in state.shown_people().profiles()] == list(sandbox.people())
    assert len(state.shown_people()) == 2


def test_lagging_project_can_be_saved_and_restored():
    now = [0.0]
    state = State(Settings(visibility_delay_s=10), clock=lambda: now[0])

    def write(user_id):
        update_users(state, [{"userId": user_id}], create_new_fields=None, mismatch=Mismatch.BATCH)
        state.accepted()

    write("1")
    saved = state.saved()
    write("2")
    state.restore(saved)
    write("3")

    assert len(state.shown_people()) == 0
    now[0] = 10
    assert [key for key, _ in state.shown_people().profiles()] == ["1", "3"]
