"""A shop in words, for the page of its DAG: what it sends, and what not and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iterable_sync.shop.streams import STREAMS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iterable_sync.shop.config import ShopConfig


def described(config: ShopConfig) -> str:
    """Give Markdown that says of every stream whether it is on and why, and of every setting."""
    return "\n".join(_lines(config))


def _lines(config: ShopConfig) -> Iterator[str]:
    yield f"Streams of `{config.name}`, in their order. A stream that is off sends nothing."
    yield ""
    yield "| stream | sends | model | because |"
    yield "|---|---|---|---|"
    decisions, order = config.decisions(), config.order()
    for name in [*order, *(name for name in STREAMS if name not in order)]:
        is_on, why = decisions[name]
        sql = config.of(name).sql or STREAMS[name].sql
        model = f"`{sql}`" if sql.endswith(".sql") else "a query of its own"
        yield f"| {name} | {'on' if is_on else '**off**'} | {model} | {why} |"
    yield ""
    yield f"* Sent from {config.since.isoformat()} on: orders and events."
    for setting, value in config.settings().items():
        if isinstance(value, list):
            yield f"* {setting}: {', '.join(value)}"
        else:
            unit = "seconds" if setting.endswith("_s") else "pixels"
            yield f"* {setting.removesuffix('_s')}: {value} {unit}"
    if config.phone_region:
        yield f"* Phone numbers that do not say their country are of {config.phone_region}."
    for name, of_list in config.lists.items() if decisions["lists"].is_on else ():
        yield f"* List {name}: `{of_list.where}`"
    if users := config.requires():
        yield f"* In email-based projects, rows wait for their person in `{users}`."
    if any(config.is_sms(name) for name in order):
        yield "* Text messages: to those who agreed and have a phone number in E.164."
