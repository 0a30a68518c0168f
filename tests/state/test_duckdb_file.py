"""Opening DuckDB files that others hold."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from iterable_sync.state.dialects.duckdb_file import connect

if TYPE_CHECKING:
    from pathlib import Path

_THREADS = 4
_OPENS = 100


def test_threads_of_one_process_open_and_close_a_file_at_the_same_time(tmp_path: Path):
    """The heartbeat and the recorder of a run meet at the state file, and neither fails."""
    path = str(tmp_path / "state.duckdb")
    connect(path).close()

    def visit(_: int) -> int:
        for _ in range(_OPENS):
            connection = connect(path)
            connection.execute("SELECT 1")
            connection.close()
        return _OPENS

    with ThreadPoolExecutor(_THREADS) as pool:
        visits = list(pool.map(visit, range(_THREADS)))

    assert [_OPENS] * _THREADS == visits
