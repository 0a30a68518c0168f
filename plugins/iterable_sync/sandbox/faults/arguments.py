"""The values that a rule may give: each parser takes plain JSON and says what it expected."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

REQUIRED = object()
_FRAMING = ("content-length", "transfer-encoding", "connection")


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a kind: its parser, its default, and what it is for in a few words."""

    parse: Callable[[Any], Any]
    default: Any
    about: str


def text(value: Any) -> str:
    """Expect a text."""
    if not isinstance(value, str):
        raise ValueError(f"expected a text, not {_name_of(value)}")  # noqa: TRY004 -- all wrong values are told alike
    return value


def boolean(value: Any) -> bool:
    """Expect true or false."""
    if not isinstance(value, bool):
        raise ValueError(f"expected true or false, not {_name_of(value)}")  # noqa: TRY004 -- as above
    return value


def number(value: Any) -> float:
    """Expect a number of at least 0."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        raise ValueError("expected a number of at least 0")
    return float(value)


def positive(value: Any) -> float:
    """Expect a number above 0."""
    if not (found := number(value)) > 0:
        raise ValueError("expected a number above 0")
    return found


def fraction(value: Any) -> float:
    """Expect a number from 0 to 1."""
    if not (found := number(value)) <= 1:
        raise ValueError("expected a number from 0 to 1")
    return found


def whole(least: int, most: int | None = None) -> Callable[[Any], int]:
    """Expect a whole number within bounds."""
    bounds = f"of at least {least}" if most is None else f"from {least} to {most}"

    def parse(value: Any) -> int:
        if type(value) is not int or value < least or (most is not None and value > most):
            raise ValueError(f"expected a whole number {bounds}")
        return value

    return parse


def one_of(*choices: Any) -> Callable[[Any], Any]:
    """Expect one of some values."""

    def parse(value: Any) -> Any:
        if isinstance(value, bool) or value not in choices:
            raise ValueError(f"expected one of {', '.join(map(str, choices))}")
        return value

    return parse


def anything(value: Any) -> Any:
    """Take every value."""
    return value


def retry_after(value: Any) -> str | int | None:
    """Expect the header's text, a number of seconds, or null for no header."""
    if isinstance(value, str):
        return header_text(value)
    if value is None or type(value) is int:
        return value
    raise ValueError("expected a text, a whole number or null")


def optional(parse: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Take null as well."""
    return lambda value: None if value is None else parse(value)


def header_text(value: Any) -> str:
    """Expect a text that can stand in a header."""
    line = text(value)
    if any(mark in line for mark in "\r\n\0") or not line.isascii():
        raise ValueError("a header has ASCII characters only, and no line breaks")
    return line


def headers(value: Any) -> dict[str, str]:
    """Expect an object of texts that can stand in a header."""
    if not isinstance(value, dict):
        raise ValueError("expected an object of texts")  # noqa: TRY004 -- as above
    if any(name.lower() in _FRAMING for name in value):
        raise ValueError("for a wrong length use the kind short_length or truncate")
    if not all(re.fullmatch(r"[\w-]+", name, re.ASCII) for name in value):
        raise ValueError("the name of a header has letters, digits, - and _ only")
    return {name: header_text(line) for name, line in value.items()}


def texts(value: Any) -> list[str]:
    """Expect an array of texts."""
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError("expected an array of texts")
    return value


def _name_of(value: Any) -> str:
    names = {type(None): "null", bool: "a boolean", dict: "an object", list: "an array"}
    return names.get(type(value), "a number" if isinstance(value, int | float) else "a text")
