"""A field that gets another name: the profile has the new one, and no longer the old one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from harness import people
from iterable_sync.rows import NullPolicy, ProjectType, RunEnd
from iterable_sync.spec import FieldSpec, Guards

if TYPE_CHECKING:
    from harness import World

NAMES = {"user_id": "text", "email": "text", "first_name": "text", "points": "bigint"}


def town(**more: Any) -> dict[str, FieldSpec]:
    return {"city": FieldSpec(name="town", **more)}


def profile(world: World, number: int) -> dict[str, Any]:
    return world.users()[f"u{number}@example.com"]


def old_names(world: World) -> set[str]:
    """Give the old names that the state keeps in mind."""
    with world.state.session() as session:
        from iterable_sync.state.registry import find

        registered = find(world.state, session, "1.us", "users")
    assert registered is not None
    return {name for field in registered.fields for name in field.was}


def test_profiles_have_the_new_name_and_not_the_old(world: World) -> None:
    """Each row that was sent under the old name is sent once more, and then never for this."""
    world.put(*people(1, 2))
    world.sync()

    report = world.sync(fields=town())
    sent = world.sent_fields
    again = world.sync(fields=town())

    assert {f"u{n}@example.com": {"town": "Bern", "city": None} for n in (1, 2)} == sent
    assert (2, 0) == (report.changed, again.requests)
    assert [("Bern", False)] * 2 == [
        (profile(world, n)["town"], "city" in profile(world, n)) for n in (1, 2)
    ]
    assert set() == old_names(world)


def test_row_that_changes_later_sends_the_new_name_alone(world: World) -> None:
    """The old one is not ours any more: somebody may have taken it for something else."""
    world.put(*people(1, 2))
    world.sync()
    world.sync(fields=town())
    world.put(*people(1, city="Basel"), *people(2))

    world.sync(fields=town())

    assert {"u1@example.com": {"town": "Basel"}} == world.sent_fields
    assert ("Basel", "Bern") == (profile(world, 1)["town"], profile(world, 2)["town"])


@pytest.mark.capability("B20")
def test_switch_of_the_naming_renames_all_fields(duckdb_world: World) -> None:
    """What the switch leaves behind in other tools: both names in each profile."""
    world = duckdb_world
    world.put(("u1", "u1@example.com", "Ana", 3), columns=NAMES)
    world.sync(naming="as_is")

    world.sync(naming="camel")
    camel = profile(world, 1)
    world.sync(naming="as_is", identify_names=True)
    identified = world.sync(naming="as_is", identify_names=True)

    assert {"email": "u1@example.com", "userId": "u1", "firstName": "Ana", "points": 3} == camel
    assert camel == profile(world, 1)
    assert 0 == identified.requests


def test_renamed_there_and_back_leaves_one_name(duckdb_world: World) -> None:
    world = duckdb_world
    world.put(*people(1))
    world.sync()
    world.sync(fields=town())

    world.sync()

    assert {"u1@example.com": {"city": "Bern", "town": None}} == world.sent_fields
    assert "town" not in profile(world, 1)


def test_row_that_missed_a_rename_clears_both_older_names(duckdb_world: World) -> None:
    """The second rename came before the first had reached everybody."""
    world = duckdb_world
    world.put(*people(1, 2))
    world.sync()
    hold = Guards(max_changed=0, changed_floor=0)
    held = world.sync(fields=town(), guards=hold)

    world.sync(fields={"city": FieldSpec(name="place")})

    assert RunEnd.HELD is held.end
    # Iterable never got `town`: there is nothing to clear.
    assert {f"u{n}@example.com": {"place": "Bern", "city": None} for n in (1, 2)} == (
        world.sent_fields
    )


def test_guards_count_a_rename_as_any_back_fill(duckdb_world: World) -> None:
    """All rows change: the guard holds them, and nothing of it is sent."""
    world = duckdb_world
    world.put(*people(*range(5)))
    world.sync()
    hold = Guards(max_changed=0.5, changed_floor=4)

    report = world.sync(fields=town(), guards=hold)

    assert ({"max_changed": 5}, 0) == (report.held_by_guard, report.requests)
    assert "city" in profile(world, 1)


def test_back_fill_of_a_rename_goes_on_where_it_stopped(postgres_world: World) -> None:
    """Rows that the first run did not reach clear the old name in the second, the others do not."""
    world = postgres_world
    world.put(*people(1, 2, 3))
    world.sync()
    stop = {"now": False}
    client = world.connect(after=lambda n, _users: stop.update(now=n >= 1))
    world.sync(
        client=client,
        batch_rows=1,
        threads=1,
        fields=town(),
        options={"should_stop": lambda: stop["now"]},
    )
    sent = set(world.sent_fields)

    world.sync(fields=town())

    rest = {f"u{n}@example.com" for n in (1, 2, 3)} - sent
    assert rest
    assert {who: {"town": "Bern", "city": None} for who in rest} == world.sent_fields
    assert all("city" not in profile(world, n) for n in (1, 2, 3))


def test_who_comes_back_after_a_rename_loses_the_old_name(duckdb_world: World) -> None:
    """Nobody cleared it when they left; who stayed is not asked again."""
    world = duckdb_world
    world.put(*people(1, 2))
    world.sync()
    world.put(*people(1))
    world.sync()
    world.sync(fields=town())
    world.put(*people(1, city="Basel"), *people(2))

    world.sync(fields=town())

    assert {"town": "Basel"} == world.sent_fields["u1@example.com"]
    assert (None, "Bern") == tuple(
        world.sent_fields["u2@example.com"][name] for name in ("city", "town")
    )
    assert "city" not in profile(world, 2)
    assert set() == old_names_after(world)


def test_who_left_with_the_rename_loses_the_old_name_when_they_come_back(
    duckdb_world: World,
) -> None:
    """Nothing was sent when they left, so Iterable has the old name still."""
    world = duckdb_world
    world.put(*people(1, 2))
    world.sync()
    world.put(*people(1))
    world.sync(fields=town())
    world.put(*people(1, 2))

    world.sync(fields=town())

    assert "city" not in profile(world, 2)


def old_names_after(world: World) -> set[str]:
    world.sync(fields=town())
    return old_names(world)


def test_removal_clears_the_old_name_too(duckdb_world: World) -> None:
    """Of a row that left before its back-fill."""
    world = duckdb_world
    world.put(*people(1, 2))
    world.sync(on_remove="clear")
    world.put(*people(1))

    world.sync(on_remove="clear", fields=town())

    assert None is world.sent_fields["u2@example.com"]["city"]
    assert "city" not in profile(world, 2)


def test_row_without_an_answer_clears_the_old_name_again(duckdb_world: World) -> None:
    """In doubt is not renamed."""
    world = duckdb_world
    world.put(*people(1))
    world.sync()

    def lost(_n: int, _users: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        world.sync(client=world.connect(after=lost), fields=town())
    world.expire_leases()
    world.sync(fields=town())

    assert {"town": "Bern", "city": None}.items() <= world.sent_fields["u1@example.com"].items()


def test_bad_value_keeps_the_old_name(duckdb_world: World) -> None:
    """What cannot be sent under the new name is not taken away under the old one."""
    world = duckdb_world
    world.put(*people(1, 2))
    world.sync()
    world.put(("u1", "u1@example.com", "x" * 40_000, 2), *people(2))

    report = world.sync(fields=town())
    bad = profile(world, 1)
    world.put(*people(1, 2, city="Basel"))
    world.sync(fields=town())

    # The row was accepted without the field.
    assert (2, 1, 2) == (report.accepted, report.fields_rejected, bad["points"])
    assert ("Bern", False) == (bad["city"], "town" in bad)
    assert ("Basel", False) == (profile(world, 1)["town"], "city" in profile(world, 1))


def test_null_clears_the_old_name_by_its_policy(duckdb_world: World) -> None:
    """A NULL that clears leaves neither name; one that keeps leaves what Iterable has."""
    world = duckdb_world
    world.put(("u1", "u1@example.com", "Bern", 1))
    world.sync()
    world.put(("u1", "u1@example.com", None, 1))

    world.sync(fields=town(null=NullPolicy.CLEAR))

    assert {"u1@example.com": {"city": None}} == world.sent_fields
    assert {"town", "city"}.isdisjoint(profile(world, 1))


def test_old_name_stays_where_one_does_not_want_it_cleared(duckdb_world: World) -> None:
    world = duckdb_world
    world.put(*people(1))
    world.sync()

    world.sync(fields=town(), clear_renamed=False)
    world.sync(fields=town())

    assert ("Bern", "Bern") == (profile(world, 1)["city"], profile(world, 1)["town"])


def test_old_name_that_another_column_takes_is_not_cleared(duckdb_world: World) -> None:
    """Two columns change their names."""
    world = duckdb_world
    both = {"user_id": "text", "email": "text", "city": "text", "town": "text"}
    world.put(("u1", "u1@example.com", "Bern", "Old Town"), columns=both)
    world.sync()
    swapped = {"city": FieldSpec(name="town"), "town": FieldSpec(name="city")}

    world.sync(fields=swapped)

    assert ("Old Town", "Bern") == (profile(world, 1)["city"], profile(world, 1)["town"])


def test_old_name_that_another_sync_takes_is_not_cleared(duckdb_world: World) -> None:
    """The field has one owner, and it is not this sync any more."""
    world = duckdb_world
    world.put(*people(1))
    world.sync()
    hold = Guards(max_changed=0, changed_floor=0)
    world.sync(fields=town(), guards=hold)
    world.sync(sync="cities", sql=world.sql("user_id", "email", "city"))

    world.sync(fields=town())

    assert {"u1@example.com": {"town": "Bern"}} == world.sent_fields
    assert "Bern" == profile(world, 1)["city"]


def test_old_name_that_an_audience_brings_is_not_cleared(duckdb_world: World) -> None:
    """It is a value of that sync's rows, and no column."""
    world = duckdb_world
    world.put(*people(1))
    world.sync()
    world.write("INSERT INTO {claims} VALUES ('1.us', 'profile', 'city', 'City', 99, NULL)")

    world.sync(fields=town())

    assert {"u1@example.com": {"town": "Bern"}} == world.sent_fields


def test_old_part_of_an_object_is_cleared_within_it(duckdb_world: World) -> None:
    world = duckdb_world
    world.put(*people(1))
    world.sync(fields={"city": FieldSpec(name="address.city")})

    world.sync(fields={"city": FieldSpec(name="address.town")})

    assert {"town": "Bern"} == profile(world, 1)["address"]


def test_object_that_a_field_was_is_not_cleared_under_its_parts(duckdb_world: World) -> None:
    """It cannot be null and hold something in one request."""
    world = duckdb_world
    world.put(*people(1))
    world.sync(fields={"city": FieldSpec(name="home.city")})

    world.sync(fields={"city": FieldSpec(name="home.city.name")}, merge_nested_objects=True)

    assert world.client is not None
    first = world.client.bodies[0]["users"][0]
    assert {"home": {"city": {"name": "Bern"}}} == first["dataFields"]


@pytest.mark.parametrize("kind", [ProjectType.USER_ID, ProjectType.HYBRID])
def test_rename_is_the_same_in_every_project(duckdb_world: World, kind: ProjectType) -> None:
    world = duckdb_world.with_project(kind)
    world.put(*people(1))
    world.sync()

    world.sync(fields=town())

    (fields,) = world.users().values()
    assert ("Bern", False) == (fields["town"], "city" in fields)


def test_events_keep_the_names_that_they_were_sent_with(duckdb_world: World) -> None:
    """They are done with."""
    from event_world import event, sync, with_events

    world = with_events(duckdb_world, event(1))
    sync(world)

    again = sync(world, fields={"total": FieldSpec(name="sum")})

    assert 0 == again.requests


def test_dry_run_of_a_rename_counts_both_names(duckdb_world: World) -> None:
    """What it says of bytes is what a run sends, and the old name stays in mind."""
    world = duckdb_world
    world.put(*people(1))
    world.sync()

    told = world.sync(fields=town(), dry_run=True)
    without = world.sync(fields=town(), dry_run=True, clear_renamed=False)
    world.sync(fields=town())

    assert len(',"city":null') == told.bytes_sent - without.bytes_sent
    assert {"u1@example.com": {"town": "Bern", "city": None}} == world.sent_fields
