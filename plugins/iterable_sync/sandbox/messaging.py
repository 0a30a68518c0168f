"""Message channels, message types and campaigns: what people set up in Iterable itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

# The form is documented (Swagger `ChannelDetails`, `MessageTypeDetails`, `CampaignDetails`), and
# what the campaigns leave out is optional there; the content is made up.
_SET_UP_MS = 1_704_103_200_000  # 2024-01-01 10:00 UTC
_HOUR_MS = 3_600_000

_ATTRIBUTES = {
    "channels": "channels",
    "messageTypes": "message_types",
    "campaigns": "campaigns",
}
_TIMES = {"createdAt": int, "updatedAt": int}
_NEEDED: dict[str, dict[str, type]] = {
    "channels": {"id": int, "name": str, "channelType": str, "messageMedium": str},
    "messageTypes": {
        "id": int,
        "name": str,
        "channelId": int,
        "subscriptionPolicy": str,
        **_TIMES,
    },
    "campaigns": {
        "id": int,
        "name": str,
        "campaignState": str,
        "type": str,
        "messageMedium": str,
        "createdByUserId": str,
        **_TIMES,
    },
}


def _channels() -> list[dict[str, Any]]:
    return [
        {"id": 1, "name": "Marketing", "channelType": "Marketing", "messageMedium": "Email"},
        {
            "id": 2,
            "name": "Transactional",
            "channelType": "Transactional",
            "messageMedium": "Email",
        },
        {"id": 3, "name": "Text messages", "channelType": "Marketing", "messageMedium": "SMS"},
    ]


def _message_types() -> list[dict[str, Any]]:
    return [
        _message_type(101, "Newsletter", 1, "OptOut"),
        _message_type(102, "Offers", 1, "OptOut") | {"frequencyCap": {"days": 7, "messages": 2}},
        _message_type(103, "Partner news", 1, "OptIn"),
        _message_type(104, "Orders", 2, "OptOut") | {"rateLimitPerMinute": 6000},
        _message_type(105, "Text alerts", 3, "OptIn"),
    ]


def _message_type(number: int, name: str, channel: int, policy: str) -> dict[str, Any]:
    return {
        "id": number,
        "name": name,
        "channelId": channel,
        "createdAt": _SET_UP_MS,
        "updatedAt": _SET_UP_MS,
        "subscriptionPolicy": policy,
    }


def _campaigns() -> list[dict[str, Any]]:
    return [
        _campaign(1001, "Spring sale", "Finished", "Blast")
        | {"startAt": _SET_UP_MS + 5 * _HOUR_MS, "endedAt": _SET_UP_MS + 6 * _HOUR_MS},
        _campaign(1002, "Welcome", "Running", "Triggered") | {"labels": ["onboarding"]},
        _campaign(1003, "Cart reminder", "Running", "Triggered"),
        _campaign(1004, "Autumn sale", "Draft", "Blast"),
    ]


def _campaign(number: int, name: str, state: str, kind: str) -> dict[str, Any]:
    created_at_ms = _SET_UP_MS + (number - 1000) * _HOUR_MS
    return {
        "id": number,
        "name": name,
        "campaignState": state,
        "type": kind,
        "messageMedium": "Email",
        "templateId": number + 1000,
        "createdAt": created_at_ms,
        "updatedAt": created_at_ms,
        "createdByUserId": "marketing@example.com",
    }


@dataclass(slots=True)
class Messaging:
    """The three of them, as a read gives them; seed data may put others in their place."""

    channels: list[dict[str, Any]] = field(default_factory=_channels)
    message_types: list[dict[str, Any]] = field(default_factory=_message_types)
    campaigns: list[dict[str, Any]] = field(default_factory=_campaigns)

    def replace(self, section: str, rows: list[Any]) -> None:
        """
        Put *rows* in the place of all that a section held.

        Args:
            section: ``channels``, ``messageTypes`` or ``campaigns``.

        Raises:
            ValueError: a row lacks a member that the API always shows; nothing is changed then.
        """
        needed = _NEEDED[section]
        for index, row in enumerate(rows):
            if not isinstance(row, dict) or not needed.keys() <= row.keys():
                raise ValueError(f"{section}[{index}]: needs {', '.join(needed)}")
            wrong = [name for name, kind in needed.items() if type(row[name]) is not kind]
            if wrong:
                raise ValueError(f"{section}[{index}].{wrong[0]}: wrong type")
        setattr(self, _ATTRIBUTES[section], rows)

    def channel(self, channel_id: int) -> dict[str, Any] | None:
        """Return the channel with this id."""
        return next((one for one in self.channels if one["id"] == channel_id), None)

    def message_type(self, type_id: int) -> dict[str, Any] | None:
        """Return the message type with this id."""
        return next((one for one in self.message_types if one["id"] == type_id), None)

    def is_opt_in(self, type_id: int) -> bool:
        """Say whether people get messages of this type only once they ask for them."""
        found = self.message_type(type_id)
        return found is not None and found["subscriptionPolicy"] == "OptIn"

    def is_double_opt_in(self, type_id: int) -> bool:
        """
        Say whether subscribing to this message type takes a confirmation.

        Source:
            Swagger, documented: SMS only. That every opt-in message type of SMS is one, assumed:
            nothing in a message type shows it.
        """
        found = self.message_type(type_id)
        if found is None or not self.is_opt_in(type_id):
            return False
        channel = self.channel(found["channelId"])
        return channel is not None and channel["messageMedium"] == "SMS"

    def marketing_email_channel(self) -> int | None:
        """Return the id of the first channel for marketing e-mails."""
        return next(
            (
                channel["id"]
                for channel in self.channels
                if (channel["channelType"], channel["messageMedium"]) == ("Marketing", "Email")
            ),
            None,
        )

    def uses_list(self, list_id: int) -> bool:
        """Say whether a campaign that may still send goes to this list, or leaves it out."""
        return any(
            list_id in (*campaign.get("listIds", ()), *campaign.get("suppressionListIds", ()))
            for campaign in self.campaigns
            if campaign["campaignState"] not in ("Finished", "Aborted", "Archived")
        )
