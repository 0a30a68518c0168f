"""
Every recorded exchange with the real Iterable, replayed to the sandbox.

What must be equal: the status and the media type; of errors, and of members whose names stand in
`EXACT`, the values; of all else the shape (the newer API adds members, but takes none away).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from iterable_facts import needs_facts, recordings
from iterable_sync.sandbox.endpoints import Table
from iterable_sync.sandbox.routes import ENDPOINTS

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = needs_facts

PROJECT = {"project_type": "email", "project_id": 2158}

# The path of a whole body.
WHOLE = "(body)"

# Members of an accepted answer whose values are the same too.
EXACT = (
    *("code", "msg", "successCount", "failCount", "email", "userId", "signupSource"),
    *("invalidEmails", "invalidUserIds", "validEmailFailures", "disallowedEventNames", "fields"),
)


class Difference(NamedTuple):
    """Members that differ on purpose, and why."""

    members: tuple[str, ...]
    reason: str


_MODERN = "the form since 2024: one text per member, and the request is not echoed"
_TRACKED = "since about 2024 the answer to a tracked event names its id"
_BOUGHT = "the id of a purchase is generated and returned, says the document of 2026"


def _modern(*members: str) -> Difference:
    return Difference(("msg", *(f"params.{member}" for member in members)), _MODERN)


DELIBERATE: dict[str, Difference] = {
    **dict.fromkeys(("vcr-014", "vcr-015"), _modern("obj.total")),
    **dict.fromkeys(("vcr-043", "vcr-044"), _modern("obj.eventName")),
    **dict.fromkeys(
        ("vcr-046", "vcr-047"), _modern("obj.events[0].eventName", "obj.events[1].eventName")
    ),
    **dict.fromkeys(
        ("vcr-104", "vcr-106", "vcr-108", "vcr-110", "vcr-111", "vcr-112", "vcr-113"),
        _modern("obj.name"),
    ),
    **dict.fromkeys(("vcr-040", "vcr-041", "vcr-042"), Difference(("msg", "params"), _TRACKED)),
    **dict.fromkeys(("vcr-011", "vcr-012", "vcr-013"), Difference(("params",), _BOUGHT)),
    "vcr-200": Difference((WHOLE,), "two clients of today read a code, not the text of 2017"),
}

# Requests that are none of the sandbox's endpoints; it has no such route.
NOT_OFFERED: dict[str, str] = {
    **dict.fromkeys(("vcr-022", "vcr-023", "vcr-024"), "devices are not offered"),
    **dict.fromkeys(("vcr-194", "vcr-195", "vcr-196"), "devices are not offered"),
    **dict.fromkeys(("vcr-204", "vcr-206"), "browser tokens are not offered"),
    **dict.fromkeys(("vcr-049", "vcr-050"), "events of messages are not offered"),
    **dict.fromkeys(("vcr-207", "vcr-208"), "no message is ever sent"),
}


_PERSON = "sample-1507173084@example.com"


def _user(sandbox: Any, email: str, **members: Any) -> dict[str, str]:
    sandbox.bulk({"email": email, **members})
    return {}


def _list(sandbox: Any, recorded: str, *members: str) -> dict[str, str]:
    number = sandbox.post("/api/lists", {"name": "planted"}).json()["listId"]
    if members:
        subscribers = [{"email": email} for email in members]
        sandbox.post("/api/lists/subscribe", {"listId": number, "subscribers": subscribers})
    return {recorded: str(number)}


def _custom_events(sandbox: Any, events: list[dict[str, Any]]) -> dict[str, str]:
    """Track the custom events again; no message is ever sent, so there are no others."""
    for event in events:
        if event["eventType"] == "customEvent":
            _user(sandbox, event["email"])
            same = {name: event[name] for name in ("email", "eventName", "dataFields")}
            assert sandbox.post("/api/events/track", same).status_code == 200
    return {}


def _fields(sandbox: Any, kinds: dict[str, str]) -> dict[str, str]:
    values = {"boolean": True, "long": 1, "string": "a", "date": "2017-10-05"}
    written = {name: values[kind] for name, kind in kinds.items() if not name.endswith("Ids")}
    del written["email"], written["userId"]
    return _user(sandbox, _PERSON, dataFields=written)


# What an exchange presupposes, by its id: a function of the sandbox and the exchange that returns
# what it gave other numbers, recorded -> planted.
_PLANTS: dict[str, Callable[[Any, Any], dict[str, str]]] = {
    "vcr-039": lambda sandbox, exchange: _custom_events(
        sandbox, exchange["response_body"]["events"]
    ),
    **dict.fromkeys(
        ("vcr-040", "vcr-041", "vcr-042", "vcr-045"),
        lambda sandbox, _: _user(sandbox, "user@example.com"),
    ),
    "vcr-103": lambda sandbox, _: _list(sandbox, "58508"),
    "vcr-115": lambda sandbox, _: _list(sandbox, "61933"),
    **dict.fromkeys(
        ("vcr-118", "vcr-119", "vcr-120", "vcr-122", "vcr-123"),
        lambda sandbox, _: _list(sandbox, "58508"),
    ),
    "vcr-121": lambda sandbox, _: _list(sandbox, "58508", "sample@example.com"),
    "vcr-124": lambda sandbox, exchange: _list(
        sandbox, "56545", *exchange["response_body"].splitlines()
    ),
    **dict.fromkeys(
        ("vcr-188", "vcr-191", "vcr-199", "vcr-202", "vcr-213", "vcr-214"),
        lambda sandbox, _: _user(sandbox, _PERSON),
    ),
    **dict.fromkeys(("vcr-193", "vcr-201"), lambda sandbox, _: _user(sandbox, _PERSON, userId="1")),
    "vcr-197": lambda sandbox, exchange: _fields(sandbox, exchange["response_body"]["fields"]),
}


def _renumbered(value: Any, numbers: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: _renumbered(inner, numbers) for name, inner in value.items()}
    if isinstance(value, list):
        return [_renumbered(inner, numbers) for inner in value]
    if isinstance(value, int) and str(value) in numbers:
        return int(numbers[str(value)])
    if isinstance(value, str):
        for recorded, planted in numbers.items():
            value = value.replace(recorded, planted)
    return value


def differences(recorded: Any, answered: Any, *, exact: bool, where: str = "") -> set[str]:
    """Return the members that are missing or other than recorded, by their paths."""
    if isinstance(recorded, dict) and isinstance(answered, dict):
        missing = {f"{where}{name}" for name in recorded.keys() - answered.keys()}
        return missing.union(
            *(
                differences(
                    value,
                    answered[name],
                    exact=exact or name in EXACT,
                    where=f"{where}{name}" if isinstance(value, (str, int)) else f"{where}{name}.",
                )
                for name, value in recorded.items()
                if name in answered
            )
        )
    if exact:
        return set() if recorded == answered else {where.rstrip(".")}
    if isinstance(recorded, list) and isinstance(answered, list):
        alike = [item for item in recorded if isinstance(item, dict)]
        if alike and not answered:
            return {where.rstrip(".")}
        return set().union(*(_nearest(item, alike, where) for item in answered if alike))
    return set() if type(recorded) is type(answered) else {where.rstrip(".")}


def _nearest(item: Any, recorded: list[dict[str, Any]], where: str) -> set[str]:
    """Compare with the recorded items of the same kind of event, or else with all."""
    kind = item.get("eventType")
    return set().union(
        *(
            differences(other, item, exact=False, where=where)
            for other in recorded
            if other.get("eventType") == kind
        )
    )


def _replay(sandbox: Any, exchange: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    sandbox.server.reset(**PROJECT)
    plant = _PLANTS.get(exchange["id"])
    exchange = _renumbered(exchange, plant(sandbox, exchange) if plant else {})
    # Recorded without a body: the recorder wrote {} for none as well.
    body = exchange["request_body"] if exchange["method"] == "POST" else None
    answer = sandbox.http.request(
        exchange["method"],
        sandbox.server.url + exchange["path"],
        json=body,
        headers=sandbox.headers,
        timeout=10,
    )
    return answer, exchange


OFFERED = [exchange for exchange in recordings() if exchange["id"] not in NOT_OFFERED]


@pytest.mark.parametrize("exchange", OFFERED, ids=lambda exchange: exchange["id"])
def test_sandbox_answers_as_recorded(sandbox, exchange):
    """Status, code, counts and shape are as recorded, but for what differs on purpose."""
    answer, exchange = _replay(sandbox, exchange)
    recorded = exchange["response_body"]

    assert exchange["status"] == answer.status_code, answer.text
    if isinstance(recorded, dict):
        expected = DELIBERATE.get(exchange["id"], Difference((), "")).members
        failed = answer.status_code >= 400
        assert answer.headers["Content-Type"].startswith("application/json")
        assert set(expected) == differences(recorded, answer.json(), exact=failed)
    elif exchange["id"] in DELIBERATE:
        assert recorded != answer.text
        assert answer.json()["msg"] == recorded
    elif recorded.startswith("<!doctype"):
        assert answer.headers["Content-Type"].startswith("text/html")
        assert answer.text.startswith("<!doctype html>")
    else:
        assert answer.headers["Content-Type"].startswith("text/plain")
        assert recorded == answer.text


@pytest.mark.parametrize(
    "exchange",
    [exchange for exchange in recordings() if exchange["id"] in NOT_OFFERED],
    ids=lambda exchange: exchange["id"],
)
def test_recorded_request_that_is_not_offered_has_no_route(sandbox, exchange):
    answer, _ = _replay(sandbox, exchange)

    assert answer.status_code == 404
    assert answer.headers["Content-Type"].startswith("text/html")


@pytest.mark.parametrize(
    ("recorded", "answered", "exact", "expected"),
    [
        pytest.param({"a": 1}, {"a": 2, "new": 3}, False, set(), id="another value and a new one"),
        pytest.param({"a": 1}, {"a": "1"}, False, {"a"}, id="another type"),
        pytest.param({"a": {"b": 1}}, {"a": {}}, False, {"a.b"}, id="a member is missing"),
        pytest.param({"a": None}, {"a": {}}, False, {"a"}, id="something for null"),
        pytest.param({"failCount": 1}, {"failCount": 0}, False, {"failCount"}, id="a count"),
        pytest.param({"a": 1}, {"a": 2}, True, {"a"}, id="another value in an error"),
        pytest.param({"a": [{"b": 1}]}, {"a": []}, False, {"a"}, id="an empty array"),
        pytest.param({"a": [{"b": 1}]}, {"a": [{}]}, False, {"a.b"}, id="an item without a member"),
    ],
)
def test_comparison_names_what_differs(recorded, answered, exact, expected):
    assert differences(recorded, answered, exact=exact) == expected


def test_no_exception_is_stale():
    """Each exception, plant and reason belongs to an exchange that exists and concerns us."""
    known = {exchange["id"] for exchange in recordings()}
    table = Table(ENDPOINTS)
    offered = {
        exchange["id"]
        for exchange in recordings()
        if table.find(exchange["method"], exchange["path"].partition("?")[0])
    }

    assert NOT_OFFERED.keys() <= known
    assert NOT_OFFERED.keys() & offered == set()
    assert DELIBERATE.keys() | _PLANTS.keys() <= known - NOT_OFFERED.keys()
