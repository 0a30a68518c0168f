"""What happened in simulated worlds, as numbers and as words."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass
class Figures:
    """
    What happened in some worlds, and what went wrong.

    Args:
        regressed: rows that a woken holder put back to an older state, until the next run.

        resent: rows that a killed run had on its way or not yet recorded, when sent again.

        resent_later: rows that a killed run had opened, sent once more although Iterable has them:
            its second look, 15 minutes later.
    """

    worlds: int = 0
    runs: int = 0
    crashes: int = 0
    faults: int = 0
    zombies: int = 0
    lost: int = 0
    wrong: int = 0
    duplicate_ids: int = 0
    regressed: int = 0
    resent: int = 0
    resent_later: int = 0
    most_resent_by_a_crash: int = 0
    broken: list[str] = field(default_factory=list)

    def __iadd__(self, other: Figures) -> Figures:
        for name, value in vars(other).items():
            merged = max if name == "most_resent_by_a_crash" else lambda a, b: a + b
            setattr(self, name, merged(getattr(self, name), value))
        return self

    def summary(self) -> dict[str, Any]:
        """Give the figures for a JSON line."""
        told = asdict(self)
        told["broken"] = len(self.broken)
        told["resent_per_crash"] = round(self.resent / max(self.crashes, 1), 2)
        return told
