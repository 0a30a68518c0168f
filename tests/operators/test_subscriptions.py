"""The subscriptions operator: what its arguments become; the run is a stand-in."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG

import iterable_sync
from airflow_task import run_task
from iterable_sync.errors import ConfigError
from iterable_sync.operators.subscriptions import IterableSubscriptionsOperator
from operators.told import Told


class Subscriptions(Told, IterableSubscriptionsOperator):
    """The subscriptions operator over a run that notes what it was told."""


def said(**arguments: Any) -> Subscriptions:
    with DAG("shop", schedule=None, params={"allow": True}):
        return Subscriptions(
            **{"task_id": "said", "sql": "SELECT 1 AS id", "key": "id", **arguments}
        )


def test_it_is_exported() -> None:
    assert iterable_sync.IterableSubscriptionsOperator is IterableSubscriptionsOperator


@pytest.mark.parametrize(
    ("style", "name"), [("single", "subscriptions"), ("overwrite", "subscription_arrays")]
)
def test_style_says_which_object_it_is(style: str, name: str) -> None:
    """One group at a time, unless whole arrays are asked for."""
    run_task(said(style=style))
    run_task(said())

    assert [name, "subscriptions"] == [spec.object for spec in Subscriptions.specs]


def test_unknown_style_is_an_error_when_the_dag_is_parsed() -> None:
    with pytest.raises(ConfigError, match="task 'said': style is 'all', not one of single, overw"):
        said(style="all")


def test_options_become_a_spec() -> None:
    options = {"allow_overwrite": "{{ params.allow }}", "on_remove": "ignore"}
    done = run_task(said(style="overwrite", options=options))

    (spec,) = Subscriptions.specs
    assert done.error is None
    assert (True, "ignore") == (spec.allow_overwrite, spec.on_remove)
