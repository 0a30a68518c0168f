"""Turns the signals that ask a program to end into one exception, so that ``finally`` cleans up."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType, TracebackType
    from typing import Any, Self

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(BaseException):
    """Someone asked the program to end."""

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum

    @property
    def exit_status(self) -> int:
        """What a shell expects of a program that a signal has ended."""
        return 128 + self.signum


class Interrupts:
    """
    Raises :class:`Stopped` in the main thread at the first signal, and once only.

    A second Ctrl-C would otherwise end the cleaning up of the first, and leave processes behind.
    """

    def __init__(self) -> None:
        self._old: dict[int, Any] = {}
        self._came: int | None = None
        self._told = False
        self._held = 0

    def __enter__(self) -> Self:
        for signum in _SIGNALS:
            # Who starts a program with nohup wants it to outlive the terminal.
            if signum != signal.SIGHUP or signal.getsignal(signum) is not signal.SIG_IGN:
                self._old[signum] = signal.signal(signum, self._on_signal)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for signum, handler in self._old.items():
            signal.signal(signum, handler)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Wait with the exception until the end of the block, e.g. until a child is noted down."""
        self._held += 1
        try:
            yield
        finally:
            self._held -= 1
            self._tell()

    def _on_signal(self, signum: int, _frame: FrameType | None) -> None:
        self._came = self._came or signum
        self._tell()

    def _tell(self) -> None:
        if self._came is not None and not self._held and not self._told:
            self._told = True
            raise Stopped(self._came)
