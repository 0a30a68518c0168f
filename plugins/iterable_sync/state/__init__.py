"""
State: what Iterable last accepted, in tables of your own database.

A state engine (:class:`DuckDBState`, :class:`PostgresState`) keeps it; a source
(:class:`DuckDBSource`, :class:`PostgresSource`, :class:`DbApiSource`) is read.
"""

from __future__ import annotations

from iterable_sync.state.dialects.base import Source, StateEngine
from iterable_sync.state.dialects.dbapi import DbApiSource
from iterable_sync.state.dialects.duckdb import DuckDBState
from iterable_sync.state.dialects.duckdb_source import DuckDBSource
from iterable_sync.state.dialects.postgres import PostgresState
from iterable_sync.state.dialects.postgres_source import PostgresSource
from iterable_sync.state.rate import PostgresRate
from iterable_sync.state.runs import SyncState

__all__ = [
    "DbApiSource",
    "DuckDBSource",
    "DuckDBState",
    "PostgresRate",
    "PostgresSource",
    "PostgresState",
    "Source",
    "StateEngine",
    "SyncState",
]
