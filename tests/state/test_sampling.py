"""Rows drawn from a snapshot, and marked in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import people
from iterable_sync.state import sampling
from iterable_sync.state.between import registered_sync

if TYPE_CHECKING:
    from harness import World

MANY = range(1, 41)
ALL = {f"u{n}" for n in MANY}


def drawn(world: World, size: int, *, seed: int = 3, pieces: int = 100) -> list[str]:
    """Draw a sample in pieces of a size; give the keys, sorted within each piece."""
    registered = registered_sync(world.state, "1.us", "users")
    keys: list[str] = []
    after = ""
    with world.state.session() as session:
        for _ in range(pieces):
            sample = sampling.draw(
                world.state, session, registered, rows=size, settle_s=0, seed=seed, after=after
            )
            keys += sorted(sample.frame["_key"])
            after = sample.after
    return keys


def test_pieces_of_a_sample_are_the_sample(world: World) -> None:
    """Each row once and none left out, in whatever pieces it is drawn."""
    world.put(*people(*MANY))
    world.sync()

    assert sorted(ALL) == sorted(drawn(world, 7)) == sorted(drawn(world, 100))
    assert set(drawn(world, 14, pieces=1)) == set(drawn(world, 7, pieces=2)) < ALL


def test_a_seed_draws_one_sample_and_another_seed_another(world: World) -> None:
    world.put(*people(*MANY))
    world.sync()

    samples = [tuple(drawn(world, 10, seed=seed, pieces=1)) for seed in (1, 1, 2)]

    assert samples[0] == samples[1] != samples[2]
    assert {10} == {len(set(sample)) for sample in samples}


def test_each_row_is_as_likely_to_be_drawn(duckdb_world: World) -> None:
    """Over 200 samples of a quarter: 50 times each, give or take four standard deviations."""
    world = duckdb_world
    world.put(*people(*MANY))
    world.sync()
    registered = registered_sync(world.state, "1.us", "users")

    keys: list[str] = []
    with world.state.session() as session:
        for seed in range(200):
            sample = sampling.draw(world.state, session, registered, rows=10, settle_s=0, seed=seed)
            keys += sample.frame["_key"].tolist()

    assert all(25 <= keys.count(key) <= 75 for key in ALL)


def test_both_engines_draw_the_same(duckdb_world: World, postgres_world: World) -> None:
    for world in (duckdb_world, postgres_world):
        world.put(*people(*MANY))
        world.sync()

    assert drawn(duckdb_world, 10, pieces=1) == drawn(postgres_world, 10, pieces=1)


def test_marks_are_of_columns_or_of_the_row_and_only_where_nothing_is_in_doubt(
    world: World,
) -> None:
    world.put(*people(1, 2, 3, 4))
    world.sync()
    world.put(*people(1, 2, 3))
    world.sync()
    registered = registered_sync(world.state, "1.us", "users")

    with world.state.session() as session, session.transaction():
        first = sampling.mark_dirty(
            world.state, session, registered, {"u1": {"city", "points"}, "u2": None, "u4": None}
        )
        second = sampling.mark_dirty(world.state, session, registered, {"u1": None, "none": None})
        none = sampling.mark_dirty(world.state, session, registered, {})

    assert (2, 0, 0) == (first, second, none)
    assert {"u1": {"city", "points"}, "u2": {"*"}} == world.dirty()


def test_a_row_counts_as_touched_once_it_was_sent_doubted_renamed_or_removed(
    world: World,
) -> None:
    world.put(*people(1, 2, 3, 4, 5))
    world.sync()
    registered = registered_sync(world.state, "1.us", "users")
    with world.state.session() as session:
        frame = sampling.draw(world.state, session, registered, rows=9, settle_s=0).frame
    seen = dict(zip(frame["_key"], frame["_seen"], strict=True))
    world.put(*people(2, 3, 4), *people(1, city="Genf"))
    world.sync()
    table = world.state.table(registered.snapshot_table)
    with world.state.session() as session, session.transaction():
        sampling.mark_dirty(world.state, session, registered, {"u2": {"city"}})
        session.execute(f"UPDATE {table} SET _identity = 'email:new' WHERE user_id = 'u3'")
        still = sampling.unchanged(world.state, session, registered, seen)

    assert {"u4"} == still
