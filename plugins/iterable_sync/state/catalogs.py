"""What state says of a sync of catalog items: its catalog, its JSON, what can be read back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iterable_sync.rows import WireType
from iterable_sync.state.claims import CATALOG
from iterable_sync.state.plans import SEND

if TYPE_CHECKING:
    from iterable_sync.spec import SyncSpec
    from iterable_sync.state.dialects.base import Session, StateEngine
    from iterable_sync.state.registry import Registered


def declared_catalog(spec: SyncSpec) -> tuple[str, ...]:
    """Give the name of the catalog that a sync claims, if it has one."""
    return () if spec.catalog is None else (spec.catalog,)


def json_objects(
    engine: StateEngine, session: Session, registered: Registered, plan: str
) -> frozenset[str]:
    """
    Give the JSON columns of which each value that a plan sends is an object.

    Args:
        plan: quoted, qualified name.
    """
    names = [c.name for c in registered.columns if c.wire is WireType.JSON]
    if not names:
        return frozenset()
    # None where there is no value.
    are = ", ".join(
        f"min(CASE WHEN ltrim({engine.dialect.quote(name)}) LIKE '{{%' THEN 1 "
        f"WHEN {engine.dialect.quote(name)} IS NOT NULL THEN 0 END)"
        for name in names
    )
    found = session.rows(f"SELECT {are} FROM {plan} WHERE _route = '{SEND}'")[0]
    return frozenset(name for name, is_object in zip(names, found, strict=True) if is_object)


def latest_settled(
    engine: StateEngine,
    session: Session,
    registered: Registered,
    spec: SyncSpec,
    *,
    settle_s: float,
) -> str | None:
    """Give the id of the latest run of which items of the declared catalog have settled."""
    if not engine.columns_of(session, registered.snapshot_table):
        return None
    found = session.rows(
        f"SELECT t._run FROM {engine.table(registered.snapshot_table)} t "
        "WHERE t._status = 'live' AND t._dirty IS NULL "
        f"AND t._accepted_at <= now() - {settle_s} * INTERVAL '1 second' "
        f"AND EXISTS (SELECT 1 FROM {engine.table('claims')} c WHERE c.sync_id = ? "
        "AND c.kind = ? AND c.name = ?) ORDER BY t._accepted_at DESC LIMIT 1",
        (registered.sync_id, CATALOG, str(spec.catalog).lower()),
    )
    return str(found[0][0]) if found else None
