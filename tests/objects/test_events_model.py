"""The example model: from a table of page views to events, by the declarations of a sync."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import duckdb
import pandas as pd
import pytest

from iterable_sync import objects
from iterable_sync.identity import identity_sql
from iterable_sync.objects.events import OBJECT
from iterable_sync.rows import ProjectType
from iterable_sync.spec import SyncSpec
from iterable_sync.sqlfiles import sql_root
from iterable_sync.state import DuckDBSource
from iterable_sync.state.columns import understand
from iterable_sync.state.dialects.duckdb_dialect import DuckDBDialect
from iterable_sync.sync_object import MapContext

if TYPE_CHECKING:
    from pathlib import Path

TABLE = """
    view_id BIGINT, user_id VARCHAR, email VARCHAR, viewed_at {time}, campaign_id BIGINT,
    url VARCHAR, title VARCHAR, product_id VARCHAR, referrer VARCHAR, seconds_on_page INTEGER,
    utm JSON
"""


def events(file: Path, values: str, *, time: str = "TIMESTAMPTZ", **changes: Any) -> list[Any]:
    """Give what the model makes of rows; its columns come into the chunk as the stage has them."""
    sql = (sql_root() / "models/events.sql").read_text(encoding="utf-8")
    with duckdb.connect(str(file)) as connection:
        connection.execute(f"CREATE TABLE page_views ({TABLE.format(time=time)})")
        connection.execute(f"INSERT INTO page_views VALUES {values}")
    spec = SyncSpec(sync="views", object="events", sql=sql, key="view_id", **changes)
    model = understand(spec, DuckDBSource(str(file)), DuckDBDialect(), objects.get("events").shape)
    selected = ", ".join(
        f'{expression} AS "{column.name}"'
        for expression, column in zip(model.select, model.columns, strict=True)
    )
    who = identity_sql("email", "user_id", ProjectType.HYBRID)
    with duckdb.connect(str(file)) as connection:
        table = connection.sql(
            f"SELECT view_id AS _seq, 'added' AS _op, '' AS _mask, {who} AS _identity, {selected} "
            f"FROM ({model.sql}) AS q ORDER BY view_id"
        ).to_arrow_table()
    frame = table.to_pandas(types_mapper=pd.ArrowDtype)
    payloads, rejections = OBJECT.payloads(
        frame,
        MapContext(model.columns, ProjectType.HYBRID, project="1.us", sync=spec.sync),
    )
    assert rejections == []
    return [json.loads(payload.body) for payload in payloads]


@pytest.mark.capability("B1", "B13", "B21", "C11")
def test_page_views_become_events(tmp_path: Path) -> None:
    (first, second) = events(
        tmp_path / "shop.duckdb",
        """
        (1, 'U1', 'a@b.co', '2024-11-25 14:37:19.5+01', 9, 'https://a.example/a?b', 'A', NULL, NULL,
         12, '{"source": "mail", "medium": NULL}'),
        (2, NULL, 'A@b.co', '2024-11-25 14:37:20+01', NULL, '/b', NULL, NULL, '/a', NULL, NULL)
        """.replace("NULL}", "null}"),
    )

    assert first == {
        "userId": "U1",
        "eventName": "Page View",
        "id": first["id"],
        "createdAt": 1732541839,
        "campaignId": 9,
        "dataFields": {
            "view_id": 1,
            "url": "https://a.example/a?b",
            "path": "/a?b",
            "title": "A",
            "secondsOnPage": 12,
            "utm": {"source": "mail"},
        },
        "createNewFields": True,
    }
    assert ("a@b.co", {"view_id": 2, "url": "/b", "path": "/b", "referrer": "/a"}) == (
        second["email"],
        second["dataFields"],
    )


@pytest.mark.parametrize(
    ("local", "expected"),
    [
        pytest.param("2024-03-31 01:59:59", 1_711_846_799, id="before the hour that is skipped"),
        pytest.param("2024-03-31 03:00:00", 1_711_846_800, id="a second later"),
        pytest.param("2024-07-01 00:00:00", 1_719_784_800, id="summer"),
        pytest.param("1969-12-31 23:59:59", -3_601, id="before 1970"),
    ],
)
def test_time_without_a_zone_is_in_the_zone_that_is_declared(
    local: str, expected: int, tmp_path: Path
) -> None:
    (event,) = events(
        tmp_path / "shop.duckdb",
        f"(1, 'U1', NULL, '{local}', NULL, NULL, NULL, NULL, NULL, NULL, NULL)",
        time="TIMESTAMP",
        timezone="Europe/Berlin",
    )

    assert expected == event["createdAt"]
