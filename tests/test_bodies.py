"""Fields are cut out of finished rows, and no digit of another field changes."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes import row
from iterable_sync.bodies import event_name, json_types, safe_first_values, without_fields
from iterable_sync.pilots import pilot_rows
from iterable_sync.rows import Payload

BIG = (
    b'{"email":"a@b.c","dataFields":{"id":9007199254740993,"exact":12345678901234567890.10,'
    b'"tiny":1e-320,"huge":123456789012345678901234567890,"zero":10.0,"minus":-0.0,'
    b'"bad":"x","list":[1.50,2],"name":"\xc3\xa9\\u0000\xf0\x9f\x98\x80"}}'
)


def payload(body: bytes, *fields: str) -> Payload:
    return Payload(1, "email:a@b.c", frozenset({"a@b.c"}), body, fields)


def test_no_digit_of_another_field_changes() -> None:
    cut = without_fields(payload(BIG, "bad", "id"), ["bad"])

    assert BIG.replace(b'"bad":"x",', b"") == cut.body
    assert ("id",) == cut.fields


def test_row_that_is_a_member_stays_one() -> None:
    """Items of catalogs are: their name is no field, and a name alone has none."""
    item = payload(b'"x--a-5f1":{"big":9007199254740993,"size":{"w":1.50},"bad":"x"}', "big", "bad")

    assert (
        b'"x--a-5f1":{"big":9007199254740993,"size":{"w":1.50}}'
        == without_fields(item, ["bad"]).body
    )
    assert frozenset({"double", "float", "half_float", "scaled_float"}) == json_types(
        item.body, "size.w"
    )
    assert (None, frozenset()) == (event_name(b'"x--a-5f1"'), json_types(b'"a"', "big"))


numbers = st.one_of(
    st.integers().map(str),
    st.decimals(allow_nan=False, allow_infinity=False).map(lambda d: format(d, "f")),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
)


@given(written=st.dictionaries(st.from_regex(r"[a-z]{1,5}", fullmatch=True), numbers))
def test_numbers_stay_as_they_were_written(written: dict[str, str]) -> None:
    written.pop("gone", None)
    members = ",".join(f'"{name}":{text}' for name, text in [*written.items(), ("gone", "1")])
    body = f'{{"email":"a@b.c","dataFields":{{{members}}}}}'.encode()

    cut = without_fields(payload(body, *written, "gone"), ["gone"])

    kept = json.loads(cut.body, parse_int=str, parse_float=str)["dataFields"]
    assert written == kept


@pytest.mark.parametrize(
    ("data", "field", "expected"),
    [
        pytest.param({"a": {"b": 1, "c": 2}}, "a.b", {"a": {"c": 2}}, id="nested"),
        pytest.param({"a.b": 1, "a": {"c": 2}}, "a.b", {"a": {"c": 2}}, id="dot in the name"),
        pytest.param({"a": {"b": 1}, "c": 2}, "a.b", {"c": 2}, id="last member of its object"),
        pytest.param({"a": {"b": {"c": 1}}}, "a.b.c", {}, id="last of all"),
        pytest.param({"a": {"b": 1}}, "a", {}, id="whole object"),
        pytest.param(
            {"a": {"b.c": {"d": 1, "e": 2}}}, "a.b.c.d", {"a": {"b.c": {"e": 2}}}, id="mixed"
        ),
        pytest.param({"a": 1}, "b", {"a": 1}, id="not there"),
        pytest.param({"a": 1}, "a.b", {"a": 1}, id="below a value"),
    ],
)
def test_a_field_is_found_where_dots_nest(data: dict, field: str, expected: dict) -> None:
    cut = without_fields(row(1, **data), [field])

    assert {"email": "u1@example.com", "dataFields": expected} == json.loads(cut.body)


def test_an_identifier_is_never_cut_out() -> None:
    inner = payload(b'{"email":"a@b.c","dataFields":{"email":"x","a":1}}', "email", "a")
    outer = payload(b'{"email":"a@b.c","dataFields":{"a":1}}', "a")

    assert b'{"email":"a@b.c","dataFields":{"a":1}}' == without_fields(inner, ["email"]).body
    assert outer.body == without_fields(outer, ["email"]).body


def test_a_row_that_cannot_be_written_anew_says_so() -> None:
    broken = payload(b'{"email":"a@b.c","dataFields":{"bad":1,"text":"\\ud800"}}', "bad")

    with pytest.raises(ValueError, match="cannot be written"):
        without_fields(broken, ["bad"])


@pytest.mark.parametrize(
    ("value", "has", "has_not"),
    [
        ("text", "string keyword", "date long"),
        ("2024-11-25", "string date", "long"),
        ("2024-11-25 13:37:19 +00:00", "date", "long"),
        ("2024-11-25T13:37:19Z", "date", "long"),
        (7, "long", "double string"),
        (7.0, "double", "long"),
        (True, "boolean", "long string"),
        ({"lat": 1}, "object geo_location", "long"),
        ([1], "long", "object"),
        (["a", 1], "long string", "object"),
        ([], "", "object long"),
        (None, "", "object string"),
    ],
)
def test_a_json_value_goes_by_the_names_of_iterables_types(
    value: object, has: str, has_not: str
) -> None:
    types = json_types(row(1, x=value).body, "x")

    assert set(has.split()) <= types
    assert not set(has_not.split()) & types


def test_first_values_that_tell_the_type() -> None:
    body = row(
        1,
        text="a",
        date="2024-01-01",
        number=0,
        empty=[],
        nulls=[None],
        deep={"a": {}},
        no=None,
        full={"a": [1]},
        flag=False,
    ).body

    safe = safe_first_values(
        body, ["text", "date", "number", "empty", "nulls", "deep", "no", "full", "flag", "absent"]
    )

    assert {"text", "number", "full", "flag"} == safe


def test_the_pilot_has_text_that_looks_like_no_date_if_there_is_one() -> None:
    rows = [row(0, note="2024-01-01"), row(1, note="2024-01-02"), row(2, note="hello"), row(3)]

    assert [2] == [one.seq for one in pilot_rows(rows, {"note"})]


def test_one_row_serves_several_fields() -> None:
    rows = [row(0, a=1), row(1, b=1), row(2, a=1, b=1, c=1), row(3, d=1)]

    assert [2, 3] == [one.seq for one in pilot_rows(rows, {"a", "b", "c", "d"})]


def test_a_column_of_dates_is_created_by_a_date() -> None:
    rows = [row(0), row(1, born="2024-01-01"), row(2, born="2024-01-02", plan="a")]

    assert {"born", "plan"} == {f for one in pilot_rows(rows, {"born", "plan"}) for f in one.fields}


def test_a_field_that_no_row_has_needs_no_pilot() -> None:
    assert [] == pilot_rows([row(0, a=None), row(1, b=1)], {"a"})


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('{"eventName":"Größe","dataFields":{"eventName":"x"}}'.encode(), "Größe"),
        (b'{"dataFields":{"eventName":"x"}}', None),
        (b'{"eventName":1}', None),
    ],
    ids=["its own", "a field of that name", "no text"],
)
def test_name_of_an_event_is_beside_its_fields(body: bytes, expected: str | None) -> None:
    assert expected == event_name(body)


def test_exactness_is_of_decimal_digits() -> None:
    cut = without_fields(payload(BIG, "bad"), ["bad"])

    kept = json.loads(cut.body, parse_float=Decimal)["dataFields"]
    assert (9007199254740993, Decimal("12345678901234567890.10")) == (kept["id"], kept["exact"])
