"""
The journal of batches: ``open`` before the POST, ``settled`` after its answer.

This is the record of what was sent; snapshot and rejections are folded from it. All of it runs in
the transaction of the caller, who checks the lease in the same one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from iterable_sync.rows import Batch, BatchResult
    from iterable_sync.state.dialects.base import Session, StateEngine

OPEN = "open"
SETTLED = "settled"
FOLDED = "folded"

REJECTED = "rejected"
IN_DOUBT = "in_doubt"
NOT_APPLIED = "not_applied"


def open_batches(
    engine: StateEngine, session: Session, run_id: str, token: int, batches: Sequence[Batch]
) -> None:
    """Write down, before they are sent, which rows will be in doubt."""
    if not batches:
        return
    values = ", ".join(["(?, ?, ?, ?, ?, ?, now())"] * len(batches))
    params: list[object] = []
    for batch in batches:
        params += [run_id, token, batch.number, batch.seq_lo, batch.seq_hi, OPEN]
    session.execute(
        f"INSERT INTO {engine.table('batches')} "
        f"(run_id, token, number, seq_lo, seq_hi, state, opened_at) VALUES {values}",
        params,
    )


def settle_batches(
    engine: StateEngine,
    session: Session,
    run_id: str,
    results: Sequence[BatchResult],
    *,
    column_of: Mapping[str, str],
    retry_after_s: Mapping[str, float | None],
) -> None:
    """
    Write down what became of batches: all rows accepted but for the exceptions.

    Args:
        column_of: field of Iterable -> column; nested fields resolve to their longest prefix.

        retry_after_s: reason -> seconds until it is tried again; None waits for a new value.
    """
    if not results:
        return
    for result in results:
        session.execute(
            f"UPDATE {engine.table('batches')} SET state = ?, settled_at = now(), "
            "http_status = ?, attempts = ?, requests = ?, bytes_sent = ?, request_id = ?, "
            "seconds = ? WHERE run_id = ? AND number = ?",
            (
                SETTLED,
                result.http_status,
                result.attempts,
                result.requests,
                result.bytes_sent,
                result.request_id,
                result.seconds,
                run_id,
                result.batch.number,
            ),
        )
    exceptions = [row for r in results for row in _exceptions(r, column_of, retry_after_s)]
    if exceptions:
        columns = [list(c) for c in zip(*exceptions, strict=True)]
        session.execute(
            f"INSERT INTO {engine.table('batch_exceptions')} "
            "(run_id, seq, field, outcome, reason, retry_after_s) "
            f"SELECT {engine.dialect.literal(run_id)}, unnest(CAST(? AS bigint[])), "
            "unnest(CAST(? AS text[])), unnest(CAST(? AS text[])), unnest(CAST(? AS text[])), "
            "unnest(CAST(? AS double precision[]))",
            columns,
        )


def _exceptions(
    result: BatchResult,
    column_of: Mapping[str, str],
    retry_after_s: Mapping[str, float | None],
) -> list[tuple[int, str, str, str | None, float | None]]:
    rows: dict[tuple[int, str], tuple[int, str, str, str | None, float | None]] = {}
    for seq in result.in_doubt:
        rows[seq, ""] = (seq, "", IN_DOUBT, None, None)
    for seq in result.not_applied:
        rows[seq, ""] = (seq, "", NOT_APPLIED, None, None)
    for rejection in result.rejections:
        name = _column(rejection.field, column_of) if rejection.field else ""
        rows[rejection.seq, name] = (
            rejection.seq,
            name,
            REJECTED,
            rejection.reason,
            retry_after_s.get(rejection.reason),
        )
    for seq, fields in result.uncreated.items():
        for field in fields:
            name = _column(field, column_of)
            reason = "field_not_created"
            rows.setdefault((seq, name), (seq, name, REJECTED, reason, retry_after_s.get(reason)))
    return list(rows.values())


def _column(field: str, column_of: Mapping[str, str]) -> str:
    """Give the column of a field: its own, or the one whose value holds it."""
    path = field
    while path not in column_of and "." in path:
        path = path.rpartition(".")[0]
    return column_of.get(path, "")
