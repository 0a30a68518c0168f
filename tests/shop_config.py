"""Configs of a shop for tests: what is said of it, and all else as it is by itself."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from iterable_sync.shop.config import ShopConfig

SINCE = datetime(2026, 1, 1, tzinfo=UTC)
EVERYTHING: dict[str, Any] = {
    "sms_events": True,
    "catalog": "Products",
    "lists": {"VIP": "audience = 'VIP'"},
}
"""What switches every stream on."""


def shop(**given: Any) -> ShopConfig:
    """Give the config that says this, and from when on events are sent."""
    return ShopConfig.model_validate({"since": SINCE, **given})
