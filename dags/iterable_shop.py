"""
All that a shop knows of its customers, from the warehouse to Iterable.

The page of the DAG says which streams are on, and which are off and why; all settings:
docs/shop.md. Connections: as in ``iterable_users.py``.
"""

from __future__ import annotations

from datetime import UTC, datetime

# Airflow looks into files alone that have the letters "dag" and "airflow" in them.
from iterable_sync import ShopConfig, shop_dag

dag = shop_dag(
    ShopConfig(
        # From when on Iterable gets orders and events.
        since=datetime(2026, 1, 1, tzinfo=UTC),
        regular_events=True,  # or {"purchases": True, "shipments": False, "customers": True}
        return_cart_events=True,
        browsing_events=True,
        sms_events=False,
        lists={"Cart abandoners": "audience = 'Cart Abandoners'"},
    )
)
