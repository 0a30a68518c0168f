"""Seed data goes through the endpoints; what one of them refuses is told with its place."""

from __future__ import annotations

import re

import pytest

SEED = {
    "users": [
        {"email": "ada@example.com", "userId": "1", "dataFields": {"plan": "pro"}},
        {"userId": "2"},
    ],
    "lists": [{"name": "VIP", "members": [{"userId": "1"}]}, {"name": "empty"}],
    "events": [{"userId": "1", "eventName": "seen", "id": "e1", "dataFields": {"n": 1}}],
    "purchases": [
        {
            "user": {"userId": "2"},
            "items": [{"id": "i", "name": "n", "price": 2, "quantity": 1}],
            "total": 2,
        }
    ],
    "catalogs": {"shop": {"a": {"price": 2}, "b": {}}, "none": {}},
}


def test_seed_data_of_every_kind_is_there_afterwards(sandbox):
    answer = sandbox.post("/__sandbox__/seed", SEED)

    assert answer.json() == {"users": 2, "lists": 2, "events": 1, "purchases": 1, "catalogs": 2}
    state = sandbox.server.contents()
    assert [user["key"] for user in state["users"]] == ["1", "2"]
    members = {one["name"]: one["members"] for one in state["lists"]}
    assert (members["VIP"], members["empty"]) == (["1"], [])
    assert [event["id"] for event in state["events"]] == ["e1"]
    assert [purchase["userId"] for purchase in state["purchases"]] == ["2"]
    assert [(one["name"], list(one["items"])) for one in state["catalogs"]] == [
        ("shop", ["a", "b"]),
        ("none", []),
    ]


def test_seed_data_meets_no_limit_and_no_fault_and_leaves_no_history(sandbox):
    sandbox.server.reset(rate_limits=True, limits={"users/bulkUpdate": 0.001})
    sandbox.server.fail({"kind": "error"})

    assert sandbox.server.seed({"users": [{"userId": f"{n}"} for n in range(50)]}) == {"users": 50}

    assert len(sandbox.people()) == 50
    assert sandbox.history() == []


@pytest.mark.parametrize(
    ("seed", "text"),
    [
        pytest.param([], "expected an object", id="array"),
        pytest.param({"user": []}, "unknown member 'user'; known: users, lists", id="member"),
        pytest.param({"users": {}}, "users: expected an array", id="users"),
        pytest.param({"users": [{}, 5]}, "users[0]: refused as invalid", id="nobody"),
        pytest.param(
            {"users": [{"userId": "1"}, {"email": "bad@"}]},
            "users[1]: refused as invalidEmails",
            id="email",
        ),
        pytest.param(
            {"users": [{"userId": 1}]}, 'users[0]: BadJsonBody: {"obj.users[0].userId"', id="type"
        ),
        pytest.param({"users": [5]}, "users[0]: BadJsonBody", id="number"),
        pytest.param({"lists": [5]}, "lists[0]: expected an object", id="list"),
        pytest.param(
            {"lists": [{"name": "a", "members": [{"email": "bad@"}]}]},
            "lists[0].members[0]: refused as invalidEmails",
            id="member of a list",
        ),
        pytest.param({"lists": [{}]}, "lists[0]: BadJsonBody", id="list without a name"),
        pytest.param(
            {"events": [{"userId": "1"}]}, "events[0]: BadJsonBody", id="event without a name"
        ),
        pytest.param({"purchases": [{}]}, "purchases[0]: BadJsonBody", id="purchase"),
        pytest.param({"catalogs": []}, "catalogs: expected an object", id="catalogs"),
        pytest.param({"catalogs": {"a": []}}, "catalogs.a: expected an object", id="items"),
        pytest.param({"catalogs": {"a": {"b c": {}}}}, "catalogs.a.b c: ", id="item id"),
    ],
)
def test_wrong_seed_data_is_told_its_place_and_nothing_is_kept(sandbox, seed, text):
    good = {"users": [{"userId": "before"}], **seed} if isinstance(seed, dict) else seed

    with pytest.raises(ValueError, match=re.escape(text)):
        sandbox.server.seed(good)

    assert sandbox.people() == {}
    answer = sandbox.post("/__sandbox__/seed", good)
    assert (answer.status_code, text in answer.json()["error"]) == (400, True)


def test_seed_data_that_is_no_json_is_refused(sandbox):
    assert sandbox.post("/__sandbox__/seed", b"{").status_code == 400
