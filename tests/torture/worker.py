"""What a process of the torture does: one run of one sync, with a failpoint where it is told."""

from __future__ import annotations

import json
import os
import resource
import signal
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from importlib import import_module
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def warm_up() -> None:
    """Import all that a run needs, and nothing that opens a connection or starts a thread."""
    for name in (
        "duckdb",
        "pandas",
        "psycopg",
        "pyarrow.compute",
        "sqlglot",
        "iterable_sync.client",
        "iterable_sync.objects.events",
        "iterable_sync.objects.users",
        "iterable_sync.run",
        "iterable_sync.state",
    ):
        import_module(name)


def work(told: dict[str, Any]) -> None:
    """
    Run a sync once and write down how it ended.

    Args:
        told: ``engine``, ``source``, ``state``, ``url``, ``api_key``, ``project_type``, ``spec``
            (of :class:`SyncSpec`), ``result`` (file to write), and if wanted ``failpoint``
            (``name``, ``hit``, ``action``: kill, raise or hang), ``deadline_s`` of a request,
            ``speed`` (by which waits are shorter), ``max_file_bytes``,
            ``idle_in_transaction_s``, ``clock_off_s`` (of this machine).
    """
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    most = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (told.get("max_file_bytes", most), most))
    _install(told.get("failpoint"))
    result = Path(told["result"])
    _note_commits(result.with_suffix(".commits"))
    with _clock_off(told.get("clock_off_s", 0)):
        said = _run(told, stop)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    partial = result.with_suffix(".part")
    partial.write_text(json.dumps(said))
    partial.replace(result)


def _run(told: dict[str, Any], stop: threading.Event) -> dict[str, Any]:
    from iterable_sync.client import IterableClient
    from iterable_sync.errors import IterableSyncError
    from iterable_sync.rows import Project, ProjectType
    from iterable_sync.run import run_sync
    from iterable_sync.spec import SyncSpec
    from iterable_sync.state import DuckDBSource, DuckDBState, PostgresSource, PostgresState

    if told["engine"] == "duckdb":
        source: Any = DuckDBSource(told["source"])
        state: Any = DuckDBState(told["state"])
    else:
        source = PostgresSource(told["source"])
        state = PostgresState(told["source"], schema=told["state"])
        state.idle_in_transaction_s = told.get("idle_in_transaction_s", 60.0)
    speed = told.get("speed", 1.0)
    try:
        report = run_sync(
            SyncSpec(**{"requests_per_s": inf} | told["spec"]),
            source=source,
            state=state,
            client=IterableClient(
                told["api_key"],
                Project("1", "us", ProjectType(told["project_type"])),
                base_url=told["url"],
                sandbox=True,
                deadline_s=told.get("deadline_s", 5.0),
            ),
            should_stop=stop.is_set,
            clock=lambda: time.monotonic() * speed,
            sleep=lambda seconds: time.sleep(seconds / speed),
        )
    except (IterableSyncError, MemoryError) as error:
        return {"error": type(error).__name__, "words": str(error)}
    return {
        "end": report.end.value,
        "counts": report.counts(),
        "differences": report.differences(),
        "notes": report.notes,
    }


@contextmanager
def _clock_off(seconds: float) -> Iterator[None]:
    if not seconds:
        yield
        return
    import time_machine

    with time_machine.travel(datetime.now(UTC) + timedelta(seconds=seconds)):
        yield


def _note_commits(path: Path) -> None:
    """
    Write down, after each commit, since when answers may have come that are in none.

    What the recorder commits is all that was answered when it last looked; the time is of before it
    looked, so an answer of an earlier time is in the commit, or was still on its way.
    """
    from iterable_sync import push
    from iterable_sync.state import SyncState

    notes = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    look, visit = push.wait, SyncState.visit
    looked_at = [time.time()]

    def looking(*given: Any, **more: Any) -> Any:
        looked_at[0] = time.time()
        return look(*given, **more)

    def visiting(*given: Any, **more: Any) -> Any:
        since = looked_at[0]
        frame = visit(*given, **more)
        os.write(notes, f"{since}\n".encode())
        return frame

    push.wait = looking  # type: ignore[assignment]
    SyncState.visit = visiting  # type: ignore[method-assign]


def _install(wanted: dict[str, Any] | None) -> None:
    from iterable_sync import failpoints

    failpoints.install(None if wanted is None else hook(**wanted))


def hook(name: str, hit: int, action: str) -> Callable[[str], None]:
    """Give a hook that ends the process, raises or stops it when it comes there the n-th time."""
    left = [hit]
    lock = threading.Lock()

    def come(to: str) -> None:
        if to != name:
            return
        with lock:
            left[0] -= 1
            is_now = left[0] == 0
        if not is_now:
            return
        if action == "raise":
            raise MemoryError
        os.kill(os.getpid(), signal.SIGKILL if action == "kill" else signal.SIGSTOP)

    return come
