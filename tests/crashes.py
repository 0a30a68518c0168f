"""Ways for a run to die: at a request, at a statement, or as a killed process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from harness import Client, World
from iterable_sync.rows import ProjectType
from iterable_sync.run import run_sync
from iterable_sync.spec import SyncSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from iterable_sync.state.dialects.base import Session, StateEngine

_ROOT = Path(__file__).parent.parent


class Crash(BaseException):
    """The process ends here; nothing in the product may catch it."""


def crash_at(number: int) -> Callable[[int, Any], None]:
    """Give a hook of a client that ends the run at the POST of that number."""

    def hook(at: int, _users: Any) -> None:
        if at == number:
            raise Crash

    return hook


def crash(world: World, *, at: int, applied: bool, **changes: Any) -> Client:
    """Run, and die at a POST before it is sent, or after it was applied and not yet recorded."""
    hooks = {"after" if applied else "before": crash_at(at)}
    client = world.connect(**hooks)
    with pytest.raises(Crash):
        world.sync(client=client, **changes)
    return client


class CrashingState:
    """
    A state engine that dies at a statement, and stays dead.

    Args:
        at: number of the statement, from 1.
    """

    def __init__(self, engine: StateEngine, at: int) -> None:
        self._engine = engine
        self._left = at

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    @property
    def is_dead(self) -> bool:
        return self._left <= 0

    def count(self) -> None:
        self._left -= 1
        if self.is_dead:
            raise Crash

    @contextmanager
    def session(self) -> Iterator[Session]:
        with self._engine.session() as session:
            yield _CrashingSession(session, self.count)  # type: ignore[misc]


class _CrashingSession:
    def __init__(self, session: Session, count: Callable[[], None]) -> None:
        self._session = session
        self._count = count

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._session, name)

        def call(*args: Any) -> Any:
            self._count()
            return method(*args)

        return call

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with self._session.transaction():
            yield
            self._count()


def killed(world: World, spec: SyncSpec, *, at: int) -> None:
    """Run the sync in a process that is killed, with SIGKILL, after its POST of that number."""
    told = {
        "url": world.server.url,
        "api_key": world.server.api_key,
        "project_type": world.project_type,
        "spec": json.loads(spec.model_dump_json(exclude={"requests_per_s"}, exclude_unset=True)),
        "at": at,
        "engine": world.engine,
        "source": world.source.path if world.engine == "duckdb" else world.source.conninfo,
        "state": world.state.path if world.engine == "duckdb" else world.state.schema,
    }
    path = os.pathsep.join(str(_ROOT / name) for name in ("plugins", "tests"))
    done = subprocess.run(
        [sys.executable, "-c", "import crashes; crashes.child()"],
        input=json.dumps(told),
        env={**os.environ, "PYTHONPATH": path},
        text=True,
        timeout=60,
        check=False,
        capture_output=True,
    )
    assert -signal.SIGKILL == done.returncode, done.stderr


def child() -> None:
    """Be the process of :func:`killed`."""
    from iterable_sync.state import DuckDBSource, DuckDBState, PostgresSource, PostgresState

    told = SimpleNamespace(**json.loads(sys.stdin.read()))
    if told.engine == "duckdb":
        source, state = DuckDBSource(told.source), DuckDBState(told.state)
    else:
        source = PostgresSource(told.source)
        state = PostgresState(told.source, schema=told.state)

    def kill(number: int, _users: Any) -> None:
        if number == told.at:
            os.kill(os.getpid(), signal.SIGKILL)

    run_sync(
        SyncSpec(**told.spec, requests_per_s=float("inf")),
        source=source,
        state=state,
        client=Client(told, ProjectType(told.project_type), after=kill),  # type: ignore[arg-type]
    )
