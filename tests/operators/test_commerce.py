"""The operators of orders and carts: what their arguments become; the run is a stand-in."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG

import iterable_sync
from airflow_task import run_task
from iterable_sync.errors import ConfigError
from iterable_sync.operators.carts import IterableCartsOperator
from iterable_sync.operators.orders import IterableOrdersOperator
from operators.told import Told


class Orders(Told, IterableOrdersOperator):
    """The orders operator over a run that notes what it was told."""


class Carts(Told, IterableCartsOperator):
    """The carts operator over the same."""


def task(kind: type[Any], **arguments: Any) -> Any:
    with DAG("shop", schedule=None, params={"first": "2026-01-01T00:00:00Z"}):
        return kind(**{"task_id": "t", "sql": "SELECT 1 AS id", "key": "id", **arguments})


def test_they_are_exported() -> None:
    assert iterable_sync.IterableOrdersOperator is IterableOrdersOperator
    assert iterable_sync.IterableCartsOperator is IterableCartsOperator


def test_options_of_orders_become_a_spec() -> None:
    options = {"since": "{{ params.first }}", "line_key": "items__n", "row_id": "uuid"}

    done = run_task(task(Orders, first_sync="all", options=options))

    (spec,) = Told.specs
    assert done.error is None
    assert spec.since is not None
    assert ("orders", "2026-01-01T00:00:00+00:00", ("items__n",), "uuid", "all") == (
        spec.object,
        spec.since.isoformat(),
        spec.line_key,
        spec.row_id,
        spec.first_sync,
    )


def test_options_of_carts_become_a_spec() -> None:
    done = run_task(task(Carts, options={"on_remove": "ignore", "line_key": ["items__n", "id"]}))

    (spec,) = Told.specs
    assert done.error is None
    assert ("carts", "ignore", ("items__n", "id")) == (spec.object, spec.on_remove, spec.line_key)


@pytest.mark.parametrize(("kind", "name"), [(Orders, "orders"), (Carts, "carts")])
def test_they_are_of_one_object_alone(kind: type[Any], name: str) -> None:
    with pytest.raises(ConfigError, match=f"object is '{name}' here"):
        task(kind, object="users")
