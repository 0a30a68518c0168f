"""
Names of fields with a period, inside of JSON: catalogs of Iterable take none.

Source: https://support.iterable.com/hc/en-us/articles/360033215072, documented.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from iterable_sync.values.columns import Reason, refuse

if TYPE_CHECKING:
    from iterable_sync.values import Rendered

# A key, or a text that looks like one; which it is shows when it is parsed.
_MAYBE = r'"(?:[^"\\]|\\.)*(?:\.|\\u002[eE])(?:[^"\\]|\\.)*"\s*:'


def without_periods(rendered: Rendered) -> Rendered:
    """Refuse the values of a JSON column in which a key has a period; others stay as they are."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if rendered.leaves is None:
        return rendered
    maybe = pc.fill_null(pc.match_substring_regex(rendered.written, _MAYBE), False)  # noqa: FBT003 - fill
    if not pc.any(maybe).as_py():
        return rendered
    wrong = [
        is_maybe and _has_period(orjson.loads(text))
        for is_maybe, text in zip(maybe.to_pylist(), rendered.written.to_pylist(), strict=True)
    ]
    rendered.written = refuse(
        rendered.written, pa.array(wrong), Reason.PERIOD_IN_NAME, rendered.bad
    )
    rendered.leaves = [
        () if is_wrong else names for is_wrong, names in zip(wrong, rendered.leaves, strict=True)
    ]
    return rendered


def _has_period(value: Any) -> bool:
    # A list of what is left instead of recursion: JSON may nest deeper than Python's stack.
    left = [value]
    while left:
        one = left.pop()
        if isinstance(one, dict):
            if any("." in name for name in one):
                return True
            left += one.values()
        elif isinstance(one, list):
            left += one
    return False
