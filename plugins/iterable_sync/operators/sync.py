"""The operator that all sync objects share."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote

from airflow.providers.common.compat.sdk import AirflowException, Asset

from iterable_sync.errors import ConfigError
from iterable_sync.operators import ends, report
from iterable_sync.operators.arguments import build_spec, check_early, is_template
from iterable_sync.operators.rendering import RendersModels, as_of_run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow.providers.common.compat.sdk import Context

    from iterable_sync.rows import RunReport
    from iterable_sync.spec import FieldSpec, Guards, SyncSpec, Thresholds

ON_HELD = ("fail", "succeed")


class IterableSyncOperator(RendersModels):
    """
    Push the rows of a model that Iterable has not accepted yet.

    Args:
        sql: the model: one SELECT, or the name of a ``.sql`` file below the DAG's folder, the DAG's
            ``template_searchpath`` or this package's ``sql/``. Rendered by Jinja, to which
            ``{{ as_of }}`` is the moment that the run stands for, as :func:`models.render` has it.

        key: column, or columns, that identify a row of the model.

        object: the sync object, e.g. ``users``; operators of one object know it.

        warehouse_conn_id: where the model is queried: postgres, duckdb, or any SQL connection.

        iterable_conn_id: the project, see :class:`IterableHook`.

        state_conn_id: postgres or duckdb, where it is kept what Iterable has accepted; by default
            the warehouse, if that is postgres.

        sync: name under which state is kept; by default ``<dag_id>.<task_id>``. Renaming a task
            without it starts from nothing, and sends everything again.

        fields: column -> what the SQL cannot say about it, see :class:`FieldSpec`.

        guards: limits beyond which changes are held, see :class:`Guards`.

        thresholds: how many rows may be rejected, see :class:`Thresholds`.

        first_sync: how many rows the first run may send, or ``all``; see :class:`SyncSpec`.

        full_resync: send everything, changed or not.

        on_held: ``fail`` or ``succeed``: what a task with held changes does.

        options: the other fields of :class:`SyncSpec`, e.g. ``{"exclude": ["loaded_at"]}``, or
            ``{"dry_run": "{{ params.dry_run }}"}`` (``dry_run`` is a method of every operator, and
            so cannot be an argument).

    Returns:
        The counts of the run, also in the XCom ``counts`` where the task fails, and in the extra
        of its outlets' asset events. After a clean run ``behind_s`` is among them: the seconds
        since the moment whose data it sent, to measure against how fresh data has to be. The
        default outlet is ``iterable://<conn id>/<sync>``.
    """

    sync_object: ClassVar[str | None] = None

    template_fields: Sequence[str] = (
        "sql",
        "key",
        "warehouse_conn_id",
        "iterable_conn_id",
        "state_conn_id",
        "sync",
        "fields",
        "guards",
        "thresholds",
        "first_sync",
        "full_resync",
        "on_held",
        "options",
    )
    template_ext: Sequence[str] = (".sql",)
    template_fields_renderers: ClassVar[dict[str, str]] = {
        "sql": "sql",
        "fields": "json",
        "guards": "json",
        "thresholds": "json",
        "options": "json",
    }
    ui_color = "#e8dcfb"

    def __init__(
        self,
        *,
        sql: str,
        key: str | Sequence[str],
        object: str | None = None,  # noqa: A002 - the word of the domain
        warehouse_conn_id: str = "warehouse",
        iterable_conn_id: str = "iterable_default",
        state_conn_id: str | None = None,
        sync: str | None = None,
        fields: Mapping[str, FieldSpec | Mapping[str, Any]] | None = None,
        guards: Guards | Mapping[str, Any] | None = None,
        thresholds: Thresholds | Mapping[str, Any] | None = None,
        first_sync: int | str | None = None,
        full_resync: bool | str = False,
        on_held: str = "fail",
        options: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.sql = sql
        self.key = key
        self.object = object
        self.warehouse_conn_id = warehouse_conn_id
        self.iterable_conn_id = iterable_conn_id
        self.state_conn_id = state_conn_id
        self.sync = sync
        self.fields = fields
        self.guards = guards
        self.thresholds = thresholds
        self.first_sync = first_sync
        self.full_resync = full_resync
        self.on_held = on_held
        self.options = options
        self._told_to_stop = False
        check_early(self._arguments(), self.options or {}, self._where())
        self._check_on_held(early=True)
        self._add_default_outlet()
        if getattr(self, "retry_policy", self) is None:
            self._retry_when_it_makes_sense()

    def execute(self, context: Context) -> dict[str, int]:
        """Run the sync; its end decides the state of the task, see ``operators/ends.py``."""
        try:
            self._check_on_held()
            spec = self._spec(context)
            done = self._run(spec)
        except AirflowException:
            raise
        except Exception as error:  # noqa: BLE001 - what it says may quote a row
            self.log.error("%s failed: %s", self._where(), ends.places(error))  # noqa: TRY400
            is_retry = getattr(context["ti"], "try_number", 1) > 1
            failure = ends.of_error(error, is_retry=is_retry)
        else:
            counts = done.counts() | _behind(done, spec)
            self._publish(done, counts, context)
            failed = ends.of_report(done, on_held=self.on_held)
            if failed is None:
                return counts
            context["ti"].xcom_push(key="counts", value=counts)
            failure = failed
        # Outside of the except clause: the cause stays out of the exception, and of the log.
        raise failure

    def on_kill(self) -> None:
        """Stop after the batches in flight; what they achieve is recorded."""
        self._told_to_stop = True

    def _given_as_of(self) -> Any:
        """Give what ``options`` say: the run will have it."""
        options = self.options if isinstance(self.options, dict) else {}
        return options.get("as_of")

    def _retry_when_it_makes_sense(self) -> None:
        # Airflow has the attribute from 3.3 on; the compatibility layer the classes since its 1.20.
        with suppress(ImportError):
            from iterable_sync.operators.retry_policy import WhenItMakesSense

            self.retry_policy = WhenItMakesSense()

    def _run(self, spec: SyncSpec) -> RunReport:
        from iterable_sync.hooks.iterable import IterableHook
        from iterable_sync.hooks.warehouse import open_rate, open_source, open_state, state_conn_id
        from iterable_sync.run import run_sync

        hook = IterableHook(self.iterable_conn_id)
        with open_rate(hook.rate_conn_id()) as shared_rate:
            return run_sync(
                spec,
                source=open_source(self.warehouse_conn_id),
                state=open_state(state_conn_id(self.warehouse_conn_id, self.state_conn_id)),
                client=hook.get_conn(),
                should_stop=lambda: self._told_to_stop,
                shared_rate=shared_rate,
            )

    def _spec(self, context: Context) -> SyncSpec:
        arguments = self._arguments()
        ti = context["ti"]
        if not arguments["sync"]:
            if getattr(ti, "map_index", -1) >= 0:
                raise ConfigError(
                    f"{self._where()}: a mapped task needs sync=, e.g. by expand(): its instances "
                    "would share one state"
                )
            arguments["sync"] = f"{ti.dag_id}.{ti.task_id}"
        options = {"as_of": as_of_run(context)} | dict(self.options or {})
        return build_spec(arguments, options, self._where())

    def _arguments(self) -> dict[str, Any]:
        """Give the arguments that are fields of :class:`SyncSpec`; None is not given."""
        known = self.sync_object
        if known and self.object not in (None, known):
            raise ConfigError(f"{self._where()}: object is {known!r} here; leave it out")
        if not (known or self.object):
            raise ConfigError(f"{self._where()}: object is missing, e.g. object='users'")
        return {
            "object": known or self.object,
            "sql": self.sql,
            "key": self.key,
            "sync": self.sync,
            "fields": self.fields,
            "guards": self.guards,
            "thresholds": self.thresholds,
            "first_sync": self.first_sync,
            "full_resync": self.full_resync,
        }

    def _publish(self, done: RunReport, counts: dict[str, int], context: Context) -> None:
        for line in report.lines(done):
            self.log.info("%s", line)
        if "behind_s" in counts:
            self.log.info("  Iterable has what there was %d seconds ago", counts["behind_s"])
        for outlet in self.outlets:
            if isinstance(outlet, Asset):
                context["outlet_events"][outlet].extra |= {"sync": done.sync, **counts}

    def _add_default_outlet(self) -> None:
        """Announce the sync as an asset, where its name is known when the DAG is parsed."""
        dag = self.get_dag()
        sync = self.sync or (f"{dag.dag_id}.{self.task_id}" if dag else None)
        mapped = getattr(self, "_BaseOperator__from_mapped", False)
        if self.outlets or mapped or not sync:
            return
        if not is_template(sync) and not is_template(self.iterable_conn_id):
            self.outlets = [Asset(f"iterable://{self.iterable_conn_id}/{quote(sync, safe='.-_')}")]

    def _check_on_held(self, *, early: bool = False) -> None:
        if not (early and is_template(self.on_held)) and self.on_held not in ON_HELD:
            raise ConfigError(f"{self._where()}: on_held is {self.on_held!r}, not fail or succeed")

    def _where(self) -> str:
        return f"task {self.task_id!r}"


def _behind(done: RunReport, spec: SyncSpec) -> dict[str, int]:
    from iterable_sync.rows import RunEnd

    if spec.as_of is None or done.dry_run or done.end is not RunEnd.CLEAN:
        return {}
    behind = datetime.now(UTC) - spec.as_of
    return {"behind_s": max(0, int(behind.total_seconds()))}
