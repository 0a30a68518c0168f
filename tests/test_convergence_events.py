"""
After one clean run Iterable has each event once, whatever happened before.

Random days of a shop whose events come in late, at the same second, many of one person at once, and
some that Iterable does not take at first. What has to be there is worked out in plain Python, from
the warehouse's rows alone.

``CONVERGENCE_SEEDS=5000 CONVERGENCE_FIRST=0`` runs more of them; a seed is the test's id.
"""

from __future__ import annotations

import random
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from crashes import Crash, CrashingState, crash_at
from event_world import arrived, put, spec, with_events
from fakes import Clock
from iterable_sync.errors import PermissionRefused
from iterable_sync.rows import RunEnd
from test_convergence import FAULTS, SEEDS

if TYPE_CHECKING:
    from harness import World

BULK = "/api/events/trackBulk"
DAYS = 6
LOOK_BACK_S = 86_400.0
COLUMNS = {
    "id": "bigint",
    "user_id": "text",
    "created_at": "timestamptz",
    "event_name": "text",
    "total": "bigint",
}
SYNCS = ("shop", "shop too")
_INVALID = "x" * 99


@dataclass
class Shop:
    """The warehouse of one seed, and what plain Python says about it."""

    rng: random.Random
    rows: dict[int, tuple[Any, ...]] = field(default_factory=dict)
    first: dict[int, int] = field(default_factory=dict)
    newest: datetime = field(
        default_factory=lambda: datetime.now(UTC).replace(microsecond=0) - timedelta(days=DAYS + 3)
    )

    def next_day(self) -> None:
        """Let events happen, some of which come in up to a day late; change a value behind."""
        for _ in range(self.rng.randint(0, 6)):
            who, many = f"u{self.rng.randint(0, 3)}", self.rng.choice([1, 1, 2, 9])
            late_s = self.rng.choice([0, 0, 0, 3_600, LOOK_BACK_S])
            at = self.newest - timedelta(seconds=late_s) if late_s else self.later()
            for _ in range(many):
                self.add(who, at)
        if self.rows and self.rng.random() < 0.3:
            number = self.rng.choice(list(self.rows))
            self.rows[number] = (*self.rows[number][:4], -1)

    def later(self) -> datetime:
        self.newest += timedelta(seconds=self.rng.choice([0, 1, 3_600, 40_000]))
        return self.newest

    def add(self, who: str, at: datetime) -> None:
        number = len(self.rows) + 1
        dice = self.rng.random()
        name = "Secret" if dice < 0.1 else "Bought"
        who = _INVALID if 0.1 < dice < 0.13 else who
        moment = None if 0.13 < dice < 0.16 else at.isoformat(sep=" ")
        self.first[number] = self.rng.randint(1, 9)
        self.rows[number] = (number, who, moment, name, self.first[number])

    def problems(self, events: list[dict[str, Any]], copies: int, excused: set[int]) -> list[str]:
        """
        Give what Iterable has and should not, or should and has not.

        Args:
            copies: of each event, one for each sync.

            excused: numbers that may be missing.
        """
        found = []
        counted = Counter(each["dataFields"]["id"] for each in events)
        for number, (_, who, moment, _, total) in self.rows.items():
            good = who != _INVALID and moment is not None
            if counted[number] > (copies if good else 0):
                found.append(f"{number} is there {counted[number]} times")
            elif good and counted[number] < copies and number not in excused:
                found.append(f"{number} is missing")
            for each in (each for each in events if each["dataFields"]["id"] == number):
                at = datetime.fromisoformat(str(moment)).astimezone(UTC).replace(tzinfo=None)
                if each["dataFields"]["total"] not in (self.first[number], total):
                    found.append(f"{number} has a total that it never had")
                if (each["userId"], each["createdAt"]) != (who, f"{at} +00:00"):
                    found.append(f"{number} is of {each['userId']} at {each['createdAt']}")
        return found + [f"{number} never was" for number in counted if number not in self.rows]


@SEEDS
def test_one_clean_run_is_enough_for_events(postgres_world: World, seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311 - test data
    world = with_events(postgres_world)
    shop = Shop(rng)
    clock = Clock()
    syncs = SYNCS[: rng.choice([1, 1, 2])]

    for _ in range(rng.randint(2, DAYS)):
        shop.next_day()
        put(world, *shop.rows.values(), columns=COLUMNS)
        world.change(disallowed_event_names=["Secret"] if rng.random() < 0.7 else [])
        for sync in syncs:
            run(world, sync, rng, clock, faulty=rng.random() < 0.7)
    world.change(disallowed_event_names=[])
    world.write(
        "UPDATE {rejections} SET next_try_at = now() - INTERVAL '1 second' "
        "WHERE next_try_at IS NOT NULL"
    )
    ends = [run(world, sync, rng, clock, faulty=False).end for sync in syncs]

    assert {RunEnd.CLEAN} >= set(ends)
    # What was refused for good while faults went on, e.g. as too large, stays refused; and what
    # the clean run folded for one that died waits for its time.
    found = world.rows(
        "SELECT key FROM {rejections} WHERE field = '' "
        "AND (next_try_at IS NULL OR next_try_at > now())"
    )
    refused = {int(row[0]) for row in found}
    assert [] == shop.problems(arrived(world), len(syncs), refused), f"seed {seed}"
    for sync in syncs:
        assert set() == {int(key) for key in world.dirty(sync)} - refused, f"seed {seed}"
        assert 0 == run(world, sync, rng, clock, faulty=False).requests, f"seed {seed}"


def run(world: World, sync: str, rng: random.Random, clock: Clock, *, faulty: bool) -> Any:
    """Run once; a faulty run may end in any way that is not the product's own error."""
    hooks, state = {}, None
    world.answer_next()
    if faulty:
        world.answer_next(*rng.choices(FAULTS, k=rng.randint(0, 5)), path=BULK)
        if (dice := rng.random()) < 0.3:
            hooks[rng.choice(["before", "after"])] = crash_at(rng.randint(1, 5))
        elif dice < 0.5:
            state = CrashingState(world.state, rng.randint(1, 60))
    declared = spec(
        world,
        sync=sync,
        event_name=None,
        look_back_s=LOOK_BACK_S,
        batch_rows=rng.choice([1, 2, 3, 1000]),
        threads=rng.choice([1, 2, 3]),
        lease_s=1e6,
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
