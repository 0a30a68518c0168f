"""The example DAG that counts who can be texted, in a real Airflow."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_dags import load_dag, run_dag, xcom

if TYPE_CHECKING:
    from dags.shops import Shop

DAG_FILE = Path(__file__).parents[2] / "dags" / "iterable_sms_preflight.py"


def run(day: int) -> Any:
    dag = load_dag(DAG_FILE)
    for task in dag.tasks:
        # A failure is to be seen, and not to be waited for.
        task.retries = 0
    return run_dag(dag, logical_date=datetime(2026, 3, day, tzinfo=UTC))


@pytest.mark.all
@pytest.mark.capability("E41")
def test_a_week_in_which_too_few_can_be_texted_fails(shop: Shop) -> None:
    """And the next one, in which the phones are mended, does not; nothing is written."""
    shop.sql("UPDATE users SET sms_opt_in = TRUE, country = 'CH', phone = '079 123 45 67'")
    bad = run(2)
    shop.sql("UPDATE users SET phone = '+41791234567'")

    good = run(3)

    task = "count_who_can_be_texted"
    assert ("failed", "success") == (bad.state, good.state)
    assert (20, 0) == tuple(xcom(bad, task, "counts")[name] for name in ("opted_in", "reachable"))
    assert (20, 20) == tuple(xcom(good, task)[name] for name in ("opted_in", "reachable"))
    assert not shop.file.with_name("state.duckdb").exists()
