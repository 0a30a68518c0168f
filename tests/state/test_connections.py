"""A connection that is lost in the middle of a run costs time, and nothing else."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from crashes import CrashingState, _CrashingSession
from fakes import Clock
from harness import people
from iterable_sync import failpoints
from iterable_sync.errors import RetryLater, StateLost
from iterable_sync.rows import RunEnd
from iterable_sync.spec import Guards
from iterable_sync.state import PostgresSource, PostgresState
from iterable_sync.state.leases import Lease
from iterable_sync.state.schema import install
from iterable_sync.state.transactions import patiently, transact
from tiers import one_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness import World
    from iterable_sync.state.dialects.base import Session, StateEngine

OPEN_GUARDS = Guards(max_removed=1, max_changed=1, min_rows=0)


def named(world: World, name: str, *options: str) -> PostgresState:
    """Give the same state over connections that go by a name of their own."""
    return PostgresState(_conninfo(world, name, *options), schema=world.state.schema)


def _conninfo(world: World, name: str, *options: str) -> str:
    more = "".join(f" -c {option}" for option in options)
    return psycopg.conninfo.make_conninfo(
        world.source.conninfo, application_name=name, options=more
    )


def admin(world: World, sql: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(world.source.conninfo, autocommit=True) as connection:
        cursor = connection.execute(sql.encode())
        return cursor.fetchall() if cursor.description else []


def end_connections(world: World, name: str) -> None:
    """Let the server end all connections of a name."""
    admin(
        world,
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
        f"WHERE application_name = '{name}'",
    )


class Planned:
    """Knows whether the run has its plan; a hook of failpoints."""

    def __init__(self) -> None:
        self.is_so = False

    def __call__(self, name: str) -> None:
        self.is_so |= name == "planned"


@pytest.fixture
def planned() -> Iterator[Planned]:
    hook = Planned()
    failpoints.install(hook)
    yield hook
    failpoints.install(None)


class Disturbed(CrashingState):
    """
    A state engine beside which something happens right before a statement.

    Args:
        since: statements count from the plan on.
    """

    def __init__(
        self,
        engine: StateEngine,
        at: int,
        happens: Callable[[], None],
        since: Planned | None = None,
    ) -> None:
        super().__init__(engine, at)
        self._happens = happens
        self._since = since

    def count(self) -> None:
        if self._since is not None and not self._since.is_so:
            return
        self._left -= 1
        if self._left == 0:
            self._happens()


class Unheard(CrashingState):
    """
    A state engine whose server commits and is not heard any more, one time.

    Args:
        since: commits count from the plan on.
    """

    def __init__(self, engine: StateEngine, at: int, since: Planned | None = None) -> None:
        super().__init__(engine, at)
        self._since = since

    @contextmanager
    def session(self) -> Iterator[Session]:
        with self._engine.session() as session:
            yield _Unheard(session, self.count)  # type: ignore[misc]

    def count(self) -> None:
        if self._since is not None and not self._since.is_so:
            return
        self._left -= 1
        if self._left == 0:
            raise psycopg.OperationalError("server closed the connection unexpectedly")


class _Unheard(_CrashingSession):
    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with self._session.transaction():
            yield
        self._count()


def run(world: World, state: Any, **changes: Any) -> Any:
    """Run the second day of a small shop over a state of the test's."""
    clock = Clock()
    try:
        return world.sync(
            state=state,
            options={"sleep": clock.sleep},
            on_remove="clear",
            guards=OPEN_GUARDS,
            batch_rows=2,
            threads=1,
            **changes,
        )
    finally:
        state.close()


def prepare(world: World) -> None:
    world.put(*people(*range(1, 7), city="A"), ("bad", "none", "A", 1))
    world.sync(on_remove="clear")
    world.put(*people(*range(1, 7), city="B"), ("bad", "nobody", "A", 1), *people(8, city="B"))


def right(world: World) -> None:
    """Make sure that everybody has the second day's row, and that no row was taken out."""
    assert {f"u{n}@example.com": "B" for n in (*range(1, 7), 8)} == {
        key: user.get("city") for key, user in world.users().items()
    }
    assert {("bad", "", "invalid_email")} == world.rejections()
    assert ({}, set()) == (world.dirty(), {s for s in world.batches() if s == "open"})


@pytest.mark.failure("W1")
@pytest.mark.parametrize("at", one_in(3, range(1, 85, 4)))
def test_a_connection_that_is_ended_at_any_statement_is_healed(
    postgres_world: World, at: int
) -> None:
    """Either the run goes on over another connection, or it ends in words and the next heals."""
    world = postgres_world
    prepare(world)
    state = Disturbed(named(world, "state"), at, lambda: end_connections(world, "state"))
    try:
        report = run(world, state)
    except RetryLater as error:
        world.expire_leases()
        report = world.sync(on_remove="clear")
        said = str(error)
    else:
        said = "Postgres"
        if report.end is RunEnd.PENDING:
            said, report = report.notes[-1], world.sync(on_remove="clear")

    right(world)
    assert (True, 0) == ("Postgres" in said, report.removed)
    assert 0 == world.sync(on_remove="clear").requests


@pytest.mark.failure("W7")
@pytest.mark.parametrize("at", range(1, 11))
def test_a_commit_that_is_not_heard_of_is_not_made_twice(postgres_world: World, at: int) -> None:
    world = postgres_world
    prepare(world)

    try:
        report = run(world, Unheard(named(world, "state"), at))
    except StateLost:
        world.expire_leases()
        report = world.sync(on_remove="clear")

    right(world)
    assert (7, 1, 0, RunEnd.CLEAN) == (
        report.accepted,
        report.rejected,
        report.pending,
        report.end,
    )
    assert [] == world.rows(
        "SELECT run_id, number FROM {batches} GROUP BY 1, 2 HAVING count(*) > 1"
    )
    assert [(2,)] == world.rows("SELECT attempts FROM {rejections}")


@pytest.mark.failure("W7")
def test_answers_that_are_settled_in_an_unheard_commit_are_not_sent_again(
    postgres_world: World, planned: Planned
) -> None:
    """Whichever commit of the push it is."""
    world = postgres_world
    prepare(world)
    for at in range(1, 6):
        planned.is_so = False
        world.put(*people(*range(1, 7), city=f"C{at}"))
        report = run(world, Unheard(named(world, "state"), at, planned))

        assert (6, 6) == (report.accepted, len(world.sent))


@pytest.mark.failure("W6")
def test_a_row_that_is_changed_by_others_meanwhile_lets_the_transaction_be_made_again(
    postgres_world: World, planned: Planned
) -> None:
    """40001: under a stricter isolation the check of the lease conflicts with a heartbeat."""
    world = postgres_world
    prepare(world)
    state = named(world, "state", "default_transaction_isolation=serializable")
    conflicts: list[int] = []

    def beat() -> None:
        conflicts.append(1)
        schema = world.state.schema
        admin(world, f"UPDATE {schema}.leases SET held_until = held_until + INTERVAL '1 s'")

    for at in range(1, 9):
        planned.is_so = False
        run(world, Disturbed(state, at, beat, planned))

    right(world)
    assert 8 == len(conflicts)


@pytest.mark.failure("W6")
def test_a_lock_that_is_waited_for_too_long_is_waited_for_again(postgres_world: World) -> None:
    """55P03, from a server that limits waiting."""
    world = postgres_world
    world.put(*people(1))
    world.sync()
    state = named(world, "state", "lock_timeout=100ms")
    schema = world.state.schema
    waited: list[float] = []
    with psycopg.connect(world.source.conninfo) as other:
        other.execute(f"SELECT 1 FROM {schema}.leases FOR UPDATE".encode())

        def sleep(seconds: float) -> None:
            waited.append(seconds)
            other.rollback()

        def write(session: Session) -> int:
            return session.execute(f"UPDATE {schema}.leases SET holder = 'me'")

        assert transact(state, write, sleep) >= 1
    state.close()

    assert 1 == len(waited)


@pytest.mark.failure("P7")
def test_a_database_that_stays_away_ends_the_run_in_words(postgres_world: World) -> None:
    world, clock = postgres_world, Clock()
    conninfo = psycopg.conninfo.make_conninfo(world.source.conninfo, host="/nowhere")
    state = PostgresState(conninfo, schema=world.state.schema)

    with pytest.raises(StateLost, match="cannot connect to Postgres"):
        patiently(state, lambda session: session.rows("SELECT 1"), clock.sleep)
    with pytest.raises(StateLost, match="where state is kept"):
        transact(state, lambda session: session.rows("SELECT 1"), clock.sleep)

    assert 8 == len(clock.slept)


def test_an_error_that_another_attempt_does_not_mend_is_not_attempted_again(
    postgres_world: World,
) -> None:
    clock = Clock()

    with pytest.raises(psycopg.errors.UndefinedTable):
        transact(postgres_world.state, lambda session: session.rows("TABLE nowhere"), clock.sleep)

    assert [] == clock.slept


@pytest.mark.failure("W1")
@pytest.mark.parametrize("same", [True, False], ids=["in the state's database", "copied"])
@pytest.mark.parametrize("at", [1, 2, 1_999, 3_000])
def test_a_model_that_is_half_read_removes_nobody(
    postgres_world: World, at: int, *, same: bool
) -> None:
    """The server ends the connection when it has given that many rows."""
    world = postgres_world
    columns = "'u' || n AS user_id, 'u' || n || '@example.com' AS email"
    whole = f"SELECT {columns}, NULL::boolean AS _end FROM generate_series(1, 3000) n"
    world.sync(sql=whole, first_sync="all", on_remove="clear", exclude=("_end",))
    requests = world.writes()
    ends = f"CASE WHEN n = {at} THEN pg_terminate_backend(pg_backend_pid()) END AS _end"
    half = f"SELECT {columns}, {ends} FROM generate_series(1, 3000) n"
    if not same:
        world.source = PostgresSource(
            _conninfo(world, "warehouse", "search_path=pg_catalog,public,nowhere")
        )

    with pytest.raises(RetryLater, match="Postgres ended the model SQL"):
        world.sync(sql=half, exclude=("_end",), on_remove="clear", guards=OPEN_GUARDS, threads=1)

    assert requests == world.writes()
    assert [(3_000,)] == world.rows(
        f"SELECT count(*) FROM {{{world.rows('SELECT snapshot_table FROM {syncs}')[0][0]}}} "
        "WHERE _status = 'live'"
    )


def test_a_heartbeat_that_fails_beats_on(postgres_world: World) -> None:
    """The thread outlives what a driver raises; a lease it could not renew ends by the clock."""
    import time

    world = postgres_world
    with world.state.session() as session:
        install(world.state, session)
    state = named(world, "state")
    mine = Lease(state, "me", 0.3)
    with state.session() as session:
        mine.acquire(session, "sync:1.us/users")
    end_connections(world, "state")
    before = world.rows("SELECT CAST(held_until AS text) FROM {leases}")
    for _ in range(200):
        if world.rows("SELECT CAST(held_until AS text) FROM {leases}") > before:
            break
        time.sleep(0.02)

    assert world.rows("SELECT CAST(held_until AS text) FROM {leases}") > before
    mine.release()
    state.close()


def test_leases_that_cannot_be_given_back_do_not_hide_how_a_run_ended(
    postgres_world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world = postgres_world
    world.put(*people(1))
    world.sync()

    class Gone(CrashingState):
        @contextmanager
        def session(self) -> Iterator[Session]:
            if self._left <= 0:
                raise StateLost("the database is gone")
            self._left -= 1
            with self._engine.session() as session:
                yield session

    with pytest.raises(StateLost, match="the database is gone"):
        world.sync(state=Gone(world.state, 1), options={"sleep": Clock().sleep})

    assert "leases not given back" in caplog.text


@pytest.mark.parametrize(
    ("own", "planning"),
    [pytest.param("5MB", "64MB", id="less"), pytest.param("1GB", "1GB", id="more")],
)
def test_memory_for_planning_is_given_back(postgres_db: str, own: str, planning: str) -> None:
    """A role that has more keeps it."""
    state = PostgresState(psycopg.conninfo.make_conninfo(postgres_db, options=f"-c work_mem={own}"))
    try:
        with state.session() as session, state.planning(session):
            during = session.rows("SHOW work_mem")
        with state.session() as session:
            after = session.rows("SHOW work_mem")
    finally:
        state.close()

    assert ([(planning,)], [(own,)]) == (during, after)
