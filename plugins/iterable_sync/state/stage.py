"""Run the model once, in one consistent read, into a typed temporary table."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from iterable_sync.failpoints import failpoint
from iterable_sync.identity import USER_ID_PREFIX, identity_sql, item_sql
from iterable_sync.rows import Column, NullPolicy, ProjectType, Role, WireType
from iterable_sync.state.derived import changes
from iterable_sync.state.dialects.base import arrow_schema
from iterable_sync.state.keys import refuse_duplicates
from iterable_sync.state.lines import fold
from iterable_sync.state.opt_outs import reject_contradicted
from iterable_sync.state.window import asked, in_window
from iterable_sync.values import Reason

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

    from iterable_sync.state.columns import Model
    from iterable_sync.state.dialects.base import DiffSql, Session, Source, StateEngine
    from iterable_sync.state.window import Window

SKIP = "skip"
"""In ``_reject``: the row waits, because a column with the NULL policy *skip* is NULL."""

_TIMES = (Role.CREATED_AT, Role.PURCHASED_AT)
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

        shows_duplicates: SQL for a person, which shows keys that come more than once.

        compared: what its rows are compared to.

        of_model: the condition of its rows that the model gave; the others are keys that left.
    """

    table: str
    queried: int
    rejected: dict[str, int] = field(default_factory=dict)
    shows_duplicates: str = ""
    compared: DiffSql | None = None
    of_model: str = "TRUE"

    @property
    def rows(self) -> int:
        """The model's rows in the table."""
        return self.queried - sum(self.rejected.values())


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
    of_people: bool = True,
    compared: DiffSql | None = None,
) -> Staged:
    """
    Stage the model's rows with ``_identity`` and ``_reject``.

    Args:
        columns: the model's columns with their places in the sync, in the model's order.

        window: of append-only rows.

        shares_identity: several rows of one identity are normal.

        of_people: a row is about somebody; otherwise its key is its identity.

        compared: what the rows are compared to, while they are staged or later, as the engine has
            it. Then the diff looks for keys that come more than once; otherwise it is done here.

    Raises:
        DuplicateKeys: two rows share a key; nothing was planned.
    """
    staged = Staged(
        f"{engine.temporary}{_STAGE}", 0, shows_duplicates=model.duplicates, compared=compared
    )
    sql = model.sql if window is None else asked(source, model, window)
    time = next((f"b.{engine.dialect.quote(c.name)}" for c in columns if c.role in _TIMES), "")
    kept = "TRUE" if window is None else in_window(engine, time, window)
    whose = _identity(engine, columns, project_type if of_people else None)
    if engine.same_database(source):
        with engine.query_here(session, source), _model_errors(engine):
            rows = _folded(engine, f"({_select(model, sql)})", model, has_note=False)
            _create(
                engine,
                session,
                staged,
                _stage_sql(engine, rows, model, columns, whose, "NULL", kept),
            )
            failpoint("mid_query")
    else:
        incoming = _copy(engine, session, source, sql, model, staged)
        rows = _folded(engine, incoming, model, has_note=True)
        _create(
            engine,
            session,
            staged,
            _stage_sql(engine, rows, model, columns, whose, "b._note", kept),
        )
        session.execute(f"DROP TABLE {incoming}")
    keys = [engine.dialect.quote(c.name) for c in columns if c.is_key]
    is_doubtful = _reject_null_keys(session, staged, columns, keys)
    if compared is None:
        refuse_duplicates(session, staged, keys)
    reject_contradicted(engine, session, staged.table, columns, of_model=staged.of_model)
    if window is None and of_people and not shares_identity and is_doubtful:
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


def _folded(engine: StateEngine, rows: str, model: Model, *, has_note: bool) -> str:
    if model.derived is not None:
        return changes(engine.dialect, rows, model.derived, has_note=has_note)
    if model.lines is None:
        return rows
    has_newest = model.newest_by is not None
    return fold(engine.dialect, rows, model.lines, has_newest=has_newest, has_note=has_note)


def _select(model: Model, sql: str) -> str:
    named = [
        f'{expression} AS "{column.name.replace(chr(34), chr(34) * 2)}"'
        for expression, column in zip(model.select, model.read, strict=True)
    ]
    if model.newest_by is not None:
        named.append(f"{model.newest_by} AS _newest")
    return f"SELECT {', '.join(named)} FROM (\n{sql}\n) AS q"


def _create(engine: StateEngine, session: Session, staged: Staged, sql: str) -> None:
    session.execute(f"DROP TABLE IF EXISTS {staged.table}")
    if staged.compared is not None:
        staged.of_model = engine.of_model
        sql = engine.compared(session, sql, staged.compared)
    session.execute(f"CREATE TEMP TABLE {staged.table} AS {sql}")


def _stage_sql(
    engine: StateEngine,
    rows: str,
    model: Model,
    columns: Sequence[Column],
    identity: str,
    note: str,
    kept: str,
) -> str:
    quote = engine.dialect.quote
    skip = [f"c.{quote(c.name)} IS NULL" for c in columns if c.null is NullPolicy.SKIP]
    required = [f"c.{quote(c.name)} IS NULL" for c in columns if c.is_required]
    names = ", ".join(f"c.{quote(c.name)}" for c in columns)
    newest = ", c._newest" if model.newest_by is not None else ""
    reject = (
        "CASE WHEN c._noted IS NOT NULL THEN c._noted "
        + _too_long(engine, [f"c.{quote(c.name)}" for c in columns if c.is_key])
        + "WHEN c._identity IS NULL THEN 'missing_identifier' "
        + (f"WHEN {' OR '.join(skip)} THEN '{SKIP}' " if skip else "")
        + (f"WHEN {' OR '.join(required)} THEN 'missing_required' " if required else "")
        + "END"
    )
    return (
        f"SELECT {names}{newest}, c._identity, {reject} AS _reject "
        f"FROM (SELECT b.*, {identity} AS _identity, CAST({note} AS text) AS _noted "
        f"FROM {rows} AS b WHERE {kept}) AS c"
    )


def _identity(
    engine: StateEngine, columns: Sequence[Column], project_type: ProjectType | None
) -> str:
    """Give the identity of the rows ``b``; where *project_type* is None they are of no people."""
    quote = engine.dialect.quote
    if project_type is None:
        return item_sql(next(f"b.{quote(c.name)}" for c in columns if c.is_key))
    by_role = {c.role: f"b.{quote(c.name)}" for c in columns if c.role is not Role.FIELD}
    # A request to become somebody else is about whom it names first.
    old = next((c for c in columns if c.role is Role.OLD), None)
    if old is not None:
        by_role[Role.USER_ID if old.has_user_ids else Role.EMAIL] = by_role[Role.OLD]
    return identity_sql(by_role.get(Role.EMAIL), by_role.get(Role.USER_ID), project_type)


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
    staged: Staged,
) -> str:
    """Copy the model's rows, cast in the source, into a temporary table of the state engine."""
    import pyarrow as pa

    table = f"{engine.temporary}{_INCOMING}"
    quote = engine.dialect.quote
    select, copied = list(model.select), list(model.read)
    if model.newest_by is not None:
        select.append(model.newest_by)
        copied.append(Column("_newest", "", model.newest_state, WireType.STRING, position=-1))
    ddl = [f"{quote(c.name)} {engine.dialect.ddl_type(c)}" for c in copied]
    schema = arrow_schema(copied)
    session.execute(f"DROP TABLE IF EXISTS {table}")
    session.execute(f"CREATE TEMP TABLE {table} ({', '.join([*ddl, '_note text'])})")
    noted = schema.append(pa.field("_note", pa.string()))
    keys = [i for i, c in enumerate(model.read) if c.is_key]
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


def _reject_null_keys(
    session: Session, staged: Staged, columns: Sequence[Column], keys: Sequence[str]
) -> bool:
    """Count the rows, take out those without a key, and say whether identities may be shared."""
    is_null = " OR ".join(f"{key} IS NULL" for key in keys)
    rows, null_keys, doubtful = map(
        int,
        session.rows(
            f"SELECT count(*), count(CASE WHEN {is_null} THEN 1 END), "
            f"count(CASE WHEN {_may_be_shared(columns)} THEN 1 END) "
            f"FROM {staged.table} WHERE {staged.of_model}"
        )[0],
    )
    staged.queried += rows
    if null_keys:
        staged.rejected["missing_key"] = null_keys
        session.execute(f"DELETE FROM {staged.table} WHERE {is_null}")
    return doubtful > 1


def _may_be_shared(columns: Sequence[Column]) -> str:
    """Give the condition of rows whose identity another one may have."""
    # A userId that is the key is there once.
    is_key = [c.role for c in columns if c.is_key] == [Role.USER_ID]
    doubtful = f" AND _identity NOT LIKE '{USER_ID_PREFIX}%'" if is_key else ""
    return f"_identity IS NOT NULL AND _reject IS NULL{doubtful}"


def _reject_duplicate_identities(
    session: Session, staged: Staged, columns: Sequence[Column], *, has_newest: bool
) -> None:
    """Mark rows that share an identity: all of them, or all but the newest."""
    table = staged.table
    shared = (
        f"SELECT _identity FROM {table} WHERE {_may_be_shared(columns)} "
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
