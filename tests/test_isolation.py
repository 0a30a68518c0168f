"""Which row is the reason, found with few requests; and the size that Iterable takes."""

from __future__ import annotations

import json
import math
import random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes import (
    MemoryIterable,
    answer,
    batch,
    deliver,
    deliverer,
    refused,
    rejected,
    row,
    rows,
    seq_of,
    taken,
)
from iterable_sync.client import Answer, NotSent, OutcomeUnknown
from iterable_sync.payloads import PayloadBlock, as_block

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from iterable_sync.rows import Payload

# -- the whole batch -----------------------------------------------------------------------------


class Unseen(PayloadBlock):
    """Rows that nobody may look at."""

    def __init__(self, rows: PayloadBlock) -> None:
        self.__dict__ |= rows.__dict__

    def __iter__(self) -> Iterator[Payload]:
        raise AssertionError("a row was looked at")


def test_rows_that_are_all_taken_are_not_looked_at() -> None:
    """What nearly every batch comes to costs nothing per row."""
    sent = batch(rows(3, x=1))
    sent.payloads = Unseen(as_block(sent.payloads))
    client = MemoryIterable(lambda users, _, __: taken(len(users)))

    result = deliverer(client).deliver(sent)

    assert [["u0@example.com", "u1@example.com", "u2@example.com"]] == client.emails()
    assert ([], [], []) == (result.rejections, result.in_doubt, result.not_applied)


# -- isolation -----------------------------------------------------------------------------------


def poison(bad: Iterable[int], paths: str = "none", limit: int = 99) -> Callable[..., Any]:
    """
    Refuse a request whole if it holds a bad row.

    Args:
        paths: ``right`` names the bad rows, ``wrong`` their neighbours, ``none`` nobody.

        limit: how many it names.
    """
    bad = set(bad)

    def rule(users: list[dict[str, Any]], _: bool, __: int) -> Answer:
        places = [place for place, user in enumerate(users) if seq_of(user) in bad]
        if not places:
            return taken(len(users))
        shift = {"right": 0, "wrong": 1}.get(paths)
        named = [] if shift is None else [(place + shift) % len(users) for place in places][:limit]
        return refused(
            400,
            "BadJsonBody",
            {f"obj.users[{place}].dataFields.x": "Number value expected" for place in named},
        )

    return rule


@pytest.mark.failure("H15")
@pytest.mark.capability("B4")
@pytest.mark.parametrize("paths", ["none", "right", "wrong"])
def test_one_poison_row_in_a_thousand_costs_at_most_20_extra_calls(paths: str) -> None:
    """H15, at each place of the batch."""
    worst = 0
    sent = rows(1000)
    for place in [*range(0, 1000, 37), 999]:
        client, result = deliver(poison([place], paths), sent)
        worst = max(worst, len(client.requests) - 1)

        assert {place: "malformed"} == rejected(result)
        assert ([], [], None) == (result.in_doubt, result.not_applied, result.stop)

    assert worst <= (2 if paths == "right" else 20)


@pytest.mark.parametrize(
    ("share", "paths", "most"),
    [
        pytest.param(0.01, "none", 180, id="1 %"),
        pytest.param(0.03, "none", 400, id="3 %"),
        pytest.param(0.10, "none", 900, id="10 %"),
        pytest.param(0.10, "right", 101, id="10 %, named"),
    ],
)
def test_many_poison_rows_are_all_found(share: float, paths: str, most: int) -> None:
    bad = set(random.Random(1).sample(range(1000), int(1000 * share)))  # noqa: S311

    client, result = deliver(poison(bad, paths, 1000), rows(1000))

    assert bad == rejected(result).keys()
    assert len(client.requests) - 1 <= most


def test_a_batch_of_poison_alone_is_rejected_row_by_row() -> None:
    client, result = deliver(poison(range(50)), rows(50))

    assert set(range(50)) == rejected(result).keys()
    assert len(client.requests) <= 2 * 50


@pytest.mark.failure("H15")
@given(
    count=st.integers(1, 80),
    data=st.data(),
    paths=st.sampled_from(["none", "right", "wrong"]),
    limit=st.integers(1, 3),
)
@settings(deadline=None)
def test_exactly_the_poison_rows_are_rejected(
    count: int, data: st.DataObject, paths: str, limit: int
) -> None:
    bad = data.draw(st.sets(st.integers(0, count - 1), max_size=min(count, 8)))

    client, result = deliver(poison(bad, paths, limit), rows(count))

    delivered = {
        seq_of(user)
        for users in client.requests
        for user in users
        if not bad & {seq_of(other) for other in users}
    }
    assert bad == rejected(result).keys()
    assert set(range(count)) - bad == delivered
    assert ([], []) == (result.in_doubt, result.not_applied)
    assert len(client.requests) <= 1 + len(bad) * (2 * math.ceil(math.log2(count + 1)) + 2)


@given(
    count=st.integers(1, 40),
    bad=st.sets(st.integers(0, 39), max_size=4),
    faults=st.lists(st.integers(0, 6), max_size=30),
)
@settings(deadline=None)
def test_each_row_has_one_outcome_whatever_happens(
    count: int, bad: set[int], faults: list[int]
) -> None:
    """No row is accepted that was not read as accepted, and none is in two places."""
    accepted: set[int] = set()
    applied: set[int] = set()
    refuse = poison(bad)

    def rule(users: list[dict[str, Any]], create: bool, number: int) -> Any:
        fault = faults[number] if number < len(faults) else 0
        reply = refuse(users, create, number)
        seqs = {seq_of(user) for user in users}
        if fault == 1:
            return NotSent("x")
        if fault in {2, 3} and reply.status == 200:
            applied.update(seqs)
            return OutcomeUnknown("x") if fault == 2 else answer(502)
        if fault == 4:
            return refused(429, "RateLimitExceeded")
        if fault == 5:
            return refused(401, "BadApiKey")
        if fault == 6 and reply.status == 200 and len(users) > 1:
            applied.update(seqs)
            return taken(len(users), conflictEmails=["nobody@known.com"])
        if reply.status == 200:
            applied.update(seqs)
            accepted.update(seqs)
        return reply

    _, result = deliver(rule, rows(count))

    no = set(rejected(result)) | set(result.in_doubt) | set(result.not_applied)
    assert len(no) == len(rejected(result)) + len(result.in_doubt) + len(result.not_applied)
    assert set(range(count)) - no == accepted
    assert not set(result.not_applied) & applied
    assert not set(rejected(result)) - bad


# -- size ----------------------------------------------------------------------------------------


@pytest.mark.failure("H14")
@pytest.mark.parametrize("most", [60_000, 20_000, 4_000])
@pytest.mark.parametrize("too_large", [answer(413), refused(400, "BatchTooLarge")])
def test_a_body_that_is_too_large_is_halved_until_it_fits(too_large: Answer, most: int) -> None:
    """H14: at most 2 log2 n requests more than needed."""
    sent = rows(1000, bio="x" * 50)

    def size_of(users: list[dict[str, Any]]) -> int:
        return len(json.dumps({"users": users}))

    client, result = deliver(
        lambda users, *_: taken(len(users)) if size_of(users) <= most else too_large, sent
    )

    fitting = [users for users in client.requests if size_of(users) <= most]
    assert [] == result.rejections + result.in_doubt + result.not_applied
    assert len(client.requests) - len(fitting) <= 10
    assert list(range(1000)) == sorted(seq_of(user) for users in fitting for user in users)


@pytest.mark.failure("H14")
def test_the_size_is_learned_for_the_run() -> None:
    client = MemoryIterable(
        lambda users, *_: taken(len(users)) if len(users) <= 300 else answer(413)
    )
    sender = deliverer(client)
    sender.deliver(batch(rows(1000)))
    before = len(client.requests)

    sender.deliver(batch(rows(1000)))

    assert max(len(users) for users in client.requests[before:]) <= 300


def test_a_row_that_alone_is_too_large_is_rejected_and_teaches_nothing() -> None:
    sent = [row(0, bio="x" * 1000), *rows(40)[1:]]
    client = MemoryIterable(
        lambda users, *_: (
            answer(413) if any(len(str(user)) > 900 for user in users) else taken(len(users))
        )
    )
    sender = deliverer(client)

    alone = sender.deliver(batch(sent[:1]))
    sender.deliver(batch(sent[1:]))

    assert {0: "too_large"} == rejected(alone)
    assert 39 == len(client.requests[-1])
