"""Lists themselves: created, listed, deleted, and who may call what."""

from __future__ import annotations

import pytest

from iterable_sync.sandbox.memberships import ListKind

UNKNOWN = 999_999_999


def send(sandbox, method, path, body=None, **options):
    options.setdefault("headers", sandbox.headers)
    url = sandbox.server.url + path
    return sandbox.http.request(method, url, json=body, timeout=10, **options)


def create(sandbox, name="A list", **more):
    answer = sandbox.post("/api/lists", {"name": name, **more})
    assert answer.status_code == 200, answer.text
    return answer.json()["listId"]


def test_lists_of_an_empty_project_are_none(sandbox):
    answer = sandbox.get("/api/lists")

    assert (answer.status_code, answer.json()) == (200, {"lists": []})


def test_created_lists_are_static_and_listed_newest_first(sandbox):
    first = create(sandbox, "First")
    second = create(sandbox, "Second", description="of two")

    newest, oldest = sandbox.get("/api/lists").json()["lists"]

    assert oldest.pop("createdAt") <= newest.pop("createdAt")
    assert newest == {
        "id": second,
        "name": "Second",
        "description": "of two",
        "listType": "Standard",
    }
    assert oldest == {"id": first, "name": "First", "listType": "Standard"}


def test_creation_time_of_a_list_is_in_milliseconds(sandbox):
    create(sandbox)

    assert sandbox.get("/api/lists").json()["lists"][0]["createdAt"] > 10**12


def test_names_of_lists_need_not_be_unique(sandbox):
    assert create(sandbox, "Same") != create(sandbox, "Same")


def test_id_of_a_planted_list_is_never_given_again(sandbox):
    first = create(sandbox)
    state = sandbox.server.app_state
    planted = state.lists.create("Planted", 1, kind=ListKind.SUPPRESSION)

    assert len({first, planted.id, create(sandbox)}) == 3
    shown = next(one for one in sandbox.get("/api/lists").json()["lists"] if one["id"] != first)
    assert create(sandbox) != shown["id"]


@pytest.mark.parametrize(
    ("kind", "extra"),
    [
        (ListKind.STANDARD, {}),
        (ListKind.DYNAMIC, {}),
        (ListKind.SUPPRESSION, {"isGlobalSuppressionEnabled": False}),
        (ListKind.INTERNAL, {}),
    ],
)
def test_planted_list_is_shown_with_its_kind(sandbox, kind, extra):
    planted = sandbox.server.app_state.lists.create("Planted", 5, kind=kind)

    assert sandbox.get("/api/lists").json()["lists"] == [
        {"id": planted.id, "name": "Planted", "createdAt": 5, "listType": kind.value, **extra}
    ]


@pytest.mark.parametrize(
    ("body", "params"),
    [
        pytest.param({}, {"obj.name": "error.path.missing"}, id="no name"),
        pytest.param({"name": None}, {"obj.name": "String value expected"}, id="null"),
        pytest.param({"name": 5}, {"obj.name": "String value expected"}, id="number"),
        pytest.param(
            {"name": "a", "description": []},
            {"obj.description": "String value expected"},
            id="description",
        ),
    ],
)
def test_list_is_not_created_from_a_wrong_body(sandbox, body, params):
    answer = sandbox.post("/api/lists?name=in-the-query", body)

    assert answer.status_code == 400
    assert answer.json() == {
        "msg": "[/api/lists] Invalid JSON body",
        "code": "BadJsonBody",
        "params": params,
    }
    assert sandbox.get("/api/lists").json() == {"lists": []}


def test_deleted_list_is_gone_from_the_project_and_from_its_members(sandbox):
    kept, gone = create(sandbox), create(sandbox)
    for number in (kept, gone):
        body = {"listId": number, "subscribers": [{"userId": "U1"}]}
        assert sandbox.post("/api/lists/subscribe", body).status_code == 200

    answer = send(sandbox, "DELETE", f"/api/lists/{gone}")

    assert answer.status_code == 200
    assert answer.json() == {
        "msg": f"List {gone} in Project 1 was successfully deleted.",
        "code": "Success",
        "params": None,
    }
    assert [one["id"] for one in sandbox.get("/api/lists").json()["lists"]] == [kept]
    assert sandbox.people()["U1"]["userListIds"] == [kept]


@pytest.mark.parametrize("given", [str(UNKNOWN), "42x", "9" * 40])
def test_list_that_does_not_exist_is_not_deleted(sandbox, given):
    answer = send(sandbox, "DELETE", f"/api/lists/{given}")

    assert answer.status_code == 400
    assert answer.json() == {
        "msg": f"Unable to delete list {given} in Project 1, which does not exist.",
        "code": "BadParams",
        "params": None,
    }


@pytest.mark.parametrize(
    ("campaign", "status"),
    [
        pytest.param({"campaignState": "Scheduled", "listIds": True}, 409, id="sent to"),
        pytest.param({"campaignState": "Running", "suppressionListIds": True}, 409, id="left out"),
        pytest.param({"campaignState": "Finished", "listIds": True}, 200, id="finished"),
        pytest.param({"campaignState": "Scheduled"}, 200, id="another list"),
    ],
)
def test_list_in_use_by_a_campaign_is_not_deleted(sandbox, campaign, status):
    number = create(sandbox)
    named = {name: [number] if value is True else value for name, value in campaign.items()}
    sandbox.server.app_state.messaging.campaigns.append(named)

    answer = send(sandbox, "DELETE", f"/api/lists/{number}")

    assert answer.status_code == status
    assert len(sandbox.get("/api/lists").json()["lists"]) == (1 if status == 409 else 0)


def test_delete_without_an_id_is_no_endpoint(sandbox):
    answer = send(sandbox, "DELETE", "/api/lists/")

    assert answer.status_code == 404
    assert answer.headers["Content-Type"].startswith("text/html")


CALLS = [
    ("GET", "/api/lists", True),
    ("POST", "/api/lists", False),
    ("POST", "/api/lists/subscribe", False),
    ("POST", "/api/lists/unsubscribe", False),
    ("GET", "/api/lists/getUsers?listId=1", False),
    ("GET", "/api/lists/previewUsers?listId=1", False),
    ("GET", "/api/lists/1/size", True),
    ("DELETE", "/api/lists/1", False),
    ("GET", "/api/channels", True),
    ("GET", "/api/messageTypes", True),
    ("GET", "/api/campaigns", True),
    ("POST", "/api/users/updateSubscriptions", False),
    ("POST", "/api/users/bulkUpdateSubscriptions", False),
    ("PUT", "/api/subscriptions/emailList/1?action=subscribe", False),
    ("PATCH", "/api/subscriptions/emailList/1/user/a@example.com", False),
    ("DELETE", "/api/subscriptions/emailList/1/byUserId/U1", False),
    ("POST", "/api/subscriptions/subscribeToDoubleOptIn", False),
]


@pytest.mark.parametrize(("method", "path", "_reads"), CALLS)
def test_wrong_key_is_refused(sandbox, method, path, _reads):
    answer = send(sandbox, method, path, {}, headers={"Api-Key": "wrong"})

    assert (answer.status_code, answer.json()["code"]) == (401, "BadApiKey")
    assert answer.json()["msg"] == "Invalid API key"


@pytest.mark.parametrize(("method", "path", "reads"), CALLS)
def test_read_only_key_reads_but_does_not_write_nor_get_members(sandbox, method, path, reads):
    key = sandbox.server.app_state.settings.read_only_key

    answer = send(sandbox, method, path, {}, headers={"Api-Key": key})

    assert (answer.status_code != 401) is reads
    if not reads:
        assert answer.json()["msg"] == "Disabled API key or insufficient privileges"


@pytest.mark.parametrize("path", ["getUsers?listId={}", "previewUsers?listId={}", "{}/size"])
def test_members_may_be_read_five_times_a_minute(sandbox, path):
    number = create(sandbox)
    sandbox.server.app_state.change({"rate_limits": True, "retry_after": "auto"})

    answers = [sandbox.get(f"/api/lists/{path.format(number)}") for _ in range(6)]

    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    assert int(answers[-1].headers["Retry-After"]) in (11, 12)


def test_each_read_of_members_has_its_own_limit(sandbox):
    number = create(sandbox)
    sandbox.server.app_state.change({"rate_limits": True})
    for _ in range(6):
        sandbox.get(f"/api/lists/{number}/size")

    assert sandbox.get(f"/api/lists/getUsers?listId={number}").status_code == 200
