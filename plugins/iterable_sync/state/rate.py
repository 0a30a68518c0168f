"""
A rate that processes share which share no state: one row in Postgres per endpoint of a project.

The lane keeps the syncs of one state database apart. Where several state databases serve one
project, their runs take their moments to send from here. One statement, in autocommit, by the
clock of this database: nothing is ever idle in a transaction, and no worker's clock matters.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from iterable_sync.errors import ConfigError, RetryLater
from iterable_sync.pacing import DECREASE, INCREASE_PER_S, LOWEST_SHARE, ONE_OVERLOAD_S
from iterable_sync.state.dialects.postgres_connection import connect, in_words

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType
    from typing import Self

    import psycopg

# Grain: an endpoint of a project. Rates are requests per second; a row is never deleted, there are
# as many as there are endpoints.
_CREATE = """
CREATE TABLE IF NOT EXISTS {table} (
    bucket text PRIMARY KEY,
    next_at timestamptz NOT NULL,
    rate_after_cut double precision NOT NULL,
    cut_at timestamptz NOT NULL
)
"""
_ADD = """
INSERT INTO {table} (bucket, next_at, rate_after_cut, cut_at)
VALUES (%(bucket)s, 'epoch', 0, 'epoch')
ON CONFLICT (bucket) DO NOTHING
"""
# A row that another process is writing is waited for and read anew, the clock as well.
_RATE = """
least(%(rate)s, rate_after_cut
    + %(rate)s * %(increase)s * extract(epoch FROM clock_timestamp() - cut_at)::double precision)
"""
_TAKE = """
WITH taken AS (
    UPDATE {table}
    SET next_at = greatest(next_at, clock_timestamp() - %(slack)s * INTERVAL '1 second' / {rate})
        + INTERVAL '1 second' / {rate}
    WHERE bucket = %(bucket)s AND next_at <= clock_timestamp()
    RETURNING 1
)
SELECT CASE
    WHEN EXISTS (SELECT FROM taken) THEN 0
    ELSE greatest(extract(epoch FROM next_at - clock_timestamp())::double precision, 0.001)
END
FROM {table}
WHERE bucket = %(bucket)s
"""
_SLOW_DOWN = """
UPDATE {table}
SET next_at = greatest(next_at, clock_timestamp() + %(pause)s * INTERVAL '1 second'),
    rate_after_cut = CASE WHEN clock_timestamp() - cut_at < %(once)s * INTERVAL '1 second'
        THEN rate_after_cut ELSE greatest({rate} * %(decrease)s, %(lowest)s * %(rate)s) END,
    cut_at = CASE WHEN clock_timestamp() - cut_at < %(once)s * INTERVAL '1 second'
        THEN cut_at ELSE clock_timestamp() END
WHERE bucket = %(bucket)s
"""
# A pause beyond it is no matter: the run that was told to wait ends, and so will the others.
_LONGEST_PAUSE_S = 3_600.0


class PostgresRate:
    """
    The shared rate, for one run; safe to share between its threads.

    Args:
        conninfo: libpq connection string of a database that all workers reach.

        schema: made if absent; the table in it is ``rates``.
    """

    def __init__(self, conninfo: str, *, schema: str = "iterable_sync") -> None:
        self._conninfo = conninfo
        self._schema = schema
        self._lock = threading.Lock()
        self._connection: psycopg.Connection[Any] | None = None
        self._added: set[str] = set()

    def take(self, bucket: str, requests_per_s: float, *, has_waited: bool) -> float:
        """
        Take the next moment of *bucket* if it has come.

        Args:
            has_waited: the caller waited for this moment and wakes late; that must not slow the
                others down.

        Returns:
            0 if it was taken, else the seconds until there may be one.

        Raises:
            RetryLater: the database cannot be reached.

            ConfigError: its role may not keep a table there.
        """
        found = self._run(
            _TAKE, bucket, {"rate": requests_per_s, "slack": 1.0 if has_waited else 0.0}
        )
        return float(found[0][0])

    def on_429(self, bucket: str, requests_per_s: float, retry_after_s: float | None) -> None:
        """Slow everybody down, see :class:`iterable_sync.pacing.Pacer`; raises as :meth:`take`."""
        self._run(
            _SLOW_DOWN,
            bucket,
            {
                "rate": requests_per_s,
                "pause": min(retry_after_s or 0.0, _LONGEST_PAUSE_S),
                "once": ONE_OVERLOAD_S,
                "decrease": DECREASE,
                "lowest": LOWEST_SHARE,
            },
        )

    def close(self) -> None:
        """Close the connection, if there is one."""
        with self._lock:
            self._drop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _run(self, sql: str, bucket: str, params: dict[str, Any]) -> Sequence[Any]:
        import psycopg

        values = {"bucket": bucket, "increase": INCREASE_PER_S, **params}
        with self._lock:
            # A connection may have been closed while nothing was sent; that costs one more try.
            for is_last in (self._connection is None, True):
                try:
                    return self._execute(sql, values)
                except psycopg.OperationalError as error:
                    self._drop()
                    problem = error.sqlstate or type(error).__name__
                    if is_last:
                        break
                except psycopg.Error as error:
                    raise ConfigError(
                        f"the shared rate cannot be kept in schema {self._schema!r}: "
                        f"{error.sqlstate} {in_words(error)}"
                    ) from None
        raise RetryLater(f"the database of the shared rate is not reachable: {problem}")

    def _execute(self, sql: str, values: dict[str, Any]) -> Sequence[Any]:
        if self._connection is None:
            self._connection = connect(self._conninfo)
            self._create(self._connection)
        if values["bucket"] not in self._added:
            self._connection.execute(self._sql(_ADD), values)
            self._added.add(values["bucket"])
        cursor = self._connection.execute(self._sql(sql), values)
        return cursor.fetchall() if cursor.description else ()

    def _create(self, connection: psycopg.Connection[Any]) -> None:
        """Make what is missing; two that make it at once would meet in the catalog."""
        with connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(hashtext('iterable_sync'))")
            known = connection.execute(
                "SELECT to_regnamespace(quote_ident(%s))", (self._schema,)
            ).fetchall()
            if known[0][0] is None:
                connection.execute(self._sql("CREATE SCHEMA {schema}"))
            connection.execute(self._sql(_CREATE))

    def _sql(self, template: str) -> Any:
        from psycopg.sql import SQL, Identifier

        return SQL(template).format(
            table=Identifier(self._schema, "rates"),
            schema=Identifier(self._schema),
            rate=SQL(_RATE),
        )

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
