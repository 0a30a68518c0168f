"""Which plans are too drastic to send unasked: each limit from both sides."""

from __future__ import annotations

import pytest

from iterable_sync.guards import tripped
from iterable_sync.rows import Op
from iterable_sync.spec import Guards

EVERYTHING = (Op.ADDED, Op.CHANGED, Op.IDENTITY_CHANGED, Op.REMOVED)
CHANGES = (Op.CHANGED, Op.IDENTITY_CHANGED)


def found(
    to_send: dict[Op, int],
    *,
    queried: int = 1_000,
    live: int = 1_000,
    known: int | None = None,
    first_sync: int | str | None = None,
    is_full_resync: bool = False,
    is_below_low_water: bool = False,
    asks_first: bool = False,
    **limits: float,
) -> list[tuple[str, tuple[Op, ...]]]:
    """Give the guards that trip and what they hold."""
    trips = tripped(
        to_send,
        queried=queried,
        live=live,
        known=live if known is None else known,
        guards=Guards(**limits),
        first_sync=first_sync,
        is_full_resync=is_full_resync,
        is_below_low_water=is_below_low_water,
        asks_first=asks_first,
    )
    return [(trip.guard, trip.ops) for trip in trips]


@pytest.mark.parametrize(
    ("queried", "limit", "holds"),
    [
        pytest.param(0, 1, True, id="an empty query"),
        pytest.param(1, 1, False, id="one row"),
        pytest.param(49, 50, True, id="one too few"),
        pytest.param(50, 50, False, id="as many as expected"),
        pytest.param(0, 0, False, id="an empty query that is allowed"),
    ],
)
def test_too_few_rows_hold_everything(queried: int, limit: int, *, holds: bool) -> None:
    trips = found({Op.REMOVED: 1}, queried=queried, min_rows=limit)

    assert ([("min_rows", EVERYTHING)] if holds else []) == trips


@pytest.mark.parametrize(
    ("removed", "live", "holds"),
    [
        pytest.param(49, 1_000, False, id="below the share"),
        pytest.param(50, 1_000, False, id="the share exactly"),
        pytest.param(51, 1_000, True, id="above the share"),
        pytest.param(9, 10, False, id="below the floor"),
        pytest.param(10, 10, False, id="the floor exactly"),
        pytest.param(11, 11, True, id="above the floor"),
    ],
)
def test_mass_removal_holds_the_removals(removed: int, live: int, *, holds: bool) -> None:
    trips = found(
        {Op.REMOVED: removed, Op.CHANGED: 1}, live=live, max_removed=0.05, removed_floor=10
    )

    assert ([("max_removed", (Op.REMOVED,))] if holds else []) == trips


@pytest.mark.parametrize(
    ("changed", "moved", "live", "holds"),
    [
        pytest.param(399, 0, 1_000, False, id="below the share"),
        pytest.param(400, 0, 1_000, False, id="the share exactly"),
        pytest.param(401, 0, 1_000, True, id="above the share"),
        pytest.param(300, 101, 1_000, True, id="changed identities count"),
        pytest.param(10, 0, 10, False, id="the floor exactly"),
        pytest.param(11, 0, 11, True, id="above the floor"),
    ],
)
def test_mass_change_holds_the_changes(changed: int, moved: int, live: int, *, holds: bool) -> None:
    trips = found(
        {Op.CHANGED: changed, Op.IDENTITY_CHANGED: moved, Op.ADDED: 500},
        live=live,
        max_changed=0.4,
        changed_floor=10,
    )

    assert ([("max_changed", CHANGES)] if holds else []) == trips


def test_removals_and_changes_are_held_apart() -> None:
    trips = found({Op.REMOVED: 900, Op.CHANGED: 900})

    assert [("max_removed", (Op.REMOVED,)), ("max_changed", CHANGES)] == trips


def test_an_asked_for_full_resync_is_no_mass_change() -> None:
    assert [] == found({Op.CHANGED: 1_000}, is_full_resync=True)


@pytest.mark.parametrize(
    ("rows", "first_sync", "holds"),
    [
        pytest.param(99, None, False, id="below the default"),
        pytest.param(100, None, False, id="the default exactly"),
        pytest.param(101, None, True, id="above the default"),
        pytest.param(499, 500, False, id="below what was said"),
        pytest.param(500, 500, False, id="what was said exactly"),
        pytest.param(501, 500, True, id="above what was said"),
        pytest.param(10**9, "all", False, id="any number"),
        pytest.param(1, 0, True, id="none"),
    ],
)
def test_an_oversized_first_run_is_held(
    rows: int, first_sync: int | str | None, *, holds: bool
) -> None:
    trips = found(
        {Op.ADDED: rows}, live=0, first_sync=first_sync, first_sync_rows=100, queried=rows
    )

    assert ([("first_sync", EVERYTHING)] if holds else []) == trips


@pytest.mark.parametrize(
    ("first_sync", "rows", "holds"),
    [
        pytest.param(None, 1, True, id="not told"),
        pytest.param(None, 0, False, id="nothing to send"),
        pytest.param("all", 10**6, False, id="all"),
        pytest.param(5, 5, False, id="as many as told"),
        pytest.param(5, 6, True, id="more than told"),
    ],
)
def test_history_is_asked_for(first_sync: int | str | None, rows: int, *, holds: bool) -> None:
    """Of rows that are all that ever happened a first run sends none unasked."""
    trips = found({Op.ADDED: rows}, live=0, known=0, first_sync=first_sync, asks_first=True)

    assert ([("first_sync", EVERYTHING)] if holds else []) == trips


@pytest.mark.parametrize(
    ("rows_per_s", "words"),
    [
        pytest.param(10.0, "100 seconds", id="seconds"),
        pytest.param(3.0, "5.6 minutes", id="minutes"),
        pytest.param(0.1, "2.8 hours", id="hours"),
    ],
)
def test_a_first_run_says_how_long_it_takes(rows_per_s: float, words: str) -> None:
    trip = tripped(
        {Op.ADDED: 1_000},
        queried=1_000,
        live=0,
        known=0,
        guards=Guards(first_sync_rows=10),
        first_sync=None,
        is_full_resync=False,
        rows_per_s=rows_per_s,
    )[0]

    assert (
        "a first run would send 1000 rows, 10 are allowed; say first_sync=1000 or "
        f"first_sync='all' to send them, which takes {words} at the rate of this sync"
    ) == trip.words


def test_a_run_after_everybody_left_is_no_first_run() -> None:
    assert [] == found({Op.ADDED: 10**6}, live=0, known=10, first_sync_rows=100)


def test_a_window_below_the_low_water_holds_everything() -> None:
    trips = found({Op.ADDED: 1}, is_below_low_water=True)

    assert [("below_retention", EVERYTHING)] == trips


def test_the_words_hold_counts_and_the_way_out() -> None:
    trip = tripped(
        {Op.REMOVED: 900},
        queried=100,
        live=1_000,
        known=1_000,
        guards=Guards(),
        first_sync=None,
        is_full_resync=False,
    )[0]

    assert (
        "900 of 1000 keys would be removed, more than 5%; if that is right, raise "
        "guards.max_removed for this run"
    ) == trip.words
