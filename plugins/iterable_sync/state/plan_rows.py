"""Reads rows of a plan as what mapping takes: a frame of Arrow types, ordered by ``_seq``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iterable_sync.rows import Column, StateType, WireType
from iterable_sync.state.dialects.base import arrow_schema
from iterable_sync.state.plans import SEND

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from iterable_sync.state.dialects.base import Session, StateEngine

_BOOKKEEPING = tuple(
    Column(name, "", kind, WireType.STRING, -1)
    for name, kind in (
        ("_seq", StateType.BIGINT),
        ("_op", StateType.TEXT),
        ("_mask", StateType.TEXT),
        ("_identity", StateType.TEXT),
        ("_episode", StateType.BIGINT),
    )
)


def read_rows(
    engine: StateEngine, session: Session, plan: str, columns: Sequence[Column], where: str
) -> pd.DataFrame:
    """
    Read rows that are to be sent.

    Args:
        plan: quoted, qualified name.

        where: which of them; may end in a LIMIT.
    """
    import pandas as pd

    wanted = (*_BOOKKEEPING, *columns)
    names = ", ".join(engine.dialect.quote(c.name) for c in wanted)
    table = session.arrow(
        f"SELECT {names} FROM {plan} WHERE _route = '{SEND}' AND {where}", arrow_schema(wanted)
    )
    seqs = table.column("_seq").to_numpy()
    if (seqs[1:] < seqs[:-1]).any():
        # Rare, and cheaper than asking the engine to sort whole rows of every chunk.
        table = table.sort_by("_seq")
    frame: pd.DataFrame = table.to_pandas(types_mapper=pd.ArrowDtype)
    return frame
