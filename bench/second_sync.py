"""
The daily case: 1 % of 1,000,000 users changed since they were sent. Prints one JSON line.

CPU seconds are those of the run, imports not counted.

    python bench/second_sync.py --rows 1000000
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from common import machine, make_users, sandbox, workspace
from first_sync import last_json


def main() -> None:
    """Send all, change 1 %, and measure the run that sends the change, and one that has none."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--memory-limit", default="1GB")
    arguments = parser.parse_args()
    run = str(Path(__file__).parent / "sync_run.py")
    with workspace() as directory, sandbox(directory) as url:
        warehouse, state = str(directory / "warehouse.duckdb"), str(directory / "state.duckdb")
        options = (warehouse, state, url, "--memory-limit", arguments.memory_limit)
        make_users(warehouse, arguments.rows)
        last_json(run, *options)
        make_users(warehouse, arguments.rows, version=1)
        changed = last_json(run, *options)
        unchanged = last_json(run, *options)
    print(
        json.dumps(
            {
                "bench": "second_sync",
                "rows": arguments.rows,
                **changed,
                "nothing_changed": {k: unchanged[k] for k in ("requests", "wall_s", "cpu_s")},
                **machine(),
            }
        )
    )


if __name__ == "__main__":
    main()
