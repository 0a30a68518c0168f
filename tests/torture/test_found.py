"""What the simulation found, as small as it gets; a test goes from here once it is mended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iterable_sync.rows import NullPolicy
from iterable_sync.spec import FieldSpec

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
