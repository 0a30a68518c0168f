"""Memberships as fields of people: what is said of whom, and what comes of each membership."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import pytest

from audience_world import fields, put, sent, spec, sync, with_members
from harness import BULK
from iterable_facts import needs_facts, swagger
from iterable_swagger import Swagger
from iterable_sync.batching import split
from iterable_sync.errors import ConfigError
from iterable_sync.naming import snake_case
from iterable_sync.objects.audiences import OBJECT
from iterable_sync.rows import ProjectType, Rejection, RunEnd
from membership_rows import bodies, mapped, row

if TYPE_CHECKING:
    from harness import World

ORDERED = "Order Completed Last 30days"


def said(block: Any) -> dict[str, dict[str, Any]]:
    """Give who is told what: e-mail or userId -> fields."""
    return {body.get("email") or body["userId"]: body["dataFields"] for body in bodies(block)}


# -- one row, one field -------------------------------------------------------------------------


@pytest.mark.capability("C17")
def test_field_has_the_name_of_the_audience_in_snake_case() -> None:
    """Capability C17, with the vector of its source."""
    block, rejections = mapped(OBJECT, row("a", ORDERED))

    assert {"a": {"order_completed_last_30days": True}} == said(block)
    assert [] == rejections


def test_all_memberships_of_a_person_are_one_entry() -> None:
    block, _ = mapped(
        OBJECT,
        row("a", "Old", "removed"),
        row("a", "VIP"),
        row("b", "VIP", "removed"),
        row("c", "New", "changed"),
        on_remove="false",
    )

    assert {"a": {"old": False, "vip": True}, "b": {"vip": False}, "c": {"new": True}} == said(
        block
    )
    assert [10, 12, 13] == [payload.seq for payload in block]
    assert {10: ((10, "old"), (11, "vip")), 12: ((12, "vip"),), 13: ((13, "new"),)} == block.members
    assert [("old", "vip"), ("vip",), ("new",)] == [payload.fields for payload in block]


@pytest.mark.capability("C18")
@pytest.mark.parametrize(
    ("on_remove", "expected"),
    [("false", {"vip": False}), ("clear", {"vip": None}), (None, {"vip": False})],
)
def test_leaving_sets_the_value_to_false_or_deletes_it(
    on_remove: str | None, expected: dict[str, Any]
) -> None:
    """Capability C18: false unless told, neither null nor absent."""
    block, _ = mapped(
        OBJECT, row("a", "VIP", "removed"), on_remove=on_remove, known_types={"vip": "boolean"}
    )

    assert {"a": expected} == said(block)


def test_what_iterable_does_not_know_is_not_cleared() -> None:
    """Nobody has such a field; the removal is done with, and no request is made for it."""
    found = mapped(OBJECT, row("a", "VIP", "removed"), on_remove="clear")

    assert ([], []) == found


@pytest.mark.parametrize("kind", ["string", "long", "object"])
@pytest.mark.parametrize("op", ["added", "removed"])
def test_field_of_another_type_is_left_alone(kind: str, op: str) -> None:
    """What somebody else keeps there is neither written over nor deleted."""
    block, rejections = mapped(
        OBJECT,
        row("a", "Plan", op),
        row("a", "VIP"),
        known_types={"plan": kind, "vip": "boolean"},
        on_remove="clear",
    )

    assert {"a": {"vip": True}} == said(block)
    assert [Rejection(10, "wrong_type")] == rejections
    assert {11: ((11, "vip"),)} == block.members


def test_field_that_is_an_object_is_left_alone() -> None:
    """Iterable lists the parts of an object, and not the object."""
    _, rejections = mapped(OBJECT, row("a", "Plan"), known_types={"plan.name": "string"})

    assert [Rejection(10, "wrong_type")] == rejections


def test_field_that_may_not_be_created_costs_its_membership() -> None:
    block, rejections = mapped(
        OBJECT,
        row("a", "New"),
        row("a", "VIP"),
        row("b", "New", "removed"),
        known_types={"vip": "boolean"},
        create_new_fields=False,
    )

    assert {"a": {"vip": True}} == said(block)
    assert [Rejection(10, "field_not_created")] == rejections


@pytest.mark.parametrize("name", ["", "  ", "\t", "!?", "—"])
def test_audience_without_a_name_is_rejected(name: str) -> None:
    block, rejections = mapped(OBJECT, row("a", name), row("a", "VIP"))

    assert {"a": {"vip": True}} == said(block)
    assert [Rejection(10, "missing_audience")] == rejections


def test_one_person_under_two_keys_is_a_member_under_either() -> None:
    """In an email-based project two customers may share an address."""
    told = {"project": ProjectType.EMAIL, "known_types": {"vip": "boolean"}}
    rows = [
        row("email:a@example.com", "VIP", op, user_id=user_id)
        for op, user_id in (("removed", "1"), ("added", "2"), ("removed", "3"))
    ]

    block, _ = mapped(OBJECT, *rows, **told)

    assert [b'{"vip":true}' in payload.body for payload in block] == [True]
    assert [body["email"] for body in bodies(block)] == ["a@example.com"]
    assert {10: ((10, "vip"), (11, "vip"), (12, "vip"))} == block.members


def test_a_bad_identity_rejects_each_of_its_memberships() -> None:
    block, rejections = mapped(OBJECT, row("x" * 53, "A"), row("x" * 53, "B"), row("y", "A"))

    assert {"y": {"a": True}} == said(block)
    assert [Rejection(10, "invalid_user_id"), Rejection(11, "invalid_user_id")] == rejections


def test_entry_says_whether_objects_are_merged() -> None:
    told = [mapped(OBJECT, row("a", "A"), merge_nested_objects=m)[0] for m in (True, False)]

    assert [True, False] == [bodies(block)[0]["mergeNestedObjects"] for block in told]


@needs_facts
def test_body_is_what_iterables_document_asks_for() -> None:
    block, _ = mapped(OBJECT, row("a", "A"), row("a", "B", "removed"), row("b", "A"))

    body = json.loads(OBJECT.body([p.body for p in block], create_new_fields=False))

    assert [] == Swagger(swagger()).request_problems("post", BULK, body)


def test_entry_that_is_too_large_rejects_every_membership_of_it() -> None:
    """None of them may look accepted because another one names the entry."""
    block, rejections = mapped(
        OBJECT, *(row("a", f"Audience {n}") for n in range(50)), row("b", "VIP")
    )

    batches = split(
        block, rejections, seq_lo=10, seq_hi=60, max_rows=9, max_bytes=500, overhead_bytes=40
    )

    refused = [r for batch in batches for r in batch.rejections]
    assert [Rejection(seq, "too_large") for seq in range(10, 60)] == refused
    assert [60] == [p.seq for batch in batches for p in batch.payloads]


# -- with the engine ----------------------------------------------------------------------------


@pytest.mark.capability("C16", "C19")
def test_first_sync_sends_the_members_only(world: World) -> None:
    """Capabilities C16 and C19: one entry for every member, and false for nobody."""
    with_members(world, ("a", "VIP"), ("a", ORDERED), ("b", "VIP"))

    planned = sync(world, dry_run=True)
    report = sync(world)

    assert (3, 3) == (report.added, report.accepted)
    assert ["order_completed_last_30days", "vip"] == report.new_fields == planned.new_fields
    assert {"a": {"vip": True, "order_completed_last_30days": True}, "b": {"vip": True}} == sent(
        world
    )


@pytest.mark.capability("C20")
def test_later_syncs_send_changed_memberships_alone(world: World) -> None:
    """Capability C20: rows that disappeared are changes too."""
    with_members(world, ("a", "VIP"), ("a", ORDERED), ("b", "VIP"))
    sync(world)
    put(world, ("a", ORDERED), ("b", "VIP"), ("c", "VIP"))

    report = sync(world)

    assert {"a": {"vip": False}, "c": {"vip": True}} == sent(world)
    assert (1, 1, 2) == (report.accepted, report.removed_accepted, report.unchanged)
    assert 0 == sync(world).requests


@pytest.mark.capability("C21")
def test_who_comes_back_is_a_member_again(world: World) -> None:
    """Capability C21."""
    with_members(world, ("a", "VIP"), ("b", "VIP"))
    sync(world)
    put(world, ("b", "VIP"))
    sync(world)
    put(world, ("a", "VIP"), ("b", "VIP"))

    report = sync(world)

    assert ({"a": {"vip": True}}, 1) == (sent(world), report.added)
    rows = world.rows(
        f"SELECT user_id, _episode FROM {{{table(world)}}} WHERE _status = 'live' ORDER BY 1"
    )
    assert [("a", 2), ("b", 1)] == rows


def table(world: World) -> str:
    return str(world.rows("SELECT snapshot_table FROM {syncs}")[0][0])


def test_days_of_audiences_end_as_the_warehouse_says(world: World) -> None:
    """Worked out from the rows alone: true of members, false of those who left, else nothing."""
    rng = random.Random(7)  # noqa: S311 - test data
    names = ["VIP", ORDERED, "Ünïcode & Co", "late"]
    with_members(world)
    expected: dict[str, dict[str, bool]] = defaultdict(dict)
    inside: set[tuple[str, str]] = set()
    for _ in range(4):
        now = {(f"u{n}", name) for n in range(30) for name in names if rng.random() < 0.4}
        for left in inside - now:
            expected[left[0]][snake_case(left[1])] = False
        for member in now:
            expected[member[0]][snake_case(member[1])] = True
        inside = now
        put(world, *sorted(now))
        report = sync(world, guards={"max_removed": 1.0, "max_changed": 1.0}, batch_rows=7)
        assert RunEnd.CLEAN is report.end

        held = fields(world)

        assert expected == {
            who: {name: held[who][name] for name in told} for who, told in expected.items()
        }
        assert set(expected) == set(held)


@pytest.mark.parametrize("kind", list(ProjectType))
def test_in_every_kind_of_project_people_are_found(duckdb_world: World, kind: ProjectType) -> None:
    columns = {"user_id": "text", "email": "text", "audience": "text"}
    with_members(duckdb_world, project=kind)
    put(duckdb_world, ("a", "a@example.com", "VIP"), columns=columns)
    sync(duckdb_world)
    put(duckdb_world, columns=columns)

    report = sync(duckdb_world, guards={"min_rows": 0})

    who = "a@example.com" if kind is ProjectType.EMAIL else "a"
    assert ({who: {"vip": False}}, 1) == (sent(duckdb_world), report.removed_accepted)


def test_one_query_for_each_audience_is_one_sync_each(world: World) -> None:
    """The column is a constant; each sync has a field of its own."""
    with_members(world, ("a", "x"), ("b", "x"))
    names = {"vip": "VIP", "new": "New Customers"}
    for name, audience in names.items():
        sql = f"SELECT user_id, '{audience}' AS audience FROM {world.prefix}memberships"
        sync(world, sync=name, sql=sql)

    both = {"vip": True, "new_customers": True}
    assert {"a": both, "b": both} == {
        who: {name: held[name] for name in both} for who, held in fields(world).items()
    }


def test_the_column_may_have_another_name(duckdb_world: World) -> None:
    with_members(duckdb_world, ("a", "VIP"))
    sql = f"SELECT user_id, audience AS segment FROM {duckdb_world.prefix}memberships"

    sync(duckdb_world, sql=sql, audience="segment", key=("user_id", "segment"))

    assert {"a": {"vip": True}} == sent(duckdb_world)


def test_ignored_exits_leave_the_field_as_it_is(world: World) -> None:
    with_members(world, ("a", "VIP"), ("b", "VIP"))
    sync(world, on_remove="ignore")
    put(world, ("b", "VIP"))

    report = sync(world, on_remove="ignore")

    assert (0, 1) == (report.requests, report.removed_ignored)
    assert fields(world)["a"]["vip"] is True


def test_cleared_exits_delete_the_field(world: World) -> None:
    with_members(world, ("a", "VIP"), ("b", "VIP"))
    sync(world, on_remove="clear")
    put(world, ("b", "VIP"))

    sync(world, on_remove="clear")

    assert "vip" not in fields(world)["a"]


def test_a_mass_exit_is_held(world: World) -> None:
    with_members(world, *((f"u{n}", "VIP") for n in range(150)))
    sync(world)
    put(world, ("u0", "VIP"))

    report = sync(world)

    assert (RunEnd.HELD, {"max_removed": 149}) == (report.end, report.held_by_guard)
    assert 0 == report.requests


def test_a_field_that_may_not_be_created_is_a_rejection_of_its_memberships(world: World) -> None:
    """Other memberships of the same people are accepted."""
    with_members(world, ("a", "VIP"), ("b", "VIP"))
    sync(world)
    put(world, ("a", "VIP"), ("a", "New"), ("b", "VIP"), ("c", "New"), ("c", "VIP"))

    report = sync(world, new_fields="fail")

    assert {"field_not_created": 2} == report.rejected_by_reason
    assert (1, 2) == (report.accepted, report.rejected)
    assert {"vip": True} == {n: v for n, v in fields(world)["c"].items() if n in ("vip", "new")}


def test_a_person_whom_iterable_refuses_costs_all_of_their_memberships(world: World) -> None:
    columns = {"email": "text", "audience": "text"}
    with_members(world, project=ProjectType.EMAIL)
    bad = "bad@example.invalid-domain"
    rows = [(who, name) for who in ("a@example.com", bad) for name in ("VIP", "New")]
    put(world, *rows, columns=columns)

    report = sync(world, key=("email", "audience"))

    assert (2, {"invalid_email": 2}) == (report.accepted, report.rejected_by_reason)


def test_a_dry_run_counts_requests_and_writes_nothing(world: World) -> None:
    with_members(world, ("a", "VIP"), ("b", "VIP"))

    report = sync(world, dry_run=True)

    assert (2, 1) == (report.added, report.requests)
    assert {} == fields(world)


def test_audience_has_to_be_in_the_key(duckdb_world: World) -> None:
    """Without it nobody would know what somebody left."""
    with_members(duckdb_world, ("a", "VIP"))

    with pytest.raises(ConfigError, match=r"not in the key.*key=\('user_id', 'audience'\)"):
        sync(duckdb_world, key="user_id")


def test_columns_that_are_no_membership_have_to_be_left_out(duckdb_world: World) -> None:
    columns = {"user_id": "text", "audience": "text", "score": "bigint"}
    with_members(duckdb_world)
    put(duckdb_world, ("a", "VIP", 1), columns=columns)

    with pytest.raises(ConfigError, match=r"audiences have no data fields.*score"):
        sync(duckdb_world)
    sync(duckdb_world, exclude="score")

    assert {"a": {"vip": True}} == sent(duckdb_world)


@pytest.mark.parametrize(
    "changes", [{"trait": "x"}, {"newest_by": "user_id"}, {"on_remove": "exit"}], ids=str
)
def test_what_is_not_for_audiences_is_refused(duckdb_world: World, changes: dict[str, Any]) -> None:
    with_members(duckdb_world, ("a", "VIP"))

    with pytest.raises(ConfigError, match="not for audiences"):
        duckdb_world.sync(spec(duckdb_world, **changes))
