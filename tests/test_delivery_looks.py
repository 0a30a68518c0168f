"""Requests of one row: by method and path, refused with a reason, and looked at before each one."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from fakes import PROJECT, Always, Clock, answer, batch, refused, rejected, row
from iterable_sync.client import AttemptFailed, NotSent, OutcomeUnknown
from iterable_sync.delivery import Deliverer
from iterable_sync.errors import ConfigError, RetryLater
from iterable_sync.outcomes import spread
from iterable_sync.pacing import Pacer
from iterable_sync.payloads import FieldNames, PayloadBlock
from iterable_sync.rows import Batch, BatchResult, Look, Target
from iterable_sync.sync_object import SyncObject

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from iterable_sync.client import Answer
    from iterable_sync.rows import Payload

DELETE = Target("/api/users/u0%40example.com", method="DELETE", shown="/api/users/{email}")
RENAME = Target("/api/users/updateEmail")
MERGE = Target("/api/users/merge")
DONE = answer(200, {"code": "Success"})
UNKNOWN = OutcomeUnknown("x")


class OneRow(SyncObject):
    """A sync object whose requests are one row each, as far as delivery looks at it."""

    name = "requests"
    path = "/api/users/requests"
    array = ""
    answers = "request"
    max_rows = 1
    refusals = {"EmailAlreadyExists": "target_exists", "NoUser": "not_found"}  # noqa: RUF012

    def __init__(self, *looks: Look | Exception) -> None:
        self.looks = list(looks)
        self.looked_at: list[tuple[int, Target | None]] = []
        if looks:
            self.look = self._look

    def _look(self, client: Any, payload: Payload, target: Target | None) -> Look:
        self.looked_at.append((payload.seq, target))
        client.log.append("look")
        found = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        if isinstance(found, Exception):
            raise found
        return found

    def body(
        self, rows: Sequence[bytes], *, create_new_fields: bool, target: Target | None = None
    ) -> bytes:
        return b"" if target is not None and target.method == "DELETE" else b"".join(rows)


@dataclass
class Line:
    """A client that answers in turn and notes what was sent; ``Success`` after the last one."""

    outcomes: list[Any]
    log: list[Any] = field(default_factory=list)
    project: Any = PROJECT

    def send(self, method: str, path: str, body: bytes) -> Answer:
        self.log.append((method, path, body))
        outcome = self.outcomes.pop(0) if self.outcomes else DONE
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    @property
    def sent(self) -> list[tuple[str, str, bytes]]:
        return [entry for entry in self.log if entry != "look"]


def sender_of(
    client: Line, one_row: OneRow, rate: float = math.inf, *, clock: Clock, **more: Any
) -> Deliverer:
    pacer = Pacer(rate, clock=clock, sleep=clock.sleep)
    return Deliverer(client, one_row, pacer, clock=clock, sleep=clock.sleep, **more)  # type: ignore[arg-type]


def deliver(
    *outcomes: Any,
    target: Target | None = RENAME,
    looks: Sequence[Look | Exception] = (),
    **more: Any,
) -> tuple[Line, BatchResult]:
    """Deliver one row; *outcomes* are of the requests, *looks* of the looks."""
    client, clock = Line(list(outcomes)), more.pop("clock", None) or Clock()
    sender = sender_of(client, OneRow(*looks), clock=clock, rng=Always(0.5), **more)
    return client, sender.deliver(batch([row(0)], target=target))


def settled(result: BatchResult) -> str:
    """Say what became of the one row."""
    if result.in_doubt and not result.rejections:
        return "in doubt"
    if result.not_applied:
        return "not applied"
    return rejected(result).get(0, "accepted")


# -- method, path and answers --------------------------------------------------------------------


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_target_says_by_which_method(method: str) -> None:
    """And what has nothing to say has no body."""
    client, result = deliver(target=Target("/api/a/b", method=method))

    assert [(method, "/api/a/b", b"" if method == "DELETE" else row(0).body)] == client.log
    assert settled(result) == "accepted"


@pytest.mark.parametrize("status", [200, 201, 202])
@pytest.mark.parametrize("code", ["Success", "Accepted"])
def test_an_acceptance_of_any_kind_is_one(status: int, code: str) -> None:
    """A 202 says that Iterable will do it, which is all that it says."""
    _, result = deliver(answer(status, {"code": code}))

    assert (settled(result), result.requests) == ("accepted", 1)


@pytest.mark.parametrize(
    ("refusal", "harmless", "outcome"),
    [
        pytest.param(refused(400, "EmailAlreadyExists"), (), "target_exists", id="of the object"),
        pytest.param(refused(409, "ForgottenUserError"), (), "forgotten", id="of all objects"),
        pytest.param(refused(400, "Whatever"), (), "refused", id="unknown"),
        pytest.param(refused(400, "NoUser"), ("not_found",), "accepted", id="no failure there"),
        pytest.param(refused(404, "NoUser"), (), "not_found", id="404 of the row"),
        pytest.param(refused(404, "NoUser"), ("not_found",), "accepted", id="404, no failure"),
    ],
)
def test_a_refusal_rejects_the_row_for_the_reason_that_the_object_gives_it(
    refusal: Answer, harmless: tuple[str, ...], outcome: str
) -> None:
    _, result = deliver(refusal, target=Target("/api/a/b", harmless=frozenset(harmless)))

    assert (settled(result), result.stop) == (outcome, None)


def test_a_404_stops_the_run_with_the_words_of_the_target() -> None:
    """Whether a feature is switched on, somebody else decides."""
    _, result = deliver(refused(404, "NotFound"), target=Target("/api/a/b", absent="ask support"))

    assert isinstance(result.stop, ConfigError)
    assert str(result.stop) == "/api/a/b: HTTP 404 NotFound: ask support"
    assert settled(result) == "not applied"


@pytest.mark.parametrize(
    "outcomes",
    [
        pytest.param([refused(404, "NotFound")], id="stop"),
        pytest.param([refused(401, "BadApiKey")], id="permission"),
        pytest.param([refused(429, "x", retry_after_s=9_000.0)], id="long wait"),
        pytest.param([refused(429, "x")] * 6, id="exhausted"),
        pytest.param([answer(500)] * 6, id="breaker"),
        pytest.param([refused(400, "x")], id="refusal"),
        pytest.param([answer(200, {})] * 6, id="unreadable"),
    ],
)
def test_a_path_that_names_a_person_is_never_shown(
    outcomes: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Neither by the log nor by the reason why a run stopped."""
    caplog.set_level(logging.DEBUG)

    class Refusing(Line):
        def permission_refused(self, _answer: Answer, path: str) -> Exception:
            return ConfigError(path)

    client, clock = Refusing(list(outcomes)), Clock()
    sender = sender_of(client, OneRow(), math.inf, clock=clock)
    result = sender.deliver(batch([row(0)], target=DELETE))

    shown = caplog.text + str(result.stop)
    assert "u0" not in shown
    assert "/api/users/{email}" in shown or "failures in a row" in shown


def test_an_endpoint_with_a_pace_of_its_own_waits_for_itself_alone() -> None:
    """Deleting goes on while forgetting waits, and a 429 of one is none of the other."""
    clock, client = Clock(), Line([])
    sender = sender_of(client, OneRow(), 100, clock=clock)
    slow = Target("/api/slow/a", shown="/api/slow/{id}", requests_per_s=0.5)
    other = Target("/api/slow/b", shown="/api/slow/{id}", requests_per_s=0.5)
    at = []
    for target in (slow, Target("/api/fast"), other, slow, Target("/api/fast")):
        sender.deliver(batch([row(0)], target=target))
        at.append(clock.now - 1_000)

    assert at == pytest.approx([0.0, 0.0, 2.0, 4.0, 4.0])


def test_no_pace_is_above_that_of_the_sync() -> None:
    """Who slows a sync down slows down all of its endpoints; who turns pacing off does so too."""
    assert Pacer(1).beside(5, "b").requests_per_s == 1
    assert Pacer(math.inf).beside(5, "b").requests_per_s == math.inf


# -- looks ---------------------------------------------------------------------------------------

SEND = Look("send")


def test_a_look_comes_before_every_attempt() -> None:
    """The first one as well: who is done already is not asked for again."""
    client, result = deliver(NotSent("x"), answer(500), looks=[SEND])

    assert [entry if entry == "look" else "send" for entry in client.log] == ["look", "send"] * 3
    assert (settled(result), result.requests) == ("accepted", 3)


@pytest.mark.failure("H5")
def test_a_lost_answer_is_resolved_by_a_look_and_not_by_a_second_call() -> None:
    """It was applied; to send it again would be refused, or do it to somebody else."""
    client, result = deliver(UNKNOWN, looks=[SEND, Look("done")])

    assert (settled(result), len(client.sent), result.looked) == ("accepted", 1, {})


@pytest.mark.parametrize("before", [[], [UNKNOWN]])
def test_a_look_that_rejects_sends_nothing(before: list[Any]) -> None:
    """What an earlier attempt did to the row stays unknown."""
    looks = [SEND] * len(before) + [Look("reject", "target_exists")]
    client, result = deliver(*before, looks=looks)

    assert (settled(result), len(client.sent)) == ("target_exists", len(before))
    assert result.in_doubt == [0] * len(before)


def test_another_request_goes_in_its_place() -> None:
    """With its own path and body; that it was another one is kept."""
    look = Look("other", "merged", b'{"source":1}', MERGE)
    client, result = deliver(looks=[look])

    assert client.sent == [("POST", MERGE.path, b'{"source":1}')]
    assert (settled(result), result.looked) == ("accepted", {0: "merged"})


def test_another_request_that_is_refused_rejects_the_row() -> None:
    """And is no other way by which the row was accepted."""
    look = Look("other", "merged", b"{}", MERGE)
    _, result = deliver(refused(400, "EmailAlreadyExists"), looks=[look])

    assert (settled(result), result.looked) == ("target_exists", {})


def test_why_nothing_was_sent_is_known_of_all_rows_of_the_payload() -> None:
    """A chain of changes is one request, and each of its rows has the outcome."""
    import numpy as np
    import pyarrow as pa

    text = pa.array(["x,"], pa.large_string())
    block = PayloadBlock(
        np.array([1]), text, [], text, FieldNames(1), members={1: ((1, ""), (2, ""))}
    )
    result = BatchResult(Batch(1, 1, 2, block), looked={1: "nobody"})

    spread(result)

    assert result.looked == {1: "nobody", 2: "nobody"}


def test_a_look_that_fails_is_had_again() -> None:
    """A read changes nothing, so it is repeated until it is answered."""
    client, result = deliver(looks=[NotSent("x"), OutcomeUnknown("x"), SEND])

    assert (client.log.count("look"), len(client.sent), settled(result)) == (3, 1, "accepted")


@pytest.mark.parametrize(
    ("failure", "stop"),
    [
        pytest.param(OutcomeUnknown("x"), type(None), id="no answer"),
        pytest.param(AttemptFailed("x", 30.0), RetryLater, id="told to wait"),
        pytest.param(ConfigError("x"), ConfigError, id="not allowed"),
    ],
)
def test_without_a_look_nothing_is_sent(failure: Exception, stop: type) -> None:
    """The row stays pending; who was told to wait, or may not look, asks for no other row."""
    client, result = deliver(looks=[failure])

    assert (client.sent, settled(result)) == ([], "not applied")
    assert isinstance(result.stop, stop)


def test_a_look_that_is_not_to_be_had_leaves_what_was_sent_in_doubt() -> None:
    """It may have been applied, and nobody knows."""
    _, result = deliver(UNKNOWN, looks=[SEND, OutcomeUnknown("x")])

    assert settled(result) == "in doubt"


def test_an_iterable_that_is_down_is_not_looked_at_by_everybody() -> None:
    """Five failures in a row open the circuit for looks and requests together."""
    clock, client = Clock(), Line([])
    sender = sender_of(client, OneRow(OutcomeUnknown("x")), math.inf, clock=clock)
    results = [sender.deliver(batch([row(n)], target=RENAME)) for n in range(50)]

    assert isinstance(results[-1].stop, RetryLater)
    assert client.log.count("look") < 15


def test_looks_have_a_pace_of_their_own() -> None:
    """They are counted elsewhere than the requests."""
    clock = Clock()
    one_row = OneRow(Look("done"))
    one_row.look_per_s = 2.0
    sender = sender_of(Line([]), one_row, 100, clock=clock)
    for n in range(5):
        sender.deliver(batch([row(n)], target=RENAME))

    assert clock.now - 1_000 == pytest.approx(2.0)


def test_a_stop_ends_the_wait_for_a_look() -> None:
    """And what was not looked at is not sent."""
    clock = Clock()
    stop: Callable[[], bool] = lambda: clock.now > 1_001  # noqa: E731
    client, result = deliver(looks=[AttemptFailed("x", 50.0)], clock=clock, should_stop=stop)

    assert (client.sent, settled(result), result.stop) == ([], "not applied", None)
    assert clock.now < 1_002
