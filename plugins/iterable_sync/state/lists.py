"""Which list of Iterable a name means: pinned once, so that a list renamed there stays the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from iterable_sync.rows import Op, Role
from iterable_sync.state.claims import LIST
from iterable_sync.state.plans import SEND
from iterable_sync.state.transactions import patiently, transact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from iterable_sync.spec import SyncSpec
    from iterable_sync.state.dialects.base import Session, StateEngine
    from iterable_sync.state.leases import Lease
    from iterable_sync.state.registry import Registered


@dataclass(frozen=True, slots=True)
class Pin:
    """
    What is known of a name.

    Args:
        list_id: the list that it means; None where it was about to be created, and nobody knows
            what became of that.

        is_created: it was created for a sync.

        intent_s: seconds since it was about to be created; None where it was not.

        pinned_s: seconds since it was pinned; None where it is not.
    """

    list_id: int | None
    is_created: bool
    intent_s: float | None
    pinned_s: float | None


@dataclass(frozen=True, slots=True)
class Membership:
    """
    The members of a list as the snapshot has them.

    Args:
        people: who was accepted as a member.

        in_flight: who was accepted just now, or is in doubt: Iterable may not show them yet.
    """

    people: int
    in_flight: int


class Pins:
    """The pinned lists of a project, for one run of one sync."""

    def __init__(
        self, engine: StateEngine, project: str, lease: Lease, sleep: Callable[[float], None]
    ) -> None:
        self._engine = engine
        self._table = engine.table("lists")
        self._project = project
        self._lease = lease
        self._sleep = sleep

    def known(self) -> dict[str, Pin]:
        """Give what is known, by name; names that were compared longest ago come first."""

        def read(session: Session) -> dict[str, Pin]:
            if not self._engine.columns_of(session, "lists"):
                return {}
            rows = session.rows(
                "SELECT name, list_id, COALESCE(created, FALSE), "
                "extract(epoch FROM now() - intent_at), extract(epoch FROM now() - pinned_at) "
                f"FROM {self._table} WHERE project = ? "
                "ORDER BY compared_at NULLS FIRST, name",
                (self._project,),
            )
            return {
                name: Pin(number, created, *(None if s is None else float(s) for s in seconds))
                for name, number, created, *seconds in rows
            }

        return patiently(self._engine, read, self._sleep)

    def intend(self, name: str) -> None:
        """Note that a list is about to be created, before the request for it."""
        self._write(
            f"INSERT INTO {self._table} (project, name, intent_at) VALUES (?, ?, now()) "
            "ON CONFLICT (project, name) DO UPDATE SET intent_at = now()",
            (self._project, name),
        )

    def pin(self, name: str, list_id: int, *, is_created: bool) -> None:
        """Note which list a name means from now on."""
        self._write(
            f"INSERT INTO {self._table} (project, name, list_id, created, pinned_at) "
            "VALUES (?, ?, ?, ?, now()) ON CONFLICT (project, name) DO UPDATE "
            "SET list_id = excluded.list_id, created = excluded.created, pinned_at = now()",
            (self._project, name, list_id, is_created),
        )

    def used(self) -> list[tuple[str, str, int]]:
        """Give the lists that syncs of the project send to: sync, its name for the list, id."""

        def read(session: Session) -> list[tuple[str, str, int]]:
            rows = session.rows(
                f"SELECT s.sync, c.name, c.list_id FROM {self._engine.table('claims')} c "
                f"JOIN {self._engine.table('syncs')} s ON s.sync_id = c.sync_id "
                "WHERE c.project = ? AND c.kind = ? AND c.list_id IS NOT NULL ORDER BY 1, 2",
                (self._project, LIST),
            )
            return [(sync, name, int(number)) for sync, name, number in rows]

        return patiently(self._engine, read, self._sleep)

    def use(self, list_ids: Mapping[str, int | None]) -> None:
        """Note to which lists a sync sends under its names; None is a name that it has left."""
        for name, number in list_ids.items():
            self._write(
                f"UPDATE {self._engine.table('claims')} SET list_id = ? "
                "WHERE project = ? AND kind = ? AND name = ?",
                (number, self._project, LIST, name),
            )

    def compared(self, names: Iterable[str]) -> None:
        """Note that the sizes of lists were compared."""
        for name in names:
            self._write(
                f"UPDATE {self._table} SET compared_at = now() WHERE project = ? AND name = ?",
                (self._project, name),
            )

    def _write(self, sql: str, parameters: tuple[str | int | bool | None, ...]) -> None:
        def write(session: Session) -> None:
            session.execute(sql, parameters)
            self._lease.check(session)

        transact(self._engine, write, self._sleep)


def declared_list(spec: SyncSpec) -> tuple[str, ...]:
    """Give the name under which a sync claims the one list of all its rows, if it has one."""
    if spec.list_id is not None:
        return (f"#{spec.list_id}",)
    return () if spec.list_name is None else (spec.list_name,)


def audiences(
    engine: StateEngine, session: Session, registered: Registered, plan: str
) -> dict[str | None, bool]:
    """
    Give the names of the lists of the rows that a plan sends.

    Args:
        plan: quoted, qualified name.

    Returns:
        name -> whether somebody goes into it; None for the one list of all rows.
    """
    name = _name_of_list(engine, registered, "p")
    rows = session.rows(
        f"SELECT {name}, max(CASE WHEN p._op <> '{Op.REMOVED}' THEN 1 ELSE 0 END) "
        f"FROM {plan} p WHERE p._route = '{SEND}' GROUP BY 1 ORDER BY 1"
    )
    return {name: bool(enters) for name, enters in rows}


def memberships(
    engine: StateEngine, session: Session, registered: Registered, is_new: str
) -> dict[str | None, Membership]:
    """
    Give, by the name of each list, who is in it as the snapshot says.

    Args:
        is_new: condition over ``t``: accepted so lately that Iterable may not show it yet.
    """
    name = _name_of_list(engine, registered, "t")
    # A person who is the key is there once; others are counted once, which takes longer.
    roles = {column.role for column in registered.columns if column.is_key}
    once = "" if roles <= {Role.EMAIL, Role.USER_ID, Role.AUDIENCE} else "DISTINCT "
    counted = session.rows(
        f"SELECT {name}, count({once}CASE WHEN t._status = 'live' THEN t._identity END), "
        f"count(CASE WHEN t._dirty IS NOT NULL OR {is_new} THEN 1 END) "
        f"FROM {engine.table(registered.snapshot_table)} t GROUP BY 1"
    )
    return {name: Membership(int(people), int(new)) for name, people, new in counted}


def _name_of_list(engine: StateEngine, registered: Registered, alias: str) -> str:
    named = (c for c in registered.columns if c.role is Role.AUDIENCE)
    columns = [f"{alias}.{engine.dialect.quote(column.name)}" for column in named]
    return columns[0] if columns else "CAST(NULL AS text)"
