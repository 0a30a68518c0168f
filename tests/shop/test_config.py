"""The config of a shop: what is on, what is refused, and the words for it."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from iterable_sync.objects import get
from iterable_sync.shop.config import StreamConfig
from iterable_sync.shop.described import described
from iterable_sync.shop.streams import SMS, STREAMS
from iterable_sync.sqlfiles import sql_root
from shop_config import EVERYTHING, shop

CUSTOMERS = {"users", "traits", "vouchers", "product_subscriptions", "audiences", "lists"}


def wrong(**given: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        shop(**given)
    return str(caught.value)


def test_without_a_word_all_is_on_that_needs_no_name_and_no_consent():
    off = set(STREAMS) - set(shop().on())

    assert {"lists", "catalog", "return_carts_sms", "shipments_sms"} == off


def test_what_has_a_name_or_is_asked_for_is_on_as_well():
    assert list(STREAMS) == shop(**EVERYTHING).on()


@pytest.mark.capability("E2", "E3")
@pytest.mark.parametrize(
    ("switches", "off"),
    [
        pytest.param(
            {"regular_events": {"purchases": False}},
            {"orders", "carts", "product_subscription_events"},
            id="purchases",
        ),
        pytest.param(
            {"regular_events": {"shipments": False}},
            {"shipments", "review_requests", "shipments_sms"},
            id="shipments",
        ),
        pytest.param(
            {"regular_events": {"customers": False}, "project_requires_users": False},
            CUSTOMERS,
            id="customers",
        ),
        pytest.param(
            {"regular_events": False, "project_requires_users": False},
            {
                *CUSTOMERS,
                *("orders", "carts", "product_subscription_events"),
                *("shipments", "review_requests", "shipments_sms"),
            },
            id="regular events",
        ),
        pytest.param(
            {"return_cart_events": False}, {"return_carts", "return_carts_sms"}, id="return carts"
        ),
        pytest.param(
            {"browsing_events": False}, {"page_views", "browse_abandonment"}, id="browsing"
        ),
        pytest.param(
            {"sms_events": False}, {"return_carts_sms", "shipments_sms"}, id="text messages"
        ),
        pytest.param({"catalog": None}, {"catalog"}, id="catalog"),
        pytest.param({"lists": {}}, {"lists"}, id="lists"),
    ],
)
def test_a_switch_turns_its_streams_off_and_no_other(switches: dict[str, Any], off: set[str]):
    """A shop that sends everything, less what a switch is about."""
    on = shop(**EVERYTHING | switches).on()

    assert off == set(STREAMS) - set(on)


def test_what_is_said_of_a_stream_wins_over_its_switches():
    streams = {"orders": {"enabled": False}, "return_carts": {"enabled": True}}
    config = shop(return_cart_events=False, streams=streams)

    assert "return_carts" in config.on()
    assert "orders" not in config.on()
    assert {"orders", "lists", "catalog", "return_carts_sms", "shipments_sms"} == set(
        STREAMS
    ) - set(config.on())


@pytest.mark.capability("E40")
def test_the_words_say_of_each_stream_that_it_is_off_and_why():
    """Who misses an event finds the switch that it hangs on."""
    words = described(
        shop(return_cart_events=False, streams={"orders": {"enabled": False}}, **EVERYTHING)
    )
    off = {
        name: why
        for name, what, why in re.findall(
            r"^\| (\w+) \| (\S+) \|.*\| (.+) \|$", words, re.MULTILINE
        )
        if what == "**off**"
    }

    assert {
        "orders": "streams.orders.enabled is False",
        "return_carts": "return_cart_events is False",
        "return_carts_sms": "return_cart_events is False",
    } == off
    assert len(re.findall(r" \| on \| ", words)) == len(STREAMS) - len(off)


@pytest.mark.capability("E38")
def test_the_words_have_every_option_of_a_shop():
    """Which events, when, what pictures, which lists, and to whom text messages go."""
    words = described(
        shop(**EVERYTHING, trigger_after=timedelta(hours=2), image_size=200, phone_region="US")
    )

    for line in (
        "* Sent from 2026-01-01T00:00:00+00:00 on: orders and events.",
        "* trigger_after: 7200 seconds",
        "* abandon_after: 86400 seconds",
        "* image_size: 200 pixels",
        "* voucher_aliases: welcome_codes, referral",
        "* Phone numbers that do not say their country are of US.",
        "* List VIP: `audience = 'VIP'`",
        "* Text messages: to those who agreed and have a phone number in E.164.",
    ):
        assert line in words.splitlines()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        pytest.param({"trigger": 1}, "trigger\n  Extra inputs", id="unknown setting"),
        pytest.param(
            {"regular_events": {"refunds": True}}, "regular_events.refunds", id="unknown switch"
        ),
        pytest.param(
            {"connections": {"api_key": "k"}}, "connections.api_key", id="key out of its place"
        ),
        pytest.param({"since": datetime(2026, 1, 1)}, "timezone", id="no zone"),  # noqa: DTZ001
        pytest.param(
            {"streams": {"cart": {}}}, "unknown streams: cart; known: users,", id="stream"
        ),
        pytest.param({"streams": {"carts": {"on": True}}}, "streams.carts.on", id="of a stream"),
        pytest.param({"streams": {"carts": {"after": "x"}}}, "unknown streams: x", id="after"),
        pytest.param(
            {"streams": {"users": {"after": "orders"}}},
            "after: these wait for each other: users, ",
            id="circle",
        ),
        pytest.param(
            {"trigger_after": 3600, "abandon_after": timedelta(hours=1)},
            "abandon_after, 3600 s, has to be longer than trigger_after, 3600 s",
            id="abandoned at once",
        ),
        pytest.param({"abandon_after": 60}, "longer than trigger_after, 3600 s", id="by default"),
        pytest.param({"browse_after": -1}, "browse_after", id="negative"),
        pytest.param({"image_size": 0}, "image_size", id="no picture"),
        pytest.param({"voucher_aliases": ["a'b"]}, "voucher_aliases.0", id="alias"),
        pytest.param({"lists": {"VIP": " "}}, "lists.VIP.where", id="blank condition"),
        pytest.param({"lists": {"!": "1 = 1"}}, "'!' gives its task the name ''", id="no name"),
        pytest.param(
            {"lists": {"VIP": "1 = 1", "vip!": "1 = 1"}}, "as 'VIP' does", id="lists of one name"
        ),
        pytest.param(
            {"streams": {"catalog": {"enabled": True}}}, "catalog has to name it", id="no catalog"
        ),
        pytest.param(
            {"regular_events": {"customers": False}},
            "users are off, and the others wait for them",
            id="nobody sends users",
        ),
        pytest.param(
            {"regular_events": False, "return_cart_events": False, "browsing_events": False},
            "no stream is on",
            id="nothing",
        ),
    ],
)
def test_a_config_that_cannot_be_meant_is_refused(given: dict[str, Any], message: str):
    assert message in wrong(**given)


@pytest.mark.capability("E28")
@pytest.mark.parametrize(
    "declared",
    [
        pytest.param({"sms": False}, id="it is said to be none"),
        pytest.param({"options": {"sms_consent": False}}, id="the option"),
        pytest.param({"options": {"sms_consent": "false"}}, id="a text"),
        pytest.param({"options": {"sms_consent": "{{ params.consent }}"}}, id="a template"),
        pytest.param({"options": {"sms_consent": None}}, id="nothing"),
    ],
)
@pytest.mark.parametrize("stream", [name for name, of in STREAMS.items() if of.is_sms])
def test_nobody_turns_the_consent_to_text_messages_off(stream: str, declared: dict[str, Any]):
    """Whether the stream is on or not, and the error says why."""
    assert "never goes to somebody who has not agreed" in wrong(streams={stream: declared})


def test_another_stream_of_events_may_be_one_of_text_messages():
    """Then it needs the consent as the others do; and no other object has such a thing."""
    consent = {"sms_consent": False}
    streams = {"shipments": {"sms": True}}

    assert shop(streams=streams).is_sms("shipments")
    assert "never goes" in wrong(streams={"shipments": {"sms": True, "options": consent}})
    assert "it is for streams of events" in wrong(streams={"orders": {"sms": True}})


def test_users_of_another_dag_are_named():
    config = shop(regular_events={"customers": False}, project_requires_users="crm.users")

    assert config.requires() == "crm.users"
    assert shop().requires() == "shop.users"
    assert shop(project_requires_users=False).requires() is None


def test_the_defaults_of_a_shop_are_those_of_the_models():
    """
    A model that is rendered by itself says what the shop says, and the shop knows all settings.

    One that it did not know could be given by whoever triggers a run, as any text.
    """
    defaults: dict[str, set[str]] = {}
    for file in (sql_root() / "models").glob("*.sql"):
        for name, value in re.findall(
            r"params\.(\w+) \| default\(([^)]*)\)", file.read_text(encoding="utf-8")
        ):
            defaults.setdefault(name, set()).add(value)
    of_shop = {name: {str(value)} for name, value in shop().settings().items()}

    assert of_shop == defaults


def test_the_streams_of_a_lane_are_those_whose_objects_have_it():
    assert {name: get(of.object).lane for name, of in STREAMS.items()} == {
        name: of.lane for name, of in STREAMS.items()
    }


def test_streams_of_text_messages_hang_on_their_own_switch_and_on_that_of_their_events():
    of_sms = [of.switches for of in STREAMS.values() if of.is_sms]

    assert of_sms
    assert all(SMS in switches and len(switches) == 2 for switches in of_sms)


def test_what_a_stream_says_of_nothing_is_what_it_has_by_itself():
    assert shop().of("orders") == StreamConfig()
