"""Time between syncs: the sensor in Airflow's real task runner, on a real state."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import (
    DAG,
    AirflowFailException,
    BaseSensorOperator,
    TaskDeferred,
)

import iterable_sync
from airflow_dags import run_dag
from airflow_task import run_task
from harness import people
from iterable_sync.errors import ConfigError
from iterable_sync.operators.settle import IterableSettleSensor
from iterable_sync.state.settling import seconds_left

if TYPE_CHECKING:
    from airflow_task import Done
    from harness import World

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


@pytest.fixture
def shop(connected: World) -> World:
    """Give a sync that has sent, and the connections to it."""
    world = connected
    world.put(*people(1, 2, 3))
    world.sync(batch_rows=1)
    return world


def settled_at(world: World, *moments: datetime | None) -> None:
    """Let the requests of the last run have been answered then; None is one without an answer."""
    for number, moment in enumerate(moments, start=1):
        value = "NULL" if moment is None else f"CAST('{moment.isoformat()}' AS timestamptz)"
        world.write(f"UPDATE {{batches}} SET settled_at = {value} WHERE number = {number}")


def left(world: World, at: datetime, settle_s: float = 60) -> float:
    return seconds_left(world.state, "1.us", "users", settle_s, at=at)


def sensor(**arguments: Any) -> IterableSettleSensor:
    with DAG("shop", schedule=None, params={"settle": "60"}, start_date=NOON):
        return IterableSettleSensor(
            **{"task_id": "settle", "sync": "users", "state_conn_id": "state", **arguments}
        )


def wait(**arguments: Any) -> Done:
    return run_task(sensor(**{"deferrable": True, **arguments}))


def test_it_is_exported() -> None:
    assert iterable_sync.IterableSettleSensor is IterableSettleSensor


def test_it_is_a_sensor_of_airflow() -> None:
    """Pools, timeouts and soft failures of sensors are its own."""
    assert isinstance(sensor(), BaseSensorOperator)
    assert sensor(timeout=30, soft_fail=True).timeout == 30


# -- the arithmetic -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("after_s", "expected"),
    [
        pytest.param(0, 60, id="at once"),
        pytest.param(59.5, 0.5, id="almost over"),
        pytest.param(60, 0, id="over"),
        pytest.param(86_400, 0, id="long ago"),
    ],
)
def test_what_is_left_is_counted_from_the_last_answer(
    world: World, after_s: float, expected: float
) -> None:
    """Of three requests the one that was answered last."""
    world.put(*people(1, 2, 3))
    world.sync(batch_rows=1)
    settled_at(world, NOON - timedelta(seconds=90), NOON, NOON - timedelta(seconds=30))

    assert left(world, NOON + timedelta(seconds=after_s)) == pytest.approx(expected, abs=1e-6)


def test_a_request_without_an_answer_counts_from_when_it_was_opened(world: World) -> None:
    """It may have been applied, or may be on its way still."""
    world.put(*people(1))
    world.sync()
    world.write(
        f"UPDATE {{batches}} SET settled_at = NULL, requests = NULL, state = 'open', "
        f"opened_at = CAST('{NOON.isoformat()}' AS timestamptz)"
    )

    assert left(world, NOON + timedelta(seconds=20)) == pytest.approx(40, abs=1e-6)


def test_nothing_is_left_where_nothing_was_sent(world: World) -> None:
    """Neither of a run that found nothing to send, nor of one whose rows were all refused by us."""
    world.put(("u1", "none", "Bern", 1))
    world.sync()

    assert [("folded", 0)] == world.rows("SELECT state, requests FROM {batches}")
    assert left(world, datetime.now(UTC)) == 0


def test_another_sync_is_of_no_account(world: World) -> None:
    world.put(*people(1))
    world.sync()
    settled_at(world, NOON)
    world.sync(sync="others", sql=f"SELECT user_id, email, 1 AS n FROM {world.prefix}users")

    assert left(world, NOON + timedelta(seconds=60)) == 0


# -- the task -----------------------------------------------------------------------------------


def test_it_defers_for_what_is_left(shop: World) -> None:
    """No worker is kept: Airflow's own trigger waits, until then and no longer."""
    done = wait(settle=600)

    assert (done.state, done.error) == ("deferred", None)
    assert done.told["classpath"].endswith("temporal.DateTimeTrigger")
    assert done.told["next_method"] == "look_again"


def test_it_is_done_at_once_where_the_time_is_over(shop: World) -> None:
    settled_at(shop, NOON, NOON, NOON)

    done = wait(settle="{{ params.settle }}")

    assert (done.state, done.error) == ("success", None)
    assert done.rendered["settle"] == "60"


def test_it_is_done_at_once_where_nothing_is_to_be_waited_for(shop: World) -> None:
    assert wait(settle=0).state == "success"


def test_it_looks_again_when_it_wakes(shop: World) -> None:
    """Another run of the sync may have sent meanwhile: then it waits for what is left of that."""
    settled_at(shop, NOON, NOON, NOON)
    task = sensor(deferrable=True, settle=timedelta(minutes=10))
    shop.put(*people(1, 2, 3, city="Genf"))
    shop.sync()

    started = datetime.now(UTC)
    with pytest.raises(TaskDeferred) as deferred:
        task.look_again({}, None)

    until = deferred.value.trigger.moment
    assert started < until <= datetime.now(UTC) + timedelta(seconds=600)


def test_in_a_worker_it_looks_every_few_seconds(shop: World) -> None:
    settled_at(shop, NOON, NOON, NOON)

    assert wait(deferrable=False).state == "success"
    assert sensor().poke_interval == 5
    settled_at(shop, *[datetime.now(UTC)] * 3)
    assert sensor(settle=600).poke({}) is False


def test_whether_it_defers_is_airflows_setting_unless_said() -> None:
    assert sensor().deferrable is False
    assert sensor(deferrable=True).deferrable is True


def test_unknown_sync_fails_and_says_which_there_are(shop: World) -> None:
    """A typing error must not look like a sync that has nothing to wait for."""
    done = wait(sync="user")

    assert isinstance(done.error, AirflowFailException)
    assert "no sync 'user' of project 1.us has run; known here: 'users'" in str(done.error)


def test_no_time_is_over_whatever_has_run(shop: World) -> None:
    """A dry run may come before the sync, which then sends nothing to wait for."""
    assert wait(sync="never", settle=0).state == "success"


@pytest.mark.parametrize("settle", [-1, 86_401, "soon", "nan"])
def test_wrong_time_fails(shop: World, settle: Any) -> None:
    done = wait(settle=settle)

    assert isinstance(done.error, AirflowFailException)
    assert "settle" in str(done.error)
    assert ConfigError.__name__ in str(done.error)


def test_a_dag_waits_and_goes_on(shop: World) -> None:
    """Airflow defers the task, runs the trigger, and wakes the task again."""
    with DAG("waits", schedule=None, start_date=NOON) as dag:
        IterableSettleSensor(
            task_id="settle", sync="users", state_conn_id="state", settle=1, deferrable=True
        )
    dag.fileloc = str(Path(__file__))
    shop.put(*people(1, 2, 3, city="Genf"))
    shop.sync()

    assert run_dag(dag, logical_date=NOON).state == "success"
