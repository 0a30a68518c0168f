"""Campaigns: pages, order and states."""

from __future__ import annotations

import pytest

REQUIRED = {
    "campaignState", "createdAt", "createdByUserId", "id", "messageMedium", "name", "type",
    "updatedAt",
}  # fmt: skip


def campaigns(sandbox, query=""):
    answer = sandbox.get(f"/api/campaigns{query}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def ids(sandbox, query=""):
    return [campaign["id"] for campaign in campaigns(sandbox, query)["campaigns"]]


def test_campaigns_have_the_documented_members(sandbox):
    answer = campaigns(sandbox)

    assert answer["totalCampaignsCount"] == len(answer["campaigns"]) > 2
    assert answer.keys() == {"campaigns", "totalCampaignsCount"}
    for campaign in answer["campaigns"]:
        assert campaign.keys() >= REQUIRED


def test_project_can_have_other_campaigns(sandbox):
    sandbox.server.app_state.messaging.campaigns = []

    assert campaigns(sandbox) == {"campaigns": [], "totalCampaignsCount": 0}


def test_pages_follow_each_other_and_keep_the_filter(sandbox):
    query = "?pageSize=1&campaignState=Running&campaignState=Draft"
    found, address = [], f"/api/campaigns{query}"
    while address:
        answer = sandbox.get(address).json()
        found += [campaign["id"] for campaign in answer["campaigns"]]
        assert answer["totalCampaignsCount"] == 3
        address = answer.get("nextPageUrl")

    assert found == ids(sandbox, "?campaignState=Running&campaignState=Draft")
    assert len(found) == 3
    assert "previousPageUrl" in answer


def test_page_has_twenty_campaigns_by_default(sandbox):
    messaging = sandbox.server.app_state.messaging
    first = messaging.campaigns[0]
    messaging.campaigns = [{**first, "id": number} for number in range(21)]

    assert ids(sandbox) == list(range(20))
    assert ids(sandbox, "?page=2") == [20]


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("", [1001, 1002, 1003, 1004]),
        ("?sort=id", [1001, 1002, 1003, 1004]),
        ("?sort=-id", [1004, 1003, 1002, 1001]),
        ("?sort=%2Bname", [1004, 1003, 1001, 1002]),
        ("?sort=+name", [1004, 1003, 1001, 1002]),
        ("?sort=-createdAt", [1004, 1003, 1002, 1001]),
        ("?sort=startAt", [1002, 1003, 1004, 1001]),
    ],
)
def test_campaigns_are_in_the_order_asked_for(sandbox, sort, expected):
    assert ids(sandbox, sort) == expected


@pytest.mark.parametrize(
    "query",
    [
        "?sort=size",
        "?sort=--id",
        "?campaignState=Lost",
        "?campaignState=Running&campaignState=Lost",
        "?page=0",
        "?pageSize=1001",
        "?pageSize=many",
    ],
)
def test_wrong_parameters_are_refused(sandbox, query):
    answer = sandbox.get(f"/api/campaigns{query}")

    assert (answer.status_code, answer.json()["code"]) == (400, "BadParams")
