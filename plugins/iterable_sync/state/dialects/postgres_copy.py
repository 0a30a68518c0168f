"""Rows between Arrow and Postgres, through COPY and Arrow's CSV parser: all of it in C."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import psycopg
    import pyarrow as pa

_BLOCK_BYTES = 1 << 22


def copy_out(
    connection: psycopg.Connection[Any], sql: str, schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    """Stream the rows of a query; a text that is no UTF-8 (SQL_ASCII) passes as it is."""
    import pyarrow as pa
    import pyarrow.csv as pa_csv

    parse = pa_csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False)
    convert = pa_csv.ConvertOptions(
        column_types=schema,
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
        true_values=["t"],
        false_values=["f"],
        check_utf8=False,
    )
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY (\n{sql}\n) TO STDOUT (FORMAT csv)".encode()) as copy,
    ):
        for block in _blocks(copy):
            read = pa_csv.ReadOptions(column_names=schema.names, block_size=len(block) + 1)
            table = pa_csv.read_csv(
                pa.BufferReader(block),
                read_options=read,
                parse_options=parse,
                convert_options=convert,
            )
            yield from table.to_batches()


def _blocks(rows: Iterable[bytes | bytearray | memoryview]) -> Iterator[bytes]:
    """
    Join rows to blocks.

    The server sends a row a message, so a block ends where a row does, and a row of any length
    fits. (Arrow's own streaming reader cuts by bytes, and fails on a row longer than its block.)
    """
    parts: list[bytes | bytearray | memoryview] = []
    size = 0
    for row in rows:
        parts.append(row)
        size += len(row)
        if size >= _BLOCK_BYTES:
            yield b"".join(parts)
            parts, size = [], 0
    if parts:
        yield b"".join(parts)


def copy_in(
    connection: psycopg.Connection[Any],
    table: str,
    schema: pa.Schema,
    batches: Iterable[pa.RecordBatch],
) -> None:
    """Append batches to a table, given by its quoted name."""
    import pyarrow as pa
    import pyarrow.csv as pa_csv

    options = pa_csv.WriteOptions(include_header=False, quoting_style="all_valid")
    names = ", ".join(f'"{n.replace(chr(34), chr(34) * 2)}"' for n in schema.names)
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY {table} ({names}) FROM STDIN (FORMAT csv)".encode()) as copy,
    ):
        for batch in batches:
            sink = pa.BufferOutputStream()
            pa_csv.write_csv(pa.Table.from_batches([batch], schema), sink, options)
            copy.write(memoryview(sink.getvalue()))
