"""The recipes name what there is: streams, models, events, fields, settings and columns."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest
from sqlglot import exp, parse_one

from documents import blocks, spans, table, text_of
from iterable_sync.model import author_names
from iterable_sync.models import render
from iterable_sync.naming import snake_case
from iterable_sync.shop.config import ShopConfig, StreamConfig
from iterable_sync.shop.streams import STREAMS
from iterable_sync.spec import SyncSpec

FOLDER = Path(__file__).parent.parent / "docs/recipes"
RECIPES = sorted(set(FOLDER.glob("*.md")) - {FOLDER / "README.md"})
AS_OF = datetime(2026, 1, 2, tzinfo=UTC)
# Where Iterable calls a column otherwise.
OF_ITERABLE = {
    "campaign_id": "campaignId",
    "template_id": "templateId",
    "items.product_id": "items.id",
    "items.category": "items.categories",
    "items.image_url": "items.imageUrl",
}
# Iterable's own words: a helper of its messages, a block of them, and a moment in its filters.
OF_JOURNEYS = {"defaultIfEmpty", "#if", "now", "now-3d", "now+4d"}

of_each_recipe = pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)


@pytest.mark.capability("E37")
def test_each_type_of_campaign_has_a_recipe():
    """Eleven of them, each once in the list."""
    listed = re.findall(r"^\| \[.+?\]\(([\w-]+\.md)\)", text_of(FOLDER / "README.md"), re.MULTILINE)

    assert len(listed) == 11
    assert sorted(listed) == [recipe.name for recipe in RECIPES]


@pytest.mark.capability("E37")
@of_each_recipe
def test_what_a_recipe_takes_is_there(recipe: Path):
    """Its streams run these models; these give these events, and write these fields."""
    for stream, (model, event, fields) in table(recipe, "stream").items():
        assert f"sql/{STREAMS[stream].sql}" == model.strip("`")
        assert (event == "purchase") == (STREAMS[stream].object == "orders"), stream
        assert bool(spans(event)) == (STREAMS[stream].object == "events"), stream
        assert set(spans(event)) <= texts_of(stream), stream
        assert set(spans(fields)) <= fields_of(stream), stream


@pytest.mark.capability("E37")
@of_each_recipe
def test_a_recipe_speaks_of_nothing_else(recipe: Path):
    """In its words and in what it shows of a message."""
    streams = table(recipe, "stream")
    named = {name for stream in streams for name in words_of(stream)} | settings()

    assert {"What it takes", "Try it first", "What can go wrong"} <= set(
        re.findall("^## (.+)$", text_of(recipe), re.MULTILINE)
    )
    assert [] == sorted(set(spans(text_of(recipe))) - named)
    assert not blocks(recipe, "handlebars")


def test_the_list_of_recipes_speaks_of_what_there_is():
    """Of streams and settings; its message has names of items that events have."""
    text = text_of(FOLDER / "README.md")
    named = {name for stream in STREAMS for name in words_of(stream)} | settings()
    (message,) = blocks(FOLDER / "README.md", "handlebars")

    assert [] == sorted(set(spans(text.replace(message, ""))) - named)
    shown = re.findall(r"\{\{(?:#each )?(\w+)\}\}", message)
    assert set(shown) - {"items"} <= {
        field.removeprefix("items.") for field in fields_of("return_carts")
    }


def settings() -> set[str]:
    """Give what a shop, a sync and a run of it can be told, and the words of journeys."""
    of_shop = {*ShopConfig.model_fields, *StreamConfig.model_fields}
    return {*of_shop, *SyncSpec.model_fields, *OF_JOURNEYS}


@cache
def sql_of(stream: str) -> str:
    return render(STREAMS[stream].sql, as_of=AS_OF)


@cache
def tree(stream: str) -> exp.Expr:
    return parse_one(sql_of(stream), dialect="postgres")


def texts_of(stream: str) -> set[str]:
    """Give the texts in a model; the names of its events are among them."""
    return {str(one.this) for one in tree(stream).find_all(exp.Literal) if one.is_string}


def audiences_of(stream: str) -> set[str]:
    """Give the names of a model's audiences."""
    return {
        str(alias.this.this)
        for alias in tree(stream).find_all(exp.Alias)
        if alias.alias == "audience" and isinstance(alias.this, exp.Literal)
    }


@cache
def fields_of(stream: str) -> set[str]:
    """Give the fields that a stream writes, as Iterable has them."""
    if STREAMS[stream].object == "audiences":
        return {snake_case(name) for name in audiences_of(stream)}
    written = author_names(sql_of(stream), dialect="postgres") or ()
    names = {(name or "").replace("__", ".") for name in written}
    for lines in tree(stream).find_all(exp.Lateral):
        # What is below a column of JSON: of each item, and of each voucher.
        above = {name for name in names if name.startswith(lines.alias)}
        below = lines.find(exp.Select).expressions
        names |= {f"{name}.{column.alias_or_name}" for name in above for column in below}
    return {OF_ITERABLE.get(name, name) for name in names}


@cache
def words_of(stream: str) -> set[str]:
    """Give whatever a text may name of a stream: its name, model, events, fields and columns."""
    columns = {column.name for column in tree(stream).find_all(exp.Column)}
    tables = {one.name for one in tree(stream).find_all(exp.Table)}
    of_sql = columns | tables | texts_of(stream) | fields_of(stream)
    params = re.findall(
        r"params\.(\w+)", (FOLDER.parents[1] / "sql" / STREAMS[stream].sql).read_text()
    )
    return of_sql | {stream, f"sql/{STREAMS[stream].sql}", *params}
