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
NUMBER = "Number value expected"
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


def items_of(
    parsed: dict[str, Any], name: str, endpoint: str, shape: Shape, demanded: Shape = ()
) -> list[Any]:
    """
    Return the array *name* of a body, each item an object of *shape* with all of *demanded*.

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
            if demanded:
                problems |= _missing(item, demanded, path)
    if problems:
        raise Refused(bad_json(endpoint, problems))
    return items


def demand(parsed: dict[str, Any], endpoint: str, shape: Shape) -> None:
    """
    Check that the members of *shape* are there; their types were checked before.

    Raises:
        Refused: one is missing, or ``null``. Recorded 2017, with a list per path.
    """
    problems = _missing(parsed, shape, "obj")
    if problems:
        raise Refused(bad_json(endpoint, problems))


def object_of(parsed: dict[str, Any], name: str, endpoint: str, shape: Shape) -> dict[str, Any]:
    """
    Return the object *name* of a body, which has been demanded there, its members of *shape*.

    Raises:
        Refused: a member has another type.
    """
    value: dict[str, Any] = parsed[name]
    problems = _problems(value, shape, f"obj.{name}")
    if problems:
        raise Refused(bad_json(endpoint, problems))
    return value


def values_of(
    parsed: dict[str, Any], name: str, endpoint: str, kind: type, text: str
) -> list[Any] | None:
    """
    Return the array *name* of a body, each value of one JSON type, or nothing without one.

    Raises:
        Refused: it is no array, or a value has another type.
    """
    problems = array_problems(parsed, name, kind, text, "obj")
    if problems:
        raise Refused(bad_json(endpoint, problems))
    values: list[Any] | None = parsed.get(name)
    return values


def array_problems(
    value: dict[str, Any], name: str, kind: type, text: str, path: str
) -> dict[str, str]:
    """Return what is wrong with the array *name*, by path; absent or ``null`` is fine."""
    values = value.get(name)
    if values is None:
        return {}
    if values.__class__ is not list:
        return {f"{path}.{name}": ARRAY}
    return {
        f"{path}.{name}[{index}]": text
        for index, each in enumerate(values)
        if each.__class__ is not kind
    }


def _problems(value: dict[str, Any], shape: Shape, path: str) -> dict[str, str]:
    problems = {}
    for name, kind, text in shape:
        member = value.get(name)
        if member is None or member.__class__ is kind:
            continue
        if kind is float and member.__class__ is int:  # JSON has one kind of number only.
            continue
        problems[f"{path}.{name}"] = text
    return problems


def _missing(value: dict[str, Any], shape: Shape, path: str) -> dict[str, str]:
    return {
        f"{path}.{name}": text if name in value else MISSING
        for name, _, text in shape
        if value.get(name) is None
    }
