"""``iterable-sync voucher-feed``: what to paste into Iterable for a feed of voucher codes."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from iterable_sync.errors import ConfigError, IterableSyncError
from iterable_sync.voucher_feeds import (
    ALWAYS_THERE,
    HEADERS,
    KEYS,
    NOTES,
    Cluster,
    check_customer_field,
    voucher_feeds,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from iterable_sync.voucher_feeds import VoucherFeed


def voucher_feed(
    *,
    campaign: Annotated[
        list[str], typer.Option(help="Name of a campaign in Voucherify; once for each feed.")
    ],
    alias: Annotated[
        list[str], typer.Option(help="By which templates name the feed; once for each campaign.")
    ],
    cluster: Annotated[
        Cluster, typer.Option(help="Where your Voucherify project lives.")
    ] = Cluster.EU,
    customer_field: Annotated[
        str, typer.Option(help="Field of the profile by which Voucherify knows the customer.")
    ] = "source_id",
    profile_fields: Annotated[
        str | None,
        typer.Option(help="Check the field against these, with commas between: a,b,c."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help="Check it against the columns of this model, e.g. models/users.sql."),
    ] = None,
    dialect: Annotated[
        str, typer.Option(help="SQL dialect of the model, as sqlglot names it.")
    ] = "postgres",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print the data feed that gets each recipient a voucher code. Makes no request."""
    try:
        feeds = voucher_feeds(campaign, alias, cluster=cluster, customer_field=customer_field)
        if profile_fields is not None:
            named = [name.strip() for name in profile_fields.split(",")]
            check_customer_field(customer_field, named, where="--profile-fields")
        if model is not None:
            check_customer_field(customer_field, _fields_of(model, dialect), where=model)
    except IterableSyncError as error:
        typer.echo(f"voucher-feed: {error}", err=True)
        raise typer.Exit(1) from None
    typer.echo(_as_json(feeds) if as_json else _as_text(feeds))


def _fields_of(model: str, dialect: str) -> list[str]:
    """Give the names of a model's columns, a file here or of the package."""
    from iterable_sync.model import author_names, check_select
    from iterable_sync.models import render, text_of
    from iterable_sync.names import dotted

    sql = check_select(render(text_of(model), as_of=datetime.now(UTC)), dialect=dialect).text
    names = author_names(sql, dialect=dialect)
    if names is None or None in names:
        raise ConfigError(
            f"{model}: not every column has a name in the SQL; name its fields with "
            "--profile-fields"
        )
    return [dotted(name) for name in names if name is not None]


def _as_text(feeds: Sequence[VoucherFeed]) -> str:
    lines = []
    for feed in feeds:
        lines += [
            f"Feed {feed.alias}: codes of the campaign {feed.campaign!r}",
            f"  URL       {feed.url}",
            f"  Alias     {feed.alias}",
            f"  Code      {feed.code}",
            f"  Metadata  {feed.metadata}",
            "",
        ]
    lines += ["Headers of each feed", *(f"  {name}: {what}" for name, what in HEADERS.items())]
    lines += [f"  {KEYS}", "", "On the profile", f"  {_on_profile(feeds[0].customer_field)}", ""]
    return "\n".join([*lines, "To know", *(f"  {note}" for note in NOTES)])


def _as_json(feeds: Sequence[VoucherFeed]) -> str:
    document = {
        "feeds": [
            {
                "alias": feed.alias,
                "campaign": feed.campaign,
                "method": "GET",
                "url": feed.url,
                "headers": list(HEADERS),
                "code": feed.code,
                "metadata": feed.metadata,
                "profile_field": feed.customer_field,
            }
            for feed in feeds
        ],
        "keys": KEYS,
        "notes": list(NOTES),
    }
    return json.dumps(document, indent=2, ensure_ascii=False)


def _on_profile(name: str) -> str:
    if name in ALWAYS_THERE:
        return f"{name}: the identifier of the profile; it has to be the customer's source_id there"
    return (
        f"{name}: a field that your sync of users writes; who has none gets no code. Its value "
        "is the customer's source_id in Voucherify"
    )
