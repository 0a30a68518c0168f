"""Reading back in Airflow's real task runner, on a real state and a sandbox."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException

import iterable_sync
from airflow_task import run_task
from harness import people
from iterable_sync.operators.reconcile import IterableReconcileOperator

if TYPE_CHECKING:
    from airflow_task import Done
    from harness import World


@pytest.fixture
def shop(connected: World) -> World:
    """Give a sync of ten people of whom Iterable has lost one, and the connections to it."""
    world = connected
    world.put(*people(*range(10)))
    world.sync()
    world.connect().send("DELETE", "/api/users/u3@example.com", b"")
    return world


def reconcile(**arguments: Any) -> Done:
    params = {"sync": "users", "rows": 10, "most": 0.5, "mark": False}
    with DAG("shop", schedule=None, params=params):
        task = IterableReconcileOperator(
            **{
                "task_id": "look",
                "sync": "users",
                "state_conn_id": "state",
                "settle": 0,
                **arguments,
            }
        )
    return run_task(task)


def test_it_is_exported() -> None:
    assert iterable_sync.IterableReconcileOperator is IterableReconcileOperator


def test_every_template_field_is_an_argument_under_its_own_name() -> None:
    with DAG("shop", schedule=None):
        task = IterableReconcileOperator(task_id="task", sync="users")

    for name in task.template_fields:
        assert hasattr(task, name)


def test_what_is_found_is_counted_and_marked(shop: World) -> None:
    done = reconcile()

    counts = done.xcoms["return_value"]
    assert ("success", None) == (done.state, done.error)
    assert (10, 10, 1, 0, 1) == tuple(
        counts[name] for name in ("live", "compared", "missing", "drifted", "marked")
    )
    assert {"u3": {"*"}} == shop.dirty()


def test_more_drift_than_is_allowed_fails_without_a_retry_and_is_marked(shop: World) -> None:
    done = reconcile(max_drift=0.05)

    assert "failed" == done.state
    assert isinstance(done.error, AirflowFailException)
    assert "1 of 10, 10.00% (1.79% to 40.42%) rows differ" in str(done.error)
    assert 1 == done.xcoms["counts"]["marked"]
    assert {"u3": {"*"}} == shop.dirty()


def test_as_much_drift_as_is_allowed_is_a_success(shop: World) -> None:
    assert "success" == reconcile(max_drift=0.1).state


def test_all_arguments_are_templates(shop: World) -> None:
    done = reconcile(
        sync="{{ params.sync }}",
        rows="{{ params.rows }}",
        settle="{{ 0 }}",
        seed="{{ 7 }}",
        mark="{{ params.mark }}",
        max_drift="{{ params.most }}",
        merge_nested_objects="{{ true }}",
    )

    assert (1, 0) == tuple(done.xcoms["return_value"][name] for name in ("missing", "marked"))
    assert {} == shop.dirty()


def test_what_was_accepted_lately_is_left_out(shop: World) -> None:
    assert 0 == reconcile(settle=timedelta(minutes=5)).xcoms["return_value"]["sampled"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param({"sync": "people"}, "no sync 'people' of project 1.us", id="sync"),
        pytest.param({"rows": "many"}, "rows has to be a number", id="number"),
        pytest.param({"max_drift": 5}, "max_drift is a share, from 0 to 1", id="share"),
        pytest.param({"mark": "maybe"}, "mark is 'maybe'", id="boolean"),
        pytest.param({"state_conn_id": "nowhere"}, "no Airflow connection 'nowhere'", id="conn"),
    ],
)
def test_arguments_that_make_no_sense_fail_without_a_retry(
    shop: World, arguments: dict[str, Any], message: str
) -> None:
    done = reconcile(**arguments)

    assert "failed" == done.state
    assert isinstance(done.error, AirflowFailException)
    assert message in str(done.error)
    assert {} == shop.dirty()


def test_it_is_skipped_while_a_run_has_the_sync(shop: World) -> None:
    shop.write(
        "UPDATE {leases} SET holder = 'another', held_until = now() + INTERVAL '1 minute' "
        "WHERE scope = 'sync:1.us/users'"
    )

    assert "skipped" == reconcile().state


def test_no_key_of_a_person_is_in_its_log(
    shop: World, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Those of the sandbox's own server apart, which runs in this process."""
    reconcile(max_drift=0)

    said = [r.getMessage() for r in caplog.records if not r.name.startswith("uvicorn")]
    assert any("1 missing" in line for line in said)
    shown = "\n".join([*said, *capfd.readouterr()])
    for secret in ("u3", "@example.com", "Bern", shop.server.api_key):
        assert secret not in shown
