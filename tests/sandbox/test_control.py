"""The endpoints under /__sandbox__, as tests and benchmarks use them."""

from __future__ import annotations

import pytest
import requests

from iterable_sync.sandbox.settings import Settings
from iterable_sync.sandbox.state import State

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


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({}, 200, id="a program"),
        pytest.param({"Origin": "{own}"}, 200, id="the page"),
        pytest.param({"Sec-Fetch-Site": "same-origin", "Origin": "{own}"}, 200, id="its form"),
        pytest.param({"Sec-Fetch-Site": "none"}, 200, id="the address bar"),
        pytest.param({"Origin": "https://evil.example.com"}, 403, id="another page"),
        pytest.param({"Origin": "http://127.0.0.1:1"}, 403, id="another port"),
        pytest.param({"Origin": "null"}, 403, id="a file or a frame"),
        pytest.param({"Sec-Fetch-Site": "cross-site"}, 403, id="cross-site"),
        pytest.param({"Sec-Fetch-Site": "same-site"}, 403, id="same site, another port"),
    ],
)
def test_controls_are_changed_by_nobody_from_another_site(sandbox, headers, status):
    own = {name: text.format(own=sandbox.server.url) for name, text in headers.items()}

    answer = sandbox.post("/__sandbox__/settings", {"create_new_fields": False}, headers=own)

    assert answer.status_code == status
    changed = not sandbox.get("/__sandbox__/settings").json()["create_new_fields"]
    assert changed is (status == 200)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "POST"])
@pytest.mark.parametrize("path", ["faults", "snapshots/a", "snapshots/a/restore", "seed", "reset"])
def test_no_control_takes_a_write_from_another_site(sandbox, method, path):
    answer = sandbox.http.request(
        method,
        f"{sandbox.server.url}/__sandbox__/{path}",
        headers={"Sec-Fetch-Site": "cross-site"},
        timeout=10,
    )

    assert answer.status_code == 403


def test_health_says_that_it_runs(sandbox):
    sandbox.get("/api/lists")

    assert sandbox.get("/__sandbox__/health").json() == {"status": "ok", "requests": 1}


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
        pytest.param({"latency_ms": [9, 1]}, "in order", id="latency"),
        pytest.param({"latency_ms": "9"}, "expected milliseconds", id="latency as text"),
        pytest.param({"seed": -1}, "at least 0", id="seed"),
        pytest.param({"history_limit": 0}, "at least 1", id="history"),
        pytest.param({"project_type": "email"}, "while there are users", id="type under people"),
    ],
)
def test_wrong_change_is_refused_and_changes_nothing(sandbox, changes, text):
    sandbox.bulk({"userId": "1"})

    answer = sandbox.post("/__sandbox__/settings", {"create_new_fields": False, **changes})

    assert answer.status_code == 400
    assert text in answer.json()["error"]
    assert sandbox.get("/__sandbox__/settings").json()["create_new_fields"] is True


def test_faults_are_put_shown_switched_and_deleted(sandbox):
    rules = [{"kind": "error", "endpoint": "/api/lists", "every": 2}]
    put = sandbox.http.put(
        f"{sandbox.server.url}/__sandbox__/faults", json={"seed": 5, "rules": rules}, timeout=10
    )
    first = [sandbox.get("/api/lists").status_code for _ in range(4)]
    counts = sandbox.get("/__sandbox__/faults").json()["counts"]
    sandbox.http.patch(
        f"{sandbox.server.url}/__sandbox__/faults", json={"enabled": False}, timeout=10
    )
    second = [sandbox.get("/api/lists").status_code for _ in range(2)]
    shown = sandbox.get("/__sandbox__/faults").json()["plan"]
    sandbox.http.delete(f"{sandbox.server.url}/__sandbox__/faults", timeout=10)

    assert put.json()["plan"] == {"seed": 5, "enabled": True, "rules": rules}
    assert (first, counts) == ([200, 503, 200, 503], [{"seen": 4, "fired": 2}])
    assert (second, shown) == ([200, 200], {"seed": 5, "enabled": False, "rules": rules})
    assert sandbox.get("/__sandbox__/faults").json()["plan"]["rules"] == []


@pytest.mark.parametrize(
    ("method", "body", "text"),
    [
        ("PUT", b"{", "unexpected end"),
        ("PUT", b'[{"kind":"eror"}]', "rules[0].kind: expected one of"),
        ("PATCH", b"{}", "enabled: expected true or false"),
    ],
)
def test_a_wrong_plan_is_refused_and_the_old_one_stays(sandbox, method, body, text):
    sandbox.server.fail({"kind": "echo"})

    answer = sandbox.http.request(
        method, f"{sandbox.server.url}/__sandbox__/faults", data=body, timeout=10
    )

    assert answer.status_code == 400
    assert text in answer.json()["error"]
    assert sandbox.get("/__sandbox__/faults").json()["plan"]["rules"] == [{"kind": "echo"}]


def test_the_kinds_of_faults_say_what_they_need(sandbox):
    kinds = {
        kind["kind"]: kind for kind in sandbox.get("/__sandbox__/faults/kinds").json()["kinds"]
    }

    assert kinds["redirect"]["arguments"][0] == {
        "name": "location",
        "about": "where to",
        "required": True,
    }
    assert kinds["drop"]["arguments"][0]["default"] == 1.0


def test_faults_and_latency_leave_the_controls_alone(sandbox):
    sandbox.server.fail({"kind": "error"})

    assert sandbox.get("/__sandbox__/health").status_code == 200
    assert sandbox.history() == []


def test_answers_are_held_back_by_the_latency(sandbox):
    sandbox.server.reset(latency_ms=300)

    with pytest.raises(requests.Timeout):
        requests.get(f"{sandbox.server.url}/api/lists", headers=sandbox.headers, timeout=(5, 0.05))

    assert sandbox.get("/__sandbox__/settings").json()["latency_ms"] == [300.0, 300.0]


def test_latency_repeats_itself_with_its_seed():
    state = State(Settings().changed({"latency_ms": [20, 80], "seed": 3}))
    first = [state.latency_s() for _ in range(50)]
    state.reset()

    assert first == [state.latency_s() for _ in range(50)]
    assert all(0.02 <= wait_s <= 0.08 for wait_s in first)
    assert len(set(first)) == 50


def test_the_state_has_everything_the_project_holds(sandbox):
    sandbox.bulk({"email": "ada@example.com", "userId": "1"})
    made = sandbox.post("/api/lists", {"name": "VIP"}).json()["listId"]
    sandbox.post("/api/lists/subscribe", {"listId": made, "subscribers": [{"userId": "1"}]})
    sandbox.post("/api/events/track", {"userId": "1", "eventName": "seen", "id": "e1"})
    sandbox.post(
        "/api/commerce/trackPurchase",
        {
            "user": {"userId": "1"},
            "items": [{"id": "i", "name": "n", "price": 2, "quantity": 1}],
            "total": 2,
            "id": "p1",
        },
    )
    sandbox.post("/api/catalogs/shop")
    items = {"documents": {"a": {"price": 2}}, "replaceUploadedFieldsOnly": False}
    sandbox.post("/api/catalogs/shop/items", items)
    sandbox.bulk({"email": "bob@example.com"})
    sandbox.post("/api/users/forget", {"email": "bob@example.com"})

    state = sandbox.get("/__sandbox__/state").json()

    assert [user["key"] for user in state["users"]] == ["1"]
    (vip,) = (one for one in state["lists"] if one["id"] == made)
    assert (vip["name"], vip["members"]) == ("VIP", ["1"])
    assert [(event["id"], event["eventName"]) for event in state["events"]] == [("e1", "seen")]
    assert [(event["id"], event["total"]) for event in state["purchases"]] == [("p1", 2.0)]
    assert [(one["name"], one["items"]) for one in state["catalogs"]] == [
        ("shop", {"a": {"price": 2}})
    ]
    assert len(state["forgotten"]["hashedEmails"]) == 1
    assert sandbox.server.contents() == state


@pytest.mark.parametrize("body", [b"{", b"[]", b"5"])
def test_body_that_is_no_object_is_refused(sandbox, body):
    assert sandbox.post("/__sandbox__/settings", body).status_code == 400


def test_limits_show_the_tokens_that_are_left(sandbox):
    sandbox.server.reset(rate_limits=True)
    sandbox.bulk({"userId": "1"})

    limit = sandbox.get("/__sandbox__/limits").json()["users/bulkUpdate"]

    assert (limit["requests"], limit["seconds"]) == (5.0, 1.0)
    assert limit["left"] == 4.0
