"""One part of a long table, by ``page`` in the address."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request

SIZE = 50


@dataclass(frozen=True, slots=True)
class Part:
    """
    One part.

    Args:
        rows: what is on it.

        first: number of its first row, counted from 1; 0 if there is none.

        previous, following: addresses of its neighbours.
    """

    rows: Sequence[Any]
    first: int
    total: int
    previous: str | None
    following: str | None

    @property
    def last(self) -> int:
        """Number of its last row."""
        return self.first + len(self.rows) - 1 if self.rows else 0


def cut(rows: Sequence[Any], request: Request) -> Part:
    """Return the part of *rows* that *request* asks for; the last one for a number above it."""
    text = request.query_params.get("page", "")
    pages = max(1, -(-len(rows) // SIZE))
    wanted = int(text) if text.isdecimal() and len(text) < 10 else 1
    number = min(max(1, wanted), pages)
    start = (number - 1) * SIZE
    return Part(
        rows=rows[start : start + SIZE],
        first=start + 1 if rows else 0,
        total=len(rows),
        previous=_address(request, number - 1) if number > 1 else None,
        following=_address(request, number + 1) if number < pages else None,
    )


def _address(request: Request, number: int) -> str:
    # Relative: of the request nothing but its query comes back.
    return f"?{request.url.include_query_params(page=number).query}"
