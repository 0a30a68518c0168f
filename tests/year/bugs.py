"""Bugs that are planted into the product, to see whether a year of the shop shows them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from iterable_sync.state import diff, fold

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def _ignored_removals(route: Callable[..., str]) -> Callable[..., str]:
    def planted(self: Any) -> str:
        sql = route(self)
        assert "= 'removed' THEN 'send'" in sql or "= 'removed' THEN 'ignore'" in sql
        return sql.replace("= 'removed' THEN 'send'", "= 'removed' THEN 'ignore'")

    return planted


def _nothing(_: Any) -> Callable[..., None]:
    return lambda *_given, **_more: None


def _old_value(effective: Callable[..., str]) -> Callable[..., str]:
    def planted(self: Any, column: Any) -> str:
        if column.is_key or column.name not in self._in_snapshot:
            return effective(self, column)
        return f"COALESCE(t.{self._q(column)}, {effective(self, column)})"

    return planted


BUGS: dict[str, tuple[Any, str, Callable[[Any], Any]]] = {
    "who left is not removed": (diff._Diff, "_route", _ignored_removals),
    "a purchase leaves no mark": (fold, "leave_marks", _nothing),
    "the value of before is sent": (diff._Diff, "_effective", _old_value),
}


@contextmanager
def planted(name: str) -> Iterator[None]:
    """Plant a bug within the block."""
    place, attribute, make = BUGS[name]
    with patch.object(place, attribute, make(getattr(place, attribute))):
        yield
