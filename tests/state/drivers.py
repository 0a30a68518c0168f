"""A DB-API driver in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

KEY = ("user_id", "email")


class Driver:
    """
    A DB-API driver in memory.

    Args:
        fails: an error to raise: of the call that it is named after.
    """

    def __init__(
        self,
        names: Sequence[str],
        rows: Sequence[Any],
        *,
        scales: dict[str, tuple[int, int]] | None = None,
        **fails: Exception,
    ) -> None:
        self.rows = list(rows)
        self.description = [
            (name, None, None, None, *(scales or {}).get(name, (None, None)), None)
            for name in names
        ]
        self.fails = fails
        self.calls: list[str] = []
        self.arraysize = 1

    def __call__(self) -> Driver:
        self._note("connect")
        return self

    def cursor(self) -> Driver:
        return self

    def execute(self, sql: str, *parameters: object) -> None:
        assert parameters == ()
        self._note("execute")

    def fetchmany(self, size: int) -> list[Any]:
        taken, self.rows = self.rows[:size], self.rows[size:]
        self._note("fetchmany" if len(taken) == size else "last fetchmany")
        return taken

    def close(self) -> None:
        self._note("close")

    def rollback(self) -> None:
        self._note("rollback")

    def _note(self, call: str) -> None:
        self.calls.append(call)
        if call in self.fails:
            raise self.fails[call]
