"""How operators render models: files of this package, and the moment that a run stands for."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from airflow.providers.common.compat.sdk import BaseOperator

from iterable_sync.errors import ConfigError

if TYPE_CHECKING:
    import jinja2
    from airflow.providers.common.compat.sdk import DAG, Context


class RendersModels(BaseOperator):
    """Let templates name a file of this package's ``sql/``, and ``{{ as_of }}`` a moment."""

    def get_template_env(self, dag: DAG | None = None) -> jinja2.Environment:
        """Let ``sql=`` name a file of this package's ``sql/``."""
        from iterable_sync.operators.templates import with_packaged_sql

        return with_packaged_sql(super().get_template_env(dag=dag))

    def render_template(
        self,
        content: Any,
        context: Context,
        jinja_env: jinja2.Environment | None = None,
        seen_oids: set[int] | None = None,
    ) -> Any:
        """
        Let ``sql=`` name a file of this package's ``sql/``, and ``{{ as_of }}`` the run's moment.

        Here, and not where fields are rendered: of mapped tasks Airflow calls this alone, and
        workers bring the DAG's own environment.
        """
        from iterable_sync.operators.templates import with_packaged_sql

        env = with_packaged_sql(jinja_env) if jinja_env else None
        named = cast("dict[str, Any]", context)
        if "as_of" not in named:
            named["as_of"] = self._moment(context, env)
        return super().render_template(content, context, env, seen_oids)

    def _given_as_of(self) -> Any:
        """Give the moment that an argument says, or its template; None where none does."""
        return None

    def _moment(self, context: Context, env: jinja2.Environment | None) -> str:
        """Give the moment whose data the run is about; the moment now where it has none."""
        from iterable_sync.models import moment

        if (given := self._given_as_of()) is None:
            return moment(as_of_run(context) or datetime.now(UTC))
        given = super().render_template(given, context, env)
        try:
            return moment(given if isinstance(given, datetime) else datetime.fromisoformat(given))
        except (TypeError, ValueError):
            raise ConfigError(f"task {self.task_id!r}: as_of is no moment in ISO 8601") from None


def as_of_run(context: Context) -> datetime | None:
    """
    Give the moment whose data the run sends.

    Of a run with a data interval its end: the logical date is its start there, and a manual run in
    between would make the next scheduled one look old. A run that an asset triggered has neither.
    """
    dates = [context.get("logical_date"), context.get("data_interval_end")]
    known: list[datetime] = [date for date in dates if date is not None]
    return max(known) if known else getattr(context.get("dag_run"), "run_after", None)
