"""The temporary place of a demo: the shop's warehouse, the state, Airflow's home, the logs."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import duckdb

import shop

PREFIX = "iterable-sync-demo-"


class Playground:
    """
    A folder of its own below the system's temporary one.

    Args:
        users: customers of the shop on its first day.

        keep: whether :meth:`remove` leaves the folder.
    """

    def __init__(self, *, users: int, keep: bool) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        self.users = users
        self.keep = keep
        self.warehouse = self.folder / "warehouse.duckdb"
        self.state = self.folder / "state.duckdb"
        self.airflow_home = self.folder / "airflow"
        self.logs = self.folder / "logs"
        self.logs.mkdir()

    def remove(self) -> None:
        """Remove the folder, unless it is to be kept."""
        if not self.keep:
            shutil.rmtree(self.folder, ignore_errors=True)

    def move_to(self, day: int) -> None:
        """Make the warehouse what it is at the end of a day."""
        with duckdb.connect(str(self.warehouse)) as connection:
            shop.create_shop(connection, "duckdb", self.users, day)
