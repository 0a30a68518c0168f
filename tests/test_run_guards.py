"""A snapshot that is not the sync's own, and a key that is of another project: nothing is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from fakes import Clock
from harness import people
from iterable_sync.errors import ConfigError
from iterable_sync.rows import RunEnd
from iterable_sync.spec import Guards
from iterable_sync.state.approvals import approve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness import World

CHANNELS = "/api/channels"


def table(world: World) -> str:
    """Give the quoted name of the snapshot."""
    return world.state.table(world.rows("SELECT snapshot_table FROM {syncs}")[0][0])


def drop(world: World) -> None:
    world.write(f"DROP TABLE {table(world)}")


def empty(world: World) -> None:
    world.write(f"DELETE FROM {table(world)}")


def restore(world: World) -> None:
    """Put the snapshot back that was there before the latest run."""
    world.write(f"DELETE FROM {table(world)}")
    world.write(f"INSERT INTO {table(world)} SELECT * FROM {world.state.table('backup')}")


LOSSES = pytest.mark.parametrize(
    "lose",
    [
        pytest.param(drop, id="dropped"),
        pytest.param(empty, id="emptied"),
        pytest.param(restore, id="restored from an older backup"),
    ],
)


def history(world: World) -> None:
    """Make two runs, and a backup of the snapshot in between."""
    world.put(*people(1, 2, 3))
    world.sync()
    world.write(f"CREATE TABLE {world.state.table('backup')} AS SELECT * FROM {table(world)}")
    world.put(*people(1, city="Genf"), *people(2, 3))
    world.sync()


@pytest.mark.failure("W5")
@LOSSES
def test_a_lost_snapshot_is_no_first_run_and_holds_everything(world: World, lose: Any) -> None:
    history(world)
    requests = world.writes()
    lose(world)

    world.put(*people(1, 2, 3), *people(4))
    report = world.sync(on_remove="clear")
    again = world.sync(on_remove="clear")

    assert (RunEnd.HELD, 0, requests) == (report.end, report.accepted, world.writes())
    assert {"snapshot_lost"} == set(report.held_by_guard) == set(again.held_by_guard)
    assert any("full_resync=True" in note for note in report.notes)


@pytest.mark.failure("W5")
@LOSSES
def test_a_full_resync_is_the_way_out(world: World, lose: Any) -> None:
    """It sends also what reads as unchanged: in an older copy, u1 is what the warehouse says."""
    history(world)
    lose(world)
    world.put(*people(1, 2, 3))
    world.sync()

    report = world.sync(full_resync=True, guards=Guards(first_sync_rows=1))

    assert (RunEnd.CLEAN, 3) == (report.end, report.accepted)
    assert {"Bern"} == {fields["city"] for fields in world.users().values()}

    world.put(*people(1, 2), *people(3, city="Chur"))
    after = world.sync()

    assert (RunEnd.CLEAN, 1, 2) == (after.end, after.accepted, after.unchanged)


def test_a_full_resync_that_was_cut_off_is_not_enough(postgres_world: World) -> None:
    world, clock = postgres_world, Clock()
    history(world)
    restore(world)
    client = world.connect(
        after=lambda number, _users: (
            number == 1 and world.answer_next({"status": 429, "times": 10_000})
        )
    )
    world.put(*people(1, 2, 3))
    options = {"clock": clock, "sleep": clock.sleep}

    cut = world.sync(
        full_resync=True, client=client, batch_rows=1, threads=1, lease_s=1e6, options=options
    )
    world.answer_next()
    ordinary = world.sync()

    assert (RunEnd.PENDING, RunEnd.HELD) == (cut.end, ordinary.end)
    assert {"snapshot_lost"} == set(ordinary.held_by_guard)


def test_an_older_copy_that_says_what_the_warehouse_says_is_found_too(world: World) -> None:
    """No row differs from it, and Iterable has another value."""
    history(world)
    restore(world)
    world.put(*people(1, 2, 3))

    report = world.sync()

    assert (RunEnd.HELD, 3, {"snapshot_lost": 0}) == (
        report.end,
        report.unchanged,
        report.held_by_guard,
    )


def test_what_a_lost_snapshot_holds_cannot_be_approved(postgres_world: World) -> None:
    """A value that went back to what an older copy says would stay wrong."""
    world = postgres_world
    history(world)
    empty(world)
    world.sync()

    with pytest.raises(ConfigError, match="full_resync=True"):
        approve(world.state, "1.us", "users", by="ana")
    assert {"snapshot_lost": 3} == world.sync().held_by_guard


def test_a_crashed_run_does_not_hide_that_the_snapshot_was_lost(world: World) -> None:
    """What the next run folds of it would make the empty snapshot look like its own."""
    history(world)
    world.put(*people(1, 2, 3, city="Chur"))

    class Killed(BaseException):
        pass

    def kill(number: int, _users: object) -> None:
        if number == 3:
            raise Killed

    with pytest.raises(Killed):
        world.sync(client=world.connect(before=kill), batch_rows=1, threads=1)
    empty(world)

    assert {"snapshot_lost"} == set(world.sync().held_by_guard)
    assert {"snapshot_lost"} == set(world.sync().held_by_guard)


@pytest.mark.failure("W5", "W9")
def test_a_few_corrupted_values_send_just_those_rows_again(world: World) -> None:
    world.put(*people(*range(1, 101)))
    world.sync()
    world.write(f"UPDATE {table(world)} SET city = '???' WHERE user_id = 'u7'")

    report = world.sync()

    assert (RunEnd.CLEAN, 1, 99) == (report.end, report.accepted, report.unchanged)
    assert {"u7@example.com": {"city": "Bern"}} == world.sent_fields


@pytest.mark.failure("W5")
def test_rows_that_are_missing_from_the_snapshot_are_sent_again(world: World) -> None:
    world.put(*people(*range(1, 11)))
    world.sync()
    world.write(f"DELETE FROM {table(world)} WHERE user_id = 'u7'")

    report = world.sync()

    assert (RunEnd.CLEAN, 1, 9) == (report.end, report.accepted, report.unchanged)


def test_a_sync_that_delivered_nothing_yet_has_no_snapshot_to_lose(world: World) -> None:
    world.put(("u1", "none", "Bern", 1))
    assert 1 == world.sync().rejected
    drop(world)

    world.put(*people(1))
    report = world.sync()

    assert (RunEnd.CLEAN, 1) == (report.end, report.accepted)


def test_a_dry_run_says_that_the_snapshot_is_lost(world: World) -> None:
    history(world)
    drop(world)

    report = world.sync(dry_run=True)

    assert ["snapshot_lost"] == [note.split(":")[0].split()[-1] for note in report.notes]


def test_unchanged_runs_and_failed_ones_do_not_make_a_snapshot_look_lost(world: World) -> None:
    world.put(*people(1, 2))
    world.sync()
    world.sync()
    world.put(("u1", "none", "Bern", 1), *people(2))
    world.sync(on_identity_change="full_row")
    world.put(*people(2))
    world.sync(on_remove="clear")
    world.put()
    world.sync(guards=Guards(min_rows=0))

    world.put(*people(1, 2))
    report = world.sync()

    assert (RunEnd.CLEAN, 2) == (report.end, report.accepted)


# --- the project ---


@pytest.fixture
def channels(world: World) -> Iterator[Any]:
    """Give a function that replaces the channels of the sandbox's project."""

    def replace(*ids: int) -> None:
        with world.server.app_state.lock:
            world.server.app_state.messaging.replace(
                "channels",
                [
                    {
                        "id": number,
                        "name": f"Channel {number}",
                        "channelType": "Marketing",
                        "messageMedium": "Email",
                    }
                    for number in ids
                ],
            )

    yield replace
    world.server.reset(project_type="email")


@pytest.mark.failure("W9", "S18")
def test_the_first_run_names_the_project_in_words_that_can_be_checked(
    world: World, channels: Any
) -> None:
    channels(71, 72, 73, 74)
    world.put(*people(1))

    first = world.sync()
    world.put(*people(1, 2))
    second = world.sync()

    (note,) = first.notes
    assert "project 1.us" in note
    assert "'Channel 71' (71), 'Channel 72' (72), 'Channel 73' (73) and 1 more" in note
    assert [] == second.notes


@pytest.mark.failure("W9", "S18")
@pytest.mark.capability("B3")
def test_the_key_of_another_project_sends_nothing(world: World, channels: Any) -> None:
    channels(71, 72)
    world.put(*people(1))
    world.sync()
    requests = world.writes()

    channels(81, 82)
    world.put(*people(1, 2))
    with pytest.raises(ConfigError, match=r"another project than the state of 1\.us.*Channel 81"):
        world.sync()

    assert (requests, ["clean", "failed"]) == (world.writes(), world.runs())

    channels(71, 72)
    assert 1 == world.sync().accepted


def test_a_project_may_get_and_lose_channels(world: World, channels: Any) -> None:
    world.put(*people(1))
    for n, ids in enumerate(([71, 72], [72, 73], [73]), start=2):
        channels(*ids)
        world.put(*people(*range(n)))
        assert RunEnd.CLEAN == world.sync().end


def test_a_second_sync_of_the_project_is_compared_as_well(world: World, channels: Any) -> None:
    channels(71)
    world.put(*people(1))
    world.sync(sql=world.sql("user_id", "email", "city"))

    channels(81)
    with pytest.raises(ConfigError, match="another project"):
        world.sync(sync="others", sql=world.sql("user_id", "email", "points"))


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_key_that_may_not_read_the_channels_is_noted_and_the_run_goes_on(
    world: World, status: int
) -> None:
    world.put(*people(1))
    world.answer_next({"status": status, "times": 100}, path=CHANNELS)

    report = world.sync()

    assert (RunEnd.CLEAN, 1) == (report.end, report.accepted)
    assert any(
        f"not checked whether the key is of this project: {CHANNELS}: HTTP {status}" in note
        for note in report.notes
    )


def test_a_project_without_channels_is_noted_and_remembered_by_none(
    world: World, channels: Any
) -> None:
    channels()
    world.put(*people(1))
    report = world.sync()
    channels(71)
    world.put(*people(1, 2))
    later = world.sync()

    assert "shows no message channel" in report.notes[0]
    assert "the first time" in later.notes[0]


def test_an_outage_of_the_channels_ends_pending_and_nothing_is_sent(world: World) -> None:
    clock = Clock()
    world.put(*people(1))
    world.answer_next({"status": 503, "times": 100}, path=CHANNELS)

    report = world.sync(options={"clock": clock, "sleep": clock.sleep}, lease_s=1e6)

    assert (RunEnd.PENDING, 1, 0) == (report.end, report.pending, world.writes())


def test_the_project_is_asked_once_in_a_run_and_not_where_nothing_is_sent(world: World) -> None:
    world.put(*people(*range(20)))
    world.sync(batch_rows=2)
    world.sync()

    with world.server.app_state.lock:
        paths = [entry.path for entry in world.server.app_state.history.page(0, 10**6)]
    assert 1 == paths.count(CHANNELS)


@pytest.mark.failure("S11")
def test_what_people_called_a_channel_cannot_forge_a_line(world: World) -> None:
    with world.server.app_state.lock:
        world.server.app_state.messaging.replace(
            "channels",
            [
                {
                    "id": 71,
                    "name": "a\nCRITICAL all is lost" + "x" * 500,
                    "channelType": "Marketing",
                    "messageMedium": "Email",
                }
            ],
        )
    world.put(*people(1))

    (note,) = world.sync().notes

    assert "\n" not in note
    assert len(note) < 400
