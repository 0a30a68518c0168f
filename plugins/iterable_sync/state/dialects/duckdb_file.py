"""Opening a DuckDB file, which one process at a time may do."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from iterable_sync.errors import ConfigError, RetryLater, StateBusy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import duckdb

_T = TypeVar("_T")

OPEN_FOR_S = 60.0
"""How long an open waits for another process that holds the file."""

# Shorter than a process that syncs has the file closed between two of its visits.
_LONGEST_PAUSE_S = 0.1

_NO_ROOM = re.compile(r'Could not write (?:to )?file "(?P<file>[^"]*)": (?P<why>.+)')
_NO_ROOM_S = 300.0

# The last one is between threads of one process, while the other one is closing the file.
_LOCKED = re.compile(
    "could not set lock|conflicting lock|unique file handle conflict", re.IGNORECASE
)


def connect(
    path: str, *, read_only: bool = False, config: Mapping[str, str] | None = None
) -> duckdb.DuckDBPyConnection:
    """
    Open a DuckDB file, waiting up to a minute for another process that has it open.

    Raises:
        StateBusy: it is still held; the message names the holder as DuckDB does.
    """
    import duckdb

    def open_file() -> duckdb.DuckDBPyConnection:
        return duckdb.connect(path, read_only=read_only, config=dict(config or {}))

    return when_free(path, open_file)


def when_free(path: str, action: Callable[[], _T]) -> _T:
    """
    Do *action* on a file once no other process holds it.

    Raises:
        StateBusy: it is still held after ``OPEN_FOR_S``.

        ConfigError: the file cannot be opened at all.
    """
    import duckdb

    until = time.monotonic() + OPEN_FOR_S
    pause = 0.05
    while True:
        try:
            return action()
        except duckdb.OperationalError as error:
            first = str(error).splitlines()[0]
            if not _LOCKED.search(first):
                if (full := no_room(path, error)) is not None:
                    raise full from None
                if not isinstance(error, duckdb.IOException):
                    raise
                raise ConfigError(f"cannot open the DuckDB file {path}: {first}") from None
            if time.monotonic() > until:
                raise StateBusy(
                    f"the DuckDB file {path} is held by another process: {first}"
                ) from None
        time.sleep(pause)
        pause = min(pause * 1.6, _LONGEST_PAUSE_S)


def no_room(path: str, error: BaseException) -> RetryLater | None:
    """Give what it means that DuckDB cannot write a file of a database; None if it is not that."""
    import duckdb

    if not isinstance(error, duckdb.Error):
        return None
    # The file itself, its log, or one beside it that takes what does not fit into memory.
    found = _NO_ROOM.search(str(error).splitlines()[0])
    if not found:
        return None
    return RetryLater(
        f"DuckDB cannot write {found['file']} ({found['why']}), which it needs for {path}; what "
        "was recorded is kept, make room there",
        _NO_ROOM_S,
    )


def catalog_name(path: str) -> str:
    """Give the name by which DuckDB's SQL knows the database of a file."""
    name = Path(path).name.lstrip(".").split(".")[0]
    return f"{name}_db" if name.lower() in {"main", "temp", "system"} else name
