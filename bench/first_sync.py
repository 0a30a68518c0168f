"""
A first sync, warehouse to Iterable, beside the script that teams write today.

1,000,000 users of 20 columns from DuckDB to a sandbox in another process, pacing off. Ours stages,
compares, maps, checks every value, journals, reads every row's answer and keeps a snapshot; the
script (``bench/plain_script.py``) reads, ``to_dict``s and posts. Prints one JSON line.

    python bench/first_sync.py --rows 1000000
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from common import machine, make_users, sandbox, workspace

_HERE = Path(__file__).parent


def last_json(*command: str) -> dict[str, Any]:
    """Run a benchmark's part in a process of its own; give its JSON line."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", *command], check=True, stdout=subprocess.PIPE, text=True
    )
    parsed: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return parsed


def main() -> None:
    """Measure both and print the line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--memory-limit", default="1GB")
    parser.add_argument("--without-script", action="store_true")
    arguments = parser.parse_args()
    with workspace() as directory:
        warehouse, state = str(directory / "warehouse.duckdb"), str(directory / "state.duckdb")
        make_users(warehouse, arguments.rows)
        with sandbox(directory) as url:
            ours = last_json(
                str(_HERE / "sync_run.py"),
                warehouse,
                state,
                url,
                "--memory-limit",
                arguments.memory_limit,
            )
        line: dict[str, Any] = {
            "bench": "first_sync",
            "rows": arguments.rows,
            "rows_per_s": round(arguments.rows / ours["wall_s"]),
            **ours,
        }
        if not arguments.without_script:
            with sandbox(directory) as url:
                script = last_json(str(_HERE / "plain_script.py"), warehouse, url)
            line["script"] = script
            line["cpu_of_script"] = round(ours["cpu_s"] / script["cpu_s"], 2)
    print(json.dumps({**line, **machine()}))


if __name__ == "__main__":
    main()
