"""users/update and users/bulkUpdate: what becomes of the fields."""

from __future__ import annotations

import pytest

BULK = "/api/users/bulkUpdate"
UPDATE = "/api/users/update"


def failures(answer):
    return {array: names for array, names in answer["failedUpdates"].items() if names}


def test_null_deletes_a_field_and_what_is_missing_stays(sandbox):
    sandbox.bulk({"userId": "1", "dataFields": {"a": 1, "b": 2, "c": {"d": 1, "e": 2}}})
    sandbox.bulk({"userId": "1", "dataFields": {"a": None, "c": {"d": 1, "e": None}}})

    person = sandbox.people()["1"]
    assert "a" not in person
    assert (person["b"], person["c"]) == (2, {"d": 1})


@pytest.mark.parametrize(
    ("merge", "expected"),
    [
        pytest.param(True, {"keep": 1, "deep": {"y": 2}, "list": [3], "new": 4}, id="merged"),
        pytest.param(False, {"deep": {"y": 2}, "list": [3], "new": 4}, id="replaced"),
    ],
)
def test_objects_are_merged_one_level_deep_where_asked(sandbox, merge, expected):
    old = {"keep": 1, "gone": 1, "deep": {"x": 1}, "list": [1, 2]}
    new = {"gone": None, "deep": {"y": 2}, "list": [3], "new": 4}
    sandbox.bulk({"userId": "1", "dataFields": {"o": old}})
    sandbox.bulk({"userId": "1", "dataFields": {"o": new}, "mergeNestedObjects": merge})

    assert sandbox.people()["1"]["o"] == expected


def test_merging_is_per_row(sandbox):
    sandbox.bulk(*({"userId": name, "dataFields": {"o": {"a": 1}}} for name in "12"))
    sandbox.bulk(
        {"userId": "1", "dataFields": {"o": {"b": 2}}, "mergeNestedObjects": True},
        {"userId": "2", "dataFields": {"o": {"b": 2}}},
    )

    people = sandbox.people()
    assert (people["1"]["o"], people["2"]["o"]) == ({"a": 1, "b": 2}, {"b": 2})


def test_value_of_another_type_refuses_the_whole_batch_and_changes_nothing(sandbox):
    sandbox.bulk({"userId": "1", "dataFields": {"since": "2020-01-01"}})
    before = sandbox.people()

    answer = sandbox.post(
        BULK,
        {
            "users": [
                {"userId": "2", "dataFields": {"new": 1}},
                {"userId": "3", "dataFields": {"since": "GGG"}},
            ]
        },
    )

    assert answer.status_code == 400
    assert answer.json() == {
        "msg": (
            "Project 1: The request does not have the same data types as the data previously"
            " submitted. Field 'since' already exists for type 'user' and has a data type of"
            " 'date' but possible types 'string, keyword' in the request."
        ),
        "code": "RequestFieldsTypesMismatched",
        "params": {
            "validationErrors": {
                "since": {
                    "incomingTypes": ["string", "keyword"],
                    "expectedType": "date",
                    "_type": "UnexpectedType",
                    "offendingValue": "GGG",
                    "category": "user",
                }
            }
        },
    }
    assert sandbox.people() == before
    assert "new" not in sandbox.get("/api/users/getFields").json()["fields"]


def test_value_of_another_type_fails_only_its_row_where_switched(sandbox):
    sandbox.server.reset(type_mismatch="item")
    sandbox.bulk({"userId": "0", "dataFields": {"age": 1}})

    answer = sandbox.bulk(
        {"userId": "1", "dataFields": {"age": "x", "odd": 1}},
        {"email": "A@example.com", "dataFields": {"age": 1.5}},
        {"userId": "2", "dataFields": {"age": 2, "odd": "text"}},
    )

    assert failures(answer) == {
        "invalidDataUserIds": ["1"],
        "invalidDataEmails": ["a@example.com"],
    }
    assert answer["createdFields"] == ["odd"]
    assert sandbox.people().keys() == {"0", "2"}
    assert sandbox.get("/api/users/getFields").json()["fields"]["odd"] == "string"


def test_rows_that_fail_give_no_field_its_type(sandbox):
    sandbox.bulk({"email": "bad@", "dataFields": {"age": "x"}})
    answer = sandbox.bulk({"userId": "1", "dataFields": {"age": 1}})

    assert answer["createdFields"] == ["age"]


@pytest.mark.parametrize(
    ("project", "request_flag", "created"),
    [
        pytest.param(True, None, True, id="project allows"),
        pytest.param(False, None, False, id="project drops"),
        pytest.param(False, True, True, id="request allows"),
        pytest.param(True, False, False, id="request drops"),
    ],
)
def test_unknown_fields_are_created_or_dropped_and_named(sandbox, project, request_flag, created):
    sandbox.server.reset(create_new_fields=project)
    flag = {} if request_flag is None else {"createNewFields": request_flag}

    answer = sandbox.bulk({"userId": "1", "dataFields": {"a": 1, "b": 2}}, **flag)

    names = ["a", "b"]
    assert answer["createdFields"] == (names if created else [])
    assert answer["filteredOutFields"] == ([] if created else names)
    assert answer["successCount"] == 1
    assert ("a" in sandbox.people()["1"]) is created


def test_single_update_refuses_a_wrong_type_whatever_the_switch(sandbox):
    sandbox.server.reset(type_mismatch="item")
    sandbox.post(UPDATE, {"userId": "1", "dataFields": {"age": 1}})

    answer = sandbox.post(UPDATE, {"userId": "1", "dataFields": {"age": "x"}})

    assert (answer.status_code, answer.json()["code"]) == (400, "RequestFieldsTypesMismatched")
    assert sandbox.people()["1"]["age"] == 1


@pytest.mark.parametrize("flag", [True, False])
@pytest.mark.parametrize("project", [True, False])
def test_flag_of_a_single_update_goes_before_the_setting_of_the_project(sandbox, project, flag):
    sandbox.server.reset(create_new_fields=project)

    sandbox.post(UPDATE, {"userId": "1", "dataFields": {"a": 1}, "createNewFields": flag})

    assert ("a" in sandbox.people()["1"]) is flag


@pytest.mark.parametrize(
    ("fields", "fits"),
    [
        pytest.param({"a": 1, "b": 1}, True, id="as many as there may be"),
        pytest.param({"a": 1, "o": {"b": 1}}, False, id="nested ones count"),
        pytest.param({"a": 1, "b": 1, "c": 1}, False, id="one too many"),
        pytest.param({"a": 1, "b": 1, "signupDate": "2020-01-01"}, True,
                     id="those from the start do not count"),
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    ("path", "wrap"), [(BULK, lambda user: {"users": [{"userId": "0"}, user]}), (UPDATE, dict)]
)
def test_unique_fields_of_a_project_have_a_limit(sandbox, path, wrap, fields, fits):
    sandbox.server.reset(max_user_fields=2)

    answer = sandbox.post(path, wrap({"userId": "1", "dataFields": fields}))

    assert (answer.status_code, answer.json().get("code", "Success")) == (
        (200, "Success") if fits else (400, "UniqueFieldsLimitExceeded")
    )
    assert ("a" in sandbox.get("/api/users/getFields").json()["fields"]) is fits
    assert ("1" in sandbox.people()) is fits


def test_users_go_on_with_the_fields_that_they_have_when_the_limit_is_reached(sandbox):
    sandbox.bulk({"userId": "1", "dataFields": {"a": 1, "b": 1}})
    sandbox.server.app_state.change({"max_user_fields": 1})

    assert sandbox.bulk({"userId": "2", "dataFields": {"a": 1, "b": 1}})["successCount"] == 1


@pytest.mark.parametrize(
    ("fields", "fits"),
    [
        pytest.param({"f": "x" * 32_766}, True, id="text at the limit"),
        pytest.param({"f": "x" * 32_767}, False, id="text above it"),
        pytest.param({"f": ["x" * 32_767]}, False, id="text in an array"),
        pytest.param({"o": {"f": "x" * 32_767}}, False, id="nested text"),
        pytest.param({"n" * 255: 1}, True, id="name at the limit"),
        pytest.param({"n" * 256: 1}, False, id="name above it"),
        pytest.param({"o": {"n" * 256: 1}}, False, id="nested name"),
    ],
)
@pytest.mark.parametrize("is_known", [True, False], ids=["known field", "new field"])
def test_too_long_values_and_names_fail_their_row_only(sandbox, fields, fits, is_known):
    if is_known:
        sandbox.bulk({"userId": "0", "dataFields": {"f": "x", "o": {"f": "x"}}})

    answer = sandbox.bulk({"userId": "1", "dataFields": {"g": 1, **fields}}, {"userId": "2"})

    assert failures(answer) == ({} if fits else {"invalidDataUserIds": ["1"]})
    assert ("g" in answer["createdFields"]) is fits
    assert ("1" in sandbox.people()) is fits
    assert "2" in sandbox.people()


def test_fields_that_iterable_keeps_itself_are_passed_over(sandbox):
    sent = {
        "signupSource": "IMPORT", "profileUpdatedAt": "1999-01-01", "itblInternal": {"x": 1},
        "itblUserId": 5, "itblDS": {"x": 1}, "devices": [{"x": 1}], "browserTokens": ["x"],
    }  # fmt: skip
    answer = sandbox.bulk({"userId": "1", "dataFields": {**sent, "a": 1}})

    person = sandbox.people()["1"]
    assert (answer["successCount"], answer["createdFields"]) == (1, ["a"])
    assert person["signupSource"] == "API"
    assert person["profileUpdatedAt"] == person["signupDate"]
    assert person["itblInternal"].keys() == {"documentCreatedAt", "documentUpdatedAt"}
    assert not {"itblDS", "devices", "browserTokens"} & person.keys()


@pytest.mark.parametrize(
    ("project_type", "shown"), [("email", False), ("userId", True), ("hybrid", True)]
)
def test_internal_id_is_shown_where_the_project_has_one(sandbox, project_type, shown):
    sandbox.server.reset(project_type=project_type)
    sandbox.bulk(*({"userId": name, "email": f"{name}@example.com"} for name in "ab"))

    ids = {fields.get("itblUserId") for fields in sandbox.people().values()}

    assert (len(ids - {None}) == 2) is shown


@pytest.mark.parametrize("name", ["subscribedMessageTypeIds", "unsubscribedChannelIds"])
def test_subscription_fields_can_be_written_like_others(sandbox, name):
    sandbox.bulk({"userId": "1", "dataFields": {name: [1, 2]}})

    assert sandbox.people()["1"][name] == [1, 2]
    assert failures(sandbox.bulk({"userId": "1", "dataFields": {name: [3]}})) == {}


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        pytest.param({"lat": 1, "lon": 2.5}, "geo_location", id="geo"),
        pytest.param({"lat": 1, "lon": 181}, "object", id="no place on earth"),
        pytest.param({"lat": 1, "lon": 2, "alt": 3}, "object", id="a third member"),
        pytest.param({"lat": "1", "lon": "2"}, "object", id="text"),
    ],
)
def test_place_is_told_from_an_object_by_its_members(sandbox, value, kind):
    sandbox.bulk({"userId": "1", "dataFields": {"home_geo_location": value, "home": value}})

    fields = sandbox.get("/api/users/getFields").json()["fields"]
    assert (fields["home_geo_location"], fields["home"]) == (kind, "object")
    assert sandbox.people()["1"]["home_geo_location"] == value


def test_date_is_stored_in_one_form_and_takes_no_other_text(sandbox):
    sandbox.bulk({"userId": "1", "dataFields": {"at": "2020-08-19T20:50:04.000Z"}})
    assert sandbox.people()["1"]["at"] == "2020-08-19 20:50:04 +00:00"

    answer = sandbox.post(
        BULK, {"users": [{"userId": "1", "dataFields": {"at": "2020-04-13 13:37:19.039"}}]}
    )
    assert answer.json()["code"] == "RequestFieldsTypesMismatched"
