"""What folding makes of each outcome in the journal, and that it may be done twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from crashes import crash
from harness import people
from iterable_sync.reasons import REASONS
from iterable_sync.rows import Batch, BatchResult, Rejection
from iterable_sync.state import SyncState
from iterable_sync.state.fold import Fold
from iterable_sync.state.registry import find

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness import World

COLUMN_OF = {"city": "city", "points": "points", "email": "email", "userId": "user_id"}
WAITS = {code: reason.retry_after_s for code, reason in REASONS.items()}


class Run:
    """A run without a push: its batches are opened and settled by hand, a batch a key."""

    def __init__(self, world: World, **changes: Any) -> None:
        self.world = world
        self.state = SyncState(
            world.state,
            world.source,
            world.spec(**changes),
            world.connect().project,
            "profiles",
        )
        self.state.begin()
        self.staged, self.plan = self.state.plan()
        with world.state.session() as session:
            rows = session.rows(f"SELECT _key, _seq FROM {self.plan.table}")
        self.batches = {key: Batch(seq, seq, seq, []) for key, seq in rows}

    def visit(self, results: list[BatchResult], to_open: list[Batch]) -> None:
        self.state.visit(
            results, to_open, seq_lo=1, seq_hi=0, column_of=COLUMN_OF, retry_after_s=WAITS
        )

    def open(self, *keys: str) -> None:
        self.visit([], [self.batches[key] for key in keys])

    def settle(self, key: str, **outcome: Any) -> None:
        """Settle the batch of a key; *outcome* names lists of a :class:`BatchResult`."""
        seq = self.batches[key].seq_lo
        result = BatchResult(self.batches[key])
        result.rejections = [Rejection(seq, *each) for each in outcome.get("rejections", ())]
        result.in_doubt = [seq] if outcome.get("in_doubt") else []
        result.not_applied = [seq] if outcome.get("not_applied") else []
        result.uncreated = {seq: tuple(f)} if (f := outcome.get("uncreated")) else {}
        self.visit([result], [])

    def finish(self) -> Any:
        self.state.finish(is_complete=False)
        self.state.lease.release()
        return self.state.folded


@pytest.fixture
def run(world: World) -> Iterator[Run]:
    """Give a run that changes u1 to u6, adds u7, and removes u8 and u9."""
    world.put(*people(1, 2, 3, 4, 5, 6, 8, 9, city="A"))
    world.sync(on_remove="clear")
    world.put(*people(1, 2, 3, 4, 5, 6, 7, city="B", points=2))
    made = Run(world, on_remove="clear")
    yield made
    made.state.lease.release()


def test_every_outcome_is_folded_as_the_journal_says(run: Run) -> None:
    world = run.world
    run.open(*run.batches)
    run.settle("u1")
    run.settle("u2", rejections=[("conflict",)])
    run.settle("u3", rejections=[("wrong_type", "city")])
    run.settle("u4", in_doubt=True)
    run.settle("u5", not_applied=True)
    run.settle("u6", uncreated=["points"])
    run.settle("u7", in_doubt=True, rejections=[("refused",)])
    run.settle("u8")

    folded = run.finish()

    assert {
        "u1": ("live", "B", 2, None),
        "u2": ("live", "A", 1, None),
        "u3": ("live", "A", 2, {"city"}),
        "u4": ("live", "A", 1, {"city", "points"}),
        "u5": ("live", "A", 1, None),
        "u6": ("live", "B", 1, {"points"}),
        "u7": ("live", None, None, {"*"}),
        "u8": ("gone", None, None, None),
        "u9": ("live", "A", 1, {"*"}),
    } == {
        key: (row["_status"], row["city"], row["points"], world.dirty().get(key))
        for key, row in world.snapshot().items()
    }
    assert {
        ("u2", "", "conflict"),
        ("u3", "city", "wrong_type"),
        ("u6", "points", "field_not_created"),
        ("u7", "", "refused"),
    } == world.rejections()
    assert (3, 1, 2, 2, 3) == (
        folded.accepted,
        folded.removed,
        folded.rejected,
        folded.fields_rejected,
        folded.in_doubt,
    )


def test_folding_twice_changes_nothing(run: Run) -> None:
    world = run.world
    run.open(*run.batches)
    run.settle("u1")
    run.settle("u2", rejections=[("conflict",)])
    run.settle("u3", rejections=[("wrong_type", "city")])
    run.settle("u4", in_doubt=True)
    run.settle("u8")
    fold(run)
    once = (world.snapshot(), world.rejections(), world.dirty())

    world.write(
        "UPDATE {batches} SET state = CASE WHEN settled_at IS NULL THEN 'open' ELSE 'settled' END "
        "WHERE token = (SELECT max(token) FROM {runs})"
    )
    fold(run)

    assert once == (world.snapshot(), world.rejections(), world.dirty())
    assert set(world.batches()) == {"folded"}


def test_folded_batches_are_not_folded_again(run: Run) -> None:
    world = run.world
    run.open("u1")
    run.settle("u1")
    first = fold(run)
    world.write("UPDATE {runs} SET state = 'running'")

    assert (1, 0) == (first, fold(run))


def test_what_mapping_refused_is_never_in_doubt(world: World) -> None:
    """It is known before the request that it is not in it."""
    world.put(*people(1))
    world.sync()
    world.put(*people(1, city="B"), ("u2", "no address", "B", 1), *people(3, city="B"))
    crash(world, at=1, applied=True)

    world.answer_next({"status": 429, "headers": {"Retry-After": "900"}})
    world.sync()

    assert {"u1": {"city"}, "u3": {"*"}} == world.dirty()


def test_an_acceptance_clears_only_the_doubt_that_it_answers(world: World) -> None:
    world.put(*people(1, city="A"))
    world.sync()
    world.write(f"UPDATE {snapshot_of(world)} SET _dirty = '0011'")
    world.put(*people(1, city="A", points=5))
    run = Run(world)
    with world.state.session() as session:
        session.execute(f"UPDATE {run.plan.table} SET _mask = '0001'")
    run.open("u1")
    run.settle("u1")
    run.finish()

    assert {"u1": {"city"}} == world.dirty()
    assert {"u1": ("A", 5)} == world.acknowledged("city", "points")


def test_a_field_left_out_stays_owed_to_a_newer_mapping(world: World) -> None:
    """The row is at the newest mapping then; what it did not get must not be forgotten."""
    world.put(*people(1, city="A"))
    world.sync()
    renamed = {"city": {"name": "town"}}
    run = Run(world, fields=renamed)
    with world.state.session() as session:
        session.execute(f"UPDATE {run.plan.table} SET _mask = '0001'")
    run.open("u1")
    run.settle("u1")
    run.finish()
    run.state.close(_report(), "clean")

    assert {"u1": {"city"}} == world.dirty()

    world.sync(fields=renamed)

    assert {"u1@example.com": {"town": "A", "city": None}} == world.sent_fields


def test_a_gone_key_keeps_its_identity_and_episode_and_nothing_else(world: World) -> None:
    world.put(*people(1, 2))
    world.sync()
    world.put(*people(1))
    world.sync()

    row = world.snapshot()["u2"]
    kept = {name for name, value in row.items() if value is not None}
    assert {"user_id", "_identity", "_status", "_episode", "_origin", "_mapping", "_run"} == kept


def snapshot_of(world: World) -> str:
    """Name the snapshot's table, to be used in SQL of the harness."""
    return "{" + world.rows("SELECT snapshot_table FROM {syncs}")[0][0] + "}"


def fold(run: Run) -> int:
    """Fold the run's journal anew, as a later run would; give the rows that were accepted."""
    engine = run.world.state
    with engine.session() as session, session.transaction():
        registered = find(engine, session, "1.us", "users")
        assert registered is not None
        plan = session.rows(
            f"SELECT plan_table FROM {engine.table('runs')} WHERE run_id = ?", (run.state.run_id,)
        )[0][0]
        made = Fold(engine, registered, run.state.run_id, plan)
        settled = made.settled(session)
        made.left_open(session)
        return settled.accepted


def _report() -> Any:
    from iterable_sync.rows import RunReport

    return RunReport("users", "x")
