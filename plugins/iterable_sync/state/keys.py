"""
Keys that come more than once in a model, by which nobody could say what a key should have.

Looking at each key is a pass over the whole stage. Where there is a snapshot, counting tells it
from what the diff finds anyway: a key that is live there was staged once, or was removed; and the
others are in the plan.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iterable_sync.errors import DuplicateKeys
from iterable_sync.rows import Op

if TYPE_CHECKING:
    from collections.abc import Sequence

    from iterable_sync.state.dialects.base import Session
    from iterable_sync.state.stage import Staged


def refuse_duplicates(session: Session, staged: Staged, keys: Sequence[str]) -> None:
    """
    Look at each staged key.

    Args:
        keys: quoted key columns; none is NULL in the stage.

    Raises:
        DuplicateKeys: some come more than once.
    """
    rows = f"{staged.table} WHERE {staged.of_model}"
    duplicates = session.rows(f"SELECT count(*) FROM ({_repeated(rows, keys)}) AS d")[0][0]
    if duplicates:
        raise DuplicateKeys(
            f"{duplicates} keys come more than once in the model; nothing was sent. "
            f"This shows them:\n{staged.shows_duplicates}"
        )


def refuse_duplicates_of_plan(
    session: Session, staged: Staged, plan: str, keys: Sequence[str], *, live: int
) -> None:
    """
    Compare the numbers of rows, and look at the keys only where they do not meet.

    Args:
        plan: quoted, qualified name; as the diff made it.

        keys: quoted key columns.

        live: keys of the snapshot, each there once, that are not gone.

    Raises:
        DuplicateKeys: some come more than once.
    """
    added, removed = map(
        int,
        session.rows(
            f"SELECT COALESCE(sum(CASE WHEN _op = '{Op.ADDED}' THEN 1 ELSE 0 END), 0), "
            f"COALESCE(sum(CASE WHEN _op = '{Op.REMOVED}' THEN 1 ELSE 0 END), 0) FROM {plan}"
        )[0],
    )
    # Each further row of a live key makes the left side greater: no two mistakes hide each other.
    is_once = staged.rows - added == live - removed
    news = _repeated(f"{plan} WHERE _op = '{Op.ADDED}'", keys)
    if not is_once or (added and session.rows(f"{news} LIMIT 1")):
        refuse_duplicates(session, staged, keys)


def _repeated(rows: str, keys: Sequence[str]) -> str:
    names = ", ".join(keys)
    return f"SELECT {names} FROM {rows} GROUP BY {names} HAVING count(*) > 1"
