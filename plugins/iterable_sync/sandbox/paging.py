"""Pages of a long answer, asked for by ``page`` and ``pageSize``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote, urlencode

from .answers import Refused, envelope

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .endpoints import Call

_MAX_INT32 = 2**31 - 1

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Page:
    """One page; *number* counts from 1."""

    number: int
    size: int

    def cut(self, rows: Sequence[Row]) -> Sequence[Row]:
        """Return the rows that stand on this page."""
        return rows[(self.number - 1) * self.size : self.number * self.size]

    def neighbours(self, call: Call, total: int) -> dict[str, str]:
        """
        Return the addresses of the pages before and after, where there are any.

        Source:
            The names of the members: Swagger, documented. A path without a host: the tests of
            Iterable's own client; that it repeats the other parameters is assumed.
        """
        addresses = {}
        if self.number * self.size < total:
            addresses["nextPageUrl"] = self._address(call, self.number + 1)
        if 1 < self.number <= (total - 1) // self.size + 2:
            addresses["previousPageUrl"] = self._address(call, self.number - 1)
        return addresses

    def _address(self, call: Call, number: int) -> str:
        others = [pair for pair in call.pairs if pair[0] not in ("page", "pageSize")]
        query = [*others, ("page", number), ("pageSize", self.size)]
        return f"{quote(call.path)}?{urlencode(query)}"


def page_of(call: Call, *, default_size: int, max_size: int) -> Page:
    """
    Read which page is wanted.

    Raises:
        Refused: a number that is none, or out of range. The text is assumed.
    """
    return Page(
        _number(call, "page", 1, _MAX_INT32), _number(call, "pageSize", default_size, max_size)
    )


def _number(call: Call, name: str, default: int, most: int) -> int:
    text = call.query.get(name)
    if text is None:
        return default
    # Ten digits at most: int() is slow for very long ones.
    number = int(text) if len(text) <= 10 and text.isascii() and text.isdecimal() else 0
    if not 1 <= number <= most:
        raise Refused(envelope(400, "BadParams", f"{name} must be a number from 1 to {most}"))
    return number
