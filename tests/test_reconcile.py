"""Reading a sample back: what Iterable took and does not show is found, and sent again."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from crashes import crash
from harness import Client, people
from iterable_sync.rows import ProjectType
from iterable_sync.spec import FieldSpec, Guards
from reconcile_world import delete, look, lose, mail, write_over

if TYPE_CHECKING:
    from harness import World
    from iterable_sync.client import Answer

MANY = range(1, 41)
STRICT = Guards(changed_floor=1, max_changed=0.1)
RICH = {
    "user_id": "text",
    "email": "text",
    "born": "date",
    "seen_at": "timestamptz",
    "score": "double precision",
    "worth": "numeric(20, 4)",
    "big": "bigint",
    "is_vip": "boolean",
    "tags": "json",
    "address__city": "text",
    "address__zip": "text",
    "home_geo_location__lat": "double precision",
    "home_geo_location__lon": "double precision",
    "note": "text",
}
RICH_ROWS = [
    (
        "u1",
        "U1@Example.com",
        "1980-02-29",
        "2026-01-02 03:04:05.678+02",
        0.1,
        12345678901234.5,
        9_007_199_254_740_993,
        True,
        '{"a": [1, 2], "b": {"c": null, "d": "é\\"\\\\"}}',
        "Bern",
        None,
        46.95,
        7,
        "",
    ),
    ("u2", "u2@example.com", *[None] * 12),
]


# -- what is drift -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", list(ProjectType))
def test_what_iterable_shows_as_it_was_sent_is_no_drift(world: World, kind: ProjectType) -> None:
    """Whatever the types, the identifiers and the NULLs of a row are, and how it is shown."""
    world.with_project(kind)
    world.put(*RICH_ROWS, columns=RICH)
    world.sync()
    world.put(*[(*row[:-1], "new") for row in RICH_ROWS])
    world.sync()

    found = look(world)

    assert (2, 2, 2, 0) == (found.live, found.sampled, found.compared, found.not_comparable)
    assert (0, 0, 0, {}) == (found.missing, found.drifted, found.marked, found.fields)
    assert {} == world.dirty()


def test_a_field_that_shows_another_value_is_sent_again_and_no_other(world: World) -> None:
    world.put(*people(*MANY))
    world.sync()
    write_over(world, mail(3), city="Genf")
    write_over(world, mail(7), city="Genf", points=9)

    found = look(world)
    dirty = world.dirty()
    report = world.sync()

    assert (0, 2, 2) == (found.missing, found.drifted, found.marked)
    assert {"city": 2, "points": 1} == found.fields
    assert {"u3": {"city"}, "u7": {"city", "points"}} == dirty
    assert (2, 38) == (report.accepted, report.unchanged)
    assert {mail(3): {"city": "Bern"}, mail(7): {"city": "Bern", "points": 1}} == {
        who: {n: v for n, v in sent.items() if n != "email"}
        for who, sent in world.sent_fields.items()
    }
    assert 0 == look(world).drift.count


def test_a_person_whom_iterable_does_not_know_is_sent_again_whole(world: World) -> None:
    world.put(*people(*MANY))
    world.sync()
    delete(world, mail(5))

    found = look(world)
    dirty = world.dirty()
    world.sync()

    assert (1, 0, {}) == (found.missing, found.drifted, found.fields)
    assert {"u5": {"*"}} == dirty
    assert ["Bern"] == [fields["city"] for fields in world.sent_fields.values()]
    assert 40 == len(world.users())
    assert 0 == look(world).drift.count


@pytest.mark.parametrize("kind", [ProjectType.USER_ID, ProjectType.HYBRID])
def test_an_address_that_was_changed_in_iterable_is_found(
    duckdb_world: World, kind: ProjectType
) -> None:
    """Where people are known by their userId, and what the warehouse says is sent again."""
    world = duckdb_world.with_project(kind)
    world.put(*people(1, 2))
    world.sync()
    body = b'{"userId":"u1","dataFields":{"email":"other@example.com"}}'
    world.connect().send("POST", "/api/users/update", body)

    found = look(world)
    dirty = world.dirty()
    world.sync()

    assert ({"email": 1}, {"u1": {"email"}}) == (found.fields, dirty)
    assert [{"email": mail(1)}] == list(world.sent_fields.values())
    assert 0 == look(world).drift.count


def test_a_value_inside_of_a_json_field_marks_its_field(duckdb_world: World) -> None:
    """And it is named by the field alone: keys of a JSON value are data."""
    world = duckdb_world
    world.put(*RICH_ROWS, columns=RICH)
    world.sync()
    write_over(world, mail(1), tags={"a": [1, 2], "b": {"d": "other"}, "more": 1})
    write_over(world, mail(1), home_geo_location={"lat": 1.0, "lon": 7.0})
    write_over(world, mail(1), address={"city": "Genf", "street": "theirs"})

    found = look(world)

    assert {"tags": 1, "home_geo_location": 1, "address.city": 1} == found.fields
    halves = {"home_geo_location__lat", "home_geo_location__lon"}
    assert {"u1": {"tags", "address__city", *halves}} == world.dirty()


def test_a_null_that_keeps_what_iterable_has_is_not_compared(duckdb_world: World) -> None:
    world = duckdb_world
    world.put(("u1", mail(1), None, None), *people(2))
    world.sync(fields={"city": FieldSpec(null="keep")})
    write_over(world, mail(1), city="theirs", points=5)

    found = look(world)

    assert {"points": 1} == found.fields


def test_a_value_that_could_not_be_sent_now_is_no_drift(duckdb_world: World) -> None:
    """Iterable gave the field another type: the row is refused where it is sent, and not here."""
    world = duckdb_world
    world.put(("u1", mail(1), "Bern", 1), ("u2", mail(2), "Bern", 1))
    world.sync()
    with world.server.app_state.lock:
        from iterable_sync.sandbox.kinds import Kind

        world.server.app_state.user_fields.kinds["city"] = Kind.LONG
    write_over(world, mail(1), city=4, points=2)

    found = look(world)

    assert {"points": 1} == found.fields
    assert {"u1": {"points"}} == world.dirty()


# -- which rows are read -------------------------------------------------------------------------


def test_rows_that_iterable_may_not_have_applied_yet_are_left_out(world: World) -> None:
    world.put(*people(*MANY))
    world.sync()

    found = look(world, settle_s=600)

    assert (40, 0, 0, 0) == (found.live, found.sampled, found.requests, found.drift.count)


def test_rows_in_doubt_and_rows_that_are_gone_are_left_out(world: World) -> None:
    """They are sent, or were, and prove nothing."""
    world.put(*people(1, 2, 3))
    world.sync()
    world.put(*people(1, 2))
    world.sync()
    write_over(world, mail(1), city="Genf")
    look(world)
    write_over(world, mail(2), city="Genf")

    found = look(world)

    assert (2, 1, 1) == (found.live, found.sampled, found.drifted)
    assert {"u1": {"city"}, "u2": {"city"}} == world.dirty()


def test_rows_that_are_to_send_a_new_field_are_left_out(world: World) -> None:
    """Iterable has not got it yet, and the snapshot does not say what it has instead."""
    world.put(*people(1, 2, 3))
    world.sync(sql=world.sql("user_id", "email", "city"))
    world.sync(guards=STRICT)

    found = look(world)

    assert (3, 0, {}) == (found.live, found.sampled, found.fields)


def test_what_a_killed_run_sent_is_in_doubt_and_not_judged(world: World) -> None:
    world.put(*people(1, 2, 3))
    world.sync()
    world.put(*people(1, 2), *people(3, city="Genf"))
    crash(world, at=1, applied=True)
    world.expire_leases()

    found = look(world)

    assert (3, 2, 0) == (found.live, found.sampled, found.drift.count)
    assert {"u3": {"city"}} == world.dirty()


def test_a_row_that_a_run_sent_meanwhile_is_not_judged_by_what_it_was(world: World) -> None:
    """It was drawn, and sent with another value before it was read."""
    world.put(*people(1, 2))
    world.sync()

    class Meanwhile(Client):
        lock = threading.Lock()
        is_over = False

        def get(self, path: str, params: Any = None) -> Answer:
            # All threads wait: the run has to be over before anything is read.
            with self.lock:
                if path.endswith("getByEmail") and not self.is_over:
                    self.is_over = True
                    world.put(*people(1, city="Genf"), *people(2))
                    world.sync()
            return super().get(path, params)

    client = Meanwhile(world.server, world.project_type)
    found = look(world, client=client, rows=2)

    assert (1, 0, 1) == (found.changed_since, found.drift.count, found.compared)
    assert {} == world.dirty()


@pytest.mark.capability("B3")
def test_it_says_when_the_sync_was_last_well(world: World) -> None:
    """A sync that has not run clean for long is no better for a clean sample."""
    world.put(*people(1, 2))
    world.sync()
    world.write("UPDATE {runs} SET ended_at = ended_at - INTERVAL '3 hours'")
    world.put(*people(1, 2, city="Genf"))
    world.sync(guards=STRICT)

    found = look(world)
    world.write("DELETE FROM {runs} WHERE state = 'clean'")
    never = look(world)

    assert 10_800 <= found.counts()["last_clean_s"] < 10_900
    assert "the last clean run ended 3.0 hours ago" in found.lines()
    assert "last_clean_s" not in never.counts()
    assert "no run of the sync that is remembered ended clean" in never.lines()


def test_only_looking_marks_nothing(world: World) -> None:
    world.put(*people(*MANY))
    world.sync()
    write_over(world, mail(3), city="Genf")

    found = look(world, mark=False)

    assert (1, 0) == (found.drifted, found.marked)
    assert {} == world.dirty()


def test_a_sample_is_no_larger_than_it_is_told_and_repeats_itself(world: World) -> None:
    world.put(*people(*MANY))
    world.sync()
    lose(world, 1.0)
    world.put(*people(*MANY, city="Genf"))
    world.sync()

    first, again = (look(world, rows=10, seed=1, mark=False) for _ in range(2))
    marked = look(world, rows=10, seed=1)
    of_one = set(world.dirty())
    look(world, rows=10, seed=2)

    assert (10, 10, 10) == (first.sampled, again.drifted, marked.marked)
    assert 10 == len(of_one) < len(world.dirty())
