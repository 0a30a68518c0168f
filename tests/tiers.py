"""Which cases of a long series run in ``make test``: every nth; ``make test-all`` runs them all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable


def one_in(n: int, cases: Iterable[Any]) -> list[Any]:
    """Give all cases for ``parametrize``; of each *n* in a row, the first is for `make test`."""
    return [
        pytest.param(case, marks=() if number % n == 0 else pytest.mark.all)
        for number, case in enumerate(cases)
    ]
