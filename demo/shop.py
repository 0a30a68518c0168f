"""
Fill a warehouse with the demo shop: the same customers on DuckDB and PostgreSQL, day by day.

The rows come from ``sql/demo/``; this runs those files in their order. As a command::

    python demo/shop.py --path shop.duckdb --users 2000 --day 1
    python demo/shop.py --postgres postgresql://localhost/shop --users 2000 --day 2
"""

from __future__ import annotations

import argparse
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

Engine: TypeAlias = Literal["duckdb", "postgres"]

SQL_ROOT = Path(__file__).resolve().parent.parent / "sql" / "demo"

# The order matters: each file reads the tables before it.
TABLES = {
    "shop_diary": "diary.sql",
    "users": "users.sql",
    "email_changes": "email_changes.sql",
    "gdpr_requests": "gdpr_requests.sql",
    "products": "products.sql",
    "shop_subscriptions": "subscriptions.sql",
    "shop_purchases": "purchases.sql",
    "order_items": "order_items.sql",
    "orders": "orders.sql",
    "carts": "carts.sql",
    "cart_items": "cart_items.sql",
    "product_subscriptions": "product_subscriptions.sql",
    "product_subscription_renewals": "product_subscription_renewals.sql",
    "shipments": "shipments.sql",
    "shipment_items": "shipment_items.sql",
    "reviews": "reviews.sql",
    "voucher_assignments": "voucher_assignments.sql",
    "page_views": "page_views.sql",
}

# From day 2 on one row each; what is wrong with it is said in users.sql.
BAD_KINDS = (
    "key_null",
    "user_id_too_long",
    "user_id_not_ascii",
    "email_invalid",
    "email_unknown_domain",
    "email_of_another_user",
    "score_infinite",
)

MIN_USERS = 200
MAX_USERS = 1_000_000_000


def create_shop(connection: Any, engine: Engine, users: int, day: int) -> dict[str, int]:
    """
    Replace the tables of the shop by what they are at the end of a day, all or none of them.

    Args:
        connection: of ``duckdb`` or ``psycopg``; the tables come into its default schema.

        engine: which of the two it is.

        users: how many customers there are on day 1; 200 or more.

        day: 1 is the first. Any day can be made without the days before it.

    Returns:
        The rows of each table.

    Raises:
        ValueError: there is no such shop, day or engine.
    """
    if engine not in {"duckdb", "postgres"}:
        raise ValueError(f"unknown engine {engine!r}; known: duckdb, postgres")
    if not MIN_USERS <= users <= MAX_USERS:
        raise ValueError(f"a shop has {MIN_USERS} to {MAX_USERS} users, not {users}")
    if day < 1:
        raise ValueError(f"day {day} is before the first, which is 1")

    with _transaction(connection, engine):
        for table, file in TABLES.items():
            connection.execute(f"DROP TABLE IF EXISTS {table}")
            connection.execute(f"CREATE TABLE {table} AS\n{render(file, users=users, day=day)}")
            if engine == "postgres":
                # Without statistics the joins of the next file are planned for a tiny table.
                connection.execute(f"ANALYZE {table}")
    return {
        table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in TABLES
    }


def render(file: str, *, users: int, day: int) -> str:
    """Give the SQL of a file of ``sql/demo/`` with its parameters, as Airflow would render it."""
    sql = (SQL_ROOT / file).read_text(encoding="utf-8")
    return sql.replace("{{ params.users }}", str(users)).replace("{{ params.day }}", str(day))


@contextmanager
def _transaction(connection: Any, engine: Engine) -> Iterator[None]:
    if engine == "postgres":
        with connection.transaction():
            yield
        return
    connection.begin()
    try:
        yield
    except BaseException:
        connection.rollback()
        raise
    connection.commit()


def main(arguments: list[str] | None = None) -> None:
    """Fill the database that the command line names and say how many rows it has."""
    parser = argparse.ArgumentParser(description="Fill a warehouse with the demo shop.")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--path", help="DuckDB file; made if it is not there")
    where.add_argument("--postgres", metavar="URI", help="PostgreSQL database")
    parser.add_argument("--users", type=int, default=2000, help="customers on day 1 (%(default)s)")
    parser.add_argument("--day", type=int, default=1, help="1 is the first (%(default)s)")
    options = parser.parse_args(arguments)

    started = time.monotonic()
    if options.path:
        import duckdb

        with duckdb.connect(options.path) as connection:
            rows = create_shop(connection, "duckdb", options.users, options.day)
    else:
        import psycopg

        with psycopg.connect(options.postgres) as connection:
            rows = create_shop(connection, "postgres", options.users, options.day)
    seconds = time.monotonic() - started
    counts = ", ".join(f"{table} {count:,}" for table, count in rows.items())
    sys.stdout.write(f"day {options.day}: {counts} ({seconds:.1f} s)\n")


if __name__ == "__main__":
    main()
