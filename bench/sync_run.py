"""One run of the product in this process, for the benchmarks: prints a JSON line."""

from __future__ import annotations

import argparse
import json

from common import KEY, MODEL, SANDBOX_KEY, Cpu, peak_rss_mb


def main() -> None:
    """Run one sync and print its figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("warehouse")
    parser.add_argument("state")
    parser.add_argument("url")
    parser.add_argument("--memory-limit", default="1GB")
    arguments = parser.parse_args()

    # What a run imports when it needs it; a worker that runs many syncs pays it once.
    import duckdb  # noqa: F401
    import pandas as pd  # noqa: F401
    import pyarrow.compute  # noqa: F401
    import sqlglot  # noqa: F401

    from iterable_sync.client import IterableClient
    from iterable_sync.rows import Project, ProjectType
    from iterable_sync.run import run_sync
    from iterable_sync.spec import SyncSpec
    from iterable_sync.state import DuckDBSource, DuckDBState

    client = IterableClient(
        SANDBOX_KEY, Project("1", "us", ProjectType.HYBRID), base_url=arguments.url, sandbox=True
    )
    spec = SyncSpec(
        sync="bench",
        object="users",
        sql=MODEL,
        key=KEY,
        first_sync="all",
        requests_per_s=float("inf"),
    )
    base_rss_mb = peak_rss_mb()
    with Cpu() as used:
        report = run_sync(
            spec,
            source=DuckDBSource(arguments.warehouse),
            client=client,
            state=DuckDBState(arguments.state, memory_limit=arguments.memory_limit),
        )
    print(
        json.dumps(
            {
                "queried": report.queried,
                "accepted": report.accepted,
                "requests": report.requests,
                "end": report.end,
                "wall_s": used.wall_s,
                "cpu_s": used.cpu_s,
                "peak_rss_mb": peak_rss_mb(),
                "imports_rss_mb": base_rss_mb,
                "seconds": {k: round(v, 2) for k, v in report.seconds.items()},
            }
        )
    )


if __name__ == "__main__":
    main()
