"""Run the model once, in one consistent read, into a typed temporary table."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from iterable_sync.errors import DuplicateKeys
from iterable_sync.failpoints import failpoint
from iterable_sync.identity import USER_ID_PREFIX, identity_sql
from iterable_sync.rows import Column, NullPolicy, ProjectType, Role, WireType
from iterable_sync.state.dialects.base import arrow_schema
from iterable_sync.state.window import asked, in_window
from iterable_sync.values import Reason

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

    from iterable_sync.state.columns import Model
    from iterable_sync.state.dialects.base import Session, Source, StateEngine
    from iterable_sync.state.window import Window

SKIP = "skip"
"""In ``_reject``: the row waits, because a column with the NULL policy *skip* is NULL."""

_STAGE = "_stage"
_INCOMING = "_incoming_rows"


@dataclass(slots=True)
class Staged:
    """
    A staged model.

    Args:
        table: its quoted, qualified name; temporary, gone with the session.

        queried: rows that the model returned.

        rejected: reason -> rows without a usable key, which are not in the table.
    """

    table: str
    queried: int
    rejected: dict[str, int] = field(default_factory=dict)


def stage(
    engine: StateEngine,
    session: Session,
    source: Source,
    model: Model,
    columns: Sequence[Column],
    project_type: ProjectType,
    window: Window | None = None,
    *,
    shares_identity: bool = False,
) -> Staged:
    """
    Stage the model's rows with ``_identity`` and ``_reject``; every key is there once.

    Args:
        columns: the model's columns with their places in the sync, in the model's order.

        window: of append-only rows.

        shares_identity: several rows of one identity are normal.

    Raises:
        DuplicateKeys: two rows share a key; nothing was planned.
    """
    staged = Staged(f"{engine.temporary}{_STAGE}", 0)
    sql = model.sql if window is None else asked(source, model, window)
    time = next(
        (f"b.{engine.dialect.quote(c.name)}" for c in columns if c.role is Role.CREATED_AT), ""
    )
    kept = "TRUE" if window is None else in_window(engine, time, window)
    if engine.same_database(source):
        with engine.query_here(session, source), _model_errors(engine):
            rows = f"({_select(model, columns, sql)})"
            _create(engine, session, staged.table, rows, model, columns, project_type, "NULL", kept)
            failpoint("mid_query")
    else:
        incoming = _copy(engine, session, source, sql, model, columns, staged)
        _create(
            engine, session, staged.table, incoming, model, columns, project_type, "b._note", kept
        )
        session.execute(f"DROP TABLE {incoming}")
    _check_keys(engine, session, staged, model, columns)
    if window is None and not shares_identity:
        _reject_duplicate_identities(
            session, staged, columns, has_newest=model.newest_by is not None
        )
    return staged


@contextmanager
def _model_errors(engine: StateEngine) -> Iterator[None]:
    """Turn what a driver raises while the model runs into an error of ours: its own quotes rows."""
    try:
        yield
    except Exception as error:
        if (known := engine.model_error(error)) is not None:
            raise known from None
        raise


def _select(model: Model, columns: Sequence[Column], sql: str) -> str:
    named = [
        f'{expression} AS "{column.name.replace(chr(34), chr(34) * 2)}"'
        for expression, column in zip(model.select, columns, strict=True)
    ]
    if model.newest_by is not None:
        named.append(f"{model.newest_by} AS _newest")
    return f"SELECT {', '.join(named)} FROM (\n{sql}\n) AS q"


def _create(
    engine: StateEngine,
    session: Session,
    table: str,
    rows: str,
    model: Model,
    columns: Sequence[Column],
    project_type: ProjectType,
    note: str,
    kept: str,
) -> None:
    quote = engine.dialect.quote
    by_role = {c.role: f"b.{quote(c.name)}" for c in columns if c.role is not Role.FIELD}
    identity = identity_sql(by_role.get(Role.EMAIL), by_role.get(Role.USER_ID), project_type)
    skip = [f"c.{quote(c.name)} IS NULL" for c in columns if c.null is NullPolicy.SKIP]
    names = ", ".join(f"c.{quote(c.name)}" for c in columns)
    newest = ", c._newest" if model.newest_by is not None else ""
    reject = (
        "CASE WHEN c._noted IS NOT NULL THEN c._noted "
        + _too_long(engine, [f"c.{quote(c.name)}" for c in columns if c.is_key])
        + "WHEN c._identity IS NULL THEN 'missing_identifier' "
        + (f"WHEN {' OR '.join(skip)} THEN '{SKIP}' " if skip else "")
        + "END"
    )
    session.execute(f"DROP TABLE IF EXISTS {table}")
    session.execute(
        f"CREATE TEMP TABLE {table} AS SELECT {names}{newest}, c._identity, {reject} AS _reject "
        f"FROM (SELECT b.*, {identity} AS _identity, CAST({note} AS text) AS _noted "
        f"FROM {rows} AS b WHERE {kept}) AS c"
    )


def _too_long(engine: StateEngine, keys: Sequence[str]) -> str:
    limit = engine.dialect.max_key_bytes
    if limit is None:
        return ""
    sizes = " + ".join(f"COALESCE(octet_length(CAST({key} AS text)), 0)" for key in keys)
    return f"WHEN {sizes} > {limit} THEN '{Reason.TOO_LONG}' "


def _copy(
    engine: StateEngine,
    session: Session,
    source: Source,
    sql: str,
    model: Model,
    columns: Sequence[Column],
    staged: Staged,
) -> str:
    """Copy the model's rows, cast in the source, into a temporary table of the state engine."""
    import pyarrow as pa

    table = f"{engine.temporary}{_INCOMING}"
    quote = engine.dialect.quote
    select, copied = list(model.select), list(columns)
    if model.newest_by is not None:
        select.append(model.newest_by)
        copied.append(Column("_newest", "", model.newest_state, WireType.STRING, position=-1))
    ddl = [f"{quote(c.name)} {engine.dialect.ddl_type(c)}" for c in copied]
    schema = arrow_schema(copied)
    session.execute(f"DROP TABLE IF EXISTS {table}")
    session.execute(f"CREATE TEMP TABLE {table} ({', '.join([*ddl, '_note text'])})")
    noted = schema.append(pa.field("_note", pa.string()))
    keys = [i for i, c in enumerate(columns) if c.is_key]
    with source.read(sql, select, schema) as batches:
        session.load(table, noted, _mend_texts(batches, noted, keys, staged, engine))
    return table


def _mend_texts(
    batches: Iterator[pa.RecordBatch],
    schema: pa.Schema,
    keys: Sequence[int],
    staged: Staged,
    engine: StateEngine,
) -> Iterator[pa.RecordBatch]:
    """
    Take out of texts what the engine cannot hold, and note the rows.

    That is text which is no UTF-8 and, for some engines, the character NUL. A noted row keeps its
    key, so it does not look removed, and is rejected. Where the key itself is concerned there is
    none: such a row is counted and left out.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    for batch in batches:
        failpoint("mid_query")
        note = pa.nulls(batch.num_rows, pa.string())
        lost = pa.array([False] * batch.num_rows)
        arrays = list(batch.columns)
        for i, array in enumerate(arrays):
            if not pa.types.is_string(array.type):
                continue
            for reason, wrong, mended in _unfit(array, engine):
                arrays[i] = mended
                note = pc.if_else(wrong, pa.scalar(str(reason)), note)
                lost = pc.or_(lost, wrong) if i in keys else lost
        marked = pa.RecordBatch.from_arrays([*arrays, note], schema=schema)
        if pc.any(lost).as_py():
            for reason in note.filter(lost).to_pylist():
                staged.queried += 1
                staged.rejected[reason] = staged.rejected.get(reason, 0) + 1
            marked = marked.filter(pc.invert(lost))
        yield marked


def _unfit(array: pa.Array, engine: StateEngine) -> Iterator[tuple[Reason, pa.Array, pa.Array]]:
    """Give why texts do not fit, which ones, and the array that fits in this respect."""
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        array.validate(full=True)
    except pa.ArrowInvalid:
        texts = [_utf8(value) for value in array.cast(pa.binary()).to_pylist()]
        wrong = pa.array([text is None for text in texts])
        wrong = pc.and_(wrong, array.is_valid())
        array = pc.if_else(wrong, "", pa.array(texts, pa.string()))
        yield Reason.NOT_TEXT, wrong, array
    if engine.holds_nul:
        return
    wrong = pc.fill_null(pc.match_substring(array, "\0"), fill_value=False)
    if pc.any(wrong).as_py():
        yield Reason.NUL_CHARACTER, wrong, pc.replace_substring(array, "\0", "")


def _utf8(value: bytes | None) -> str | None:
    try:
        return value.decode() if value is not None else None
    except UnicodeDecodeError:
        return None


def _check_keys(
    engine: StateEngine, session: Session, staged: Staged, model: Model, columns: Sequence[Column]
) -> None:
    """Reject rows without a key, and refuse keys that come more than once: one pass for both."""
    names = [engine.dialect.quote(c.name) for c in columns if c.is_key]
    keys, places = ", ".join(names), [f"k{i}" for i in range(len(names))]
    is_null = " OR ".join(f"d.{place} IS NULL" for place in places)
    rows, null_keys, duplicates = session.rows(
        f"SELECT COALESCE(sum(d.n), 0), COALESCE(sum(CASE WHEN {is_null} THEN d.n ELSE 0 END), 0), "
        f"COALESCE(sum(CASE WHEN d.n > 1 AND NOT ({is_null}) THEN 1 ELSE 0 END), 0) "
        f"FROM (SELECT {keys}, count(*) FROM {staged.table} GROUP BY {keys}) "
        f"AS d({', '.join(places)}, n)"
    )[0]
    staged.queried += int(rows)
    if null_keys:
        staged.rejected["missing_key"] = int(null_keys)
        is_missing = " OR ".join(f"{name} IS NULL" for name in names)
        session.execute(f"DELETE FROM {staged.table} WHERE {is_missing}")
    if duplicates:
        raise DuplicateKeys(
            f"{duplicates} keys come more than once in the model; nothing was sent. "
            f"This shows them:\n{model.duplicates}"
        )


def _reject_duplicate_identities(
    session: Session, staged: Staged, columns: Sequence[Column], *, has_newest: bool
) -> None:
    """Mark rows that share an identity: all of them, or all but the newest."""
    table = staged.table
    # A userId that is the key is there once: keys were looked at already.
    is_key = [c.role for c in columns if c.is_key] == [Role.USER_ID]
    doubtful = f"AND _identity NOT LIKE '{USER_ID_PREFIX}%' " if is_key else ""
    shared = (
        f"SELECT _identity FROM {table} WHERE _identity IS NOT NULL AND _reject IS NULL {doubtful}"
        "GROUP BY _identity HAVING count(*) > 1"
    )
    if not session.rows(f"SELECT 1 FROM ({shared}) AS d LIMIT 1"):
        return
    newest = ""
    if has_newest:
        # Where even the newest is shared nothing decides, and all are rejected.
        newest = " AND (t._newest IS NULL OR t._newest < n.newest OR n.ties > 1)"
    session.execute(
        f"UPDATE {table} AS t SET _reject = 'duplicate_identity' FROM ("
        + (
            f"SELECT x._identity, max(m.newest) AS newest, "
            f"sum(CASE WHEN x._newest = m.newest THEN 1 ELSE 0 END) AS ties FROM {table} x "
            f"JOIN (SELECT _identity, max(_newest) AS newest FROM {table} "
            f"WHERE _identity IN ({shared}) GROUP BY _identity) m ON m._identity = x._identity "
            "GROUP BY x._identity"
            if has_newest
            else shared
        )
        + f") AS n WHERE t._identity = n._identity AND t._reject IS NULL{newest}"
    )
