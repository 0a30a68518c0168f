"""A rate that processes share through Postgres."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from harness import people
from iterable_sync.errors import ConfigError, RetryLater
from iterable_sync.pacing import Pacer
from iterable_sync.rows import RunEnd
from iterable_sync.sandbox.server import SandboxServer
from iterable_sync.state import PostgresRate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness import World

BUCKET = "12345.us/api/users/bulkUpdate"
PLUGINS = Path(__file__).parents[2] / "plugins"
WORKER = """
import sys
from iterable_sync.client import IterableClient
from iterable_sync.pacing import Pacer
from iterable_sync.rows import Project, ProjectType
from iterable_sync.state import PostgresRate

conninfo, url, key = sys.argv[1:]
client = IterableClient(key, Project("1", "us", ProjectType.EMAIL), base_url=url, sandbox=True)
client.get("/api/lists")
with PostgresRate(conninfo) as shared:
    pacer = Pacer(16, shared=shared, bucket="bulk")
    print("ready", flush=True)
    sys.stdin.readline()
    for _ in range(12):
        pacer.acquire()
        client.send("POST", "/api/users/bulkUpdate", b'{"users":[{"email":"a@example.com"}]}')
"""


@pytest.fixture
def rate(postgres_db: str) -> Iterator[PostgresRate]:
    with PostgresRate(postgres_db) as made:
        yield made


@pytest.mark.failure("H1", "O8")
def test_four_processes_together_keep_the_limit_in_every_second(postgres_db: str) -> None:
    """Each would send 16/s by itself; Iterable takes 20/s of them all."""
    with SandboxServer(project_type="email", limits={"users/bulkUpdate": 20}) as sandbox:
        workers = [
            subprocess.Popen(
                [sys.executable, "-c", WORKER, postgres_db, sandbox.url, sandbox.api_key],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={"PYTHONPATH": str(PLUGINS)},
                text=True,
            )
            for _ in range(4)
        ]
        try:
            for worker in workers:
                assert worker.stdout
                worker.stdout.readline()
            for worker in workers:
                assert worker.stdin
                worker.stdin.write("go\n")
                worker.stdin.flush()
            assert [0] * 4 == [worker.wait(timeout=60) for worker in workers]
        finally:
            for worker in workers:
                worker.kill()
        answers = sandbox.requests(path="/api/users/*")

    times = [entry["time"] for entry in answers]
    assert [200] * 48 == [entry["status"] for entry in answers]
    assert all(sum(start <= t < start + 1 for t in times) <= 20 for start in times)


def test_what_one_takes_the_other_waits_for(rate: PostgresRate, postgres_db: str) -> None:
    with PostgresRate(postgres_db) as other:
        assert 0 == rate.take(BUCKET, 0.1, has_waited=False)
        assert 9 < other.take(BUCKET, 0.1, has_waited=False) <= 10


def test_endpoints_and_projects_do_not_wait_for_each_other(rate: PostgresRate) -> None:
    taken = [rate.take(bucket, 0.1, has_waited=False) for bucket in ("1.us/a", "1.us/b", "2.us/a")]

    assert [0, 0, 0] == taken


def test_time_that_nobody_waited_for_is_not_saved_up(rate: PostgresRate, postgres_db: str) -> None:
    rate.take(BUCKET, 0.1, has_waited=False)
    with psycopg.connect(postgres_db, autocommit=True) as connection:
        connection.execute("UPDATE iterable_sync.rates SET next_at = 'epoch'")

    assert 0 == rate.take(BUCKET, 0.1, has_waited=False)
    assert rate.take(BUCKET, 0.1, has_waited=False) > 9


def test_who_wakes_late_does_not_slow_the_others_down(rate: PostgresRate, postgres_db: str) -> None:
    rate.take(BUCKET, 0.1, has_waited=False)
    with psycopg.connect(postgres_db, autocommit=True) as connection:
        connection.execute(
            "UPDATE iterable_sync.rates SET next_at = clock_timestamp() - INTERVAL '4 seconds'"
        )

    assert 0 == rate.take(BUCKET, 0.1, has_waited=True)
    assert 5 < rate.take(BUCKET, 0.1, has_waited=True) <= 6


@pytest.mark.failure("H1")
def test_a_429_of_one_halves_the_rate_of_all_once(rate: PostgresRate, postgres_db: str) -> None:
    with PostgresRate(postgres_db) as other:
        rate.take(BUCKET, 0.1, has_waited=False)
        rate.on_429(BUCKET, 0.1, None)
        other.on_429(BUCKET, 0.1, None)
        with psycopg.connect(postgres_db, autocommit=True) as connection:
            connection.execute("UPDATE iterable_sync.rates SET next_at = clock_timestamp()")

        other.take(BUCKET, 0.1, has_waited=False)

        assert 15 < rate.take(BUCKET, 0.1, has_waited=False) <= 20


def test_the_rate_is_regained_by_five_per_cent_a_second(
    rate: PostgresRate, postgres_db: str
) -> None:
    rate.take(BUCKET, 0.1, has_waited=False)
    rate.on_429(BUCKET, 0.1, None)
    with psycopg.connect(postgres_db, autocommit=True) as connection:
        connection.execute(
            "UPDATE iterable_sync.rates SET next_at = clock_timestamp(), "
            "cut_at = clock_timestamp() - INTERVAL '10 seconds'"
        )

    rate.take(BUCKET, 0.1, has_waited=False)

    assert 9 < rate.take(BUCKET, 0.1, has_waited=False) <= 10


def test_a_wait_that_iterable_asks_one_for_is_kept_by_all(
    rate: PostgresRate, postgres_db: str
) -> None:
    with PostgresRate(postgres_db) as other:
        rate.on_429(BUCKET, 4.0, 30.0)

        assert 29 < other.take(BUCKET, 4.0, has_waited=False) <= 30


@pytest.mark.parametrize(("asked", "most"), [(900.0, 900.0), (1e9, 3_600.0)])
def test_a_wait_too_long_for_a_worker_ends_the_other_runs_too(
    rate: PostgresRate, asked: float, most: float
) -> None:
    """No header can shut a project for years."""
    rate.on_429(BUCKET, 4.0, asked)

    with pytest.raises(RetryLater) as caught:
        Pacer(4.0, shared=rate, bucket=BUCKET).acquire()

    assert most - 10 < caught.value.delay_s <= most


def test_a_connection_that_was_lost_is_made_anew(rate: PostgresRate, postgres_db: str) -> None:
    rate.take(BUCKET, 0.1, has_waited=False)
    with psycopg.connect(postgres_db, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )

    assert rate.take(BUCKET, 0.1, has_waited=False) > 0


def test_a_database_that_is_away_ends_the_run_to_be_tried_later() -> None:
    rate = PostgresRate("host=/nonexistent dbname=none")

    with pytest.raises(RetryLater, match="Postgres"):
        rate.take(BUCKET, 4.0, has_waited=False)


def test_a_role_without_the_right_is_a_matter_of_configuration(postgres_db: str) -> None:
    name = f"nobody_{postgres_db.partition('test_')[2].partition('?')[0]}"
    with psycopg.connect(postgres_db, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {name} LOGIN".encode())
        try:
            rate = PostgresRate(postgres_db.replace("postgres:@", f"{name}@", 1))
            with pytest.raises(ConfigError, match=r"iterable_sync.*42501"):
                rate.take(BUCKET, 4.0, has_waited=False)
            rate.close()
        finally:
            connection.execute(f"DROP ROLE {name}".encode())


def test_a_run_takes_its_moments_from_the_endpoint_of_its_project(
    postgres_world: World, rate: PostgresRate, postgres_db: str
) -> None:
    world = postgres_world
    world.put(*people(1, 2, 3))

    world.sync(batch_rows=1, requests_per_s=50, options={"shared_rate": rate})

    with psycopg.connect(postgres_db) as connection:
        buckets = connection.execute("SELECT bucket FROM iterable_sync.rates").fetchall()
    assert [("1.us/api/users/bulkUpdate",)] == buckets


def test_without_pacing_nothing_is_asked_of_the_shared_rate(postgres_world: World) -> None:
    world = postgres_world
    world.put(*people(1))
    unreachable = PostgresRate("host=/nonexistent dbname=none")

    assert 1 == world.sync(options={"shared_rate": unreachable}).accepted


def test_a_run_without_its_shared_rate_sends_nothing_and_is_pending(
    postgres_world: World,
) -> None:
    world = postgres_world
    world.put(*people(1, 2))
    unreachable = PostgresRate("host=/nonexistent dbname=none")

    report = world.sync(requests_per_s=50, options={"shared_rate": unreachable})

    assert (RunEnd.PENDING, 2, 0) == (report.end, report.pending, world.writes())
    assert report.retry_after_s
