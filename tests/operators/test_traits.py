"""The traits operator: what its arguments become; the run is a stand-in."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG

import iterable_sync
from airflow_task import run_task
from iterable_sync.errors import ConfigError
from iterable_sync.operators.traits import IterableTraitsOperator
from operators.told import Told


class Traits(Told, IterableTraitsOperator):
    """The traits operator over a run that notes what it was told."""


def traits(**arguments: Any) -> Traits:
    with DAG("shop", schedule=None, params={"users": "shop.users"}):
        return Traits(**{"task_id": "traits", "sql": "SELECT 1 AS id", "key": "id", **arguments})


def test_it_is_exported() -> None:
    assert iterable_sync.IterableTraitsOperator is IterableTraitsOperator


def test_options_become_a_spec() -> None:
    done = run_task(
        traits(
            options={
                "trait": "name",
                "requires": "{{ params.users }}",
                "max_wait_s": timedelta(days=1),
            }
        )
    )

    (spec,) = Traits.specs
    assert done.error is None
    assert ("traits", "name", "shop.users", 86_400.0) == (
        spec.object,
        spec.trait,
        spec.requires,
        spec.max_wait_s,
    )


def test_it_is_of_traits_alone() -> None:
    with pytest.raises(ConfigError, match="object is 'traits' here"):
        traits(object="users")
