"""Channels, message types, campaigns and kinds of lists: planted as seed data."""

from __future__ import annotations

import pytest

CHANNEL = {"id": 9, "name": "Push", "channelType": "Marketing", "messageMedium": "Push"}
MESSAGE_TYPE = {
    "id": 19, "name": "News", "channelId": 9, "subscriptionPolicy": "OptOut", "createdAt": 1,
    "updatedAt": 2,
}  # fmt: skip
CAMPAIGN = {
    "id": 29, "name": "Sale", "campaignState": "Ready", "type": "Blast", "messageMedium": "Push",
    "createdByUserId": "a@example.com", "createdAt": 1, "updatedAt": 2,
}  # fmt: skip


def seed(sandbox, data):
    return sandbox.post("/__sandbox__/seed", data)


@pytest.mark.parametrize(
    ("section", "row"),
    [("channels", CHANNEL), ("messageTypes", MESSAGE_TYPE), ("campaigns", CAMPAIGN)],
)
def test_seeded_rows_take_the_place_of_the_first_ones(sandbox, section, row):
    answer = seed(sandbox, {section: [row]})

    assert answer.status_code == 200, answer.text
    assert sandbox.get(f"/api/{section}").json()[section] == [row]


@pytest.mark.parametrize(
    ("section", "row"),
    [("channels", CHANNEL), ("messageTypes", MESSAGE_TYPE), ("campaigns", CAMPAIGN)],
)
@pytest.mark.parametrize("fault", ["missing", "wrong type", "no object", "no array"])
def test_wrong_rows_are_refused_and_change_nothing(sandbox, section, row, fault):
    before = sandbox.get(f"/api/{section}").json()
    rows = {
        "missing": [row, {name: row[name] for name in row if name != "name"}],
        "wrong type": [{**row, "id": "9"}],
        "no object": [9],
        "no array": row,
    }[fault]

    answer = seed(sandbox, {section: rows})

    assert answer.status_code == 400
    assert answer.json()["error"].startswith(section)
    assert sandbox.get(f"/api/{section}").json() == before


def test_seeded_dynamic_list_has_its_members_and_takes_no_others(sandbox):
    members = [{"userId": "U1"}]
    assert seed(sandbox, {"lists": [{"name": "All", "kind": "Dynamic", "members": members}]}).ok
    (shown,) = sandbox.get("/api/lists").json()["lists"]

    sandbox.post("/api/lists/subscribe", {"listId": shown["id"], "subscribers": [{"userId": "U2"}]})

    assert shown["listType"] == "Dynamic"
    assert sandbox.get(f"/api/lists/getUsers?listId={shown['id']}").text == "U1\n"


@pytest.mark.parametrize("kind", ["Other", 1, None, []])
def test_unknown_kind_of_list_is_refused(sandbox, kind):
    answer = seed(sandbox, {"lists": [{"name": "All", "kind": kind}]})

    assert answer.status_code == 400
    assert "lists[0].kind" in answer.json()["error"]
    assert sandbox.get("/api/lists").json() == {"lists": []}
