"""Faults that take rows out of a request: exactly those, and the history names them."""

from __future__ import annotations

import pytest

BULK = "/api/users/bulkUpdate"
UPDATE = "/api/users/update"


def users(count: int, **fields) -> list[dict]:
    return [{"userId": f"u{n}", "dataFields": {"n": n, **fields}} for n in range(count)]


def test_a_dropped_request_is_answered_as_if_it_were_applied(sandbox):
    truth = sandbox.bulk(*users(3), {"email": "bad@"})
    sandbox.server.reset()
    sandbox.server.fail({"kind": "drop"})

    answer = sandbox.bulk(*users(3), {"email": "bad@"})

    assert answer == truth
    assert sandbox.people() == {}
    assert "n" not in sandbox.get("/__sandbox__/state").json()["fields"]
    (entry,) = sandbox.history()
    assert (entry["applied"], entry["faults"], entry["keys"]) == (False, ["drop"], [])
    assert entry["dropped"] == ["u0", "u1", "u2", "bad@"]


def test_a_dropped_fraction_is_missing_and_named(sandbox):
    sandbox.bulk({"userId": "u0", "dataFields": {"n": -1}})
    sandbox.server.fail({"kind": "drop", "fraction": 0.2}, seed=3)

    answer = sandbox.bulk(*users(200))

    entry = sandbox.history()[-1]
    assert (answer["successCount"], answer["failCount"]) == (200, 0)
    assert 20 <= len(entry["dropped"]) <= 60
    assert entry["applied"] is True
    names = {f"u{n}" for n in range(200)}
    assert set(entry["keys"]) == names - set(entry["dropped"])
    written = {key for key, fields in sandbox.people().items() if fields["n"] != -1}
    assert written == names - set(entry["dropped"])


def test_the_same_seed_drops_the_same_rows(sandbox):
    dropped = []
    for seed in (1, 1, 2):
        sandbox.server.reset()
        sandbox.server.fail({"kind": "drop", "fraction": 0.1}, seed=seed)
        sandbox.bulk(*users(100))
        sandbox.bulk(*users(100))
        dropped.append([entry["dropped"] for entry in sandbox.history()])

    assert dropped[0] == dropped[1] != dropped[2]
    assert dropped[0][0] != dropped[0][1]


def test_a_fraction_that_meets_no_row_is_no_fault(sandbox):
    sandbox.server.fail({"kind": "drop", "fraction": 0})

    sandbox.bulk(*users(3))

    (entry,) = sandbox.history()
    assert (entry["faults"], entry["applied"], entry["dropped"]) == ([], True, [])


def test_a_dropped_single_update_is_not_applied(sandbox):
    sandbox.server.fail({"kind": "drop"})

    answer = sandbox.post(UPDATE, {"userId": "u1"})

    assert (answer.status_code, answer.json()["code"]) == (200, "Success")
    assert (sandbox.people(), sandbox.history()[0]["dropped"]) == ({}, ["u1"])


def test_a_refused_request_is_not_called_dropped(sandbox):
    sandbox.server.fail({"kind": "drop"})

    answer = sandbox.post(BULK, {"users": [{"userId": 5}]})

    assert answer.status_code == 400
    assert (sandbox.history()[0]["dropped"], sandbox.history()[0]["faults"]) == ([], [])


@pytest.mark.parametrize(
    ("mark", "array"),
    [
        pytest.param({}, "invalidData", id="default"),
        pytest.param({"reason": "forgotten"}, "forgotten", id="forgotten"),
        pytest.param({"reason": "invalid"}, "invalid", id="invalid"),
    ],
)
def test_marked_rows_are_reported_and_the_others_applied(sandbox, mark, array):
    sandbox.server.fail({"kind": "refuse_rows", "field": "dataFields.poison", **mark})

    answer = sandbox.bulk(
        {"userId": "1"},
        {"userId": "2", "dataFields": {"poison": 0}},
        {"email": " ADA@example.com", "dataFields": {"poison": True}},
        {"email": "bob@example.com"},
        {"email": "bad@"},
    )

    assert (answer["successCount"], answer["failCount"]) == (2, 3)
    failed = answer["failedUpdates"]
    assert failed[f"{array}UserIds"] == ["2"]
    wrong = ["bad@"] if array == "invalid" else []
    assert failed[f"{array}Emails"] == [*wrong, "ada@example.com"]
    assert answer["invalidEmails"] == failed["invalidEmails"]
    assert sandbox.people().keys() == {"1", "bob@example.com"}
    (entry,) = sandbox.history()
    assert entry["refused"] == ["2", "ada@example.com"]
    assert (entry["faults"], entry["rows"], entry["counts"]) == (
        ["refuse_rows"],
        5,
        {"success": 2, "fail": 3},
    )


def test_a_request_of_marked_rows_alone_is_reported_too(sandbox):
    sandbox.server.fail({"kind": "refuse_rows", "field": "dataFields.poison"})

    answer = sandbox.bulk({"userId": "1", "dataFields": {"poison": 0}})

    assert (answer["successCount"], answer["failCount"]) == (0, 1)
    assert answer["failedUpdates"]["invalidDataUserIds"] == ["1"]
    assert answer["createdFields"] == []
    assert sandbox.people() == {}
    (entry,) = sandbox.history()
    assert (entry["rows"], entry["counts"]) == (1, {"success": 0, "fail": 1})


@pytest.mark.parametrize(
    ("mark", "refused"),
    [
        pytest.param({"field": "dataFields.n", "equals": 1}, ["u1"], id="value"),
        pytest.param({"field": "dataFields.n", "equals": True}, [], id="a boolean is no number"),
        pytest.param({"field": "dataFields.n.m"}, [], id="below a number"),
        pytest.param({"keys": ["u0", "u2", "u9"]}, ["u0", "u2"], id="keys"),
    ],
)
def test_a_mark_is_a_value_or_a_key(sandbox, mark, refused):
    sandbox.server.fail({"kind": "refuse_rows", **mark})

    answer = sandbox.bulk(*users(3))

    assert answer["failedUpdates"]["invalidDataUserIds"] == refused
    assert sandbox.history()[0]["refused"] == refused


def test_a_marked_single_update_is_refused_with_the_code_of_its_reason(sandbox):
    sandbox.server.fail({"kind": "refuse_rows", "keys": ["ADA@example.com"], "reason": "notFound"})

    answer = sandbox.post(UPDATE, {"email": "ada@example.com"})

    assert (answer.status_code, answer.json()["code"]) == (400, "UnknownEmailError")
    assert (sandbox.people(), sandbox.history()[0]["applied"]) == ({}, False)


def test_one_marked_row_refuses_the_batch_and_is_named_by_its_path(sandbox):
    sandbox.server.fail({"kind": "refuse_batch", "field": "dataFields.poison"})

    answer = sandbox.post(BULK, {"users": [*users(2), *users(1, poison=1)]})
    clean = sandbox.bulk(*users(2))

    assert (answer.status_code, answer.json()["code"]) == (400, "BadJsonBody")
    assert answer.json()["params"] == {"obj.users[2].dataFields.poison": "String value expected"}
    assert clean["successCount"] == 2
    assert [(e["applied"], e["refused"]) for e in sandbox.history()] == [
        (False, ["u0"]),
        (True, []),
    ]


def test_a_refused_batch_need_not_say_which_row(sandbox):
    rule = {"kind": "refuse_batch", "keys": ["u1"], "with_path": False, "code": "BadParams"}
    sandbox.server.fail(rule)

    answer = sandbox.post(BULK, {"users": users(2)})

    assert (answer.json()["code"], answer.json()["params"]) == ("BadParams", None)


def test_rows_and_answer_can_go_wrong_at_once(sandbox):
    sandbox.server.fail(
        {"kind": "refuse_rows", "keys": ["u0"]},
        {"kind": "drop", "fraction": 1},
        {"kind": "error", "apply": True},
    )

    answer = sandbox.post(BULK, {"users": users(2)})

    assert answer.status_code == 503
    (entry,) = sandbox.history()
    assert entry["faults"] == ["refuse_rows", "drop", "error"]
    assert (entry["refused"], entry["dropped"]) == (["u0"], ["u1"])


@pytest.mark.parametrize(
    ("path", "body", "failed"),
    [
        pytest.param(
            "/api/events/trackBulk",
            {"events": [{"userId": "u0", "eventName": "e"}, {"userId": "u1", "eventName": "e"}]},
            ("failedUpdates", "invalidUserIds"),
            id="events",
        ),
        pytest.param(
            "/api/lists/subscribe",
            {"subscribers": [{"userId": "u0"}, {"userId": "u1"}]},
            ("failedUpdates", "invalidUserIds"),
            id="subscribers",
        ),
    ],
)
def test_rows_of_other_endpoints_are_known_too(sandbox, path, body, failed):
    sandbox.bulk(*users(2))
    made = sandbox.post("/api/lists", {"name": "l"}).json()["listId"]
    sandbox.server.fail(
        {"kind": "refuse_rows", "keys": ["u1"], "reason": "invalid", "endpoint": path}
    )

    answer = sandbox.post(path, {"listId": made, **body}).json()

    assert (answer["successCount"], answer["failCount"]) == (1, 1)
    assert answer[failed[0]][failed[1]] == ["u1"]
    assert sandbox.history()[-1]["refused"] == ["u1"]


def test_rows_that_no_answer_can_name_are_refused_with_the_request(sandbox):
    sandbox.post("/api/catalogs/shop")
    sandbox.server.fail({"kind": "refuse_rows", "keys": ["b"], "reason": "invalid"})

    documents = {"documents": {"a": {}, "b": {}}, "replaceUploadedFieldsOnly": False}
    answer = sandbox.post("/api/catalogs/shop/items", documents)

    assert answer.status_code == 400
    assert sandbox.history()[-1]["refused"] == ["b"]
    assert sandbox.get("/__sandbox__/state").json()["catalogs"][0]["items"] == {}


def test_a_body_that_is_no_json_passes_through(sandbox):
    sandbox.server.fail({"kind": "refuse_rows", "field": "a"}, {"kind": "drop", "fraction": 0.5})

    assert sandbox.post(BULK, b"{").json()["code"] == "BadJsonBody"


def test_reads_have_no_rows_to_lose(sandbox):
    sandbox.bulk({"userId": "1"})
    sandbox.server.fail({"kind": "drop"}, {"kind": "refuse_rows", "keys": ["1"]})

    assert sandbox.get("/api/users/byUserId/1").json()["user"]["userId"] == "1"
    assert sandbox.history()[-1]["faults"] == []


def test_a_deletion_is_a_row_that_its_path_names(sandbox):
    sandbox.bulk({"email": "ada@example.com", "userId": "1"})
    sandbox.server.fail({"kind": "drop"})

    url = f"{sandbox.server.url}/api/users/ada%40example.com"
    answer = sandbox.http.delete(url, headers=sandbox.headers, timeout=10)

    assert answer.status_code == 200
    assert sandbox.people().keys() == {"1"}
    assert sandbox.history()[-1]["dropped"] == ["ada@example.com"]


def test_the_buyer_of_a_purchase_is_a_key(sandbox):
    sandbox.server.fail({"kind": "refuse_rows", "keys": ["1"], "reason": "forgotten"})
    item = {"id": "i", "name": "n", "price": 2, "quantity": 1}

    answer = sandbox.post(
        "/api/commerce/trackPurchase", {"user": {"userId": "1"}, "items": [item], "total": 2}
    )

    assert (answer.status_code, answer.json()["code"]) == (400, "ForgottenUserError")
    assert sandbox.server.contents()["purchases"] == []
