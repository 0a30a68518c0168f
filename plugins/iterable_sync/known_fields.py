"""The fields that a project lists, and those that a run asked it to create."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from iterable_sync.errors import ConfigError
from iterable_sync.payloads import as_block
from iterable_sync.retrying import read_patiently

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from iterable_sync.client import IterableClient
    from iterable_sync.rows import Batch, BatchResult


class KnownFields:
    """
    What of the fields of a run Iterable need not create.

    Attributes:
        types: name of a field that the project lists -> type.
    """

    def __init__(self, client: IterableClient, sleep: Callable[[float], None]) -> None:
        self._client = client
        self._sleep = sleep
        self._listed: set[str] = set()
        self.types: dict[str, str] = {}

    def read(self) -> None:
        """
        Take what Iterable lists; an object is known by any of its parts.

        Raises:
            IterableSyncError: it does not say.
        """
        # Spreads waits; nothing secret hangs on it.
        rng = random.Random()  # noqa: S311
        self.types = read_patiently(self._client.known_fields, rng=rng, sleep=self._sleep)
        self._listed |= self.types.keys()
        for name in self.types:
            while "." in name:
                name = name.rpartition(".")[0]  # noqa: PLW2901 - walks up
                self._listed.add(name)

    def check(self, wanted: Iterable[str]) -> None:
        """
        Refuse fields that Iterable would have to create.

        Raises:
            ConfigError: there are some.
        """
        if unknown := sorted(set(wanted) - self._listed):
            raise ConfigError(
                f"{len(unknown)} fields are not known to the Iterable project: "
                f"{', '.join(unknown)}; create them there, or say new_fields='create'"
            )

    def unknown(self, batch: Batch) -> frozenset[str]:
        """Give the fields of a batch that Iterable would have to create."""
        return as_block(batch.payloads).fields.beyond(self._listed)

    def was_asked(self, result: BatchResult) -> None:
        """
        Note that Iterable was asked for the new fields of a batch.

        What it did not create is not asked for again in this run; but a row that was refused has
        not asked.
        """
        refused = {r.seq for r in result.rejections if r.field is None}
        refused.update(result.in_doubt, result.not_applied)
        batch = result.batch
        asked = {f for p in batch.payloads if p.seq not in refused for f in p.fields}
        self._listed |= batch.new_fields & asked
