"""Phone numbers: one form, or a reason."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from iterable_sync.errors import ConfigError
from iterable_sync.rows import StateType, WireType
from iterable_sync.values import can_become, check_phones, render

if TYPE_CHECKING:
    from iterable_sync.values import Rendered


def phones(*values: str | int | None, region: str | None = "US", known: str = "") -> Rendered:
    state = StateType.BIGINT if isinstance(values[0], int) else StateType.TEXT
    types = {"f": known} if known else {}
    return render(pa.array(values), state, WireType.PHONE, "f", types, region=region)


@pytest.mark.capability("A30")
@pytest.mark.parametrize(
    ("written", "region", "expected"),
    [
        pytest.param("+14158675309", None, "+14158675309", id="as Iterable has it"),
        pytest.param("+1 (415) 867-5309", None, "+14158675309", id="with a country, prettily"),
        pytest.param("(415) 555-0100", "US", "+14155550100", id="without a country"),
        pytest.param("415.867.5309", "US", "+14158675309", id="points"),
        pytest.param("1-415-867-5309", "US", "+14158675309", id="country without a plus"),
        pytest.param("044 668 18 00", "CH", "+41446681800", id="trunk zero"),
        pytest.param("0041 44 668 18 00", "CH", "+41446681800", id="zeros for the plus"),
        pytest.param("+41 44 668 18 00", "US", "+41446681800", id="another country"),
        pytest.param("+39 06 6982", None, "+39066982", id="a zero that stays"),
        pytest.param("415\u00a0867\u20115309", "US", "+14158675309", id="typeset"),
        pytest.param(4158675309, "US", "+14158675309", id="number of SQL"),
    ],
)
def test_number_that_can_be_dialled_has_one_form(
    written: str | int, region: str | None, expected: str
) -> None:
    """With its country and a plus, whoever wrote it how."""
    rendered = phones(written, region=region)

    assert ([f'"{expected}"'], {}) == (rendered.text.to_pylist(), rendered.bad)


@pytest.mark.parametrize(
    ("written", "region"),
    [
        pytest.param("(415) 867-5309", None, id="no country, and no region"),
        pytest.param("0041 44 668 18 00", None, id="zeros for the plus, and no region"),
        pytest.param(4158675309, None, id="number without a region"),
        pytest.param(-4158675309, "US", id="negative"),
        pytest.param("415 867 530", "US", id="a digit is missing"),
        pytest.param("415 867 53090", "US", id="a digit too many"),
        pytest.param("+999 12345678", None, id="no such country"),
        pytest.param("000-000-0000", "US", id="zeros"),
        pytest.param("+1 415 867 5309 ext. 12", None, id="extension"),
        pytest.param("1-800-FLOWERS", "US", id="letters"),
        pytest.param("call +1 415 867 5309", "US", id="words"),
        pytest.param("tel:+14158675309", None, id="scheme"),
        pytest.param("+14158675309\n", None, id="newline"),
        pytest.param("+1415\u0668675309", None, id="digit of another script"),
        pytest.param("", "US", id="empty"),
        pytest.param("a@b.example", "US", id="address"),
        pytest.param("+" + "1" * 300, None, id="endless"),
    ],
)
def test_what_cannot_be_dialled_is_refused(written: str | int, region: str | None) -> None:
    """Nothing is guessed, and nothing of the value is in the reason."""
    rendered = phones(written, region=region)

    assert ([None], {0: "invalid_phone"}) == (rendered.text.to_pylist(), rendered.bad)


def test_bad_number_costs_its_row_alone() -> None:
    """Wherever the same number stands again, and beside NULLs."""
    rendered = phones("+14158675309", "x", None, "(415) 867-5309", "x", None)

    assert {1: "invalid_phone", 4: "invalid_phone"} == rendered.bad
    assert ['"+14158675309"', None, None, '"+14158675309"', None, None] == (
        rendered.text.to_pylist()
    )


def test_equal_numbers_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading one takes longer than all else that is done to a value."""
    import phonenumbers

    read: list[str] = []
    parse = phonenumbers.parse

    def counted(number: str, region: str | None) -> phonenumbers.PhoneNumber:
        read.append(number)
        return parse(number, region)

    monkeypatch.setattr(phonenumbers, "parse", counted)

    phones(*["+14158675309", "044"] * 100)

    assert ["+14158675309", "044"] == read


def test_number_goes_into_a_text_and_into_nothing_else() -> None:
    """Iterable has no type for phones."""
    assert {} == phones("+14158675309", known="string").bad
    assert {0: "wrong_type"} == phones("+14158675309", known="long").bad


def test_texts_and_integers_can_be_phones() -> None:
    assert {StateType.TEXT, StateType.BIGINT} == {
        state for state in StateType if can_become(state, WireType.PHONE)
    }


@pytest.mark.parametrize("region", ["XX", "UK", "EU"])
def test_region_that_is_no_country_is_an_error(region: str) -> None:
    with pytest.raises(ConfigError, match=f"phone_region='{region}' is no country"):
        check_phones(region)


def test_missing_library_is_an_error_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "phonenumbers", None)

    with pytest.raises(ConfigError, match=r"pip install 'airflow-provider-iterable\[phone\]'"):
        check_phones(None)
