"""The DAG that a config becomes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from airflow.exceptions import ParamValidationError

from airflow_dags import load_dag
from iterable_sync import IterableEventsOperator, IterableSettleSensor, ShopConfig, shop_dag
from iterable_sync.errors import ConfigError
from iterable_sync.shop.streams import STREAMS
from shop_config import EVERYTHING, SINCE

DAG_FILE = Path(__file__).parents[2] / "dags" / "iterable_shop.py"
SYNCS_BEFORE = ["shop.users", "shop.audiences", "shop.orders", "shop.carts", "shop.events"]


def tasks(**given: Any) -> dict[str, Any]:
    dag = shop_dag({"since": SINCE, **given}, dag_id="some_shop")
    return {task.task_id: task for task in dag.topological_sort()}


def test_all_streams_become_tasks_in_a_row() -> None:
    found = tasks(**EVERYTHING)
    in_a_row = list(found)

    assert set(STREAMS) - {"lists"} | {"settle", "list_vip"} == found.keys()
    assert [set(), *({name} for name in in_a_row[:-1])] == [
        task.upstream_task_ids for task in found.values()
    ]
    assert isinstance(found["return_carts"], IterableEventsOperator)
    assert isinstance(found["settle"], IterableSettleSensor)


def test_side_by_side_they_follow_what_they_build_on() -> None:
    found = tasks(serial=False, catalog="Products")

    assert {"settle"} == found["orders"].upstream_task_ids == found["traits"].upstream_task_ids
    assert {"settle", "orders"} == found["carts"].upstream_task_ids
    assert set() == found["catalog"].upstream_task_ids


def test_a_task_that_is_skipped_stops_none_after_it() -> None:
    """Users whose newer data has been sent already must not keep events from being sent."""
    assert {"none_failed"} == {task.trigger_rule for task in tasks(**EVERYTHING).values()}


def test_the_page_of_the_dag_says_what_is_off() -> None:
    dag = shop_dag(ShopConfig(since=SINCE, browsing_events=False))

    assert "| page_views | **off** | `models/events.sql` | browsing_events is False |" in str(
        dag.doc_md
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("trigger_after_s", "1 seconds' OR '1' = '1", id="text for a number"),
        pytest.param("image_size", -1, id="negative"),
        pytest.param("voucher_aliases", ["a' OR '1' = '1"], id="another list"),
        pytest.param("table", "other_carts", id="another text"),
    ],
)
def test_who_triggers_a_run_gives_numbers_and_no_sql(name: str, value: object) -> None:
    """The settings of a model become part of its SQL, and a run may be given others."""
    streams = {"return_carts": {"params": {"table": "carts"}}}
    params = tasks(streams=streams)["return_carts"].params

    with pytest.raises(ParamValidationError):
        params[name] = value

    params["trigger_after_s"] = 7200
    assert params["trigger_after_s"] == 7200
    assert params["table"] == "carts"


def test_arguments_of_the_dag_win_over_the_config() -> None:
    dag = shop_dag({"since": SINCE}, schedule="@hourly", tags=["shop"], max_active_runs=2)

    assert dag.schedule == "@hourly"
    assert dag.tags == {"shop"}
    assert dag.max_active_runs == 2
    assert shop_dag({"since": SINCE, "schedule": "@weekly"}).schedule == "@weekly"


def test_a_config_that_is_wrong_is_an_import_error_that_names_all_of_it() -> None:
    """And it repeats no value."""
    wrong = {"since": SINCE, "image_size": "canary", "trigger": 1}

    with pytest.raises(
        ConfigError, match=r"the config of the shop: image_size: .*; trigger: "
    ) as e:
        shop_dag(wrong)

    assert "canary" not in str(e.value)


def test_an_option_that_no_operator_knows_is_an_import_error() -> None:
    with pytest.raises(ConfigError, match="task 'orders': unknown in options=: snce"):
        shop_dag({"since": SINCE, "streams": {"orders": {"options": {"snce": 1}}}})


@pytest.mark.capability("E2", "E3")
def test_the_example_has_every_stream_that_needs_no_name_and_no_consent() -> None:
    """Its syncs are called as before, so that the state of a shop that runs already is found."""
    dag = load_dag(DAG_FILE)
    off = {"catalog", "return_carts_sms", "shipments_sms", "lists"}

    assert set(STREAMS) - off | {"settle", "list_cart_abandoners"} == dag.task_dict.keys()
    assert set(SYNCS_BEFORE) <= {task.sync for task in dag.tasks}
    assert dag.params["settle_s"] == 60
    assert dag.params["dry_run"] is False
