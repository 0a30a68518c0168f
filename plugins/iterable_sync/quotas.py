"""How many requests Iterable takes in a day, where it counts days and not seconds."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Quota:
    """So many requests within any *window_s* seconds, of a project."""

    requests: int
    window_s: int = DAY_S

    def in_words(self, requests: int) -> str:
        """Say how long so many requests take."""
        days = ceil(requests / self.requests)
        hours = self.window_s // 3_600
        return f"{days} days at {self.requests} in {hours} hours" if days > 1 else ""


FORGET = "forget"

# Source: Swagger ``users/forget`` and ``users/unforget``, documented: 1,000 within 24 hours, per
# project. Whether the two have one quota or one each is not said; one is assumed, the lower figure.
QUOTAS: Mapping[str, Quota] = {FORGET: Quota(1_000)}
