"""Rows that cannot be delivered among rows that can: each costs itself, and no digit changes."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

from harness import BULK
from iterable_sync.spec import Thresholds

if TYPE_CHECKING:
    from harness import World

BAD_ADDRESSES = (None, "", "  ", "nobody", "two@at@example.com", "a b@example.com", "@", "x@")
ODD_WORDS = (
    "{{ conn.iterable.password }}",
    "'); DROP TABLE users; --",
    '"\\u0000"',
    "<script>alert(1)</script>",
    "=1+1",
    "\u202e\u200d\ufeff",
    "\U0001f469\u200d\U0001f680",
    "line\r\nline\ttab",
    "%s ? $1 :name",
    "00501",
    "9007199254740993",
    "1e5",
    "NaN",
    "x" * 20_000,
)
REFUSED = "Iterable refuses this"
ODD_NUMBERS = (2**53 + 1, -(2**53) - 1, 2**63 - 1, -(2**63), 9_007_199_254_740_993, 0, -1)


def hostile(rng: random.Random, rows: int) -> list[tuple[Any, ...]]:
    """Give odd rows; of ten one has no address, and Iterable refuses another one."""
    return [
        (
            f"9007199254740{n:06d}",
            rng.choice(BAD_ADDRESSES) if n % 10 == 3 else f"u{n}@example.com",
            REFUSED if n % 10 == 7 else rng.choice(ODD_WORDS),
            rng.choice(ODD_NUMBERS),
        )
        for n in range(rows)
    ]


@pytest.mark.failure("D2", "D5")
@pytest.mark.parametrize("batch_rows", [7, 1000])
def test_a_row_that_cannot_be_delivered_stops_no_other_and_no_digit_changes(
    world: World, batch_rows: int
) -> None:
    rows = hostile(random.Random(batch_rows), 200)  # noqa: S311 - test data
    bad = {row[0] for row in rows if row[2] == REFUSED or not (row[1] or "").startswith("u")}
    world.put(*rows)
    refused = {"field": "dataFields.city", "equals": REFUSED, "reason": "invalidData"}
    world.server.app_state.fail([{"kind": "refuse_rows", "endpoint": BULK, **refused}])

    report = world.sync(batch_rows=batch_rows, thresholds=Thresholds(max_rejected=1))

    assert {} == report.differences()
    assert 40 == len(bad)
    assert bad == {key for key, _, _ in world.rejections()}
    expected = {row[1]: row for row in rows if row[0] not in bad}
    users = world.users()
    found = {
        email: (user["userId"], email, user["city"], user["points"])
        for email, user in users.items()
    }
    assert expected == found
