"""Chooses the rows that create new fields: the first value of a field fixes its type for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iterable_sync.bodies import safe_first_values

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from iterable_sync.rows import Payload


def pilot_rows(payloads: Sequence[Payload], new_fields: Collection[str]) -> list[Payload]:
    """
    Give few rows that together carry a first value for each new field.

    Values that fix the type of the column come first; where the batch has none for a field (a
    column of dates has only values that look like dates), any row that has the field.

    Returns:
        The rows in batch order; empty if no row carries a new field.
    """
    carried = {
        payload.seq: frozenset(new_fields).intersection(payload.fields) for payload in payloads
    }
    safe = {
        payload.seq: safe_first_values(payload.body, carried[payload.seq])
        for payload in payloads
        if carried[payload.seq]
    }
    chosen = _cover(safe, set(new_fields))
    covered = frozenset().union(*(safe[seq] for seq in chosen))
    chosen |= _cover(carried, set(new_fields) - covered)
    return [payload for payload in payloads if payload.seq in chosen]


def _cover(fields_of: Mapping[int, frozenset[str]], wanted: set[str]) -> set[int]:
    """Take the row with the most wanted fields, until no row has another one."""
    chosen: set[int] = set()
    while wanted:
        best = max(fields_of, key=lambda seq: len(fields_of[seq] & wanted), default=None)
        if best is None or not fields_of[best] & wanted:
            break
        chosen.add(best)
        wanted -= fields_of[best]
    return chosen
