"""
The journal of batches: ``open`` before the POST, ``settled`` after its answer.

This is the record of what was sent; snapshot and rejections are folded from it. All of it runs in
the transaction of the caller, who checks the lease in the same one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from iterable_sync.rows import Batch, BatchResult, Rejection
    from iterable_sync.state.dialects.base import Session, StateEngine

OPEN = "open"
SETTLED = "settled"
FOLDED = "folded"

REJECTED = "rejected"
IN_DOUBT = "in_doubt"
NOT_APPLIED = "not_applied"
REJECTED_IN_DOUBT = "rejected_in_doubt"

LOOKED = "_look"
"""The field of an accepted row's exception that says what a look found, so that it was not sent."""

Exceptional: TypeAlias = "tuple[int, str, str, str | None, float | None]"
"""A row or field that was not accepted: seq, column or '', outcome, reason, seconds to wait."""


def open_batches(
    engine: StateEngine,
    session: Session,
    run_id: str,
    token: int,
    batches: Sequence[Batch],
    *,
    column_of: Mapping[str, str],
    retry_after_s: Mapping[str, float | None],
) -> None:
    """
    Write down, before they are sent, which rows will be in doubt.

    What mapping refused is not sent, so it is written down now and never in doubt.

    Args:
        column_of, retry_after_s: as in :func:`settle_batches`.
    """
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
    refused = [
        row for b in batches for row in _rejected(b.rejections, column_of, retry_after_s).values()
    ]
    _write_exceptions(engine, session, run_id, refused)


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
    settled = [
        (
            r.batch.number,
            r.http_status,
            r.attempts,
            r.requests,
            r.bytes_sent,
            r.request_id,
            r.seconds,
        )
        for r in results
    ]
    run = engine.dialect.literal(run_id)
    batches = engine.table("batches")
    session.execute(
        f"UPDATE {batches} AS b SET state = '{SETTLED}', settled_at = now(), "
        "http_status = n.http_status, attempts = n.attempts, requests = n.requests, "
        "bytes_sent = n.bytes_sent, request_id = n.request_id, seconds = n.seconds "
        "FROM (SELECT unnest(CAST(? AS integer[])) AS number, "
        "unnest(CAST(? AS integer[])) AS http_status, unnest(CAST(? AS integer[])) AS attempts, "
        "unnest(CAST(? AS integer[])) AS requests, unnest(CAST(? AS bigint[])) AS bytes_sent, "
        "unnest(CAST(? AS text[])) AS request_id, "
        "unnest(CAST(? AS double precision[])) AS seconds) AS n "
        f"WHERE b.run_id = {run} AND b.number = n.number",
        _columns(settled),
    )
    exceptions = [row for r in results for row in _exceptions(r, column_of, retry_after_s)]
    _write_exceptions(engine, session, run_id, exceptions)


def _write_exceptions(
    engine: StateEngine, session: Session, run_id: str, rows: Sequence[Exceptional]
) -> None:
    if rows:
        session.execute(
            f"INSERT INTO {engine.table('batch_exceptions')} "
            "(run_id, seq, field, outcome, reason, retry_after_s) "
            f"SELECT {engine.dialect.literal(run_id)}, unnest(CAST(? AS bigint[])), "
            "unnest(CAST(? AS text[])), unnest(CAST(? AS text[])), unnest(CAST(? AS text[])), "
            "unnest(CAST(? AS double precision[]))",
            _columns(rows),
        )


def unsettled(
    engine: StateEngine, session: Session, run_id: str, last_seq: int
) -> list[tuple[int, int]]:
    """Give the seq ranges up to *last_seq* that are in no settled batch."""
    settled = session.rows(
        f"SELECT seq_lo, seq_hi FROM {engine.table('batches')} "
        f"WHERE run_id = ? AND state <> '{OPEN}' ORDER BY seq_lo",
        (run_id,),
    )
    gaps = []
    after = 1
    for lo, hi in settled:
        if lo > after:
            gaps.append((after, lo - 1))
        after = max(after, hi + 1)
    if after <= last_seq:
        gaps.append((after, last_seq))
    return gaps


def _columns(rows: Sequence[tuple[object, ...]]) -> list[list[object]]:
    # One list a column: a statement for all rows, where one a row costs a millisecond each.
    return [list(column) for column in zip(*rows, strict=True)]


def _exceptions(
    result: BatchResult,
    column_of: Mapping[str, str],
    retry_after_s: Mapping[str, float | None],
) -> list[Exceptional]:
    """Give what was not written down when the batch was opened."""
    rows: dict[tuple[int, str], Exceptional] = {}
    for seq in result.in_doubt:
        rows[seq, ""] = (seq, "", IN_DOUBT, None, None)
    for seq in result.not_applied:
        rows[seq, ""] = (seq, "", NOT_APPLIED, None, None)
    rejected = _rejected(result.rejections, column_of, retry_after_s)
    for place in rows.keys() & rejected.keys():
        if rows[place][2] == IN_DOUBT:
            seq, name, _, reason, wait_s = rejected[place]
            rejected[place] = (seq, name, REJECTED_IN_DOUBT, reason, wait_s)
    rows |= rejected
    for seq, fields in result.uncreated.items():
        for field in fields:
            name = _column(field, column_of)
            reason = "field_not_created"
            rows.setdefault((seq, name), (seq, name, REJECTED, reason, retry_after_s.get(reason)))
    for seq, found in result.looked.items():
        rows[seq, LOOKED] = (seq, LOOKED, LOOKED, found, None)
    opened = _rejected(result.batch.rejections, column_of, retry_after_s)
    return [row for place, row in rows.items() if place not in opened]


def _rejected(
    rejections: Sequence[Rejection],
    column_of: Mapping[str, str],
    retry_after_s: Mapping[str, float | None],
) -> dict[tuple[int, str], Exceptional]:
    rows: dict[tuple[int, str], Exceptional] = {}
    for rejection in rejections:
        name = _column(rejection.field, column_of) if rejection.field else ""
        wait_s = retry_after_s.get(rejection.reason)
        rows[rejection.seq, name] = (rejection.seq, name, REJECTED, rejection.reason, wait_s)
    return rows


def _column(field: str, column_of: Mapping[str, str]) -> str:
    """Give the column of a field: its own, or the one whose value holds it."""
    path = field
    while path not in column_of and "." in path:
        path = path.rpartition(".")[0]
    return column_of.get(path, "")
