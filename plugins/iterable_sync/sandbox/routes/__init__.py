"""The endpoints of the API, one file per area."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import (
    campaigns,
    catalog_items,
    catalogs,
    channels,
    commerce,
    events,
    lists,
    subscriptions,
    user_identity,
    user_reads,
    user_removal,
    user_subscriptions,
    users,
)

if TYPE_CHECKING:
    from ..endpoints import Endpoint

ENDPOINTS: tuple[Endpoint, ...] = (
    *users.ENDPOINTS,
    *user_reads.ENDPOINTS,
    *user_identity.ENDPOINTS,
    *user_removal.ENDPOINTS,
    *lists.ENDPOINTS,
    *channels.ENDPOINTS,
    *campaigns.ENDPOINTS,
    *subscriptions.ENDPOINTS,
    *user_subscriptions.ENDPOINTS,
    *catalogs.ENDPOINTS,
    *catalog_items.ENDPOINTS,
    *events.ENDPOINTS,
    *commerce.ENDPOINTS,
)
