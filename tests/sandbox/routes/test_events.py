"""events/track and events/trackBulk: what is stored, who fails, and by which name."""

from __future__ import annotations

import orjson
import pytest

from iterable_sync.sandbox.buckets import LIMITS, Limit
from iterable_sync.sandbox.endpoints import Call
from iterable_sync.sandbox.routes.events import get_by_email
from iterable_sync.sandbox.routes.events import track_bulk as track_bulk_handler
from iterable_sync.sandbox.settings import Settings
from iterable_sync.sandbox.state import State

TRACK = "/api/events/track"
BULK = "/api/events/trackBulk"
ARRAYS = {
    "invalidEmails", "invalidUserIds", "notFoundEmails", "notFoundUserIds", "forgottenEmails",
    "forgottenUserIds",
}  # fmt: skip
ADA = {"email": "ada@example.com", "eventName": "signed-up"}


def track_bulk(sandbox, *events):
    answer = sandbox.post(BULK, {"events": list(events)})
    assert answer.status_code == 200, answer.text
    return answer.json()


def failures(answer):
    return {array: names for array, names in answer["failedUpdates"].items() if names}


def read(sandbox, email="ada@example.com", **query):
    answer = sandbox.get(f"/api/events/{email}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()["events"]


def test_one_event_is_answered_with_its_id(sandbox):
    answer = sandbox.post(TRACK, {**ADA, "id": "1234"})

    assert answer.status_code == 200
    assert answer.json() == {
        "msg": "Event with id: 1234 tracked.",
        "code": "Success",
        "params": {"id": "1234"},
    }


@pytest.mark.parametrize("without", [{}, {"id": None}, {"id": ""}])
def test_event_without_an_id_gets_one_by_which_it_can_be_replaced(sandbox, without):
    given = sandbox.post(TRACK, {**ADA, **without}).json()["params"]["id"]
    sandbox.post(TRACK, {**ADA, "id": given, "eventName": "renamed"})

    assert [event["eventName"] for event in read(sandbox)] == ["renamed"]


def test_event_is_read_as_it_was_recorded(sandbox):
    sandbox.post(
        TRACK,
        {
            **ADA,
            "userId": "U1",
            "createdAt": 1506620711,
            "dataFields": {"plan": "gold", "since": "2020-08-19T20:50:04.000Z", "deep": {"a": [1]}},
            "campaignId": 12,
            "templateId": 34,
        },
    )

    (event,) = read(sandbox)
    assert event.pop("eventUpdatedAt") == event.pop("itblInternal")["documentUpdatedAt"]
    assert event == {
        "email": "ada@example.com",
        "userId": "U1",
        "createdAt": "2017-09-28 17:45:11 +00:00",
        "eventName": "signed-up",
        "eventType": "customEvent",
        "dataFields": {
            "plan": "gold",
            "since": "2020-08-19 20:50:04 +00:00",
            "deep": {"a": [1]},
        },
        "campaignId": 12,
        "templateId": 34,
    }


def test_bulk_answer_has_all_its_members_always(sandbox):
    answer = track_bulk(sandbox, ADA, {"email": "Sayan", "eventName": "x"})

    assert answer.pop("failedUpdates").keys() == ARRAYS
    assert answer == {
        "successCount": 1,
        "failCount": 1,
        "invalidEmails": ["sayan"],
        "invalidUserIds": [],
        "disallowedEventNames": [],
        "filteredOutFields": [],
        "createdFields": [],
    }


def test_no_events_are_no_failure(sandbox):
    answer = track_bulk(sandbox)

    assert (answer["successCount"], answer["failCount"]) == (0, 0)


# Who is created, and who fails, in an empty project.
@pytest.mark.parametrize(
    ("project_type", "who", "key", "failed"),
    [
        pytest.param("hybrid", {"email": " A@Example.com"}, "a@example.com", {}, id="hybrid email"),
        pytest.param("hybrid", {"userId": "U1"}, "U1", {}, id="hybrid userId"),
        pytest.param("hybrid", {"email": "a@example.com", "userId": "U1"}, "U1", {},
                     id="hybrid both"),
        pytest.param("hybrid", {"email": "a@example.com", "userId": ""}, "a@example.com", {},
                     id="empty userId beside an email"),
        pytest.param("userId", {"userId": "U1"}, "U1", {}, id="userID"),
        pytest.param("userId", {"userId": "U1", "email": "a@example.com"}, "U1", {},
                     id="userID both"),
        pytest.param("userId", {"email": "A@example.com"}, None,
                     {"notFoundEmails": ["a@example.com"]}, id="userID email only"),
        pytest.param("email", {"email": "A@example.com"}, None,
                     {"notFoundEmails": ["a@example.com"]}, id="email email"),
        pytest.param("email", {"userId": "U1"}, None, {"notFoundUserIds": ["U1"]},
                     id="email userId"),
        pytest.param("email", {"email": "A@example.com", "userId": "U1"}, None,
                     {"notFoundEmails": ["a@example.com"]}, id="email both"),
        pytest.param("hybrid", {"email": "Bad@"}, None, {"invalidEmails": ["bad@"]},
                     id="bad email"),
        pytest.param("hybrid", {"userId": "U1 "}, None, {"invalidUserIds": ["U1 "]},
                     id="bad userId"),
        pytest.param("hybrid", {"email": ""}, None, {"invalidEmails": [""]}, id="empty email"),
        pytest.param("hybrid", {"userId": ""}, None, {"invalidUserIds": [""]}, id="empty userId"),
        pytest.param("hybrid", {}, None, {"invalidEmails": [""]}, id="nobody"),
        pytest.param("userId", {}, None, {"invalidUserIds": [""]},
                     id="nobody in a userID project"),
    ],
)  # fmt: skip
def test_event_creates_its_person_or_fails_by_the_identifier(
    sandbox, project_type, who, key, failed
):
    sandbox.server.reset(project_type=project_type)

    answer = track_bulk(sandbox, {**who, "eventName": "x"})

    assert failures(answer) == failed
    assert (answer["successCount"], answer["failCount"]) == ((0, 1) if failed else (1, 0))
    assert list(sandbox.people()) == ([] if key is None else [key])


def test_failures_repeat_addresses_as_sent_where_switched(sandbox):
    sandbox.server.reset(project_type="email", echoed_emails="sent")

    answer = track_bulk(
        sandbox, {**ADA, "email": "Ada@Example.com"}, {"email": "Bad@", "eventName": "x"}
    )

    assert failures(answer) == {"invalidEmails": ["Bad@"], "notFoundEmails": ["Ada@Example.com"]}


@pytest.mark.parametrize(
    ("switch", "counts", "people"),
    [
        pytest.param("not_found", (0, 1), [], id="not found"),
        pytest.param("accept", (1, 0), [], id="accepted"),
        pytest.param("create", (1, 0), ["ada@example.com"], id="created"),
    ],
)
def test_unknown_person_in_an_email_project_is_treated_as_switched(sandbox, switch, counts, people):
    sandbox.server.reset(project_type="email", unknown_event_user=switch)

    answer = track_bulk(sandbox, ADA)

    assert (answer["successCount"], answer["failCount"]) == counts
    assert list(sandbox.people()) == people


@pytest.mark.parametrize("who", [{"email": "A@example.com"}, {"userId": "U1"}])
@pytest.mark.parametrize("project_type", ["email", "hybrid", "userId"])
def test_event_of_a_known_person_changes_no_profile(sandbox, project_type, who):
    sandbox.server.reset(project_type=project_type)
    sandbox.bulk({"email": "a@example.com", "userId": "U1", "dataFields": {"a": 1}})
    before = sandbox.people()

    track_bulk(sandbox, {**who, "userId": "U1", "eventName": "x", "dataFields": {"email": "no"}})

    assert sandbox.people() == before
    assert len(sandbox.get("/api/events/byUserId/U1").json()["events"]) == 1


def test_event_of_two_known_people_belongs_to_the_user_id(sandbox):
    sandbox.bulk({"email": "ada@example.com"}, {"userId": "U1"})

    answer = track_bulk(sandbox, {**ADA, "userId": "U1"})

    assert answer["successCount"] == 1
    assert read(sandbox) == []
    assert len(sandbox.get("/api/events/byUserId/U1").json()["events"]) == 1


@pytest.mark.parametrize(
    ("who", "failed"),
    [
        pytest.param({"email": "Gone@example.com"}, {"forgottenEmails": ["gone@example.com"]},
                     id="email"),
        pytest.param({"userId": "U1"}, {"forgottenUserIds": ["U1"]}, id="userId"),
    ],
)  # fmt: skip
def test_event_of_somebody_forgotten_fails_by_the_identifier(sandbox, who, failed):
    sandbox.server.app_state.forgotten.add("gone@example.com", "U1")

    assert failures(track_bulk(sandbox, {**who, "eventName": "x"})) == failed
    assert sandbox.people() == {}


def test_single_event_of_somebody_forgotten_is_an_error(sandbox):
    sandbox.server.app_state.forgotten.add("ada@example.com", None)

    answer = sandbox.post(TRACK, ADA)

    assert answer.status_code in {400, 409}
    assert answer.json()["code"] == "ForgottenUserError"


@pytest.mark.parametrize(
    ("who", "code", "text"),
    [
        pytest.param({"email": "Bad@"}, "InvalidEmailAddressError", "Invalid email: bad@",
                     id="bad email"),
        pytest.param({"userId": "U1 "}, "InvalidUserIdError", "Invalid userId: U1 ",
                     id="bad userId"),
        pytest.param({}, "BadParams", "Either email or userId must be specified in a track call",
                     id="nobody"),
    ],
)  # fmt: skip
def test_single_event_with_a_bad_identifier_is_an_error(sandbox, who, code, text):
    answer = sandbox.post(TRACK, {**who, "eventName": "x"})

    assert answer.status_code == 400
    assert answer.json() == {"msg": text, "code": code, "params": None}


@pytest.mark.parametrize(
    ("who", "code"),
    [
        pytest.param({"email": "ada@example.com"}, "UnknownEmailError", id="email"),
        pytest.param({"userId": "U1"}, "UnknownUserIdError", id="userId"),
    ],
)
def test_single_event_of_an_unknown_person_in_an_email_project_is_an_error(sandbox, who, code):
    sandbox.server.reset(project_type="email")

    answer = sandbox.post(TRACK, {**who, "eventName": "x"})

    assert (answer.status_code, answer.json()["code"]) == (400, code)


def test_event_with_a_known_id_is_replaced_whatever_its_name_and_person(sandbox):
    fields = {"dataFields": {"a": 1}, "campaignId": 1}
    track_bulk(sandbox, {**ADA, "id": "e-1", **fields}, {**ADA, "id": "e-2"})

    answer = track_bulk(
        sandbox,
        {"email": "bob@example.com", "eventName": "other", "id": "e-1", "dataFields": {"b": 2}},
    )

    assert answer["successCount"] == 1
    assert [event["eventName"] for event in read(sandbox)] == ["signed-up"]
    (moved,) = read(sandbox, "bob@example.com")
    assert (moved["eventName"], moved["dataFields"]) == ("other", {"b": 2})
    assert "campaignId" not in moved


def test_same_id_twice_in_one_request_counts_twice_and_the_last_one_stays(sandbox):
    answer = track_bulk(sandbox, {**ADA, "id": "1"}, {**ADA, "id": "1", "eventName": "last"})

    assert answer["successCount"] == 2
    assert [event["eventName"] for event in read(sandbox)] == ["last"]


def test_every_call_without_an_id_adds_an_event(sandbox):
    for _ in range(3):
        track_bulk(sandbox, ADA)

    assert len(read(sandbox)) == 3


@pytest.mark.parametrize(
    ("created_at", "shown"),
    [
        pytest.param(1598631966, "2020-08-28 16:26:06 +00:00", id="seconds"),
        pytest.param(1598631966468, "2020-08-28 16:26:06 +00:00", id="milliseconds"),
        pytest.param(0, "1970-01-01 00:00:00 +00:00", id="zero"),
        pytest.param(-1, "1969-12-31 23:59:59 +00:00", id="before 1970"),
        pytest.param(99_999_999_999, "5138-11-16 09:46:39 +00:00", id="last second"),
        pytest.param(100_000_000_000, "1973-03-03 09:46:40 +00:00", id="first millisecond"),
        pytest.param(253_402_300_799_999, "9999-12-31 23:59:59 +00:00", id="last date"),
    ],
)
def test_time_is_read_as_seconds_or_milliseconds(sandbox, created_at, shown):
    track_bulk(sandbox, {**ADA, "createdAt": created_at})

    assert [event["createdAt"] for event in read(sandbox)] == [shown]


# The recorded ones are `eventName` of null (2022) and missing (2017).
@pytest.mark.parametrize(
    ("members", "problems"),
    [
        pytest.param({"eventName": None}, {"eventName": "String value expected"}, id="null name"),
        pytest.param({"eventName": 1}, {"eventName": "String value expected"}, id="number as name"),
        pytest.param({"email": 1}, {"email": "String value expected"}, id="email"),
        pytest.param({"userId": 1}, {"userId": "String value expected"}, id="userId"),
        pytest.param({"id": 1}, {"id": "String value expected"}, id="id"),
        pytest.param({"createdAt": "2020-01-01"}, {"createdAt": "Number value expected"},
                     id="createdAt as text"),
        pytest.param({"createdAt": 1.5}, {"createdAt": "Number value expected"},
                     id="createdAt as a fraction"),
        pytest.param({"createdAt": 253_402_300_800_000}, {"createdAt": "Number value expected"},
                     id="createdAt after the year 9999"),
        pytest.param({"dataFields": []}, {"dataFields": "error.expected.jsobject"},
                     id="dataFields"),
        pytest.param({"campaignId": "1", "templateId": 2**63},
                     {"campaignId": "Number value expected"}, id="campaignId as text"),
        pytest.param({"templateId": 2**63}, {"templateId": "Number value expected"},
                     id="templateId above 64 bits"),
        pytest.param({"createNewFields": 1}, {"createNewFields": "Boolean value expected"},
                     id="createNewFields"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("bulk", [True, False])
def test_wrong_json_type_refuses_the_whole_request_by_its_path(sandbox, bulk, members, problems):
    path, at = (BULK, "obj.events[17]") if bulk else (TRACK, "obj")
    event = {**ADA, **members}

    answer = sandbox.post(path, {"events": [ADA] * 17 + [event]} if bulk else event)

    assert answer.status_code == 400
    assert answer.json() == {
        "msg": f"[{path}] Invalid JSON body",
        "code": "BadJsonBody",
        "params": {f"{at}.{name}": text for name, text in problems.items()},
    }
    assert sandbox.people() == {}


@pytest.mark.parametrize(
    ("path", "body", "params"),
    [
        pytest.param(TRACK, {"name": None}, {"obj.eventName": "error.path.missing"},
                     id="no name"),
        pytest.param(BULK, {"events": [{}, {"eventName": None}]},
                     {"obj.events[0].eventName": "error.path.missing",
                      "obj.events[1].eventName": "String value expected"}, id="no names"),
        pytest.param(BULK, {}, {"obj.events": "error.path.missing"}, id="no events"),
        pytest.param(BULK, {"events": {}}, {"obj.events": "error.expected.jsarray"},
                     id="events are no array"),
        pytest.param(BULK, {"events": [1]}, {"obj.events[0]": "error.expected.jsobject"},
                     id="event is no object"),
        pytest.param(BULK, b"{", {"obj": "error.invalid.json"}, id="no JSON"),
        pytest.param(TRACK, [], {"obj": "error.expected.jsobject"}, id="no object"),
    ],
)  # fmt: skip
def test_body_of_another_shape_is_refused_by_the_path(sandbox, path, body, params):
    answer = sandbox.post(path, body)

    assert (answer.status_code, answer.json()["code"]) == (400, "BadJsonBody")
    assert answer.json()["params"] == params


@pytest.mark.parametrize(
    ("event_id", "status"),
    [
        pytest.param("A-z09", 200, id="letters, digits and hyphens"),
        pytest.param("a" * 512, 200, id="512 bytes"),
        pytest.param("a" * 513, 400, id="513 bytes"),
        pytest.param("a_b", 400, id="underscore"),
        pytest.param("ä", 400, id="no ASCII"),
        pytest.param("a\n", 400, id="line feed at the end"),
    ],
)
@pytest.mark.parametrize("bulk", [True, False])
def test_malformed_event_id_refuses_the_whole_request(sandbox, bulk, event_id, status):
    event = {**ADA, "id": event_id}

    answer = sandbox.post(BULK if bulk else TRACK, {"events": [ADA, event]} if bulk else event)

    assert answer.status_code == status
    if status == 400:
        assert answer.json()["code"] == "BadParams"
        assert sandbox.people() == {}


def test_disallowed_names_fail_and_are_named_once(sandbox):
    sandbox.server.reset(disallowed_event_names=["secret"])
    secret = {**ADA, "eventName": "secret"}

    answer = track_bulk(sandbox, secret, ADA, secret)

    assert answer["disallowedEventNames"] == ["secret"]
    assert (answer["successCount"], answer["failCount"]) == (1, 2)
    assert failures(answer) == {}
    assert [event["eventName"] for event in read(sandbox)] == ["signed-up"]


def test_single_event_with_a_disallowed_name_is_answered_with_200(sandbox):
    sandbox.server.reset(disallowed_event_names=["secret"])

    answer = sandbox.post(TRACK, {**ADA, "eventName": "secret"})

    assert answer.status_code == 200
    assert "is disallowed from tracking" in answer.json()["msg"]
    assert sandbox.people() == {}


@pytest.mark.parametrize("path", [TRACK, BULK])
def test_wrong_key_is_refused(sandbox, path):
    answer = sandbox.post(path, {"events": []}, headers={"Api-Key": "wrong"})

    assert answer.status_code == 401
    assert answer.json()["code"] == "BadApiKey"


@pytest.mark.parametrize("path", [TRACK, BULK])
def test_read_only_key_may_not_track(sandbox, path):
    key = sandbox.server.app_state.settings.read_only_key
    answer = sandbox.post(path, {"events": [], **ADA}, headers={"Api-Key": key})

    assert answer.status_code == 401
    assert sandbox.people() == {}


@pytest.mark.parametrize(
    ("path", "body", "published"),
    [
        pytest.param(TRACK, ADA, 2000, id="track"),
        pytest.param(BULK, {"events": [ADA]}, 10, id="trackBulk"),
    ],
)
def test_requests_above_the_limit_are_refused(sandbox, path, body, published):
    limit = path.removeprefix("/api/")
    sandbox.server.reset(rate_limits=True, limits={limit: 0.001})

    assert Limit(published, 1) == LIMITS[limit]
    assert [sandbox.post(path, body).status_code for _ in range(2)] == [200, 429]


def test_history_says_who_was_tracked_and_how_many_failed(sandbox):
    track_bulk(
        sandbox, ADA, {"userId": "U1", "eventName": "x"}, {"email": "bad@", "eventName": "x"}
    )

    (entry,) = sandbox.history()
    assert (entry["rows"], entry["keys"]) == (3, ["ada@example.com", "U1"])
    assert entry["counts"] == {"success": 2, "fail": 1}


@pytest.mark.parametrize(
    ("project_type", "key"), [("email", "ada@example.com"), ("hybrid", "U1"), ("userId", "U1")]
)
@pytest.mark.parametrize("discard", [False, True])
def test_history_names_people_by_their_key(sandbox, discard, project_type, key):
    sandbox.server.reset(project_type=project_type, unknown_event_user="create", discard=discard)
    track_bulk(sandbox, {**ADA, "userId": "U1"})

    assert [entry["counts"]["success"] for entry in sandbox.history()] == [1]
    assert [entry["keys"] for entry in sandbox.history()] == [[] if discard else [key]]


def test_discarded_events_are_counted_and_known_by_their_id_only(sandbox):
    sandbox.server.reset(discard=True)
    first = {**ADA, "id": "1", "dataFields": {"a": 1}}

    answers = [
        track_bulk(sandbox, first, ADA, {**ADA, "email": "bad@"}),
        track_bulk(sandbox, first),
        track_bulk(sandbox, {**first, "dataFields": {"a": 2}}),
    ]

    assert [answer["successCount"] for answer in answers] == [2, 1, 1]
    events = sandbox.server.app_state.events
    assert len(events) == 2
    assert [event_id for event_id, _ in events.digests()] == ["1"]
    assert read(sandbox) == []


def test_digest_of_a_discarded_event_changes_with_the_event(sandbox):
    sandbox.server.reset(discard=True)
    events = sandbox.server.app_state.events
    seen = []
    for value in (1, 1, 2):
        track_bulk(sandbox, {**ADA, "id": "1", "createdAt": 1, "dataFields": {"a": value}})
        seen += [digest for _, digest in events.digests()]

    assert seen[0] == seen[1] != seen[2]


def test_discarded_event_of_an_unknown_person_counts_in_an_email_project(sandbox):
    sandbox.server.reset(project_type="email", discard=True)

    assert track_bulk(sandbox, ADA)["successCount"] == 1


def test_address_identifies_before_a_shared_user_id_in_an_email_project(sandbox):
    sandbox.server.reset(project_type="email")
    bob = {"email": "bob@example.com", "userId": "shared"}
    sandbox.bulk(bob, {"email": "ada@example.com", "userId": "shared"})

    answer = track_bulk(
        sandbox, {**ADA, "userId": "shared"}, {**ADA, "email": "c@example.com", "userId": "shared"}
    )

    assert failures(answer) == {"notFoundEmails": ["c@example.com"]}
    assert (len(read(sandbox)), len(read(sandbox, "bob@example.com"))) == (1, 0)


class Delayed:
    """A sandbox whose clock is set by hand."""

    def __init__(self):
        self.now = 0.0
        self.state = State(Settings(visibility_delay_s=10), clock=lambda: self.now)

    def track(self, **members):
        body = orjson.dumps({"events": [{**ADA, **members}]})
        assert track_bulk_handler(self.state, Call("", {}, {}, body)).status == 200

    def shown(self):
        answer = get_by_email(self.state, Call("", {"email": ADA["email"]}, {}, b""))
        return [event["eventName"] for event in orjson.loads(answer.body)["events"]]


def test_events_show_after_the_delay():
    delayed = Delayed()
    delayed.track()
    early = delayed.shown()
    delayed.now = 10.0

    assert (early, delayed.shown()) == ([], ["signed-up"])


def test_shorter_delay_does_not_let_later_events_overtake():
    delayed = Delayed()
    delayed.track(id="1", eventName="earlier")
    delayed.state.change({"visibility_delay_s": 0})
    delayed.track(id="1", eventName="later")
    delayed.now = 10.0

    assert delayed.shown() == ["later"]
