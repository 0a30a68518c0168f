"""docs/shop.md says what the shop does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from documents import blocks, spans, table
from iterable_sync.shop.config import Connections, ListConfig, ShopConfig, StreamConfig
from iterable_sync.shop.streams import STREAMS

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import DAG

DOCUMENT = Path(__file__).parents[2] / "docs" / "shop.md"


def dags() -> dict[str, DAG]:
    """Run the files of the document, and give their DAGs."""
    found = {}
    for code in blocks(DOCUMENT, "python"):
        if "shop_dag(" in code:
            names: dict[str, Any] = {}
            exec(code, names)  # noqa: S102 - what readers copy
            found[names["dag"].dag_id] = names["dag"]
    return found


def test_the_table_of_streams_is_that_of_the_code() -> None:
    said = {
        name: tuple(cell.strip("`") for cell in cells[:2]) + tuple(re.findall("`(.+?)`", cells[2]))
        for name, cells in table(DOCUMENT, "stream").items()
    }

    assert list(said) == list(STREAMS)
    assert said == {
        name: (f"sql/{of.sql}", of.object, *of.switches) for name, of in STREAMS.items()
    }


def test_the_table_of_settings_is_that_of_the_code() -> None:
    """Each has its default, and none is missing."""
    defaults = {
        name: _as_text(field.get_default(call_default_factory=True))
        for name, field in ShopConfig.model_fields.items()
        if not field.is_required()
    }
    said = {name: cells[0] for name, cells in table(DOCUMENT, "setting").items()}

    assert said.pop("since") == ""
    assert said == defaults
    assert set(ListConfig.model_fields) | set(StreamConfig.model_fields) <= {
        word for span in spans(DOCUMENT.read_text()) for word in re.findall(r"\w+", span)
    } | {"where"}


def test_the_shops_of_the_document_are_those_that_it_says() -> None:
    made = dags()

    assert {"iterable_shop", "orders_and_carts", "everything"} == made.keys()
    assert ["orders", "carts"] == [
        task.task_id for task in made["orders_and_carts"].topological_sort()
    ]
    assert set(STREAMS) - {"lists"} | {"settle", "list_cart_abandoners", "list_vip_customers"} == (
        made["everything"].task_dict.keys()
    )


def _as_text(value: Any) -> str:
    if isinstance(value, Connections):
        return ", ".join(f"`{name}`" for name in value.model_dump().values())
    if hasattr(value, "model_dump"):
        (every,) = set(value.model_dump().values())
        return f"`{every}`"
    if isinstance(value, tuple):
        return ", ".join(f"`{name}`" for name in value)
    return f"`{value:.0f}`" if isinstance(value, float) else f"`{value}`"
