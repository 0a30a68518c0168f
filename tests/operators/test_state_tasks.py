"""Release and requeue in Airflow's real task runner, on a real state."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException

import iterable_sync
from airflow_task import run_task
from harness import people
from iterable_sync.operators.release import IterableReleaseOperator
from iterable_sync.operators.requeue import IterableRequeueOperator
from iterable_sync.spec import Guards

if TYPE_CHECKING:
    from airflow_task import Done
    from harness import World

STRICT = Guards(removed_floor=1, changed_floor=1, max_removed=0.2, max_changed=0.4)


@pytest.fixture
def shop(connected: World) -> World:
    """Give a sync with three held changes and a rejected row, and the connections to it."""
    world = connected
    world.put(*people(1, 2, 3, 4), ("u9", "none", "Bern", 1))
    world.sync()
    world.put(*people(1, 2, 3, city="Genf"), *people(4), ("u9", "none", "Bern", 1))
    assert 3 == world.sync(guards=STRICT).held
    return world


def release(**arguments: Any) -> Done:
    with DAG("shop", schedule=None, params={"sync": "users", "guard": "max_changed"}):
        task = IterableReleaseOperator(
            **{"task_id": "release", "sync": "users", "state_conn_id": "state", **arguments}
        )
    return run_task(task)


def requeue(**arguments: Any) -> Done:
    with DAG("shop", schedule=None, params={"sync": "users", "reasons": ""}):
        task = IterableRequeueOperator(
            **{"task_id": "requeue", "sync": "users", "state_conn_id": "state", **arguments}
        )
    return run_task(task)


def test_they_are_exported() -> None:
    assert iterable_sync.IterableReleaseOperator is IterableReleaseOperator
    assert iterable_sync.IterableRequeueOperator is IterableRequeueOperator


@pytest.mark.parametrize("operator", [IterableReleaseOperator, IterableRequeueOperator])
def test_every_template_field_is_an_argument_under_its_own_name(operator: type) -> None:
    with DAG("shop", schedule=None):
        task = operator(task_id="task", sync="users")

    for name in task.template_fields:
        assert hasattr(task, name)


def test_a_release_lets_the_next_run_send_what_is_held(shop: World) -> None:
    done = release()

    assert ("success", None) == (done.state, done.error)
    assert {"return_value": {"approved": 3, "max_changed": 3}} == done.xcoms
    assert 3 == shop.sync(guards=STRICT).accepted


def test_a_release_says_by_whom_and_until_when(shop: World) -> None:
    release(hours="{{ 2 * 3 }}")

    left = "extract(epoch FROM approved_until - now()) / 3600"
    ((by, hours),) = shop.rows(f"SELECT DISTINCT approved_by, round({left}) FROM {{held_keys}}")
    assert ("shop.release, a_run", 6) == (by, int(hours))


def test_all_arguments_of_a_release_are_templates(shop: World) -> None:
    done = release(sync="{{ params.sync }}", guard="{{ params.guard }}", by="{{ run_id }}")

    assert {"approved": 3, "max_changed": 3} == done.xcoms["return_value"]
    assert [("a_run",)] == shop.rows("SELECT DISTINCT approved_by FROM {held_keys}")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param({"guard": "max_removed"}, "nothing of sync 'users' is held by", id="guard"),
        pytest.param({"sync": "people"}, "no sync 'people' of project 1.us", id="sync"),
        pytest.param({"hours": "soon"}, "hours has to be a number", id="hours"),
        pytest.param({"allow_none": "maybe"}, "allow_none is 'maybe'", id="boolean"),
        pytest.param({"state_conn_id": "nowhere"}, "no Airflow connection 'nowhere'", id="conn"),
    ],
)
def test_a_release_of_nothing_fails_without_a_retry(
    shop: World, arguments: dict[str, Any], message: str
) -> None:
    done = release(**arguments)

    assert "failed" == done.state
    assert isinstance(done.error, AirflowFailException)
    assert message in str(done.error)
    assert [(None,)] == shop.rows("SELECT DISTINCT approved_by FROM {held_keys}")


def test_a_release_of_nothing_can_be_a_success(shop: World) -> None:
    done = release(guard="max_removed", allow_none=True)

    assert ("success", {"approved": 0}) == (done.state, done.xcoms["return_value"])
    assert 3 == len(shop.held())


def test_a_requeue_makes_rejected_rows_due(shop: World) -> None:
    none = requeue()
    done = requeue(include_permanent=True)

    assert {"requeued": 0} == none.xcoms["return_value"]
    assert {"requeued": 1, "invalid_email": 1} == done.xcoms["return_value"]
    assert 1 == shop.sync().rejected


def test_all_arguments_of_a_requeue_are_templates(shop: World) -> None:
    given = {"include_permanent": "{{ true }}", "max_keys": "{{ 5 }}", "older_than": "{{ 0 }}"}

    by_reason = requeue(reasons="conflict, invalid_email", **given)
    young = requeue(reasons=[], include_permanent=True, older_than=timedelta(days=1))
    other = requeue(reasons=["conflict"], **given)

    assert {"requeued": 1, "invalid_email": 1} == by_reason.xcoms["return_value"]
    assert {"requeued": 0} == young.xcoms["return_value"] == other.xcoms["return_value"]
    assert 1 == len(shop.rejections())


def test_no_key_of_a_person_is_in_their_logs(
    shop: World, capfd: pytest.CaptureFixture[str]
) -> None:
    release()
    requeue(include_permanent=True)

    out, err = capfd.readouterr()
    assert "3 keys held by max_changed approved" in out + err
    for secret in ("u1", "u9", "@example.com", shop.server.api_key):
        assert secret not in out + err
