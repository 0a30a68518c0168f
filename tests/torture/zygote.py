"""
Real processes that start in milliseconds: forked from one that has imported everything.

The process forked from has no connection, no thread and no open database, so that a child is what
a freshly started worker would be after its imports.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

_ROOT = Path(__file__).parents[2]
_POLL_S = 0.005


@dataclass
class Child:
    """One process that runs a sync once."""

    zygote: Zygote
    pid: int
    result: Path
    status: int | None = None

    def is_running(self) -> bool:
        """Look whether it has ended; a stopped process is running."""
        if self.status is None:
            self.status = self.zygote.ask({"poll": self.pid})
        return self.status is None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, unless it has ended: its number may belong to another one by now."""
        if self.is_running():
            os.kill(self.pid, number)

    def wait(self, seconds: float = 60.0) -> int:
        """Wait for the end; give the exit code, negative for a signal."""
        end = time.monotonic() + seconds
        while self.is_running():
            if time.monotonic() > end:
                self.signal(signal.SIGKILL)
                raise TimeoutError(f"process {self.pid} did not end within {seconds} s")
            time.sleep(_POLL_S)
        return os.waitstatus_to_exitcode(self.status or 0)

    def kill(self) -> int:
        """End it at once."""
        self.signal(signal.SIGKILL)
        return self.wait()

    def is_stopped(self) -> bool:
        """Say whether it stands still after a SIGSTOP."""
        stat = Path(f"/proc/{self.pid}/stat").read_text()
        return stat.rpartition(") ")[2].startswith("T")

    def said(self) -> dict[str, Any]:
        """Give what it wrote at its end: how the run ended, or the name of its error."""
        try:
            found: dict[str, Any] = json.loads(self.result.read_text())
        except FileNotFoundError:
            return {}
        return found

    def unrecorded_since(self) -> float | None:
        """Give the Unix time of its last look whose finds are recorded; None before the first."""
        try:
            # A line is written at once, with its end.
            return float(self.result.with_suffix(".commits").read_text().splitlines()[-1])
        except (FileNotFoundError, IndexError):
            return None


class Zygote:
    """
    The process that is forked from, for as long as the block lasts; its children end with it.

    Args:
        folder: for what children write.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._number = 0
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        path = os.pathsep.join(str(_ROOT / name) for name in ("plugins", "tests"))
        with (self._folder / "children.log").open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", "from torture import zygote; zygote.serve()"],
                env={**os.environ, "PYTHONPATH": path},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                bufsize=1,
            )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=30)

    @property
    def log(self) -> str:
        """What children wrote on stderr."""
        return (self._folder / "children.log").read_text()

    def start(self, told: Mapping[str, Any]) -> Child:
        """Start a run; *told* is what :func:`torture.worker.work` takes."""
        with self._lock:
            self._number += 1
            result = self._folder / f"{self._number}.json"
        pid = int(self.ask(dict(told) | {"result": str(result)}))
        if pid <= 1:
            # A signal to 0 or 1 would be one to the tests themselves, or to the machine.
            raise RuntimeError(f"the zygote gave {pid} as the number of a process")
        return Child(self, pid, result)

    def ask(self, what: Mapping[str, Any]) -> Any:
        """Ask the process that is forked from."""
        with self._lock:
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            self._process.stdin.write(json.dumps(what) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the zygote has died:\n{self.log[-3000:]}")
        return json.loads(line)


def serve() -> None:
    """Be the process that is forked from, until stdin ends."""
    from torture import worker

    worker.warm_up()
    children: set[int] = set()
    for line in sys.stdin:
        told = json.loads(line)
        if "poll" in told:
            pid, status = os.waitpid(told["poll"], os.WNOHANG)
            children.discard(pid)
            answer = status if pid else None
        elif (answer := os.fork()) == 0:
            _be_child(told)
        else:
            children.add(answer)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    for pid in children:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _be_child(told: dict[str, Any]) -> None:
    from torture import worker

    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    code = 1
    try:
        worker.work(told)
        code = 0
    except BaseException:  # noqa: BLE001 - it is told to whoever reads the log
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        # Not sys.exit: what the parent registered for its own end is not the child's to do.
        os._exit(code)
