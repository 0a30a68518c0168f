"""
Edge values of every type: SQL literals, and what a change of them is.

A pool gives, per type, literals with their meaning. Two values of one type are the same for
Iterable exactly if their meanings are equal; NULL (meaning None) belongs to every pool. This is
written down here by hand, so that it does not depend on any code under test.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Pool:
    """A column type and its (literal, meaning) pairs."""

    type: str
    values: tuple[tuple[str, str | None], ...]


def pool(of: str, *literals: str | tuple[str, str]) -> Pool:
    """Give a pool; a bare literal is its own meaning."""
    pairs = [(v, v) if isinstance(v, str) else v for v in literals]
    return Pool(of, (("NULL", None), *pairs))


def quoted(of: str, *texts: str | tuple[str, str]) -> Pool:
    """Give a pool of quoted literals."""
    pairs = [(t, t) if isinstance(t, str) else t for t in texts]
    return pool(of, *[("'" + t.replace("'", "''") + "'", meaning) for t, meaning in pairs])


TEXTS = (
    "",
    " ",
    "  ",
    "a",
    "A",
    "á",
    "a\u0301",
    "ﬃ",
    "0",
    "NULL",
    "null",
    "it's",
    '"quoted"',
    '""',
    "\\",
    "\\.",
    "a\n\\.\nb",
    "\\N",
    "a,b",
    "a\nb",
    "a\r\nb",
    "a\rb",
    "\n",
    "a\tb",
    "👩‍👩‍👧‍👦",
    "אב",
    "\ufeffx",
    "\u2028",
    "%s %(x)s ? $1 :x {0}",
    "x" * 5000,
    "\x01\x1f\x7f",
)
DATES = ("2024-02-29", "2024-03-01", "0001-01-01", "9999-12-31", "1969-12-31", "1582-10-10")
TIMES = (
    "2024-02-29 13:37:19",
    "2024-02-29 13:37:19.5",
    "2024-02-29 13:37:19.000001",
    "2024-02-29 13:37:19.999999",
    "2024-03-31 02:30:00",
    "2024-10-27 02:30:00",
    "1969-12-31 23:59:59.999999",
    "0001-01-01 00:00:00",
    "9999-12-31 23:59:59.999999",
)
FLOATS = (
    "1.5",
    "-1.5",
    "0.1",
    "1e-45",
    "3.4028234663852886e38",
    "16777216",
    ("0", "zero"),
    ("-0.0", "zero"),
    "NaN",
)
DOUBLES = (
    *FLOATS,
    "5e-324",
    "1.7976931348623157e308",
    "0.30000000000000004",
    "0.3",
    "9007199254740993e3",
)


def ints(bits: int) -> tuple[str, ...]:
    """Give the ends of a signed integer, and 0."""
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    return ("0", "1", "-1", str(low), str(low + 1), str(high), str(high - 1))
