from __future__ import annotations

from urllib.parse import quote

import pytest


@pytest.mark.parametrize(
    "path",
    [
        "/api/users/getByEmail?email=ada%2Btag@example.com",
        "/api/users/ada+tag@example.com",
        "/api/users/ADA%2Btag%40Example.com",
        "/api/users/byUserId?userId=U%201%2F2",
        "/api/users/byUserId/U%201%2F2",
    ],
)
def test_person_is_found_by_each_of_the_four_forms(sandbox, path):
    sandbox.bulk({"userId": "U 1/2", "email": "ada+tag@example.com", "dataFields": {"a": 1}})

    user = sandbox.get(path).json()["user"]

    assert (user["email"], user["userId"]) == ("ada+tag@example.com", "U 1/2")
    fields = user["dataFields"]
    assert (fields["a"], fields["email"], fields["userId"]) == (1, user["email"], user["userId"])
    assert fields["signupSource"] == "API"
    assert fields["itblInternal"]["emailDomain"] == "example.com"
    assert fields["signupDate"] == fields["profileUpdatedAt"]
    assert fields["signupDate"].endswith(" +00:00")


def test_user_id_stands_in_a_profile_only_where_there_is_one(sandbox):
    sandbox.bulk({"email": "a@example.com"})

    user = sandbox.get("/api/users/a@example.com").json()["user"]

    assert "userId" not in user
    assert "userId" not in user["dataFields"]


def test_signup_date_can_be_written_and_deleted(sandbox):
    sandbox.bulk({"userId": "1", "dataFields": {"signupDate": "2020-08-19T20:50:04.000Z"}})
    assert sandbox.people()["1"]["signupDate"] == "2020-08-19 20:50:04 +00:00"

    sandbox.bulk({"userId": "1", "dataFields": {"signupDate": None}})
    assert "signupDate" not in sandbox.people()["1"]


def test_nobody_with_an_email_is_an_empty_answer(sandbox):
    answer = sandbox.get("/api/users/getByEmail", params={"email": "a@example.com"})

    assert (answer.status_code, answer.json()) == (200, {})


def test_nobody_with_a_user_id_is_an_error_with_its_own_code(sandbox):
    answer = sandbox.get("/api/users/byUserId/42")

    assert answer.status_code == 400
    assert answer.json()["code"] == "error.users.noUserWithIdExists"


@pytest.mark.parametrize(
    ("path", "code", "msg"),
    [
        ("/api/users/foo@", "InvalidEmailAddressError", "Invalid email: foo@"),
        ("/api/users/getByEmail", "InvalidEmailAddressError", "Invalid email: "),
        ("/api/users/byUserId", "InvalidUserIdError", "Invalid userId: "),
        (f"/api/users/byUserId/{quote('ü')}", "InvalidUserIdError", "Invalid userId: ü"),
    ],
)
def test_malformed_identifier_is_refused(sandbox, path, code, msg):
    answer = sandbox.get(path)

    assert answer.status_code == 400
    assert answer.json() == {"msg": msg, "code": code, "params": None}


def test_user_id_is_found_in_its_exact_case_only(sandbox):
    sandbox.bulk({"userId": "Ada"})

    assert sandbox.get("/api/users/byUserId/Ada").status_code == 200
    assert sandbox.get("/api/users/byUserId/ada").status_code == 400


def test_email_identifies_nobody_in_a_user_id_project(sandbox):
    sandbox.server.reset(project_type="userId")
    sandbox.bulk({"userId": "1", "email": "a@example.com"})

    assert sandbox.get("/api/users/a@example.com").status_code == 400
    assert sandbox.get("/api/users/byUserId/1").json()["user"]["email"] == "a@example.com"


def test_fields_are_a_flat_object_of_types(sandbox):
    new = {
        "s": "x", "d": "2020-01-01", "l": 1, "f": 1.0, "b": True, "o": {"n": 1}, "a": ["x"],
        "p_geo_location": {"lat": 1.5, "lon": 2},
    }  # fmt: skip
    sandbox.bulk({"userId": "1", "dataFields": new})

    fields = sandbox.get("/api/users/getFields").json()["fields"]

    assert {name: fields[name] for name in ("email", "userId", "signupDate", *new, "o.n")} == {
        "email": "string", "userId": "string", "signupDate": "date", "s": "string", "d": "date",
        "l": "long", "f": "double", "b": "boolean", "o": "object", "o.n": "long", "a": "string",
        "p_geo_location": "geo_location",
    }  # fmt: skip
