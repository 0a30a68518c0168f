"""Events that a sync leaves out by their names: counted, named in a note, and not planned."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from iterable_sync.errors import ConfigError
from iterable_sync.rows import Role

if TYPE_CHECKING:
    from collections.abc import Iterable

    from iterable_sync.spec import SyncSpec
    from iterable_sync.state.dialects.base import Session, StateEngine
    from iterable_sync.state.registry import Registered

_MOST_NAMED = 5
_MOST_CHARACTERS = 60


@dataclass(frozen=True, slots=True)
class LeftOut:
    """
    Rows that are not planned.

    Args:
        where: the condition over the stage ``s`` that they meet; never NULL.
    """

    where: str = "FALSE"
    rows: int = 0
    notes: list[str] = field(default_factory=list)


def left_out(
    engine: StateEngine, session: Session, spec: SyncSpec, registered: Registered, news: str
) -> LeftOut:
    """
    Find the events that ``event_names`` and ``unmapped_events`` leave out.

    A row without a name is none of them: it is rejected, whoever else may have sent it.

    Args:
        news: FROM and WHERE of the rows that would be planned.

    Raises:
        ConfigError: there are names that are not mapped, and that is to be an error.
    """
    column = next((c for c in registered.columns if c.role is Role.EVENT_NAME), None)
    if spec.event_names is None or column is None:
        return LeftOut()
    name = f"s.{engine.dialect.quote(column.name)}"
    unmapped = f"(TRIM({name}) <> '' AND NOT {_among(engine, name, spec.event_names)})"
    if spec.unmapped_events == "error":
        found = _count(session, news, name, unmapped)
        if found.rows:
            raise ConfigError(
                f"sync {spec.sync}: {found} have names that event_names does not map; nothing was "
                "sent. Map them (to None, to leave them out), or say unmapped_events='ignore' or "
                "'pass'"
            )
    none = [old for old, new in spec.event_names.items() if new is None]
    where = _among(engine, name, none)
    if spec.unmapped_events == "ignore":
        where = f"({where} OR {unmapped})"
    where = f"COALESCE({where}, FALSE)"
    found = _count(session, news, name, where)
    notes = [f"ignored {found}, by their names"] if found.rows else []
    return LeftOut(where, found.rows, notes)


@dataclass(frozen=True, slots=True)
class _Found:
    rows: int
    names: int
    most: tuple[str, ...]

    def __str__(self) -> str:
        """Give the counts, and the names that come most often: they are chosen by programs."""
        named = ", ".join(repr(name[:_MOST_CHARACTERS]) for name in self.most)
        more = f" and {left} more" if (left := self.names - len(self.most)) else ""
        return f"{self.rows} events of {self.names} names ({named}{more})"


def _count(session: Session, news: str, name: str, where: str) -> _Found:
    rows = session.rows(
        "SELECT n.name, sum(n.n) OVER (), count(*) OVER () FROM "
        f"(SELECT {name} AS name, count(*) AS n {news} AND {where} GROUP BY 1) AS n "
        f"ORDER BY n.n DESC, n.name LIMIT {_MOST_NAMED}"
    )
    if not rows:
        return _Found(0, 0, ())
    return _Found(int(rows[0][1]), int(rows[0][2]), tuple(row[0] for row in rows))


def _among(engine: StateEngine, name: str, names: Iterable[str]) -> str:
    literals = ", ".join(map(engine.dialect.literal, names))
    return f"{name} IN ({literals})" if literals else "FALSE"
