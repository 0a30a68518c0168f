"""What may be declared of a sync, and what of which object."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from iterable_sync import objects
from iterable_sync.errors import ConfigError
from iterable_sync.spec import SyncSpec
from iterable_sync.sync_object import completed


def spec(name: str = "events", **changes: Any) -> SyncSpec:
    return SyncSpec(sync="s", object=name, sql="SELECT 1", key="id", **changes)


@pytest.mark.parametrize(
    ("given", "expected"),
    [(timedelta(hours=1), 3_600.0), (90, 90.0), (1.5, 1.5), ("90", 90.0)],
    ids=["timedelta", "whole", "fraction", "rendered by Jinja"],
)
def test_spans_are_given_in_seconds_or_as_a_timedelta(given: Any, expected: float) -> None:
    made = spec(look_back_s=given, max_wait_s=given, retention_s=given)

    assert (expected,) * 3 == (made.look_back_s, made.max_wait_s, made.retention_s)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"look_back_s": -1}, id="negative"),
        pytest.param({"max_wait_s": timedelta(seconds=-1)}, id="negative timedelta"),
        pytest.param({"retention_s": float("inf")}, id="endless"),
        pytest.param({"since": datetime(2024, 1, 1)}, id="moment without a zone"),  # noqa: DTZ001
        pytest.param({"event_name": ""}, id="no name"),
        pytest.param({"event_name": " "}, id="blank name"),
        pytest.param({"event_name": "a\0"}, id="name with NUL"),
        pytest.param({"event_name": "x" * 256}, id="endless name"),
        pytest.param({"retention_s": 60, "max_wait_s": 0}, id="forgotten while looked back at"),
        pytest.param({"retention_s": 60, "look_back_s": 0}, id="forgotten while it waits"),
    ],
)
def test_value_that_cannot_be_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        spec(**changes)


@pytest.mark.parametrize(
    ("name", "changes", "words"),
    [
        pytest.param("users", {"event_name": "Seen"}, "event_name: not for users", id="name"),
        pytest.param("users", {"created_at": "at"}, "created_at: not for users", id="time"),
        pytest.param(
            "users",
            {"look_back_s": 1, "since": datetime(2024, 1, 1, tzinfo=UTC)},
            "look_back_s, since: not for users",
            id="several",
        ),
        pytest.param("users", {"max_wait_s": 1}, "max_wait_s", id="wait"),
        pytest.param("users", {"retention_s": 10**8}, "retention_s", id="retention"),
        pytest.param("events", {"newest_by": "at"}, "newest_by: not for events", id="newest"),
        pytest.param("events", {"on_identity_change": "full_row"}, "on_identity_change", id="move"),
        pytest.param("events", {"merge_nested_objects": False}, "merge_nested", id="merge"),
        pytest.param("events", {"on_remove": "clear"}, "it knows ignore", id="remove"),
        pytest.param("events", {"null": "skip"}, "null='skip' is not for events", id="skip"),
        pytest.param("events", {"fields": {"a": {"null": "skip"}}}, "null='skip'", id="one skips"),
    ],
)
def test_setting_of_another_object_is_refused(
    name: str, changes: dict[str, Any], words: str
) -> None:
    """It would be without effect, and whoever gave it expects one."""
    with pytest.raises(ConfigError, match=words):
        completed(spec(name, **changes), objects.get(name))


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("users", {}),
        ("users", {"on_remove": "clear", "newest_by": "at", "null": "skip"}),
        ("events", {}),
        ("events", {"event_name": "Größe gewählt", "as_of": datetime(2024, 1, 1, tzinfo=UTC)}),
    ],
)
def test_setting_of_the_object_is_taken(name: str, changes: dict[str, Any]) -> None:
    completed(spec(name, **changes), objects.get(name))
