"""Waits between a sync and one that builds on it."""

from __future__ import annotations

from datetime import timedelta
from math import ceil
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseSensorOperator, conf

from iterable_sync.errors import ConfigError
from iterable_sync.operators.state_task import IterableStateOperator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.providers.common.compat.sdk import Context

    from iterable_sync.state import StateEngine

_LONGEST = timedelta(days=1)


class IterableSettleSensor(IterableStateOperator, BaseSensorOperator):
    """
    Wait until Iterable has had time to apply what it took of a sync.

    Iterable answers that it took a row, and applies it later; an event of a person whom it does not
    know yet would be lost. Put it between users and what is about them. It waits for as long as is
    left since the last row that Iterable got of the sync, and not at all where nothing was sent.

    Args:
        sync: the sync to wait for, ``<dag_id>.<task_id>`` of its task unless that says ``sync=``.

        settle: seconds or a ``timedelta``, up to a day; 0 waits for nothing, whatever has run.

        deferrable: wait in the triggerer, and not in a worker; by default what Airflow's
            configuration says, ``operators.default_deferrable``.

    Other arguments: see :class:`IterableStateOperator` and Airflow's ``BaseSensorOperator``.
    """

    template_fields: Sequence[str] = (*IterableStateOperator.template_fields, "settle")

    def __init__(
        self,
        *,
        sync: str,
        settle: float | str | timedelta = 60.0,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        poke_interval: float = 5.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(sync=sync, poke_interval=poke_interval, **kwargs)
        self.settle = settle
        self.deferrable = deferrable

    def execute(self, context: Context) -> Any:
        """Wait, in a worker or without one."""
        if not self.deferrable:
            BaseSensorOperator.execute(self, context)
        elif (left := self._left(context)) > 0:
            from airflow.providers.common.compat.standard.triggers import TimeDeltaTrigger

            self.log.info("%d seconds are left", left)
            self.defer(
                trigger=TimeDeltaTrigger(timedelta(seconds=left)),
                method_name=self.look_again.__name__,
                timeout=timedelta(seconds=self.timeout),
            )

    def look_again(self, context: Context, event: Any = None) -> None:
        """Wait for what was sent in the meantime."""
        self.execute(context)

    def poke(self, context: Context) -> bool:
        """Say whether it is over."""
        return self._left(context) <= 0

    def _left(self, context: Context) -> int:
        return IterableStateOperator.execute(self, context)["left_s"]

    def _change(self, state: StateEngine, project: str, context: Context) -> dict[str, int]:
        from iterable_sync.state.settling import seconds_left

        if not (settle_s := self._settle_s()):
            return {"left_s": 0}
        return {"left_s": ceil(seconds_left(state, project, self.sync, settle_s))}

    def _settle_s(self) -> float:
        if isinstance(self.settle, timedelta):
            settle_s = self.settle.total_seconds()
        else:
            settle_s = self._number("settle")
        if not 0 <= settle_s <= _LONGEST.total_seconds():
            raise ConfigError(f"{self._where()}: settle is up to {_LONGEST}, not {settle_s:g} s")
        return settle_s
