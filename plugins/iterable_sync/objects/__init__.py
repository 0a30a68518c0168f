"""Sync objects, one file each; a file in this folder is known by its name, without a registry."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, cast

from iterable_sync.errors import ConfigError

if TYPE_CHECKING:
    from iterable_sync.sync_object import SyncObject


def names() -> list[str]:
    """List the sync objects."""
    return sorted(found.name for found in iter_modules(__path__) if found.name[0] != "_")


@cache
def get(name: str) -> SyncObject:
    """
    Find a sync object by the name of its file; the file calls it ``OBJECT``.

    Raises:
        ConfigError: there is none of this name.
    """
    if name not in names():
        raise ConfigError(f"unknown sync object {name!r}; known: {', '.join(names())}")
    return cast("SyncObject", import_module(f"{__name__}.{name}").OBJECT)
