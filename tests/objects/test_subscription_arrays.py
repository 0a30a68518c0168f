"""Whole arrays of subscriptions: what is written over, what is left, and who has to allow it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from iterable_sync.errors import ConfigError
from iterable_sync.outcomes import Attribution, Reading, attribute
from iterable_sync.rows import Payload
from subscription_world import ARRAYS, OPT_IN, OPT_OUT, has, put, sync, with_said

if TYPE_CHECKING:
    from harness import World

OVERWRITE = {"object": "subscription_arrays", "allow_overwrite": True}


@pytest.fixture(params=["duckdb", "postgres"])
def world(request: pytest.FixtureRequest) -> World:
    made: World = request.getfixturevalue(f"{request.param}_world")
    return made


def says(
    number: int, *, channels: str | None = None, left: str | None = None, joined: str | None = None
) -> tuple[Any, ...]:
    """Give the row of somebody, without lists."""
    return (f"u{number}", None, channels, left, joined)


def test_arrays_of_the_model_are_written_over_and_others_stay(world: World) -> None:
    """NULL is an array that is left out, an empty one takes all of it away."""
    with_said(world, people=2)
    everything = says(1, channels="[2,3]", left=f"[102,{OPT_OUT}]", joined=f"[{OPT_IN}]")
    put(world, everything, says(2, left=f"[{OPT_OUT}]"), columns=ARRAYS)
    sync(world, **OVERWRITE)
    put(world, says(1, left="[104]", joined="[]"), says(2, left=f"[{OPT_OUT}]"), columns=ARRAYS)

    report = sync(world, **OVERWRITE)

    assert (1, 1) == (report.changed, report.unchanged)
    assert world.client is not None
    assert [
        {
            "updateSubscriptionsRequests": [
                {
                    "userId": "u1",
                    "unsubscribedMessageTypeIds": [104],
                    "subscribedMessageTypeIds": [],
                }
            ]
        }
    ] == world.client.bodies
    assert has(world) == {
        "u1": {"unsubscribedChannelIds": [2, 3], "unsubscribedMessageTypeIds": [104]},
        "u2": {"unsubscribedMessageTypeIds": [OPT_OUT]},
    }


def test_who_has_no_array_is_left_alone(world: World) -> None:
    with_said(world, people=1)
    put(world, says(1), columns=ARRAYS)

    report = sync(world, **OVERWRITE)

    assert (1, 0) == (report.accepted, report.requests)


def test_it_has_to_be_allowed_and_it_is_said_what_would_be_lost(duckdb_world: World) -> None:
    """Before anything is staged or sent."""
    world = with_said(duckdb_world)
    put(world, says(1, left="[101]"), columns=ARRAYS)

    with pytest.raises(
        ConfigError, match=r"what is not in the model is lost.*allow_overwrite=True"
    ):
        sync(world, object="subscription_arrays")

    assert world.client is not None
    assert [] == world.client.endpoints


def test_model_without_an_array_is_an_error(duckdb_world: World) -> None:
    world = with_said(duckdb_world)
    put(world, ("u1",), columns={"user_id": "text"})

    with pytest.raises(ConfigError, match="need one of the columns email_list_ids, unsubscribed"):
        sync(world, **OVERWRITE)


@pytest.mark.parametrize(
    "text", ["7", "{}", "[1.5]", '["1"]', "[true]", "[0]", "[-1]", "[null]", "[[1]]", "[1", ""]
)
def test_what_is_no_list_of_ids_rejects_the_row(duckdb_world: World, text: str) -> None:
    """All of it: half of what somebody said is not what they said."""
    world = with_said(duckdb_world, people=2)
    columns = ARRAYS | {"unsubscribed_message_type_ids": "text"}
    put(world, says(1, channels="[1]", left=text), says(2, channels="[1]"), columns=columns)

    report = sync(world, **OVERWRITE)

    assert ({"invalid_ids": 1}, 1) == (report.rejected_by_reason, report.accepted)
    assert has(world)["u1"] == {}


def test_arrays_of_the_warehouse_need_no_cast(world: World) -> None:
    """Columns of its own array type are lists as well."""
    with_said(world, people=1)
    kind = "bigint[]"
    put(world, columns={"user_id": "text", "unsubscribed_message_type_ids": kind})
    world.execute(f"INSERT INTO {world.prefix}said VALUES ('u1', ARRAY[102, 101])")

    sync(world, **OVERWRITE)

    assert has(world)["u1"] == {"unsubscribedMessageTypeIds": [101, 102]}


def test_who_is_not_in_the_model_any_more_keeps_what_they_have(world: World) -> None:
    """There is no array to write."""
    with_said(world, people=2)
    put(world, says(1, left="[101]"), says(2, left="[101]"), columns=ARRAYS)
    sync(world, **OVERWRITE)
    put(world, says(1, left="[101]"), columns=ARRAYS)

    report = sync(world, **OVERWRITE)

    assert (1, 0) == (report.removed_ignored, report.requests)
    assert has(world)["u2"] == {"unsubscribedMessageTypeIds": [101]}
    with pytest.raises(ConfigError, match="on_remove='unsubscribe' is not for"):
        sync(world, **OVERWRITE, on_remove="unsubscribe")


@pytest.mark.parametrize(
    ("array", "name", "reason"),
    [
        ("invalidEmails", "U1@example.com", "invalid_email"),
        ("invalidUserIds", "u1", "invalid_user_id"),
        ("validEmailFailures", "u1@example.com", "internal_error"),
        ("validUserIdFailures", "u1", "internal_error"),
    ],
)
def test_each_array_of_the_answer_has_its_reason(array: str, name: str, reason: str) -> None:
    """An error of their own is tried again within a day, a malformed address when it changes."""
    rows = [
        Payload(n, f"userId:u{n}", frozenset({f"u{n}", f"u{n}@example.com"}), b"{}", ())
        for n in (1, 2)
    ]
    known = ("invalidEmails", "invalidUserIds", "validEmailFailures", "validUserIdFailures")
    answer = dict.fromkeys(known, ()) | {"successCount": 1, "failCount": 1, array: [name]}
    answer = {key: list(v) if isinstance(v, tuple) else v for key, v in answer.items()}

    assert attribute(rows, answer) == Attribution(Reading.EXACT, {1: reason})


def test_id_that_is_not_there_costs_its_row_and_is_tried_again(world: World) -> None:
    with_said(world, people=2)
    put(world, says(1, left="[4711]"), says(2, left="[101]"), columns=ARRAYS)

    report = sync(world, **OVERWRITE)

    assert ({"internal_error": 1}, 1) == (report.rejected_by_reason, report.accepted)
    assert has(world)["u2"] == {"unsubscribedMessageTypeIds": [101]}


def test_two_rows_of_one_person_are_rejected(duckdb_world: World) -> None:
    """Of two whole arrays nobody knows which one counts."""
    world = with_said(duckdb_world, people=1)
    columns = {"key": "bigint"} | ARRAYS
    rows = ((n, *says(1, left=f"[{left}]")) for n, left in ((1, 101), (2, 102)))
    put(world, *rows, columns=columns)

    report = sync(world, **OVERWRITE, key=("key",))

    assert {"duplicate_identity": 2} == report.rejected_by_reason
