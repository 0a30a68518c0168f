"""Campaigns: reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..answers import Answer, Refused, envelope, reply
from ..endpoints import Call, Endpoint
from ..paging import page_of

if TYPE_CHECKING:
    from ..state import State

_PAGE_DEFAULT, _PAGE_MOST = 20, 1000
_SORTED_BY = ("id", "name", "createdAt", "updatedAt", "startAt")
_STATES = (
    "Draft", "Ready", "Scheduled", "Running", "Finished", "Starting", "Aborted", "Recurring",
    "Archived",
)  # fmt: skip


def get_campaigns(state: State, call: Call) -> Answer:
    """
    Give a page of campaigns.

    Source:
        Swagger ``CampaignsResponse``, documented. A project that may no longer read without pages
        gets the first one by default: the documented reading for new projects. That wrong
        parameters are refused, and with what, is assumed.
    """
    page = page_of(call, default_size=_PAGE_DEFAULT, max_size=_PAGE_MOST)
    wanted = {text for name, text in call.pairs if name == "campaignState"}
    unknown = wanted.difference(_STATES)
    if unknown:
        raise Refused(envelope(400, "BadParams", f"Invalid campaignState: {min(unknown)}"))
    campaigns = [
        campaign
        for campaign in _sorted(state.messaging.campaigns, call.query.get("sort", "id"))
        if not wanted or campaign["campaignState"] in wanted
    ]
    return reply(
        {
            "campaigns": page.cut(campaigns),
            "totalCampaignsCount": len(campaigns),
            **page.neighbours(call, len(campaigns)),
        }
    )


def _sorted(campaigns: list[dict[str, Any]], sort: str) -> list[dict[str, Any]]:
    # A "+" in a query that was not encoded arrives as a space.
    name = sort.removeprefix("-") if sort.startswith("-") else sort.removeprefix("+").lstrip(" ")
    if name not in _SORTED_BY:
        raise Refused(envelope(400, "BadParams", f"Invalid sort: {sort}"))
    # A campaign that never started comes before those that did (assumed).
    with_it = sorted((one for one in campaigns if name in one), key=lambda one: one[name])
    ordered = [*(one for one in campaigns if name not in one), *with_it]
    return ordered[::-1] if sort.startswith("-") else ordered


ENDPOINTS = (
    Endpoint("GET", "/api/campaigns", get_campaigns, limit="campaigns/get", read_only_key=True),
)
