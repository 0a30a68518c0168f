"""
Carts: ``POST /api/commerce/updateCart``, one request for each cart that changed.

A person has one cart in Iterable, ``shoppingCartItems`` of the profile, and a request replaces it.
So a row of the model is a person with what is in the cart now: the column ``items``, a JSON list,
or the lines that are nested under it, see :mod:`iterable_sync.commerce_items`. No items, NULL or an
empty list, are an empty cart, which is sent as such. Of a cart that leaves the model
(``on_remove="clear"``) an empty one is sent as well: what stayed would be mailed about.

The request has the person and the items and nothing else. Fields of the person are nested under
``user``, see :mod:`iterable_sync.commerce`; any other column is an error.

Each request also makes a custom event ``updateCart`` of the person, one more where it is sent
again. A purchase empties the cart by itself; what is in the warehouse is sent again then, see
:mod:`iterable_sync.objects.orders`.

Source: Swagger ``UpdateCartRequest`` and article 26732012099348, documented.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iterable_sync.commerce import Commerce, Requests
from iterable_sync.errors import ConfigError
from iterable_sync.fields import Chunk
from iterable_sync.rows import Role
from iterable_sync.sync_object import Shape

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from iterable_sync.payloads import PayloadBlock
    from iterable_sync.rows import Rejection
    from iterable_sync.sync_object import MapContext


class Carts(Commerce):
    """The cart of each person."""

    name: str = "carts"
    path: str = "/api/commerce/updateCart"
    removals: tuple[str, ...] = ("clear", "ignore")
    settings: frozenset[str] = frozenset(
        {
            "line_key",
            "max_wait_s",
            "merge_nested_objects",
            "newest_by",
            "on_identity_change",
            "requires",
            "seed_sql",
        }
    )
    shape: Shape = Shape(
        "carts",
        writes_identity=False,
        roles={Role.ITEMS: ("items",)},
        required=frozenset({Role.ITEMS}),
    )

    def payloads(
        self, frame: pd.DataFrame, context: MapContext
    ) -> tuple[PayloadBlock, list[Rejection]]:
        """Map a chunk; see :class:`iterable_sync.sync_object.SyncObject`."""
        import pyarrow.compute as pc

        requests = Requests(Chunk(frame, is_whole=True), context)
        others = [column.name for column in requests.add_fields() if not column.is_key]
        if others:
            raise ConfigError(
                f"a cart has no fields of its own: {', '.join(others)}; exclude the columns, or "
                "nest them under user, as in user__city, to write them to the person's profile"
            )
        (column,) = (c for c in context.columns if c.role is Role.ITEMS)
        items = requests.items(column)
        return requests.written(',"items":', pc.coalesce(items, "[]"))

    def profile_of(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Give what the profile shows of a row; see :class:`iterable_sync.read_back.OnProfiles`."""
        return {**row["user"].get("dataFields", {}), "shoppingCartItems": row["items"]}


OBJECT = Carts()
