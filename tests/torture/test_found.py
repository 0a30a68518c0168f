"""What the simulation found, as small as it gets; a test goes from here once it is mended."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fakes import Clock
from iterable_sync.rows import NullPolicy, ProjectType, RunEnd
from iterable_sync.spec import FieldSpec
from torture.iterable_dict import IterableDict
from torture.simulation import live

if TYPE_CHECKING:
    from harness import World


def test_a_key_that_takes_its_person_back_sends_what_another_key_overwrote(
    duckdb_world: World,
) -> None:
    world = duckdb_world
    world.put(("u1", "ana@example.com", "Bern", 1))
    world.sync()
    world.put(("u1", "new@example.com", "Bern", 1), ("u2", "ana@example.com", "Rome", 1))
    world.sync()

    world.put(("u1", "ana@example.com", "Bern", 1))
    world.sync()

    assert "Bern" == world.users()["ana@example.com"]["city"]


def test_a_rejection_goes_when_the_row_is_again_what_iterable_has_but_for_a_kept_null(
    duckdb_world: World,
) -> None:
    world = duckdb_world
    fields = {"points": FieldSpec(null=NullPolicy.KEEP)}
    world.put(("u1", "ana@example.com", "Bern", 1))
    world.sync(fields=fields)
    world.put(("u1", "ana@example.com", "Rome", None))
    world.answer_next({"status": 400, "body": {"code": "BadParams"}})
    world.sync(fields=fields)
    assert {("u1", "", "refused")} == world.rejections()

    world.put(("u1", "ana@example.com", "Bern", None))
    world.sync(fields=fields)

    assert set() == world.rejections()


def test_a_new_person_in_doubt_who_has_nothing_to_say_any_more_is_made(
    duckdb_world: World,
) -> None:
    world, clock = duckdb_world.with_project(ProjectType.USER_ID), Clock()
    world.put(("u1", "ana@example.com", "Bern", 1))
    world.answer_next(*[{"status": 500, "body": {}}] * 6)
    patience = {"clock": clock, "sleep": clock.sleep}
    assert RunEnd.PENDING == world.sync(options=patience).end

    world.put(("u1", None, None, None))
    world.sync()

    assert {"u1"} == world.users().keys()


@pytest.mark.parametrize(
    "seed",
    [
        pytest.param(1314, id="a refused removal of a person who waits under another key"),
        pytest.param(1580, id="a late row of a person who has another key by now"),
        pytest.param(1826, id="a bad e-mail is all that a row has to say"),
        pytest.param(1933, id="a late request arrives twice"),
        pytest.param(20615, id="a refused row says what a kept null said"),
        pytest.param(20206, id="a new person in doubt has nothing to say any more"),
        pytest.param(
            100154, id="a person who is sent under a second key while the first is refused"
        ),
        pytest.param(104061, id="a refused value that goes back while another one changes"),
    ],
)
def test_a_world_that_ended_wrong_ends_right(seed: int) -> None:
    """Five defects of the product, and three of what was expected of it."""
    assert [] == live(seed).broken


def test_a_row_goes_back_once_by_the_same_bytes_and_again_after_it_was_set_right() -> None:
    server = IterableDict(by_email=True)
    row = {"email": "ana@example.com", "dataFields": {"city": "Bern"}}
    document = {"users": [row], "createNewFields": True}

    went_back = []
    for generation in (2, 1, 1, 2, 1):
        server.take("/api/users/bulkUpdate", document, generation)
        went_back.append(server.regressed)

    assert [0, 1, 1, 1, 2] == went_back
