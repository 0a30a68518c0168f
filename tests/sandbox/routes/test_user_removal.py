"""Users who are deleted or forgotten, and what is refused afterwards."""

from __future__ import annotations

from hashlib import sha256

import pytest

FORGET, UNFORGET = "/api/users/forget", "/api/users/unforget"
UPDATE = "/api/users/update"
SUCCESS = {"msg": "", "code": "Success", "params": None}
A, B = "a@example.com", "b@example.com"


def hashed(identifier):
    return sha256(identifier.encode()).hexdigest()


def failures(answer):
    return {array: names for array, names in answer["failedUpdates"].items() if names}


def delete(sandbox, path):
    return sandbox.http.delete(sandbox.server.url + path, headers=sandbox.headers, timeout=10)


@pytest.fixture
def project(sandbox, request):
    """Make a project of the type that the test asks for, with two people."""
    sandbox.server.reset(project_type=getattr(request, "param", "hybrid"))
    sandbox.bulk({"userId": "A", "email": A}, {"userId": "B", "email": B})
    return sandbox


@pytest.mark.parametrize("project", ["email", "hybrid"], indirect=True)
def test_person_is_deleted_by_email(project):
    answer = delete(project, "/api/users/A%40Example.com")

    assert (answer.status_code, answer.json()) == (200, SUCCESS)
    assert [fields["email"] for fields in project.people().values()] == [B]
    assert project.get(f"/api/users/{A}").json() == {}
    assert project.get("/api/users/byUserId/A").status_code == 400


@pytest.mark.parametrize("project", ["email", "userId", "hybrid"], indirect=True)
def test_person_is_deleted_by_user_id(project):
    answer = delete(project, "/api/users/byUserId/A")

    assert answer.status_code == 200
    assert answer.json() == {
        "msg": "All users associated with A were successfully deleted",
        "code": "Success",
        "params": None,
    }
    assert [fields["userId"] for fields in project.people().values()] == ["B"]


def test_everybody_with_a_user_id_is_deleted(sandbox):
    sandbox.server.reset(project_type="email")
    sandbox.bulk(*({"email": f"{name}@example.com", "userId": "A"} for name in "abc"))
    sandbox.bulk({"email": "c@example.com", "userId": "C"})

    delete(sandbox, "/api/users/byUserId/A")

    assert sandbox.people().keys() == {"c@example.com"}


def test_deleting_an_unknown_email_is_a_success(project):
    answer = delete(project, "/api/users/x@example.com")

    assert (answer.status_code, answer.json()) == (200, SUCCESS)


@pytest.mark.parametrize(
    ("path", "code", "msg"),
    [
        ("/api/users/foo@", "InvalidEmailAddressError", "Invalid email: foo@"),
        ("/api/users/byUserId/42", "BadParams", "No users with userId 42 exist"),
        ("/api/users/byUserId/%C3%BC", "InvalidUserIdError", "Invalid userId: ü"),
    ],
)
def test_delete_is_refused_with_a_code(project, path, code, msg):
    answer = delete(project, path)

    assert (answer.status_code, answer.json()) == (400, {"msg": msg, "code": code, "params": None})
    assert len(project.people()) == 2


@pytest.mark.parametrize("project", ["userId"], indirect=True)
def test_nobody_is_deleted_by_email_in_a_user_id_project(project):
    answer = delete(project, f"/api/users/{A}")

    assert (answer.status_code, answer.json()["code"]) == (400, "BadParams")
    assert len(project.people()) == 2


def test_deleted_person_can_come_back(project):
    delete(project, "/api/users/byUserId/A")

    assert project.bulk({"userId": "A", "email": A})["successCount"] == 1


def test_deleted_person_leaves_the_lists(project):
    list_id = project.post("/api/lists", {"name": "one"}).json()["listId"]
    subscribers = [{"userId": "A"}, {"userId": "B"}]
    project.post("/api/lists/subscribe", {"listId": list_id, "subscribers": subscribers})

    delete(project, "/api/users/byUserId/A")

    assert project.get(f"/api/lists/{list_id}/size").text.strip() == "1"


@pytest.mark.parametrize(
    ("project", "user", "emails", "user_ids"),
    [
        pytest.param("email", {"email": " A@example.com "}, [A], None, id="email"),
        pytest.param("userId", {"userId": "A"}, None, ["a"], id="userId"),
        pytest.param("hybrid", {"email": A}, [A], ["a"], id="hybrid by email"),
        pytest.param("hybrid", {"userId": "A"}, [A], ["a"], id="hybrid by userId"),
        pytest.param("hybrid", {"email": "", "userId": "A"}, [A], ["a"], id="empty email"),
    ],
    indirect=["project"],
)
def test_forgotten_person_is_deleted_and_stands_in_the_lists_of_hashes(
    project, user, emails, user_ids
):
    answer = project.post(FORGET, user)

    assert (answer.status_code, answer.json()) == (200, SUCCESS)
    assert len(project.people()) == 1
    for path, name, expected in (
        ("/api/users/forgotten", "hashedEmails", emails),
        ("/api/users/forgottenUserIds", "hashedUserIds", user_ids),
    ):
        listed = project.get(path)
        if expected is None:
            assert (listed.status_code, listed.json()["code"]) == (400, "BadParams")
        else:
            assert listed.json() == {name: [hashed(each) for each in expected]}


@pytest.mark.parametrize(
    ("project", "user", "failed"),
    [
        pytest.param("email", {"email": "A@example.com"}, {"forgottenEmails": [A]}, id="email"),
        pytest.param("userId", {"userId": "A"}, {"forgottenUserIds": ["A"]}, id="userId"),
        pytest.param("hybrid", {"email": A}, {"forgottenEmails": [A]}, id="hybrid email"),
        pytest.param("hybrid", {"userId": "A"}, {"forgottenUserIds": ["A"]}, id="hybrid userId"),
        pytest.param("hybrid", {"userId": "N", "email": A}, {"forgottenEmails": [A]},
                     id="beside a new userId"),
        pytest.param("hybrid", {"userId": "B", "dataFields": {"email": A}},
                     {"forgottenEmails": [A]}, id="as a new address"),
        pytest.param("hybrid", {"email": B, "dataFields": {"userId": "A"}},
                     {"forgottenUserIds": ["A"]}, id="as a new userId"),
    ],
    indirect=["project"],
)  # fmt: skip
def test_write_to_a_forgotten_person_fails_until_unforgotten(project, user, failed):
    is_user_id_project = project.server.app_state.settings.project_type == "userId"
    person = {"userId": "A"} if is_user_id_project else {"email": A}
    project.post(FORGET, person)
    before = project.people()

    answer = project.bulk(user, {"userId": "B", "email": B, "dataFields": {"seen": 1}})

    assert failures(answer) == failed
    assert (answer["successCount"], answer["failCount"]) == (1, 1)
    assert project.people().keys() == before.keys()

    single = project.post(UPDATE, user)
    assert single.status_code == 409
    assert single.json() == {
        "msg": "Contact is GDPR forgotten",
        "code": "ForgottenUserError",
        "params": None,
    }

    assert project.post(UNFORGET, person).json() == SUCCESS
    assert failures(project.bulk(user)) == {}
    assert project.post(UPDATE, user).status_code == 200


def test_forgotten_person_gives_no_field_its_type(project):
    project.post(FORGET, {"userId": "A"})

    project.bulk({"userId": "A", "dataFields": {"age": "x"}})

    assert project.bulk({"userId": "B", "dataFields": {"age": 1}})["createdFields"] == ["age"]


def test_user_id_is_forgotten_in_its_exact_case(project):
    project.post(FORGET, {"userId": "A"})

    assert project.bulk({"userId": "a"})["successCount"] == 1


@pytest.mark.parametrize("identifier", [{"email": A}, {"userId": "A"}])
def test_person_with_two_identifiers_is_unforgotten_by_either(project, identifier):
    project.post(FORGET, {"email": A})

    project.post(UNFORGET, identifier)

    assert project.get("/api/users/forgotten").json() == {"hashedEmails": []}
    assert project.get("/api/users/forgottenUserIds").json() == {"hashedUserIds": []}


def test_forgetting_twice_is_a_success(project):
    project.post(FORGET, {"email": A})

    assert project.post(FORGET, {"email": A}).json() == SUCCESS


@pytest.mark.parametrize("path", [FORGET, UNFORGET])
@pytest.mark.parametrize(
    ("project", "user", "code", "msg"),
    [
        pytest.param("hybrid", {"email": "foo@"}, "InvalidEmailAddressError",
                     "Invalid email: foo@", id="malformed email"),
        pytest.param("hybrid", {"email": ""}, "InvalidEmailAddressError", "Invalid email: ",
                     id="empty email"),
        pytest.param("hybrid", {"userId": ""}, "InvalidUserIdError", "Invalid userId: ",
                     id="empty userId"),
        pytest.param("hybrid", {"userId": "A "}, "InvalidUserIdError", "Invalid userId: A ",
                     id="malformed userId"),
        pytest.param("hybrid", {}, "BadParams", "Either email or userId must be set", id="nobody"),
        pytest.param("hybrid", {"email": "x@example.com"}, "BadParams",
                     "User does not exist. Email: x@example.com UserId: ", id="unknown email"),
        pytest.param("userId", {"userId": "X"}, "BadParams",
                     "User does not exist. Email:  UserId: X", id="unknown userId"),
        pytest.param("userId", {"email": A}, "BadParams",
                     "Users of a userID-based project are identified by userId",
                     id="email in a userID project"),
        pytest.param("email", {"userId": "A"}, "BadParams",
                     "Users of an email-based project are forgotten by email",
                     id="userId in an email project"),
        pytest.param("hybrid", {"email": 1}, "BadJsonBody", None, id="JSON type"),
    ],
    indirect=["project"],
)  # fmt: skip
def test_forgetting_is_refused_with_a_code(project, path, user, code, msg):
    answer = project.post(path, user)

    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert answer.json()["msg"] == (msg or f"[{path}] Invalid JSON body")
    assert len(project.people()) == 2


@pytest.mark.parametrize("path", [FORGET, UNFORGET])
def test_a_thousand_people_a_day_can_be_forgotten(sandbox, monkeypatch, path):
    now = [1000.0]
    monkeypatch.setattr(sandbox.server.app_state, "clock", lambda: now[0])
    sandbox.server.reset(rate_limits=True)
    statuses = []
    for _ in range(1001):
        now[0] += 1
        statuses.append(sandbox.post(path, {"userId": "nobody"}).status_code)

    assert statuses == [400] * 1000 + [429]

    now[0] = 1001 + 86_400
    assert sandbox.post(path, {"userId": "nobody"}).status_code == 400
    assert sandbox.post(path, {"userId": "nobody"}).status_code == 429
