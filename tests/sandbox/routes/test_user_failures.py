"""users/bulkUpdate and users/update: rows that fail or change nothing, and how they are named."""

from __future__ import annotations

import pytest

BULK = "/api/users/bulkUpdate"
UPDATE = "/api/users/update"
LONG = "x" * 32_767


def failures(answer):
    return {array: names for array, names in answer["failedUpdates"].items() if names}


# One row for each array, in the type of project in which it can be met.
@pytest.mark.parametrize(
    ("project_type", "row", "array", "name"),
    [
        ("hybrid", {"email": "Bad@"}, "invalidEmails", "bad@"),
        ("hybrid", {"userId": "u "}, "invalidUserIds", "u "),
        ("userId", {"email": "X@example.com"}, "notFoundEmails", "x@example.com"),
        ("email", {"userId": "X"}, "notFoundUserIds", "X"),
        ("hybrid", {"email": "X@example.com", "dataFields": {"long": LONG}}, "invalidDataEmails",
         "x@example.com"),
        ("hybrid", {"userId": "X", "dataFields": {"long": LONG}}, "invalidDataUserIds", "X"),
        ("hybrid", {"userId": "X", "email": "A@example.com"}, "conflictEmails", "a@example.com"),
        ("hybrid", {"email": "x@example.com", "dataFields": {"userId": "A"}}, "conflictUserIds",
         "A"),
        ("hybrid", {"email": "Gone@example.com"}, "forgottenEmails", "gone@example.com"),
        ("hybrid", {"userId": "Gone"}, "forgottenUserIds", "Gone"),
    ],
)  # fmt: skip
def test_each_failure_array_names_its_row_and_the_others_are_written(
    sandbox, project_type, row, array, name
):
    sandbox.server.reset(project_type=project_type)
    sandbox.bulk(
        {"userId": "A", "email": "a@example.com"}, {"userId": "Gone", "email": "gone@example.com"}
    )
    sandbox.post("/api/users/forget", {"userId": "Gone"})

    answer = sandbox.bulk(row, {"userId": "A", "email": "a@example.com", "dataFields": {"s": 1}})

    assert failures(answer) == {array: [name]}
    assert (answer["successCount"], answer["failCount"]) == (1, 1)
    assert answer["invalidEmails"] == answer["failedUpdates"]["invalidEmails"]
    assert answer["invalidUserIds"] == answer["failedUpdates"]["invalidUserIds"]
    assert [fields["s"] for fields in sandbox.people().values() if "s" in fields] == [1]


@pytest.mark.parametrize(
    ("switch", "row", "failed"),
    [
        pytest.param("folded", {"email": " Bad@"}, {"invalidEmails": ["bad@"]}, id="folded"),
        pytest.param("sent", {"email": " Bad@"}, {"invalidEmails": [" Bad@"]}, id="as sent"),
        pytest.param("sent", {"userId": "1", "dataFields": {"email": "Bad@"}},
                     {"invalidEmails": ["Bad@"]}, id="as sent, inside dataFields"),
        pytest.param("sent", {"email": "X@example.com", "dataFields": {"long": LONG}},
                     {"invalidDataEmails": ["X@example.com"]}, id="as sent, bad data"),
        pytest.param("sent", {"userId": "X", "email": "A@example.com"},
                     {"conflictEmails": ["a@example.com"]}, id="a conflict is as stored"),
    ],
)  # fmt: skip
def test_failed_emails_are_echoed_as_switched(sandbox, switch, row, failed):
    sandbox.server.reset(echoed_emails=switch)
    sandbox.bulk({"userId": "A", "email": "a@example.com"})

    assert failures(sandbox.bulk(row)) == failed


@pytest.mark.parametrize("project_type", ["email", "userId", "hybrid"])
def test_row_that_changes_nothing_is_a_success_and_named(sandbox, project_type):
    sandbox.server.reset(project_type=project_type)
    rows = [
        {"userId": str(number), "email": f"{number}@example.com",
         "dataFields": {"a": number, "o": {"x": 1}, "day": "2024-01-02"}}
        for number in (1, 2)
    ]  # fmt: skip
    sandbox.bulk(*rows)
    before = sandbox.people()

    answer = sandbox.bulk(
        rows[0],
        {"userId": "2", "email": "2@example.com", "dataFields": {"a": 3}},
    )

    assert (answer["noOpEmails"], answer["noOpUserIds"]) == (["1@example.com"], [])
    assert (answer["successCount"], answer["failCount"]) == (2, 0)
    after = sandbox.people()
    assert [key for key in after if after[key] != before[key]] == [list(before)[1]]
    assert len(sandbox.history()[-1]["keys"]) == 2


def test_row_by_user_id_that_changes_nothing_is_named_by_it(sandbox):
    sandbox.bulk({"userId": "1", "dataFields": {"a": 1}})

    answer = sandbox.bulk({"userId": "1", "dataFields": {"a": 1, "gone": None}})

    assert (answer["noOpEmails"], answer["noOpUserIds"]) == ([], ["1"])


@pytest.mark.parametrize(
    ("row", "unchanged"),
    [
        pytest.param({"a": 1}, True, id="the same"),
        pytest.param({}, True, id="no fields"),
        pytest.param({"a": 2}, False, id="another value"),
        pytest.param({"b": 1}, False, id="a new field"),
        pytest.param({"a": None}, False, id="null for a field"),
        pytest.param({"signupDate": None}, False, id="null for the signup date"),
        pytest.param({"o": {"x": 1, "y": 2}}, True, id="the same object"),
        pytest.param({"o": {"x": 1}}, False, id="a part of an object, which replaces it"),
        pytest.param({"email": "new@example.com"}, False, id="a new address"),
    ],
)
def test_what_changes_nothing_is_told_from_what_changes_something(sandbox, row, unchanged):
    first = {"a": 1, "o": {"x": 1, "y": 2}}
    sandbox.bulk({"userId": "1", "email": "1@example.com", "dataFields": first})

    answer = sandbox.bulk({"userId": "1", "dataFields": row})

    assert answer["noOpUserIds"] == (["1"] if unchanged else [])


def test_a_part_of_an_object_changes_nothing_where_objects_are_merged(sandbox):
    sandbox.bulk({"userId": "1", "dataFields": {"o": {"x": 1, "y": 2}}})

    answer = sandbox.bulk(
        {"userId": "1", "dataFields": {"o": {"x": 1}}, "mergeNestedObjects": True}
    )

    assert answer["noOpUserIds"] == ["1"]


def test_update_only_passes_strangers_over(sandbox):
    sandbox.bulk({"userId": "1"})

    answer = sandbox.bulk(
        {"userId": "1", "dataFields": {"a": 1}},
        {"userId": "2"},
        {"email": "X@example.com"},
        updateOnly=True,
    )

    assert (answer["noOpEmails"], answer["noOpUserIds"]) == (["x@example.com"], ["2"])
    assert (answer["successCount"], answer["failCount"]) == (3, 0)
    assert sandbox.people().keys() == {"1"}
    assert sandbox.people()["1"]["a"] == 1


def test_update_only_of_another_json_type_refuses_the_batch(sandbox):
    answer = sandbox.post(BULK, {"users": [{"userId": "1"}], "updateOnly": 1})

    assert answer.json()["params"] == {"obj.updateOnly": "Boolean value expected"}
    assert sandbox.people() == {}


@pytest.mark.parametrize(
    ("row", "status", "code"),
    [
        pytest.param({"userId": "1", "dataFields": {"long": LONG}}, 400, "BadParams", id="data"),
        pytest.param({"email": "x@example.com"}, 400, "UnknownEmailError", id="userID project"),
    ],
)
def test_single_update_fails_where_a_row_would(sandbox, row, status, code):
    sandbox.server.reset(project_type="userId")

    answer = sandbox.post(UPDATE, row)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert sandbox.people() == {}


def test_row_that_changes_nothing_is_a_conflict_if_it_names_somebody_else(sandbox):
    sandbox.bulk({"userId": "1", "email": "a@example.com"}, {"email": "b@example.com"})

    answer = sandbox.bulk(
        {"userId": "1", "email": "b@example.com", "dataFields": {"email": "a@example.com"}}
    )

    assert answer["failedUpdates"]["conflictEmails"] == ["b@example.com"]
    assert (answer["noOpEmails"], answer["failCount"]) == ([], 1)
