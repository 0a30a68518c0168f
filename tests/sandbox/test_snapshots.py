"""Snapshots: everything the project holds, by name, and back."""

from __future__ import annotations

import pytest


def put(sandbox, name):
    return sandbox.http.put(f"{sandbox.server.url}/__sandbox__/snapshots/{name}", timeout=10)


def fill(sandbox, number: int) -> None:
    """Write one of everything."""
    user = {"userId": f"u{number}"}
    sandbox.bulk({**user, "dataFields": {f"field{number}": number}})
    made = sandbox.post("/api/lists", {"name": f"l{number}"}).json()["listId"]
    sandbox.post("/api/lists/subscribe", {"listId": made, "subscribers": [user]})
    sandbox.post("/api/events/track", {**user, "eventName": "e", "id": f"e{number}"})
    sandbox.post(f"/api/catalogs/c{number}")
    sandbox.bulk({"userId": f"gone{number}"})
    sandbox.post("/api/users/forget", {"userId": f"gone{number}"})


def test_a_snapshot_holds_everything_and_comes_back(sandbox):
    fill(sandbox, 1)
    then = sandbox.server.contents()
    taken = put(sandbox, "one")
    fill(sandbox, 2)
    sandbox.bulk({"userId": "u1", "dataFields": {"field1": 99}})

    restored = sandbox.post("/__sandbox__/snapshots/one/restore")

    assert taken.json()["bytes"] > 100
    assert restored.json() == {"name": "one", "restored": True}
    assert sandbox.server.contents() == then
    assert [len(then[name]) for name in ("users", "events", "catalogs")] == [1, 1, 1]
    assert len(then["forgotten"]["hashedUserIds"]) == 1


def test_a_snapshot_can_be_restored_again_and_again(sandbox):
    fill(sandbox, 1)
    put(sandbox, "one")
    then = sandbox.server.contents()
    for _ in range(2):
        fill(sandbox, 2)
        sandbox.post("/__sandbox__/snapshots/one/restore")

        assert sandbox.server.contents() == then


def test_what_is_written_after_a_restore_is_checked_against_the_old_types(sandbox):
    sandbox.bulk({"userId": "1", "dataFields": {"f": 1}})
    put(sandbox, "one")
    sandbox.server.reset()
    sandbox.bulk({"userId": "1", "dataFields": {"f": "text"}})
    sandbox.post("/__sandbox__/snapshots/one/restore")

    answer = sandbox.post(
        "/api/users/bulkUpdate", {"users": [{"userId": "1", "dataFields": {"f": "x"}}]}
    )

    assert answer.json()["code"] == "RequestFieldsTypesMismatched"


def test_settings_come_back_and_history_and_faults_go_on(sandbox):
    sandbox.server.reset(project_type="email", history_limit=1)
    put(sandbox, "one")
    sandbox.server.reset(project_type="userId")
    sandbox.server.fail({"kind": "error", "nth": 99})
    sandbox.get("/api/lists")
    sandbox.get("/api/lists")

    sandbox.post("/__sandbox__/snapshots/one/restore")

    assert [entry["seq"] for entry in sandbox.history()] == [2]
    settings = sandbox.get("/__sandbox__/settings").json()
    assert (settings["project_type"], settings["history_limit"]) == ("email", 1)
    assert len(sandbox.get("/__sandbox__/faults").json()["plan"]["rules"]) == 1
    assert sandbox.bulk({"email": "a@example.com"})["successCount"] == 1
    assert sandbox.people().keys() == {"a@example.com"}


def test_limits_of_the_settings_come_back(sandbox):
    sandbox.server.reset(rate_limits=True, limits={"lists/get": 0.001})
    put(sandbox, "one")
    sandbox.server.reset()

    sandbox.post("/__sandbox__/snapshots/one/restore")

    assert [sandbox.get("/api/lists").status_code for _ in range(2)] == [200, 429]


def test_digests_come_back_too(sandbox):
    sandbox.server.reset(discard=True)
    sandbox.bulk({"userId": "1", "dataFields": {"f": 1}})
    then = sandbox.get("/__sandbox__/digests").json()
    put(sandbox, "one")
    sandbox.bulk({"userId": "1", "dataFields": {"f": 2}})

    sandbox.post("/__sandbox__/snapshots/one/restore")

    assert sandbox.get("/__sandbox__/digests").json() == then


def test_writes_that_do_not_show_yet_come_back(sandbox):
    sandbox.server.reset(visibility_delay_s=60)
    sandbox.bulk({"userId": "1", "dataFields": {"f": 1}})
    put(sandbox, "one")
    sandbox.server.reset()
    sandbox.post("/__sandbox__/snapshots/one/restore")

    assert sandbox.people().keys() == {"1"}
    assert "user" not in sandbox.get("/api/users/byUserId/1").json()


def test_snapshots_are_listed_deleted_and_kept_over_a_reset(sandbox):
    sandbox.server.app_state.snapshots.clear()
    put(sandbox, "one")
    put(sandbox, "two")
    sandbox.post("/__sandbox__/reset")
    listed = sandbox.get("/__sandbox__/snapshots").json()["snapshots"]
    url = f"{sandbox.server.url}/__sandbox__/snapshots/one"
    gone = [sandbox.http.delete(url, timeout=10).status_code for _ in range(2)]

    assert [one["name"] for one in listed] == ["one", "two"]
    assert gone == [200, 404]
    assert list(sandbox.server.app_state.snapshots) == ["two"]


def test_an_unknown_snapshot_is_told_with_the_known_ones(sandbox):
    sandbox.server.app_state.snapshots.clear()
    put(sandbox, "one")

    answer = sandbox.post("/__sandbox__/snapshots/two/restore")

    assert answer.status_code == 404
    assert answer.json() == {"error": "no snapshot 'two'; known: one"}


@pytest.mark.parametrize("project_type", ["email", "userId", "hybrid"])
def test_a_snapshot_can_be_taken_from_python(sandbox, project_type):
    sandbox.server.reset(project_type=project_type)
    sandbox.bulk({"email": "a@example.com", "userId": "a"})
    snapshot = sandbox.server.snapshot()
    then = sandbox.server.contents()
    sandbox.server.reset()

    sandbox.server.restore(snapshot)

    assert sandbox.server.contents() == then
