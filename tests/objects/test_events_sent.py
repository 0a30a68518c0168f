"""Events on their way: what answers of trackBulk mean, and what arrives in the sandbox."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from event_rows import context, frame, mapped, row
from fakes import rejected
from iterable_sync.batching import split
from iterable_sync.client import IterableClient
from iterable_sync.delivery import Deliverer
from iterable_sync.objects.events import OBJECT
from iterable_sync.outcomes import Attribution, Reading, attribute
from iterable_sync.pacing import Pacer
from iterable_sync.rows import BatchResult, Payload, Project, ProjectType, Rejection
from iterable_sync.sandbox.server import SandboxServer

if TYPE_CHECKING:
    from collections.abc import Iterator

EMAIL, USER_ID, HYBRID = ProjectType.EMAIL, ProjectType.USER_ID, ProjectType.HYBRID

# -- answers -------------------------------------------------------------------------------------


def reply(succeeded: int, failed: int, *, names: Any = (), **arrays: list[str]) -> dict[str, Any]:
    return {
        "successCount": succeeded,
        "failCount": failed,
        "invalidEmails": arrays.get("invalidEmails", []),
        "invalidUserIds": arrays.get("invalidUserIds", []),
        "disallowedEventNames": list(names),
        "filteredOutFields": [],
        "createdFields": [],
        "failedUpdates": arrays,
    }


def sent() -> list[Payload]:
    """Events 1 and 3 are of U1, 2 and 4 of U2; 1 and 2 are Bought, 3 and 4 are Seen."""
    rows = [
        row(f"userId:{who}", user_id=who, event_name=name)
        for name in ("Bought", "Seen")
        for who in ("U1", "U2")
    ]
    return mapped(*rows)[0]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param(reply(4, 0), {}, id="all taken"),
        pytest.param(
            reply(2, 2, notFoundUserIds=["U1"]), {1: "not_found", 3: "not_found"}, id="of a person"
        ),
        pytest.param(
            reply(2, 2, forgottenUserIds=["U2", "U2"]),
            {2: "forgotten", 4: "forgotten"},
            id="person named for each event",
        ),
        pytest.param(
            reply(2, 2, invalidUserIds=["U2"]),
            {2: "invalid_user_id", 4: "invalid_user_id"},
            id="invalid in the new and the old array",
        ),
        pytest.param(
            reply(2, 2, names=["Seen"]),
            {3: "disallowed_event_name", 4: "disallowed_event_name"},
            id="of a name",
        ),
        pytest.param(
            reply(1, 3, names=["Seen"], forgottenUserIds=["U1"]),
            {1: "forgotten", 3: "forgotten", 4: "disallowed_event_name"},
            id="of a name and a person",
        ),
        pytest.param(
            {"successCount": 2, "failCount": 2, "invalidUserIds": ["U1"]},
            {1: "invalid_user_id", 3: "invalid_user_id"},
            id="old answer",
        ),
        pytest.param(
            {
                "successCount": 2,
                "failCount": 2,
                "invalidUserIds": ["U1"],
                "disallowedEventNames": [],
            },
            {1: "not_found", 3: "not_found"},
            id="userId in the old array of events alone",
        ),
    ],
)
def test_failure_is_of_all_events_that_it_names(answer: Any, expected: dict[int, str]) -> None:
    assert Attribution(Reading.EXACT, expected) == attribute(sent(), answer)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(reply(3, 1, notFoundUserIds=["U1"]), id="one of a person's two"),
        pytest.param(reply(3, 1, names=["Seen"]), id="one of a name's two"),
        pytest.param(reply(2, 2, names=["Sold"]), id="name that was not sent"),
        pytest.param(reply(2, 2, names=["seen"]), id="name in another case"),
        pytest.param(reply(2, 2, notFoundUserIds=["Seen"]), id="name of an event as a person"),
        pytest.param(reply(2, 2, names=["U1"]), id="person as the name of an event"),
        pytest.param(reply(2, 2), id="nobody named"),
        pytest.param(reply(3, 0), id="one too few"),
    ],
)
def test_answer_that_does_not_add_up_is_ambiguous(answer: Any) -> None:
    assert Attribution(Reading.AMBIGUOUS) == attribute(sent(), answer)


@pytest.mark.parametrize("names", ["Seen", [1], {"Seen": 1}], ids=["text", "number", "object"])
def test_names_that_are_no_names_are_no_answer(names: Any) -> None:
    answer = reply(2, 2) | {"disallowedEventNames": names}

    assert Attribution(Reading.UNREADABLE) == attribute(sent(), answer)


def test_single_event_fails_by_elimination() -> None:
    assert {1: "disallowed_event_name"} == attribute(sent()[:1], reply(0, 1, names=["?"])).failed


# -- against the sandbox -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxServer]:
    with SandboxServer(project_type="email", rate_limits=False) as server:
        yield server


def client_of(sandbox: SandboxServer, project: ProjectType) -> IterableClient:
    return IterableClient(
        sandbox.api_key, Project("1", "us", project), base_url=sandbox.url, sandbox=True
    )


def deliver(
    sandbox: SandboxServer, *rows: dict[str, Any], project: ProjectType = USER_ID, **more: Any
) -> BatchResult:
    """Map and send rows as one batch; U1 and U2 are known where events make nobody."""
    payloads, rejections = OBJECT.payloads(frame(*rows), context(project, **more))
    (batch,) = split(
        payloads,
        rejections,
        seq_lo=1,
        seq_hi=len(rows),
        max_rows=OBJECT.max_rows,
        max_bytes=4_000_000,
        overhead_bytes=len(OBJECT.body([], create_new_fields=False)),
    )
    return Deliverer(client_of(sandbox, project), OBJECT, Pacer(math.inf)).deliver(batch)


def held(sandbox: SandboxServer, project: ProjectType, who: str) -> list[dict[str, Any]]:
    """Give the events that the sandbox holds of somebody, newest first."""
    path = "/api/events/" if "@" in who else "/api/events/byUserId/"
    found: list[dict[str, Any]] = client_of(sandbox, project).get(path + who, {}).json["events"]
    return found


@pytest.mark.capability("B8")
@pytest.mark.parametrize(
    ("project", "identity", "who"),
    [
        pytest.param(EMAIL, "email:a@b.co", "a@b.co", id="email"),
        pytest.param(USER_ID, "userId:U1", "U1", id="userId"),
        pytest.param(HYBRID, "userId:U1", "U1", id="hybrid by userId"),
        pytest.param(HYBRID, "email:a@b.co", "a@b.co", id="hybrid by e-mail"),
    ],
)
def test_event_arrives_with_the_person_time_and_fields(
    sandbox: SandboxServer, project: ProjectType, identity: str, who: str
) -> None:
    sandbox.reset(project_type=project.value)
    if project is EMAIL:
        sandbox.seed({"users": [{"email": who}]})

    result = deliver(
        sandbox,
        row(identity, campaign_id=5, template_id=6, total=Decimal("19.90"), email="other@b.co"),
        row(identity, order_id=2, happened_at="1969-12-31 23:59:59.5+00:00"),
        project=project,
    )

    newest, oldest = held(sandbox, project, who)
    assert ([], [], [], {}) == (
        result.rejections,
        result.in_doubt,
        result.not_applied,
        result.uncreated,
    )
    assert ("Bought", "2024-11-25 13:37:19 +00:00", 5, 6) == tuple(
        newest[name] for name in ("eventName", "createdAt", "campaignId", "templateId")
    )
    assert {"orderId": 1, "line": "a", "total": 19.9} == newest["dataFields"]
    assert "1969-12-31 23:59:59 +00:00" == oldest["createdAt"]


@pytest.mark.failure("H5", "O3")
@pytest.mark.capability("A14")
def test_event_that_is_sent_again_is_the_same_event(sandbox: SandboxServer) -> None:
    sandbox.reset(project_type="userId")

    for score in (1.5, 2.5):
        deliver(sandbox, row(score=score), row(order_id=2, score=score))

    found = held(sandbox, USER_ID, "U1")
    assert [2.5, 2.5] == [event["dataFields"]["score"] for event in found]


@pytest.mark.failure("H16")
def test_batch_with_all_that_can_go_wrong_arrives_but_for_that(sandbox: SandboxServer) -> None:
    """Unknown people, a disallowed name, no name, a bad value: all else arrives at once."""
    sandbox.reset(project_type="email", disallowed_event_names=["Secret"])
    sandbox.seed({"users": [{"email": f"u{n}@b.co"} for n in range(10)]})
    rows = [row(f"email:u{n % 10}@b.co", order_id=n, score=n / 2) for n in range(1, 101)]
    rows[4] |= {"_identity": "email:nobody@b.co"}
    rows[5] |= {"_identity": "email:nobody@b.co", "order_id": 6}
    rows[6] |= {"event_name": "Secret"}
    rows[7] |= {"event_name": None}
    rows[8] |= {"score": math.nan}

    result = deliver(sandbox, *rows, project=EMAIL)

    assert {
        5: "not_found",
        6: "not_found",
        7: "disallowed_event_name",
        8: "missing_event_name",
    } == rejected(result)
    assert [(9, "score", "not_finite")] == [
        (r.seq, r.field, r.reason) for r in result.rejections if r.field
    ]
    assert 1 == result.requests
    assert 96 == sum(len(held(sandbox, EMAIL, f"u{n}@b.co")) for n in range(10))


@pytest.mark.parametrize("costs", ["batch", "item"])
def test_wrong_type_costs_the_field_in_events_of_its_name_alone(
    sandbox: SandboxServer, costs: str
) -> None:
    """Fields of one name have a type per event name, and an answer does not say which it means."""
    sandbox.reset(project_type="userId", type_mismatch=costs)
    deliver(
        sandbox,
        row(event_name="Bought", items='{"v":1}'),
        row(event_name="Seen", order_id=2, items='{"v":"x"}'),
    )

    result = deliver(
        sandbox,
        row(event_name="Seen", order_id=3, items='{"v":"y"}'),
        row(event_name="Bought", order_id=4, items='{"v":"z"}', score=1.0),
        row(event_name="Bought", order_id=5, items='{"v":5}'),
    )

    values = {
        event["dataFields"]["orderId"]: event["dataFields"].get("items")
        for event in held(sandbox, USER_ID, "U1")
    }
    assert [] == result.not_applied
    assert {3: {"v": "y"}, 5: {"v": 5}} == {n: values[n] for n in (3, 5)}
    if costs == "batch":
        assert [Rejection(2, "wrong_type", "items.v")] == result.rejections
        assert values[4] is None
    else:
        # The counts did not meet at first: of one person, one event had failed of three.
        assert ({2: "invalid_data"}, [2]) == (rejected(result), result.in_doubt)
        assert 4 not in values


def test_malformed_row_costs_itself(sandbox: SandboxServer) -> None:
    """One whose number is beyond what Iterable reads refuses all; it is found on the endpoint."""
    sandbox.reset(project_type="userId")
    rows = [row(order_id=n) for n in range(1, 31)]
    payloads, _ = OBJECT.payloads(frame(*rows), context())
    broken = list(payloads)
    broken[17].body = broken[17].body.replace(b'"createdAt":', b'"createdAt":"x","was":')
    (batch,) = split(
        broken, [], seq_lo=1, seq_hi=30, max_rows=1000, max_bytes=4_000_000, overhead_bytes=13
    )

    result = Deliverer(client_of(sandbox, USER_ID), OBJECT, Pacer(math.inf)).deliver(batch)

    assert {18: "malformed"} == rejected(result)
    assert 29 == len(held(sandbox, USER_ID, "U1")[:30])
    assert {"/api/events/trackBulk"} == {
        request["path"] for request in sandbox.requests() if request["method"] == "POST"
    }


@pytest.mark.parametrize(("create", "expected"), [(True, {}), (False, {1: ("orderId", "line")})])
def test_fields_that_may_not_be_created_are_named(
    sandbox: SandboxServer, create: bool, expected: dict[int, tuple[str, ...]]
) -> None:
    sandbox.reset(project_type="userId")

    result = deliver(sandbox, row(), create_new_fields=create)

    assert expected == result.uncreated
    assert (not create) == (held(sandbox, USER_ID, "U1")[0]["dataFields"] == {})


def test_event_above_the_size_of_a_request_is_rejected() -> None:
    payloads, _ = mapped(row(), row(order_id=2, address__city="x" * 5_000))

    (batch,) = split(
        payloads, [], seq_lo=1, seq_hi=2, max_rows=1000, max_bytes=2_000, overhead_bytes=13
    )

    assert [1] == [payload.seq for payload in batch.payloads]
    assert [Rejection(2, "too_large")] == batch.rejections
