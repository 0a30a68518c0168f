"""Booleans that arrive as text: from templates, connection extras and URIs."""

from __future__ import annotations

from iterable_sync.errors import ConfigError


def strict_bool(value: object, where: str) -> bool:
    """
    Read a boolean, and nothing that merely resembles one.

    ``bool("false")`` is True, and a template that renders to an empty text would decide silently.

    Args:
        value: a bool, or ``true`` or ``false`` in any case, blanks around it allowed.

        where: what the value is for, as the message names it.

    Raises:
        ConfigError: it is anything else.
    """
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and (word := value.strip().lower()) in ("true", "false"):
        return word == "true"
    shown = repr(value) if isinstance(value, str | int | float | None) else type(value).__name__
    raise ConfigError(f"{where} is {shown}; it has to be true or false")
