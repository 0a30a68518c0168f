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

from iterable_sync.sandbox.server import SandboxServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from demo.three_days import ThreeDays

# demo/ is no package: its scripts find each other because they lie side by side.
sys.path.insert(0, str(Path(__file__).parents[2] / "demo"))


@pytest.fixture(scope="session")
def shop() -> Iterator[ThreeDays]:
    """Play the demo's runs; tests look at what came of them, and change nothing."""
    from demo.three_days import ThreeDays

    with SandboxServer(project_type="hybrid") as sandbox:
        made = ThreeDays(sandbox)
        yield made
        made.place.remove()


@pytest.fixture
def printed() -> Iterator[Callable[..., str]]:
    """Call what prints to a console; gives the text without its colours."""
    with Path(os.devnull).open("w") as nowhere:
        console = Console(width=100, record=True, file=nowhere, highlight=False)

        def call(show: Callable[..., None], *what: Any, width: int = 100, **how: Any) -> str:
            console.width = width
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
