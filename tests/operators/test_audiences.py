"""The audiences operator: what its style and arguments become; the run is a stand-in."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG

import iterable_sync
from airflow_task import run_task
from iterable_sync.errors import ConfigError
from iterable_sync.operators.audiences import IterableAudiencesOperator
from operators.told import Told


class Audiences(Told, IterableAudiencesOperator):
    """The audiences operator over a run that notes what it was told."""


def audiences(**arguments: Any) -> Audiences:
    given = {"task_id": "vip", "sql": "SELECT 1 AS user_id", "key": ["user_id", "audience"]}
    with DAG("shop", schedule=None, params={"leave": "clear"}):
        return Audiences(**given | arguments)


def test_it_is_exported() -> None:
    assert iterable_sync.IterableAudiencesOperator is IterableAudiencesOperator


@pytest.mark.parametrize(
    ("style", "name"),
    [
        ({}, "audiences"),
        ({"style": "trait"}, "audiences"),
        ({"style": "list"}, "lists"),
        ({"style": "event"}, "audience_events"),
    ],
)
def test_style_decides_what_is_synced(style: dict[str, str], name: str) -> None:
    done = run_task(audiences(**style))

    (spec,) = Audiences.specs
    assert done.error is None
    assert (name, ("user_id", "audience"), "shop.vip") == (spec.object, spec.key, spec.sync)


def test_options_become_a_spec() -> None:
    run_task(
        audiences(
            options={
                "audience": "segment",
                "on_remove": "{{ params.leave }}",
                "seed_sql": "SELECT user_id, segment FROM export",
            }
        )
    )

    (spec,) = Audiences.specs
    assert ("segment", "clear") == (spec.audience, spec.on_remove)
    assert "SELECT user_id, segment FROM export" == spec.seed_sql


def test_unknown_style_is_an_error_when_the_dag_is_parsed() -> None:
    with pytest.raises(ConfigError, match="style is 'tag', not one of trait, list, event"):
        audiences(style="tag")


def test_object_of_its_own_is_refused() -> None:
    """The style says it."""
    with pytest.raises(TypeError, match="object"):
        audiences(object="users")


def test_it_can_be_mapped() -> None:
    with DAG("shop", schedule=None):
        mapped = Audiences.partial(task_id="each", style="event", sql="SELECT 1", key="id")

        assert mapped.expand(sync=["a", "b"]).task_id == "each"
