"""users/updateSubscriptions and users/bulkUpdateSubscriptions."""

from __future__ import annotations

import pytest

from iterable_sync.sandbox.memberships import ListKind

SINGLE = "/api/users/updateSubscriptions"
BULK = "/api/users/bulkUpdateSubscriptions"
TYPES = ("email", "userId", "hybrid")
EMPTY = {
    "successCount": 0,
    "failCount": 0,
    "invalidEmails": [],
    "invalidUserIds": [],
    "validEmailFailures": [],
    "validUserIdFailures": [],
}


def update(sandbox, **body):
    answer = sandbox.post(SINGLE, body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def bulk(sandbox, *items):
    answer = sandbox.post(BULK, {"updateSubscriptionsRequests": list(items)})
    assert answer.status_code == 200, answer.text
    return answer.json()


def new_list(sandbox):
    return sandbox.post("/api/lists", {"name": "A list"}).json()["listId"]


def size(sandbox, number):
    return int(sandbox.get(f"/api/lists/{number}/size").text)


def shown(sandbox, key="U1"):
    person = sandbox.people()[key]
    names = (
        "userListIds", "emailListIds", "unsubscribedChannelIds", "unsubscribedMessageTypeIds",
        "subscribedMessageTypeIds",
    )  # fmt: skip
    return {name: person[name] for name in names if name in person}


def test_answer_is_the_recorded_one(sandbox):
    assert update(sandbox, email="a@example.com") == {"msg": "", "code": "Success", "params": None}


def test_request_that_says_nothing_of_subscriptions_changes_none(sandbox):
    update(sandbox, userId="U1", unsubscribedChannelIds=[1])
    before = shown(sandbox)
    update(sandbox, userId="U1", unsubscribedChannelIds=None, campaignId=1001, templateId=5)

    assert shown(sandbox) == before


def test_arrays_are_overwritten_as_a_whole_and_others_stay(sandbox):
    update(
        sandbox, userId="U1", unsubscribedChannelIds=[1, 2], unsubscribedMessageTypeIds=[101, 102]
    )
    update(sandbox, userId="U1", unsubscribedMessageTypeIds=[104])
    once = shown(sandbox)
    update(sandbox, userId="U1", unsubscribedChannelIds=[])

    assert once["unsubscribedChannelIds"] == [1, 2]
    assert once["unsubscribedMessageTypeIds"] == [104]
    assert shown(sandbox)["unsubscribedChannelIds"] == []
    assert shown(sandbox)["unsubscribedMessageTypeIds"] == [104]


@pytest.mark.parametrize(
    ("project_type", "field"),
    [("email", "emailListIds"), ("userId", "userListIds"), ("hybrid", "userListIds")],
)
def test_lists_are_overwritten_in_the_profile_and_in_the_lists(sandbox, project_type, field):
    sandbox.server.reset(project_type=project_type)
    first, second, third = (new_list(sandbox) for _ in range(3))
    user = {"email": "a@example.com", "userId": "U1"}
    update(sandbox, **user, emailListIds=[first, second])
    update(sandbox, **user, emailListIds=[second, third])

    (person,) = sandbox.people().values()
    assert person[field] == [second, third]
    assert [size(sandbox, number) for number in (first, second, third)] == [0, 1, 1]
    update(sandbox, **user, emailListIds=[])
    assert [size(sandbox, number) for number in (first, second, third)] == [0, 0, 0]


@pytest.mark.parametrize(("project_type", "joins"), [("email", 0), ("userId", 1), ("hybrid", 1)])
def test_lists_may_go_by_their_other_name_outside_email_projects(sandbox, project_type, joins):
    sandbox.server.reset(project_type=project_type)
    number = new_list(sandbox)
    update(sandbox, email="a@example.com", userId="U1", userListIds=[number])

    assert size(sandbox, number) == joins


def test_dynamic_lists_are_neither_joined_nor_left(sandbox):
    state = sandbox.server.app_state
    dynamic = state.lists.create("All", 1, kind=ListKind.DYNAMIC)
    sandbox.bulk({"userId": "U1"}, {"userId": "U2"})
    dynamic.members.add(state.people.by_user_id("U1").number)

    update(sandbox, userId="U1", emailListIds=[])
    update(sandbox, userId="U2", emailListIds=[dynamic.id])

    assert sandbox.get(f"/api/lists/getUsers?listId={dynamic.id}").text == "U1\n"


@pytest.mark.parametrize(
    ("project_type", "user", "status", "code"),
    [
        ("hybrid", {"email": "A@example.com"}, 200, "Success"),
        ("hybrid", {"userId": "U9"}, 200, "Success"),
        ("hybrid", {"email": "a@example.com", "userId": ""}, 200, "Success"),
        ("userId", {"userId": "U9"}, 200, "Success"),
        ("userId", {"email": "a@example.com"}, 400, "UnknownEmailError"),
        ("email", {"email": "a@example.com"}, 200, "Success"),
        ("email", {"userId": "U9"}, 400, "UnknownUserIdError"),
        ("hybrid", {"email": "foo@"}, 400, "InvalidEmailAddressError"),
        ("hybrid", {"userId": "ü"}, 400, "InvalidUserIdError"),
        ("hybrid", {}, 400, "BadParams"),
    ],
)
def test_stranger_is_created_or_refused_as_in_an_update(sandbox, project_type, user, status, code):
    sandbox.server.reset(project_type=project_type)

    answer = sandbox.post(SINGLE, user)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert len(sandbox.people()) == (1 if status == 200 else 0)


def test_malformed_address_has_the_recorded_answer(sandbox):
    assert sandbox.post(SINGLE, {"email": "foo@"}).json() == {
        "msg": "Invalid email: foo@",
        "code": "InvalidEmailAddressError",
        "params": None,
    }


def test_conflict_of_identifiers_is_a_409(sandbox):
    sandbox.bulk(
        {"userId": "U1", "email": "a@example.com"}, {"userId": "U2", "email": "b@example.com"}
    )

    answer = sandbox.post(
        SINGLE, {"userId": "U1", "email": "b@example.com", "unsubscribedChannelIds": [1]}
    )

    assert (answer.status_code, answer.json()["code"]) == (409, "Conflict")
    assert (shown(sandbox, "U1"), shown(sandbox, "U2")) == ({}, {})


@pytest.mark.parametrize(
    ("body", "msg"),
    [
        ({"emailListIds": [42]}, "Invalid list id: 42"),
        ({"unsubscribedChannelIds": [1, 42]}, "Invalid channel id: 42"),
        ({"unsubscribedMessageTypeIds": [42]}, "Invalid message type id: 42"),
        (
            {"subscribedMessageTypeIds": [103]},
            "subscribedMessageTypeIds cannot be set: opt-in message types are not enabled",
        ),
    ],
)
def test_subscriptions_that_cannot_be_are_refused_and_create_nobody(sandbox, body, msg):
    answer = sandbox.post(SINGLE, {"userId": "U1", **body})

    assert (answer.status_code, answer.json()["code"]) == (400, "BadParams")
    assert answer.json()["msg"] == msg
    assert sandbox.people() == {}


def test_unknown_opt_in_message_type_is_refused(sandbox):
    sandbox.server.reset(opt_in_message_types=True)

    answer = sandbox.post(SINGLE, {"userId": "U1", "subscribedMessageTypeIds": [42]})

    assert answer.json()["msg"] == "Invalid message type id: 42"


@pytest.mark.parametrize(
    ("before", "body", "status"),
    [
        pytest.param([], {}, 200, id="channel subscribed"),
        pytest.param([1], {}, 400, id="channel left before"),
        pytest.param([], {"unsubscribedChannelIds": [1]}, 400, id="channel left now"),
        pytest.param([1], {"unsubscribedChannelIds": [2]}, 200, id="another channel left now"),
        pytest.param([1], {"validateChannelAlignment": False}, 200, id="not to be checked"),
        pytest.param([1], {"validateChannelAlignment": True}, 400, id="to be checked"),
    ],
)
def test_opt_in_message_type_needs_its_channel(sandbox, before, body, status):
    sandbox.server.reset(opt_in_message_types=True)
    update(sandbox, userId="U1", unsubscribedChannelIds=before)

    answer = sandbox.post(SINGLE, {"userId": "U1", "subscribedMessageTypeIds": [103], **body})

    assert answer.status_code == status, answer.text
    joined = [103] if status == 200 else []
    assert shown(sandbox)["subscribedMessageTypeIds"] == joined


@pytest.mark.parametrize(
    ("member", "path", "text"),
    [
        ({"email": 1}, "email", "String value expected"),
        ({"campaignId": "1"}, "campaignId", "Number value expected"),
        ({"templateId": True}, "templateId", "Number value expected"),
        ({"validateChannelAlignment": 0}, "validateChannelAlignment", "Boolean value expected"),
        ({"emailListIds": "all"}, "emailListIds", "error.expected.jsarray"),
        ({"emailListIds": [1, "2"]}, "emailListIds[1]", "Number value expected"),
        ({"unsubscribedChannelIds": {}}, "unsubscribedChannelIds", "error.expected.jsarray"),
        ({"unsubscribedMessageTypeIds": [1.5]}, "unsubscribedMessageTypeIds[0]",
         "Number value expected"),
        ({"subscribedMessageTypeIds": [None]}, "subscribedMessageTypeIds[0]",
         "Number value expected"),
    ],
)  # fmt: skip
def test_wrong_json_type_refuses_the_whole_request_with_its_path(sandbox, member, path, text):
    single = sandbox.post(SINGLE, {"userId": "U1", **member})
    items = [{"userId": "U1"}, {"userId": "U2", **member}]
    many = sandbox.post(BULK, {"updateSubscriptionsRequests": items})

    assert (single.status_code, many.status_code) == (400, 400)
    assert single.json() == {
        "msg": f"[{SINGLE}] Invalid JSON body",
        "code": "BadJsonBody",
        "params": {f"obj.{path}": text},
    }
    assert many.json()["params"] == {f"obj.updateSubscriptionsRequests[1].{path}": text}
    assert sandbox.people() == {}


@pytest.mark.parametrize(
    ("body", "params"),
    [
        ({}, {"obj.updateSubscriptionsRequests": "error.path.missing"}),
        ({"updateSubscriptionsRequests": {}},
         {"obj.updateSubscriptionsRequests": "error.expected.jsarray"}),
        ({"updateSubscriptionsRequests": [1]},
         {"obj.updateSubscriptionsRequests[0]": "error.expected.jsobject"}),
    ],
)  # fmt: skip
def test_bulk_body_without_its_array_is_refused(sandbox, body, params):
    answer = sandbox.post(BULK, body)

    assert (answer.status_code, answer.json()["params"]) == (400, params)


def test_bulk_of_nobody_is_zeros(sandbox):
    assert bulk(sandbox) == EMPTY


def test_bulk_updates_each_person_and_names_the_malformed(sandbox):
    number = new_list(sandbox)

    answer = bulk(
        sandbox,
        {"userId": "U1", "unsubscribedChannelIds": [1]},
        {"email": "Foo@", "unsubscribedChannelIds": [1]},
        {"userId": "ü"},
        {"email": "a@example.com", "emailListIds": [number]},
    )

    assert answer == EMPTY | {
        "successCount": 2,
        "failCount": 2,
        "invalidEmails": ["foo@"],
        "invalidUserIds": ["ü"],
    }
    assert shown(sandbox, "U1")["unsubscribedChannelIds"] == [1]
    assert sandbox.history()[-1]["keys"] == ["U1", "a@example.com"]
    assert size(sandbox, number) == 1


def test_bulk_names_well_formed_people_who_were_not_updated(sandbox):
    sandbox.server.reset(project_type="email")

    answer = bulk(
        sandbox,
        {"userId": "no"},
        {"email": "A@example.com", "emailListIds": [42]},
        {"email": "", "userId": "U1", "unsubscribedChannelIds": [42]},
        {"email": "b@example.com", "subscribedMessageTypeIds": []},
        {"email": "c@example.com"},
    )

    assert answer == EMPTY | {
        "successCount": 1,
        "failCount": 4,
        "validEmailFailures": ["a@example.com", "b@example.com"],
        "validUserIdFailures": ["no", "U1"],
    }
    assert sandbox.people().keys() == {"c@example.com"}


def test_address_that_finds_nobody_in_a_user_id_project_is_well_formed(sandbox):
    sandbox.server.reset(project_type="userId")

    answer = bulk(sandbox, {"email": "A@example.com", "unsubscribedChannelIds": [1]})

    assert answer == EMPTY | {"failCount": 1, "validEmailFailures": ["a@example.com"]}


def test_forgotten_person_is_refused_alone_and_named_among_others(sandbox):
    sandbox.bulk({"email": "a@example.com"})
    assert sandbox.post("/api/users/forget", {"email": "a@example.com"}).status_code == 200

    single = sandbox.post(SINGLE, {"email": "a@example.com"})
    many = bulk(sandbox, {"email": "a@example.com"}, {"email": "b@example.com"})

    assert (single.status_code, single.json()["code"]) == (409, "ForgottenUserError")
    assert many["validEmailFailures"] == ["a@example.com"]
    assert many["successCount"] == 1


@pytest.mark.parametrize(
    ("switch", "bad", "good"),
    [("folded", "bad@", "no@example.com"), ("sent", "Bad@", "No@example.com")],
)
def test_failed_address_is_echoed_as_switched(sandbox, switch, bad, good):
    sandbox.server.reset(echoed_emails=switch)

    answer = bulk(sandbox, {"email": "Bad@"}, {"email": "No@example.com", "emailListIds": [42]})

    assert (answer["invalidEmails"], answer["validEmailFailures"]) == ([bad], [good])


def test_malformed_person_with_impossible_subscriptions_is_malformed(sandbox):
    assert bulk(sandbox, {"email": "foo@", "emailListIds": [42]})["invalidEmails"] == ["foo@"]


def test_conflict_in_a_bulk_is_a_409_and_the_others_are_applied(sandbox):
    sandbox.bulk(
        {"userId": "U1", "email": "a@example.com"}, {"userId": "U2", "email": "b@example.com"}
    )
    items = [
        {"userId": "U1", "email": "b@example.com", "unsubscribedChannelIds": [1]},
        {"userId": "U3", "unsubscribedChannelIds": [1]},
    ]

    answer = sandbox.post(BULK, {"updateSubscriptionsRequests": items})

    assert (answer.status_code, answer.json()["code"]) == (409, "Conflict")
    assert (shown(sandbox, "U1"), shown(sandbox, "U3")["unsubscribedChannelIds"]) == ({}, [1])
    entry = sandbox.history()[-1]
    assert (entry["applied"], entry["keys"]) == (True, ["U3"])


@pytest.mark.parametrize("project_type", TYPES)
def test_discarded_profiles_are_validated_and_counted_all_the_same(sandbox, project_type):
    sandbox.server.reset(project_type=project_type, discard=True)
    number = new_list(sandbox)
    user = {"email": "a@example.com", "userId": "U1"}

    answer = bulk(
        sandbox,
        {**user, "emailListIds": [number], "unsubscribedChannelIds": [1]},
        {**user, "emailListIds": [42]},
        {"email": "bad@"},
    )

    assert answer == EMPTY | {
        "successCount": 1,
        "failCount": 2,
        "invalidEmails": ["bad@"],
        "validEmailFailures": ["a@example.com"],
    }
    assert size(sandbox, number) == 1
