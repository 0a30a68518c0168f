from __future__ import annotations

import pytest

from iterable_sync.sandbox.identity import fold_email, is_email, is_user_id, placeholder_email


@pytest.mark.parametrize(
    ("email", "expected"),
    [
        pytest.param("ada@example.com", True, id="plain"),
        pytest.param("ada.love+tag@mail.example.co.uk", True, id="plus and subdomains"),
        pytest.param("o'neil@example.ie", True, id="apostrophe"),
        pytest.param('"ada love"@example.com', True, id="quoted"),
        pytest.param("jörg@example.de", True, id="accent before the at"),
        pytest.param("ada@müller.de", True, id="accent in the domain"),
        pytest.param("ada@xn--mller-kva.de", True, id="domain in its ASCII form"),
        pytest.param("ada@example.photography", True, id="long ending"),
        pytest.param("a" * 64 + "@example.com", True, id="64 characters before the at"),
        pytest.param("a" * 65 + "@example.com", False, id="65 characters before the at"),
        pytest.param("ada@" + "a" * 63 + ".com", True, id="label of 63 characters"),
        pytest.param("ada@" + "a" * 64 + ".com", False, id="label of 64 characters"),
        pytest.param("", False, id="empty"),
        pytest.param("000", False, id="no at"),
        pytest.param("foo@", False, id="no domain"),
        pytest.param("@example.com", False, id="nothing before the at"),
        pytest.param("ada@example", False, id="no ending"),
        pytest.param("ada@example.con", False, id="ending that does not exist"),
        pytest.param("ada@shop.test", False, id="reserved ending"),
        pytest.param("ada@shop.example", False, id="reserved example ending"),
        pytest.param("ada@shop.12345", False, id="numeric ending"),
        pytest.param("ada@@example.com", False, id="two ats"),
        pytest.param("ada love@example.com", False, id="space"),
        pytest.param(".ada@example.com", False, id="dot first"),
        pytest.param("ada.@example.com", False, id="dot last"),
        pytest.param("ada..love@example.com", False, id="two dots"),
        pytest.param("ada@example..com", False, id="two dots in the domain"),
        pytest.param("ada@-example.com", False, id="hyphen first"),
        pytest.param("ada@example.com\u00a0", False, id="no-break space"),
        pytest.param("ada@exa\x00mple.com", False, id="control character"),
    ],
)
def test_email_is_well_formed_by_the_rules_that_iterable_names(email, expected):
    assert is_email(email) is expected


def test_email_is_trimmed_and_lower_cased():
    assert fold_email(" Ada@Example.COM\t\n") == "ada@example.com"


@pytest.mark.parametrize(
    ("user_id", "expected"),
    [
        pytest.param("u" * 51, True, id="51 characters"),
        pytest.param("u" * 52, True, id="52 characters"),
        pytest.param("u" * 53, False, id="53 characters"),
        pytest.param("A user/1 #ß".replace("ß", "s"), True, id="all printable ASCII"),
        pytest.param("", False, id="empty"),
        pytest.param("user ", False, id="space last"),
        pytest.param(" user", True, id="space first"),
        pytest.param("üser", False, id="not ASCII"),
        pytest.param("us\ter", False, id="not printable"),
        pytest.param("user\n", False, id="line end"),
    ],
)
def test_user_id_is_well_formed_by_the_documented_rules(user_id, expected):
    assert is_user_id(user_id) is expected


def test_placeholder_is_a_valid_address_and_the_same_each_time():
    placeholder = placeholder_email("User-1")

    assert placeholder == placeholder_email("User-1")
    assert placeholder.startswith("user-1+")
    assert placeholder.endswith("@placeholder.email")
    assert is_email(placeholder)
