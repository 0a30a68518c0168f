"""Builds the DAG of a shop."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import DAG, Param
from pydantic import ValidationError

import iterable_sync
from iterable_sync.errors import ConfigError
from iterable_sync.operators.arguments import all_wrong
from iterable_sync.operators.settle import IterableSettleSensor
from iterable_sync.shop.config import ShopConfig
from iterable_sync.shop.described import described
from iterable_sync.shop.plan import planned

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.providers.common.compat.sdk import BaseOperator

    from iterable_sync.shop.config import Setting
    from iterable_sync.shop.plan import Task


def shop_dag(
    config: ShopConfig | Mapping[str, Any], *, dag_id: str = "iterable_shop", **arguments: Any
) -> DAG:
    """
    Give the DAG of a shop: a task for each stream that is on.

    A task that Airflow skips, since newer data has been sent already, stops none after it.

    Args:
        config: a :class:`ShopConfig`, or what one is made of.

        arguments: of the DAG; they win over what the config gives.

    Raises:
        ConfigError: the config is none; names all that is wrong with it.
    """
    shop = config if isinstance(config, ShopConfig) else _validated(config)
    given: dict[str, Any] = {
        "description": "What a shop knows of its customers, from the warehouse to Iterable",
        "start_date": shop.since,
        "catchup": False,
        "max_active_runs": 1,
        "default_args": {"retries": 3, "retry_delay": timedelta(minutes=5)},
        "params": {
            "settle_s": Param(
                default=shop.settle_s,
                type="number",
                minimum=0,
                description="Seconds that Iterable is given to apply what it took of users",
            ),
            "dry_run": Param(default=False, type="boolean", description="Count, and send nothing"),
        },
        "doc_md": described(shop),
        "tags": ["iterable"],
    }
    tasks: dict[str, BaseOperator] = {}
    schedule = arguments.pop("schedule", shop.schedule)
    with DAG(dag_id=dag_id, schedule=schedule, **(given | arguments)) as dag:
        for task in planned(shop):
            tasks[task.task_id] = _operator(task)
            for before in task.after:
                tasks[before].set_downstream(tasks[task.task_id])
    return dag


def _operator(task: Task) -> BaseOperator:
    by_name = f"Iterable{task.object.title()}Operator" if task.object else None
    operator = getattr(iterable_sync, by_name) if by_name else IterableSettleSensor
    params = {name: _param(value) for name, value in task.arguments.get("params", {}).items()}
    made: BaseOperator = operator(
        task_id=task.task_id,
        trigger_rule="none_failed",
        **(task.arguments | {"params": params}),
    )
    return made


def _param(value: Setting) -> Param:
    """Let who triggers a run give another number, and no text: it would be part of the SQL."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Param(default=value, type="number", minimum=0)
    return Param(default=value, const=value)


def _validated(config: Mapping[str, Any]) -> ShopConfig:
    try:
        return ShopConfig.model_validate(config)
    except ValidationError as error:
        wrong = all_wrong(error)
    raise ConfigError(f"the config of the shop: {wrong}")
