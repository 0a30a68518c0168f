"""The machinery of the process tests, one for a session."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from torture.processes import Torture
from torture.proxy import Proxy
from torture.zygote import Zygote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from iterable_sync.sandbox.server import SandboxServer

SEED = 1


@pytest.fixture(scope="session")
def zygote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zygote]:
    """Start the process that runs are forked from."""
    with Zygote(tmp_path_factory.mktemp("children")) as started:
        yield started


@pytest.fixture(scope="session")
def proxy(iterable_server: SandboxServer) -> Iterator[Proxy]:
    """Start a proxy in front of the session's sandbox."""
    with Proxy(iterable_server.port, SEED) as started:
        yield started


@pytest.fixture
def torture(
    request: pytest.FixtureRequest,
    zygote: Zygote,
    proxy: Proxy,
    iterable_server: SandboxServer,
    tmp_path: Path,
) -> Iterator[Callable[..., Torture]]:
    """Make worlds of processes: ``torture(engine, seed)``; the sandbox is as it was afterwards."""

    def make(engine: str, seed: int = SEED) -> Torture:
        is_duckdb = engine == "duckdb"
        return Torture(
            engine,
            seed,
            zygote=zygote,
            sandbox=iterable_server,
            proxy=proxy,
            folder=tmp_path,
            postgres="" if is_duckdb else request.getfixturevalue("warehouse_db"),
        )

    yield make
    proxy.share = 0.0
    iterable_server.reset()
