"""The endpoints under /__sandbox__, as tests and benchmarks use them."""

from __future__ import annotations

import pytest

BULK = "/api/users/bulkUpdate"


def test_controls_need_no_key(sandbox):
    for path in ("users/count", "state", "digests", "history", "settings", "limits"):
        assert sandbox.get(f"/__sandbox__/{path}", headers={}).status_code == 200


def test_controls_and_page_answer_to_a_local_name_only(sandbox):
    for path in ("/__sandbox__/state", "/"):
        answer = sandbox.get(path, headers={"Host": "evil.example.com"})

        assert answer.status_code == 421

    answer = sandbox.get("/api/lists", headers={**sandbox.headers, "Host": "api.iterable.com"})
    assert answer.status_code == 200


def test_reset_forgets_everything_and_takes_new_settings(sandbox):
    sandbox.bulk({"userId": "1", "dataFields": {"f": 1}})
    sandbox.post("/__sandbox__/settings", {"create_new_fields": False})

    answer = sandbox.post("/__sandbox__/reset", {"project_type": "email"})

    assert answer.json() == {"reset": True}
    assert sandbox.get("/__sandbox__/users/count").json() == {"count": 0}
    assert sandbox.history() == []
    assert "f" not in sandbox.get("/__sandbox__/state").json()["fields"]
    settings = sandbox.get("/__sandbox__/settings").json()
    assert (settings["project_type"], settings["create_new_fields"]) == ("email", True)


def test_state_holds_every_user_with_its_fields(sandbox):
    names = [f"user-{number}" for number in range(1201)]
    sandbox.bulk(*({"userId": name, "dataFields": {"name": name}} for name in names))

    state = sandbox.get("/__sandbox__/state").json()

    assert (state["project_type"], state["count"], state["discarded"]) == ("hybrid", 1201, False)
    assert [user["key"] for user in state["users"]] == names
    assert [user["dataFields"]["name"] for user in state["users"]] == names


def test_state_of_nobody_is_valid(sandbox):
    assert sandbox.get("/__sandbox__/state").json()["users"] == []


def test_history_is_given_in_pages(sandbox):
    for _ in range(5):
        sandbox.get("/api/lists")

    first = sandbox.get("/__sandbox__/history", params={"limit": 2}).json()
    rest = sandbox.get("/__sandbox__/history", params={"after": first["next_after"]}).json()

    assert [entry["seq"] for entry in first["requests"]] == [1, 2]
    assert [entry["seq"] for entry in rest["requests"]] == [3, 4, 5]
    assert (first["last_seq"], rest["next_after"]) == (5, None)


def test_digest_depends_on_what_was_written_only(sandbox):
    fields = {"a": 1, "b": {"c": "x", "d": [1, 2]}}
    turned = {"b": {"d": [1, 2], "c": "x"}, "a": 1}
    sandbox.bulk(
        {"userId": "1", "dataFields": fields},
        {"userId": "2", "email": "two@example.com", "dataFields": turned},
        {"userId": "3", "dataFields": {"a": 2}},
    )

    digests = dict(sandbox.get("/__sandbox__/digests").json()["digests"])

    assert digests.keys() == {"1", "2", "3"}
    assert digests["1"] == digests["2"] != digests["3"]


def test_discard_validates_and_counts_but_keeps_digests_only(sandbox):
    sandbox.server.reset(discard=True)
    answer = sandbox.bulk(
        {"userId": "1", "dataFields": {"a": 1}},
        {"userId": "2", "dataFields": {"a": 1}},
        {"userId": "bad "},
    )

    assert (answer["successCount"], answer["failCount"]) == (2, 1)
    assert answer["createdFields"] == ["a"]
    assert sandbox.get("/__sandbox__/users/count").json() == {"count": 2}
    body = sandbox.get("/__sandbox__/digests").json()
    assert body["discarded"] is True
    assert dict(body["digests"])["1"] == dict(body["digests"])["2"]
    assert sandbox.get("/__sandbox__/state").json()["users"] == []
    assert sandbox.history()[0]["keys"] == []


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        pytest.param({"nonsense": 1}, "unknown setting", id="name"),
        pytest.param({"fail_next": {"status": 503}}, "as an array", id="one canned answer"),
        pytest.param({"fail_next": [{"body": "x"}]}, "with a status", id="no status"),
        pytest.param({"fail_next": [{"status": 503, "time": 1}]}, "unknown member", id="member"),
        pytest.param({"fail_next": [{"status": "503"}]}, "wrong type", id="type"),
        pytest.param({"fail_next": [{"status": 99}]}, "200 to 599", id="status"),
        pytest.param({"project_type": "email"}, "while there are users", id="type under people"),
    ],
)
def test_wrong_change_is_refused_and_changes_nothing(sandbox, changes, text):
    sandbox.bulk({"userId": "1"})

    answer = sandbox.post("/__sandbox__/settings", {"create_new_fields": False, **changes})

    assert answer.status_code == 400
    assert text in answer.json()["error"]
    assert sandbox.get("/__sandbox__/settings").json()["create_new_fields"] is True


@pytest.mark.parametrize("body", [b"{", b"[]", b"5"])
def test_body_that_is_no_object_is_refused(sandbox, body):
    assert sandbox.post("/__sandbox__/settings", body).status_code == 400


def test_limits_show_the_tokens_that_are_left(sandbox):
    sandbox.server.reset(rate_limits=True)
    sandbox.bulk({"userId": "1"})

    limit = sandbox.get("/__sandbox__/limits").json()["users/bulkUpdate"]

    assert (limit["requests"], limit["seconds"]) == (5.0, 1.0)
    assert limit["left"] == 4.0
