"""Subscription groups: lists, message types and channels, people in and out of them."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from iterable_sync.sandbox.memberships import ListKind

SUCCESS = {"msg": "", "code": "Success", "params": None}
DOUBLE = "/api/subscriptions/subscribeToDoubleOptIn"
ARRAYS = (
    "unsubscribedChannelIds",
    "unsubscribedMessageTypeIds",
    "subscribedMessageTypeIds",
    "userListIds",
)


def send(sandbox, method, path, body=None):
    url = sandbox.server.url + path
    return sandbox.http.request(method, url, json=body, headers=sandbox.headers, timeout=10)


def change(sandbox, group, action, **body):
    answer = send(sandbox, "PUT", f"/api/subscriptions/{group}?action={action}", body)
    assert answer.status_code == 202, answer.text
    return answer.json()


def one(sandbox, method, group, person):
    return send(sandbox, method, f"/api/subscriptions/{group}/{person}")


def arrays(sandbox, key="U1"):
    person = sandbox.people()[key]
    return {name: person[name] for name in ARRAYS if person.get(name)}


@pytest.fixture(autouse=True)
def enabled(sandbox):
    sandbox.server.app_state.change({"subscriptions_enabled": True})


@pytest.fixture
def number(sandbox):
    """Give the id of an empty static list."""
    return sandbox.post("/api/lists", {"name": "A list"}).json()["listId"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/api/subscriptions/messageChannel/1?action=subscribe"),
        ("PATCH", "/api/subscriptions/messageChannel/1/user/a@example.com"),
        ("DELETE", "/api/subscriptions/messageChannel/1/byUserId/U1"),
        ("POST", DOUBLE),
    ],
)
def test_endpoints_are_not_there_until_they_are_switched_on(sandbox, method, path):
    sandbox.server.reset()

    answer = send(sandbox, method, path, {})

    assert answer.status_code == 404
    assert answer.json() == {"msg": "Endpoint not found", "code": "NotFound", "params": None}


def test_people_are_subscribed_by_both_identifiers_and_answered_before_it_is_done(sandbox, number):
    group = f"emailList/{number}"

    answer = change(
        sandbox, group, "subscribe", users=["A@example.com"], usersByUserId=["U1", "U2"]
    )

    assert answer == SUCCESS
    members = sandbox.get(f"/api/lists/getUsers?listId={number}").text.split()
    assert sorted(members) == ["U1", "U2", "a@example.com"]


def test_people_are_unsubscribed_and_strangers_are_not_created_by_it(sandbox, number):
    group = f"emailList/{number}"
    change(sandbox, group, "subscribe", usersByUserId=["U1", "U2"])

    change(sandbox, group, "unsubscribe", users=["no@example.com"], usersByUserId=["U1", "no"])

    assert sandbox.get(f"/api/lists/getUsers?listId={number}").text == "U2\n"
    assert sandbox.people().keys() == {"U1", "U2"}


def test_malformed_people_are_passed_over(sandbox, number):
    body = {"users": ["bad@"], "usersByUserId": ["U1", "ü"]}
    answer = change(sandbox, f"emailList/{number}", "subscribe", **body)

    assert answer == SUCCESS
    assert sandbox.people().keys() == {"U1"}
    assert sandbox.history()[-1]["counts"] == {"success": 1, "fail": 2}


def test_missing_action_subscribes(sandbox, number):
    body = {"usersByUserId": ["U1"]}

    answer = send(sandbox, "PUT", f"/api/subscriptions/emailList/{number}", body)

    assert answer.status_code == 202
    assert sandbox.get(f"/api/lists/getUsers?listId={number}").text == "U1\n"


# 101 and 102 are opt-out message types of channel 1, 103 an opt-in one.
@pytest.mark.parametrize(
    ("group", "subscribed", "unsubscribed"),
    [
        ("messageChannel/1", {}, {"unsubscribedChannelIds": [1]}),
        ("messageType/101", {}, {"unsubscribedMessageTypeIds": [101]}),
        ("messageType/103", {"subscribedMessageTypeIds": [103]}, {}),
        ("MESSAGETYPE/101", {}, {"unsubscribedMessageTypeIds": [101]}),
        ("messagechannel/2", {}, {"unsubscribedChannelIds": [2]}),
    ],
)
def test_each_group_writes_its_own_array_of_the_profile(sandbox, group, subscribed, unsubscribed):
    sandbox.bulk({"userId": "U1", "email": "a@example.com"})
    seen = []
    for method, person in (
        ("DELETE", "byUserId/U1"),
        ("DELETE", "user/A@example.com"),
        ("PATCH", "user/a%40example.com"),
        ("PATCH", "byUserId/U1"),
    ):
        answer = one(sandbox, method, group, person)
        assert (answer.status_code, answer.json()) == (202, SUCCESS)
        seen.append(arrays(sandbox))

    assert seen == [unsubscribed, unsubscribed, subscribed, subscribed]


def test_groups_of_one_kind_add_up(sandbox):
    for group in ("messageChannel/1", "messageChannel/2", "messageType/101", "messageType/102"):
        one(sandbox, "DELETE", group, "byUserId/U1")
    one(sandbox, "PATCH", "messageType/101", "byUserId/U1")

    assert arrays(sandbox) == {
        "unsubscribedChannelIds": [1, 2],
        "unsubscribedMessageTypeIds": [102],
    }


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
@pytest.mark.parametrize(
    ("project_type", "person", "status"),
    [
        ("hybrid", "user/a@example.com", 202),
        ("hybrid", "byUserId/U1", 202),
        ("userId", "byUserId/U1", 202),
        ("userId", "user/a@example.com", 400),
        ("email", "user/a@example.com", 202),
        ("email", "byUserId/U1", 400),
        ("hybrid", "user/bad@", 400),
        ("hybrid", f"byUserId/{quote('ü')}", 400),
    ],
)
def test_one_stranger_is_created_where_the_project_can(
    sandbox, method, project_type, person, status
):
    sandbox.server.reset(project_type=project_type, subscriptions_enabled=True)

    answer = one(sandbox, method, "messageChannel/1", person)

    assert answer.status_code == status
    assert len(sandbox.people()) == (1 if status == 202 else 0)


@pytest.mark.parametrize(
    ("person", "code"),
    [
        ("user/bad@", "InvalidEmailAddressError"),
        (f"byUserId/{quote('ü')}", "InvalidUserIdError"),
    ],
)
def test_malformed_person_is_refused_with_a_code(sandbox, person, code):
    assert one(sandbox, "PATCH", "messageChannel/1", person).json()["code"] == code


@pytest.mark.parametrize(
    ("group", "msg"),
    [
        ("nothing/1", "Invalid subscription group: nothing"),
        ("messageChannel/one", "Invalid subscription group id: one"),
        ("messageChannel/-1", "Invalid subscription group id: -1"),
        ("messageChannel/99", "Unknown subscription group: messageChannel 99"),
        ("messageType/1", "Unknown subscription group: messageType 1"),
        ("emailList/42", "error.lists.invalidListId(42)"),
    ],
)
@pytest.mark.parametrize(
    ("method", "rest"),
    [("PUT", "?action=subscribe"), ("PATCH", "/byUserId/U1"), ("DELETE", "/user/a@example.com")],
)
def test_unknown_group_is_refused_and_creates_nobody(sandbox, method, rest, group, msg):
    body = {"usersByUserId": ["U1"]}

    answer = send(sandbox, method, f"/api/subscriptions/{group}{rest}", body)

    assert (answer.status_code, answer.json()["msg"]) == (400, msg)
    assert sandbox.people() == {}


def test_dynamic_list_keeps_its_members(sandbox):
    dynamic = sandbox.server.app_state.lists.create("All", 1, kind=ListKind.DYNAMIC)

    change(sandbox, f"emailList/{dynamic.id}", "subscribe", usersByUserId=["U1"])

    assert dynamic.members == set()


@pytest.mark.parametrize(
    ("query", "body", "code"),
    [
        ("?action=love", {}, "BadParams"),
        ("?action=subscribe", {"users": "a@example.com"}, "BadJsonBody"),
        ("?action=subscribe", {"users": ["a@example.com", 1]}, "BadJsonBody"),
        ("?action=subscribe", {"usersByUserId": [None]}, "BadJsonBody"),
        ("?action=subscribe", [], "BadJsonBody"),
    ],
)
def test_wrong_bulk_request_is_refused_as_a_whole(sandbox, query, body, code):
    answer = send(sandbox, "PUT", f"/api/subscriptions/messageChannel/1{query}", body)

    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert sandbox.people() == {}


def test_wrong_value_in_a_bulk_request_is_named_by_its_path(sandbox):
    body = {"users": ["a@example.com", 1]}

    answer = send(sandbox, "PUT", "/api/subscriptions/messageChannel/1?action=subscribe", body)

    assert answer.json()["params"] == {"obj.users[1]": "String value expected"}


@pytest.mark.parametrize("project_type", ["email", "userId", "hybrid"])
def test_discarded_profiles_are_answered_all_the_same(sandbox, project_type):
    sandbox.server.reset(project_type=project_type, discard=True, subscriptions_enabled=True)
    number = sandbox.post("/api/lists", {"name": "A list"}).json()["listId"]
    person = "user/a@example.com" if project_type == "email" else "byUserId/U1"

    for method, size in (("PATCH", "1"), ("DELETE", "0")):
        for group in (f"emailList/{number}", "messageType/101", "messageChannel/1"):
            assert one(sandbox, method, group, person).status_code == 202
        assert sandbox.get(f"/api/lists/{number}/size").text == size


def test_double_opt_in_is_accepted_and_subscribes_nobody_yet(sandbox):
    sandbox.bulk({"userId": "U1"})
    body = {"userId": "U1", "messageTypeIds": [105], "phoneNumber": "+14158675309"}

    answer = sandbox.post(DOUBLE, body)

    assert (answer.status_code, answer.text) == (
        202,
        "Request for double opt-in subscription accepted",
    )
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert sandbox.people()["U1"]["phoneNumber"] == "+14158675309"
    assert arrays(sandbox) == {}


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"userId": "no", "messageTypeIds": [105]}, "User not found for userId: no or email: "),
        (
            {"email": "no@example.com", "messageTypeIds": [105]},
            "User not found for userId:  or email: no@example.com",
        ),
        ({"messageTypeIds": [105]}, "User not found for userId:  or email: "),
        ({"userId": "U1", "messageTypeIds": [103]}, "Not double opt-in message types: 103"),
        ({"userId": "U1", "messageTypeIds": [105, 9]}, "Not double opt-in message types: 9"),
        ({"userId": "U1", "messageTypeIds": []}, "Not double opt-in message types: "),
    ],
)
def test_double_opt_in_that_cannot_be_is_a_text(sandbox, body, text):
    sandbox.bulk({"userId": "U1"})

    answer = sandbox.post(DOUBLE, body)

    assert (answer.status_code, answer.text) == (400, text)


@pytest.mark.parametrize(
    "body", [{}, {"messageTypeIds": "105"}, {"messageTypeIds": ["105"]}, {"email": 1}, b"{"]
)
def test_double_opt_in_with_a_wrong_body_has_the_other_envelope(sandbox, body):
    answer = sandbox.post(DOUBLE, body)

    assert answer.status_code == 400
    assert answer.json().keys() == {"error", "message", "code", "data"}
    assert answer.json()["error"] == "BadRequest"
