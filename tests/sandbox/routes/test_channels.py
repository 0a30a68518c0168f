from __future__ import annotations

MESSAGE_TYPE = {"id", "name", "channelId", "createdAt", "updatedAt", "subscriptionPolicy"}
OPTIONAL = {"rateLimitPerMinute", "frequencyCap"}


def test_channels_have_the_documented_members(sandbox):
    channels = sandbox.get("/api/channels").json()["channels"]

    for channel in channels:
        assert channel.keys() == {"id", "name", "channelType", "messageMedium"}
    assert {channel["channelType"] for channel in channels} == {"Marketing", "Transactional"}


def test_message_types_have_the_documented_members_and_a_channel(sandbox):
    types = sandbox.get("/api/messageTypes").json()["messageTypes"]
    channels = {channel["id"] for channel in sandbox.get("/api/channels").json()["channels"]}

    for each in types:
        assert MESSAGE_TYPE <= each.keys() <= MESSAGE_TYPE | OPTIONAL
    assert {each["channelId"] for each in types} == channels
    assert {each["subscriptionPolicy"] for each in types} == {"OptIn", "OptOut"}


def test_project_can_have_other_channels_and_message_types(sandbox):
    messaging = sandbox.server.app_state.messaging
    messaging.channels = [
        {"id": 9, "name": "Push", "channelType": "Marketing", "messageMedium": "Push"}
    ]
    messaging.message_types = []

    assert sandbox.get("/api/channels").json() == {"channels": messaging.channels}
    assert sandbox.get("/api/messageTypes").json() == {"messageTypes": []}


def test_reset_brings_back_the_first_content(sandbox):
    before = sandbox.get("/api/channels").json()
    sandbox.server.app_state.messaging.channels.clear()
    sandbox.server.reset()

    assert sandbox.get("/api/channels").json() == before
