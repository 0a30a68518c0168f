"""Runs a DAG file as ``airflow dags test`` does, in this process, on a database of its own."""

from __future__ import annotations

import importlib.util
import json
import os
from functools import cache
from typing import TYPE_CHECKING, Any

from airflow_env import HOME
from airflow_task import own_signals

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from airflow.providers.common.compat.sdk import DAG

    from iterable_sync.sandbox.server import SandboxServer


@cache
def prepare_database() -> None:
    """Make Airflow's tables, once in a process; 2 s."""
    from airflow.utils.db import initdb

    initdb()


def load_dag(file: Path) -> DAG:
    """Import a DAG file under a name of its own, and give its ``dag``."""
    spec = importlib.util.spec_from_file_location(f"dag_file_{file.stem}", file)
    if spec is None or spec.loader is None:
        raise ValueError(f"{file} is no Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    dag: DAG = module.dag
    return dag


def run_dag(dag: DAG, **how: Any) -> Any:
    """
    Run *dag* by ``dag.test()``.

    Returns:
        The DagRun.
    """
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db

    prepare_database()
    # dag.test() wants the DAG serialized, and one that lies in no bundle never is.
    # Source: https://github.com/apache/airflow/issues/56657; delete when it serializes by itself.
    DagBundlesManager().sync_bundles_to_db()
    bag = DagBag(dag_folder=os.devnull, bundle_name="dags-folder")
    bag.bag_dag(dag)
    sync_bag_to_db(bag, "dags-folder", None)
    with own_signals():
        return dag.test(**how)


def task_instance(dag_run: Any, task_id: str) -> Any:
    """Give the task instance of that task."""
    (found,) = (ti for ti in dag_run.get_task_instances() if ti.task_id == task_id)
    return found


def xcom(dag_run: Any, task_id: str, key: str = "return_value") -> Any:
    """Read what a task has pushed."""
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session

    with create_session() as session:
        row = session.scalars(
            XComModel.get_many(
                run_id=dag_run.run_id, dag_ids=dag_run.dag_id, task_ids=task_id, key=key
            )
        ).first()
        return None if row is None else XComModel.deserialize_value(row)


def asset_events(dag_run: Any) -> list[tuple[str, dict[str, Any]]]:
    """Give URI and extra of the asset events of a run."""
    from airflow.models.asset import AssetEvent
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        found = session.scalars(
            select(AssetEvent).where(AssetEvent.source_run_id == dag_run.run_id)
        )
        return [(event.uri, dict(event.extra)) for event in found]


def connection_variables(connections: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Give the environment variables that define connections."""
    return {
        f"AIRFLOW_CONN_{conn_id.upper()}": json.dumps(connection)
        for conn_id, connection in connections.items()
    }


def shop_variables(sandbox: SandboxServer, warehouse: Path, state: Path) -> dict[str, str]:
    """Give the variables of the connections of a shop: its DuckDB files, and a hybrid project."""
    return connection_variables(
        {
            "warehouse": {"conn_type": "duckdb", "host": str(warehouse)},
            "state": {"conn_type": "duckdb", "host": str(state)},
            "iterable_default": {
                "conn_type": "iterable",
                "host": sandbox.url,
                "password": sandbox.api_key,
                "extra": {
                    "data_center": "us",
                    "project_type": "hybrid",
                    "project_id": "1",
                    "sandbox": True,
                },
            },
        }
    )


__all__ = [
    "HOME",
    "asset_events",
    "connection_variables",
    "load_dag",
    "run_dag",
    "shop_variables",
    "task_instance",
    "xcom",
]
