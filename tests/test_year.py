"""A year of a shop: all syncs, week after week, in random order, with faults and dying runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from iterable_sync.rows import ProjectType
from year.bugs import BUGS, planted
from year.weeks import Year

if TYPE_CHECKING:
    from harness import World


@pytest.mark.failure("O1")
def test_six_weeks_end_right(duckdb_world: World) -> None:
    """What Iterable holds after six weeks of the shop is what the warehouse says, and no more."""
    year = Year(duckdb_world, seed=1, size=15, resting=0.7)

    assert [] == year.live(6), "\n".join(year.said)


@pytest.mark.all
def test_a_year_ends_right(world: World) -> None:
    """What Iterable holds each quarter of a year is what the warehouse says, and no more."""
    year = Year(world, seed=1)

    assert [] == year.live(52), "\n".join(year.said)


@pytest.mark.all
@pytest.mark.parametrize("kind", [ProjectType.USER_ID, ProjectType.HYBRID])
def test_a_year_of_other_projects_ends_right(postgres_world: World, kind: ProjectType) -> None:
    """So it is where people are known by a userId, or by either identifier."""
    year = Year(postgres_world, 2, kind)

    assert [] == year.live(52), "\n".join(year.said)


@pytest.mark.all
@pytest.mark.parametrize("bug", BUGS)
def test_the_expectation_bites(postgres_world: World, bug: str) -> None:
    """A removal that is not sent, an effect that is lost, an old value: each is seen."""
    with planted(bug):
        wrong = Year(postgres_world, 1, size=30, compared_every=1).live(13)

    assert wrong
