"""What a shape of sync objects says about a world, and what state said, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from torture.iterable_dict import IterableDict


@dataclass(frozen=True)
class Found:
    """
    What state says after a run.

    Args:
        rejections: (key, column or '', reason).

        held: keys of held changes.

        snapshot: key -> acknowledged values, of live rows.

        in_doubt: key -> columns in doubt; ``*`` is all of them.
    """

    rejections: set[tuple[str, str, str]]
    held: set[str]
    snapshot: dict[str, dict[str, Any]]
    in_doubt: dict[str, set[str]]

    @property
    def excused(self) -> set[str]:
        """The keys that Iterable need not have: rejected or held."""
        return {key for key, name, _ in self.rejections if not name} | self.held


class Shape(Protocol):
    """
    The warehouse of a world, and the expectation, in plain Python.

    Nothing of the product is imported by a shape: what has to be in Iterable, in the rejections and
    in the snapshot is worked out from the warehouse's rows and from what was told to refuse them.
    """

    object: str
    key: str
    columns: Mapping[str, str]
    generation: int
    gone: set[str]
    """Keys that left the warehouse and cannot be settled any more."""

    def options(self) -> dict[str, Any]:
        """Give what the sync declares beside its name, its SQL and its pace."""

    def everybody(self) -> list[str]:
        """Give people whom Iterable may come to refuse."""

    def next_day(self, now: datetime) -> None:
        """Change the warehouse."""

    def table(self) -> list[tuple[Any, ...]]:
        """Give the rows of the warehouse's table."""

    def miscounted(self, counts: dict[str, int], found: Found) -> list[str]:
        """Give the counts of a run that are not what the warehouse and the state's tables say."""

    def lost(self, server: IterableDict, found: Found) -> list[str]:
        """Give what Iterable should have and has not."""

    def wrong(self, server: IterableDict, found: Found) -> list[str]:
        """Give what Iterable has otherwise than it should."""

    def filed_wrong(self, server: IterableDict, found: Found) -> list[str]:
        """Give rejections that nobody asked for, or with another reason, and those that lack."""

    def snapshot_ahead(self, server: IterableDict, found: Found) -> list[str]:
        """Give what is acknowledged, not in doubt, and not what Iterable applied last."""
