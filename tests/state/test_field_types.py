"""Which type a field gets from its declaration, its column and its name."""

from __future__ import annotations

from typing import Any

import pytest

from iterable_sync.errors import ConfigError
from iterable_sync.rows import Column, WireType
from iterable_sync.spec import SyncSpec
from iterable_sync.state import DuckDBSource
from iterable_sync.state.columns import understand
from iterable_sync.state.dialects.base import SourceColumn
from iterable_sync.state.dialects.duckdb_dialect import DuckDBDialect


class Described(DuckDBSource):
    """A source of one column beside the identity, described by a test; no file is opened."""

    def __init__(self, **types: str) -> None:
        super().__init__("x")
        self.types = {"user_id": "VARCHAR", **types}

    def columns(self, sql: str) -> list[SourceColumn]:
        return [SourceColumn(*pair) for pair in self.types.items()]


def columns(types: dict[str, str], **changes: Any) -> dict[str, Column]:
    source = Described(**types)
    names = ", ".join(f'"{name}"' for name in source.types)
    spec = {"sync": "s", "object": "users", "key": "user_id", "sql": f"SELECT {names} FROM t"}
    made = understand(SyncSpec(**spec | changes), source, DuckDBDialect())
    return {column.name: column for column in made.columns}


def wire(name: str, kind: str, **changes: Any) -> WireType:
    return columns({name: kind}, **changes)[name].wire


@pytest.mark.parametrize("name", ["zip", "ZIP_CODE", "postal_code", "postcode", "phone_number"])
@pytest.mark.parametrize("kind", ["INTEGER", "BIGINT", "HUGEINT", "DECIMAL(10,0)"])
def test_zips_and_phones_are_texts_whatever_their_column_is(name: str, kind: str) -> None:
    """A number has no zeros in front, and such a field can never become a text again."""
    assert WireType.STRING is wire(name, kind)
    assert WireType.STRING is wire(f"home__{name}", kind)


@pytest.mark.parametrize("name", ["zip_count", "zips", "has_phone", "phones", "unzip"])
def test_names_that_only_sound_alike_are_numbers(name: str) -> None:
    assert WireType.LONG is wire(name, "BIGINT")


def test_declared_type_of_a_zip_wins() -> None:
    assert WireType.LONG is wire("zip", "BIGINT", fields={"zip": {"type": "long"}})
    assert WireType.STRING is wire("area", "BIGINT", fields={"area": {"type": "string"}})


def test_zip_with_a_fraction_is_an_error() -> None:
    """`501.0` is no zip: a NULL made the column a float on its way into the warehouse."""
    with pytest.raises(
        ConfigError, match="column 'zip' is a DOUBLE, and zips and phones are texts"
    ):
        wire("zip", "DOUBLE")


@pytest.mark.parametrize("kind", ["VARCHAR", "JSON", "STRUCT(lat DOUBLE, lon DOUBLE)"])
def test_place_is_json_whether_the_engine_knows_it_or_not(kind: str) -> None:
    assert WireType.JSON is wire("home_geo_location", kind)


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("DOUBLE", {}),
        ("DATE", {}),
        ("VARCHAR", {"fields": {"home_geo_location": {"type": "string"}}}),
    ],
)
def test_place_that_cannot_be_one_is_an_error(kind: str, changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"'home_geo_location' is a place.*__lat' and"):
        wire("home_geo_location", kind, **changes)


@pytest.mark.parametrize("kind", ["DOUBLE", "BIGINT", "DECIMAL(9,6)", "VARCHAR"])
def test_halves_of_a_place_are_numbers(kind: str) -> None:
    found = columns({"at_geo_location__lat": kind, "at_geo_location__lon": "DOUBLE"})

    assert WireType.DOUBLE is found["at_geo_location__lat"].wire


def test_half_of_a_place_has_no_other_type() -> None:
    fields = {"at_geo_location__lat": {"type": "string"}}

    with pytest.raises(ConfigError, match="a part of a place, and a number"):
        columns({"at_geo_location__lat": "VARCHAR"}, fields=fields)
    with pytest.raises(ConfigError, match="cannot be sent as double"):
        columns({"at_geo_location__lat": "BOOLEAN"})


@pytest.mark.capability("B18")
@pytest.mark.parametrize("kind", ["TIMESTAMP WITH TIME ZONE", "TIMESTAMP"])
def test_day_of_birth_is_no_time(kind: str) -> None:
    """Which day it is depends on a zone, and the declaration says day."""
    with pytest.raises(ConfigError, match="which day a time is on depends on the zone"):
        wire("date_of_birth", kind, identify_names=True, timezone="UTC")
    assert WireType.DATE is wire("date_of_birth", "DATE", identify_names=True)
    assert WireType.DATE is wire("date_of_birth", "VARCHAR", identify_names=True)


@pytest.mark.capability("A37")
def test_phone_has_the_region_of_the_sync() -> None:
    """Only a phone: another region gives another number for the same text."""
    fields = {"mobile": {"type": "phone"}}

    found = columns({"mobile": "VARCHAR", "city": "VARCHAR"}, fields=fields, phone_region="CH")

    assert [None, "CH", None] == [column.region for column in found.values()]
    assert None is columns({"mobile": "VARCHAR"}, fields=fields)["mobile"].region


def test_region_without_a_phone_is_an_error() -> None:
    with pytest.raises(ConfigError, match="phone_region='CH' is given, and no field is a phone"):
        columns({"phone": "VARCHAR"}, phone_region="CH")


def test_region_that_is_no_country_is_found_before_staging() -> None:
    with pytest.raises(ConfigError, match="phone_region='XX' is no country"):
        columns({"phone": "VARCHAR"}, fields={"phone": {"type": "phone"}}, phone_region="XX")


def test_required_fields_are_named_as_iterable_has_them() -> None:
    fields = {"city": {"name": "home.town"}}

    found = columns({"city": "VARCHAR", "zip": "VARCHAR"}, fields=fields, required="home.town")

    assert ["city"] == [name for name, column in found.items() if column.is_required]
    assert columns({"city": "VARCHAR"}, required=["userId"])["user_id"].is_required


def test_required_field_that_is_not_there_is_an_error() -> None:
    """Every row would be rejected."""
    with pytest.raises(ConfigError, match=r"does not have: total; it has city, userId"):
        columns({"city": "VARCHAR"}, required=("city", "total"))


def test_columns_that_become_one_field_are_both_named() -> None:
    from iterable_sync.names import check

    found = columns({"First Name": "VARCHAR", "first_name": "VARCHAR"}, naming="snake")

    with pytest.raises(ConfigError, match=r"same field, of the columns 'First Name' and 'first_n"):
        check(found.values(), merge_nested_objects=True)
