"""The endpoints of the API, one file per area."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import channels, lists, user_reads, users

if TYPE_CHECKING:
    from ..endpoints import Endpoint

ENDPOINTS: tuple[Endpoint, ...] = (
    *users.ENDPOINTS,
    *user_reads.ENDPOINTS,
    *lists.ENDPOINTS,
    *channels.ENDPOINTS,
)
