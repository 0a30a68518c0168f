"""Fields on their way: a wrong type costs the field, a new one is created once, on its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from fakes import (
    Clock,
    MemoryIterable,
    batch,
    deliver,
    deliverer,
    mismatch,
    refused,
    rejected,
    row,
    script,
    seq_of,
    taken,
)
from iterable_sync.client import Answer, NotSent
from iterable_sync.rows import BatchResult, Payload

if TYPE_CHECKING:
    from collections.abc import Callable


# -- wrong types ---------------------------------------------------------------------------------


def at(user: dict[str, Any], field: str) -> Any:
    value: Any = user.get("dataFields", {})
    for name in field.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def typed(field: str, expected: str, is_right: Callable[[Any], bool], *incoming: str) -> Any:
    def rule(users: list[dict[str, Any]], _: bool, __: int) -> Answer:
        values = [at(user, field) for user in users]
        wrong = [v for v in values if v is not None and not is_right(v)]
        return mismatch(field, expected, *incoming) if wrong else taken(len(users))

    return rule


def fields_rejected(result: BatchResult) -> dict[int, tuple[str | None, str]]:
    return {one.seq: (one.field, one.reason) for one in result.rejections}


def test_a_wrong_type_costs_the_field_and_not_the_row() -> None:
    sent = [row(0, age=1), row(1, age="old", city="b"), row(2, age=3), row(3, city="c")]
    rule = typed("age", "long", lambda v: isinstance(v, int), "string", "keyword")

    client, result = deliver(rule, sent)

    assert {1: ("age", "wrong_type")} == fields_rejected(result)
    assert 2 == len(client.requests)
    assert [{"age": 1}, {"city": "b"}, {"age": 3}, {"city": "c"}] == [
        user["dataFields"] for user in client.requests[1]
    ]


def test_rows_that_keep_their_fields_keep_their_bytes() -> None:
    sent = [row(0, age="old", id=2**63 - 1), row(1, age=3, id=9007199254740993)]
    rule = typed("age", "long", lambda v: isinstance(v, int), "string")

    client, _ = deliver(rule, sent)

    assert sent[1].body in client.bodies[1]
    assert str(2**63 - 1).encode() in client.bodies[1]


def test_a_text_that_looks_like_a_date_keeps_a_date_field() -> None:
    sent = [row(0, born="2024-01-01"), row(1, born="soon")]
    rule = typed("born", "date", lambda v: v.startswith("2"), "string", "keyword")

    _, result = deliver(rule, sent)

    assert {1: ("born", "wrong_type")} == fields_rejected(result)


def test_a_text_that_looks_like_a_date_loses_a_text_field() -> None:
    sent = [row(0, note="hello"), row(1, note="2024-01-01")]
    rule = typed("note", "string", lambda v: not v.startswith("2"), "date")

    _, result = deliver(rule, sent)

    assert {1: ("note", "wrong_type")} == fields_rejected(result)


def test_a_nested_field_costs_the_column_that_it_came_from() -> None:
    dotted = Payload(
        0,
        "email:u0@example.com",
        frozenset({"u0@example.com"}),
        b'{"email":"u0@example.com","dataFields":{"address":{"zip":"x","city":"y"}}}',
        ("address.zip", "address.city"),
    )
    whole = row(1, address={"zip": "x", "city": "y"}, plan="a")
    rule = typed("address.zip", "long", lambda v: isinstance(v, int), "string")

    client, result = deliver(rule, [dotted, whole])

    assert {0: ("address.zip", "wrong_type"), 1: ("address", "wrong_type")} == fields_rejected(
        result
    )
    assert [{"address": {"city": "y"}}, {"plan": "a"}] == [
        user["dataFields"] for user in client.requests[1]
    ]


def test_a_value_out_of_range_costs_its_own_row_the_field_only() -> None:
    """The type that came is the one expected: no type tells which row, so they are bisected."""
    sent = [row(seq, score=10**12 if seq == 5 else seq) for seq in range(40)]
    rule = typed("score", "long", lambda v: v < 10**9, "long")

    client, result = deliver(rule, sent)

    assert {5: ("score", "wrong_type")} == fields_rejected(result)
    assert len(client.requests) <= 1 + 2 * 6 + 2


def test_several_fields_are_fitted_in_turn() -> None:
    names = ["a", "b", "c", "d"]
    rules = [typed(name, "long", lambda v: isinstance(v, int), "string") for name in names]
    sent = [row(0, a=1, b="x", c=1, d="y"), row(1, a="x", b=1, c="z", d=1)]

    def rule(users: list[dict[str, Any]], create: bool, number: int) -> Answer:
        answers = [one(users, create, number) for one in rules]
        return next((one for one in answers if one.status == 400), answers[0])

    client, result = deliver(rule, sent)

    assert {(0, "b"), (0, "d"), (1, "a"), (1, "c")} == {
        (one.seq, one.field) for one in result.rejections
    }
    assert 5 == len(client.requests)


def test_more_fields_than_rounds_are_found_by_bisecting() -> None:
    names = [f"f{place}" for place in range(9)]
    rules = [typed(name, "long", lambda v: isinstance(v, int), "string") for name in names]
    sent = [row(0, **dict.fromkeys(names, "x")), row(1, **dict.fromkeys(names, 1)), row(2, f0=1)]

    def rule(users: list[dict[str, Any]], create: bool, number: int) -> Answer:
        answers = [one(users, create, number) for one in rules]
        return next((one for one in answers if one.status == 400), answers[0])

    _, result = deliver(rule, sent)

    assert {(0, name) for name in names} == {(one.seq, one.field) for one in result.rejections}


@pytest.mark.parametrize(
    "lie",
    [
        mismatch("ghost", "long", "string"),
        mismatch("age", "long"),
        refused(400, "RequestFieldsTypesMismatched"),
        refused(400, "RequestFieldsTypesMismatched", {"validationErrors": []}),
    ],
    ids=["no such field", "no types", "no params", "wrong shape"],
)
def test_a_mismatch_that_names_no_field_costs_the_row_alone(lie: Answer) -> None:
    sent = [row(seq, age="old" if seq == 3 else seq) for seq in range(8)]

    def rule(users: list[dict[str, Any]], _: bool, __: int) -> Answer:
        return lie if any(at(user, "age") == "old" for user in users) else taken(len(users))

    _, result = deliver(rule, sent)

    assert {3} == {one.seq for one in result.rejections}
    assert {"wrong_type"} == {one.reason for one in result.rejections}


def test_a_field_of_a_row_that_stays_open_is_not_reported_as_rejected() -> None:
    rule = script(mismatch("age", "long", "string"), *[NotSent("x")] * 6)

    _, result = deliver(rule, [row(0, age="x")])

    assert ([], [0]) == (result.rejections, result.not_applied)


# -- new fields ----------------------------------------------------------------------------------


def creating(
    known: set[str], refuse: Callable[[Any], bool] = lambda _: False, *, lists: bool = True
) -> Any:
    """Answer like Iterable does to fields that it does not know."""

    def rule(users: list[dict[str, Any]], create: bool, _: int) -> Answer:
        failed = [user["email"] for user in users if refuse(user)]
        names = {
            n for u in users if not refuse(u) for n, v in u["dataFields"].items() if v is not None
        }
        unknown = sorted(names - known)
        if create:
            known.update(unknown)
            return taken(len(users), created=unknown if lists else [], invalidEmails=failed)
        return taken(len(users), dropped=unknown, invalidEmails=failed)

    return rule


def test_new_fields_are_created_by_a_small_request_before_all_others() -> None:
    sent = [row(0, plan="2024-01-01"), row(1, city="a"), row(2, plan="gold", city="b"), row(3)]
    client = MemoryIterable(creating({"city"}), fields={"plan": "string"})

    result = deliverer(client).deliver(batch(sent, new_fields=frozenset({"plan"})))

    assert [["u2@example.com"], ["u0@example.com", "u1@example.com", "u3@example.com"]] == (
        client.emails()
    )
    assert [True, False] == client.creating
    assert {} == result.uncreated


def test_a_pilot_that_is_rejected_is_followed_by_another() -> None:
    sent = [row(seq, plan="gold") for seq in range(4)]
    client = MemoryIterable(
        creating(set(), lambda user: seq_of(user) == 0), fields={"plan": "string"}
    )

    result = deliverer(client).deliver(batch(sent, new_fields=frozenset({"plan"})))

    assert [1, 1, 2] == [len(users) for users in client.requests]
    assert ({0: "invalid_email"}, {}) == (rejected(result), result.uncreated)


def test_fields_that_the_project_may_not_create_cost_no_row() -> None:
    def rule(users: list[dict[str, Any]], create: bool, _: int) -> Answer:
        if create:
            return refused(400, "UniqueFieldsLimitExceeded")
        return taken(len(users), dropped=["plan"])

    client, result = deliver(rule, [row(0, plan="a"), row(1)], new_fields=frozenset({"plan"}))

    assert ([], {0: ("plan",)}) == (result.rejections, result.uncreated)
    assert [True, False, False] == client.creating


def test_nobody_waits_for_a_field_that_iterable_said_it_dropped() -> None:
    """It will not be listed, and up to 15 s for each would be lost."""
    clock = Clock()
    rows = [row(0, plan="a"), row(1, plan="b")]

    def rule(users: list[dict[str, Any]], _create: bool, _number: int) -> Answer:
        return taken(len(users), dropped=["plan"])

    started = clock.now
    client = MemoryIterable(rule)
    client.known_fields = dict  # type: ignore[method-assign]
    result = deliverer(client, clock).deliver(batch(rows, new_fields=frozenset({"plan"})))

    assert {0: ("plan",), 1: ("plan",)} == result.uncreated
    assert started == clock.now


@pytest.mark.parametrize(
    ("lists", "asked_at"), [(True, []), (False, [1_000.0, 1_001.0, 1_003.0])], ids=["yes", "no"]
)
def test_no_other_rows_are_sent_before_iterable_lists_the_new_fields(
    lists: bool, asked_at: list[float]
) -> None:
    """Asked only for what the answer did not list as created: getFields takes 3 requests/s."""
    clock = Clock()
    client = MemoryIterable(creating(set(), lists=lists))
    asked: list[float] = []

    def known_fields() -> dict[str, str]:
        asked.append(clock.now)
        return {"plan": "string"} if len(asked) == 3 else {}

    client.known_fields = known_fields  # type: ignore[method-assign]

    deliverer(client, clock).deliver(
        batch([row(0, plan="a"), row(1, plan="b")], new_fields=frozenset({"plan"}))
    )

    assert asked_at == asked
    assert 2 == len(client.requests)


def test_a_new_field_that_no_row_carries_sends_no_pilot() -> None:
    client, _ = deliver(script(), [row(0), row(1, plan=None)], new_fields=frozenset({"plan"}))

    assert [False] == client.creating
