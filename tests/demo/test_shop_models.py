"""The models over the tables of the demo shop: the same on both engines."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import duckdb
import psycopg
import pytest

import shop
from demo.shop_rows import rows
from iterable_sync.model import author_names, check_select, match_names
from iterable_sync.models import render

if TYPE_CHECKING:
    from collections.abc import Iterator

AS_OF = datetime(2026, 1, 4, tzinfo=UTC)


@pytest.fixture(scope="module")
def both(
    postgres_url: str,
) -> Iterator[tuple[duckdb.DuckDBPyConnection, psycopg.Connection]]:
    """Make one shop in both engines, and leave none of it behind."""
    with duckdb.connect() as duck, psycopg.connect(postgres_url) as postgres:
        for connection, engine in ((duck, "duckdb"), (postgres, "postgres")):
            connection.execute("SET TimeZone = 'UTC'")
            shop.create_shop(connection, engine, 2000, 3)
        yield duck, postgres
        postgres.rollback()


def test_model_of_users_runs_on_both_engines_under_one_set_of_names(
    both: tuple[duckdb.DuckDBPyConnection, psycopg.Connection],
) -> None:
    """Nested names as the author spells them, and an address for everybody."""
    sql = render("models/users.sql", as_of=AS_OF)
    found = {}
    for connection, dialect in zip(both, ("duckdb", "postgres"), strict=True):
        model = check_select(sql, dialect=dialect)
        limited = connection.execute(f"{model.wrapped} LIMIT 0")
        names = [column[0] for column in limited.description]
        found[dialect] = match_names(
            author_names(sql, dialect=dialect), names, max_identifier_bytes=63
        )
        [(nested,)] = connection.execute(
            f"SELECT count(*) FROM ({model.text}) AS q"
            ' WHERE "address.city" = city AND "address.street" <> \'\''
        ).fetchall()

        assert nested == 2043

    assert found["duckdb"] == found["postgres"]
    assert found["duckdb"][:5] == ["user_id", "email", "firstName", "lastName", "phoneNumber"]
    assert {"address.city", "emailOptIn", "favouriteCategories"} < set(found["duckdb"])


@pytest.mark.parametrize(
    "model",
    [
        "computed_traits",
        "audience_memberships",
        "product_subscriptions",
        "vouchers",
        "orders",
        "carts",
    ],
)
def test_models_give_the_same_rows_on_both_engines(
    both: tuple[duckdb.DuckDBPyConnection, psycopg.Connection], model: str
) -> None:
    """Of a whole shop, to the cent and to the second."""
    sql = render(f"models/{model}.sql", as_of=AS_OF)
    # One engine writes 0.0, the other 0.
    texts = [
        f'CAST("{name}" AS {"numeric(3, 2)" if name == "churn_risk" else "text"}) AS "{name}"'
        for name in author_names(sql, dialect="duckdb")
    ]
    in_duckdb, in_postgres = (
        rows(connection, f"SELECT {', '.join(texts)} FROM ({sql}) AS q") for connection in both
    )

    assert len(in_duckdb) > 50
    assert sorted(map(repr, in_duckdb)) == sorted(map(repr, in_postgres))
