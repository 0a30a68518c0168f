"""Rows and fields that Iterable does not have: reasons, and when they are tried again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from fakes import Clock
from harness import FIELDS, people
from iterable_sync.errors import ConfigError
from iterable_sync.rows import ProjectType, RunEnd
from iterable_sync.spec import FieldSpec, Thresholds

if TYPE_CHECKING:
    from harness import World

BAD = ("u2", "no address", "Bern", 1)


@pytest.mark.capability("E40")
def test_a_rejected_row_waits_with_its_reason_until_its_value_changes(world: World) -> None:
    world.put(*people(1), BAD)

    first = world.sync()
    second = world.sync()

    assert (1, 1, {"invalid_email": 1}) == (
        first.accepted,
        first.rejected,
        first.rejected_by_reason,
    )
    assert {("u2", "", "invalid_email")} == world.rejections()
    assert {"u1": ()} == world.acknowledged()
    assert (1, 1, 0, 0) == (
        second.unchanged,
        second.still_rejected,
        second.rejected,
        second.requests,
    )

    world.put(*people(1, 2))
    third = world.sync()

    assert {"u2@example.com": {"city": "Bern", "points": 1}} == world.sent_fields
    assert (set(), 0, 1) == (world.rejections(), third.still_rejected, third.accepted)


def test_a_rejected_change_leaves_the_snapshot_as_it_was(postgres_world: World) -> None:
    world = postgres_world
    world.put(*people(1, 2))
    world.sync()
    world.put(*people(1), ("u2", "u2@example.com", "Genf", 1))
    world.answer_next(answer_refusing("u2@example.com"))

    report = world.sync()
    again = world.sync()

    assert (1, 0) == (report.rejected, report.accepted)
    assert {"u1": ("Bern", None), "u2": ("Bern", None)} == world.acknowledged("city", "_dirty")
    assert {("u2", "", "conflict")} == world.rejections()
    assert (1, 0) == (again.still_rejected, again.requests)


def test_a_rejection_that_is_due_is_tried_again(world: World) -> None:
    world.put(*people(1, 2))
    world.sync(sql=world.sql() + " WHERE user_id = 'u1'")
    world.answer_next(answer_refusing("u2@example.com"))
    world.sync()
    waiting = world.sync()
    world.write("UPDATE {rejections} SET next_try_at = now() - INTERVAL '1 second'")

    world.answer_next(answer_refusing("u2@example.com"))
    refused = world.sync()
    attempts = world.rows("SELECT attempts, last_seen > first_seen FROM {rejections}")
    world.write("UPDATE {rejections} SET next_try_at = now() - INTERVAL '1 second'")
    accepted = world.sync()

    assert (1, 0) == (waiting.still_rejected, waiting.requests)
    assert (1, [(2, True)]) == (refused.rejected, attempts)
    assert (1, set()) == (accepted.accepted, world.rejections())


def test_a_rejection_goes_when_its_key_leaves_the_query(postgres_world: World) -> None:
    world = postgres_world
    world.put(*people(1), BAD)
    world.sync()

    world.put(*people(1))
    world.sync()

    assert set() == world.rejections()


def test_rows_that_share_an_identity_are_sent_once_they_no_longer_do(postgres_world: World) -> None:
    """The row itself did not change: it was the other one that made it a duplicate."""
    world = postgres_world
    world.put(*people(1, 2), ("u3", "U2@example.com", "Genf", 1))
    first = world.sync()
    again = world.sync()

    world.put(*people(1, 2))
    report = world.sync()

    assert {"duplicate_identity": 2} == first.rejected_by_reason
    assert (2, 0) == (again.still_rejected, again.rejected)
    assert (1, 0, set()) == (report.accepted, report.still_rejected, world.rejections())
    assert "u2@example.com" in world.users()


def test_a_rejected_field_costs_the_field_and_not_the_row(world: World) -> None:
    integer = {"points": FieldSpec(type="long")}
    columns = {"user_id": "text", "email": "text", "city": "text", "points": "text"}
    world.put(
        ("u1", "u1@example.com", "Bern", "1"),
        ("u2", "u2@example.com", "Bern", "many"),
        columns=columns,
    )
    report = world.sync(fields=integer)
    again = world.sync(fields=integer)

    assert (2, 0, 1) == (report.accepted, report.rejected, report.fields_rejected)
    assert {("u2", "points", "invalid_number")} == world.rejections()
    assert {"u2": {"points"}} == world.dirty()
    assert (2, 0) == (again.unchanged, again.requests)

    world.put(("u1", "u1@example.com", "Bern", "1"), ("u2", "u2@example.com", "Genf", "many"))
    world.sync(fields=integer)

    assert {"u2@example.com": {"city": "Genf"}} == world.sent_fields
    assert {"u2": {"points"}} == world.dirty()

    world.put(("u1", "u1@example.com", "Bern", "1"), ("u2", "u2@example.com", "Genf", "5"))
    world.sync(fields=integer)

    assert {"u2@example.com": {"points": 5}} == world.sent_fields
    assert (set(), {}) == (world.rejections(), world.dirty())


def test_a_field_rejected_after_it_was_accepted_is_restored_when_the_value_goes_back(
    postgres_world: World,
) -> None:
    """Until an acceptance was read it is in doubt what Iterable holds."""
    world = postgres_world
    integer = {"points": FieldSpec(type="long")}
    columns = {"user_id": "text", "email": "text", "city": "text", "points": "text"}
    world.put(("u1", "u1@example.com", "Bern", "1"), columns=columns)
    world.sync(fields=integer)
    world.put(("u1", "u1@example.com", "Genf", "many"))
    world.sync(fields=integer)

    assert {"u1": ("Genf", "1")} == world.acknowledged("city", "points")

    world.put(("u1", "u1@example.com", "Genf", "1"))
    world.sync(fields=integer)

    assert {"u1@example.com": {"points": 1}} == world.sent_fields
    assert (set(), {}) == (world.rejections(), world.dirty())


def test_values_that_contradict_the_type_in_iterable_cost_their_field(
    postgres_world: World,
) -> None:
    world = postgres_world
    world.put(*people(1))
    world.sync()
    columns = {"user_id": "text", "email": "text", "city": "text", "points": "text"}
    world.put(
        ("u1", "u1@example.com", "Genf", "x"),
        ("u2", "u2@example.com", "Bern", "y"),
        columns=columns,
    )

    report = world.sync(sql=world.sql() + " -- points is text now")

    assert {"u1@example.com": {"city": "Genf"}, "u2@example.com": {"city": "Bern"}} == (
        world.sent_fields
    )
    assert {("u1", "points", "wrong_type"), ("u2", "points", "wrong_type")} == world.rejections()
    assert (2, 2) == (report.accepted, report.fields_rejected)


def test_a_type_that_only_iterable_knows_to_be_wrong_costs_the_field_of_its_rows(
    postgres_world: World,
) -> None:
    """The field turned into a long after this run had asked for the types."""
    world = postgres_world
    world.put(*people(1, 2), ("u3", "u3@example.com", "Bern", None))

    def give_city_a_type(number: int, _users: object) -> None:
        if number == 1:
            with world.server.app_state.lock:
                world.server.app_state.user_fields.kinds["city"] = "long"

    report = world.sync(client=world.connect(before=give_city_a_type))

    assert {(f"u{n}", "city", "wrong_type") for n in (1, 2, 3)} == world.rejections()
    assert (3, 0, 3) == (report.accepted, report.rejected, report.fields_rejected)
    assert {"points": 1, "userId": "u1", "email": "u1@example.com"} == (
        world.users()["u1@example.com"]
    )


@pytest.mark.parametrize(
    "mended",
    [
        pytest.param(FieldSpec(name="town", type="string"), id="another field"),
        pytest.param(FieldSpec(type="string"), id="another type"),
    ],
)
def test_a_field_that_is_mapped_anew_is_tried_again_at_once(
    postgres_world: World, mended: FieldSpec
) -> None:
    """A wrong type waits for another value, or for the mapping that makes it right."""
    world = postgres_world
    world.put(*people(1, 2))
    world.sync(fields={"city": FieldSpec(type="long")})
    rejected = world.rejections()

    world.sync(fields={"city": mended})

    name = mended.name or "city"
    assert {(f"u{n}", "city", "invalid_number") for n in (1, 2)} == rejected
    assert {f"u{n}@example.com": {name: "Bern"} for n in (1, 2)} == world.sent_fields
    assert (set(), {}) == (world.rejections(), world.dirty())


def forbid_new_fields(world: World) -> Any:
    """Give a client to whose project no request can add a field."""

    def drop_flag(_number: int, users: list[dict[str, Any]]) -> bytes:
        return json.dumps({"users": users, "createNewFields": False}).encode()

    return world.connect(before=drop_flag)


def test_a_field_that_iterable_does_not_create_stays_to_be_sent(postgres_world: World) -> None:
    world = postgres_world
    world.put(*people(1, 2))

    clock = Clock()
    wait = {"clock": clock, "sleep": clock.sleep}
    report = world.sync(client=forbid_new_fields(world), options=wait)
    waiting = world.sync(client=forbid_new_fields(world), options=wait)

    assert {"city", "points"} == world.dirty()["u1"] == world.dirty()["u2"]
    assert {
        (key, name, "field_not_created") for key in ("u1", "u2") for name in ("city", "points")
    } == world.rejections()
    assert (2, 4, RunEnd.CLEAN) == (report.accepted, report.fields_rejected, report.end)
    assert any("city, points; allow new fields" in note for note in report.notes)
    assert 0 == waiting.requests

    world.write("UPDATE {rejections} SET next_try_at = now() - INTERVAL '1 second'")
    allowed = world.sync()

    assert {"city": "Bern", "points": 1} == {
        name: world.users()["u1@example.com"].get(name) for name in ("city", "points")
    }
    assert ({}, set(), ["city", "points"]) == (
        world.dirty(),
        world.rejections(),
        allowed.new_fields,
    )


def test_a_refused_row_does_not_decide_that_its_fields_are_not_created(
    postgres_world: World,
) -> None:
    """The first batch brings the new fields and is refused; the next one may bring them."""
    world = postgres_world
    world.put(*people(1, 2, 3))
    world.answer_next({"status": 400, "body": {"code": "ForgottenUserError"}})

    report = world.sync(batch_rows=1, threads=1)

    assert (2, 1, 0) == (report.accepted, report.rejected, report.fields_rejected)
    assert ["city", "points"] == report.new_fields
    assert {("Bern", 1)} == set(world.acknowledged("city", "points").values())


def test_new_fields_can_be_refused_before_anything_is_sent(postgres_world: World) -> None:
    world = postgres_world
    world.put(*people(1, 2))

    with pytest.raises(ConfigError, match="city, points"):
        world.sync(new_fields="fail")

    assert (0, ["failed"]) == (world.writes(), world.runs())
    assert {} == world.acknowledged()

    world.sync(sql=world.sql("user_id", "email"), new_fields="fail")

    assert {"u1", "u2"} == set(world.acknowledged())


@pytest.mark.failure("D8")
def test_rows_without_a_key_or_an_identity_are_rejected_and_the_others_go_on(
    postgres_world: World,
) -> None:
    world = postgres_world
    world.put(*people(1), (None, "x@example.com", "Bern", 1), ("u3", None, "Bern", 1))

    report = world.sync()
    again = world.sync()

    assert {"missing_key": 1, "missing_identifier": 1} == report.rejected_by_reason
    assert (3, 1, 2) == (report.queried, report.accepted, report.rejected)
    assert (1, 1, 1) == (again.unchanged, again.rejected, again.still_rejected)


def test_a_refused_removal_waits_like_any_rejection(world: World) -> None:
    world.put(*people(1, 2))
    world.sync(on_remove="clear")
    world.put(*people(1))
    world.answer_next(answer_refusing("u2@example.com", "forgottenEmails"))

    report = world.sync(on_remove="clear")
    again = world.sync(on_remove="clear")

    assert (1, 1, 0) == (report.removed, report.removed_rejected, report.removed_accepted)
    assert (1, 1, 0) == (again.removed, again.removed_rejected, again.requests)
    assert {("u2", "", "forgotten")} == world.rejections()

    world.put(*people(1, 2, city="Genf"))
    world.sync(on_remove="clear")

    assert set() == world.rejections()


def test_a_refused_removal_waits_also_while_its_person_waits_under_another_key(
    world: World,
) -> None:
    """The key that left is removed since the other one is held; refused, it is not sent anew."""
    world.put(*people(1, 2))
    world.sync(on_remove="clear")
    world.put(("u2", "u1@example.com", "Genf", 7))
    world.answer_next(answer_refusing("u1@example.com", "forgottenEmails"))

    report = world.sync(on_remove="clear")
    again = world.sync(on_remove="clear")

    assert (1, 1, 1) == (report.held, report.removed_rejected, report.requests)
    assert (1, 1, 0) == (again.held, again.removed_rejected, again.requests)
    assert {("u1", "", "forgotten")} == world.rejections()

    sent = world.sync(on_remove="clear", on_identity_change="full_row")
    world.sync(on_remove="clear")

    assert (1, 1) == (sent.accepted, sent.removed_ignored)
    assert ("gone", set()) == (world.snapshot()["u1"]["_status"], world.rejections())


@pytest.mark.failure("D8")
@pytest.mark.parametrize(
    ("bad", "end"),
    [
        pytest.param(1, RunEnd.CLEAN, id="below"),
        pytest.param(2, RunEnd.CLEAN, id="at the limit"),
        pytest.param(3, RunEnd.REJECTED, id="above"),
    ],
)
def test_more_rejected_rows_than_allowed_fail_the_run(
    postgres_world: World, bad: int, end: RunEnd
) -> None:
    world = postgres_world
    world.put(*people(*range(10)), *((f"b{n}", f"bad {n}", "Bern", 1) for n in range(bad)))

    report = world.sync(thresholds=Thresholds(max_rejected=0.0, rejected_floor=2))

    assert (end, bad) == (report.end, report.rejected)
    assert 10 == len(world.acknowledged())


def test_the_project_type_decides_who_is_nobody(postgres_world: World) -> None:
    world = postgres_world.with_project(ProjectType.HYBRID)
    world.put(("u1", None, "Bern", 1), (" ", "x@example.com", "Bern", 1), ("  ", " ", "Bern", 1))

    report = world.sync()

    assert {"missing_identifier": 1} == report.rejected_by_reason
    assert {"u1", "x@example.com"} == set(world.users())


def test_getfields_is_asked_again_when_it_fails_once(postgres_world: World) -> None:
    world = postgres_world
    world.put(*people(1))
    world.answer_next({"status": 503}, path=FIELDS)

    assert RunEnd.CLEAN == world.sync().end


def answer_refusing(email: str, array: str = "conflictEmails") -> dict[str, Any]:
    """Give the canned 200 that refuses one user."""
    body = {
        "successCount": 0,
        "failCount": 1,
        "failedUpdates": {array: [email]},
        "filteredOutFields": [],
        "createdFields": [],
    }
    return {"status": 200, "body": body}
