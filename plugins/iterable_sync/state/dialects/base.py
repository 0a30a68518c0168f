"""What an engine has to offer: a dialect of SQL, sessions for state, and reading as a source."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from iterable_sync.rows import Column, StateType, WireType

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime

    import pyarrow as pa

    from iterable_sync.errors import IterableSyncError


@dataclass(frozen=True, slots=True)
class SourceColumn:
    """A column of the model as the engine that runs it names and types it."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class SourceTime:
    """A column of the model with a time, as the engine names it; ``naive`` has no zone."""

    name: str
    naive: bool


@dataclass(frozen=True, slots=True)
class Cast:
    """
    How a column of some engine's type comes into the stage.

    ``sql`` has one ``{0}`` for the quoted column; ``naive`` marks a time without a zone, whose
    ``{1}`` is the declared zone as a literal.
    """

    state: StateType
    wire: WireType
    sql: str = "{0}"
    scale: int = 0
    naive: bool = False


class Session(Protocol):
    """A connection to a state engine. SQL with parameters is ours alone and uses ``?``."""

    def execute(self, sql: str, params: Sequence[Any] = ()) -> int:
        """Run a statement; give the number of rows it wrote (-1 where it writes none)."""
        ...

    def rows(self, sql: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run a query and give all its rows."""
        ...

    def arrow(self, sql: str, schema: pa.Schema) -> pa.Table:
        """Run a query and give it as a table of *schema*, values exact."""
        ...

    def load(self, table: str, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> None:
        """Append batches of *schema* to a table (its quoted name), streamed."""
        ...

    def transaction(self) -> AbstractContextManager[None]:
        """Commit at the end of the block, roll back on an error."""
        ...


class Dialect(ABC):
    """The SQL of an engine where engines differ."""

    name: str
    max_identifier_bytes: int
    own_columns: frozenset[str]
    """Names, lower case, of columns that every table of the engine has."""

    max_key_bytes: int | None
    """Longer keys the engine cannot keep."""

    @abstractmethod
    def type_name(self, column: Column) -> str:
        """Give the type of a column in state tables."""

    def ddl_type(self, column: Column) -> str:
        """Give the type and collation of a column in state tables."""
        return self.type_name(column)

    @abstractmethod
    def cast(self, type_name: str) -> Cast:
        """Give the way of a type of this engine into the stage; every type has one."""

    @abstractmethod
    def key_text(self, columns: Sequence[str]) -> str:
        """Give an expression for the key as one text, distinct for distinct keys."""

    def quote(self, name: str) -> str:
        """Quote an identifier."""
        return '"' + name.replace('"', '""') + '"'

    def literal(self, text: str) -> str:
        """Quote a text; backslashes mean themselves in the engines that we have."""
        return "'" + text.replace("'", "''") + "'"

    @abstractmethod
    def sha256(self, text: str) -> str:
        """Give an expression for the SHA-256 of a text in UTF-8, in hexadecimal; of NULL, NULL."""

    def value_hash(self, columns: Sequence[str]) -> str:
        """Give an expression that hashes typed values: length-prefixed, NULL apart from ''."""
        parts = [
            f"COALESCE(CAST(length(CAST({c} AS text)) AS text) || ':' || CAST({c} AS text), '~')"
            for c in columns
        ]
        return f"md5({' || '.join(parts)})" if parts else "md5('')"


class StateEngine(ABC):
    """A database that keeps state."""

    dialect: Dialect
    commit_window_s: float
    """At least this long between two visits of a push (an open of the file, or a commit, costs)."""

    temporary: str
    """Prefix, with its dot, of temporary tables."""

    holds_nul: bool
    """Whether a text may hold the character NUL."""

    row_lock: str
    """What locks the rows of a SELECT against writers until the transaction ends."""

    row_claim: str
    """What locks the rows of a SELECT for writing, and leaves out those that are locked."""

    of_model = "TRUE"
    """The condition of rows that the model gave, in a stage of :meth:`compared`."""

    @abstractmethod
    def session(self) -> AbstractContextManager[Session]:
        """Connect; autocommit outside of :meth:`Session.transaction`."""

    @abstractmethod
    def reading(self) -> AbstractContextManager[Session]:
        """
        Connect for reading alone: the engine itself refuses to write, and makes nothing anew.

        Raises:
            ConfigError: there is no such database, or it may not be read.
        """

    def without_trace(self) -> AbstractContextManager[StateEngine]:
        """Give the engine for a run that writes temporary tables only."""
        return nullcontext(self)

    def planning(self, session: Session) -> AbstractContextManager[None]:
        """Prepare the session for joins of whole tables."""
        return nullcontext()

    def transaction_number(self, session: Session) -> int | None:
        """Give the number by which the transaction at hand is known later; None where none is."""
        return None

    def has_committed(self, session: Session, number: int) -> bool | None:
        """Say whether a transaction happened; None while it goes on."""
        return False

    def visits_follow(self) -> AbstractContextManager[None]:
        """Say that sessions of the block follow each other, so that opening may be saved."""
        return nullcontext()

    @abstractmethod
    def table(self, name: str) -> str:
        """Give the quoted, qualified name of a permanent state table."""

    @abstractmethod
    def prepare(self, session: Session) -> None:
        """Create the schema, where the engine has schemas."""

    @abstractmethod
    def columns_of(self, session: Session, table: str) -> list[str]:
        """Give the column names of a state table, or none if there is no such table."""

    @abstractmethod
    def tables_of(self, session: Session, prefix: str) -> list[str]:
        """Give the names of the state tables that begin so."""

    def can_rename(self, session: Session, plan: str, snapshot: str) -> bool:
        """Say whether a plan can take a snapshot's name: it is cheap, and columns fit."""
        return False

    @abstractmethod
    def check_source(self, source: Source) -> None:
        """
        Refuse a source that state cannot be kept beside.

        Raises:
            ConfigError: what to do about it.
        """

    @abstractmethod
    def same_database(self, source: Source) -> bool:
        """Say whether the model can be staged by CREATE TABLE AS."""

    @abstractmethod
    def model_error(self, error: Exception) -> IterableSyncError | None:
        """Give what a driver's error while the model runs means; None if it is no driver's."""

    @abstractmethod
    def query_here(self, session: Session, source: Source) -> AbstractContextManager[None]:
        """Make the tables of a source of the same database visible to model SQL."""

    @abstractmethod
    def after_plan(self, session: Session, plan: str) -> None:
        """Make a finished plan quick to read by ``_seq``."""

    def compared(self, session: Session, sql: str, diff: DiffSql) -> str:
        """Give the SELECT of a stage with what comparing while staging makes of it, if anything."""
        return sql

    @abstractmethod
    def candidates(self, stage: str, diff: DiffSql) -> Candidates:
        """Give the rows of stage ``s`` and snapshot ``t`` that may differ."""


@dataclass(frozen=True, slots=True)
class DiffSql:
    """
    What finding candidates needs.

    Args:
        snapshot: its quoted, qualified name.

        keys: quoted key columns, never NULL in either table.

        compared: quoted columns that both tables have.

        staged: quoted columns of the stage.

        wide: those of *compared*, with their types, that nobody asks the stage for once it was
            compared.

        stage_suspect, snapshot_suspect: conditions over ``s`` and over ``t`` under which a row is
            looked at whatever its values say.
    """

    snapshot: str
    keys: tuple[str, ...]
    compared: tuple[str, ...]
    staged: tuple[str, ...]
    wide: tuple[tuple[str, str], ...]
    stage_suspect: str
    snapshot_suspect: str

    @property
    def on(self) -> str:
        """The join condition."""
        return " AND ".join(f"s.{k} = t.{k}" for k in self.keys)


@dataclass(frozen=True, slots=True)
class Candidates:
    """
    Where candidates come from.

    Args:
        before, after: statements to run around.

        added: FROM clause with ``s`` alone, of rows that the snapshot does not know; None where
            they are among *parts*.

        parts: FROM clauses with ``s`` and ``t`` and their WHERE; with *added* each candidate once.
    """

    before: tuple[str, ...]
    added: str | None
    parts: tuple[tuple[str, str], ...]
    after: tuple[str, ...]


class Source(ABC):
    """
    A database that models are read from.

    Errors of :meth:`columns` and :meth:`read` are ours, and quote no row: a driver's message may.
    """

    dialect: str
    """Name of the SQL dialect, as sqlglot knows it."""

    max_identifier_bytes: int = 255

    @abstractmethod
    def columns(self, sql: str) -> list[SourceColumn]:
        """
        Describe the result of the model without running it where the engine can.

        Raises:
            ModelError: the engine does not take the SQL.

            RetryLater: the engine cannot be asked now.
        """

    @abstractmethod
    def cast(self, type_name: str) -> Cast:
        """Give the way of a type into the stage."""

    def declared(self, cast: Cast, wire: WireType) -> Cast:
        """Give the way of a column whose type in Iterable was declared."""
        return cast

    @abstractmethod
    def read(
        self, sql: str, select: Sequence[str], schema: pa.Schema
    ) -> AbstractContextManager[Iterator[pa.RecordBatch]]:
        """
        Run ``SELECT <select> FROM (<sql>) AS q`` once, read-only, streamed.

        Args:
            select: expressions, one for each field of *schema*.
        """

    def not_before(self, time: SourceTime, moment: datetime) -> str | None:
        """
        Give a condition over ``q``, over the bare column, so that an index or a partition helps.

        Args:
            moment: in UTC; a time without a zone is compared to its digits.

        Returns:
            None where the source cannot be asked for a part of the rows.
        """
        digits = moment.replace(tzinfo=None).isoformat(sep=" ")
        literal = (
            f"CAST('{digits}' AS timestamp)"
            if time.naive
            else f"CAST('{digits}+00:00' AS timestamp with time zone)"
        )
        return f"q.{self.quote(time.name)} >= {literal}"

    def expression(self, cast: Cast, name: str, zone: str | None) -> str:
        """Give the expression over ``q`` that brings a column, by its own name, into the stage."""
        literal = "'" + (zone or "").replace("'", "''") + "'"
        return cast.sql.format(f"q.{self.quote(name)}", literal)

    def greatest(self, column: SourceColumn, condition: str) -> str:
        """Give the aggregate of a column of ``q``: its greatest value in rows of a condition."""
        return f"max(CASE WHEN {condition} THEN q.{self.quote(column.name)} END)"

    def quote(self, name: str) -> str:
        """Quote an identifier of this source."""
        return '"' + name.replace('"', '""') + '"'

    def text(self, expression: str) -> str:
        """Turn an expression into text, bytes compared."""
        return f"CAST({expression} AS text)"

    def double(self, expression: str) -> str:
        """Turn an expression, a number or its text, into a double."""
        return f"CAST({expression} AS double precision)"

    def shown(self, expression: str) -> str:
        """Give an expression as SQL that a person can run."""
        return expression


def arrow_schema(columns: Sequence[Column]) -> pa.Schema:
    """Give the Arrow schema of state columns."""
    import pyarrow as pa

    types = {
        StateType.BIGINT: pa.int64(),
        StateType.DOUBLE: pa.float64(),
        StateType.BOOLEAN: pa.bool_(),
        StateType.TEXT: pa.string(),
    }
    return pa.schema(
        [
            pa.field(
                c.name,
                pa.decimal128(38, c.scale) if c.state is StateType.DECIMAL else types[c.state],
            )
            for c in columns
        ]
    )
