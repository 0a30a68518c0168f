"""
Where the databases of the tests lie: in memory, where the machine has room for them.

Most of the time of a small DuckDB file or PostgreSQL goes into waiting until a disk has it, and
nothing of a test has to outlive its session. A process that is killed leaves the same behind in
either place.
"""

from __future__ import annotations

import shutil
import tempfile
from functools import cache
from pathlib import Path

_MEMORY = Path("/dev/shm")  # noqa: S108 - a file system, no file of a fixed name
# What is at hand beside the databases of some sessions; a container has 64 MB as a default.
_ROOM_BYTES = 4_000_000_000


@cache
def scratch() -> Path:
    """Give the folder in which temporary folders are to be made."""
    if _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _ROOM_BYTES:
        return _MEMORY
    return Path(tempfile.gettempdir())
