"""The operators in Airflow's real task runner; what they run is a stand-in that gives a report."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import time_machine
from airflow.providers.common.compat.sdk import (
    DAG,
    AirflowException,
    AirflowFailException,
    AirflowSkipException,
    Asset,
)

from airflow_task import run_task
from iterable_sync import errors, sqlfiles
from iterable_sync.operators.ends import Unfinished
from iterable_sync.operators.rendering import as_of_run
from iterable_sync.operators.sync import IterableSyncOperator
from iterable_sync.operators.users import IterableUsersOperator
from iterable_sync.rows import NullPolicy, RunEnd, RunReport

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from iterable_sync.spec import SyncSpec

CANARY = "canary.7f3a@example.com"
SQL = "SELECT user_id, email FROM users"


class Users(IterableUsersOperator):
    """The users operator over a run that ends as the test says."""

    ends_with: RunReport | Exception | None = None
    specs: list[SyncSpec]

    def _run(self, spec: SyncSpec) -> RunReport:
        type(self).specs.append(spec)
        if isinstance(self.ends_with, Exception):
            raise self.ends_with
        return self.ends_with or RunReport(sync=spec.sync, run_id="r1", queried=3, accepted=3)


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Users, "specs", [], raising=False)


@contextmanager
def ending(end: RunReport | Exception, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setattr(Users, "ends_with", end)
        yield


def users(**arguments: Any) -> Users:
    with DAG("shop", schedule=None, params={"resync": False}):
        return Users(**{"task_id": "users", "sql": SQL, "key": "user_id", **arguments})


def only_spec() -> SyncSpec:
    (spec,) = Users.specs
    return spec


# --- from arguments to a spec ---


def test_arguments_become_a_spec():
    done = run_task(
        users(
            fields={"plan": {"name": "account.plan", "null": "keep"}},
            guards={"max_removed": 0.1},
            thresholds={"max_rejected": 0},
            first_sync="all",
            options={"exclude": ["loaded_at"], "timezone": "UTC"},
        )
    )

    spec = only_spec()
    assert done.state == "success"
    assert (spec.sync, spec.object, spec.sql, spec.key) == (
        "shop.users",
        "users",
        SQL,
        ("user_id",),
    )
    assert spec.fields["plan"].name == "account.plan"
    assert spec.fields["plan"].null is NullPolicy.KEEP
    assert spec.guards.max_removed == 0.1
    assert spec.thresholds.max_rejected == 0
    assert spec.first_sync == "all"
    assert (spec.exclude, spec.timezone) == (("loaded_at",), "UTC")


def test_all_arguments_are_templates():
    done = run_task(
        users(
            sql="SELECT '{{ ds }}' AS day",
            sync="{{ dag.dag_id }}-daily",
            full_resync="{{ params.resync }}",
            first_sync="{{ 40 + 2 }}",
            options={"dry_run": "{{ not params.resync }}", "exclude": ["{{ task.task_id }}"]},
        )
    )

    spec = only_spec()
    assert done.state == "success"
    assert spec.sql == "SELECT '2026-01-02' AS day"
    assert spec.sync == "shop-daily"
    assert spec.full_resync is False
    assert spec.first_sync == 42
    assert spec.dry_run is True
    assert spec.exclude == ("users",)
    assert done.rendered["sql"] == spec.sql


def test_every_template_field_is_an_argument_under_its_own_name():
    """What Airflow's own provider checks ask of a template field."""
    operator = users()

    for name in operator.template_fields:
        assert hasattr(operator, name)
        assert name in IterableSyncOperator.__init__.__wrapped__.__kwdefaults__ or name in (
            "sql",
            "key",
        )


@pytest.mark.parametrize("given", ["{{ 'maybe' }}", "{{ none }}", "{{ 1 }}", "{{ '' }}"])
def test_a_template_that_renders_to_no_boolean_fails_and_runs_nothing(given: str):
    done = run_task(users(full_resync=given), retries=3)

    assert done.state == "failed"
    assert "full_resync is" in str(done.error)
    assert Users.specs == []


def test_a_sql_file_is_found_in_the_packages_sql(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "sql/models").mkdir(parents=True)
    (tmp_path / "sql/models/some.sql").write_text("SELECT '{{ ds }}' AS ours")
    monkeypatch.setattr(sqlfiles, "_PACKAGE", tmp_path)

    done = run_task(users(sql="models/some.sql"))

    assert done.state == "success"
    assert only_spec().sql == "SELECT '2026-01-02' AS ours"


def test_a_sql_file_of_the_dag_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Users override a model of ours by a file of the same name."""
    for folder in ("package/sql/models", "dags/models"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "some.sql").write_text(f"SELECT '{folder[:4]}' AS whose")
    monkeypatch.setattr(sqlfiles, "_PACKAGE", tmp_path / "package")

    with DAG("shop", schedule=None, template_searchpath=str(tmp_path / "dags")):
        task = Users(task_id="users", sql="models/some.sql", key="user_id")
    run_task(task)

    assert only_spec().sql == "SELECT 'dags' AS whose"


def test_a_missing_sql_file_names_the_folders_looked_at():
    done = run_task(users(sql="models/no_such.sql"))

    assert done.state == "failed"
    assert "'models/no_such.sql' is in none of these: " in str(done.error)
    assert str(sqlfiles.sql_root()) in str(done.error)


def test_a_sql_file_outside_of_sql_is_not_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "sql/models").mkdir(parents=True)
    (tmp_path / "secret.sql").write_text("SELECT 1")
    monkeypatch.setattr(sqlfiles, "_PACKAGE", tmp_path)

    assert run_task(users(sql="../secret.sql")).state == "failed"


# --- when: as_of ---


def test_the_logical_date_is_the_moment_of_the_data():
    run_task(users(), logical_date="2026-01-02T00:00:00Z", run_after="2026-01-03T00:00:00Z")

    assert only_spec().as_of == datetime(2026, 1, 2, tzinfo=UTC)


def test_a_run_without_a_logical_date_takes_run_after():
    """A run that an asset triggered has none."""
    run_task(users(), logical_date=None, run_after="2026-01-03T00:00:00Z")

    assert only_spec().as_of == datetime(2026, 1, 3, tzinfo=UTC)


def test_as_of_can_be_given():
    run_task(users(options={"as_of": "2026-02-01T00:00:00+00:00"}))

    assert only_spec().as_of == datetime(2026, 2, 1, tzinfo=UTC)


def test_a_model_knows_the_moment_of_its_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """``{{ as_of }}`` in a file, or in an argument, is the ``as_of`` that the run has."""
    (tmp_path / "sql/models").mkdir(parents=True)
    (tmp_path / "sql/models/some.sql").write_text("SELECT '{{ as_of }}' AS day")
    monkeypatch.setattr(sqlfiles, "_PACKAGE", tmp_path)

    run_task(users(sql="models/some.sql"), logical_date="2026-01-02T00:00:00Z")

    assert only_spec().sql == "SELECT '2026-01-02T00:00:00+00:00' AS day"
    assert only_spec().as_of == datetime(2026, 1, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    "given",
    [
        pytest.param("2026-02-01T01:00:00+01:00", id="text"),
        pytest.param("{{ params.day }}", id="template"),
        pytest.param(datetime(2026, 2, 1, tzinfo=UTC), id="moment"),
    ],
)
def test_a_model_knows_the_moment_that_is_given(given: object):
    """What ``options`` say is what the SQL has, and not what Airflow's dates say."""
    with DAG("shop", schedule=None, params={"day": "2026-02-01T00:00:00Z"}):
        task = Users(
            task_id="users",
            sql="SELECT '{{ as_of }}' AS day",
            key="day",
            options={"as_of": given},
        )
    run_task(task, logical_date="2026-01-02T00:00:00Z")

    assert only_spec().sql == "SELECT '2026-02-01T00:00:00+00:00' AS day"
    assert only_spec().as_of == datetime(2026, 2, 1, tzinfo=UTC)


def test_a_moment_that_is_none_fails_and_says_so():
    done = run_task(users(sql="SELECT '{{ as_of }}'", options={"as_of": "{{ 'yesterday' }}"}))

    assert done.state == "failed"
    assert "task 'users': as_of is no moment in ISO 8601" in str(done.error)


# --- mistakes are found when the DAG is parsed ---


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param({"options": {"exclud": []}}, "unknown in options=: exclud", id="option"),
        pytest.param({"options": {"sql": ""}}, "sql in options= .*of their own", id="twice"),
        pytest.param({"options": {"exclud": "{{ 1 }}"}}, "unknown in options=", id="templated"),
        pytest.param({"guards": {"max_remove": 1}}, "guards.max_remove: Extra", id="guard"),
        pytest.param({"guards": {"max_removed": 5}}, "guards.max_removed: .*less", id="range"),
        pytest.param({"thresholds": {"x": 1}}, "thresholds.x", id="threshold"),
        pytest.param({"fields": {"plan": {"nul": 1}}}, "fields.plan.nul", id="field"),
        pytest.param({"first_sync": "any"}, "first_sync", id="first sync"),
        pytest.param({"on_held": "ignore"}, "on_held is 'ignore', not fail or succeed", id="held"),
        pytest.param({"object": "lists"}, "object is 'users' here", id="another object"),
        pytest.param({"full_resync": "maybe"}, "full_resync is 'maybe'", id="boolean"),
        pytest.param({"options": {"dry_run": "no"}}, "dry_run is 'no'", id="boolean option"),
    ],
)
def test_a_wrong_argument_is_an_import_error(arguments: dict[str, Any], message: str):
    with pytest.raises(errors.ConfigError, match=f"task 'users': .*{message}"):
        users(**arguments)


def test_an_argument_that_nobody_knows_is_refused_by_airflow():
    with pytest.raises(TypeError, match="warehous_conn_id"):
        users(warehous_conn_id="x")


def test_the_base_operator_needs_an_object():
    with DAG("shop", schedule=None), pytest.raises(errors.ConfigError, match="object is missing"):
        IterableSyncOperator(task_id="users", sql=SQL, key="id")


def test_templates_are_left_for_the_run():
    """They are not known when the DAG is parsed, and must not fail there."""
    operator = users(
        guards={"max_removed": "{{ params.x }}"},
        first_sync="{{ params.y }}",
        on_held="{{ params.z }}",
        full_resync="{{ params.resync }}",
    )

    assert operator.first_sync == "{{ params.y }}"


def test_default_args_reach_the_operator():
    defaults = {"state_conn_id": "somewhere", "guards": {"min_rows": 7}}
    with DAG("shop", schedule=None, default_args=defaults):
        operator = Users(task_id="users", sql=SQL, key="user_id")
    run_task(operator)

    assert operator.state_conn_id == "somewhere"
    assert only_spec().guards.min_rows == 7


# --- what a run leaves behind ---


def test_counts_and_nothing_else_go_to_xcom_and_the_asset_event(
    monkeypatch: pytest.MonkeyPatch,
):
    report = RunReport(sync="shop.users", run_id="r1", queried=5, accepted=4, rejected=1)
    report.rejected_by_reason = {"invalid_email": 1}
    when = datetime(2026, 1, 2, tzinfo=UTC)
    with ending(report, monkeypatch), time_machine.travel(when, tick=False):
        done = run_task(users(), logical_date=when.isoformat())

    counts = report.counts() | {"behind_s": 0}
    assert done.xcoms == {"return_value": counts}
    assert done.events == [{"sync": "shop.users", **counts}]
    assert done.told["task_outlets"][0]["uri"] == "iterable://iterable_default/shop.users"


def test_the_log_has_the_counts(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    report = RunReport(sync="shop.users", run_id="r1", queried=12345, accepted=12344, rejected=1)
    report.rejected_by_reason = {"invalid_email": 1}
    with ending(report, monkeypatch):
        run_task(users())

    out, _ = capfd.readouterr()
    assert "12,345" in out
    assert "rejected: invalid_email  1" in out


def _events() -> dict[str, Any]:
    from airflow.sdk.execution_time.context import OutletEventAccessors

    return {"outlet_events": OutletEventAccessors()}


def test_an_outlet_of_the_users_own_gets_the_counts():
    done = run_task(users(outlets=[Asset("profiles")]))

    (event,) = done.events
    assert event["accepted"] == 3
    assert [outlet["name"] for outlet in done.told["task_outlets"]] == ["profiles"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param({}, "iterable://iterable_default/shop.users", id="the task"),
        pytest.param(
            {"sync": "all users/eu"}, "iterable://iterable_default/all%20users%2Feu", id="named"
        ),
        pytest.param({"iterable_conn_id": "eu"}, "iterable://eu/shop.users", id="connection"),
        pytest.param({"sync": "{{ ds }}"}, None, id="unknown until it runs"),
        pytest.param({"iterable_conn_id": "{{ x }}"}, None, id="connection unknown until it runs"),
    ],
)
def test_the_default_outlet_is_the_sync(arguments: dict[str, Any], expected: str | None):
    outlets = [outlet.uri for outlet in users(**arguments).outlets]

    assert outlets == ([expected] if expected else [])


# --- ends become states of the task ---

REPORT = {"sync": "shop.users", "run_id": "r1", "queried": 9}


@pytest.mark.parametrize(
    ("end", "state", "kind", "message"),
    [
        pytest.param(
            RunReport(**REPORT, held=4, held_by_guard={"max_changed": 4}, end=RunEnd.HELD),
            "failed",
            AirflowFailException,
            "4 changes held by a guard .max_changed: 4.",
            id="held",
        ),
        pytest.param(
            RunReport(**REPORT, rejected=9, rejected_by_reason={"x": 9}, end=RunEnd.REJECTED),
            "failed",
            AirflowFailException,
            "9 rows rejected, .* .x: 9.",
            id="rejected above limits",
        ),
        pytest.param(
            RunReport(**REPORT, pending=2, removed_pending=1, end=RunEnd.PENDING),
            "up_for_retry",
            AirflowException,
            "3 keys are still to be sent",
            id="pending",
        ),
        pytest.param(
            errors.ModelError("column 'id' is there twice"),
            "failed",
            AirflowFailException,
            "ModelError: column 'id' is there twice",
            id="configuration",
        ),
        pytest.param(
            errors.PermissionRefused("the key may not write"),
            "failed",
            AirflowFailException,
            "PermissionRefused: the key may not write",
            id="401 or 403",
        ),
        pytest.param(
            errors.DuplicateKeys("12 keys are there twice"),
            "failed",
            AirflowFailException,
            "DuplicateKeys: 12 keys",
            id="a person looks",
        ),
        pytest.param(
            errors.StateBusy("pid 12 holds the file"),
            "up_for_retry",
            AirflowException,
            "pid 12 holds the file",
            id="busy",
        ),
        pytest.param(
            errors.AlreadyRunning("held until 12:00"),
            "skipped",
            AirflowSkipException,
            "held until 12:00",
            id="already running",
        ),
        pytest.param(
            errors.Superseded("a newer run is done"),
            "skipped",
            AirflowSkipException,
            "a newer run",
            id="superseded",
        ),
        pytest.param(
            ModuleNotFoundError("No module named 'duckdb'"),
            "failed",
            AirflowFailException,
            r"No module named 'duckdb'.*pip install",
            id="an extra is missing",
        ),
        pytest.param(
            RuntimeError("a bug"), "up_for_retry", AirflowException, "RuntimeError", id="unexpected"
        ),
    ],
)
def test_the_end_of_a_run_decides_the_state_of_the_task(
    end: RunReport | Exception,
    state: str,
    kind: type[Exception],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
):
    with ending(end, monkeypatch):
        done = run_task(users(), retries=3)
        with pytest.raises(kind, match=message):
            users().execute(_context())

    assert done.state == state


@pytest.mark.parametrize(
    "counts",
    [
        pytest.param({"unchanged": 9}, id="nothing to do"),
        pytest.param({"accepted": 9}, id="all accepted"),
        pytest.param({"accepted": 8, "rejected": 1}, id="rejected within limits"),
        pytest.param({"unchanged": 8, "still_rejected": 1}, id="still rejected"),
    ],
)
def test_a_clean_end_is_a_success(counts: dict[str, int], monkeypatch: pytest.MonkeyPatch):
    with ending(RunReport(**REPORT, **counts), monkeypatch):
        done = run_task(users(), retries=3)

    assert (done.state, done.error) == ("success", None)


def test_a_lost_snapshot_is_a_failure_although_held_changes_may_be_none(
    monkeypatch: pytest.MonkeyPatch,
):
    """Nobody can approve it: a task that goes on to ask would ask in vain."""
    lost = RunReport(**REPORT, held_by_guard={"snapshot_lost": 0}, end=RunEnd.HELD)
    with ending(lost, monkeypatch):
        done = run_task(users(on_held="succeed"), retries=3)

    assert done.state == "failed"
    assert "full_resync=True" in str(done.error)


def test_the_log_has_the_age_of_what_is_still_rejected(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    waiting = RunReport(**REPORT, unchanged=5, still_rejected=4)
    waiting.still_rejected_by_reason = {"conflict": 3, "too_long": 1}
    waiting.still_rejected_age_s = {"conflict": 9 * 86_400, "too_long": 7_200}
    with ending(waiting, monkeypatch):
        run_task(users())

    out, _ = capfd.readouterr()
    assert "still rejected: conflict  3, the oldest for 9.0 days" in out
    assert "still rejected: too_long  1, the oldest for 2.0 hours" in out


def _context() -> Any:
    class Task:
        dag_id, task_id, map_index = "shop", "users", -1

        def xcom_push(self, **_: Any) -> None: ...

    return {"ti": Task(), **_events()}


@pytest.mark.failure("P5")
def test_a_retry_that_meets_its_dead_predecessors_lease_waits_for_it(
    monkeypatch: pytest.MonkeyPatch,
):
    """Skipped, it would be green, and nothing would be sent until the next run."""
    with ending(errors.AlreadyRunning("held until 12:00"), monkeypatch):
        done = run_task(users(), retries=3, try_number=2)

    assert done.state == "up_for_retry"


def test_the_last_moment_of_the_interval_counts_as_the_moment_of_the_data():
    """The logical date alone is its start, and a manual run in between would look newer."""
    start, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)
    context = {"logical_date": start, "data_interval_end": end}

    assert end == as_of_run(context)


@pytest.mark.capability("E35")
def test_a_clean_run_says_how_old_the_data_is_that_iterable_has(
    monkeypatch: pytest.MonkeyPatch,
):
    """Who promises data within an hour watches one number; a run that is not clean has none."""
    when = "2026-01-02T00:00:00Z"
    with time_machine.travel("2026-01-02T00:05:00Z", tick=False):
        clean = run_task(users(), logical_date=when)
        early = run_task(users(), logical_date="2026-01-03T00:00:00Z")
        with ending(RunReport(**REPORT, held=4, end=RunEnd.HELD), monkeypatch):
            held = run_task(users(on_held="succeed"), logical_date=when)
        with ending(RunReport(**REPORT, dry_run=True), monkeypatch):
            dry = run_task(users(), logical_date=when)

    assert [300, 0, None, None] == [
        done.xcoms["return_value"].get("behind_s") for done in (clean, early, held, dry)
    ]


def test_held_changes_can_be_a_success(monkeypatch: pytest.MonkeyPatch):
    """For a DAG that asks a person in its next task."""
    report = RunReport(**REPORT, held=4, end=RunEnd.HELD)
    with ending(report, monkeypatch):
        done = run_task(users(on_held="succeed"))

    assert done.state == "success"
    assert done.xcoms["return_value"]["held"] == 4


def test_a_failed_task_leaves_its_counts(monkeypatch: pytest.MonkeyPatch):
    """What was delivered is delivered; the next task, or a person, wants to know."""
    report = RunReport(**REPORT, accepted=5, held=4, end=RunEnd.HELD)
    with ending(report, monkeypatch):
        done = run_task(users())

    assert done.state == "failed"
    assert done.xcoms == {"counts": report.counts()}


def test_a_retry_comes_after_the_delay_that_the_run_asked_for(monkeypatch: pytest.MonkeyPatch):
    with ending(errors.LaneBusy("another sync sends", delay_s=90), monkeypatch):
        done = run_task(users(), retries=3)

    assert done.told["retry_delay_seconds"] == 90


def test_a_retry_without_a_wish_comes_after_the_tasks_own_delay(monkeypatch: pytest.MonkeyPatch):
    report = RunReport(**REPORT, pending=1, end=RunEnd.PENDING)
    with ending(report, monkeypatch):
        done = run_task(users(retry_delay=timedelta(minutes=7)), retries=3)

    assert done.state == "up_for_retry"
    assert done.told.get("retry_delay_seconds") is None


def test_no_row_value_reaches_the_log_of_a_failed_task(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    """A driver quotes the row that it stumbled over; Airflow logs exceptions with their causes."""
    ours = errors.ModelError("the model cannot be read")
    ours.__cause__ = ValueError(f"invalid input: {CANARY}")
    for end in (ours, KeyError(CANARY), RuntimeError(CANARY)):
        with ending(end, monkeypatch):
            done = run_task(users(), retries=1)
        out, err = capfd.readouterr()

        assert "Task failed with exception" in out + err
        assert CANARY not in out + err
        assert CANARY not in repr(done)
        assert done.error.__cause__ is None


def test_an_unexpected_error_says_where_it_happened(monkeypatch: pytest.MonkeyPatch):
    with ending(KeyError(CANARY), monkeypatch):
        done = run_task(users(), retries=1)

    assert "KeyError [test_sync.py:" in str(done.error)


def test_exceptions_survive_pickling():
    import pickle

    error = pickle.loads(pickle.dumps(Unfinished("later", 5.0)))  # noqa: S301

    assert (str(error), error.delay_s) == ("later", 5.0)


def test_a_kill_is_seen_by_the_run():
    operator = users()
    operator.on_kill()

    assert operator._told_to_stop


# --- mapped tasks ---


def test_a_mapped_task_runs_one_sync_each():
    with DAG("shop", schedule=None):
        Users.partial(task_id="users", key="user_id", guards={"min_rows": 2}).expand_kwargs(
            [{"sql": SQL, "sync": "a"}, {"sql": SQL, "sync": "b"}]
        )


def test_a_mapped_task_without_a_name_for_each_is_refused():
    """All its instances would share one state."""
    done = run_task(users(), map_index=1)

    assert done.state == "failed"
    assert "a mapped task needs sync=" in str(done.error)
