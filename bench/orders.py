"""
Orders with three lines each, one request for each, without pacing. Prints one JSON line.

CPU seconds are those of the run: folding, mapping, HTTP and recording; imports not counted.

    python bench/orders.py --rows 2000
"""

from __future__ import annotations

import argparse
import json
from math import inf

from common import SANDBOX_KEY, Cpu, machine, peak_rss_mb, sandbox, workspace

ORDERS = """
CREATE TABLE orders AS SELECT 'A-' || i AS order_id, 'u' || i % {people} AS user_id,
    TIMESTAMPTZ '2026-01-01 00:00:00+00' + i * INTERVAL '1 second' AS created_at,
    CAST(i % 10000 AS DECIMAL(12, 2)) / 100 AS total, 'c' || i % 9 AS coupon,
    'p' || n AS items__product_id, 'Product ' || n AS items__name,
    CAST(n AS DECIMAL(12, 2)) AS items__price, n AS items__quantity
FROM range({rows}) AS o (i), range(1, 4) AS l (n)
"""


def main() -> None:
    """Send all orders, then none, and print what it cost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2_000)
    rows: int = parser.parse_args().rows

    import duckdb
    import pandas as pd  # noqa: F401
    import pyarrow.compute  # noqa: F401
    import sqlglot  # noqa: F401

    from iterable_sync.client import IterableClient
    from iterable_sync.rows import Project, ProjectType
    from iterable_sync.run import run_sync
    from iterable_sync.spec import SyncSpec
    from iterable_sync.state import DuckDBSource, DuckDBState

    with workspace() as directory, sandbox(directory) as url:
        warehouse = str(directory / "warehouse.duckdb")
        with duckdb.connect(warehouse) as connection:
            connection.execute(ORDERS.format(rows=rows, people=max(1, rows // 2)))
        client = IterableClient(
            SANDBOX_KEY, Project("1", "us", ProjectType.USER_ID), base_url=url, sandbox=True
        )
        spec = SyncSpec(
            sync="bench",
            object="orders",
            sql="SELECT * FROM orders",
            key="order_id",
            first_sync="all",
            requests_per_s=inf,
        )
        state = DuckDBState(str(directory / "state.duckdb"))
        with Cpu() as used:
            report = run_sync(spec, source=DuckDBSource(warehouse), client=client, state=state)
        with Cpu() as again:
            second = run_sync(spec, source=DuckDBSource(warehouse), client=client, state=state)
    print(
        json.dumps(
            {
                "bench": "orders",
                "rows": rows,
                "accepted": report.accepted,
                "requests": report.requests,
                "wall_s": used.wall_s,
                "cpu_s": used.cpu_s,
                "cpu_ms_per_order": round(used.cpu_s / rows * 1_000, 2),
                "nothing_changed": {"requests": second.requests, "cpu_s": again.cpu_s},
                "peak_rss_mb": peak_rss_mb(),
                **machine(),
            }
        )
    )


if __name__ == "__main__":
    main()
