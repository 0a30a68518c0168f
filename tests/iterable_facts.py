"""
What is known of the real Iterable, from the folder beside the checkout: recordings and Swagger.

Neither may be copied into the project, so tests that need them are skipped where they are absent,
and only for this reason does ``no_skips`` let a test be skipped.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ABSENT = "../shared/iterable is not beside this checkout"

FOLDER = Path(__file__).parent.parent.parent / "shared" / "iterable"
_RECORDINGS = FOLDER / "recorded_exchanges.jsonl"
_SWAGGER = FOLDER / "swagger.json"

HERE = _RECORDINGS.is_file() and _SWAGGER.is_file()
needs_facts = pytest.mark.skipif(not HERE, reason=ABSENT)


@cache
def recordings() -> tuple[dict[str, Any], ...]:
    """Return the recorded exchanges, or none where they are absent."""
    if not HERE:
        return ()
    return tuple(map(json.loads, _RECORDINGS.read_text("utf-8").splitlines()))


@cache
def swagger() -> dict[str, Any]:
    """Return Iterable's own Swagger 2.0 document, or one without paths where it is absent."""
    if not HERE:
        return {"paths": {}, "definitions": {}}
    document: dict[str, Any] = json.loads(_SWAGGER.read_text("utf-8"))
    return document
