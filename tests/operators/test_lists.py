"""The lists operator: what its arguments become; the run is a stand-in."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG

import iterable_sync
from airflow_task import run_task
from iterable_sync.errors import ConfigError
from iterable_sync.operators.lists import IterableListsOperator
from operators.told import Told


class Lists(Told, IterableListsOperator):
    """The lists operator over a run that notes what it was told."""


def members(**arguments: Any) -> Lists:
    with DAG("shop", schedule=None, params={"name": "VIP", "id": 17}):
        return Lists(**{"task_id": "list", "sql": "SELECT 1 AS id", "key": "id", **arguments})


def test_it_is_exported() -> None:
    assert iterable_sync.IterableListsOperator is IterableListsOperator


def test_options_become_a_spec() -> None:
    done = run_task(members(options={"list_name": "{{ params.name }}", "adopt_list": "true"}))

    (spec,) = Lists.specs
    assert done.error is None
    assert ("lists", "VIP", None) == (spec.object, spec.list_name, spec.list_id)
    assert (True, True) == (spec.create_list, spec.adopt_list)


def test_id_of_a_list_may_be_a_template() -> None:
    run_task(members(options={"list_id": "{{ params.id }}"}))

    assert [17] == [spec.list_id for spec in Lists.specs]


def test_id_that_is_no_id_is_an_error_when_the_dag_is_parsed() -> None:
    with pytest.raises(ConfigError, match=r"task 'list': list_id: .*greater than or equal to 1"):
        members(options={"list_id": 0})
