"""A shop for tests of example DAGs: a DuckDB warehouse, state in a file, and a sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import duckdb
import requests

from airflow_dags import shop_variables
from iterable_sync.sandbox.server import SandboxServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest

COLUMNS = """
    user_id VARCHAR, email VARCHAR, first_name VARCHAR, last_name VARCHAR, phone VARCHAR,
    locale VARCHAR, time_zone VARCHAR, country VARCHAR, city VARCHAR, address JSON,
    birth_date DATE, signed_up_at TIMESTAMPTZ, last_order_at TIMESTAMPTZ, order_count BIGINT,
    lifetime_value DECIMAL(18, 2), average_order_value DOUBLE, loyalty_points INTEGER,
    is_vip BOOLEAN, plan VARCHAR, score DOUBLE, email_opt_in BOOLEAN, sms_opt_in BOOLEAN,
    favourite_categories VARCHAR[]
"""


class Shop:
    """The warehouse and the sandbox of one test."""

    def __init__(self, file: Path, sandbox: SandboxServer) -> None:
        self.file = file
        self.sandbox = sandbox

    def sql(self, statement: str) -> None:
        with duckdb.connect(str(self.file)) as connection:
            connection.execute(statement)

    def in_iterable(self, user_id: str) -> dict[str, Any] | None:
        answer = requests.get(
            f"{self.sandbox.url}/api/users/byUserId",
            params={"userId": user_id},
            headers={"Api-Key": self.sandbox.api_key},
            timeout=10,
        )
        return answer.json().get("user")


def open_shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    """Give a shop of 20 users, and the connections to it."""
    warehouse = tmp_path / "warehouse.duckdb"
    with SandboxServer(project_type="hybrid") as sandbox:
        variables = shop_variables(sandbox, warehouse, tmp_path / "state.duckdb")
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        made = Shop(warehouse, sandbox)
        made.sql(f"CREATE TABLE users ({COLUMNS})")
        made.sql(
            "INSERT INTO users BY NAME SELECT 'u' || i AS user_id, "
            "'u' || i || '@example.com' AS email, 'Ana' AS first_name, i AS order_count, "
            """'{"street": "Oak Street 1", "city": "Porto"}'::JSON AS address """
            "FROM range(20) AS r (i)"
        )
        yield made
