"""
The tests of the core once more, as the role that ``sql/grants/postgres.sql`` makes: S13.

They are those of other files, with another world in the place of theirs.
"""

from __future__ import annotations

import importlib
import inspect
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import pytest

from harness import people
from iterable_sync.errors import IterableSyncError
from security.granted import granted_world

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness import World
    from iterable_sync.sandbox.server import SandboxServer

# The first runs in `make test`, all of them in `make test-all`.
SUITES = (
    "test_run",
    "test_run_ends",
    "test_run_mapping",
    "test_run_rejections",
    "test_push",
    "state.test_diff",
    "state.test_leases",
    "state.test_recovery",
    "state.test_registry",
    "state.test_stage",
)
WORLDS = {"world", "postgres_world"}


@pytest.fixture
def world(iterable_server: SandboxServer, warehouse_db: str) -> Iterator[World]:
    """Give a world of the granted role, in the place of the owner's."""
    with granted_world(iterable_server, warehouse_db, f"t{uuid4().hex[:12]}") as made:
        yield made


@pytest.fixture
def postgres_world(world: World) -> World:
    """Give the same."""
    return world


def adopt(suite: str) -> None:
    """Take the tests of a file that have a world on PostgreSQL, and the fixtures of that file."""
    module = importlib.import_module(suite)
    for name, found in vars(module).items():
        if isinstance(found, type(world)) and name not in WORLDS:
            globals()[name] = found
        elif name.startswith("test_") and WORLDS & set(inspect.signature(found).parameters):
            test: Any = found
            if suite != SUITES[0]:
                # A function of its own: a mark on the test itself would hold in its file as well.
                test = pytest.mark.all(_copy(found))
            globals()[f"test_{suite.rpartition('.')[2].removeprefix('test_')}__{name[5:]}"] = test


def _copy(test: Any) -> Any:
    copied = type(test)(
        test.__code__, test.__globals__, test.__name__, test.__defaults__, test.__closure__
    )
    copied.__dict__.update(test.__dict__)
    copied.__dict__["pytestmark"] = list(getattr(test, "pytestmark", []))
    copied.__kwdefaults__ = test.__kwdefaults__
    copied.__annotations__ = test.__annotations__
    return copied


for _suite in SUITES:
    adopt(_suite)


@pytest.mark.failure("S13")
def test_the_world_is_not_its_owners(world: World):
    """Otherwise the tests above would show nothing."""
    world.put(*people(1))
    with world.state.session() as session:
        ((user, is_super),) = session.rows(
            "SELECT current_user::text, current_setting('is_superuser')"
        )
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute(f"DELETE FROM {world.prefix}users")

    assert (world.state.schema, "off") == (user, is_super)  # type: ignore[attr-defined]


@pytest.mark.failure("S13")
@pytest.mark.parametrize(
    "sql",
    [
        "WITH gone AS (DELETE FROM {users} RETURNING *) SELECT user_id, email FROM gone",
        "SELECT user_id, email FROM {users}; DELETE FROM {users}",
        "SELECT user_id, email, nextval('{schema}.counter') AS n FROM {users}",
        "SELECT user_id, email, {schema}.erase() AS n FROM {users}",
        "SELECT user_id, email, pg_read_file('/etc/passwd') AS n FROM {users}",
        "SELECT user_id, email, pg_terminate_backend(pid) AS n FROM {users}, pg_stat_activity "
        "WHERE pid <> pg_backend_pid() AND usename <> current_user",
        "SELECT rolname AS user_id, rolpassword AS email FROM pg_authid",
    ],
)
def test_the_role_of_a_model_cannot_write_or_look_elsewhere(world: World, sql: str):
    """By a CTE, a second statement, a sequence, a function, a file, a signal, a catalogue."""
    schema = world.prefix[:-1]
    world.put(*people(1, 2))
    world.execute(
        f"CREATE SEQUENCE {schema}.counter; CREATE FUNCTION {schema}.erase() RETURNS int "
        f"LANGUAGE sql AS 'DELETE FROM {schema}.users; SELECT 1'"
    )

    with pytest.raises(IterableSyncError):
        world.sync(sql=sql.format(users=f"{schema}.users", schema=schema))

    world.execute(f"INSERT INTO {schema}.users SELECT * FROM {schema}.users")
    with world.state.session() as session:
        assert [(4,)] == session.rows(f"SELECT count(*) FROM {schema}.users")
    assert {} == world.users()
