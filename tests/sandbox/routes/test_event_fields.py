"""events/track and events/trackBulk: the types of event fields."""

from __future__ import annotations

import pytest

TRACK = "/api/events/track"
BULK = "/api/events/trackBulk"


def event(name="order", who="ada@example.com", **data):
    return {"email": who, "eventName": name, "dataFields": data}


def send(sandbox, *events):
    return sandbox.post(BULK, {"events": list(events)})


def fields(sandbox):
    return sandbox.server.app_state.event_fields.as_json()["customEvent"]


def read(sandbox):
    events = sandbox.get("/api/events/ada@example.com").json()["events"]
    return [event["dataFields"] for event in events]


def test_first_value_fixes_the_type_of_a_field_for_its_event_name(sandbox):
    answer = send(
        sandbox,
        event(total=1.5, since="2020-01-01"),
        event("visit", total="much", deep={"a": True}),
    )

    assert answer.json()["createdFields"] == ["total", "since", "deep", "deep.a"]
    assert fields(sandbox) == {
        "order": {"total": "double", "since": "date"},
        "visit": {"total": "string", "deep": "object", "deep.a": "boolean"},
    }


def test_value_of_another_type_refuses_the_whole_batch_and_changes_nothing(sandbox):
    send(sandbox, event(total=1.5))
    before = fields(sandbox)

    answer = send(sandbox, event("visit", new=1), event(total="much", more=1), event(who="b@x.com"))

    assert answer.status_code == 400
    assert answer.json() == {
        "msg": (
            "Project 1: The request does not have the same data types as the data previously"
            " submitted. Field 'total' already exists for type 'customEvent' and has a data type"
            " of 'double' but possible types 'string, keyword' in the request."
        ),
        "code": "RequestFieldsTypesMismatched",
        "params": {
            "validationErrors": {
                "total": {
                    "incomingTypes": ["string", "keyword"],
                    "expectedType": "double",
                    "_type": "UnexpectedType",
                    "offendingValue": "much",
                    "category": "customEvent",
                }
            }
        },
    }
    assert fields(sandbox) == before
    assert len(read(sandbox)) == 1
    assert list(sandbox.people()) == ["ada@example.com"]


def test_two_events_of_one_request_must_agree(sandbox):
    answer = send(sandbox, event(total=1.5), event(total="much"))

    assert answer.status_code == 400
    assert fields(sandbox) == {}


def test_all_fields_that_do_not_fit_are_named(sandbox):
    send(sandbox, event(a=1), event("visit", b=1))

    answer = send(sandbox, event(a="x"), event("visit", b="x"))

    assert answer.json()["params"]["validationErrors"].keys() == {"a", "b"}


def test_single_event_is_refused_whatever_the_switch(sandbox):
    sandbox.server.reset(type_mismatch="item")
    sandbox.post(TRACK, event(total=1.5))

    answer = sandbox.post(TRACK, event(total="much"))

    assert (answer.status_code, answer.json()["code"]) == (400, "RequestFieldsTypesMismatched")


def test_value_of_another_type_costs_its_item_only_where_switched(sandbox):
    sandbox.server.reset(type_mismatch="item")
    send(sandbox, event(total=1.5))

    user = {"userId": "U1", "eventName": "order", "dataFields": {"new": 1, "total": True}}
    answer = send(sandbox, event(total="much", who="Bob@x.com"), user, event(total=2.5)).json()

    assert (answer["successCount"], answer["failCount"]) == (1, 2)
    assert answer["failedUpdates"]["invalidDataEmails"] == ["bob@x.com"]
    assert answer["failedUpdates"]["invalidDataUserIds"] == ["U1"]
    assert fields(sandbox) == {"order": {"total": "double"}}


@pytest.mark.parametrize(
    ("project", "flag", "kept"),
    [
        pytest.param(True, None, True, id="project"),
        pytest.param(False, None, False, id="not in this project"),
        pytest.param(False, True, True, id="event says so"),
        pytest.param(True, False, False, id="event says no"),
    ],
)
def test_new_fields_are_created_or_filtered_out(sandbox, project, flag, kept):
    sandbox.server.reset(create_new_fields=project)
    first = {**event(known=1), "createNewFields": True}

    answer = send(sandbox, first, {**event(known=2, new="x"), "createNewFields": flag}).json()

    assert answer["createdFields"] == (["known", "new"] if kept else ["known"])
    assert answer["filteredOutFields"] == ([] if kept else ["new"])
    assert read(sandbox)[0] == ({"known": 2, "new": "x"} if kept else {"known": 2})


def test_flag_counts_for_its_own_event_only(sandbox):
    answer = send(sandbox, {**event(a=1), "createNewFields": False}, event(b=1)).json()

    assert (answer["createdFields"], answer["filteredOutFields"]) == (["b"], ["a"])


def test_failed_events_create_no_fields(sandbox):
    answer = send(sandbox, event(new=1, who="bad@")).json()

    assert answer["createdFields"] == []
    assert fields(sandbox) == {}


def test_event_fields_are_apart_from_those_of_users(sandbox):
    sandbox.bulk({"email": "ada@example.com", "dataFields": {"total": "much"}})

    assert send(sandbox, event(total=1.5)).status_code == 200
    assert sandbox.get("/api/users/getFields").json()["fields"]["total"] == "string"


@pytest.mark.parametrize(
    ("more", "status"), [pytest.param(0, 200, id="8000"), pytest.param(1, 400, id="8001")]
)
def test_event_name_has_at_most_8000_fields(sandbox, more, status):
    many = {f"f{number}": 1 for number in range(8000 + more)}

    answer = send(sandbox, event("visit", a=1), event(**many))

    assert answer.status_code == status
    if status == 400:
        assert answer.json()["code"] == "UniqueFieldsLimitExceeded"
        assert fields(sandbox) == {}


def test_limit_of_fields_can_be_set_and_counts_per_event_name(sandbox):
    sandbox.server.reset(max_event_fields=2)

    answers = [send(sandbox, event(a=1, b=1)), send(sandbox, event("visit", c=1, d=1))]
    full = send(sandbox, event(e=1))

    assert [answer.status_code for answer in answers] == [200, 200]
    assert full.json()["code"] == "UniqueFieldsLimitExceeded"
    assert send(sandbox, event(a=2)).status_code == 200


def test_fields_of_items_leave_room_for_those_of_purchases(sandbox):
    sandbox.server.reset(max_event_fields=1)
    purchase = {"user": {"userId": "U1"}, "items": [], "total": 1}

    def buy(**data):
        return sandbox.post("/api/commerce/trackPurchase", {**purchase, "dataFields": data})

    assert [buy(a=1).status_code, buy(b=1).status_code] == [200, 400]


def test_too_deep_fields_are_refused_and_change_nothing(sandbox):
    deep = {"a": 1}
    for _ in range(25):
        deep = {"a": deep}

    answer = send(sandbox, event("visit", b=1), event(**deep))

    assert (answer.status_code, answer.json()["code"]) == (400, "BadParams")
    assert fields(sandbox) == {}
