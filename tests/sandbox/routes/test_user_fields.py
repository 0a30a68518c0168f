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
