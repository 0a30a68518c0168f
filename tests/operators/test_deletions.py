"""The operator of deletions: what its arguments become; the run is a stand-in."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG

import iterable_sync
from airflow_task import run_task
from iterable_sync.errors import ConfigError
from iterable_sync.operators.deletions import IterableDeletionsOperator
from operators.told import Told


class Deletions(Told, IterableDeletionsOperator):
    """The operator of deletions over a run that notes what it was told."""


def requests(**arguments: Any) -> Deletions:
    with DAG("privacy", schedule=None, params={"since": "2026-01-01T00:00:00Z"}):
        return Deletions(**{"task_id": "delete", "sql": "SELECT 1 AS id", "key": "id", **arguments})


def test_it_is_exported() -> None:
    assert iterable_sync.IterableDeletionsOperator is IterableDeletionsOperator


def test_options_become_a_spec() -> None:
    done = run_task(
        requests(
            options={"since": "{{ params.since }}", "created_at": "asked_at"},
            guards={"max_removed": 0.01},
        )
    )

    (spec,) = Deletions.specs
    assert done.error is None
    assert ("deletions", "asked_at", 0.01) == (
        spec.object,
        spec.created_at,
        spec.guards.max_removed,
    )
    assert spec.since is not None
    assert 2026 == spec.since.year


def test_first_sync_is_not_allowed_by_default() -> None:
    """Nothing is deleted because somebody has switched a DAG on."""
    run_task(requests())

    assert [(None, None)] == [(spec.first_sync, spec.since) for spec in Deletions.specs]


def test_another_object_is_an_error_when_the_dag_is_parsed() -> None:
    with pytest.raises(ConfigError, match="object is 'deletions' here"):
        requests(object="users")
