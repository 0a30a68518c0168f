"""DuckDB's SQL, where engines differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iterable_sync.rows import Column, StateType
from iterable_sync.state.dialects.base import Cast, Dialect
from iterable_sync.state.dialects.duckdb_types import duckdb_cast

if TYPE_CHECKING:
    from collections.abc import Sequence


class DuckDBDialect(Dialect):
    """DuckDB's SQL."""

    name = "duckdb"
    max_identifier_bytes = 1_000
    # A column of this name would hide the position of a row, by which the diff finds it again.
    own_columns = frozenset({"rowid"})
    max_key_bytes = None

    def type_name(self, column: Column) -> str:
        """Give the type of a column in state tables."""
        if column.state is StateType.DECIMAL:
            return f"DECIMAL(38,{column.scale})"
        return {"bigint": "BIGINT", "double": "DOUBLE", "boolean": "BOOLEAN", "text": "VARCHAR"}[
            column.state.value
        ]

    def cast(self, type_name: str) -> Cast:
        """Give the way of a DuckDB type into the stage."""
        return duckdb_cast(type_name)

    def key_text(self, columns: Sequence[str]) -> str:
        """Give the key as one text: itself, or a JSON array of its parts."""
        texts = [f"CAST({c} AS VARCHAR)" for c in columns]
        return texts[0] if len(texts) == 1 else f"CAST(to_json([{', '.join(texts)}]) AS VARCHAR)"

    def sha256(self, text: str) -> str:
        """Give the SHA-256 of a text in hexadecimal."""
        return f"sha256({text})"
