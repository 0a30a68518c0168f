"""users/updateEmail and users/merge."""

from __future__ import annotations

import pytest

UPDATE_EMAIL = "/api/users/updateEmail"
MERGE = "/api/users/merge"
SUCCESS = {"msg": "", "code": "Success", "params": None}
OLD, NEW = "old@example.com", "new@example.com"


@pytest.fixture
def by_email(sandbox):
    """Make an email-based project with one person."""
    sandbox.server.reset(project_type="email")
    sandbox.bulk({"email": OLD, "userId": "U1", "dataFields": {"a": 1}})
    return sandbox


@pytest.fixture
def pair(sandbox):
    """Make a hybrid project with two people."""
    sandbox.bulk(
        {"userId": "S", "email": "s@example.com", "dataFields": {"a": 1, "b": 1, "o": {"x": 1}}},
        {"userId": "D", "email": "d@example.com", "dataFields": {"b": 2, "c": 2, "o": {"y": 2}}},
    )
    return sandbox


@pytest.mark.parametrize(
    "current",
    [
        pytest.param({"currentEmail": " OLD@example.com"}, id="by email"),
        pytest.param({"currentUserId": "U1"}, id="by userId"),
        pytest.param({"currentEmail": "", "currentUserId": "U1"}, id="empty email beside a userId"),
        pytest.param({"currentEmail": OLD, "currentUserId": "U9"}, id="the email goes first"),
    ],
)
def test_new_email_takes_the_profile_along(by_email, current):
    answer = by_email.post(UPDATE_EMAIL, {**current, "newEmail": "New@example.com"})

    assert (answer.status_code, answer.json()) == (200, SUCCESS)
    ((email, fields),) = by_email.people().items()
    assert (email, fields["email"], fields["a"], fields["userId"]) == (NEW, NEW, 1, "U1")
    assert by_email.get(f"/api/users/{OLD}").json() == {}
    assert by_email.get("/api/users/byUserId/U1").json()["user"]["email"] == NEW
    assert by_email.history()[1]["keys"] == [NEW]


def test_new_email_dates_the_profile_anew(by_email, monkeypatch):
    by_email.bulk({"email": OLD, "dataFields": {"signupDate": "2001-01-01"}})
    monkeypatch.setattr(by_email.server.app_state, "_wall_clock", lambda: 4_000_000_000.0)

    by_email.post(UPDATE_EMAIL, {"currentEmail": OLD, "newEmail": NEW})

    fields = by_email.people()[NEW]
    later = "2096-10-02 07:06:40 +00:00"
    assert (fields["signupDate"], fields["profileUpdatedAt"]) == (later, later)
    assert fields["itblInternal"]["documentCreatedAt"] == later


def test_new_email_keeps_the_lists_of_the_person(by_email):
    number = by_email.server.app_state.people.by_email(OLD).number

    by_email.post(UPDATE_EMAIL, {"currentEmail": OLD, "newEmail": NEW})

    assert by_email.server.app_state.people.by_email(NEW).number == number


@pytest.mark.parametrize(
    ("body", "status", "code", "msg"),
    [
        pytest.param({"currentEmail": "sayan", "newEmail": NEW}, 400, "InvalidEmailAddressError",
                     "Invalid email: sayan", id="malformed email"),
        pytest.param({"currentEmail": OLD, "newEmail": "new@"}, 400, "InvalidEmailAddressError",
                     "Invalid email: new@", id="malformed new email"),
        pytest.param({"currentUserId": "ü", "newEmail": NEW}, 400, "InvalidUserIdError",
                     "Invalid userId: ü", id="malformed userId"),
        pytest.param({"newEmail": NEW}, 400, "BadParams",
                     "Either currentEmail or currentUserId must be set", id="nobody named"),
        pytest.param({"currentEmail": "x@example.com", "newEmail": NEW}, 400, "BadParams",
                     f"Cannot change user Some(x@example.com) to {NEW}. User does not exist",
                     id="unknown email"),
        pytest.param({"currentUserId": "U9", "newEmail": NEW}, 400, "BadParams",
                     f"Cannot change user Some(U9) to {NEW}. User does not exist",
                     id="unknown userId"),
        pytest.param({"currentEmail": OLD, "newEmail": "b@example.com"}, 400, "EmailAlreadyExists",
                     "Email already exists: b@example.com", id="used by another"),
        pytest.param({"currentEmail": OLD, "newEmail": "gone@example.com"}, 409,
                     "ForgottenUserError", "Contact is GDPR forgotten", id="forgotten"),
        pytest.param({"currentEmail": "gone@example.com", "newEmail": NEW}, 409,
                     "ForgottenUserError", "Contact is GDPR forgotten", id="of a forgotten user"),
        pytest.param({"currentEmail": OLD}, 400, "BadJsonBody",
                     f"[{UPDATE_EMAIL}] Invalid JSON body", id="no new email"),
    ],
)  # fmt: skip
def test_new_email_is_refused_with_a_code(by_email, body, status, code, msg):
    by_email.bulk({"email": "b@example.com"}, {"email": "gone@example.com"})
    by_email.post("/api/users/forget", {"email": "gone@example.com"})
    before = by_email.people()

    answer = by_email.post(UPDATE_EMAIL, body)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json()["msg"] == msg
    assert by_email.people() == before


@pytest.mark.parametrize("project_type", ["userId", "hybrid"])
def test_new_email_is_a_matter_of_users_update_in_other_projects(sandbox, project_type):
    sandbox.server.reset(project_type=project_type)
    sandbox.bulk({"userId": "U1", "email": OLD})

    answer = sandbox.post(UPDATE_EMAIL, {"currentUserId": "U1", "newEmail": NEW})

    assert (answer.status_code, answer.json()["code"]) == (400, "BadParams")
    assert sandbox.people()["U1"]["email"] == OLD


@pytest.mark.parametrize(
    "sides",
    [
        {"sourceUserId": "S", "destinationUserId": "D"},
        {"sourceEmail": "S@example.com", "destinationEmail": "D@example.com"},
        {"sourceEmail": "s@example.com", "destinationUserId": "D"},
        {"sourceUserId": "S", "sourceEmail": "", "destinationUserId": "D"},
    ],
)
def test_merged_profile_keeps_the_values_of_the_destination(pair, sides):
    answer = pair.post(MERGE, sides)

    assert (answer.status_code, answer.json()) == (200, SUCCESS)
    ((key, fields),) = pair.people().items()
    assert key == "D"
    assert {name: fields[name] for name in ("a", "b", "c", "o", "email", "userId")} == {
        "a": 1, "b": 2, "c": 2, "o": {"y": 2}, "email": "d@example.com", "userId": "D",
    }  # fmt: skip
    assert pair.get("/api/users/byUserId/S").status_code == 400
    assert pair.get("/api/users/s@example.com").json() == {}


def test_destination_that_nobody_is_renames_the_source(pair):
    pair.post(MERGE, {"sourceUserId": "S", "destinationUserId": "N"})
    pair.post(MERGE, {"sourceUserId": "N", "destinationEmail": "n@example.com"})

    assert pair.people().keys() == {"N", "D"}
    assert (pair.people()["N"]["a"], pair.people()["N"]["email"]) == (1, "n@example.com")
    assert pair.get("/api/users/s@example.com").json() == {}


def test_destination_takes_the_identifier_that_it_lacks(sandbox):
    sandbox.bulk({"email": "s@example.com"}, {"userId": "D"})

    sandbox.post(MERGE, {"sourceEmail": "s@example.com", "destinationUserId": "D"})

    assert sandbox.people()["D"]["email"] == "s@example.com"
    found = sandbox.get("/api/users/s@example.com").json()["user"]
    assert found["userId"] == "D"


@pytest.mark.parametrize(
    ("project_type", "sides", "left"),
    [
        pytest.param("email", {"sourceEmail": "s@example.com", "destinationEmail": "d@example.com"},
                     "d@example.com", id="email"),
        pytest.param("email", {"sourceUserId": "S", "destinationUserId": "D"}, "d@example.com",
                     id="email by userId"),
        pytest.param("email", {"sourceUserId": "S", "destinationEmail": "n@example.com"},
                     "n@example.com", id="email renamed"),
        pytest.param("userId", {"sourceUserId": "S", "destinationUserId": "D"}, "D", id="userId"),
        pytest.param("userId", {"sourceUserId": "S", "destinationUserId": "N"}, "N",
                     id="userId renamed"),
    ],
)  # fmt: skip
def test_people_are_merged_in_each_type_of_project(sandbox, project_type, sides, left):
    sandbox.server.reset(project_type=project_type)
    sandbox.bulk(
        {"userId": "S", "email": "s@example.com", "dataFields": {"a": 1}},
        {"userId": "D", "email": "d@example.com"},
    )

    assert sandbox.post(MERGE, sides).status_code == 200
    assert sandbox.people()[left]["a"] == 1


def test_merged_person_is_in_the_lists_of_both(pair):
    lists = [
        pair.post("/api/lists", {"name": name}).json()["listId"] for name in ("one", "two", "three")
    ]
    for list_id, user_id in zip(lists, ("S", "D", "D"), strict=True):
        body = {"listId": list_id, "subscribers": [{"userId": user_id}]}
        assert pair.post("/api/lists/subscribe", body).status_code == 200

    pair.post(MERGE, {"sourceUserId": "S", "destinationUserId": "D"})

    assert pair.people()["D"]["userListIds"] == lists


@pytest.mark.parametrize(
    ("source", "destination", "dedupe_by", "merged"),
    [
        pytest.param(["a", "b"], ["b", "c"], None, ["b", "c", "a"], id="texts"),
        pytest.param(["a"], "b", None, ["b", "a"], id="a single value is an array of one"),
        pytest.param("a", "a", None, ["a"], id="equal single values"),
        pytest.param([{"k": 1, "v": "s"}, {"k": 2, "v": "s"}], [{"k": 1, "v": "d"}], "k",
                     [{"k": 1, "v": "d"}, {"k": 2, "v": "s"}], id="objects by a member"),
        pytest.param([{"v": "s"}], [{"v": "d"}], "k", [{"v": "d"}, {"v": "s"}],
                     id="objects without the member"),
        pytest.param([{"k": 1, "v": "s"}, {"v": "d", "k": 1}], [{"k": 1, "v": "d"}], None,
                     [{"k": 1, "v": "d"}, {"k": 1, "v": "s"}], id="whole objects"),
        pytest.param(["a"], None, None, ["a"], id="on one side only"),
    ],
)  # fmt: skip
def test_arrays_are_joined_where_asked(sandbox, source, destination, dedupe_by, merged):
    sandbox.bulk({"userId": "S", "dataFields": {"f": source}})
    sandbox.bulk({"userId": "D", "dataFields": {"f": destination}})
    array = {"field": "f"} | ({} if dedupe_by is None else {"dedupeBy": dedupe_by})

    answer = sandbox.post(
        MERGE, {"sourceUserId": "S", "destinationUserId": "D", "arrayMerge": [array]}
    )

    assert answer.status_code == 200
    assert sandbox.people()["D"]["f"] == merged


@pytest.mark.parametrize(
    ("sides", "status", "code"),
    [
        pytest.param({"sourceUserId": "X", "destinationUserId": "D"}, 400, "UnknownUserIdError",
                     id="unknown source userId"),
        pytest.param({"sourceEmail": "x@example.com", "destinationUserId": "D"}, 400,
                     "UnknownEmailError", id="unknown source email"),
        pytest.param({"destinationUserId": "D"}, 400, "BadParams", id="no source"),
        pytest.param({"sourceUserId": "S"}, 400, "BadParams", id="no destination"),
        pytest.param({"sourceUserId": "S", "sourceEmail": "s@example.com",
                      "destinationUserId": "D"}, 400, "BadParams", id="two sources"),
        pytest.param({"sourceUserId": "S", "destinationEmail": "s@example.com"}, 400, "BadParams",
                     id="into itself"),
        pytest.param({"sourceEmail": "s@", "destinationUserId": "D"}, 400,
                     "InvalidEmailAddressError", id="malformed email"),
        pytest.param({"sourceUserId": "ü", "destinationUserId": "D"}, 400, "InvalidUserIdError",
                     id="malformed userId"),
        pytest.param({"sourceUserId": "gone", "destinationUserId": "D"}, 409, "ForgottenUserError",
                     id="forgotten source"),
        pytest.param({"sourceUserId": "S", "destinationUserId": "gone"}, 409, "ForgottenUserError",
                     id="forgotten destination"),
        pytest.param({"sourceUserId": "S", "destinationUserId": "D",
                      "arrayMerge": [{"field": "b", "dedupeBy": "k"}]}, 400, "BadParams",
                     id="dedupeBy without objects"),
        pytest.param({"sourceUserId": "S", "destinationUserId": "D",
                      "arrayMerge": [{"field": "devices"}]}, 400, "BadParams",
                     id="array of Iterable's own"),
        pytest.param({"sourceUserId": "S", "destinationUserId": "D", "arrayMerge": {}}, 400,
                     "BadJsonBody", id="arrays as an object"),
        pytest.param({"sourceUserId": 1, "destinationUserId": "D"}, 400, "BadJsonBody",
                     id="JSON type"),
    ],
)  # fmt: skip
def test_merge_is_refused_with_a_code_and_changes_nothing(pair, sides, status, code):
    pair.bulk({"userId": "gone"})
    pair.post("/api/users/forget", {"userId": "gone"})
    before = pair.people()

    answer = pair.post(MERGE, sides)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert pair.people() == before


def test_emails_name_nobody_to_merge_in_a_user_id_project(sandbox):
    sandbox.server.reset(project_type="userId")
    sandbox.bulk({"userId": "S", "email": "s@example.com"}, {"userId": "D"})

    answer = sandbox.post(MERGE, {"sourceEmail": "s@example.com", "destinationUserId": "D"})

    assert (answer.status_code, answer.json()["code"]) == (400, "BadParams")
    assert sandbox.people().keys() == {"S", "D"}


def test_merging_twice_is_an_error(pair):
    sides = {"sourceUserId": "S", "destinationUserId": "D"}
    pair.post(MERGE, sides)

    assert pair.post(MERGE, sides).json()["code"] == "UnknownUserIdError"
