"""What holds between sync objects: who waits for whom, and to whom a field belongs."""

from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING, Any

import pytest

from iterable_sync import objects
from iterable_sync.errors import ConfigError
from iterable_sync.rows import ProjectType, RunEnd
from object_rows import columns_of, put, rows, said, spec, sync, that_say

if TYPE_CHECKING:
    from harness import World

LANES = {
    objects.get(name).lane: {n for n in that_say() if objects.get(n).lane == objects.get(name).lane}
    for name in that_say()
}
PROFILES = ("users", "traits", "audiences")


def own_field(name: str) -> dict[str, Any]:
    """Let what an object writes into profiles be no other's."""
    named = {"city": {"name": f"city_of_{name}"}}
    return {"fields": named} if "city" in columns_of(objects.get(name)) else {}


@pytest.mark.parametrize("lane", LANES)
def test_only_those_of_a_lane_wait_for_each_other(postgres_world: World, lane: str) -> None:
    """While one is at a request, each other one of its lane waits, and those of other lanes run."""
    world = postgres_world.with_project(ProjectType.USER_ID)
    world.change(subscriptions_enabled=True)
    first, *_ = sorted(LANES[lane])
    # Rows of requests about people have a module of their own, :mod:`request_world`.
    others = sorted(set(that_say()) - {first})
    for name in (first, *others):
        put(world, objects.get(name), *rows(objects.get(name), [1]))
    ends: dict[str, RunEnd] = {}

    def let_others_run(number: int, _rows: Any) -> None:
        if number == 1:
            for name in others:
                client = world.connect()
                done = sync(world, objects.get(name), client=client, **own_field(name))
                ends[name] = done.end

    done = sync(
        world, objects.get(first), client=world.connect(before=let_others_run), **own_field(first)
    )

    assert RunEnd.CLEAN is done.end
    assert LANES[lane] - {first} == {n for n, end in ends.items() if end is RunEnd.PENDING}
    assert set(others) - LANES[lane] == {n for n, end in ends.items() if end is RunEnd.CLEAN}


def test_those_that_write_the_same_share_a_lane() -> None:
    """Profiles and lists, events, and purchases, which empty carts."""
    assert {"users", "traits", "audiences", "lists"} <= LANES["profiles"]
    assert {"events", "audience_events"} <= LANES["events"]
    assert {"orders", "carts"} <= LANES["commerce"]
    assert {"catalog"} <= LANES["catalogs"]


def brings(name: str, world: World) -> dict[str, Any]:
    """Let an object write the field ``vip``: as the name of an audience, or of a column."""
    if name == "audiences":
        return {}
    columns = columns_of(objects.get(name))
    del columns["city"]
    return {"sql": f"SELECT {', '.join(columns)}, city AS vip FROM {world.prefix}rows_of_{name}"}


@pytest.mark.capability("A4")
@pytest.mark.parametrize(("owner", "other"), [*permutations(PROFILES, 2)])
def test_a_field_of_one_is_an_error_in_another(world: World, owner: str, other: str) -> None:
    """Whoever came first has it; the other one is told who that is, and sends nothing."""
    world.with_project(ProjectType.USER_ID)
    for name in (owner, other):
        put(world, objects.get(name), *rows(objects.get(name), [1]))
    sync(world, objects.get(owner), **brings(owner, world))
    before = said(world)

    with pytest.raises(ConfigError, match=rf"vip.*'{owner}'"):
        sync(world, objects.get(other), **brings(other, world))

    assert before == said(world)
    assert owner == spec(world, objects.get(owner)).sync
