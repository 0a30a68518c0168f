"""A warehouse of the tables that the models read."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

import harness

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness import World
    from iterable_sync.sandbox.server import SandboxServer


@pytest.fixture
def postgres_world(iterable_server: SandboxServer, warehouse_db: str) -> Iterator[World]:
    """Give a world whose schema is on the search path: models name their tables plainly."""
    name = f"t{uuid4().hex[:12]}"
    found_by_name = f"{warehouse_db}&options=-csearch_path%3D{name}"
    with harness.postgres_world(iterable_server, found_by_name, name) as world:
        yield world
