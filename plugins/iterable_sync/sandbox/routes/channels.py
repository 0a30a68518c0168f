"""Message channels and message types."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..answers import Answer, reply
from ..endpoints import Call, Endpoint

if TYPE_CHECKING:
    from ..state import State


def get_channels(state: State, _call: Call) -> Answer:
    """
    Give the message channels.

    Source:
        Swagger ``ChannelsResponse``, documented.
    """
    return reply({"channels": state.messaging.channels})


def get_message_types(state: State, _call: Call) -> Answer:
    """
    Give the message types.

    Source:
        Swagger ``MessageTypesResponse``, documented.
    """
    return reply({"messageTypes": state.messaging.message_types})


ENDPOINTS = (
    Endpoint("GET", "/api/channels", get_channels, limit="channels/get", read_only_key=True),
    Endpoint(
        "GET",
        "/api/messageTypes",
        get_message_types,
        limit="messageTypes/get",
        read_only_key=True,
    ),
)
