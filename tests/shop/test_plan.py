"""Which tasks a config gives, in what order, with what in them."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from iterable_sync.operators.arguments import build_spec
from iterable_sync.shop.plan import planned
from iterable_sync.shop.streams import STREAMS
from shop_config import EVERYTHING, SINCE, shop

if TYPE_CHECKING:
    from iterable_sync.shop.plan import Task

LISTS = {"Cart abandoners": "audience = 'Cart Abandoners'", "VIP": "audience = 'VIP'"}
ALL = [
    *("users", "settle", "traits", "vouchers", "product_subscriptions", "audiences"),
    *("list_cart_abandoners", "list_vip", "orders", "carts", "catalog", "page_views"),
    *("return_carts", "browse_abandonment", "shipments", "review_requests"),
    *("product_subscription_events", "return_carts_sms", "shipments_sms"),
]


def tasks(**given: Any) -> dict[str, Task]:
    return {task.task_id: task for task in planned(shop(**{**EVERYTHING, "lists": LISTS, **given}))}


def before(task: str, planned: dict[str, Task]) -> set[str]:
    """Give all tasks that have to end before one begins."""
    above = set(planned[task].after)
    return above.union(*(before(name, planned) for name in above))


@pytest.mark.capability("E36", "B7")
def test_everything_goes_one_after_the_other_in_a_fixed_order():
    """People before what is about them, purchases before the carts that they empty."""
    found = tasks()

    assert list(found) == ALL
    assert [task.after for task in found.values()] == [(), *((name,) for name in ALL[:-1])]


def test_a_stream_that_is_off_leaves_no_gap():
    """``settle`` is there for users, and goes with them."""
    found = tasks(
        regular_events={"customers": False, "shipments": False},
        return_cart_events=False,
        browsing_events=False,
        catalog=None,
        project_requires_users="crm.users",
    )

    assert {"orders": (), "carts": ("orders",), "product_subscription_events": ("carts",)} == {
        name: task.after for name, task in found.items()
    }


def test_side_by_side_only_lanes_and_what_builds_on_it_wait():
    """All wait for people but products; of one lane one stream goes at a time."""
    found = tasks(serial=False)
    lanes: dict[str, list[str]] = {}
    for task in found.values():
        lane = "profiles" if task.task_id == "settle" else STREAMS[task.stream].lane
        lanes.setdefault(lane, []).append(task.task_id)

    assert {"profiles", "commerce", "catalogs", "events"} == lanes.keys()
    for names in lanes.values():
        for first, second in itertools.pairwise(names):
            assert first in found[second].after
    assert {"users", "settle"} == before("orders", found) == before("page_views", found)
    assert {"users", "settle", "orders"} == before("carts", found)
    assert set() == before("users", found) == before("catalog", found)


@pytest.mark.parametrize("serial", [True, False])
def test_a_stream_may_be_put_behind_another_one(serial: bool):
    """It goes as early as that lets it, and the others keep their order."""
    after = {"orders": {"after": "shipments"}, "audiences": {"after": ["orders"]}}
    found = tasks(serial=serial, streams=after)

    assert "shipments" in before("orders", found)
    assert {"shipments", "orders"} <= before("audiences", found)
    assert "orders" in before("carts", found)


def test_to_be_behind_a_stream_that_is_off_means_nothing():
    assert (
        list(tasks(streams={"orders": {"after": "audiences"}, "audiences": {"enabled": False}}))[:7]
        == [name for name in ALL if name != "audiences"][:7]
    )


def test_syncs_have_the_names_of_the_shop_and_their_stream():
    """State is kept under them: they do not change."""
    syncs = {name: task.arguments["sync"] for name, task in tasks(name="eu").items()}

    assert syncs == {
        **{name: f"eu.{name}" for name in ALL},
        "settle": "eu.users",
        "page_views": "eu.events",
    }


def test_each_task_has_arguments_that_its_operator_takes():
    """They are checked here as the operator checks them when the DAG is parsed."""
    for task in tasks().values():
        if task.object is None:
            continue
        names = ("sync", "sql", "key", "fields", "guards", "thresholds", "first_sync")
        arguments = {name: task.arguments[name] for name in names} | {"object": task.object}
        options = {k: v for k, v in task.arguments["options"].items() if k != "dry_run"}

        spec = build_spec(arguments, options, task.task_id)

        assert spec.requires == (None if task.stream in {"users", "catalog"} else "shop.users")
        assert spec.since == (SINCE if task.object in {"orders", "events"} else None)


def test_an_event_of_text_messages_always_needs_a_consent():
    consents = {
        name: task.arguments["options"].get("sms_consent")
        for name, task in tasks(streams={"review_requests": {"sms": True}}).items()
        if task.object is not None
    }

    assert {"return_carts_sms", "shipments_sms", "review_requests"} == {
        name for name, consent in consents.items() if consent is True
    }
    assert {True, None} == set(consents.values())


def test_phone_numbers_without_a_country_are_of_the_one_of_the_shop() -> None:
    """In profiles as in events of text messages; another model of users says for itself."""
    found = tasks(phone_region="US")
    regions = {
        name: task.arguments["options"].get("phone_region")
        for name, task in found.items()
        if task.object is not None
    }
    of_another = tasks(phone_region="US", streams={"users": {"sql": "SELECT 1 AS user_id"}})

    assert {"users", "return_carts_sms", "shipments_sms"} == {
        name for name, region in regions.items() if region == "US"
    }
    assert {"phoneNumber": {"type": "phone"}} == found["users"].arguments["fields"]
    assert None is of_another["users"].arguments["fields"] is tasks()["users"].arguments["fields"]


def test_durations_and_the_size_of_pictures_reach_every_model():
    """In seconds, however they were given; a stream may have its own."""
    found = tasks(
        trigger_after=timedelta(minutes=30),
        review_after=0.5,
        image_size=120,
        streams={"return_carts_sms": {"params": {"trigger_after_s": 7200, "shop": "eu"}}},
    )

    assert (
        {
            "trigger_after_s": 1800,
            "abandon_after_s": 86400,
            "order_window_s": 604800,
            "browse_after_s": 14400,
            "review_after_s": 0.5,
            "usual_interval_s": 5184000,
            "voucher_aliases": ["welcome_codes", "referral"],
            "image_size": 120,
        }
        == found["return_carts"].arguments["params"]
        == found["orders"].arguments["params"]
    )
    assert {"trigger_after_s": 7200, "shop": "eu"}.items() <= found["return_carts_sms"].arguments[
        "params"
    ].items()


def test_a_stream_has_of_its_own_what_the_config_does_not_say_otherwise():
    """Single guards and options are added; another model brings its own key."""
    of_carts = {
        "sql": "SELECT * FROM my_carts",
        "key": "basket",
        "guards": {"max_removed": 0.7},
        "options": {"on_remove": "ignore", "requires": "crm.users"},
        "first_sync": "all",
        "on_held": "succeed",
        "thresholds": {"max_rejected": 0.5},
        "fields": {"email": {"null": "keep"}},
    }
    given = tasks(streams={"carts": of_carts})["carts"].arguments

    assert given["sql"] == "SELECT * FROM my_carts"
    assert given["key"] == ["basket"]
    assert given["guards"] == {"max_removed": 0.7, "max_changed": 0.9}
    assert given["options"]["on_remove"] == "ignore"
    assert given["options"]["requires"] == "crm.users"
    assert (given["first_sync"], given["on_held"]) == ("all", "succeed")


@pytest.mark.capability("E1")
def test_connections_are_named_and_pools_given():
    """A task knows which connection has the API key, and not the key."""
    found = tasks(
        connections={"warehouse": "dwh", "iterable": "iterable_eu", "state": None},
        pool="duckdb",
        streams={"orders": {"pool": "slow"}},
    )

    for task in found.values():
        assert task.arguments["iterable_conn_id"] == "iterable_eu"
        assert task.arguments["warehouse_conn_id"] == "dwh"
        assert task.arguments["state_conn_id"] is None
    assert {name: task.arguments["pool"] for name, task in found.items() if name != "orders"} == (
        dict.fromkeys([name for name in ALL if name != "orders"], "duckdb")
    )
    assert found["orders"].arguments["pool"] == "slow"
    assert "pool" not in tasks()["orders"].arguments


def test_a_list_is_what_meets_its_condition_in_the_model_of_audiences():
    lists = {
        "By id": {"where": "audience = 'VIP'", "list_id": 7},
        "By name": {"where": "audience <> 'VIP'", "create_list": False, "adopt_list": True},
    }
    found = tasks(lists=lists, streams={"lists": {"sql": "SELECT 1 AS who", "key": "who"}})
    by_id, by_name = found["list_by_id"].arguments, found["list_by_name"].arguments

    assert by_id["sql"] == (
        "SELECT DISTINCT who, email\nFROM (\nSELECT 1 AS who\n) AS memberships\n"
        "WHERE audience = 'VIP'"
    )
    assert by_id["options"]["list_id"] == 7
    assert "list_name" not in by_id["options"]
    assert {"list_name": "By name", "create_list": False, "adopt_list": True}.items() <= by_name[
        "options"
    ].items()
