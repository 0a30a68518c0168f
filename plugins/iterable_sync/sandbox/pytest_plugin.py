"""
Fixtures for projects that talk to Iterable: ``iterable_sandbox`` and its settings.

pytest loads this module in every run where the package is installed: it imports nothing but
pytest, and the sandbox only once a test asks for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from iterable_sync.sandbox.server import SandboxServer


@pytest.fixture
def iterable_sandbox_settings() -> Mapping[str, Any]:
    """Override this to change the sandbox: ``{"project_type": "email", "rate_limits": False}``."""
    return {}


@pytest.fixture
def iterable_sandbox(
    _iterable_sandbox_server: SandboxServer, iterable_sandbox_settings: Mapping[str, Any]
) -> SandboxServer:
    """
    Give a local Iterable, empty at the start of each test.

    Its ``url`` and ``api_key`` are for the code under test, ``contents()`` and ``requests()`` for
    its assertions, ``fail(...)`` and ``seed(...)`` for what it should meet.
    """
    server = _iterable_sandbox_server
    server.app_state.snapshots.clear()
    server.reset(**iterable_sandbox_settings)
    return server


@pytest.fixture(scope="session")
def _iterable_sandbox_server() -> Iterator[SandboxServer]:
    """Start one server for the session; starting it for each test would cost them their speed."""
    try:
        from iterable_sync.sandbox.server import SandboxServer
    except ImportError as error:
        pytest.fail(
            f"iterable_sandbox needs {error.name}: "
            "pip install 'airflow-provider-iterable[sandbox]'",
            pytrace=False,
        )
    with SandboxServer() as server:
        yield server
