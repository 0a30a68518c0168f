"""Which fields of a sync had other names before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Renamed:
    """
    Fields that got another name, and that rows were sent under the old one.

    Args:
        was: column -> the names that its field had, dotted; nothing maps these now.

        of_changed: columns of which rows that Iterable knows may have them; of the others it is
            those alone that left the model and come back.
    """

    was: Mapping[str, tuple[str, ...]]
    of_changed: frozenset[str]


NOT_RENAMED = Renamed({}, frozenset())
