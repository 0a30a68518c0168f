"""Catalogs in the small world of the harness: rows that are items, and what Iterable has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness import World
    from iterable_sync.rows import RunReport
    from iterable_sync.sandbox.catalogs import Catalog
    from iterable_sync.spec import SyncSpec

NAME = "Products"
PRODUCTS = {"sku": "text", "name": "text", "price": "double precision"}


def put(world: World, *rows: tuple[Any, ...], columns: dict[str, str] | None = None) -> None:
    """Replace the products of the warehouse."""
    world.put(*rows, columns=columns or PRODUCTS, table="products")


def spec(world: World, **changes: Any) -> SyncSpec:
    """Give a sync of products into a catalog, which it may create."""
    values = {
        "sync": "products",
        "object": "catalog",
        "sql": world.sql(table="products"),
        "key": "sku",
        "catalog": NAME,
        "create_catalog": True,
        "guards": {"min_rows": 0},
    }
    return world.spec(**values | changes)


def sync(world: World, *, options: Any = None, client: Any = None, **changes: Any) -> RunReport:
    """Run the sync; no test waits for real."""
    waits = {"sleep": lambda _s: None} | (options or {})
    return world.sync(spec(world, **changes), options=waits, client=client)


def create(world: World, name: str = NAME) -> None:
    """Create a catalog in Iterable, by hand."""
    with world.server.app_state.lock:
        world.server.app_state.catalogs.create(name)


def catalog(world: World, name: str = NAME) -> Catalog:
    """Give a catalog of Iterable."""
    with world.server.app_state.lock:
        found = world.server.app_state.catalogs.find(name)
    assert found is not None
    return found


def items(world: World, name: str = NAME) -> dict[str, Any]:
    """Give the items of a catalog: id -> fields."""
    return {one: item.value for one, item in catalog(world, name).items.items()}


def sent(world: World) -> dict[str, Any]:
    """Give the items in the requests of the latest client: id -> fields."""
    assert world.client is not None
    return {
        one: fields
        for body in world.client.bodies
        for one, fields in body.get("documents", {}).items()
    }


def settle(world: World, hours: int = 1) -> None:
    """Let what was accepted have been accepted some time ago."""
    table = world.rows("SELECT snapshot_table FROM {syncs} WHERE sync = 'products'")[0][0]
    world.write(f"UPDATE {{{table}}} SET _accepted_at = _accepted_at - INTERVAL '{hours} hours'")
