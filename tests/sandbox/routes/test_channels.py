from __future__ import annotations


def test_channels_have_the_documented_members(sandbox):
    channels = sandbox.get("/api/channels").json()["channels"]

    assert channels
    for channel in channels:
        assert channel.keys() == {"id", "name", "channelType", "messageMedium"}
