"""SMS events of people who cannot or do not want to be texted: counted, and not planned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iterable_sync.rows import Column, StateType, WireType
from iterable_sync.sms_consent import consent_columns
from iterable_sync.state.dialects.base import arrow_schema
from iterable_sync.state.event_names import LeftOut
from iterable_sync.values.phones import e164

if TYPE_CHECKING:
    from iterable_sync.spec import SyncSpec
    from iterable_sync.state.dialects.base import Session, StateEngine
    from iterable_sync.state.registry import Registered
    from iterable_sync.values import Bad

_TABLE = "_no_phones"
_PHONE = Column("phone", "", StateType.TEXT, WireType.STRING, 0)


def without_consent(
    engine: StateEngine, session: Session, spec: SyncSpec, registered: Registered, news: str
) -> LeftOut:
    """
    Find the events that ``sms_consent`` blocks: no opt-in, no phone, or none that can be dialled.

    Phones are read here by the code that writes them into requests, so that nothing which passes
    is without its phone there. It leaves a temporary table to the session.

    Args:
        news: FROM and WHERE of the rows that would be planned.
    """
    if not spec.sms_consent:
        return LeftOut()
    quote = engine.dialect.quote
    phone_column, opt_in_column = consent_columns(registered.columns)
    phone = f"CAST(s.{quote(phone_column.name)} AS text)"
    opted = f"COALESCE(lower(CAST(s.{quote(opt_in_column.name)} AS text)) = 'true', FALSE)"
    has_phone = f"COALESCE(TRIM({phone}) <> '', FALSE)"
    _load_refused(
        engine,
        session,
        f"SELECT DISTINCT {phone} AS phone {news} AND {opted} AND {has_phone}",
        phone_column.region,
    )
    is_refused = f"{phone} IN (SELECT n.phone FROM {engine.temporary}{_TABLE} n)"
    kinds = {
        "whose people have not opted in": f"NOT {opted}",
        "without a phone number": f"{opted} AND NOT {has_phone}",
        "with one that cannot be dialled": f"{opted} AND {has_phone} AND {is_refused}",
    }
    counts = ", ".join(f"count(CASE WHEN {kind} THEN 1 END)" for kind in kinds.values())
    counted = dict(zip(kinds, map(int, session.rows(f"SELECT {counts} {news}")[0]), strict=True))
    rows = sum(counted.values())
    parts = ", ".join(f"{n} {words}" for words, n in counted.items() if n)
    notes = [f"blocked {rows} events, by sms_consent: {parts}"] if rows else []
    return LeftOut(f"NOT ({opted} AND {has_phone} AND NOT {is_refused})", rows, notes)


def _load_refused(engine: StateEngine, session: Session, phones: str, region: str | None) -> None:
    """Make a temporary table of those *phones*, a query of distinct ones, that are none."""
    import pyarrow as pa

    schema = arrow_schema([_PHONE])
    found = session.arrow(phones, schema).column(0).combine_chunks()
    refused: Bad = {}
    e164(found.cast(pa.large_string()), region, refused)
    table = f"{engine.temporary}{_TABLE}"
    session.execute(f"DROP TABLE IF EXISTS {table}")
    session.execute(f"CREATE TEMP TABLE {table} (phone {engine.dialect.ddl_type(_PHONE)})")
    rows = found.take(pa.array(list(refused), pa.int64()))
    session.load(table, schema, iter([pa.RecordBatch.from_arrays([rows], schema=schema)]))
