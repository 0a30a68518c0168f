"""Who can be texted, in Airflow's real task runner: counts, limits, and no value anywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException

import iterable_sync
from airflow_dags import connection_variables
from airflow_task import run_task
from iterable_sync.operators.sms_preflight import IterableSmsPreflightOperator

if TYPE_CHECKING:
    from airflow_task import Done
    from harness import World

COLUMNS = {"phone": "text", "country": "text", "sms_opt_in": "boolean"}
CANARY = "canary 4158675309"


@pytest.fixture
def people(duckdb_world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """Give four people, of whom three opted in and two can be texted, and no project at all."""
    world = duckdb_world
    world.put(
        ("+41791234567", "CH", True),
        ("(415) 867-5309", "US", True),
        (CANARY, CANARY, True),
        ("+14158675309", "US", False),
        columns=COLUMNS,
    )
    warehouse = {"conn_type": "duckdb", "host": world.source.path}  # type: ignore[attr-defined]
    for name, value in connection_variables({"warehouse": warehouse}).items():
        monkeypatch.setenv(name, value)
    return world


def look(**arguments: Any) -> Done:
    with DAG("shop", schedule=None, params={"region": "US", "least": 0.66}):
        task = IterableSmsPreflightOperator(
            **{"task_id": "look", "phone_region": "{{ params.region }}", **arguments}
        )
    return run_task(task)


def test_it_is_exported() -> None:
    assert iterable_sync.IterableSmsPreflightOperator is IterableSmsPreflightOperator


def test_every_template_field_is_an_argument_under_its_own_name() -> None:
    with DAG("shop", schedule=None):
        task = IterableSmsPreflightOperator(task_id="task")

    for name in task.template_fields:
        assert hasattr(task, name)


@pytest.mark.capability("E41")
def test_counts_are_given_to_xcom_and_the_report_to_the_log(
    people: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the packaged model; no row, and nothing that was in one."""
    done = look(min_reachable="{{ params.least }}")

    log = capsys.readouterr().out
    counts = done.xcoms["return_value"]
    assert ("success", None) == (done.state, done.error)
    assert (4, 4, 3, 3, 2) == tuple(
        counts[name] for name in ("people", "with_phone", "valid", "opted_in", "reachable")
    )
    assert counts == done.xcoms["counts"]
    assert "opted in: 2 with a valid phone (66.7%), 1 without" in log
    assert "canary" not in (log + str(done.xcoms) + str(done.rendered)).lower()


def test_model_of_an_sms_event_can_be_counted(people: World) -> None:
    """It knows the moment of the run, as in its sync."""
    done = look(
        sql="SELECT phone AS phone_number, sms_opt_in FROM users "
        "WHERE CAST('{{ as_of }}' AS timestamptz) = CAST('2026-01-02T00:00:00Z' AS timestamptz)"
    )

    assert (4, 2) == tuple(done.xcoms["counts"][name] for name in ("people", "reachable"))


@pytest.mark.capability("E41")
def test_too_few_who_can_be_texted_fail_without_a_retry(people: World) -> None:
    """The counts are there all the same."""
    done = look(min_reachable=0.67)

    assert "failed" == done.state
    assert isinstance(done.error, AirflowFailException)
    assert "2 of 3 who opted in have a valid phone, 66.7%" in str(done.error)
    assert 2 == done.xcoms["counts"]["reachable"]


@pytest.mark.parametrize("share", [1.1, -0.1, "many"])
def test_limit_that_is_no_share_is_refused(people: World, share: Any) -> None:
    """Before the warehouse is asked."""
    done = look(min_valid=share)

    assert isinstance(done.error, AirflowFailException)
    assert "task 'look': min_valid is a share, from 0 to 1" in str(done.error)
    assert {} == done.xcoms


def test_what_a_driver_says_is_not_passed_on(people: World) -> None:
    """It may quote a row."""
    done = look(sql="SELECT CAST(phone AS bigint) AS phone, sms_opt_in FROM users")

    assert "failed" == done.state
    assert "canary" not in str(done.error).lower()
