from __future__ import annotations

import re
from inspect import signature
from pathlib import Path

import pytest

from iterable_sync.sandbox.command import sandbox
from iterable_sync.sandbox.settings import MAX_BODY_BYTES, ProjectType, Settings


def test_defaults_are_those_of_a_hybrid_project_in_the_us():
    settings = Settings()

    assert (settings.project_type, settings.region) == ("hybrid", "us")
    assert len(settings.api_key) == len(settings.read_only_key) == 32
    assert settings.max_body_bytes == MAX_BODY_BYTES == 4_000_000


def test_changes_are_read_from_plain_values():
    changed = Settings().changed({"project_type": "userId", "limits": {"users/update": 1}})

    assert changed.project_type is ProjectType.USER_ID
    assert changed.limits == {"users/update": 1.0}
    assert Settings().project_type is ProjectType.HYBRID


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        pytest.param({"projecttype": "email"}, "unknown setting 'projecttype'", id="name"),
        pytest.param({"project_type": "mail"}, "'mail' is not a valid", id="choice"),
        pytest.param({"discard": 1}, "expected bool", id="number for boolean"),
        pytest.param({"limits": {"users/update": 0}}, "more than 0", id="no rate at all"),
        pytest.param({"too_large_status": 500}, "400 or 413", id="status"),
        pytest.param({"max_body_bytes": 0}, "at least 1", id="size"),
        pytest.param({"visibility_delay_s": -1}, "at least 0", id="time before now"),
        pytest.param({"visibility_delay_s": "5"}, "expected seconds", id="text for seconds"),
        pytest.param({"echoed_emails": "upper"}, "'upper' is not a valid", id="echo"),
        pytest.param({"max_user_fields": 0}, "at least 1", id="no fields at all"),
        pytest.param({"project_type": "email", "region": "eu"}, "no email-based", id="EU by email"),
    ],
)
def test_wrong_settings_are_refused_with_the_way_out(changes, text):
    with pytest.raises(ValueError, match=text):
        Settings().changed(changes)


def test_the_document_has_every_setting_and_every_option():
    text = (Path(__file__).parents[2] / "docs/sandbox.md").read_text(encoding="utf-8")
    settings = text[text.index("\n## Settings") : text.index("\n## Faults")]
    described = set(re.findall(r"^\| `(\w+)` \|", settings, re.MULTILINE))
    options = set(re.findall(r"^\| `--([a-z-]+)` \|", text, re.MULTILINE))

    assert described == Settings().as_json().keys()
    assert options == {name.replace("_", "-") for name in signature(sandbox).parameters}
