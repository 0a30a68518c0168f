"""The example DAG in a real scheduler, API server and worker."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest

from airflow_standalone import Airflow, standalone

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.install.conftest import Example

pytestmark = pytest.mark.all

ROOT = Path(__file__).parents[2]


@pytest.fixture
def airflow(tmp_path: Path, example: Example) -> Iterator[Airflow]:
    home = tmp_path / "airflow"
    shutil.copytree(ROOT / "dags", home / "dags")
    with standalone(home, example.variables) as started:
        yield started


def test_the_example_dag_runs_end_to_end(airflow: Airflow, example: Example):
    """All users at first, the changed one then: in a worker that a scheduler has started."""
    first = airflow.counts("iterable_users", airflow.scheduled("iterable_users"))
    with duckdb.connect(str(example.warehouse)) as connection:
        connection.execute("UPDATE users SET city = 'Porto' WHERE user_id = 'u0000007'")
    second = airflow.counts("iterable_users", airflow.start("iterable_users"))

    assert first["queried"] == first["accepted"] == first["added"] == 200
    assert (second["changed"], second["accepted"], second["unchanged"]) == (1, 1, 199)
    assert example.in_iterable("u0000007")["city"] == "Porto"
