"""
Data feeds of Iterable that get each recipient a voucher code of Voucherify when a message is sent.

Nothing here makes a request: Iterable has no API for data feeds, so a person pastes what this works
out.

Source: https://docs.voucherify.io/integrations/iterable, documented, for the address, the keys and
the clusters; https://support.iterable.com/hc/en-us/articles/45728211053332, documented, for what a
feed does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING
from urllib.parse import quote

from iterable_sync.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

HEADERS = {
    "X-App-Id": "the Application ID of the integration keys",
    "X-App-Token": "the Secret Key of the integration keys",
}
"""Header of the feed -> what a person puts into it; the keys themselves never come here."""

KEYS = (
    "Voucherify, Project Settings > General > Integration Keys: a new key with the role User and "
    "the integration Iterable. Its secret key is shown for 15 minutes only: keep it at once."
)
NOTES = (
    "The method is GET. Leave caching off: a cached answer is one code for all recipients.",
    "Each send makes the request and publishes a code: a message that is sent again does so again.",
    "A feed that fails, or takes 10 seconds, skips the send of that recipient (DataFeedError).",
    "The requests count for the API limits of your Voucherify project.",
)
ALWAYS_THERE = ("email", "userId")
"""Fields of a profile that no mapping has to write: they are who it is."""

_ALIAS = re.compile(r"(?![0-9]+$)[A-Za-z0-9_]{1,100}")
_FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")


class Cluster(StrEnum):
    """Where a project of Voucherify lives."""

    EU = "eu"
    US1 = "us1"
    AS1 = "as1"


_HOSTS = {
    Cluster.EU: "api.voucherify.io",
    Cluster.US1: "us1.api.voucherify.io",
    Cluster.AS1: "as1.api.voucherify.io",
}


@dataclass(frozen=True, slots=True)
class VoucherFeed:
    """
    A data feed: the codes of one campaign, under an alias.

    Args:
        campaign: its name in Voucherify, to the letter.

        alias: by which templates name the feed.

        customer_field: the field of the profile by which Voucherify knows the customer.
    """

    campaign: str
    alias: str
    cluster: Cluster = Cluster.EU
    customer_field: str = "source_id"

    @property
    def url(self) -> str:
        """The address, with the recipient's field as Handlebars that Iterable fills in."""
        return (
            f"https://{_HOSTS[self.cluster]}/v1/publications/create?customer[source_id]="
            f"{{{{#urlEncode}}}}{{{{{self.customer_field}}}}}{{{{/urlEncode}}}}"
            f"&campaign[name]={quote(self.campaign, safe='')}"
        )

    @property
    def code(self) -> str:
        """What stands in a template for the code."""
        return f"[[{self.alias}.voucher.code]]"

    @property
    def metadata(self) -> str:
        """What stands in a template for metadata of the voucher, here ``marketing_text``."""
        return f"[[{self.alias}.voucher.metadata.marketing_text]]"


def voucher_feeds(
    campaigns: Sequence[str],
    aliases: Sequence[str],
    *,
    cluster: Cluster = Cluster.EU,
    customer_field: str = "source_id",
) -> list[VoucherFeed]:
    """
    Give a feed for each campaign.

    Args:
        aliases: one for each of *campaigns*, in their order.

    Raises:
        ConfigError: there are none, or more of one than of the other; a name is none, or comes
            twice.
    """
    if not campaigns or len(campaigns) != len(aliases):
        raise ConfigError(
            f"{len(campaigns)} campaigns and {len(aliases)} aliases: each feed needs one of both, "
            'e.g. --campaign "Welcome Codes" --alias welcome_codes'
        )
    for campaign in campaigns:
        if not (campaign.strip() and campaign.isprintable()):
            raise ConfigError(
                f"campaign {campaign!r} is blank, or has characters that are not printable"
            )
    for alias in aliases:
        if not _ALIAS.fullmatch(alias):
            raise ConfigError(
                f"alias {alias!r}: an alias has letters, digits and underscores, and is no number; "
                "e.g. welcome_codes"
            )
    _check_once("campaign", campaigns, "a feed is of one campaign, and one feed of it is enough")
    # In a template two that differ by case alone would be one typo apart.
    _check_once("alias", [alias.lower() for alias in aliases], "templates tell feeds by it")
    if not _FIELD.fullmatch(customer_field):
        raise ConfigError(
            f"customer field {customer_field!r} is no name of a field; e.g. source_id, userId, or "
            "voucherify.id for a field of an object"
        )
    return [
        VoucherFeed(campaign, alias, cluster, customer_field)
        for campaign, alias in zip(campaigns, aliases, strict=True)
    ]


def check_customer_field(name: str, fields: Collection[str], *, where: str) -> None:
    """
    Check that the profile has the field by which Voucherify knows the customer.

    Args:
        fields: what is written, under the names of Iterable.

        where: what writes them, as messages name it.

    Raises:
        ConfigError: nothing writes it, and every request would be without a customer.
    """
    if name in fields or name in ALWAYS_THERE:
        return
    near = [field for field in fields if field.lower() == name.lower()]
    hint = (
        f"it has {near[0]!r}, and templates tell capitals apart: say --customer-field {near[0]}"
        if near
        else f'write e.g. user_id AS "{name}" into the model of users, or say another field with '
        "--customer-field, e.g. userId"
    )
    raise ConfigError(
        f"{where} writes no field {name!r}, by which the feed names the customer; {hint}"
    )


def _check_once(what: str, names: Sequence[str], why: str) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(f"{what} {', '.join(map(repr, twice))} comes twice: {why}")
