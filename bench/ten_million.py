"""
That memory does not grow with the rows: 10,000,000 users stream through, DuckDB held to 128 MB.

A first sync from DuckDB to a sandbox in another process that keeps digests only, pacing off. Peak
memory is that of the run's process; the baseline is what its imports take. It may be 300 MB more.
Needs about 8 GB of disk, and half an hour. Prints one JSON line.

    python bench/ten_million.py
    python bench/ten_million.py --rows 1000000
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from common import machine, make_users, sandbox, workspace
from first_sync import last_json

_MOST_MB = 300


def main() -> None:
    """Measure and print the line; fail above the limit."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--memory-limit", default="128MB")
    arguments = parser.parse_args()
    with workspace() as directory:
        warehouse, state = str(directory / "warehouse.duckdb"), str(directory / "state.duckdb")
        make_users(warehouse, arguments.rows)
        with sandbox(directory) as url:
            ours = last_json(
                str(Path(__file__).parent / "sync_run.py"),
                warehouse,
                state,
                url,
                "--memory-limit",
                arguments.memory_limit,
            )
    above_mb = round(ours["peak_rss_mb"] - ours["imports_rss_mb"], 1)
    print(
        json.dumps(
            {
                "bench": "ten_million",
                "rows": arguments.rows,
                "memory_limit": arguments.memory_limit,
                "above_baseline_mb": above_mb,
                "most_mb": _MOST_MB,
                **ours,
                **machine(),
            }
        )
    )
    if above_mb > _MOST_MB or ours["accepted"] != arguments.rows:
        raise SystemExit("more memory than allowed, or rows that were not simply accepted")


if __name__ == "__main__":
    main()
