"""The catalog operator: what its arguments become; the run is a stand-in."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG

import iterable_sync
from airflow_task import run_task
from iterable_sync.errors import ConfigError
from iterable_sync.operators.catalog import IterableCatalogOperator
from operators.told import Told


class Catalog(Told, IterableCatalogOperator):
    """The catalog operator over a run that notes what it was told."""


def items(**arguments: Any) -> Catalog:
    with DAG("shop", schedule=None, params={"name": "Products", "sample": 5}):
        return Catalog(**{"task_id": "items", "sql": "SELECT 1 AS id", "key": "id", **arguments})


def test_it_is_exported() -> None:
    assert iterable_sync.IterableCatalogOperator is IterableCatalogOperator


def test_options_become_a_spec() -> None:
    """Templates as well, and words for true."""
    done = run_task(
        items(
            options={
                "catalog": "{{ params.name }}",
                "create_catalog": "true",
                "read_back_sample": "{{ params.sample }}",
                "image_size": "large",
            }
        )
    )

    (spec,) = Catalog.specs
    assert done.error is None
    assert ("catalog", "Products", "large") == (spec.object, spec.catalog, spec.image_size)
    assert (True, 5) == (spec.create_catalog, spec.read_back_sample)


def test_name_that_is_none_is_an_error_when_the_dag_is_parsed() -> None:
    with pytest.raises(ConfigError, match=r"task 'items': catalog: .*match pattern"):
        items(options={"catalog": "My products"})
