"""Message channels: a fixed set, enough to check a connection with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..answers import Answer, reply
from ..endpoints import Call, Endpoint

if TYPE_CHECKING:
    from ..state import State

# The form is documented (Swagger `ChannelDetails`); these two channels are made up.
_CHANNELS = (
    {"id": 1, "name": "Marketing", "channelType": "Marketing", "messageMedium": "Email"},
    {"id": 2, "name": "Transactional", "channelType": "Transactional", "messageMedium": "Email"},
)


def get_channels(_state: State, _call: Call) -> Answer:
    """
    Give the message channels.

    Source:
        Swagger ``ChannelsResponse``, documented.
    """
    return reply({"channels": _CHANNELS})


ENDPOINTS = (
    Endpoint("GET", "/api/channels", get_channels, limit="channels/get", read_only_key=True),
)
