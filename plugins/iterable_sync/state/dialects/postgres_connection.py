"""Connections to PostgreSQL, and what psycopg's errors mean for a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iterable_sync.errors import ModelError, RetryLater, StateLost

if TYPE_CHECKING:
    import psycopg

    from iterable_sync.errors import IterableSyncError

# SQLSTATE classes of what another time may not be there: a lost connection, conflicts, exhausted
# resources, locks, timeouts (25P03: idle in a transaction) and shutdowns.
_PASSING = ("08", "25P03", "40", "53", "55", "57", "58")


def connect(
    conninfo: str, *, read_only: bool = False, idle_in_transaction_s: float | None = None
) -> psycopg.Connection[Any]:
    """
    Connect in autocommit, without server-side prepared statements.

    Args:
        idle_in_transaction_s: how long the server waits for the next statement of a transaction
            before it ends the connection; None leaves it to the server.

    Raises:
        RetryLater: the server cannot be reached; the message holds no connection string.
    """
    import psycopg

    # Types become text in one way, whatever a role or database prefers; the time zone stays
    # theirs, models may rely on it.
    settings = (
        "SET datestyle = 'ISO, YMD'; SET intervalstyle = 'postgres'; SET bytea_output = 'hex'; "
        "SET extra_float_digits = 1"
    )
    if read_only:
        # Holds for single statements too, which psycopg's own read_only does not.
        settings += "; SET default_transaction_read_only = on"
    if idle_in_transaction_s is not None:
        settings += (
            f"; SET idle_in_transaction_session_timeout = {idle_in_transaction_s * 1000:.0f}"
        )
    try:
        connection = psycopg.connect(
            conninfo, autocommit=True, prepare_threshold=None, client_encoding="UTF8"
        )
        connection.execute(settings.encode())
    except psycopg.OperationalError as error:
        raise RetryLater(f"cannot connect to Postgres: {type(error).__name__}") from None
    return connection


def model_error(error: Exception) -> IterableSyncError | None:
    """Give what an error of psycopg, while a model runs, means for the run."""
    import psycopg

    if not isinstance(error, psycopg.Error):
        return None
    if _is_passing(error):
        what = error.sqlstate or type(error).__name__
        return RetryLater(f"Postgres ended the model SQL: {what}")
    return ModelError(f"Postgres cannot run the model SQL: {error.sqlstate} {in_words(error)}")


def state_lost(error: BaseException) -> StateLost | None:
    """Give what an error means for work on the state that another attempt may do; None if not."""
    import psycopg

    if not isinstance(error, psycopg.Error) or not _is_passing(error):
        return None
    if error.sqlstate is None and not isinstance(
        error, psycopg.OperationalError | psycopg.InterfaceError
    ):
        return None
    what = error.sqlstate or type(error).__name__
    return StateLost(f"Postgres, where state is kept, ended the work: {what}")


def _is_passing(error: psycopg.Error) -> bool:
    return error.sqlstate is None or error.sqlstate.startswith(_PASSING)


def in_words(error: psycopg.Error) -> str:
    """Give what may be shown: only messages about syntax and rights (class 42) quote no row."""
    is_about_sql = (error.sqlstate or "").startswith("42")
    return (is_about_sql and error.diag.message_primary) or type(error).__name__


def identify(conninfo: str) -> tuple[str, ...] | None:
    """Identify a database as one role sees it, whatever connection string led to it."""
    import psycopg

    connection = connect(conninfo)
    try:
        # Another role may not read the model's tables, another search_path finds others, another
        # zone gives other texts: then a copy, read as the warehouse connection says, is right.
        return connection.execute(
            "SELECT system_identifier::text, current_database(), current_user::text, "
            "current_setting('search_path'), current_setting('TimeZone') FROM pg_control_system()"
        ).fetchone()
    except psycopg.Error:
        return None  # hosted servers may not show it; a copy is then the safe way
    finally:
        connection.close()
