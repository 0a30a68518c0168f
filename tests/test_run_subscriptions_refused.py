"""Subscriptions that Iterable does not take: who and what is found, and the others are told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from iterable_sync.errors import ConfigError
from subscription_world import (
    OPT_IN,
    OPT_OUT,
    endpoints,
    has,
    offers,
    partners,
    put,
    sync,
    with_said,
)

if TYPE_CHECKING:
    from harness import World


@pytest.fixture(params=["duckdb", "postgres"])
def world(request: pytest.FixtureRequest) -> World:
    made: World = request.getfixturevalue(f"{request.param}_world")
    return made


def test_a_project_that_is_not_enabled_is_an_error_that_says_so(world: World) -> None:
    """And names who can change it."""
    with_said(world, offers(1, False), people=1)
    world.change(subscriptions_enabled=False)

    with pytest.raises(ConfigError, match=r"HTTP 404 NotFound: .*support at Iterable to enable"):
        sync(world)

    world.change(subscriptions_enabled=True)
    assert 1 == sync(world).accepted


@pytest.mark.parametrize(
    ("reason", "filed"),
    [("invalid", "invalid_user_id"), ("conflict", "conflict"), ("forgotten", "forgotten")],
)
def test_somebody_who_is_refused_is_found_and_the_others_are_told(
    world: World, reason: str, filed: str
) -> None:
    """By requests to the same endpoint with fewer people; who is forgotten has left already."""
    numbers = range(1, 21)
    with_said(world, *(partners(n, True) for n in numbers), people=20)
    world.server.fail({"kind": "refuse_rows", "keys": ["u7"], "reason": reason})

    report = sync(world)

    assert (19, {filed: 1}) == (report.accepted, report.rejected_by_reason)
    assert {who for who, arrays in has(world).items() if not arrays} == {"u7"}
    assert {("PUT", f"/api/subscriptions/messageType/{OPT_IN}?action=subscribe")} == set(
        endpoints(world)
    )


@pytest.mark.parametrize("reason", ["notFound", "forgotten"])
def test_nobody_has_nothing_to_leave(world: World, reason: str) -> None:
    """Who is not known there, or is forgotten, gets no messages."""
    with_said(world, offers(1, False), offers(2, False), people=2)
    world.server.fail({"kind": "refuse_rows", "keys": ["u2"], "reason": reason})

    report = sync(world)

    assert (2, 0) == (report.accepted, report.rejected)


def test_group_that_is_not_there_costs_its_rows_alone(world: World) -> None:
    """And no request: what groups there are is read before."""
    with_said(
        world,
        ("u1", "emailList", 4711, False),
        ("u1", "messageType", 4711, True),
        ("u2", "messageChannel", 4711, False),
        offers(1, False),
        people=2,
    )

    report = sync(world)

    assert ({"unknown_group": 3}, 1, 1) == (
        report.rejected_by_reason,
        report.accepted,
        report.requests,
    )


def test_list_that_goes_in_the_midst_of_a_run_costs_its_rows_alone(world: World) -> None:
    with_said(world, people=2)
    number = world.server.app_state.lists.create("A", 1).id
    put(world, ("u1", "emailList", number, False), offers(1, False))

    def delete(_number: int, _rows: Any) -> None:
        with world.server.app_state.lock:
            if world.server.app_state.lists.get(number) is not None:
                world.server.app_state.lists.delete(number)

    report = sync(world, client=world.connect(before=delete), threads=1)

    assert ({"unknown_group": 1}, 1) == (report.rejected_by_reason, report.accepted)
    assert has(world)["u1"] == {"unsubscribedMessageTypeIds": [OPT_OUT]}
