"""What the benchmarks share: a wide table of users, a sandbox in its own process, resource use."""

from __future__ import annotations

import contextlib
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "plugins"))

SANDBOX_KEY = "sandbox-key-00000000000000000000"

# 20 columns, as many companies have them; `{version}` moves one row in `{every}` on.
USERS = """
SELECT 'u' || lpad(CAST(i AS text), 9, '0') AS user_id,
    'user' || CAST(i AS text) || '@example.com' AS email,
    'First' || CAST(i % 1000 AS text) AS first_name,
    'Last' || CAST(i % 7777 AS text) AS last_name,
    '+1415' || lpad(CAST(i % 10000000 AS text), 7, '0') AS phone,
    'en_US' AS locale,
    'America/New_York' AS time_zone,
    CASE WHEN i % 3 = 0 THEN 'US' ELSE 'DE' END AS country,
    'City ' || CAST(i % 500 AS text) AS city,
    'plan-' || CAST(i % 4 + CASE WHEN i % {every} = 0 THEN {version} ELSE 0 END AS text) AS plan,
    i % 50 AS order_count,
    i * 7 AS loyalty_points,
    i % 365 AS days_active,
    CAST(i % 100000 AS numeric(12, 2)) / 100 AS lifetime_value,
    CAST(i % 9999 AS double precision) / 7 AS average_order_value,
    CAST(i AS double precision) * 1.1 AS score,
    i % 3 = 0 AS is_vip,
    i % 2 = 0 AS email_opt_in,
    TIMESTAMP WITH TIME ZONE '2024-01-01 00:00:00+00' + (i % 100000) * INTERVAL '1 minute'
        AS signed_up_at,
    TIMESTAMP WITH TIME ZONE '2025-01-01 00:00:00+00' + (i % 90000) * INTERVAL '1 minute'
        AS last_order_at
FROM {series}
"""
MODEL = "SELECT * FROM users"
KEY = "user_id"


def make_users(path: str, rows: int, *, version: int = 0, every: int = 100) -> None:
    """Write the table ``users`` into a DuckDB file."""
    import duckdb

    connection = duckdb.connect(path)
    sql = USERS.format(version=version, every=every, series=f"range({rows}) AS t(i)")
    connection.execute(f"CREATE OR REPLACE TABLE users AS {sql}")
    connection.close()


@contextlib.contextmanager
def workspace() -> Iterator[Path]:
    """Give a directory that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="iterable-sync-bench-") as name:
        yield Path(name)


@contextlib.contextmanager
def sandbox(directory: Path, *options: str, discard: bool = True) -> Iterator[str]:
    """
    Run a sandbox in its own process, without rate limits; give its URL.

    With *discard* it validates and forgets; further *options* are those of its command.
    """
    port_file = directory / "port"
    port_file.unlink(missing_ok=True)
    code = "import typer; from iterable_sync.sandbox.command import sandbox; typer.run(sandbox)"
    process = subprocess.Popen(
        [
            *(sys.executable, "-c", code, "--no-limits", "--port-file", str(port_file)),
            *(["--discard"] if discard else []),
            *options,
        ],
        stdout=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(ROOT / "plugins")},
    )
    try:
        until = time.monotonic() + 30
        while not port_file.exists() or not port_file.read_text():
            if time.monotonic() > until or process.poll() is not None:
                raise RuntimeError("the sandbox did not start")
            time.sleep(0.02)
        yield f"http://127.0.0.1:{port_file.read_text().strip()}"
    finally:
        process.terminate()
        process.wait(10)


def peak_rss_mb() -> float:
    """
    Give the peak resident memory of this process, MB.

    Not ``ru_maxrss``, which a child inherits from the process that started it.
    """
    status = Path("/proc/self/status").read_text()
    kilobytes = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    return round(int(kilobytes) / 1024, 1)


def machine() -> dict[str, Any]:
    """Say where a figure was measured."""
    return {"cores": os.cpu_count(), "python": platform.python_version()}


class Cpu:
    """CPU seconds of this process, all threads, and wall seconds, of a block."""

    def __enter__(self) -> Cpu:
        self._wall, self._cpu = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *exc: object) -> None:
        self.wall_s = round(time.perf_counter() - self._wall, 2)
        self.cpu_s = round(time.process_time() - self._cpu, 2)
