"""Sets the scene for a demo and strikes it again, whatever happens in between."""

from __future__ import annotations

import os
import signal
from argparse import ArgumentTypeError
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console

import local_airflow
import local_iterable
import report
from interrupts import Interrupts, Stopped
from playground import Playground
from processes import DemoFailed, Processes

if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Callable

    from local_iterable import LocalIterable

# Of a file or a pipe: rich takes 80 columns for it, too few for the tables.
_WIDTH = 100
MIN_USERS = 200
# With twice as many a first run has more memberships than the guard lets go unseen.
MAX_USERS = 50_000


@dataclass(frozen=True)
class Stage:
    """What a demo plays with."""

    console: Console
    playground: Playground
    processes: Processes

    def start_sandbox(self) -> LocalIterable:
        """Start the sandbox; what is started after it has the connections of the DAG."""
        sandbox = local_iterable.start(self.processes, self.playground.folder)
        self.processes.environment.update(local_airflow.connections(self.playground, sandbox.url))
        return sandbox


def perform(play: Callable[[Stage], None], *, users: int, keep: bool) -> int:
    """
    Play, and end every process and remove every file afterwards.

    Returns:
        The exit status: 1 if the demo failed, 128 and more after a signal.
    """
    console = Console(highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = _WIDTH
    stage: list[Stage] = []
    status = 0
    with Interrupts() as interrupts:
        try:
            try:
                with interrupts.held():
                    stage.append(_set(console, interrupts, users=users, keep=keep))
                local_airflow.prepare_home(stage[0].playground)
                play(stage[0])
            except DemoFailed as failed:
                report.failure(console, failed, keep=keep)
                status = 1
            finally:
                _strike(stage)
        except Stopped as stopped:
            # A second time: the signal may have come while the first was on its way. There is no
            # third, Stopped is raised once.
            _strike(stage)
            status = stopped.exit_status
            with suppress(OSError):
                name = signal.Signals(stopped.signum).name
                console.print(f"Stopped by {name}. Nothing is left running.")
    if keep and stage:
        console.print(f"Kept: {stage[0].playground.folder}")
    return status


def add_options(parser: ArgumentParser) -> None:
    """Add what both demos understand."""
    parser.add_argument(
        "--users", type=_users, default=2000, help="customers on day 1 (%(default)s)"
    )
    parser.add_argument(
        "--keep", action="store_true", help="keep the temporary folder, and say where it is"
    )


def _users(text: str) -> int:
    if not text.isdecimal() or not MIN_USERS <= int(text) <= MAX_USERS:
        raise ArgumentTypeError(f"a number from {MIN_USERS} to {MAX_USERS} is expected")
    return int(text)


def _set(console: Console, interrupts: Interrupts, *, users: int, keep: bool) -> Stage:
    playground = Playground(users=users, keep=keep)
    environment = local_airflow.environment(playground)
    return Stage(console, playground, Processes(interrupts, environment, playground.logs))


def _strike(stage: list[Stage]) -> None:
    for one in stage:
        one.processes.stop()
        one.playground.remove()
