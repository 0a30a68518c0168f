"""The scripts of demo/ as modules, and what their tests share."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from rich.console import Console

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# demo/ is no package: its scripts find each other because they lie side by side.
sys.path.insert(0, str(Path(__file__).parents[2] / "demo"))


@pytest.fixture
def printed() -> Iterator[Callable[..., str]]:
    """Call what prints to a console; gives the text without its colours."""
    with Path(os.devnull).open("w") as nowhere:
        console = Console(width=200, record=True, file=nowhere, highlight=False)

        def call(show: Callable[..., None], *what: Any, **how: Any) -> str:
            show(console, *what, **how)
            return console.export_text()

        yield call


@pytest.fixture
def eventually() -> Callable[..., None]:
    """Wait until something is so; fails after a time."""

    def wait(until: Callable[[], Any], what: str, seconds: float = 30) -> None:
        end = time.monotonic() + seconds
        while not until():
            assert time.monotonic() < end, f"after {seconds} s still waiting: {what}"
            time.sleep(0.05)

    return wait


@pytest.fixture
def duck() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        yield connection
