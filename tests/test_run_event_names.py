"""Events under other names, or left out by them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from event_world import ago, arrived, put, spec, sync, with_events
from iterable_sync.errors import ConfigError
from iterable_sync.rows import RunEnd

if TYPE_CHECKING:
    from harness import World
    from iterable_sync.rows import RunReport

COLUMNS = {"id": "bigint", "user_id": "text", "created_at": "timestamptz", "event_name": "text"}
MAP = {"Viewed Product": "ProductView", "Added Product": "AddedToBasket"}


def named(*names: str | None, days: float = 0) -> list[tuple[Any, ...]]:
    return [(number, "u1", ago(days), name) for number, name in enumerate(names, start=1)]


def with_named(world: World, *names: str | None) -> World:
    with_events(world)
    put(world, *named(*names), columns=COLUMNS)
    return world


def run(world: World, **changes: Any) -> RunReport:
    sql = world.sql(*COLUMNS, table="events")
    return sync(world, **{"event_name": None, "event_names": MAP, "sql": sql} | changes)


def names_of(world: World) -> dict[int, str]:
    return {row["dataFields"]["id"]: row["eventName"] for row in arrived(world)}


def notes(report: RunReport) -> list[str]:
    return [note for note in report.notes if note.startswith("ignored")]


def test_mapped_events_arrive_under_their_new_names(world: World) -> None:
    """Names are compared to the letter; what is not mapped passes."""
    with_named(world, "Viewed Product", "viewed product", "Added Product", "Seen")

    report = run(world)

    assert {1: "ProductView", 2: "viewed product", 3: "AddedToBasket", 4: "Seen"} == (
        names_of(world)
    )
    assert (4, 0, []) == (report.accepted, report.ignored, notes(report))


@pytest.mark.capability("C7")
def test_ignored_events_are_counted_and_named(world: World) -> None:
    """They are none of the rejected, and the sums of the run hold."""
    with_named(world, "Viewed Product", "Seen", "Seen", "Cart Updated", None)

    report = run(world, unmapped_events="ignore")
    again = run(world, unmapped_events="ignore")

    assert {1: "ProductView"} == names_of(world)
    assert (1, 3, 3, 1) == (report.accepted, report.ignored, report.skipped, report.rejected)
    assert {"missing_event_name": 1} == report.rejected_by_reason
    assert ["ignored 3 events of 2 names ('Seen', 'Cart Updated'), by their names"] == notes(report)
    assert (1, 3, 1, 0) == (again.unchanged, again.ignored, again.still_rejected, again.requests)


def test_ignored_events_leave_the_window_as_all_others_do(duckdb_world: World) -> None:
    """They hold nothing back, and are not looked at for ever."""
    world = with_named(duckdb_world, "Seen")
    put(world, *named("Seen", days=5), columns=COLUMNS)
    first = run(world, unmapped_events="ignore")
    put(
        world,
        *named("Seen", days=5),
        (2, "u1", ago(0), "Viewed Product"),
        columns=COLUMNS,
    )
    run(world, unmapped_events="ignore")

    last = run(world, unmapped_events="ignore")

    assert (1, 1) == (first.queried, first.ignored)
    assert (1, 1, 0) == (last.queried, last.unchanged, last.ignored)


def test_name_that_maps_to_none_is_left_out(duckdb_world: World) -> None:
    world = with_named(duckdb_world, "Viewed Product", "Order Completed", "Seen")

    report = run(world, event_names=MAP | {"Order Completed": None})

    assert {1: "ProductView", 3: "Seen"} == names_of(world)
    assert 1 == report.ignored


@pytest.mark.capability("C7")
def test_unmapped_events_are_an_error_before_anything_is_sent(world: World) -> None:
    """How many there are, and the names that come most often; no other value."""
    many = [f"n{number}" for number in range(7)]
    with_named(world, "Viewed Product", "Seen", "Seen", *many)

    with pytest.raises(ConfigError) as raised:
        run(world, unmapped_events="error")

    assert (
        "9 events of 8 names ('Seen', 'n0', 'n1', 'n2', 'n3' and 3 more) have names that "
        "event_names does not map; nothing was sent"
    ) in str(raised.value)
    assert ([], ["failed"]) == (arrived(world), world.runs())


def test_error_is_none_where_all_names_are_mapped(duckdb_world: World) -> None:
    """A row without a name is rejected as ever."""
    world = with_named(duckdb_world, "Viewed Product", "Order Completed", None, " ")

    report = run(world, unmapped_events="error", event_names=MAP | {"Order Completed": None})

    assert {1: "ProductView"} == names_of(world)
    assert (1, 2) == (report.ignored, report.rejected)


def test_event_that_was_sent_is_done_with_whatever_becomes_of_the_map(duckdb_world: World) -> None:
    world = with_named(duckdb_world, "Viewed Product", "Seen")
    run(world)

    ignored = run(world, unmapped_events="ignore")
    strict = run(world, unmapped_events="error")

    assert (0, 2) == (ignored.ignored, ignored.unchanged)
    assert (0, RunEnd.CLEAN) == (strict.requests, strict.end)


def test_event_that_is_mapped_later_is_sent_while_it_is_in_the_window(duckdb_world: World) -> None:
    world = with_named(duckdb_world, "Seen")
    run(world, unmapped_events="ignore")

    run(world, unmapped_events="ignore", event_names=MAP | {"Seen": "PageView"})

    assert {1: "PageView"} == names_of(world)


def test_name_of_all_events_is_mapped_as_well(duckdb_world: World) -> None:
    world = with_events(duckdb_world, (1, "u1", ago(0), 3))

    sync(world, event_name="Viewed Product", event_names=MAP)

    assert ["ProductView"] == [row["eventName"] for row in arrived(world)]


def test_names_with_quotes_are_names(duckdb_world: World) -> None:
    """They come into SQL as literals."""
    world = with_named(duckdb_world, "it's", 'a "b"', "x\\' OR 1=1 --")

    run(world, event_names={"it's": "its", "x\\' OR 1=1 --": None}, unmapped_events="ignore")

    assert {1: "its"} == names_of(world)


@pytest.mark.capability("C3", "C4", "C5", "C6")
def test_preset_of_the_shop_sends_its_four_events(duckdb_world: World) -> None:
    """End to end, with nothing else declared."""
    world = with_named(
        duckdb_world,
        "Viewed Product Category",
        "Viewed Product",
        "Added Product",
        "Order Completed",
        "Page Viewed",
    )
    made = spec(world).model_dump(exclude_unset=True) | {"event_name": None, "preset": "seg"}
    made["sql"] = world.sql(*COLUMNS, table="events")

    report = world.sync(type(spec(world))(**made))

    assert {1: "RangeView", 2: "ProductView", 3: "AddedToBasket", 4: "OrderPlaced"} == (
        names_of(world)
    )
    assert 1 == report.ignored


def test_long_name_is_cut_where_it_is_shown(duckdb_world: World) -> None:
    world = with_named(duckdb_world, "x" * 200)

    (note,) = notes(run(world, unmapped_events="ignore"))

    assert f"'{'x' * 60}'" in note
