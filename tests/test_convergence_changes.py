"""
After clean runs everybody has the address that the warehouse says, whatever happened before.

Random days of people who change their addresses, pass them on to each other and take them back,
with lost answers and crashes. Where they are is kept in an address book, move by move; the sync of
users, which follows, may make nobody anew.

``CONVERGENCE_SEEDS=500 CONVERGENCE_FIRST=0`` runs more of them; a seed is the test's id.
"""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING, Any

import pytest

from change_world import CHANGES, mail, put_users, sync_changes
from crashes import Crash, crash_at
from event_world import ago
from harness import USERS
from iterable_sync.errors import PermissionRefused
from iterable_sync.rows import RunEnd
from tiers import one_in

if TYPE_CHECKING:
    from harness import World

FIRST = int(os.environ.get("CONVERGENCE_FIRST", "0"))
COUNT = int(os.environ.get("CONVERGENCE_SEEDS", "40"))
FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "answer", "status": 429},
    {"kind": "error", "status": 500, "apply": True},
    {"kind": "error", "status": 503, "apply": False},
    {"kind": "reset", "at": "answer"},
    {"kind": "reset", "at": "handled"},
    {"kind": "bad_json", "apply": True},
    {"kind": "answer", "status": 401},
)


class Town:
    """People, and every move that they made; an address has one of them at a time."""

    def __init__(self, rng: random.Random, *, is_named: bool) -> None:
        self.rng = rng
        self.is_named = is_named
        self.at = {f"u{n}": f"a{n}" for n in range(rng.randint(2, 6))}
        self.rows: list[tuple[Any, ...]] = []
        self.whose: dict[str, str] = {}

    def next_day(self) -> None:
        """Let some people move, one after the other; a few at the same moment."""
        for _ in range(self.rng.randint(0, 4)):
            free = sorted({f"a{n}" for n in range(9)} - set(self.at.values()))
            who = self.rng.choice(sorted(self.at))
            followers = self.rng.sample(sorted(self.at.keys() - {who}), self.rng.choice([0, 0, 1]))
            moment = ago(days=1, seconds=-60 * len(self.rows))
            left = self.at[who]
            self._move(who, self.rng.choice(free), moment)
            for follower in followers:
                self._move(follower, left, moment)

    def _move(self, who: str, to: str, moment: str) -> None:
        key = f"c{len(self.rows):04d}"
        name = who if self.is_named else None
        self.rows.append((key, mail(self.at[who]), mail(to), moment, name))
        self.whose[key] = who
        self.at[who] = to


@pytest.mark.parametrize("seed", one_in(8, range(FIRST, FIRST + COUNT)))
@pytest.mark.parametrize("engine", ["duckdb", pytest.param("postgres", marks=pytest.mark.all)])
def test_everybody_has_the_address_of_the_book(
    request: pytest.FixtureRequest, engine: str, seed: int
) -> None:
    world: World = request.getfixturevalue(f"{engine}_world")
    rng = random.Random(seed)  # noqa: S311 - test data
    town = Town(rng, is_named=rng.random() < 0.7)
    how: dict[str, Any] = {}
    if rng.random() < 0.4:
        how = {"derive_from": "users", "sql": world.sql(*USERS), "key": "user_id"}
    put_users(world, **town.at)
    follow(world, town)

    for _ in range(rng.randint(2, 5)):
        town.next_day()
        put_town(world, town)
        change(world, rng, how, dies=town.is_named or bool(how))
        if rng.random() < 0.7:
            follow(world, town)
    put_town(world, town)
    for _ in range(2):
        # Who waits for a day has waited.
        world.write("UPDATE {rejections} SET next_try_at = now() WHERE next_try_at IS NOT NULL")
        world.server.app_state.fail([])
        report = sync_changes(world, **how)
        assert RunEnd.PENDING is not report.end
        follow(world, town)

    stuck = {key for key, _, _ in world.rejections()}
    excused = {town.whose[key] for key in stuck & town.whose.keys()}
    if stuck - town.whose.keys():
        # What was worked out has no key that says whose it is.
        excused = {key for _, key, _ in world.held()}
    has = {fields["userId"]: key for key, fields in world.users().items()}
    assert len(town.at) == len(world.users()), f"seed {seed}"
    assert {who: mail(at) for who, at in town.at.items() if who not in excused} == {
        who: at for who, at in has.items() if who not in excused
    }, f"seed {seed}"
    cities = {fields["userId"]: fields["city"] for fields in world.users().values()}
    assert {who: f"City of {who}" for who in town.at} == cities, f"seed {seed}"
    assert 0 == sync_changes(world, **how).requests


def put_town(world: World, town: Town) -> None:
    """Let the warehouse say where everybody is, and how they came there."""
    world.put(*town.rows, columns=CHANGES, table="changes")
    put_users(world, **town.at)


def follow(world: World, town: Town) -> None:
    """Run the sync of users, which may have to hold some of them."""
    report = world.sync(sql=world.sql(*USERS))

    assert report.end in {RunEnd.CLEAN, RunEnd.HELD}
    assert len(town.at) == len(world.users())


def change(world: World, rng: random.Random, how: dict[str, Any], *, dies: bool) -> None:
    """
    Run the sync of changes, which may end in any way that is not the product's own error.

    Args:
        dies: it may end in the midst. Where no row says whose it is, people who pass on addresses
            cannot be told apart afterwards: a limit that ``docs/objects.md`` names.
    """
    faults = rng.choices(FAULTS if dies else FAULTS[:-1], k=rng.randint(0, 3))
    endpoints = ["/api/users/updateEmail", "/api/users/updateEmail", "/api/users/getByEmail"]
    world.server.app_state.fail(
        [
            fault | {"endpoint": rng.choice(endpoints), "nth": rng.randint(1, 4), "times": 1}
            for fault in faults
        ]
    )
    hooks = {}
    if dies and rng.random() < 0.4:
        hooks[rng.choice(["before", "after"])] = crash_at(rng.randint(1, 3))
    try:
        sync_changes(
            world, client=world.connect(**hooks), threads=rng.choice([1, 3]), lease_s=1e6, **how
        )
    except (Crash, PermissionRefused):
        world.expire_leases()
    world.server.app_state.fail([])
