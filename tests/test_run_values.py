"""Values end to end: phones, places, zips, what a row needs, and the number of fields."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from harness import people
from iterable_sync.errors import ConfigError
from iterable_sync.rows import ProjectType
from iterable_sync.spec import FieldSpec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness import World

ID = {"user_id": "text", "email": "text"}
PHONE = {**ID, "phone_number": "text", "city": "text"}
HALVES = {**ID, "home_geo_location__lat": "double precision", "home_geo_location__lon": "bigint"}
IDENTIFIED = {
    **ID,
    "first_name": "text",
    "last_name": "text",
    "phone_number": "text",
    "date_of_birth": "date",
    "zip_code": "integer",
}


def row(number: int, *values: Any) -> Sequence[Any]:
    return (f"u{number}", f"u{number}@example.com", *values)


def field(world: World, number: int, name: str) -> Any:
    return world.users()[f"u{number}@example.com"].get(name)


# -- phones --------------------------------------------------------------------------------------


@pytest.mark.capability("A30")
def test_bad_phone_is_rejected_and_its_row_goes(world: World) -> None:
    """The number that Iterable has stays until there is a right one, or none."""
    phone = {"fields": {"phone_number": FieldSpec(name="phoneNumber", type="phone")}}
    world.put(row(1, "(415) 867-5309", "Bern"), row(2, "n/a", "Bern"), columns=PHONE)

    world.sync(**phone, phone_region="US")
    first = field(world, 1, "phoneNumber"), field(world, 2, "phoneNumber"), field(world, 2, "city")
    refused = world.rejections()
    world.put(row(1, "12", "Basel"), row(2, "+41446681800", "Bern"))
    world.sync(**phone, phone_region="US")
    second = field(world, 1, "phoneNumber"), field(world, 1, "city"), field(world, 2, "phoneNumber")
    world.put(row(1, None, "Basel"), row(2, None, "Bern"))
    world.sync(**phone, phone_region="US")

    assert ("+14158675309", None, "Bern") == first
    assert {("u2", "phone_number", "invalid_phone")} == {
        (key.strip('"[]'), *rest) for key, *rest in refused
    }
    assert ("+14158675309", "Basel", "+41446681800") == second
    assert (None, None) == (field(world, 1, "phoneNumber"), field(world, 2, "phoneNumber"))
    assert set() == world.rejections()


def test_another_region_sends_the_numbers_again(duckdb_world: World) -> None:
    """The same text is another number, and one that was refused may be right."""
    world = duckdb_world
    phone = {"fields": {"phone_number": FieldSpec(type="phone")}}
    world.put(row(1, "044 668 18 00", "Bern"), row(2, "+14158675309", "Bern"), columns=PHONE)
    world.sync(**phone)

    world.sync(**phone, phone_region="CH")

    assert {"u1@example.com", "u2@example.com"} == world.sent_fields.keys()
    assert "+41446681800" == field(world, 1, "phone_number")


# -- well-known names ----------------------------------------------------------------------------


@pytest.mark.capability("B14")
def test_switch_of_well_known_names_sends_them_with_their_types(world: World) -> None:
    """Names, a phone, a day and a zip, each as Iterable has it."""
    world.put(
        row(1, "Ana", "Li", "415-867-5309", "1990-02-01", 8001),
        row(2, "Bo", None, "?", None, None),
        columns=IDENTIFIED,
    )

    world.sync(identify_names=True, phone_region="US")

    assert {
        "email": "u1@example.com",
        "userId": "u1",
        "firstName": "Ana",
        "lastName": "Li",
        "phoneNumber": "+14158675309",
        "dateOfBirth": "1990-02-01",
        "zipCode": "8001",
    } == {
        name: str(value).removesuffix(" 00:00:00 +00:00")
        for name, value in world.users()["u1@example.com"].items()
    }
    assert {"firstName": "Bo"} == world.sent_fields["u2@example.com"]


def test_columns_that_become_one_field_stop_the_run(duckdb_world: World) -> None:
    world = duckdb_world
    world.put(row(1, "Ana", "Ana"), columns={**ID, "firstName": "text", "first_name": "text"})

    with pytest.raises(ConfigError, match="of the columns 'firstName' and 'first_name'"):
        world.sync(naming="camel")

    assert 0 == world.writes()


@pytest.mark.capability("B19")
@pytest.mark.parametrize("kind", ["text", "bigint", "numeric(12,0)"])
def test_zip_is_a_text_from_the_first_value_on(world: World, kind: str) -> None:
    """Whoever sends 8001 as a number first can never send 00501."""
    world.put(row(1, "8001" if kind == "text" else 8001), columns={**ID, "zip": kind})
    world.sync()
    world.put(row(1, "00501"), columns={**ID, "zip": "text"})

    world.sync(sql=world.sql() + " -- text now")

    assert "00501" == field(world, 1, "zip")


# -- places --------------------------------------------------------------------------------------


def test_two_columns_are_one_place(world: World) -> None:
    """Sent together, even where one of the two changed; cleared where both are NULL."""
    world.put(row(1, 47.5, 8), row(2, 91.0, 8), row(3, 47.5, None), columns=HALVES)

    world.sync()
    first = field(world, 1, "home_geo_location")
    refused = {(column, reason) for _, column, reason in world.rejections()}
    absent = [field(world, n, "home_geo_location") for n in (2, 3)]
    world.put(row(1, 48.5, 8), row(2, 89.0, 8), row(3, 47.5, 9))
    world.sync()
    second = dict(world.sent_fields)
    world.put(row(1, None, None), row(2, 89.0, 8), row(3, 47.5, 9))
    world.sync()

    assert {"lat": 47.5, "lon": 8} == first
    assert {
        ("home_geo_location__lat", "invalid_geo_location"),
        ("home_geo_location__lon", "invalid_geo_location"),
    } == refused
    assert [None, None] == absent
    assert {
        f"u{n}@example.com": {"home_geo_location": {"lat": lat, "lon": lon}}
        for n, lat, lon in ((1, 48.5, 8.0), (2, 89.0, 8.0), (3, 47.5, 9.0))
    } == second
    assert {"u1@example.com": {"home_geo_location": None}} == world.sent_fields
    assert None is field(world, 1, "home_geo_location")


def test_place_is_known_to_iterable_as_one(duckdb_world: World) -> None:
    """It is no object of two numbers, and no new field in each request."""
    world = duckdb_world
    world.put(*(row(n, 47.5, n) for n in range(1, 6)), columns=HALVES)

    first = world.sync(batch_rows=1)

    assert {"geo_location"} == {
        kind for name, kind in world.connect().known_fields().items() if name.startswith("home_geo")
    }
    assert ["home_geo_location"] == [name for name in first.new_fields if name != "userId"]


def test_place_of_json_is_sent_as_it_is(duckdb_world: World) -> None:
    """From a text column as well; what is no place costs its field alone."""
    world = duckdb_world
    columns = {**ID, "city": "text", "at_geo_location": "text"}
    world.put(
        row(1, "Bern", '{"lat":46.9480,"lon":7.4474}'),
        row(2, "Bern", '{"lat":46.9480,"lng":7.4474}'),
        row(3, "Bern", "46.9, 7.4"),
        columns=columns,
    )

    world.sync()

    assert {"lat": 46.948, "lon": 7.4474} == field(world, 1, "at_geo_location")
    assert ["Bern", "Bern"] == [field(world, n, "city") for n in (2, 3)]
    assert {("at_geo_location", "invalid_geo_location")} == {
        (column, reason) for _, column, reason in world.rejections()
    }


def test_place_that_iterable_has_is_no_new_field(duckdb_world: World) -> None:
    """Where new fields are a failure, its two columns are not asked for one by one."""
    world = duckdb_world
    world.put(row(1, 47.5, 8), columns=HALVES)
    with pytest.raises(ConfigError, match="not known to the Iterable project: home_geo_location;"):
        world.sync(new_fields="fail")
    world.sync()
    world.put(row(1, 48.5, 8))

    report = world.sync(new_fields="fail")

    assert (1, []) == (report.accepted, report.new_fields)


def test_place_that_iterable_holds_as_another_type_is_rejected(duckdb_world: World) -> None:
    """For ever, and once."""
    world = duckdb_world
    seed = {"email": "u9@example.com", "dataFields": {"home_geo_location": 7}}
    world.connect().send("POST", "/api/users/bulkUpdate", json.dumps({"users": [seed]}).encode())
    world.put(row(1, 47.5, 8), columns=HALVES)

    world.sync()
    again = world.sync()

    assert ("wrong_type", 0) == (world.rejections().pop()[2], again.requests)


def test_half_of_a_place_alone_stops_the_run(duckdb_world: World) -> None:
    world = duckdb_world
    world.put(row(1, 47.5, 8), columns=HALVES)

    with pytest.raises(ConfigError, match="exactly the parts 'lat' and 'lon'; the model gives lat"):
        world.sync(exclude="home_geo_location__lon")


def test_place_of_an_event_is_one(duckdb_world: World) -> None:
    from event_world import COLUMNS, ago, arrived, put, sync, with_events

    world = with_events(duckdb_world)
    columns = {**COLUMNS, "at_geo_location__lat": "double", "at_geo_location__lon": "double"}
    put(world, (1, "u1", ago(0), 5, 47.5, 8.5), (2, "u1", ago(0), 5, 47.5, None), columns=columns)

    sync(world)

    assert [{"lat": 47.5, "lon": 8.5}, None] == [
        event["dataFields"].get("at_geo_location") for event in arrived(world)
    ]


# -- what a row needs ----------------------------------------------------------------------------


@pytest.mark.capability("C2")
def test_row_without_a_required_field_is_rejected_until_it_has_it(world: World) -> None:
    """Visibly, with a reason; what Iterable has of it stays."""
    required = {"required": ["city"]}
    world.put(("u1", "u1@example.com", "Bern", 1), ("u2", "u2@example.com", None, 1))

    first = world.sync(**required)
    again = world.sync(**required)
    world.put(("u1", "u1@example.com", None, 2), ("u2", "u2@example.com", "Basel", 1))
    world.sync(**required)
    free = world.sync()

    assert ({"missing_required": 1}, 1) == (first.rejected_by_reason, first.accepted)
    assert (1, 0) == (again.still_rejected, again.requests)
    assert ("Basel", 1) == (field(world, 2, "city"), free.accepted)
    assert (None, 2) == (field(world, 1, "city"), field(world, 1, "points"))


@pytest.mark.capability("B7", "C2")
def test_required_identity_waits_for_it(duckdb_world: World) -> None:
    """A preset that wants an e-mail rejects who has none, in a project that does not need it."""
    world = duckdb_world.with_project(ProjectType.HYBRID)
    world.put(("u1", None, "Bern", 1), ("u2", "u2@example.com", "Bern", 1))

    first = world.sync(preset="seg")
    world.put(("u1", "u1@example.com", "Bern", 1), ("u2", "u2@example.com", "Bern", 1))
    second = world.sync(preset="seg")

    assert ({"missing_required": 1}, 1) == (first.rejected_by_reason, first.accepted)
    assert (1, 2) == (second.accepted, len(world.users()))


def test_required_field_of_an_event(duckdb_world: World) -> None:
    from event_world import ago, arrived, put, sync, with_events

    world = with_events(duckdb_world)
    put(world, (1, "u1", ago(0), None), (2, "u1", ago(0), 5))

    report = sync(world, required="total")

    assert [2] == [event["dataFields"]["id"] for event in arrived(world)]
    assert {"missing_required": 1} == report.rejected_by_reason


# -- how many fields there are -------------------------------------------------------------------


@pytest.mark.parametrize(("more", "is_noted"), [(-1, False), (0, True)], ids=["899", "900"])
def test_project_with_many_fields_is_told_once(
    duckdb_world: World, more: int, *, is_noted: bool
) -> None:
    """Those that the run adds are counted, and the limit is said."""
    world = duckdb_world
    listed = len(world.connect().known_fields())
    # `city` and `points` are new; userId may be listed already.
    fields = 900 + more - listed - 2 - ("userId" not in world.connect().known_fields())
    world.put(*people(0), columns=None)
    given = {f"f{n}": 1 for n in range(fields)}
    body = {"users": [{"email": "x@example.com", "dataFields": given}]}
    world.connect().send("POST", "/api/users/bulkUpdate", json.dumps(body).encode())
    world.put(*people(1, 2))

    told = world.sync(dry_run=True)
    report = world.sync(batch_rows=1)

    for notes in (told.notes, report.notes):
        found = [note for note in notes if "of 1000 that Iterable allows" in note]
        assert int(is_noted) == len(found)
        assert all(f"has {900 + more} fields" in note for note in found)


# -- ids -----------------------------------------------------------------------------------------


@pytest.mark.capability("A14")
def test_id_of_an_event_is_its_key_where_that_is_asked_for(world: World) -> None:
    """And a UUID of two syncs and tables where not: both have a row 7."""
    from event_world import arrived, event, sync, with_events

    with_events(world, event(7))
    sync(world, row_id="key")
    sync(world, sync="others")

    ids = {row["id"] for row in arrived(world)}

    assert "7" in ids
    assert (2, [36]) == (len(ids), [len(one) for one in ids - {"7"}])


def test_field_beyond_the_limit_costs_no_row(duckdb_world: World) -> None:
    """The row goes without what the project has no room for."""
    world = duckdb_world
    world.put(*people(1))
    world.change(max_user_fields=1)

    report = world.sync()

    assert (1, 2) == (report.accepted, report.fields_rejected)
    assert {"field_not_created"} == {reason for _, _, reason in world.rejections()}
