"""
Which events a run looks at, and for how long it is kept in mind which were sent.

A model of events returns all that ever happened. A run asks for those of a *window*: from
``look_back`` before the newest event seen (the cursor), or from the oldest one that is still to be
sent, if that is older. What is behind the window is done with. Sent keys are forgotten after
``retention``, and never while they are in the window; up to where they are forgotten is the low
water. The window must not reach below it: what is there may have been sent.

Times are compared as the canonical text in which state keeps them (``2024-11-25
13:37:19.5+00:00``): of the years 1 to 9999, its order by bytes is that of time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from iterable_sync.rows import Op

if TYPE_CHECKING:
    from collections.abc import Sequence

    from iterable_sync.spec import SyncSpec
    from iterable_sync.state.columns import Model
    from iterable_sync.state.dialects.base import Session, Source, StateEngine

# A time without a zone differs from UTC by less.
_ZONES = timedelta(days=1)
# DuckDB's TIMESTAMP_NS begins in 1677: what is older is not compared by a warehouse.
_OLDEST = datetime(1700, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Window:
    """
    The window of a run; moments are canonical texts.

    Args:
        start: events before it are not looked at; None looks at all.

        now: of the state's database.

        cursor: the newest event that a complete run has seen, but not later than that run.

        low_water: what was before it may have been sent and is forgotten.
    """

    start: str | None
    now: str
    cursor: str | None = None
    low_water: str | None = None

    @property
    def is_below_low_water(self) -> bool:
        """Whether it reaches where nobody knows what was sent."""
        return self.low_water is not None and (self.start is None or self.start < self.low_water)


def find_window(engine: StateEngine, session: Session, spec: SyncSpec, sync_id: int) -> Window:
    """Give the window of the next run of a sync; *sync_id* 0 is one that never ran."""
    now = written(
        datetime.fromtimestamp(float(session.rows("SELECT extract(epoch FROM now())")[0][0]), UTC)
    )
    since = None if spec.since is None else written(spec.since)
    found = (
        session.rows(
            f"SELECT cursor_at, unresolved_since, low_water FROM {engine.table('syncs')} "
            "WHERE sync_id = ?",
            (sync_id,),
        )
        if sync_id
        else []
    )
    cursor, unresolved, low_water = found[0] if found else (None, None, None)
    start = start_after(cursor, unresolved, spec.look_back_s)
    starts = [moment for moment in (start, since) if moment is not None]
    return Window(max(starts, default=None), now, cursor, low_water)


def since_only(spec: SyncSpec) -> Window | None:
    """Give the window of rows that may change, of which the older ones are left alone."""
    if spec.since is None:
        return None
    return Window(written(spec.since), written(spec.since))


def leave_alone(
    engine: StateEngine,
    session: Session,
    keys: Sequence[str],
    time: str,
    window: Window,
    *,
    plan: str,
    snapshot: str,
) -> None:
    """
    Take out of a plan that rows are gone which the window does not look at any more.

    Args:
        keys, time: quoted columns.

        plan, snapshot: quoted, qualified names.
    """
    if window.start is None:
        return
    same = " AND ".join(f"t.{key} = p.{key}" for key in keys)
    before = f"{is_time(f't.{time}')} AND {is_before(engine, f't.{time}', window.start)}"
    session.execute(
        f"DELETE FROM {plan} AS p WHERE p._op = '{Op.REMOVED}' AND EXISTS "
        f"(SELECT 1 FROM {snapshot} t WHERE {same} AND {before})"
    )


def asked(source: Source, model: Model, window: Window) -> str:
    """Give the model's SQL, restricted to the window where the source can do that."""
    if window.start is None or model.time is None:
        return model.sql
    moment = _read(window.start)
    if moment < _OLDEST:
        return model.sql
    condition = source.not_before(model.time, moment - _ZONES if model.time.naive else moment)
    if condition is None:
        return model.sql
    # What has no time is refused, not overlooked.
    is_null = f"q.{source.quote(model.time.name)} IS NULL"
    return f"SELECT * FROM (\n{model.sql}\n) AS q WHERE {condition} OR {is_null}"


def in_window(engine: StateEngine, time: str, window: Window) -> str:
    """Give the condition under which *time*, a text, is looked at: what is no time always is."""
    if window.start is None:
        return "TRUE"
    before = is_before(engine, time, window.start)
    return f"({time} IS NULL OR NOT ({is_time(time)} AND {before}))"


def is_forgotten(engine: StateEngine, time: str, window: Window) -> str:
    """Give the condition under which a row may have been sent and forgotten."""
    if window.low_water is None:
        return "FALSE"
    return f"({is_time(time)} AND {is_before(engine, time, window.low_water)})"


def is_time(time: str) -> str:
    """Give the condition under which a text is a time of the years 1 to 9999."""
    return f"{time} LIKE '____-__-__ __:__:__%+00:00' AND {time} NOT LIKE '% BC%'"


def newest_in(session: Session, table: str, time: str) -> str | None:
    """Give the greatest time of a table."""
    found = session.rows(f'SELECT max({time} COLLATE "C") FROM {table} WHERE {is_time(time)}')
    newest: str | None = found[0][0]
    return newest


def start_after(cursor: str | None, unresolved: str | None, look_back_s: float) -> str | None:
    """Give the start of the window that follows a cursor and the oldest row that waits."""
    if cursor is None:
        return None
    start = earlier(cursor, look_back_s)
    return start if unresolved is None else min(start, unresolved)


def is_before(engine: StateEngine, time: str, moment: str) -> str:
    """Give the condition under which *time* is before *moment*."""
    return f'{time} COLLATE "C" < {engine.dialect.literal(moment)}'


def earlier(moment: str, seconds: float) -> str:
    """Give the moment that is so much earlier."""
    try:
        return written(_read(moment) - timedelta(seconds=seconds))
    except OverflowError:
        return written(datetime.min.replace(tzinfo=UTC))


def _read(moment: str) -> datetime:
    return datetime.fromisoformat(moment)


def written(moment: datetime) -> str:
    """Give a moment as the canonical text in which state keeps it."""
    text = moment.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ")
    return f"{text.rstrip('0') if '.' in text else text}+00:00"
