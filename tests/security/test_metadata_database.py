"""What Airflow itself keeps of a run that fails: its database, its log files, its output: O7."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import MetaData, select

from airflow_dags import HOME, run_dag, task_instance
from security import canaries
from security.failures import FAILURES
from security.stage import Stage, listening

if TYPE_CHECKING:
    from security.failure import Failure

# The others run as well, in `make test-all`: each takes a second or two.
SOON = ("RequestFieldsTypesMismatched", "text as a number", "a bug")


class InAirflow(Stage):
    """A stage whose tasks run in ``dag.test()``."""

    runs = 0

    def run(self, sql: str | None = None, **arguments: Any) -> Any:
        """Run the operator in a DAG, and give its state."""
        dag, _ = self.task(sql, **arguments)
        type(self).runs += 1
        moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=self.runs)
        with listening(self.heard):
            ran = run_dag(dag, logical_date=moment)
        return SimpleNamespace(state=task_instance(ran, "users").state, error=None)


@pytest.fixture
def stage(stage: Stage) -> InAirflow:
    """Give the same in Airflow."""
    return InAirflow(stage.world, stage.monkeypatch, stage.capfd, stage.connections)


@pytest.mark.failure("S1", "S2", "O7")
@pytest.mark.parametrize(
    ("failure", "stage"),
    [
        pytest.param(
            failure,
            failure.engines[0],
            id=failure.name,
            marks=[] if failure.name in SOON else pytest.mark.all,
        )
        for failure in FAILURES
        if failure.in_airflow
    ],
    indirect=["stage"],
)
def test_airflow_keeps_no_key_and_no_person(failure: Failure, stage: Stage):
    done = failure.act(stage)

    kept = "\n".join([stage.everything(), *rows_of_the_database(), *log_files()])
    assert [] == canaries.found_in(kept)
    # No task is retried in dag.test(): what would be, failed.
    assert failure.state.replace("up_for_retry", "failed") == done.state
    assert failure.said in kept


def rows_of_the_database() -> list[str]:
    """Give all rows of all tables of Airflow's database."""
    from airflow.settings import engine

    tables = MetaData()
    tables.reflect(engine)
    with engine.connect() as connection:
        rows = [
            f"{table.name}: {tuple(row)}"
            for table in tables.sorted_tables
            for row in connection.execute(select(table))
        ]
    assert any(row.startswith("rendered_task_instance_fields: ") for row in rows)
    return rows


def log_files() -> list[str]:
    """Give the log files of the tasks."""
    return [path.read_text(errors="replace") for path in (HOME / "logs").rglob("*.log")]
