"""Names of fields out of names of columns: how they are cut into words, and who decides."""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iterable_sync.errors import ConfigError
from iterable_sync.naming import IDENTIFY, camel_case, declarations, snake_case
from iterable_sync.rows import NullPolicy, Role, WireType
from iterable_sync.spec import FieldSpec, SyncSpec


@pytest.mark.parametrize(
    ("name", "snake", "camel"),
    [
        pytest.param(
            "Order Completed Last 30days",
            "order_completed_last_30days",
            "orderCompletedLast30days",
            id="an audience",
        ),
        pytest.param("first_name", "first_name", "firstName", id="snake"),
        pytest.param("firstName", "first_name", "firstName", id="camel"),
        pytest.param("FIRST_NAME", "first_name", "firstName", id="capitals"),
        pytest.param("FirstName", "first_name", "firstName", id="Pascal"),
        pytest.param("first-name", "first_name", "firstName", id="kebab"),
        pytest.param("userID", "user_id", "userId", id="acronym at the end"),
        pytest.param("HTMLPage", "html_page", "htmlPage", id="acronym at the start"),
        pytest.param("myHTMLPage", "my_html_page", "myHtmlPage", id="acronym within"),
        pytest.param("ID", "id", "id", id="acronym alone"),
        pytest.param("userIDs", "user_i_ds", "userIDs", id="plural of an acronym"),
        pytest.param("line2", "line2", "line2", id="digit after letters"),
        pytest.param("2fa enabled", "2fa_enabled", "2faEnabled", id="digit first"),
        pytest.param("last30Days", "last30_days", "last30Days", id="capital after a digit"),
        pytest.param("  $ amount (EUR) ", "amount_eur", "amountEur", id="signs around"),
        pytest.param("_private", "private", "private", id="underscore first"),
        pytest.param("a..b//c", "a_b_c", "aBC", id="signs between"),
        pytest.param("Größe in cm", "größe_in_cm", "größeInCm", id="umlaut"),
        pytest.param("Gro\u0308ße", "größe", "größe", id="decomposed umlaut"),
        pytest.param("ÉcoleÉlue", "école_élue", "écoleÉlue", id="capital with an accent"),
        pytest.param("ДатаРождения", "дата_рождения", "датаРождения", id="Cyrillic"),
        pytest.param("誕生日", "誕生日", "誕生日", id="script without case"),
        pytest.param("जन्म तिथि", "जन्म_तिथि", "जन्मतिथि", id="marks upon letters"),
        pytest.param("☂ !", "", "", id="no letter at all"),
        pytest.param("", "", "", id="empty"),
    ],
)
def test_name_is_cut_into_words(name: str, snake: str, camel: str) -> None:
    """As the module's table says."""
    assert (snake, camel) == (snake_case(name), camel_case(name))


@given(st.text(max_size=12))
def test_snake_case_of_snake_case_is_itself(name: str) -> None:
    """A name that went through twice, in two syncs, is the same field."""
    once = snake_case(name)

    assert once == snake_case(once)
    assert once == unicodedata.normalize("NFC", once)
    assert not once.startswith("_")
    assert not once.endswith("_")
    assert "__" not in once


@given(st.text(max_size=12))
def test_spellings_of_one_text_are_one_name(name: str) -> None:
    """Composed and decomposed letters look alike, and nobody could tell two such fields apart."""
    spellings = {unicodedata.normalize(form, name) for form in ("NFC", "NFD")}

    assert 1 == len({snake_case(spelling) for spelling in spellings})
    assert 1 == len({camel_case(spelling) for spelling in spellings})


def declared(*names: str, roles: dict[str, Role] | None = None, **changes: Any) -> dict[str, Any]:
    made = SyncSpec(sync="s", object="users", sql="SELECT 1", key="id", **changes)
    found = declarations(made, names, roles or {})
    return {name: (of.name, of.type) for name, of in found.items()}


@pytest.mark.parametrize(
    ("naming", "expected"),
    [
        ("as_is", (None, None)),
        ("snake", ("home_address.zip_code", None)),
        ("camel", ("homeAddress.zipCode", None)),
    ],
)
def test_each_part_of_a_nested_name_is_named(naming: str, expected: tuple[str, None]) -> None:
    """Two underscores nest, and are no place between words."""
    assert {"homeaddress__zipcode": expected} == declared("homeAddress__zipCode", naming=naming)


def test_declared_name_stays_as_it_is() -> None:
    """A person knows better, in whatever case the column is written."""
    fields = {"Last_Seen": FieldSpec(name="LAST"), "city": FieldSpec(null=NullPolicy.KEEP)}

    found = declared("LAST_SEEN", "city", "zip_of_home", fields=fields, naming="camel")

    assert {
        "last_seen": ("LAST", None),
        "city": ("city", None),
        "zip_of_home": ("zipOfHome", None),
    } == found


def test_null_policy_survives_a_rule() -> None:
    made = SyncSpec(
        sync="s",
        object="users",
        sql="SELECT 1",
        key="id",
        naming="camel",
        fields={"last_seen": FieldSpec(null=NullPolicy.KEEP)},
    )

    assert (
        FieldSpec(name="lastSeen", null=NullPolicy.KEEP)
        == declarations(made, ["last_seen"], {})["last_seen"]
    )


def test_columns_that_are_no_fields_keep_their_names() -> None:
    """What identifies people, or says when it was, has Iterable's own names."""
    roles = {"user_id": Role.USER_ID, "created_at": Role.CREATED_AT}

    assert {} == declared("user_id", "CREATED_AT", roles=roles, naming="camel")


@pytest.mark.capability("B15", "B16", "B17", "B18", "B19")
def test_well_known_names_become_those_of_iterable() -> None:
    """All five, and their types, as the switch of the other tool has them."""
    found = declared(*IDENTIFY, identify_names=True)

    assert {
        "first_name": ("firstName", None),
        "last_name": ("lastName", None),
        "phone_number": ("phoneNumber", None),
        "date_of_birth": ("dateOfBirth", WireType.DATE),
        "zip_code": ("zipCode", WireType.STRING),
    } == found


@pytest.mark.capability("B17")
def test_phone_number_is_a_phone_where_its_country_is_known() -> None:
    found = declared("PHONE_NUMBER", identify_names=True, phone_region="US")

    assert {"phone_number": ("phoneNumber", WireType.PHONE)} == found


def test_well_known_names_come_before_the_naming() -> None:
    found = declared("FIRST_NAME", "Home Town", identify_names=True, naming="snake")

    assert {"first_name": ("firstName", None), "home town": ("home_town", None)} == found


def test_declared_type_comes_before_the_well_known_one() -> None:
    fields = {"zip_code": FieldSpec(type=WireType.LONG)}

    assert {"zip_code": ("zipCode", WireType.LONG)} == declared(
        "zip_code", fields=fields, identify_names=True
    )


def test_column_of_which_nothing_is_left_needs_a_name() -> None:
    with pytest.raises(ConfigError, match=r"column '\$\$' has no letter.*snake name.*fields="):
        declared("$$", naming="snake")
    assert {"$$": ("money", None)} == declared(
        "$$", naming="as_is", fields={"$$": FieldSpec(name="money")}
    )
