"""What a plan says about each key: operation, route and fields, by value."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

from harness import people
from iterable_sync.rows import NullPolicy, Op
from iterable_sync.spec import FieldSpec
from iterable_sync.state import SyncState

if TYPE_CHECKING:
    from harness import World

COLUMNS = {
    "user_id": "text",
    "email": "text",
    "city": "text",
    "points": "bigint",
    "score": "double precision",
    "is_vip": "boolean",
}
VALUES: dict[str, list[Any]] = {
    "city": [None, "", " ", "a", "A", "a ", "é", "e\u0301", "0", "~", "1:a"],
    "points": [None, 0, 1, -1, 9007199254740993, 9007199254740992],
    "score": [None, 0.0, 0.1, 1e300],
    "is_vip": [None, True, False],
}


def plan_of(world: World, **changes: Any) -> dict[str, tuple[str, str, set[str]]]:
    """Give the plan, undone afterwards: key -> (op, route, fields to send)."""
    state = SyncState(
        world.state, world.source, world.spec(**changes), world.connect().project, "profiles"
    )
    state.begin()
    try:
        _, plan = state.plan()
        with world.state.session() as session:
            rows = session.rows(f"SELECT _key, _op, _route, _mask FROM {plan.table}")
            seqs = session.rows(f"SELECT _seq FROM {plan.table} ORDER BY 1")
    finally:
        state.lease.release()
    assert [(n + 1,) for n in range(len(rows))] == seqs
    names = {column.position: column.name for column in state.columns}
    return {
        key: (op, route, {names[i] for i, bit in enumerate(mask) if bit == "1"})
        for key, op, route, mask in rows
    }


def everything(world: World) -> set[str]:
    return set(world.columns)


@pytest.mark.capability("A9")
def test_each_kind_of_change_is_told_from_the_others(world: World) -> None:
    world.put(*people(1, 2, 3, 4))
    world.sync()
    world.put(
        *people(1, 5),
        ("u2", "u2@example.com", "Genf", 1),
        ("u3", "moved@example.com", "Bern", 1),
        ("u6", None, "Bern", 1),
    )

    whole = everything(world)
    assert {
        "u2": (Op.CHANGED, "send", {"city"}),
        "u3": (Op.IDENTITY_CHANGED, "held:identity_changed", whole),
        "u4": (Op.REMOVED, "ignore", whole),
        "u5": (Op.ADDED, "send", whole),
        "u6": (Op.ADDED, "reject:missing_identifier", whole),
    } == plan_of(world)


@pytest.mark.failure("D14")
def test_random_values_are_compared_exactly_and_null_safe(world: World) -> None:
    """The expectation is Python's own comparison, type included."""
    seed = random.randrange(10**6)  # noqa: S311 - test data
    rng = random.Random(seed)  # noqa: S311 - test data

    def row(n: int) -> tuple[Any, ...]:
        return (f"u{n}", f"u{n}@example.com", *(rng.choice(VALUES[name]) for name in VALUES))

    before = {f"u{n}": row(n) for n in range(150)}
    world.put(*before.values(), columns=COLUMNS)
    world.sync()
    after = {f"u{n}": row(n) if rng.random() < 0.8 else before[f"u{n}"] for n in range(150)}
    world.put(*after.values())

    expected = {}
    for key, new in after.items():
        fields = {
            name
            for name, a, b in zip(COLUMNS, before[key], new, strict=True)
            if (a is None, a) != (b is None, b)
        }
        if fields:
            expected[key] = (Op.CHANGED, "send", fields)
    assert expected == plan_of(world), f"seed {seed}"


def test_a_key_that_is_gone_and_still_absent_is_no_news(world: World) -> None:
    world.put(*people(1, 2))
    world.sync()
    world.put(*people(1))
    world.sync()

    assert {} == plan_of(world)


@pytest.mark.parametrize(
    ("dirty", "fields"),
    [
        pytest.param("0010", {"city"}, id="a field"),
        pytest.param("0011", {"city", "points"}, id="two fields"),
        pytest.param("*", {"user_id", "email", "city", "points"}, id="everything"),
    ],
)
def test_fields_in_doubt_are_sent_whatever_the_values_say(
    postgres_world: World, dirty: str, fields: set[str]
) -> None:
    world = postgres_world
    world.put(*people(1, 2))
    world.sync()
    table = world.rows("SELECT snapshot_table FROM {syncs}")[0][0]
    world.write(f"UPDATE {{{table}}} SET _dirty = '{dirty}' WHERE user_id = 'u1'")

    assert {"u1": (Op.CHANGED, "send", fields)} == plan_of(world)


def test_a_kept_null_is_no_change_and_a_skipped_one_waits(world: World) -> None:
    world.put(*people(1, 2, 3))
    world.sync()
    world.put(
        ("u1", "u1@example.com", None, 1),
        ("u2", "u2@example.com", None, 2),
        ("u3", "u3@example.com", "Genf", None),
    )

    plan = plan_of(
        world,
        fields={
            "city": FieldSpec(null=NullPolicy.KEEP),
            "points": FieldSpec(null=NullPolicy.SKIP),
        },
    )

    sent = {key: entry for key, entry in plan.items() if entry[1] != "unchanged"}
    assert {
        "u2": (Op.CHANGED, "send", {"points"}),
        "u3": (Op.CHANGED, "skipped", {"city", "points"}),
    } == sent


@pytest.mark.failure("D14")
def test_keys_that_look_alike_as_text_stay_apart(world: World) -> None:
    columns = {"a": "text", "b": "text", "email": "text", "city": "text"}
    pairs = [("x", "y,z"), ("x,y", "z"), ('x"', "y"), ("x", '"y'), ("", "x"), ("x", "")]
    rows = [(a, b, f"u{n}@example.com", "Bern") for n, (a, b) in enumerate(pairs)]
    world.put(*rows, columns=columns)
    world.sync(key=("a", "b"))
    world.put(*((a, b, email, "Genf") for a, b, email, _ in rows[:3]), *rows[3:])

    plan = plan_of(world, key=("a", "b"))

    assert 3 == len(plan)
    assert {(Op.CHANGED, "send", frozenset({"city"}))} == {
        (op, route, frozenset(fields)) for op, route, fields in plan.values()
    }


def test_the_field_that_makes_all_the_changes_is_named(postgres_world: World) -> None:
    """A load time in the model sends everybody every day."""
    world = postgres_world
    world.put(*people(*range(150)))
    world.sync()
    world.put(*people(0, 1, city="Genf", points=2), *people(*range(2, 150), points=2))

    report = world.sync(guards={"max_changed": 1.0})

    assert any("'points' changed in 100% of the changed rows" in note for note in report.notes)
