"""
Rows of a snapshot to be read back from Iterable: drawn at random, and doubted where they differ.

A sample is those rows whose keys, hashed with a seed, come first. So it is the same wherever it is
drawn, one pass over the snapshot gives it, and a large one is drawn piece by piece.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from iterable_sync.rows import Column, Op, StateType, WireType
from iterable_sync.state.dialects.base import arrow_schema

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    import pandas as pd

    from iterable_sync.state.dialects.base import Session, StateEngine
    from iterable_sync.state.registry import Registered

_FOUND = "_reconciled"


def _text(name: str) -> Column:
    return Column(name, "", StateType.TEXT, WireType.STRING, -1)


_DRAWN = tuple(map(_text, ("_key", "_place", "_seen", "_identity", "_mask")))


@dataclass(frozen=True, slots=True)
class Sample:
    """
    Rows as mapping takes them, in the order of their identities.

    Args:
        frame: what a chunk of the plan has, each row *added* with the fields that were accepted of
            it; and the texts ``_key`` and ``_seen``, by which :func:`mark_dirty` knows a row.

        after: where the next piece of the sample begins.
    """

    frame: pd.DataFrame
    after: str


def draw(
    engine: StateEngine,
    session: Session,
    registered: Registered,
    *,
    rows: int,
    settle_s: float,
    seed: int = 0,
    after: str = "",
    where: str = "TRUE",
) -> Sample:
    """
    Draw rows at random of those that Iterable should show as the snapshot has them.

    They are live, in no doubt, have nothing left to send of a newer mapping, and were accepted, or
    taken for sent, *settle_s* ago or longer.

    Args:
        rows: at most so many.

        after: of the piece before; nothing begins the sample.

        where: which rows of the snapshot, ``t``, alone.
    """
    import numpy as np
    import pandas as pd
    import pyarrow as pa

    quote, columns = engine.dialect.quote, registered.columns
    key = engine.dialect.key_text([f"t.{quote(k)}" for k in registered.key_columns])
    place = f"md5('{int(seed)}:' || {key})"
    newest = max(registered.version_of(column) for column in columns)
    wanted = (*_DRAWN, *columns)
    found = session.arrow(
        f"SELECT {key} AS _key, {place} AS _place, {_seen('t')} AS _seen, t._identity, "
        f"'{registered.full_mask}' AS _mask, {', '.join(f't.{quote(c.name)}' for c in columns)} "
        f"FROM {engine.table(registered.snapshot_table)} t "
        f"WHERE t._status = 'live' AND t._dirty IS NULL AND t._mapping >= {newest} "
        f"AND t._accepted_at <= now() - {float(settle_s)} * INTERVAL '1 second' "
        f"AND {where} AND {_after(place, after)} ORDER BY _place LIMIT {int(rows)}",
        arrow_schema(wanted),
    )
    last = found.column("_place")[-1].as_py() if found.num_rows else after
    # Those of one person next to each other, as a plan has them.
    table = found.drop_columns(["_place"]).sort_by(
        [("_identity", "ascending"), ("_key", "ascending")]
    )
    count = table.num_rows
    table = table.add_column(0, "_seq", pa.array(np.arange(1, count + 1), pa.int64()))
    table = table.append_column("_op", pa.array([Op.ADDED.value] * count, pa.string()))
    table = table.append_column("_episode", pa.array(np.ones(count, np.int64)))
    return Sample(table.to_pandas(types_mapper=pd.ArrowDtype), last)


def mark_dirty(
    engine: StateEngine,
    session: Session,
    registered: Registered,
    found: Mapping[str, Collection[str] | None],
) -> int:
    """
    Doubt what Iterable does not show, so that the next run sends it; in a transaction of the lease.

    Rows that are in doubt already, or gone, stay as they are.

    Args:
        found: key as text -> names of columns; None is the whole row.

    Returns:
        The number of rows.
    """
    if not found:
        return 0
    position = {column.name: column.position for column in registered.columns}
    masks = {
        key: "*" if names is None else _mask({position[name] for name in names}, registered.width)
        for key, names in found.items()
    }
    table = _load(engine, session, masks)
    doubted = session.execute(
        f"UPDATE {engine.table(registered.snapshot_table)} AS t SET _dirty = f._value "
        f"FROM {table} f WHERE {_is_key(engine, registered)} AND t._status = 'live' "
        "AND t._dirty IS NULL"
    )
    session.execute(f"DROP TABLE {table}")
    return doubted


def unchanged(
    engine: StateEngine, session: Session, registered: Registered, seen: Mapping[str, str]
) -> set[str]:
    """
    Give the keys of rows that nobody has sent, doubted or renamed since they were drawn.

    Args:
        seen: key as text -> ``_seen`` of the sample.
    """
    if not seen:
        return set()
    table = _load(engine, session, seen)
    rows = session.rows(
        f"SELECT f._key FROM {engine.table(registered.snapshot_table)} t JOIN {table} f "
        f"ON {_is_key(engine, registered)} WHERE t._status = 'live' AND t._dirty IS NULL "
        f"AND {_seen('t')} = f._value"
    )
    session.execute(f"DROP TABLE {table}")
    return {key for (key,) in rows}


def count_live(engine: StateEngine, session: Session, registered: Registered) -> int:
    """Count the rows that Iterable has, or should have."""
    counted = session.rows(
        f"SELECT count(*) FROM {engine.table(registered.snapshot_table)} WHERE _status = 'live'"
    )
    return int(counted[0][0])


def _seen(alias: str) -> str:
    # Whoever accepts or doubts a row is a run of its own.
    return f"{alias}._run || '/' || COALESCE({alias}._identity, '')"


def _after(place: str, after: str) -> str:
    return f"{place} > '{after}'" if after else "TRUE"


def _mask(positions: Collection[int], width: int) -> str:
    return "".join("1" if place in positions else "0" for place in range(width))


def _is_key(engine: StateEngine, registered: Registered) -> str:
    keys = [f"t.{engine.dialect.quote(name)}" for name in registered.key_columns]
    return f"{engine.dialect.key_text(keys)} = f._key"


def _load(engine: StateEngine, session: Session, values: Mapping[str, str]) -> str:
    """Make a temporary table of keys and what is known of them."""
    import pyarrow as pa

    columns = (_text("_key"), _text("_value"))
    table, schema = f"{engine.temporary}{_FOUND}", arrow_schema(columns)
    ddl = ", ".join(f"{column.name} {engine.dialect.ddl_type(column)}" for column in columns)
    session.execute(f"DROP TABLE IF EXISTS {table}")
    session.execute(f"CREATE TEMP TABLE {table} ({ddl})")
    rows = [pa.array(part, pa.string()) for part in (list(values), list(values.values()))]
    session.load(table, schema, iter([pa.RecordBatch.from_arrays(rows, schema=schema)]))
    return table
