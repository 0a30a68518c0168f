"""
Presets: what other tools do with their data by default, as settings of a sync, by its object.

A preset is a table and no code: each entry is a setting of :class:`iterable_sync.spec.SyncSpec`,
which takes it where nobody gave the setting. ``required`` has names of fields as Iterable has them.
"""

from __future__ import annotations

from typing import Any, TypeAlias

Settings: TypeAlias = dict[str, Any]

PRESETS: dict[str, dict[str, Settings]] = {
    # Source: Segment's destination Iterable (Actions), its presets and required fields, documented.
    "segment_actions": {
        # Upsert User: an e-mail or a userId, which every row needs anyway.
        "users": {},
        # Track Calls: all but those that are purchases and carts; the name is needed anyway.
        "events": {
            "event_names": {"Order Completed": None, "Cart Updated": None},
            "unmapped_events": "pass",
        },
        # Order Completed Calls: user data, items and total.
        "orders": {"required": ("items", "total")},
        # Update Cart Calls: user data and items.
        "carts": {"required": ("items",)},
    },
    # Source: Freshpaint's destination Iterable, documented.
    "freshpaint": {
        "users": {},
        "events": {},
        "orders": {"required": ("campaignId", "templateId", "items", "total")},
    },
    # Source: Segment's e-commerce destination Seg, documented.
    "seg": {
        "users": {"required": ("email",)},
        "events": {
            "event_names": {
                "Viewed Product Category": "RangeView",
                "Viewed Product": "ProductView",
                "Added Product": "AddedToBasket",
                "Order Completed": "OrderPlaced",
            },
            "unmapped_events": "ignore",
        },
    },
}
