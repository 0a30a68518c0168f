"""The events operator: what its arguments become; the run is a stand-in."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG

import iterable_sync
from airflow_task import run_task
from iterable_sync.errors import ConfigError
from iterable_sync.operators.events import IterableEventsOperator
from operators.told import Told


class Events(Told, IterableEventsOperator):
    """The events operator over a run that notes what it was told."""


def events(**arguments: Any) -> Events:
    with DAG("shop", schedule=None, params={"name": "Seen"}):
        return Events(**{"task_id": "events", "sql": "SELECT 1 AS id", "key": "id", **arguments})


def test_it_is_exported() -> None:
    assert iterable_sync.IterableEventsOperator is IterableEventsOperator


def test_options_become_a_spec() -> None:
    done = run_task(
        events(
            options={
                "event_name": "{{ params.name }}",
                "created_at": "viewed_at",
                "look_back_s": timedelta(hours=6),
                "max_wait_s": 3600,
                "retention_s": "{{ 30 * 86400 }}",
            }
        )
    )

    (spec,) = Events.specs
    assert done.error is None
    assert ("events", "Seen", "viewed_at") == (spec.object, spec.event_name, spec.created_at)
    assert (21_600.0, 3_600.0, 2_592_000.0) == (
        spec.look_back_s,
        spec.max_wait_s,
        spec.retention_s,
    )


def test_wrong_span_is_an_error_when_the_dag_is_parsed() -> None:
    with pytest.raises(ConfigError, match=r"task 'events': Value error, retention_s is shorter"):
        events(options={"retention_s": 60})


def test_it_is_of_events_alone() -> None:
    with pytest.raises(ConfigError, match="object is 'events' here"):
        events(object="users")
