"""The operator over each kind of warehouse and state that an Airflow connection can name."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import duckdb
import psycopg
import pytest
import requests
from airflow.providers.common.compat.sdk import DAG

from airflow_dags import run_dag, xcom
from iterable_sync import IterableUsersOperator
from iterable_sync.sandbox.server import SandboxServer

if TYPE_CHECKING:
    from pathlib import Path

SQL = "SELECT user_id, email, order_count AS \"orderCount\" FROM users WHERE email LIKE '%@%'"
ROWS = "('u1', 'u1@example.com', 1), ('u2', 'u2@example.com', 2), ('u3', 'nobody', 3)"
TABLE = f"CREATE TABLE users AS SELECT * FROM (VALUES {ROWS}) AS t (user_id, email, order_count)"
UPDATE = "UPDATE users SET order_count = 9007199254740993 WHERE user_id = 'u2'"


def postgres(uri: str, **extra: Any) -> str:
    """Give the Airflow connection of a libpq URI, whose host is the folder of a socket."""
    where = psycopg.conninfo.conninfo_to_dict(uri)
    fields = {"host": where["host"], "schema": where["dbname"], "login": where["user"]}
    return json.dumps({"conn_type": "postgres", **fields, "extra": extra})


@pytest.mark.parametrize(
    ("warehouse", "state"),
    [
        pytest.param("postgres", None, id="state beside the data in postgres"),
        pytest.param("postgres", "duckdb", id="postgres, state in duckdb"),
        pytest.param("duckdb", "postgres", id="duckdb, state in postgres"),
        pytest.param("any other", "duckdb", id="any SQL connection, through its hook"),
    ],
)
def test_a_change_in_the_warehouse_arrives(
    warehouse: str,
    state: str | None,
    postgres_db: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    """Two runs: all users, then only the changed one, and its 17 digits exactly."""
    file = tmp_path / "shop.duckdb"
    connections = {
        "postgres": postgres(postgres_db),
        "duckdb": f"duckdb:///{quote(str(file))}",
        # Redshift speaks Postgres; state cannot be kept in it, and it is read through its hook.
        "any other": postgres(postgres_db, redshift=True),
    }
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", connections[warehouse])
    if state:
        duckdb_state = f"duckdb:///{quote(str(tmp_path / 'state.duckdb'))}"
        monkeypatch.setenv(
            "AIRFLOW_CONN_STATE", duckdb_state if state == "duckdb" else connections[state]
        )

    def change(statement: str) -> None:
        connect = duckdb.connect if warehouse == "duckdb" else psycopg.connect
        with connect(str(file) if warehouse == "duckdb" else postgres_db) as connection:
            connection.execute(statement)

    with SandboxServer(project_type="userId", rate_limits=False) as sandbox:
        iterable = {
            "conn_type": "iterable",
            "host": sandbox.url,
            "password": sandbox.api_key,
            "extra": {
                "data_center": "us",
                "project_type": "userId",
                "project_id": "7",
                "sandbox": True,
            },
        }
        monkeypatch.setenv("AIRFLOW_CONN_ITERABLE_DEFAULT", json.dumps(iterable))
        with DAG("shop", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)) as dag:
            IterableUsersOperator(
                task_id="users", sql=SQL, key="user_id", state_conn_id="state" if state else None
            )

        change(TABLE.replace("3)", "3::BIGINT)"))
        first = xcom(run_dag(dag, logical_date=datetime(2026, 1, 2, tzinfo=UTC)), "users")
        change(UPDATE)
        second = xcom(run_dag(dag, logical_date=datetime(2026, 1, 3, tzinfo=UTC)), "users")
        user = requests.get(
            f"{sandbox.url}/api/users/byUserId",
            params={"userId": "u2"},
            headers={"Api-Key": sandbox.api_key},
            timeout=10,
        ).json()["user"]

    assert (first["queried"], first["added"], first["accepted"]) == (2, 2, 2)
    assert (second["changed"], second["accepted"], second["unchanged"]) == (1, 1, 1)
    assert user["dataFields"]["orderCount"] == 9007199254740993
