"""What a first run does with rows that Iterable has already, or should get a few of at first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness import people
from iterable_sync.rows import RunEnd
from iterable_sync.spec import SyncSpec

if TYPE_CHECKING:
    from harness import World


def table(world: World) -> str:
    """Give the quoted name of the snapshot."""
    return world.state.table(world.rows("SELECT snapshot_table FROM {syncs}")[0][0])


def test_seeded_rows_are_not_sent_and_later_changes_are(world: World) -> None:
    """Seeding takes the warehouse for what Iterable has, so only what changes afterwards goes."""
    world.put(*people(1, 2, 3))
    first = world.sync(first_sync="seed")
    world.put(*people(1, city="Genf"), *people(2, 3, 4))
    second = world.sync(first_sync="seed")

    assert (first.queried, first.unchanged, first.seeded, first.requests) == (3, 3, 3, 0)
    assert first.end is RunEnd.CLEAN
    assert (second.changed, second.added, second.accepted, second.seeded) == (1, 1, 2, 0)
    assert sorted(world.users()) == ["u1@example.com", "u4@example.com"]


def test_seeded_rows_say_so(world: World) -> None:
    """Who asks the snapshot where a row comes from can tell those that were never sent."""
    world.put(*people(1))
    world.sync(first_sync="seed")
    world.put(*people(1, 2))
    world.sync(first_sync="seed")

    origins = world.rows(f"SELECT _origin FROM {table(world)} ORDER BY 1")

    assert origins == [("seeded",), ("sent",)]


def test_a_lost_snapshot_is_never_seeded(world: World) -> None:
    """Nobody knows what Iterable has then; taking all for sent would lose every change."""
    world.put(*people(1, 2))
    world.sync()
    world.write(f"DELETE FROM {table(world)}")

    report = world.sync(first_sync="seed")

    assert report.end is RunEnd.HELD
    assert (report.seeded, report.held_by_guard) == (0, {"snapshot_lost": 2})


def test_a_sample_is_sent_and_all_others_wait_until_it_is_lifted(world: World) -> None:
    """As long as the sample is declared no run sends to anybody else, and the task succeeds."""
    world.put(*people(1, 2, 3, 4, 5))
    first = world.sync(first_sync="sample:2")
    world.put(*people(1, 2, 3, 4, 5, 6))
    second = world.sync(first_sync="sample:2")
    sampled = sorted(world.users())
    third = world.sync(first_sync="all")

    assert (first.accepted, first.held_by_guard, first.end) == (
        2,
        {"first_sync_sample": 3},
        RunEnd.CLEAN,
    )
    assert (second.accepted, second.held) == (0, 4)
    assert len(sampled) == 2
    assert (third.accepted, third.held) == (4, 0)
    assert len(world.users()) == 6


def test_a_sampled_person_who_changes_is_sent(world: World) -> None:
    """The sample is a real sync: what changes of it goes."""
    world.put(*people(1, 2))
    world.sync(first_sync="sample:1")
    (sampled,) = world.users()
    world.put(*people(1, 2, city="Genf"))

    report = world.sync(first_sync="sample:1")

    assert (report.changed, report.accepted, report.held) == (1, 1, 1)
    assert world.users()[sampled]["city"] == "Genf"


def test_seeded_rows_are_no_part_of_a_sample(world: World) -> None:
    """What Iterable had before was not sent: the sample has all of its rows, in later runs too."""
    world.put(*people(1, 2, 3))
    seed = f"SELECT user_id, email FROM {world.prefix}users"
    world.sync(sql=world.sql("user_id", "email"), seed_sql=seed)
    world.put(*people(1, 2, 3, 4, 5, 6))
    sampled = world.sync(sql=world.sql("user_id", "email"), first_sync="sample:2")
    again = world.sync(sql=world.sql("user_id", "email"), first_sync="sample:2")

    assert (sampled.unchanged, sampled.accepted, sampled.held) == (3, 2, 1)
    assert (again.accepted, again.held_by_guard) == (0, {"first_sync_sample": 1})


@pytest.mark.parametrize("wrong", ["any", "sample", "sample:0", "sample:x", -1])
def test_a_first_sync_that_is_none_of_the_known_is_refused(wrong: object) -> None:
    with pytest.raises(ValueError, match="first_sync"):
        SyncSpec(sync="s", object="users", sql="SELECT 1", key="a", first_sync=wrong)
