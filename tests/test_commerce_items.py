"""The items of orders and carts: what becomes of each member, and where they are wrong."""

from __future__ import annotations

import pyarrow as pa
import pytest

from iterable_sync.commerce_items import write_items


def written(*texts: str | None) -> list[str | None]:
    found, wrong = write_items(pa.array(texts, pa.large_string()))
    assert {} == wrong
    return found.to_pylist()  # type: ignore[no-any-return]


def wrong(text: str) -> str:
    found, where = write_items(pa.array(["[]", text], pa.large_string()))
    assert ["[]", None] == found.to_pylist()
    assert [1] == list(where)
    return where[1]


def item(**members: str) -> str:
    """Give a list of one item, whose members are JSON texts."""
    needed = {"id": '"7"', "name": '"Tea"', "price": "1", "quantity": "1"} | members
    inside = ",".join(f'"{name}":{value}' for name, value in needed.items() if value)
    return f"[{{{inside}}}]"


PLAIN = '[{"id":"7","name":"Tea","price":1.0,"quantity":1}]'


@pytest.mark.capability("A20")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(item(id="10606"), PLAIN.replace('"7"', '"10606"'), id="number as id"),
        pytest.param(item(id='"00501"'), PLAIN.replace('"7"', '"00501"'), id="zeros in front"),
        pytest.param(
            item(id="123456789012345678901234567890"),
            PLAIN.replace('"7"', '"123456789012345678901234567890"'),
            id="id beyond 64 bits",
        ),
        pytest.param(item(id="", product_id='"7"'), PLAIN, id="product_id"),
        pytest.param(item(price='"19.90"'), PLAIN.replace("1.0", "19.9"), id="price as text"),
        pytest.param(
            item(price="0.1000000000000000055511151231257827"),
            PLAIN.replace("1.0", "0.1000000000000000055511151231257827"),
            id="price to the digit",
        ),
        pytest.param(item(price="-5"), PLAIN.replace("1.0", "-5.0"), id="negative price"),
        pytest.param(item(quantity='"2"'), PLAIN.replace(":1}", ":2}"), id="quantity as text"),
        pytest.param(item(quantity="2.0"), PLAIN.replace(":1}", ":2}"), id="round quantity"),
        pytest.param(
            item(quantity="9223372036854775807"),
            PLAIN.replace(":1}", ":9223372036854775807}"),
            id="greatest quantity",
        ),
        pytest.param(item(sku="null", url="null", color="null"), PLAIN, id="nulls are left out"),
        pytest.param(
            item(color='"red"', size="12345678901234567890.50"),
            PLAIN.replace("}", ',"dataFields":{"color":"red","size":12345678901234567890.50}}', 1),
            id="extras, to the digit",
        ),
        pytest.param(
            item(dataFields='{"color":"blue","a":1}', color='"red"'),
            PLAIN.replace("}", ',"dataFields":{"color":"blue","a":1}}', 1),
            id="dataFields of its own come first",
        ),
        pytest.param("[]", "[]", id="no item"),
        pytest.param("null", None, id="null of JSON"),
        pytest.param(None, None, id="NULL"),
    ],
)
def test_item_is_as_iterable_takes_it(text: str | None, expected: str | None) -> None:
    assert [expected] == written(text)


@pytest.mark.capability("C10")
def test_all_members_have_their_place() -> None:
    text = item(
        sku="501",
        description='"Döse"',
        category='"Games,Board Games"',
        url='"/t"',
        image_url='"/i"',
    )

    assert written(text) == [
        '[{"id":"7","sku":"501","name":"Tea","description":"Döse",'
        '"categories":["Games,Board Games"],"price":1.0,"quantity":1,"url":"/t","imageUrl":"/i"}]'
    ]


@pytest.mark.capability("C10")
def test_what_else_a_shop_says_of_a_product_is_kept() -> None:
    extras = '"brands":["Acme"],"original_price":24.95,"variant_name":"500 g"'
    text = item(
        brands='["Acme"]',
        categories='["Food","Tea"]',
        original_price="24.95",
        variant_name='"500 g"',
    )

    assert written(text) == [
        '[{"id":"7","name":"Tea","categories":["Food","Tea"],"price":1.0,"quantity":1,'
        f'"dataFields":{{{extras}}}}}]'
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("{}", "items is no list", id="object"),
        pytest.param("[1]", "items[0] is no object", id="number as an item"),
        pytest.param("[{]", "items: invalid_json", id="no JSON"),
        pytest.param(item(price="NaN"), "items: invalid_json", id="NaN is no JSON"),
        pytest.param(item(id=""), "items[0].id is missing", id="no id"),
        pytest.param(item(id='" "'), "items[0].id is missing", id="blank id"),
        pytest.param(item(id="1.5"), "items[0].id is no whole number", id="fraction as id"),
        pytest.param(item(id="true"), "items[0].id is no text", id="boolean as id"),
        pytest.param(item(name="7"), "items[0].name is no text", id="number as name"),
        pytest.param(item(name="null"), "items[0].name is missing", id="null as name"),
        pytest.param(item(price='"free"'), "items[0].price is no number", id="word as price"),
        pytest.param(item(price="true"), "items[0].price is no number", id="boolean as price"),
        pytest.param(item(price="1e999"), "items: invalid_json", id="beyond a double"),
        pytest.param(item(price='"1e999"'), "items[0].price is no number", id="the same as text"),
        pytest.param(
            item(quantity="1.5"), "items[0].quantity is no whole number of 64 bits", id="half"
        ),
        pytest.param(
            item(quantity="9223372036854775808"),
            "items[0].quantity is no whole number of 64 bits",
            id="beyond 64 bits",
        ),
        pytest.param(item(categories="[1]"), "items[0].categories[0] is no text", id="category"),
        pytest.param(item(dataFields="[]"), "items[0].dataFields is no object", id="dataFields"),
        pytest.param(item(name='"a\\u0000"'), "items: nul_character", id="NUL"),
        pytest.param(item(color=f'"{"x" * 40_000}"'), "items: too_long", id="long text"),
        pytest.param(
            item()[:-1] + "," + item(price="")[1:], "items[1].price is missing", id="second item"
        ),
    ],
)
def test_wrong_item_is_told_by_its_place_and_no_value(text: str, expected: str) -> None:
    assert expected == wrong(text)


def test_numbers_that_look_alike_are_not_taken_for_each_other() -> None:
    """Equal texts are read once; others that mean the same are read for themselves."""
    assert written(item(), item(price="1.00"), item(price="1e0"), item()) == [
        PLAIN,
        PLAIN,
        PLAIN.replace("1.0", "1.0e0"),
        PLAIN,
    ]
