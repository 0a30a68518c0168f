"""What happens to a sync when its model or its declaration changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness import USERS, people
from iterable_sync.errors import ConfigError
from iterable_sync.rows import Column, StateType, WireType
from iterable_sync.spec import FieldSpec
from iterable_sync.state.registry import reconcile

if TYPE_CHECKING:
    from harness import World

WITH_PLAN = {**USERS, "plan": "text"}


@pytest.mark.failure("D10")
@pytest.mark.capability("A1")
def test_a_newly_mapped_column_sends_only_that_field(world: World) -> None:
    world.put(*people(1, 2))
    world.sync()

    world.put(*((*row, "pro") for row in people(1, 2, 3)), columns=WITH_PLAN)
    report = world.sync()
    again = world.sync()

    assert (2, 1) == (report.changed, report.added)
    assert {"plan": 2} == report.fields_changed
    assert {"plan": "pro", "city": "Bern", "points": 1} == {
        name: world.users()["u2@example.com"][name] for name in ("plan", "city", "points")
    }
    assert {"u1": ("pro", 2), "u2": ("pro", 2), "u3": ("pro", 2)} == (
        world.acknowledged("plan", "_mapping")
    )
    assert 0 == again.requests


@pytest.mark.capability("A36", "C22")
def test_a_constant_of_the_model_is_a_field_and_nothing_is_added_to_it(world: World) -> None:
    world.put(*people(1, 2))

    world.sync(sql=f"SELECT email, 'shop-7' AS website_id FROM {world.prefix}users", key="email")

    same = {"website_id": "shop-7"}
    assert {"u1@example.com": same, "u2@example.com": same} == world.sent_fields


def test_only_the_new_field_is_in_the_requests_of_a_back_fill(postgres_world: World) -> None:
    world = postgres_world
    world.put(*people(1, 2))
    world.sync()

    world.put(*((*row, "pro") for row in people(1, 2)), columns=WITH_PLAN)
    world.sync()

    assert {"u1@example.com": {"plan": "pro"}, "u2@example.com": {"plan": "pro"}} == (
        world.sent_fields
    )


def test_a_back_fill_goes_on_where_the_last_run_stopped(postgres_world: World) -> None:
    world = postgres_world
    world.put(*people(1, 2, 3))
    world.sync()
    world.put(*((*row, "pro") for row in people(1, 2, 3)), columns=WITH_PLAN)
    stop = {"now": False}
    client = world.connect(after=lambda n, _users: stop.update(now=n >= 2))
    first = world.sync(
        client=client, batch_rows=1, threads=1, options={"should_stop": lambda: stop["now"]}
    )
    sent = set(world.sent_fields)

    second = world.sync(batch_rows=1)

    assert (len(sent), 3 - len(sent)) == (first.accepted, first.pending)
    assert {f"u{n}@example.com" for n in (1, 2, 3)} - sent == set(world.sent_fields)
    assert 3 - len(sent) == second.accepted > 0


def test_a_renamed_field_is_sent_under_its_new_name_and_cleared_under_the_old(
    postgres_world: World,
) -> None:
    world = postgres_world
    world.put(*people(1, 2))
    world.sync()

    report = world.sync(fields={"city": FieldSpec(name="town")})
    sent = world.sent_fields
    again = world.sync(fields={"city": FieldSpec(name="town")})

    assert {f"u{n}@example.com": {"town": "Bern", "city": None} for n in (1, 2)} == sent
    assert (2, 0) == (report.changed, again.requests)


def test_a_field_of_another_type_is_sent_alone(postgres_world: World) -> None:
    world = postgres_world
    world.put(*people(1, 2))
    world.sync(fields={"points": FieldSpec(name="points_text", type=WireType.STRING)})

    world.sync(fields={"points": FieldSpec(name="points_long", type=WireType.LONG)})

    expected = {"points_long": 1, "points_text": None}
    assert {f"u{n}@example.com": expected for n in (1, 2)} == world.sent_fields


@pytest.mark.failure("D10")
def test_a_column_cast_to_another_type_is_sent_alone(world: World) -> None:
    world.put(*people(1, 2))
    world.sync(fields={"points": FieldSpec(type=WireType.STRING)})

    cast = world.sql("user_id", "email", "city", "CAST(points AS text) AS points")
    report = world.sync(sql=cast, fields={"points": FieldSpec(type=WireType.STRING)})
    sent = world.sent_fields
    again = world.sync(sql=cast, fields={"points": FieldSpec(type=WireType.STRING)})

    assert {f"u{n}@example.com": {"points": "1"} for n in (1, 2)} == sent
    assert (2, 0) == (report.changed, again.requests)


def test_a_column_that_left_the_model_is_forgotten_and_sent_again_when_it_returns(
    world: World,
) -> None:
    world.put(*people(1, 2))
    world.sync()

    fewer = world.sync(sql=world.sql("user_id", "email", "city"))
    columns = set(world.snapshot()["u1"])
    world.sync(sql=world.sql() + " -- points again")

    assert (2, 0) == (fewer.unchanged, fewer.requests)
    assert "points" not in columns
    assert {f"u{n}@example.com": {"points": 1} for n in (1, 2)} == world.sent_fields


@pytest.mark.failure("D10")
def test_columns_that_change_under_the_same_sql_stop_the_run_and_are_named(
    postgres_world: World,
) -> None:
    world = postgres_world
    star = f"SELECT * FROM {world.prefix}users"
    world.put(*people(1, 2))
    world.sync(sql=star)
    world.put(*((*row, "pro") for row in people(1, 2)), columns=WITH_PLAN)
    requests = world.writes()

    with pytest.raises(ConfigError, match="unchanged SQL text: plan"):
        world.sync(sql=star)
    world.put(("u1", "u1@example.com", "Bern"), columns=dict(list(USERS.items())[:3]))
    with pytest.raises(ConfigError, match="unchanged SQL text: points"):
        world.sync(sql=star)
    world.put(("u1", "u1@example.com", "Bern", "1"), columns={**USERS, "points": "text"})
    with pytest.raises(ConfigError, match="unchanged SQL text: points"):
        world.sync(sql=star)

    assert requests == world.writes()


def test_a_column_may_be_excluded_and_taken_back_under_the_same_sql(postgres_world: World) -> None:
    """The declaration changed, not the warehouse: that is no drift."""
    world = postgres_world
    world.put(*people(1, 2))
    world.sync()

    fewer = world.sync(exclude="points")
    world.put(*people(1, 2, points=7))
    ignored = world.sync(exclude="points")
    world.sync()

    assert (0, 0) == (fewer.requests, ignored.requests)
    assert {f"u{n}@example.com": {"points": 7} for n in (1, 2)} == world.sent_fields


def test_another_key_under_the_same_name_is_refused(postgres_world: World) -> None:
    world = postgres_world
    world.put(*people(1, 2))
    world.sync()
    requests = world.writes()

    with pytest.raises(ConfigError, match="key user_id, now it is users with key email"):
        world.sync(key="email")

    assert requests == world.writes()


def test_another_object_under_the_same_name_is_refused() -> None:
    key = Column("id", "id", StateType.BIGINT, WireType.LONG, 0, is_key=True)
    first = reconcile(
        None, [key], sync="s", project="1.us", object_name="users", sql="SELECT id FROM a"
    )

    with pytest.raises(ConfigError, match="registered for users"):
        reconcile(
            first, [key], sync="s", project="1.us", object_name="lists", sql="SELECT id FROM a"
        )


@pytest.mark.capability("A4")
def test_a_field_that_another_sync_maps_is_refused_and_that_sync_is_named(
    postgres_world: World,
) -> None:
    world = postgres_world
    world.put(*people(1))
    world.sync()
    requests = world.writes()

    with pytest.raises(ConfigError, match="maps points, owned by sync 'users'"):
        world.sync(sync="scores", sql=world.sql("user_id", "email", "points"))
    world.sync(sync="scores", sql=world.sql("user_id", "email", "points AS score"))

    assert {"u1@example.com": {"score": 1}} == world.sent_fields
    assert {"users", "scores"} == {row[0] for row in world.rows("SELECT sync FROM {syncs}")}
    assert requests < world.writes()


def test_a_field_is_free_once_its_owner_no_longer_maps_it(postgres_world: World) -> None:
    world = postgres_world
    world.put(*people(1))
    world.sync()
    world.sync(sql=world.sql("user_id", "email", "city"))

    world.sync(sync="scores", sql=world.sql("user_id", "email", "points"))

    assert {"u1@example.com": {"points": 1}} == world.sent_fields


@pytest.mark.failure("W9")
def test_another_project_behind_the_same_state_starts_from_nothing(postgres_world: World) -> None:
    world = postgres_world
    world.put(*people(1))
    world.sync()
    other = world.connect(project_id="2")

    assert (1, 0) == (world.sync(client=other).added, world.sync().requests)
