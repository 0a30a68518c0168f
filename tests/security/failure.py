"""What a scenario is in which a run fails."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from security import canaries

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_task import Done
    from security.stage import Stage

Act: TypeAlias = "Callable[[Stage], Done]"

BULK = "/api/users/bulkUpdate"
TRACK = "/api/events/trackBulk"
BOTH = ("duckdb", "postgres")
DUCKDB = ("duckdb",)
POSTGRES = ("postgres",)
EVERYTHING = "; ".join(
    [canaries.API_KEY, canaries.email(1), canaries.NAME, canaries.PHONE, canaries.email(1).upper()]
)
FAILED, RETRIED, SKIPPED, DONE = "failed", "up_for_retry", "skipped", "success"


@dataclass(frozen=True)
class Failure:
    """
    One scenario.

    Args:
        act: lets the run fail, and gives what it left.

        state: of the task in the end.

        said: what the log or the error has to say, which shows that the scenario took place.

        in_airflow: whether Airflow's own database can go on meanwhile.
    """

    name: str
    act: Act
    state: str
    said: str
    engines: Sequence[str] = DUCKDB
    in_airflow: bool = True
