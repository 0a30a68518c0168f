from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from psycopg.conninfo import conninfo_to_dict

from iterable_sync.errors import ConfigError
from iterable_sync.hooks.connections import connection
from iterable_sync.hooks.warehouse import (
    conninfo,
    duckdb_path,
    open_rate,
    open_state,
    state_conn_id,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def define(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Define connections by id: a URI, or a mapping."""

    def put(**connections: str | dict[str, Any]) -> None:
        for conn_id, value in connections.items():
            text = value if isinstance(value, str) else json.dumps(value)
            monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", text)

    return put


@pytest.mark.parametrize(
    "given",
    [
        pytest.param({"conn_type": "duckdb", "host": "/data/shop.duckdb"}, id="host"),
        pytest.param({"conn_type": "duckdb", "schema": "/data/shop.duckdb"}, id="schema"),
        pytest.param({"conn_type": "duckdb", "extra": {"path": "/data/shop.duckdb"}}, id="extra"),
        pytest.param("duckdb:////data/shop.duckdb", id="URI"),
    ],
)
def test_the_file_of_a_duckdb_connection_is_found(define: Callable[..., None], given: Any):
    define(shop=given)

    assert str(duckdb_path(connection("shop"))) == "/data/shop.duckdb"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        pytest.param({"conn_type": "duckdb"}, "names 0 places", id="no file"),
        pytest.param(
            {"conn_type": "duckdb", "host": "/a", "schema": "/b"}, "names 2 places", id="two files"
        ),
        pytest.param(
            {"conn_type": "duckdb", "host": "a.duckdb"}, "no absolute path", id="relative"
        ),
        pytest.param({"conn_type": "duckdb", "host": ":memory:"}, "no absolute path", id="memory"),
    ],
)
def test_a_duckdb_connection_without_one_absolute_path_is_an_error(
    define: Callable[..., None], given: Any, message: str
):
    define(shop=given)

    with pytest.raises(ConfigError, match=f"connection 'shop'.*{message}"):
        duckdb_path(connection("shop"))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(
            "postgresql://ana:p%40ss@db:5433/shop",
            {"host": "db", "port": "5433", "user": "ana", "password": "p@ss", "dbname": "shop"},
            id="URI",
        ),
        pytest.param(
            "postgresql://postgres:@/shop?host=%2Ftmp%2Fpg",
            {"host": "/tmp/pg", "user": "postgres", "dbname": "shop"},  # noqa: S108
            id="a Unix socket in the query",
        ),
        pytest.param(
            {
                "conn_type": "postgres",
                "host": "db",
                "schema": "shop",
                "extra": {"sslmode": "require", "cursor": "dictcursor", "sqlalchemy_query": {}},
            },
            {"host": "db", "dbname": "shop", "sslmode": "require"},
            id="libpq's settings pass, Airflow's own do not",
        ),
    ],
)
def test_a_postgres_connection_becomes_a_connection_string(
    define: Callable[..., None], given: Any, expected: dict[str, str]
):
    define(warehouse=given)

    actual = conninfo_to_dict(conninfo(connection("warehouse")))

    assert expected == actual


def test_a_setting_that_postgres_does_not_know_is_named_without_its_value(
    define: Callable[..., None],
):
    define(warehouse={"conn_type": "postgres", "host": "db", "extra": {"sslmod": "canary"}})

    with pytest.raises(ConfigError, match=r"'warehouse'.*sslmod") as caught:
        conninfo(connection("warehouse"))

    assert "canary" not in str(caught.value)


def test_state_is_kept_in_a_postgres_warehouse_by_default(define: Callable[..., None]):
    define(warehouse="postgresql://ana@db/shop")

    assert state_conn_id("warehouse", None) == "warehouse"


def test_state_is_kept_where_it_is_said(define: Callable[..., None], tmp_path: Path):
    define(warehouse="postgresql://ana@db/shop", state={"conn_type": "duckdb", "host": "/s.duckdb"})

    assert state_conn_id("warehouse", "state") == "state"


@pytest.mark.parametrize(
    ("given", "why"),
    [
        pytest.param("duckdb:////shop.duckdb", "one process at a time", id="duckdb"),
        pytest.param("mysql://ana@db/shop", "it is 'mysql'", id="another database"),
        pytest.param(
            {"conn_type": "postgres", "host": "db", "extra": {"redshift": True}},
            "kept in postgres or duckdb",
            id="redshift speaks Postgres, and is none",
        ),
    ],
)
def test_any_other_warehouse_needs_a_state_connection_and_the_error_says_which(
    define: Callable[..., None], given: Any, why: str
):
    define(warehouse=given)

    with pytest.raises(ConfigError, match=rf"state_conn_id is needed.*{why}.*type postgres"):
        state_conn_id("warehouse", None)


def test_state_and_warehouse_in_one_duckdb_file_are_refused(define: Callable[..., None]):
    define(
        warehouse={"conn_type": "duckdb", "host": "/data/shop.duckdb"},
        state={"conn_type": "duckdb", "host": "/data/../data/shop.duckdb"},
    )

    with pytest.raises(ConfigError, match="one DuckDB file"):
        state_conn_id("warehouse", "state")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        pytest.param("mysql://ana@db/shop", "of type 'mysql'; state is kept in", id="mysql"),
        pytest.param(
            {"conn_type": "postgres", "host": "db", "extra": {"iam": True}},
            "short-lived token",
            id="a login that ends before the run",
        ),
    ],
)
def test_a_database_that_cannot_keep_state_is_refused(
    define: Callable[..., None], given: Any, message: str
):
    define(state=given)

    with pytest.raises(ConfigError, match=message):
        open_state("state")


def test_a_rate_is_shared_through_a_postgres_connection(
    define: Callable[..., None], postgres_db: str
):
    parts = conninfo_to_dict(postgres_db)
    define(
        limits={
            "conn_type": "postgres",
            "login": parts["user"],
            "schema": parts["dbname"],
            "host": parts["host"],
        }
    )

    with open_rate("limits") as mine, open_rate("limits") as other:
        assert mine is not None
        assert other is not None
        assert 0 == mine.take("bulk", 0.1, has_waited=False)
        assert other.take("bulk", 0.1, has_waited=False) > 9


def test_no_rate_is_shared_unless_it_is_asked_for():
    with open_rate(None) as rate:
        assert rate is None


@pytest.mark.parametrize(
    "given",
    [
        pytest.param({"conn_type": "duckdb", "host": "/a.duckdb"}, id="a file"),
        pytest.param({"conn_type": "postgres", "extra": {"redshift": True}}, id="Redshift"),
    ],
)
def test_a_rate_is_not_shared_through_anything_else(
    define: Callable[..., None], given: dict[str, Any]
):
    define(limits=given)

    with pytest.raises(ConfigError, match="a rate is shared through postgres"), open_rate("limits"):
        pass
