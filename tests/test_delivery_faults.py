"""Delivery through the sandbox's faults, over real HTTP; only waiting is on a clock of the test."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING, Any

import pytest

from fakes import Clock, UsersObject, batch, deliverer, rejected, row, rows
from iterable_sync.client import IterableClient
from iterable_sync.errors import ConfigError, PermissionRefused, RetryLater
from iterable_sync.pacing import Pacer
from iterable_sync.rows import Project, ProjectType
from iterable_sync.sandbox.server import SandboxServer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from iterable_sync.delivery import Deliverer

BULK = UsersObject.path


@pytest.fixture(scope="module")
def server() -> Iterator[SandboxServer]:
    with SandboxServer(project_type="email", rate_limits=False) as started:
        yield started


@pytest.fixture
def sandbox(server: SandboxServer) -> SandboxServer:
    server.reset()
    return server


def sender(sandbox: SandboxServer, clock: Clock | None = None, **more: Any) -> Deliverer:
    client = IterableClient(
        sandbox.api_key,
        Project("1", "us", ProjectType.EMAIL),
        base_url=sandbox.url,
        sandbox=True,
        deadline_s=more.pop("deadline_s", 30.0),
    )
    return deliverer(client, clock or Clock(), **more)


def posts(sandbox: SandboxServer, **wanted: Any) -> list[dict[str, Any]]:
    return sandbox.requests(path=BULK, **wanted)


def people(sandbox: SandboxServer) -> set[str]:
    return {user["email"] for user in sandbox.contents()["users"]}


def emails(seqs: Any) -> set[str]:
    return {f"u{seq}@example.com" for seq in seqs}


# -- one row spoils the request ------------------------------------------------------------------


@pytest.mark.failure("H15")
@pytest.mark.parametrize("with_path", [True, False], ids=["named", "not named"])
@pytest.mark.parametrize(
    ("bad", "most", "most_named"), [(1, 20, 2), (10, 180, 11), (30, 400, 31), (100, 900, 101)]
)
def test_poison_rows_are_found_and_the_others_of_a_thousand_arrive(
    sandbox: SandboxServer, *, bad: int, most: int, most_named: int, with_path: bool
) -> None:
    """H15: 1 row, 1 %, 3 %, 10 %."""
    poison = set(random.Random(bad).sample(range(1000), bad))  # noqa: S311
    rule = {"kind": "refuse_batch", "keys": sorted(emails(poison)), "with_path": with_path}
    sandbox.fail(rule)

    result = sender(sandbox).deliver(batch(rows(1000)))

    assert poison == rejected(result).keys()
    assert ([], [], None) == (result.in_doubt, result.not_applied, result.stop)
    assert emails(set(range(1000)) - poison) == people(sandbox)
    assert result.requests - 1 <= (most_named if with_path else most)
    assert len(posts(sandbox)) == result.requests


@pytest.mark.failure("H16")
@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("invalid", "invalid_email"),
        ("invalidData", "invalid_data"),
        ("notFound", "not_found"),
        ("conflict", "conflict"),
        ("forgotten", "forgotten"),
    ],
)
def test_rows_that_are_named_as_failed_are_those_rejected(
    sandbox: SandboxServer, reason: str, expected: str
) -> None:
    """H16: one request, nobody else is concerned."""
    sandbox.fail({"kind": "refuse_rows", "keys": sorted(emails([3, 40])), "reason": reason})

    result = sender(sandbox).deliver(batch(rows(50)))

    assert {3: expected, 40: expected} == rejected(result)
    assert emails(set(range(50)) - {3, 40}) == people(sandbox)
    assert 1 == result.requests


# -- size ----------------------------------------------------------------------------------------


@pytest.mark.failure("H14")
@pytest.mark.parametrize("status", [413, 400])
@pytest.mark.parametrize("most_bytes", [1_000_000, 100_000, 10_000])
def test_a_body_too_large_is_halved_and_the_size_remembered_for_the_run(
    sandbox: SandboxServer, most_bytes: int, status: int
) -> None:
    """H14: from 2 MB down; at most 2 log2 n refusals, and none for the batches that follow."""
    sandbox.fail({"kind": "too_large", "above_bytes": most_bytes, "status": status})
    sending = sender(sandbox)

    first = sending.deliver(batch(rows(1000, bio="x" * 2_000)))
    refused = len(posts(sandbox, fault="too_large"))
    second = sending.deliver(batch(rows(1000, bio="y" * 2_000)))

    assert ([], [], []) == (first.rejections, first.in_doubt, first.not_applied)
    assert ([], [], []) == (second.rejections, second.in_doubt, second.not_applied)
    assert 0 < refused <= 2 * math.log2(1000)
    assert refused == len(posts(sandbox, fault="too_large"))
    assert emails(range(1000)) == people(sandbox)


# -- a 2xx that does not say what became of the rows ---------------------------------------------

NO_SUCCESS = [
    pytest.param({"kind": "status", "status": 204}, id="204"),
    pytest.param({"kind": "bad_json"}, id="broken JSON"),
    pytest.param({"kind": "wrong_shape", "body": []}, id="an array"),
    pytest.param({"kind": "wrong_shape", "body": {}}, id="an empty object"),
    pytest.param({"kind": "wrong_shape", "body": {"code": "Success"}}, id="no counts"),
    pytest.param({"kind": "wrong_shape", "body": "ok"}, id="text"),
    pytest.param(
        {"kind": "wrong_shape", "body": {"successCount": "8", "failCount": 0}}, id="count as text"
    ),
    pytest.param(
        {
            "kind": "wrong_shape",
            "body": {"successCount": 8, "failCount": 0, "failedUpdates": {"invalidEmails": 3}},
        },
        id="failures that are none",
    ),
    pytest.param({"kind": "wrong_counts", "by": 1}, id="one too many"),
    pytest.param({"kind": "gzip_bomb", "megabytes": 20}, id="a bomb"),
    pytest.param({"kind": "truncate"}, id="half of it"),
    pytest.param({"kind": "short_length"}, id="a length that lies"),
    pytest.param({"kind": "error", "status": 502, "html": True, "apply": True}, id="502 after all"),
    pytest.param({"kind": "reset", "at": "handled"}, id="reset once applied"),
    pytest.param({"kind": "reset", "at": "answer"}, id="reset in the answer"),
]


# Of a row alone, and sent again, the sandbox says beside its wrong count that nothing was changed
# by it: that is an acceptance.
ONE_TOO_FEW = pytest.param({"kind": "wrong_counts", "by": -1}, id="one too few")


@pytest.mark.failure("H6", "H7")
@pytest.mark.parametrize("fault", [*NO_SUCCESS, ONE_TOO_FEW])
def test_an_answer_that_settles_nothing_is_asked_again(
    sandbox: SandboxServer, fault: Mapping[str, Any]
) -> None:
    """H5 to H7: once, and the rows are accepted by a later answer."""
    sandbox.fail({**fault, "times": 1})

    result = sender(sandbox).deliver(batch(rows(8)))

    assert result.requests >= 2
    assert ([], [], [], None) == (
        result.rejections,
        result.in_doubt,
        result.not_applied,
        result.stop,
    )
    assert emails(range(8)) == people(sandbox)


@pytest.mark.failure("H6", "H7")
@pytest.mark.parametrize("fault", NO_SUCCESS)
def test_an_answer_that_never_settles_anything_leaves_the_rows_in_doubt(
    sandbox: SandboxServer, fault: Mapping[str, Any]
) -> None:
    """H7: never a silent success, and not *not applied* either: they were."""
    sandbox.fail(fault)

    result = sender(sandbox).deliver(batch(rows(8)))

    assert list(range(8)) == sorted(result.in_doubt)
    assert ([], []) == (result.rejections, result.not_applied)
    assert emails(range(8)) == people(sandbox)


@pytest.mark.failure("H7")
@pytest.mark.parametrize("status", [201, 202])
def test_another_2xx_with_the_true_body_counts_as_it_says(
    sandbox: SandboxServer, status: int
) -> None:
    sandbox.fail({"kind": "status", "status": status})

    result = sender(sandbox).deliver(batch([*rows(3), row(3, email="no-address")]))

    assert ({3: "invalid_email"}, [], 1) == (rejected(result), result.in_doubt, result.requests)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param({"kind": "rate_limit"}, id="429"),
        pytest.param({"kind": "answer", "status": 425}, id="425"),
    ],
)
def test_what_was_refused_before_it_was_looked_at_is_not_in_doubt(
    sandbox: SandboxServer, fault: Mapping[str, Any]
) -> None:
    sandbox.fail(fault)

    result = sender(sandbox).deliver(batch(rows(2)))

    assert ([], [0, 1], set()) == (result.in_doubt, result.not_applied, people(sandbox))


@pytest.mark.failure("H5")
def test_a_timeout_after_which_it_is_applied_is_sent_again_and_not_lost(
    sandbox: SandboxServer,
) -> None:
    """H5: the first answer comes too late; the row is applied twice, to the same."""
    sandbox.fail({"kind": "delay", "delay_s": 1.0, "times": 1})

    result = sender(sandbox, deadline_s=0.3).deliver(batch(rows(2)))

    assert ([], [], 2) == (result.in_doubt, result.not_applied, result.requests)
    assert emails(range(2)) == people(sandbox)


@pytest.mark.failure("H17")
def test_a_connection_that_is_closed_after_every_answer_loses_and_doubles_nothing(
    sandbox: SandboxServer,
) -> None:
    """H17: a batch is sent again only if the client could not know that it had been applied."""
    sandbox.fail({"kind": "close_idle"})
    sending = sender(sandbox)

    results = [sending.deliver(batch([row(seq)])) for seq in range(20)]

    assert not [r for r in results if r.in_doubt or r.not_applied or r.rejections or r.stop]
    assert sum(r.requests for r in results) >= len(posts(sandbox, applied=True)) >= 20
    assert emails(range(20)) == people(sandbox)


@pytest.mark.failure("H12")
@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_stops_the_run_and_names_the_host(sandbox: SandboxServer, status: int) -> None:
    """H12: nothing is sent there, and nothing was applied here."""
    sandbox.fail({"kind": "redirect", "status": status, "location": "https://evil.example/x"})

    result = sender(sandbox).deliver(batch(rows(2)))

    assert isinstance(result.stop, ConfigError)
    assert "evil.example" in str(result.stop)
    assert ([0, 1], 1) == (result.not_applied, result.requests)


@pytest.mark.failure("H13")
@pytest.mark.parametrize(
    ("status", "params", "words"),
    [
        (401, None, "does not know this key"),
        (401, {"apiKeyType": "ServerSide"}, r"type ServerSide\).*lacks the right"),
        (403, None, "may not do this"),
        (403, {"apiKeyType": "Mobile"}, r"type Mobile\).*use a server-side key with write access"),
    ],
)
def test_a_refused_key_stops_at_once_and_says_endpoint_type_and_right(
    sandbox: SandboxServer, status: int, params: dict[str, str] | None, words: str
) -> None:
    """H13."""
    body = {"msg": "secret words", "code": "BadApiKey", "params": params}
    sandbox.fail({"kind": "answer", "status": status, "body": body})
    sending = sender(sandbox)

    results = [sending.deliver(batch(rows(2))) for _ in range(5)]

    assert 1 == len(posts(sandbox))
    for result in results:
        assert isinstance(result.stop, PermissionRefused)
        with pytest.raises(PermissionRefused, match=rf"{BULK}: HTTP {status} BadApiKey.*{words}"):
            raise result.stop
        assert "secret words" not in str(result.stop)


# -- how long is waited --------------------------------------------------------------------------


@pytest.mark.failure("H2")
@pytest.mark.parametrize(
    ("fault", "least", "most"),
    [
        pytest.param({}, 0.0, 0.5, id="no header"),
        pytest.param({"retry_after": 7}, 7.0, 7.0, id="seconds"),
        pytest.param({"retry_after": 30, "as_date": True}, 29.0, 35.0, id="date by its own Date"),
        pytest.param({"retry_after": "-5"}, 0.0, 0.5, id="negative"),
        pytest.param({"retry_after": "abc"}, 0.0, 0.5, id="garbage"),
        pytest.param({"retry_after": 60}, 60.0, 60.0, id="a minute"),
    ],
)
def test_nothing_is_sent_before_the_moment_that_retry_after_names(
    sandbox: SandboxServer, fault: Mapping[str, Any], least: float, most: float
) -> None:
    """H2."""
    sandbox.fail({"kind": "rate_limit", "times": 1, **fault})
    clock = Clock()

    result = sender(sandbox, clock).deliver(batch(rows(2)))

    assert (2, []) == (result.requests, result.not_applied)
    assert least <= clock.now - 1_000 <= most


@pytest.mark.failure("H2")
@pytest.mark.parametrize("as_date", [False, True], ids=["seconds", "date"])
def test_a_day_of_retry_after_gives_the_worker_back(
    sandbox: SandboxServer, *, as_date: bool
) -> None:
    """H2: Airflow waits, not the worker."""
    sandbox.fail({"kind": "rate_limit", "retry_after": 86_400, "as_date": as_date})
    clock = Clock()

    result = sender(sandbox, clock).deliver(batch(rows(2)))

    assert isinstance(result.stop, RetryLater)
    assert result.stop.delay_s == pytest.approx(86_400, abs=5)
    assert (1, [0, 1], 1_000) == (result.requests, result.not_applied, clock.now)


# -- 5xx -----------------------------------------------------------------------------------------


def deliver_all(sandbox: SandboxServer, clock: Clock, wanted: set[int]) -> tuple[set[int], int]:
    """Deliver a row per batch at 4/s until the run is over; give those accepted, and requests."""
    sending = sender(
        sandbox,
        clock,
        pacer=Pacer(4, clock=clock, sleep=clock.sleep),
        rng=random.Random(1),  # noqa: S311
    )
    accepted: set[int] = set()
    requests = 0
    for seq in sorted(wanted):
        result = sending.deliver(batch([row(seq)]))
        requests += result.requests
        if result.stop is not None:
            break
        if not result.in_doubt and not result.not_applied:
            accepted.add(seq)
    return accepted, requests


@pytest.mark.failure("H3")
def test_a_tenth_of_5xx_is_survived_in_little_more_time(sandbox: SandboxServer) -> None:
    """H3: 200 requests at 4/s take 50 s; at most 1.3 times that."""
    sandbox.fail(
        {"kind": "error", "probability": 0.05, "apply": True, "status": 502},
        {"kind": "error", "probability": 0.05, "status": 503, "html": True},
        seed=3,
    )
    clock = Clock()

    accepted, _ = deliver_all(sandbox, clock, set(range(200)))

    assert set(range(200)) == accepted
    assert posts(sandbox, fault="error")
    assert clock.now - 1_000 <= 1.3 * 200 / 4


@pytest.mark.failure("H3")
def test_with_half_of_5xx_the_run_ends_and_what_is_left_is_sent_later(
    sandbox: SandboxServer,
) -> None:
    """H3: no row is taken for accepted that is not."""
    sandbox.fail({"kind": "error", "probability": 0.5}, seed=5)
    accepted, requests = deliver_all(sandbox, Clock(), set(range(200)))

    assert emails(accepted) <= people(sandbox)
    assert requests <= 1.1 * 200

    sandbox.fail()
    rest, _ = deliver_all(sandbox, Clock(), set(range(200)) - accepted)

    assert set(range(200)) == accepted | rest
    assert emails(range(200)) == people(sandbox)


@pytest.mark.failure("H3")
@pytest.mark.parametrize("taken_before", [0, 100])
def test_with_nothing_but_5xx_the_run_ends_within_two_minutes_and_few_requests(
    sandbox: SandboxServer, taken_before: int
) -> None:
    """H3: an outage adds at most a tenth to the requests of a run, from its start or its midst."""
    sandbox.fail({"kind": "error", "between": [taken_before + 1, 10**9]})
    clock = Clock()

    accepted, requests = deliver_all(sandbox, clock, set(range(200)))

    assert set(range(taken_before)) == accepted
    assert clock.now - 1_000 - taken_before / 4 <= 120
    assert requests <= 8 if taken_before == 0 else requests <= 1.1 * (taken_before + 1)
