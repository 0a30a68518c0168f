"""Visits to a DuckDB file: who has it open, and for how long."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from iterable_sync.state.dialects import duckdb_visits
from iterable_sync.state.dialects.duckdb_visits import Visits

_OTHER = (
    "import sys; from iterable_sync.state.dialects.duckdb_file import connect\n"
    "for _ in range(2):\n"
    "    connection = connect(sys.argv[1]); connection.execute('SELECT 1'); connection.close()\n"
)


@pytest.fixture
def visits(tmp_path: Path) -> Visits:
    return Visits(str(tmp_path / "state.duckdb"), {"memory_limit": "100MB"})


def is_open(visits: Visits) -> bool:
    """Tell whether this process has the file open."""
    wanted = Path(visits._path).resolve()
    return any(os.path.realpath(entry.path) == str(wanted) for entry in os.scandir("/proc/self/fd"))


def touch(visits: Visits) -> None:
    with visits.visit() as connection:
        connection.execute("SELECT 1").fetchall()


def test_a_visit_alone_closes_the_file(visits: Visits) -> None:
    with visits.visit():
        assert is_open(visits)

    assert not is_open(visits)


def test_visits_that_follow_each_other_open_it_once(
    visits: Visits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duckdb_visits, "HELD_S", 60)
    monkeypatch.setattr(duckdb_visits, "LINGER_S", 60)
    with visits.follow_each_other():
        with visits.visit() as first:
            pass
        assert is_open(visits)
        with visits.visit() as second:
            pass

    assert first is second
    assert not is_open(visits)


def test_a_file_that_nobody_visits_is_closed_within_a_moment(visits: Visits) -> None:
    """Whatever the run waits for: HTTP, a limit, a lane."""
    with visits.follow_each_other():
        touch(visits)
        for _ in range(500):
            if not is_open(visits):
                break
            time.sleep(0.02)
        assert not is_open(visits)
        touch(visits)


def test_other_processes_get_their_turn_while_visits_follow_each_other(visits: Visits) -> None:
    with visits.follow_each_other():
        touch(visits)
        with subprocess.Popen(
            [sys.executable, "-c", _OTHER, visits._path],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "plugins")},
        ) as other:
            until = time.monotonic() + 60
            while other.poll() is None and time.monotonic() < until:
                touch(visits)
                time.sleep(0.12)
            has_ended = other.poll() is not None
            other.kill()

    assert has_ended
    assert other.returncode == 0


@pytest.mark.failure("P11")
def test_the_file_is_closed_before_a_fork(visits: Visits) -> None:
    with visits.follow_each_other():
        touch(visits)
        assert is_open(visits)
        if (child := os.fork()) == 0:
            os._exit(int(is_open(visits)))
        _, status = os.waitpid(child, 0)

    assert status == 0


def test_after_an_error_nothing_of_a_connection_is_seen_again(visits: Visits) -> None:
    with visits.follow_each_other():
        with suppress(RuntimeError), visits.visit() as connection:
            connection.execute("CREATE TEMP TABLE left_behind (a INTEGER)")
            raise RuntimeError
        with visits.visit() as connection:
            found = connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()

    assert found == []
