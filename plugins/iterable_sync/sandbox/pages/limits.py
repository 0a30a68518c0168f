"""The rate limits, and how much of them is used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup

from .rendering import Shown, Table, code, number, quiet

if TYPE_CHECKING:
    from starlette.requests import Request

    from ..buckets import Level
    from ..state import State


def limits(state: State, _request: Request) -> Shown:
    """Show every limit: those in use first, the emptiest at the top."""
    levels = sorted(
        state.buckets.levels(),
        key=lambda level: (not level.used, level.left / level.limit.requests, level.name),
    )
    rows = [
        (
            code(level.name),
            f"{number(level.limit.requests)} per {_period(level.limit.seconds)}",
            _meter(level.left, max(1, level.limit.requests)) if level.used else quiet("unused"),
            _today(level),
        )
        for level in levels
    ]
    values = {
        "on": state.settings.rate_limits,
        "retry_after": state.settings.retry_after,
        "table": Table("Rate limits", ("Limit", "Requests", "Left now", "Left today"), rows),
    }
    return Shown("limits", values)


def _meter(left: float, most: float) -> Markup:
    text = f"{left:,.0f} of {number(most)}"
    return Markup('<meter min="0" max="{}" low="{}" value="{}" aria-label="{}"></meter> {}').format(
        most, most / 4, round(left, 2), text, text
    )


def _today(level: Level) -> str | Markup:
    if level.today is None or level.limit.daily is None:
        return quiet("no limit")
    return f"{number(level.limit.daily - level.today)} of {number(level.limit.daily)}"


def _period(seconds: float) -> str:
    named = {1: "second", 60: "minute", 3600: "hour", 86400: "day"}
    return named.get(int(seconds), f"{number(seconds)} s")
