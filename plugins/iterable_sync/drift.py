"""What a look at Iterable found: how much of what it took it does not show. No value, no key."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import sqrt

# Of the normal distribution: 95 % lie within.
_Z = 1.959964


@dataclass(frozen=True, slots=True)
class Share:
    """
    A share that a random sample found.

    Args:
        count: how many of the sample.

        of: the size of the sample.
    """

    count: int
    of: int

    @property
    def share(self) -> float:
        """The share of the sample; 0 of nothing."""
        return self.count / self.of if self.of else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """
        Where the share of all rows lies in 95 of 100 samples: Wilson's interval.

        It is right for a few hits among many, also for none, where the usual one is empty.
        """
        if not self.of:
            return 0.0, 1.0
        spread = _Z**2 / self.of
        middle = (self.share + spread / 2) / (1 + spread)
        half = sqrt(self.share * (1 - self.share) * spread + (spread / 2) ** 2) / (1 + spread)
        return max(0.0, middle - half), min(1.0, middle + half)

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.count} of {self.of}, {self.share:.2%} ({low:.2%} to {high:.2%})"


@dataclass(slots=True)
class ReconcileReport:
    """
    What a look at Iterable found.

    Args:
        live: rows that Iterable should show.

        sampled: rows that were drawn of them.

        missing: rows of people whom Iterable does not know.

        drifted: rows of which a field shows another value than the one that Iterable took.

        not_comparable: rows that would not be sent as they are now, e.g. since Iterable gave a
            field another type.

        changed_since: rows that differ, and that a run sent or doubted meanwhile: not counted.

        marked: rows that the next run sends again.

        fields: field -> rows in which it differs.

        last_clean_s: seconds since the last run of the sync ended clean; None where the history has
            none.

        lists: lists whose sizes were read; *missing* and *drifted* are then the people whom they
            lack, and those whom they have beyond those of the sync.
    """

    sync: str
    live: int = 0
    sampled: int = 0
    missing: int = 0
    drifted: int = 0
    not_comparable: int = 0
    changed_since: int = 0
    marked: int = 0
    last_clean_s: int | None = None
    lists: int = 0
    requests: int = 0
    seconds: float = 0.0
    fields: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def compared(self) -> int:
        """Rows whose values were compared."""
        return self.sampled - self.not_comparable - self.changed_since

    @property
    def drift(self) -> Share:
        """The share of rows that Iterable does not show as it took them."""
        return Share(self.missing + self.drifted, self.compared)

    def of_field(self, name: str) -> Share:
        """Give the share of rows in which a field differs, of the people whom Iterable knows."""
        return Share(self.fields.get(name, 0), self.compared - self.missing)

    def counts(self) -> dict[str, int]:
        """Give all counts and nothing else: what may go to XCom, events and metrics."""
        low, high = self.drift.interval
        return {
            **{
                name: value
                for name in self.__slots__
                if isinstance(value := getattr(self, name), int)
            },
            "compared": self.compared,
            "estimated_rows": round(self.drift.share * self.live),
            "estimated_rows_low": round(low * self.live),
            "estimated_rows_high": round(high * self.live),
        }

    def lines(self) -> list[str]:
        """Give what a person reads."""
        counts = self.counts()
        found = [
            f"sync {self.sync!r}: {self.drift} differ: {self.missing} missing, {self.drifted} with "
            f"another value; of all {self.live} rows about {counts['estimated_rows']} "
            f"({counts['estimated_rows_low']} to {counts['estimated_rows_high']})",
            f"{self.marked} rows are sent again by the next run; {self.not_comparable} not "
            f"comparable, {self.changed_since} changed meanwhile; {self.requests} requests in "
            f"{self.seconds:.0f} s",
        ]
        if self.last_clean_s is None:
            found.append("no run of the sync that is remembered ended clean")
        else:
            found.append(f"the last clean run ended {self.last_clean_s / 3600:.1f} hours ago")
        of_fields = sorted(self.fields, key=lambda name: (-self.fields[name], name))
        found += [f"field {name}: {self.of_field(name)}" for name in of_fields]
        return found + self.notes
