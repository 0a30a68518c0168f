"""The zone of times that have none of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from iterable_sync.errors import ConfigError

if TYPE_CHECKING:
    from iterable_sync.state.dialects.base import Cast


def known_zone(name: str | None) -> str | None:
    """
    Give the name of a zone, or None, as it was given.

    Raises:
        ConfigError: there is no such zone.
    """
    if name is not None:
        try:
            ZoneInfo(name)
        # PostgreSQL takes almost any text for a zone, and "UTC+3" for one three hours west.
        except (KeyError, ValueError, OSError):
            raise ConfigError(
                f"timezone={name!r} is no zone of the IANA database; write e.g. 'Europe/Berlin'"
            ) from None
    return name


def check_zone(cast: Cast, name: str, type_name: str, zone: str | None) -> None:
    """
    Check that a column with times says in which zone they are.

    Raises:
        ConfigError: neither the column nor *zone* does.
    """
    if cast.naive and zone is None:
        raise ConfigError(
            f"column {name!r} is a {type_name}, a time without a zone; say which zone it is in "
            "with timezone='UTC' (or another), or make it a time with time zone in the SQL"
        )
