"""Request bodies: from bytes to members of the right JSON type."""

from __future__ import annotations

from typing import Any

import orjson

from .answers import Refused, bad_json

# What is said of a member of the wrong JSON type.
# Source: the wording for boolean, number and object is from public fixtures and an issue of 2024;
# the one for text and arrays, and for a member that is missing, follows from them (assumed).
TEXT = "String value expected"
BOOLEAN = "Boolean value expected"
OBJECT = "error.expected.jsobject"
ARRAY = "error.expected.jsarray"
MISSING = "error.path.missing"

Shape = tuple[tuple[str, type, str], ...]

USER: Shape = (
    ("email", str, TEXT),
    ("userId", str, TEXT),
    ("dataFields", dict, OBJECT),
    ("mergeNestedObjects", bool, BOOLEAN),
    ("preferUserId", bool, BOOLEAN),
)


def parse_object(body: bytes, endpoint: str, shape: Shape) -> dict[str, Any]:
    """
    Read a body that is an object whose members have the types of *shape*.

    Members that are absent or ``null`` are fine; unknown ones are ignored.

    Raises:
        Refused: it is no JSON, no object, or a member has another type.
    """
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Refused(bad_json(endpoint, {"obj": "error.invalid.json"})) from None
    if not isinstance(parsed, dict):
        raise Refused(bad_json(endpoint, {"obj": OBJECT}))
    problems = _problems(parsed, shape, "obj")
    if problems:
        raise Refused(bad_json(endpoint, problems))
    return parsed


def items_of(parsed: dict[str, Any], name: str, endpoint: str, shape: Shape) -> list[Any]:
    """
    Return the array *name* of a body, each item an object of *shape*.

    Raises:
        Refused: one item with a member of the wrong JSON type refuses the whole request. Recorded
            2022 for trackBulk; from a public fixture for bulkUpdate.
    """
    items = parsed.get(name)
    if items.__class__ is not list:
        text = MISSING if name not in parsed else ARRAY
        raise Refused(bad_json(endpoint, {f"obj.{name}": text}))
    problems: dict[str, str] = {}
    for index, item in enumerate(items):
        path = f"obj.{name}[{index}]"
        if item.__class__ is not dict:
            problems[path] = OBJECT
        else:
            problems |= _problems(item, shape, path)
    if problems:
        raise Refused(bad_json(endpoint, problems))
    return items


def _problems(value: dict[str, Any], shape: Shape, path: str) -> dict[str, str]:
    problems = {}
    for name, kind, text in shape:
        member = value.get(name)
        if member is not None and member.__class__ is not kind:
            problems[f"{path}.{name}"] = text
    return problems
