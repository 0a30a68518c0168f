"""Merges: what goes over, what is looked for before, and what has to be allowed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from change_world import MERGE, addresses, calls, mail, merging, seed, sent_changes, sync_merges
from crashes import Crash, crash_at
from event_world import ago
from iterable_sync.errors import ConfigError
from iterable_sync.rows import ProjectType, RunEnd

if TYPE_CHECKING:
    from harness import World

BY_ID = {
    "merge_id": "text",
    "source_user_id": "text",
    "destination_user_id": "text",
    "requested_at": "timestamptz",
}
BY_BOTH = {
    "merge_id": "text",
    "source_email": "text",
    "destination_user_id": "text",
    "requested_at": "timestamptz",
}
AT = ago(days=1)


def test_source_goes_over_to_the_destination_once(world: World) -> None:
    seed(world, "ab", plan="pro")

    report = sync_merges(world, merging(1, " A@example.com", "b"))
    again = sync_merges(world)

    assert (RunEnd.CLEAN, 1, 1) == (report.end, report.accepted, report.requests)
    assert (0, 1) == (again.requests, calls(world, MERGE))
    assert {"u-b": "b"} == addresses(world)
    assert "b" == world.users()[mail("b")]["city"]


@pytest.mark.parametrize(
    ("row", "requests", "note", "expected"),
    [
        pytest.param(merging(1, "x", "a"), [], "has it so already", "ab", id="source is gone"),
        pytest.param(merging(1, "x", "y"), [], "does not know the person", "ab", id="nobody"),
        pytest.param(
            merging(1, "a", "x"),
            [("a", "x")],
            "there was no destination",
            "bx",
            id="destination missing",
        ),
    ],
)
def test_look_decides_what_is_sent(
    duckdb_world: World, row: tuple[Any, ...], requests: list[Any], note: str, expected: str
) -> None:
    seed(duckdb_world, "ab")

    report = sync_merges(duckdb_world, row)

    assert (RunEnd.CLEAN, 1, requests) == (report.end, report.accepted, sent_changes(duckdb_world))
    assert any(note in one for one in report.notes)
    assert sorted(expected) == sorted(addresses(duckdb_world).values())


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (merging(1, "a", " A@EXAMPLE.com"), "same_person"),
        (merging(1, "", "b"), "missing_identifier"),
        (merging(1, "a", ""), "missing_identifier"),
        (merging(1, "a", "nobody@"), "not_an_address"),
        (merging(1, "nobody@", "a"), "not_an_address"),
    ],
)
def test_row_that_is_no_merge_is_rejected(
    duckdb_world: World, row: tuple[Any, ...], reason: str
) -> None:
    seed(duckdb_world, "abc")

    report = sync_merges(duckdb_world, row, merging(2, "c", "b"))

    assert (1, {reason: 1}) == (report.accepted, report.rejected_by_reason)
    assert {"u-a": "a", "u-b": "b"} == addresses(duckdb_world)


@pytest.mark.parametrize("kind", [ProjectType.USER_ID, ProjectType.HYBRID])
def test_people_are_named_by_their_user_ids(duckdb_world: World, kind: ProjectType) -> None:
    world = duckdb_world.with_project(kind)
    seed(world, "abc")

    report = sync_merges(
        world,
        ("m1", "u-a", "u-b", AT),
        ("m2", "u-b", "u-c", ago(hours=1)),
        ("m3", "é", "u-c", AT),
        columns=BY_ID,
    )

    assert (2, {"invalid_user_id": 1}) == (report.accepted, report.rejected_by_reason)
    assert [("u-a", "u-b"), ("u-b", "u-c")] == sent_changes(world)
    assert ["u-c"] == [fields["userId"] for fields in world.users().values()]


def test_hybrid_project_takes_either_name_and_knows_one_person_by_both(
    duckdb_world: World,
) -> None:
    world = duckdb_world.with_project(ProjectType.HYBRID)
    seed(world, "abc")

    report = sync_merges(
        world, ("m1", mail("a"), "u-b", AT), ("m2", mail("c"), "u-c", AT), columns=BY_BOTH
    )

    assert (1, {"same_person": 1}) == (report.accepted, report.rejected_by_reason)
    assert ["u-b", "u-c"] == sorted(f["userId"] for f in world.users().values())


def test_merges_that_share_a_person_go_in_the_order_of_their_times(world: World) -> None:
    """One after the other, whatever their keys and however many threads there are."""
    seed(world, "abcdef")
    rows = [merging(9 - place, old, new) for place, (old, new) in enumerate(("ef", "de", "ad"))]

    report = sync_merges(world, *rows, merging(20, "b", "c"), threads=4)

    sent = [one for one in sent_changes(world) if one != ("b", "c")]
    assert (4, [("a", "d"), ("d", "e"), ("e", "f")]) == (report.accepted, sent)
    assert {"u-c": "c", "u-f": "f"} == addresses(world)


@pytest.mark.parametrize("how", ["answer", "run"])
def test_lost_merge_is_resolved_by_a_look(world: World, how: str) -> None:
    """Not by a second call: that could merge somebody who came to the address since."""
    seed(world, "ab")
    if how == "answer":
        rule = {"kind": "reset", "at": "answer", "endpoint": MERGE, "times": 1}
        world.server.app_state.fail([rule])
        sync_merges(world, merging(1, "a", "b"))
    else:
        with pytest.raises(Crash):
            sync_merges(world, merging(1, "a", "b"), client=world.connect(after=crash_at(1)))
        world.expire_leases()

    report = sync_merges(world)

    assert (RunEnd.CLEAN, 1) == (report.end, calls(world, MERGE))
    assert {"u-b": "b"} == addresses(world)


def test_merge_has_to_be_allowed_before_anything_is_read(duckdb_world: World) -> None:
    with pytest.raises(ConfigError, match=r"deletes the profile of the source.*allow_merge=True"):
        sync_merges(duckdb_world, allow_merge=False)


def test_first_run_is_held(duckdb_world: World) -> None:
    seed(duckdb_world, "ab")

    report = sync_merges(duckdb_world, merging(1, "a", "b"), first_sync=None)

    assert (RunEnd.HELD, 1, 0) == (report.end, report.held, calls(duckdb_world, MERGE))


def test_merge_of_an_unknown_kind_is_an_error(duckdb_world: World) -> None:
    with pytest.raises(ConfigError, match="need a column 'source_email' or 'source_user_id'"):
        sync_merges(
            duckdb_world,
            ("m1", "a", AT),
            columns={
                "merge_id": "text",
                "destination_email": "text",
                "requested_at": "timestamptz",
            },
        )
