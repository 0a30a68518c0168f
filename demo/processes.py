"""The processes of a demo: each starts in a session of its own, and ends with all it started."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from interrupts import Interrupts

_END_WITHIN_S = 5.0


class DemoFailed(Exception):
    """
    The demo cannot go on, or has shown what it must not.

    Args:
        message: what, and why.

        log: file whose last lines say more.
    """

    def __init__(self, message: str, log: Path | None = None) -> None:
        super().__init__(message, log)
        self.message = message
        self.log = log

    def __str__(self) -> str:
        return self.message


class Processes:
    """
    Starts programs and ends them.

    Args:
        environment: all that the programs see; what is added later, later ones see.

        logs: existing folder; a program writes to ``<name>.log`` in it.
    """

    def __init__(self, interrupts: Interrupts, environment: Mapping[str, str], logs: Path) -> None:
        self._interrupts = interrupts
        self.environment = dict(environment)
        self._logs = logs
        self._started: list[subprocess.Popen[bytes]] = []

    def start(self, name: str, command: Sequence[str]) -> subprocess.Popen[bytes]:
        """Start a program and go on."""
        with self._interrupts.held(), self.log(name).open("ab") as log:
            process = subprocess.Popen(  # noqa: S603 - our own commands
                command,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Away from the terminal's Ctrl-C: it is ours to say who ends when.
                start_new_session=True,
            )
            self._started.append(process)
        return process

    def run(self, name: str, command: Sequence[str], *, timeout_s: float) -> None:
        """
        Run a program to its end.

        Raises:
            DemoFailed: it failed, or was not done in time; then it is ended.
        """
        self.finish(name, self.start(name, command), timeout_s=timeout_s)

    def finish(self, name: str, process: subprocess.Popen[bytes], *, timeout_s: float) -> None:
        """Wait for the end of a program; raises as :meth:`run`."""
        try:
            status = process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise DemoFailed(
                f"{name} was not done after {timeout_s:.0f} s", self.log(name)
            ) from None
        finally:
            self._end(process)
        if status:
            raise DemoFailed(f"{name} failed with status {status}", self.log(name))

    def log(self, name: str) -> Path:
        """Give the file that a program of this name writes to."""
        return self._logs / f"{name.replace(' ', '-')}.log"

    def stop(self) -> None:
        """End what still runs, the newest first."""
        for process in self._started[::-1]:
            self._end(process)

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        if process not in self._started:
            return
        family = _family(process)
        if process.poll() is None:
            _signal(family, signal.SIGTERM)
            psutil.wait_procs(family, timeout=_END_WITHIN_S)
            family += _family(process)
        _signal(family, signal.SIGKILL)
        process.wait()
        psutil.wait_procs(family, timeout=_END_WITHIN_S)
        # Not again: its number may soon be another's.
        self._started.remove(process)


def _family(leader: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """
    Give the process, its descendants, and who lives on in its session without a parent.

    Airflow's processes make groups of their own: a signal to one group leaves some alive.
    """
    found: dict[int, psutil.Process] = {}
    if leader.poll() is None:
        with suppress(psutil.Error):
            parent = psutil.Process(leader.pid)
            found = {child.pid: child for child in (parent, *parent.children(recursive=True))}
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if os.getsid(process.pid) == leader.pid:
                found.setdefault(process.pid, process)
    return list(found.values())


def _signal(family: Sequence[psutil.Process], signum: signal.Signals) -> None:
    for process in family:
        with suppress(psutil.Error):
            process.send_signal(signum)
