from __future__ import annotations

import json
import math
import re
from decimal import Decimal
from typing import Any

import orjson
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iterable_sync.errors import ConfigError
from iterable_sync.rows import StateType, WireType
from iterable_sync.values import MAX_CHARACTERS, Rendered, can_become, escape, render
from iterable_sync.values.columns import Refused, Step, apply
from iterable_sync.values.conversions import CASTS, NEVER, STEPS

S, W = StateType, WireType
ARROW = {
    S.BIGINT: pa.int64(),
    S.DOUBLE: pa.float64(),
    S.BOOLEAN: pa.bool_(),
    S.TEXT: pa.string(),
    S.DECIMAL: pa.decimal128(38, 4),
}
LETTERS = st.characters(codec="utf-8")


def render_one(
    value: Any, state: StateType, wire: WireType, known: str | dict[str, str] | None = None
) -> Rendered:
    types = known if isinstance(known, dict) else {"f": known} if known else {}
    return render(pa.array([value], ARROW[state]), state, wire, "f", types)


def sent(*args: Any) -> str | None:
    """Give the JSON of one value, or the reason in angle brackets."""
    rendered = render_one(*args)
    return f"<{rendered.bad[0]}>" if rendered.bad else rendered.text[0].as_py()


@pytest.mark.capability("B22", "B25")
@pytest.mark.parametrize(
    ("value", "state", "wire", "expected"),
    [
        pytest.param(9007199254740993, S.BIGINT, W.LONG, "9007199254740993", id="beyond a double"),
        pytest.param(-(2**63), S.BIGINT, W.LONG, "-9223372036854775808", id="least long"),
        pytest.param("9223372036854775807", S.TEXT, W.LONG, "9223372036854775807", id="2^63 - 1"),
        pytest.param("9223372036854775808", S.TEXT, W.LONG, "<out_of_range_long>", id="2^63"),
        pytest.param("-9223372036854775809", S.TEXT, W.LONG, "<out_of_range_long>", id="-2^63 - 1"),
        pytest.param("9" * 5000, S.TEXT, W.LONG, "<out_of_range_long>", id="5,000 digits"),
        pytest.param("0", S.TEXT, W.LONG, "0", id="zero"),
        pytest.param("-0", S.TEXT, W.LONG, "0", id="minus zero as long"),
        pytest.param("00501", S.TEXT, W.LONG, "<invalid_number>", id="leading zeros"),
        pytest.param("+5", S.TEXT, W.LONG, "<invalid_number>", id="plus"),
        pytest.param("5\n", S.TEXT, W.LONG, "<invalid_number>", id="newline after a number"),
        pytest.param("NaN", S.TEXT, W.LONG, "<not_finite>", id="NaN in numeric(p, 0)"),
        pytest.param(10, S.BIGINT, W.DOUBLE, "10.0", id="long declared a double"),
        pytest.param(501, S.BIGINT, W.STRING, '"501"', id="long declared a string"),
        pytest.param(10.0, S.DOUBLE, W.DOUBLE, "10.0", id="whole double"),
        pytest.param(0.1, S.DOUBLE, W.DOUBLE, "0.1", id="shortest digits"),
        pytest.param(-0.0, S.DOUBLE, W.DOUBLE, "-0.0", id="minus zero"),
        pytest.param(1e20, S.DOUBLE, W.DOUBLE, "1.0e+20", id="exponent with a fraction"),
        pytest.param(5e-324, S.DOUBLE, W.DOUBLE, "5.0e-324", id="least double"),
        pytest.param(math.nan, S.DOUBLE, W.DOUBLE, "<not_finite>", id="NaN"),
        pytest.param(math.inf, S.DOUBLE, W.DOUBLE, "<not_finite>", id="infinity"),
        pytest.param(-math.inf, S.DOUBLE, W.DOUBLE, "<not_finite>", id="minus infinity"),
        pytest.param(3.0, S.DOUBLE, W.LONG, "3", id="whole double declared a long"),
        pytest.param(1e18, S.DOUBLE, W.LONG, "1000000000000000000", id="large whole double"),
        pytest.param(3.5, S.DOUBLE, W.LONG, "<wrong_type>", id="3.5 is no long"),
        pytest.param(Decimal("19.9000"), S.DECIMAL, W.DOUBLE, "19.9", id="zeros at the end"),
        pytest.param(
            Decimal("100.0000"), S.DECIMAL, W.DOUBLE, "100.0", id="zeros before the point"
        ),
        pytest.param(Decimal("0.0000"), S.DECIMAL, W.DOUBLE, "0.0", id="decimal zero"),
        pytest.param(
            Decimal("1234567890123456789012345678901234.5678"),
            S.DECIMAL,
            W.DOUBLE,
            "1234567890123456789012345678901234.5678",
            id="38 digits",
        ),
        pytest.param(
            "12345678901234567890.123", S.TEXT, W.DOUBLE, "12345678901234567890.123", id="n"
        ),
        pytest.param("10", S.TEXT, W.DOUBLE, "10.0", id="numeric text without a fraction"),
        pytest.param("1E-10", S.TEXT, W.DOUBLE, "1.0E-10", id="numeric text with an exponent"),
        pytest.param("1e400", S.TEXT, W.DOUBLE, "<out_of_range_double>", id="beyond any double"),
        pytest.param("9" * 400, S.TEXT, W.DOUBLE, "<out_of_range_double>", id="400 digits"),
        pytest.param("NaN", S.TEXT, W.DOUBLE, "<not_finite>", id="numeric NaN"),
        pytest.param("-Infinity", S.TEXT, W.DOUBLE, "<not_finite>", id="numeric -Infinity"),
        pytest.param("1,5", S.TEXT, W.DOUBLE, "<invalid_number>", id="decimal comma"),
        pytest.param(".5", S.TEXT, W.DOUBLE, "<invalid_number>", id="no digit before the point"),
        pytest.param(True, S.BOOLEAN, W.BOOLEAN, "true", id="boolean"),
        pytest.param("False", S.TEXT, W.BOOLEAN, "false", id="boolean text"),
        pytest.param("1", S.TEXT, W.BOOLEAN, "<invalid_boolean>", id="1 is no boolean"),
        pytest.param("2024-11-25", S.TEXT, W.DATE, '"2024-11-25"', id="date"),
        pytest.param("2024-02-29", S.TEXT, W.DATE, '"2024-02-29"', id="leap day"),
        pytest.param("2023-02-29", S.TEXT, W.DATE, "<invalid_date>", id="no leap day"),
        pytest.param("2024-04-31", S.TEXT, W.DATE, "<invalid_date>", id="31 April"),
        pytest.param("0001-01-01", S.TEXT, W.DATE, '"0001-01-01"', id="first day"),
        pytest.param("9999-12-31", S.TEXT, W.DATE, '"9999-12-31"', id="last day"),
        pytest.param("0000-12-31", S.TEXT, W.DATE, "<invalid_date>", id="year 0"),
        pytest.param("20000-01-01", S.TEXT, W.DATE, "<invalid_date>", id="year 20000"),
        pytest.param("infinity", S.TEXT, W.DATE, "<invalid_date>", id="infinite date"),
        pytest.param("0044-03-15 BC", S.TEXT, W.DATE, "<invalid_date>", id="BC"),
        pytest.param(
            "2024-11-25 13:37:19.039000+00:00",
            S.TEXT,
            W.DATETIME,
            '"2024-11-25 13:37:19 +00:00"',
            id="the fraction of a second goes",
        ),
        pytest.param(
            "2024-11-25 13:37:19+00:00",
            S.TEXT,
            W.DATETIME,
            '"2024-11-25 13:37:19 +00:00"',
            id="no fraction",
        ),
        pytest.param(
            "0001-01-01 00:00:00+00:00",
            S.TEXT,
            W.DATETIME,
            '"0001-01-01 00:00:00 +00:00"',
            id="first moment",
        ),
        pytest.param("infinity", S.TEXT, W.DATETIME, "<invalid_datetime>", id="infinite time"),
        pytest.param(
            "0044-03-15 12:00:00+00:00 BC", S.TEXT, W.DATETIME, "<invalid_datetime>", id="time BC"
        ),
        pytest.param(
            "20000-01-01 00:00:00+00:00", S.TEXT, W.DATETIME, "<invalid_datetime>", id="far time"
        ),
        pytest.param(
            "2024-11-25 24:00:00+00:00", S.TEXT, W.DATETIME, "<invalid_datetime>", id="24 o'clock"
        ),
        pytest.param(
            "2023-02-29 10:00:00+00:00", S.TEXT, W.DATETIME, "<invalid_datetime>", id="no such day"
        ),
        pytest.param("2024-11-25T13:37:19Z", S.TEXT, W.DATETIME, "<invalid_datetime>", id="no ms"),
        pytest.param("Zoë 👩‍👩‍👧", S.TEXT, W.STRING, '"Zoë 👩‍👩‍👧"', id="text"),
        pytest.param('a"b\\c\n\t', S.TEXT, W.STRING, '"a\\"b\\\\c\\n\\t"', id="escapes"),
        pytest.param("", S.TEXT, W.STRING, '""', id="empty text is a value"),
        pytest.param("a\0b", S.TEXT, W.STRING, "<nul_character>", id="NUL"),
        pytest.param("x" * (MAX_CHARACTERS + 1), S.TEXT, W.STRING, "<too_long>", id="limit + 1"),
        pytest.param("00501", S.TEXT, W.STRING, '"00501"', id="text that looks like a number"),
        pytest.param('{"id":12345678901234567890123}', S.TEXT, W.JSON, None, id="digits in JSON"),
        pytest.param('{"a": [1, {"b": null}]}', S.TEXT, W.JSON, None, id="JSON as it is"),
        pytest.param("{'a': 1}", S.TEXT, W.JSON, "<invalid_json>", id="no JSON"),
        pytest.param('{"a": NaN}', S.TEXT, W.JSON, "<invalid_json>", id="NaN in JSON"),
        pytest.param('{"a":1}]},{"b":[1', S.TEXT, W.JSON, "<invalid_json>", id="breaks out"),
        pytest.param('"\\ud800"', S.TEXT, W.JSON, "<invalid_json>", id="lone surrogate in JSON"),
        pytest.param('"a\\u0000"', S.TEXT, W.JSON, "<nul_character>", id="NUL in JSON"),
        pytest.param('"a\\\\u0000"', S.TEXT, W.JSON, None, id="backslash before u0000"),
        pytest.param("[" * 1000 + "]" * 1000, S.TEXT, W.JSON, None, id="1,000 levels"),
    ],
)
def test_value_becomes_json(value: Any, state: StateType, wire: WireType, expected: Any) -> None:
    """Each value has one JSON form, or a reason why it has none."""
    assert sent(value, state, wire) == (value if expected is None else expected)


@pytest.mark.parametrize(
    ("value", "state", "wire", "known", "expected"),
    [
        pytest.param(10, S.BIGINT, W.LONG, "double", "10.0", id="long to double"),
        pytest.param(10, S.BIGINT, W.LONG, "string", '"10"', id="long to string"),
        pytest.param(1, S.BIGINT, W.LONG, "boolean", "<wrong_type>", id="1 to boolean"),
        pytest.param(1732541839, S.BIGINT, W.LONG, "date", "<wrong_type>", id="seconds to date"),
        pytest.param(7.0, S.DOUBLE, W.DOUBLE, "long", "7", id="whole double to long"),
        pytest.param(7.5, S.DOUBLE, W.DOUBLE, "long", "<wrong_type>", id="7.5 to long"),
        pytest.param(1e19, S.DOUBLE, W.DOUBLE, "long", "<wrong_type>", id="1e19 to long"),
        pytest.param(7.5, S.DOUBLE, W.DOUBLE, "string", '"7.5"', id="double to string"),
        pytest.param(Decimal("7.0000"), S.DECIMAL, W.DOUBLE, "long", "7", id="decimal to long"),
        pytest.param(Decimal("7.1000"), S.DECIMAL, W.DOUBLE, "string", '"7.1"', id="to string"),
        pytest.param(True, S.BOOLEAN, W.BOOLEAN, "string", '"true"', id="boolean to string"),
        pytest.param(True, S.BOOLEAN, W.BOOLEAN, "long", "<wrong_type>", id="true to long"),
        pytest.param("42", S.TEXT, W.STRING, "long", "42", id="text to long"),
        pytest.param("042", S.TEXT, W.STRING, "long", "<wrong_type>", id="a code to long"),
        pytest.param("19.90", S.TEXT, W.STRING, "double", "19.9", id="text to double"),
        pytest.param("n/a", S.TEXT, W.STRING, "double", "<wrong_type>", id="words to double"),
        pytest.param("true", S.TEXT, W.STRING, "boolean", "true", id="text to boolean"),
        pytest.param("yes", S.TEXT, W.STRING, "boolean", "<wrong_type>", id="yes to boolean"),
        pytest.param("x", S.TEXT, W.STRING, "object", "<wrong_type>", id="text to object"),
        pytest.param("x", S.TEXT, W.STRING, "a new type", '"x"', id="a type we do not know"),
        pytest.param("2024-11-25", S.TEXT, W.DATE, "date", '"2024-11-25"', id="date to date"),
        pytest.param("2024-11-25", S.TEXT, W.DATE, "string", '"2024-11-25"', id="date to string"),
        pytest.param("2024-11-25", S.TEXT, W.DATE, "long", "<wrong_type>", id="date to long"),
        pytest.param("2023-02-29", S.TEXT, W.DATE, "date", "<invalid_date>", id="first reason"),
        pytest.param('{"a":1}', S.TEXT, W.JSON, "string", "<wrong_type>", id="object to string"),
        pytest.param('"a"', S.TEXT, W.JSON, "string", '"a"', id="JSON text to string"),
        pytest.param("[1,2]", S.TEXT, W.JSON, "long", "[1,2]", id="list to its element type"),
        pytest.param('[1,"2"]', S.TEXT, W.JSON, "long", "<wrong_type>", id="list of two types"),
    ],
)
def test_value_is_cast_to_the_known_type(
    value: Any, state: StateType, wire: WireType, known: str, expected: str
) -> None:
    """A value is cast to the type that Iterable holds where nothing is lost, and never guessed."""
    assert sent(value, state, wire, known) == expected


@pytest.mark.capability("B23", "B24", "B26")
@pytest.mark.parametrize(
    ("text", "is_date"),
    [
        ("2024-11-25", True),
        ("2024-11-25 13:37:19", True),
        ("2024-11-25 13:37:19 +00:00", True),
        ("2024-11-25T13:37:19.039+00:00", True),
        ("2024-11-25T13:37:19.039Z", True),
        ("2024-11-25T13:37:19Z", False),
        ("2024-11-25 13:37:19.039", False),
        ("2024-11-25T13:37:19", False),
        ("25.11.2024", False),
        ("2024-02-30", False),
    ],
)
def test_text_is_a_date_where_iterable_takes_it_for_one(text: str, is_date: bool) -> None:
    """Text goes into a date field in the five forms that Iterable reads."""
    expected = f'"{text}"' if is_date else "<wrong_type>"

    assert sent(text, S.TEXT, W.STRING, "date") == expected
    assert sent(f'"{text}"', S.TEXT, W.JSON, "date") == expected


@pytest.mark.parametrize("length", [MAX_CHARACTERS - 1, MAX_CHARACTERS])
@pytest.mark.parametrize("letter", ["x", "é", "👍"])
def test_text_up_to_the_limit_is_sent(length: int, letter: str) -> None:
    """The limit is of characters, not of bytes."""
    assert sent(letter * length, S.TEXT, W.STRING) == f'"{letter * length}"'
    assert sent(f'"{letter * length}"', S.TEXT, W.JSON) == f'"{letter * length}"'


def test_long_text_inside_json_is_refused() -> None:
    assert sent(json.dumps({"a": "x" * (MAX_CHARACTERS + 1)}), S.TEXT, W.JSON) == "<too_long>"


@pytest.mark.parametrize(
    ("text", "leaves"),
    [
        pytest.param('{"a":1,"b":{"c":"x"}}', {"f.a", "f.b.c"}, id="objects nest"),
        pytest.param('{"a":[{"b":1},{"c":2}]}', {"f.a.b", "f.a.c"}, id="lists do not"),
        pytest.param("[1,2]", {"f"}, id="a list is its field"),
        pytest.param("5", {"f"}, id="a number"),
        pytest.param('{"a":null,"b":[],"c":{}}', set(), id="what has no value makes no field"),
    ],
)
def test_json_tells_its_fields(text: str, leaves: set[str]) -> None:
    """The fields of a JSON value are known by their dotted names, with or without a second look."""
    rendered = render(pa.array([text, text + " "]), S.TEXT, W.JSON, "f", {})

    assert [set(found) for found in rendered.leaves or []] == [leaves, leaves]


def test_json_null_is_no_value() -> None:
    rendered = render(pa.array(["null", None]), S.TEXT, W.JSON, "f", {})

    assert (rendered.text.to_pylist(), rendered.bad) == ([None, None], {})


def test_types_inside_json_are_checked_after_like_objects_passed() -> None:
    """An object of the same keys is refused when one value has another type."""
    texts = ['{"a":1,"d":"2024-11-25"}', '{"a":"x","d":"2024-11-25"}', '{"a":2,"d":"soon"}']

    rendered = render(pa.array(texts), S.TEXT, W.JSON, "f", {"f.a": "long", "f.d": "date"})

    assert rendered.bad == {1: "wrong_type", 2: "wrong_type"}


@pytest.mark.failure("D5")
def test_bad_utf8_costs_its_row() -> None:
    """Bytes that are no text, a lone surrogate among them, are refused; other rows go on."""
    values = pa.array([b"a", b"\xed\xa0\x80", "é".encode(), b"\xff", None], pa.binary())
    text = pa.StringArray.from_buffers(5, *values.buffers()[1:], values.buffers()[0])

    rendered = render(text, S.TEXT, W.STRING, "f", {})

    assert rendered.bad == {1: "not_text", 3: "not_text"}
    assert rendered.text.to_pylist() == ['"a"', None, '"é"', None, None]


@pytest.mark.failure("D5")
def test_one_bad_value_in_a_thousand_leaves_the_others() -> None:
    values = [f"{n}" for n in range(1000)]
    values[500] = "NaN"

    rendered = render(pa.array(values), S.TEXT, W.LONG, "f", {})

    assert rendered.bad == {500: "not_finite"}
    assert rendered.text.to_pylist() == [None if n == 500 else str(n) for n in range(1000)]


@pytest.mark.parametrize("state", StateType)
@pytest.mark.parametrize("wire", WireType)
def test_every_pair_of_types_is_rendered_or_refused(state: StateType, wire: WireType) -> None:
    """What cannot be sent at all is an error of configuration, before a value is looked at."""
    values = pa.array([None, None], ARROW[state])
    if can_become(state, wire):
        assert render(values, state, wire, "f", {}).text.to_pylist() == [None, None]
    else:
        with pytest.raises(ConfigError, match=f"'f': a {state} cannot be sent as a {wire}"):
            render(values, state, wire, "f", {})


@pytest.mark.failure("D2")
def test_bigint_that_came_as_a_float_is_an_error() -> None:
    """Digits that a float has lost are not sent as if nothing had happened."""
    with pytest.raises(TypeError, match="bigint came as Arrow type double"):
        render(pa.array([1.0]), S.BIGINT, W.LONG, "f", {})


@pytest.mark.parametrize("kind", [pa.null(), pa.large_string(), pa.string()])
def test_column_of_nulls_needs_no_type(kind: pa.DataType) -> None:
    assert render(pa.nulls(2, kind), S.TEXT, W.DATE, "f", {}).text.to_pylist() == [None, None]


def test_slice_of_a_column_is_read_from_its_place() -> None:
    """Rows are told by their own offsets, also in a slice of a longer array."""
    values = pa.array(['"', "a", None, '"b', "c", '"'], pa.large_string()).slice(1, 4)

    assert escape(values, {}).to_pylist() == ["a", None, '\\"b', "c"]


@pytest.mark.failure("D2")
@settings(deadline=None)
@given(st.lists(st.integers(-(2**63), 2**63 - 1) | st.none(), max_size=30))
def test_no_digit_of_an_id_changes(ids: list[int | None]) -> None:
    """Every 64-bit integer arrives digit by digit, as bigint, as text and as a string."""
    texts = [None if i is None else str(i) for i in ids]
    quoted = [None if i is None else f'"{i}"' for i in ids]

    assert render(pa.array(ids, pa.int64()), S.BIGINT, W.LONG, "f", {}).text.to_pylist() == texts
    assert render(pa.array(texts, pa.string()), S.TEXT, W.LONG, "f", {}).text.to_pylist() == texts
    assert (
        render(pa.array(ids, pa.int64()), S.BIGINT, W.LONG, "f", {"f": "string"}).text.to_pylist()
        == quoted
    )


@pytest.mark.failure("D1")
@settings(deadline=None)
@given(st.lists(st.floats() | st.none(), max_size=30))
def test_no_nan_reaches_json(numbers: list[float | None]) -> None:
    """A double arrives as itself and with a fraction, or not at all; never as NaN or null."""
    rendered = render(pa.array(numbers, pa.float64()), S.DOUBLE, W.DOUBLE, "f", {})

    for row, (number, text) in enumerate(zip(numbers, rendered.text.to_pylist(), strict=True)):
        if number is not None and math.isfinite(number):
            assert json.loads(text) == number
            assert "." in text
        else:
            assert text is None
            assert (number is not None) == (row in rendered.bad)


@pytest.mark.failure("D3")
@settings(deadline=None)
@given(
    st.lists(st.decimals(-(10**29), 10**29, places=8) | st.none(), max_size=20),
    st.sampled_from([pa.decimal128(38, 8), pa.string()]),
)
def test_decimals_are_exact(numbers: list[Decimal | None], kind: pa.DataType) -> None:
    """A decimal arrives with all its digits and with a fraction, as decimal and as text."""
    values = numbers if kind != pa.string() else [n if n is None else f"{n:f}" for n in numbers]

    rendered = render(pa.array(values, kind), S.DECIMAL, W.DOUBLE, "f", {})

    assert rendered.bad == {}
    for number, text in zip(numbers, rendered.text.to_pylist(), strict=True):
        assert (number is None) == (text is None)
        if number is not None:
            assert json.loads(text, parse_float=Decimal, parse_int=int) == number
            assert "." in text


@pytest.mark.failure("D5")
@settings(deadline=None)
@given(st.lists(st.text(LETTERS, max_size=20) | st.none(), max_size=20))
def test_text_arrives_as_it_is(texts: list[str | None]) -> None:
    """JSON gives back the very text, whatever is in it, unless it has a NUL."""
    rendered = render(pa.array(texts, pa.string()), S.TEXT, W.STRING, "f", {})

    for text, written in zip(texts, rendered.text.to_pylist(), strict=True):
        assert (written is None) == (text is None or "\0" in text)
        assert written is None or orjson.loads(written) == text


NUMBERS = st.from_regex(r"-?[0-9]{1,25}(\.[0-9]{0,20})?([eE][+-]?[0-9]{1,3})?", fullmatch=True)
TIMES = st.builds(
    "{:04}-{:02}-{:02}{}{:02}:{:02}:{:02}{}".format,
    st.integers(0, 10_000),
    st.integers(0, 13),
    st.integers(0, 32),
    st.sampled_from([" ", "T", ""]),
    st.integers(0, 24),
    st.integers(0, 60),
    st.integers(0, 60),
    st.sampled_from(
        ["", ".039", ".039+00:00", "+00:00", " +00:00", ".039Z", "Z", ".1234567+00:00"]
    ),
)
WORDS = st.sampled_from(["true", "False", "NaN", "Infinity", "", " ", "infinity", "1E5", "0.0"])
TEXTS = NUMBERS | TIMES | TIMES.map(lambda time: time[:10]) | WORDS | st.text(LETTERS, max_size=5)
LONGS = st.integers(-(2**63), 2**63 - 1).map(str)
DOUBLES = st.floats(allow_nan=False, allow_infinity=False).map(
    lambda number: re.sub("^(-?[0-9]+)(e|$)", r"\1.0\2", repr(number))
)
WAYS = [
    *((f"{a} to {b}", step, TEXTS) for (a, b), step in STEPS.items() if a is W.STRING),
    *((f"{a} to {b}", step, LONGS) for (a, b), step in STEPS.items() if a is W.LONG),
    *((f"{a} to {b}", step, DOUBLES) for (a, b), step in STEPS.items() if a is W.DOUBLE),
    ("text to a date of Iterable", CASTS[W.STRING, W.DATETIME], TEXTS),
    ("nothing fits", NEVER, TEXTS),
]


@pytest.mark.parametrize(("step", "texts"), [pytest.param(*way, id=name) for name, *way in WAYS])
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_columns_do_what_the_definition_says(step: Step, texts: Any, data: Any) -> None:
    """The vectorised form of a step gives what its definition for one value gives."""
    column = data.draw(st.lists(texts, max_size=20))

    bad: dict[int, str] = {}
    done = apply(step, pa.array(column, pa.large_string()), bad).to_pylist()

    for row, text in enumerate(column):
        try:
            expected: tuple[Any, Any] = step.one(text), None
        except Refused as refused:
            expected = None, refused.reason

        assert (done[row], bad.get(row)) == expected
