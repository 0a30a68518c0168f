"""What the operators share that change the state of a sync, and send nothing."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowException, BaseOperator

from iterable_sync.errors import ConfigError
from iterable_sync.operators import ends

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.providers.common.compat.sdk import Context

    from iterable_sync.state import StateEngine


class IterableStateOperator(BaseOperator):
    """
    Change what is kept about a sync.

    Args:
        sync: its name, ``<dag_id>.<task_id>`` of the task that runs it unless that says ``sync=``.

        iterable_conn_id: the project.

        state_conn_id: where the state is kept; by default the warehouse, if that is postgres.

        warehouse_conn_id: as in the task that runs the sync.
    """

    template_fields: Sequence[str] = (
        "sync",
        "iterable_conn_id",
        "state_conn_id",
        "warehouse_conn_id",
    )
    ui_color = "#e8dcfb"

    def __init__(
        self,
        *,
        sync: str,
        iterable_conn_id: str = "iterable_default",
        state_conn_id: str | None = None,
        warehouse_conn_id: str = "warehouse",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.sync = sync
        self.iterable_conn_id = iterable_conn_id
        self.state_conn_id = state_conn_id
        self.warehouse_conn_id = warehouse_conn_id

    def execute(self, context: Context) -> dict[str, int]:
        """Do it, and give counts; errors become the states that they are for a sync."""
        try:
            return self._change(*self._open(), context)
        except AirflowException:
            raise
        except Exception as error:  # noqa: BLE001 - what it says may quote a row
            self.log.error("%s failed: %s", self._where(), ends.places(error))  # noqa: TRY400
            failure = ends.of_error(error)
        # Outside of the except clause: the cause stays out of the exception, and of the log.
        raise failure

    @abstractmethod
    def _change(self, state: StateEngine, project: str, context: Context) -> dict[str, int]:
        """Change the state, and give counts."""

    def _open(self) -> tuple[StateEngine, str]:
        from iterable_sync.hooks.iterable import IterableHook
        from iterable_sync.hooks.warehouse import open_state, state_conn_id

        conn_id = self.state_conn_id or state_conn_id(self.warehouse_conn_id, None)
        return open_state(conn_id), IterableHook(self.iterable_conn_id).get_conn().project.name

    def _number(self, name: str) -> float:
        """Give an argument as a number; templates are text."""
        try:
            return float(getattr(self, name))
        except (TypeError, ValueError):
            raise ConfigError(f"{self._where()}: {name} has to be a number") from None

    def _where(self) -> str:
        return f"task {self.task_id!r}"
