"""users/update and users/bulkUpdate: who is written, who fails, and by which name."""

from __future__ import annotations

import pytest

BULK = "/api/users/bulkUpdate"
UPDATE = "/api/users/update"
EMPTY_REQUEST = "ApiUserUpdateRequest(None,None,None,None)"
ARRAYS = {
    "invalidEmails", "invalidUserIds", "notFoundEmails", "notFoundUserIds", "invalidDataEmails",
    "invalidDataUserIds", "conflictEmails", "conflictUserIds", "forgottenEmails",
    "forgottenUserIds",
}  # fmt: skip


def failures(answer):
    return {array: names for array, names in answer["failedUpdates"].items() if names}


def test_bulk_answer_has_all_its_members_always(sandbox):
    answer = sandbox.bulk({"email": "ada@example.com"}, {"email": "Shrouti"})

    assert answer.pop("failedUpdates").keys() == ARRAYS
    assert answer == {
        "successCount": 1,
        "failCount": 1,
        "invalidEmails": ["shrouti"],
        "invalidUserIds": [],
        "filteredOutFields": [],
        "createdFields": [],
        "noOpEmails": [],
        "noOpUserIds": [],
    }


def test_single_answer_is_the_recorded_one(sandbox):
    answer = sandbox.post(UPDATE, {"email": "ada@example.com", "dataFields": {"name": "Ada"}})

    assert answer.status_code == 200
    assert answer.json() == {"msg": "", "code": "Success", "params": None}
    assert sandbox.people()["ada@example.com"]["name"] == "Ada"


# Who is created, and who fails, in an empty project.
@pytest.mark.parametrize(
    ("project_type", "user", "key", "failed"),
    [
        pytest.param("hybrid", {"email": " A@Example.com"}, "a@example.com", {}, id="hybrid email"),
        pytest.param("hybrid", {"userId": "U1"}, "U1", {}, id="hybrid userId"),
        pytest.param("hybrid", {"email": "a@example.com", "userId": "U1"}, "U1", {},
                     id="hybrid both"),
        pytest.param("hybrid", {"email": "a@example.com", "userId": ""}, "a@example.com", {},
                     id="empty userId beside an email"),
        pytest.param("hybrid", {"email": "", "userId": "U1"}, "U1", {},
                     id="empty email beside a userId"),
        pytest.param("hybrid", {"email": None, "userId": "U1"}, "U1", {}, id="null"),
        pytest.param("userId", {"userId": "U1", "email": "a@example.com"}, "U1", {},
                     id="userID both"),
        pytest.param("userId", {"email": "A@example.com"}, None,
                     {"notFoundEmails": ["a@example.com"]}, id="userID email only"),
        pytest.param("email", {"email": "A@example.com", "userId": "U1"}, "a@example.com", {},
                     id="email both"),
        pytest.param("email", {"userId": "U1"}, None, {"notFoundUserIds": ["U1"]},
                     id="email userId only"),
        pytest.param("hybrid", {"email": "Bad@"}, None, {"invalidEmails": ["bad@"]},
                     id="bad email"),
        pytest.param("hybrid", {"userId": "U1", "email": "Bad@"}, None,
                     {"invalidEmails": ["bad@"]}, id="bad email beside a userId"),
        pytest.param("hybrid", {"userId": "U1 "}, None, {"invalidUserIds": ["U1 "]},
                     id="bad userId"),
        pytest.param("hybrid", {"userId": "U1", "dataFields": {"email": "Bad@"}}, None,
                     {"invalidEmails": ["bad@"]}, id="bad email inside dataFields"),
        pytest.param("hybrid", {"email": "a@example.com", "dataFields": {"userId": "ü"}}, None,
                     {"invalidUserIds": ["ü"]}, id="bad userId inside dataFields"),
        pytest.param("hybrid", {"email": ""}, None, {"invalidEmails": [""]}, id="empty email"),
        pytest.param("hybrid", {"userId": ""}, None, {"invalidUserIds": [""]}, id="empty userId"),
        pytest.param("hybrid", {"dataFields": {"a": 1}}, None, {"invalidEmails": [""]},
                     id="nobody"),
        pytest.param("userId", {"dataFields": {"a": 1}}, None, {"invalidUserIds": [""]},
                     id="nobody in a userID project"),
    ],
)  # fmt: skip
def test_row_creates_a_profile_or_fails_by_its_identifier(sandbox, project_type, user, key, failed):
    sandbox.server.reset(project_type=project_type)

    answer = sandbox.bulk(user, {"userId": "other", "email": "other@example.com"})

    assert failures(answer) == failed
    assert (answer["successCount"], answer["failCount"]) == ((1, 1) if failed else (2, 0))
    assert len(sandbox.people()) == (1 if failed else 2)
    assert key is None or key in sandbox.people()


@pytest.mark.parametrize(
    ("switch", "expected"),
    [
        pytest.param("not_found", {"notFoundUserIds": ["U1"]}, id="not found"),
        pytest.param("invalid", {"invalidUserIds": ["U1"]}, id="invalid"),
        pytest.param("create", {}, id="created"),
    ],
)
def test_unknown_user_id_in_an_email_project_is_treated_as_switched(sandbox, switch, expected):
    sandbox.server.reset(project_type="email", unknown_user_id=switch)

    assert failures(sandbox.bulk({"userId": "U1"})) == expected


def test_prefer_user_id_creates_a_placeholder_in_an_email_project(sandbox):
    sandbox.server.reset(project_type="email")
    sandbox.bulk({"userId": "U1", "preferUserId": True, "dataFields": {"a": 1}})
    sandbox.bulk({"userId": "U1", "dataFields": {"b": 2}})

    ((email, fields),) = sandbox.people().items()
    assert email.startswith("u1+")
    assert email.endswith("@placeholder.email")
    assert (fields["a"], fields["b"], fields["userId"]) == (1, 2, "U1")


def test_people_may_share_a_user_id_in_an_email_project(sandbox):
    sandbox.server.reset(project_type="email")

    answer = sandbox.bulk(
        {"email": "a@example.com", "userId": "U1"}, {"email": "b@example.com", "userId": "U1"}
    )

    assert answer["successCount"] == 2
    assert [fields["userId"] for fields in sandbox.people().values()] == ["U1", "U1"]


def test_shared_user_id_alone_means_the_oldest_person_who_has_it(sandbox):
    sandbox.server.reset(project_type="email")
    sandbox.bulk(
        {"email": "a@example.com", "userId": "U1"}, {"email": "b@example.com", "userId": "U1"}
    )

    sandbox.bulk({"userId": "U1", "dataFields": {"seen": 1}})
    sandbox.bulk({"email": "a@example.com", "userId": "U2"})
    sandbox.bulk({"userId": "U1", "dataFields": {"seen": 2}})

    people = sandbox.people()
    assert {email: fields["seen"] for email, fields in people.items()} == {
        "a@example.com": 1,
        "b@example.com": 2,
    }


def test_oldest_person_is_meant_also_if_the_user_id_came_to_them_last(sandbox):
    sandbox.server.reset(project_type="email")
    sandbox.bulk({"email": "a@example.com"}, {"email": "b@example.com", "userId": "U1"})

    sandbox.bulk({"email": "a@example.com", "userId": "U1"})
    sandbox.bulk({"userId": "U1", "dataFields": {"seen": 1}})

    assert [("seen" in fields) for fields in sandbox.people().values()] == [True, False]


def test_people_may_share_an_email_in_a_user_id_project(sandbox):
    sandbox.server.reset(project_type="userId")

    answer = sandbox.bulk(
        {"userId": "U1", "email": "a@example.com"},
        {"userId": "U2", "dataFields": {"email": "A@example.com"}},
    )

    assert answer["successCount"] == 2
    assert {fields["email"] for fields in sandbox.people().values()} == {"a@example.com"}


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"userId": "U1", "dataFields": {"email": "New@example.com"}}, id="in fields"),
        pytest.param({"userId": "U1", "email": "new@example.com"}, id="at the top"),
        pytest.param({"email": "old@example.com", "dataFields": {"email": "new@example.com"}},
                     id="addressed by the old one"),
    ],
)  # fmt: skip
def test_changed_email_keeps_the_profile_and_frees_the_old_address(sandbox, change):
    sandbox.bulk({"userId": "U1", "email": "old@example.com", "dataFields": {"a": 1}})
    sandbox.bulk(change)

    assert sandbox.people()["U1"]["email"] == "new@example.com"
    assert sandbox.people()["U1"]["a"] == 1
    assert sandbox.get("/api/users/old@example.com").json() == {}

    answer = sandbox.bulk({"userId": "U2", "email": "old@example.com"})
    assert answer["successCount"] == 1


def test_user_id_is_given_to_a_person_who_had_none(sandbox):
    sandbox.bulk({"email": "a@example.com", "dataFields": {"a": 1}})
    sandbox.bulk({"email": "a@example.com", "userId": "U1"})

    assert sandbox.people().keys() == {"U1"}
    assert sandbox.people()["U1"]["a"] == 1


@pytest.mark.parametrize(
    ("user", "failed"),
    [
        pytest.param({"userId": "U1", "email": "B@example.com"},
                     {"conflictEmails": ["b@example.com"]}, id="two profiles meant"),
        pytest.param({"userId": "U1", "dataFields": {"email": "b@example.com"}},
                     {"conflictEmails": ["b@example.com"]}, id="email of another, in fields"),
        pytest.param({"userId": "U9", "email": "b@example.com"},
                     {"conflictEmails": ["b@example.com"]}, id="new person, known email"),
        pytest.param({"email": "a@example.com", "dataFields": {"userId": "U2"}},
                     {"conflictUserIds": ["U2"]}, id="userId of another, in fields"),
        pytest.param(
            {"userId": "U1", "email": "b@example.com", "dataFields": {"email": "c@example.com"}},
            {"conflictEmails": ["b@example.com"]}, id="two profiles meant, third address"),
    ],
)  # fmt: skip
def test_identifier_of_another_profile_is_a_conflict_named_by_it(sandbox, user, failed):
    sandbox.bulk(
        {"userId": "U1", "email": "a@example.com"}, {"userId": "U2", "email": "b@example.com"}
    )
    before = sandbox.people()

    assert failures(sandbox.bulk(user)) == failed
    assert sandbox.people() == before


def test_conflict_can_arise_within_one_batch(sandbox):
    answer = sandbox.bulk(
        {"userId": "U1", "email": "a@example.com"}, {"userId": "U2", "email": "a@example.com"}
    )

    assert failures(answer) == {"conflictEmails": ["a@example.com"]}
    assert answer["successCount"] == 1


@pytest.mark.parametrize(
    ("body", "params"),
    [
        pytest.param(
            {"users": [{"userId": "1"}, {"userId": "2", "preferUserId": "yes"}]},
            {"obj.users[1].preferUserId": "Boolean value expected"},
            id="boolean",
        ),
        pytest.param(
            {"users": [{"userId": 1}, {"email": {}}]},
            {
                "obj.users[0].userId": "String value expected",
                "obj.users[1].email": "String value expected",
            },
            id="every bad item is named",
        ),
        pytest.param(
            {"users": [{"userId": "1", "dataFields": []}]},
            {"obj.users[0].dataFields": "error.expected.jsobject"},
            id="fields",
        ),
        pytest.param({"users": ["1"]}, {"obj.users[0]": "error.expected.jsobject"}, id="item"),
        pytest.param({"users": {}}, {"obj.users": "error.expected.jsarray"}, id="users"),
        pytest.param({}, {"obj.users": "error.path.missing"}, id="no users"),
        pytest.param([], {"obj": "error.expected.jsobject"}, id="array"),
        pytest.param(b'{"users":[', {"obj": "error.invalid.json"}, id="broken"),
        pytest.param(b"", {"obj": "error.invalid.json"}, id="empty"),
        pytest.param(
            {"users": [{"userId": "1"}], "createNewFields": "no"},
            {"obj.createNewFields": "Boolean value expected"},
            id="flag",
        ),
    ],
)
def test_wrong_json_type_refuses_the_whole_batch_with_its_path(sandbox, body, params):
    answer = sandbox.post(BULK, body)

    assert answer.status_code == 400
    assert answer.json() == {
        "msg": f"[{BULK}] Invalid JSON body",
        "code": "BadJsonBody",
        "params": params,
    }
    assert sandbox.people() == {}


def test_no_users_at_all_is_an_error(sandbox):
    answer = sandbox.post(BULK, {"users": []})

    assert answer.status_code == 400
    assert answer.json() == {
        "msg": "Emails invalid: ",
        "code": "InvalidEmailAddressError",
        "params": None,
    }


@pytest.mark.parametrize(
    ("user", "status", "code", "msg"),
    [
        pytest.param({"email": "000"}, 400, "InvalidEmailAddressError", "Invalid email: 000",
                     id="email"),
        pytest.param({"email": ""}, 400, "InvalidEmailAddressError", "Invalid email: ",
                     id="empty email"),
        pytest.param({"userId": "1 "}, 400, "InvalidUserIdError", "Invalid userId: 1 ",
                     id="userId"),
        pytest.param({"dataFields": {}}, 400, "BadParams",
                     f"Either email or userId must be set: {EMPTY_REQUEST}", id="nobody"),
        pytest.param({"userId": "U1", "email": "b@example.com"}, 409, "Conflict",
                     "Email/userId conflict: b@example.com", id="conflict"),
        pytest.param({"userId": 5}, 400, "BadJsonBody", f"[{UPDATE}] Invalid JSON body",
                     id="JSON type"),
    ],
)  # fmt: skip
def test_single_update_fails_with_a_code(sandbox, user, status, code, msg):
    sandbox.bulk(
        {"userId": "U1", "email": "a@example.com"}, {"userId": "U2", "email": "b@example.com"}
    )
    before = sandbox.people()

    answer = sandbox.post(UPDATE, user)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json()["msg"] == msg
    assert sandbox.people() == before


def test_single_update_of_an_unknown_user_id_fails_in_an_email_project(sandbox):
    sandbox.server.reset(project_type="email")

    answer = sandbox.post(UPDATE, {"userId": "U1"})

    assert (answer.status_code, answer.json()["code"]) == (400, "UnknownUserIdError")
