"""Times that Iterable cannot have, in the midst of those that it can."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from iterable_sync.rows import RunEnd
from iterable_sync.spec import Thresholds

if TYPE_CHECKING:
    from harness import World

COLUMNS = {"user_id": "text", "email": "text", "seen": "timestamptz", "born": "date"}
GOOD = "2024-11-25 13:37:19+00:00"
BAD: dict[str, str | dict[str, str]] = {
    "infinite": "infinity",
    "infinite_before": "-infinity",
    "before_christ": {
        "duckdb": "0044-03-15 (BC) 00:00:00+00:00",
        "postgres": "0044-03-15 00:00:00+00:00 BC",
    },
    "far": "20000-01-01 00:00:00+00:00",
}


@pytest.mark.failure("D6")
def test_times_that_cannot_be_sent_cost_their_fields_and_no_row(world: World) -> None:
    """Each for itself: the others arrive, and the run is clean."""
    bad = {name: t if isinstance(t, str) else t[world.engine] for name, t in BAD.items()}
    rows = [(f"u{n}", f"u{n}@example.com", GOOD, "1969-12-31") for n in range(20)]
    rows += [(name, f"{name}@example.com", text, "9999-12-31") for name, text in bad.items()]
    world.put(*rows, columns=COLUMNS)

    report = world.sync(thresholds=Thresholds(max_rejected=1))

    assert (RunEnd.CLEAN, len(rows)) == (report.end, report.accepted)
    assert {(name, "seen", "invalid_datetime") for name in bad} == world.rejections()
    users = world.users()
    assert {row[1]: row[3] for row in rows} == {e: user["born"][:10] for e, user in users.items()}
    assert {f"u{n}@example.com" for n in range(20)} == {e for e, u in users.items() if "seen" in u}
