"""
Reading a sample back, 16 threads, against a sandbox on this machine. Prints one JSON line.

CPU seconds are those of this process; ``draw_s`` is what one piece of the sample costs the state.

    python bench/reconcile.py --rows 100000 --sample 10000
"""

from __future__ import annotations

import argparse
import json
import time

from common import (
    KEY,
    MODEL,
    SANDBOX_KEY,
    Cpu,
    machine,
    make_users,
    peak_rss_mb,
    sandbox,
    workspace,
)


def main() -> None:
    """Send all, read a sample back, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--sample", type=int, default=10_000)
    arguments = parser.parse_args()

    from iterable_sync.client import IterableClient
    from iterable_sync.reconcile import reconcile
    from iterable_sync.rows import Project, ProjectType
    from iterable_sync.run import run_sync
    from iterable_sync.spec import SyncSpec
    from iterable_sync.state import DuckDBSource, DuckDBState, sampling
    from iterable_sync.state.between import registered_sync

    with workspace() as directory, sandbox(directory, discard=False) as url:
        warehouse, state = str(directory / "warehouse.duckdb"), str(directory / "state.duckdb")
        make_users(warehouse, arguments.rows)
        project = Project("1", "us", ProjectType.HYBRID)
        client = IterableClient(SANDBOX_KEY, project, base_url=url, sandbox=True)
        engine = DuckDBState(state)
        spec = SyncSpec(
            sync="bench",
            object="users",
            sql=MODEL,
            key=KEY,
            first_sync="all",
            requests_per_s=float("inf"),
        )
        run_sync(spec, source=DuckDBSource(warehouse), client=client, state=engine)
        before_mb = peak_rss_mb()
        with Cpu() as used:
            report = reconcile(
                "bench",
                client=client,
                state=engine,
                rows=arguments.sample,
                settle_s=0,
                seed=1,
                requests_per_s=float("inf"),
            )
        registered = registered_sync(engine, project.name, "bench")
        started = time.perf_counter()
        with engine.session() as session:
            sampling.draw(engine, session, registered, rows=2_000, settle_s=0)
        draw_s = time.perf_counter() - started
    print(
        json.dumps(
            {
                "bench": "reconcile",
                "rows": arguments.rows,
                "compared": report.compared,
                "differ": report.drift.count,
                "wall_s": used.wall_s,
                "cpu_s": used.cpu_s,
                "reads_per_s": round(report.requests / used.wall_s),
                "cpu_ms_per_read": round(1_000 * used.cpu_s / report.requests, 2),
                "peak_rss_before_mb": before_mb,
                "peak_rss_mb": peak_rss_mb(),
                "draw_s": round(draw_s, 3),
                **machine(),
            }
        )
    )


if __name__ == "__main__":
    main()
