"""
Any DB-API connection as a source: Snowflake, BigQuery, Redshift, Databricks, MySQL, SQLite...

The SQL goes to the driver as it is, without parameters, and runs once. No SQL is written for
engines that we do not know, so types come from the *values* that the driver gives:

========================================  ==============  ===================
value                                     state           Iterable
========================================  ==============  ===================
bool                                      boolean         boolean
int                                       bigint          long
int beyond 64 bits                        text            long
float, or float and int                   double          double
Decimal                                   text            double
Decimal of a column that has scale 0      text            long
str, bytes, UUID, time, timedelta, IP     text            string
date                                      text            date
datetime                                  text            date and time
dict, list, tuple                         text            object, array
========================================  ==============  ===================

The schema has to be known before the first row is staged, and has to be the same in the next run:

* A column's type is that of its values among the first 10,000 rows, which are buffered. It does not
  depend on which values they are, but for integers beyond 64 bits; whether a Decimal is whole is
  asked of the driver's description of the column, not of the values.
* A column that is NULL in all of them is text.
* A later value of another type ends the run with :class:`ModelError`, which names the column.
  Nothing is ever coerced; the way out is a CAST in the SQL or a declared type.
* A column with a declared type (``fields={"x": {"type": "long"}}``) is kept as text whatever the
  driver gives, and a value that has no form in the declared type costs its own field alone. This is
  the stable choice for engines without column types (SQLite), and for columns that are mostly NULL.

Describing the columns by the driver's type codes was rejected: they differ by driver and version,
and a wrong entry in a table of them would break columns whose values say plainly what they are.
"""

from __future__ import annotations

import contextlib
import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol
from uuid import uuid4

from iterable_sync.errors import IterableSyncError, ModelError, RetryLater
from iterable_sync.state.dialects.base import Cast, Source, SourceColumn
from iterable_sync.state.dialects.dbapi_types import Kind, NoKind, cast_of, convert, kind_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    import pyarrow as pa

    from iterable_sync.rows import WireType
    from iterable_sync.state.dialects.base import SourceTime

_ROWS = 10_000

# Names of PEP 249; every driver has classes of its own under them.
_PASSING = frozenset({"OperationalError", "InterfaceError"})

_HOW = "CAST it in the SQL to one type, or declare one: fields={%r: {'type': ...}}"


class Cursor(Protocol):
    """What is used of a cursor of PEP 249."""

    arraysize: int
    description: Any

    def execute(self, operation: str, /) -> Any:
        """Run a statement."""

    def fetchmany(self, size: int = ..., /) -> Sequence[Any]:
        """Give the next rows."""

    def close(self) -> None:
        """Free the result."""


class DbApiSource(Source):
    """
    A database read through a DB-API driver; see the module.

    Args:
        connect: gives a new connection, e.g. ``get_conn`` of an Airflow hook.

        dialect: sqlglot's name of the SQL dialect; one that it does not know is read as plain SQL.
    """

    def __init__(self, connect: Callable[[], Any], *, dialect: str) -> None:
        self._connect = connect
        self.dialect = _known_dialect(dialect)
        self._running: _Running | None = None

    def columns(self, sql: str) -> list[SourceColumn]:
        """
        Start the model and describe its result by the first rows, which :meth:`read` gives again.

        Raises:
            ModelError: the database does not take the SQL.

            RetryLater: it cannot be reached, or broke off.
        """
        self._end()
        self._running = running = _Running(self._connect, sql)
        return [
            SourceColumn(name, str(kind))
            for name, kind in zip(running.names, running.kinds, strict=True)
        ]

    def cast(self, type_name: str) -> Cast:
        """Give the way of a kind of values into the stage."""
        return cast_of(type_name)

    def declared(self, cast: Cast, wire: WireType) -> Cast:
        """Keep a column of a declared type as text, whatever the driver gives."""
        return cast_of(Kind.DECLARED)

    def expression(self, cast: Cast, name: str, zone: str | None) -> str:
        """
        Give what :meth:`read` does with a column, as JSON: there is no SQL in it.

        Raises:
            ModelError: the column's values are of no single kind, and no type was declared.
        """
        if cast.sql not in {*Kind}:
            raise ModelError(f"column {name!r} has {cast.sql}; {_HOW % name}")
        return json.dumps([name, cast.sql, zone, ""])

    def not_before(self, time: SourceTime, moment: datetime) -> str | None:
        """Give nothing: the model's own SQL is all that is run."""
        return None

    def text(self, expression: str) -> str:
        """Turn an expression into text."""
        return json.dumps([*json.loads(expression)[:3], "text"])

    def double(self, expression: str) -> str:
        """Turn an expression, a number or its text, into a double."""
        return json.dumps([*json.loads(expression)[:3], "double"])

    def shown(self, expression: str) -> str:
        """Give the column of an expression as SQL."""
        return f"q.{self.quote(json.loads(expression)[0])}"

    def quote(self, name: str) -> str:
        """Quote an identifier as the dialect does."""
        from sqlglot import exp

        return exp.to_identifier(name, quoted=True).sql(dialect=self.dialect)

    @contextmanager
    def read(
        self, sql: str, select: Sequence[str], schema: pa.Schema
    ) -> Iterator[Iterator[pa.RecordBatch]]:
        """Give the rows of the model that :meth:`columns` started; start it where it did not."""
        running, self._running = self._running, None
        if running is None or running.sql != sql:
            running = _Running(self._connect, sql)
        try:
            yield _batches(running, select, schema)
        finally:
            running.end()

    def _end(self) -> None:
        if self._running is not None:
            self._running.end()
            self._running = None

    def __del__(self) -> None:
        """End a model that was described and never read."""
        self._end()


class _Running:
    """A model that was started: the first rows, the kinds of its columns, and the rest to come."""

    def __init__(self, connect: Callable[[], Any], sql: str) -> None:
        self.sql = sql
        self._connection: Any = None
        self._cursor: Any = None
        with self._our_errors("cannot start the model SQL"):
            self._connection = connect()
            self._cursor = _cursor(self._connection)
            with contextlib.suppress(AttributeError):
                self._cursor.arraysize = _ROWS
            self._cursor.execute(sql)
            # Some drivers know the columns only once a row was fetched.
            self._first = self._cursor.fetchmany(_ROWS)
            described = self._cursor.description
        self.names = [column[0] for column in described or ()]
        by_column = self._by_column(self._first) or [[] for _ in self.names]
        self.kinds = [
            _kind_in(values, column)
            for values, column in zip(by_column, described or (), strict=True)
        ]

    def chunks(self) -> Iterator[dict[str, Sequence[Any]]]:
        """Give the rows, by column."""
        rows, self._first = self._first, []
        while rows:
            yield dict(zip(self.names, self._by_column(rows), strict=True))
            with self._our_errors("the model SQL broke off"):
                rows = self._cursor.fetchmany(_ROWS)

    def end(self) -> None:
        """Close the cursor, roll back, close the connection; what fails then does not matter."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        for thing, close in (
            (self._cursor, "close"),
            (connection, "rollback"),
            (connection, "close"),
        ):
            with contextlib.suppress(Exception):
                getattr(thing, close)()

    def _by_column(self, rows: Sequence[Any]) -> list[Sequence[Any]]:
        if rows and isinstance(rows[0], dict):
            return [[row[name] for row in rows] for name in self.names]
        return list(zip(*rows, strict=True))

    @contextmanager
    def _our_errors(self, what: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            self.end()
            if isinstance(error, IterableSyncError):
                raise
            raise _ours(error, what) from None


def _ours(error: Exception, what: str) -> Exception:
    """Give our error for a driver's; its message may quote a row, its type and code do not."""
    code = next(
        (
            str(found)
            for name in ("sqlstate", "pgcode", "sqlite_errorname", "errno")
            if (found := getattr(error, name, None))
        ),
        "no code",
    )
    words = f"{what}: {type(error).__module__}.{type(error).__name__} ({code})"
    if _PASSING & {of.__name__ for of in type(error).__mro__} or isinstance(error, OSError):
        return RetryLater(words)
    return ModelError(words)


def _cursor(connection: Any) -> Cursor:
    # psycopg fetches the whole result at once unless the cursor has a name.
    is_psycopg = type(connection).__module__.partition(".")[0] in {"psycopg", "psycopg2"}
    if is_psycopg and not connection.autocommit:
        named: Cursor = connection.cursor(f"iterable_sync_{uuid4().hex[:8]}")
        return named
    plain: Cursor = connection.cursor()
    return plain


def _kind_in(values: Sequence[Any], described: Sequence[Any]) -> Kind | NoKind:
    try:
        kind = kind_of(values)
    except NoKind as unclear:
        return unclear
    precision, scale = (*described, None, None, None)[4:6] if len(described) > 5 else (None, None)
    is_whole = scale == 0 and precision is not None
    return Kind.WHOLE_DECIMAL if kind is Kind.DECIMAL and is_whole else kind


def _batches(
    running: _Running, select: Sequence[str], schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    ways = [json.loads(expression) for expression in select]
    for chunk in running.chunks():
        arrays = []
        for (name, kind, zone, to), field in zip(ways, schema, strict=True):
            try:
                array = convert(chunk[name], Kind(kind), zone, as_text=bool(to))
            except NoKind as misfit:
                raise ModelError(
                    f"column {name!r} is a {kind} in its first rows, and further on has {misfit}; "
                    f"{_HOW % name}"
                ) from None
            arrays.append(array.cast(field.type) if to == "double" else array)
        yield pa.RecordBatch.from_arrays(arrays, schema=schema)


def _known_dialect(name: str) -> str:
    from sqlglot.dialects.dialect import Dialect

    try:
        Dialect.get_or_raise(name)
    except ValueError:
        return ""
    return name
