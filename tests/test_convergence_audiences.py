"""
After one clean run Iterable has of each membership what the warehouse says, whatever happened.

Random days of audiences that people enter, leave and come back to, while answers are lost, requests
are refused for now and runs die. What has to be there is worked out in plain Python, from the
warehouse's rows alone: of fields, true or false; of events, that the last one of a membership is
the right one, and that no episode begins or ends twice.

``CONVERGENCE_SEEDS=5000 CONVERGENCE_FIRST=0`` runs more of them; a seed is the test's id.
"""

from __future__ import annotations

import json
import random
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from audience_world import events, fields, put, spec, with_members
from crashes import Crash, CrashingState, crash_at
from fakes import Clock
from iterable_sync.errors import PermissionRefused
from iterable_sync.naming import snake_case
from iterable_sync.rows import RunEnd
from test_convergence import FAULTS, SEEDS

if TYPE_CHECKING:
    from harness import World

START = datetime(2026, 3, 1, tzinfo=UTC)
PEOPLE = [f"u{n}" for n in range(5)]
AUDIENCES = ["VIP", "New Ones", "Gone"]
STYLES = {"audiences": "/api/users/bulkUpdate", "audience_events": "/api/events/trackBulk"}


@dataclass
class Club:
    """The warehouse of one seed."""

    rng: random.Random
    inside: set[tuple[str, str]] = field(default_factory=set)
    ever: set[tuple[str, str]] = field(default_factory=set)
    refused: set[tuple[str, str]] = field(default_factory=set)

    def next_day(self) -> None:
        """Let some enter and some leave; most of them flap."""
        for who in PEOPLE:
            for audience in AUDIENCES:
                if self.rng.random() < 0.5:
                    self.inside ^= {(who, audience)}
        self.ever |= self.inside


@SEEDS
def test_fields_converge(postgres_world: World, seed: int) -> None:
    world, club = live(postgres_world, seed, "audiences")
    held = fields(world)

    for who, audience in club.ever - club.refused:
        said = held.get(who, {}).get(snake_case(audience))
        # Who left before an entry of theirs was ever taken may have no such field.
        expected = {True} if (who, audience) in club.inside else {False, None}
        assert said in expected, f"seed {seed}: {who} in {audience} is {said}"
    assert {who for who, _ in club.inside - club.refused} <= set(held)


@SEEDS
def test_events_converge(postgres_world: World, seed: int) -> None:
    world, club = live(postgres_world, seed, "audience_events")
    found: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for who, audience, direction, at in events(world):
        found[who, audience].append((at, direction))

    assert set(found) <= club.ever
    for member in set(found) - club.refused:
        told = found[member]
        told.sort()
        last = "Entered" if member in club.inside else "Exited"
        assert last == told[-1][1], f"seed {seed}: {member} has {told}"
        # An entry or an exit is one event, however often it was sent; none is at two times.
        assert len(told) == len(set(told)), f"seed {seed}: {member} has {told}"
    assert club.inside - club.refused <= set(found), f"seed {seed}"


def live(world: World, seed: int, style: str) -> tuple[World, Club]:
    """Live some days with faults and then one without; the last run finds nothing to do."""
    rng = random.Random(seed)  # noqa: S311 - test data
    with_members(world)
    club, clock, day = Club(rng), Clock(), 0
    for _ in range(rng.randint(3, 7)):
        club.next_day()
        put(world, *sorted(club.inside))
        run(world, style, START + timedelta(days=day), rng, clock, faulty=rng.random() < 0.8)
        day += 1
    world.write(
        "UPDATE {rejections} SET next_try_at = now() - INTERVAL '1 second', value_hash = ''"
    )
    ends = [
        run(world, style, START + timedelta(days=day + more), rng, clock, faulty=False)
        for more in (0, 1)
    ]

    assert RunEnd.CLEAN is ends[0].end, f"seed {seed}"
    assert (RunEnd.CLEAN, 0) == (ends[1].end, ends[1].requests), f"seed {seed}"
    # What the clean run folded for one that died waits for its time.
    found = world.rows("SELECT key FROM {rejections} WHERE field = ''")
    club.refused = {tuple(json.loads(key)) for (key,) in found}
    assert club.refused or {} == world.dirty("audiences"), f"seed {seed}"
    return world, club


def run(
    world: World, style: str, at: datetime, rng: random.Random, clock: Clock, *, faulty: bool
) -> Any:
    """Run once; a faulty run may end in any way that is not the product's own error."""
    hooks, state = {}, None
    world.answer_next()
    if faulty:
        world.answer_next(*rng.choices(FAULTS, k=rng.randint(1, 5)), path=STYLES[style])
        if (dice := rng.random()) < 0.4:
            hooks[rng.choice(["before", "after"])] = crash_at(rng.randint(1, 4))
        elif dice < 0.6:
            state = CrashingState(world.state, rng.randint(1, 60))
    declared = spec(
        world,
        object=style,
        as_of=at,
        batch_rows=rng.choice([1, 2, 3, 1000]),
        threads=rng.choice([1, 2, 3]),
        lease_s=1e6,
        guards={"min_rows": 0},
    )
    try:
        return world.sync(
            declared,
            client=world.connect(**hooks),
            state=state,  # type: ignore[arg-type]
            options={"clock": clock, "sleep": clock.sleep},
        )
    except (Crash, PermissionRefused):
        assert faulty
        # It may have died before there was a table.
        with suppress(Exception):
            world.expire_leases()
        return None


@pytest.mark.parametrize("style", STYLES)
def test_members_in_doubt_who_leave_and_return_are_members(world: World, style: str) -> None:
    """The shortest of these worlds, step by step: each answer but the last is lost."""
    with_members(world)
    clock = Clock()
    for day, inside in enumerate([True, False, True, False, True]):
        put(world, *[("a", "VIP")] * inside, ("b", "VIP"))
        if day < 4:
            world.answer_next(*[{"status": 500, "apply": True}] * 6, path=STYLES[style])
        else:
            world.answer_next()
        world.sync(
            spec(world, object=style, as_of=START + timedelta(days=day)),
            options={"clock": clock, "sleep": clock.sleep},
        )

    if style == "audiences":
        assert fields(world)["a"]["vip"] is True
        return
    told = sorted((at[:10], told) for who, _, told, at in events(world) if who == "a")
    assert [
        ("2026-03-01", "Entered"),
        ("2026-03-02", "Exited"),
        ("2026-03-03", "Entered"),
        ("2026-03-04", "Exited"),
        ("2026-03-05", "Entered"),
    ] == told
