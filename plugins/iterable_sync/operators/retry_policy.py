"""When a retried task starts again, where Airflow (3.3 and later) lets an exception say so."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import RetryDecision, RetryPolicy

from iterable_sync.operators.ends import Unfinished

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


class WhenItMakesSense(RetryPolicy):
    """Retry after the delay that the run asked for, e.g. Iterable's own; else as the task says."""

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,
        max_tries: int,
        context: Context | None = None,
    ) -> RetryDecision:
        """Decide by the exception alone."""
        if isinstance(exception, Unfinished) and exception.delay_s is not None:
            return RetryDecision.retry(timedelta(seconds=exception.delay_s), "the run asked for it")
        return RetryDecision.default()

    def serialize(self) -> dict[str, Any]:
        """Give what the scheduler needs to know: nothing."""
        return {}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> WhenItMakesSense:  # noqa: ARG003
        """Make the policy again."""
        return cls()
