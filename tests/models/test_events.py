"""Page views, with where they came from, as events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from models.model_world import day, events, fill, requests, run, shop

if TYPE_CHECKING:
    from datetime import datetime

    from harness import World
    from iterable_sync.rows import RunReport


def view(number: int, **more: Any) -> dict[str, Any]:
    """Give a view by somebody."""
    return {
        "view_id": f"v{number}",
        "user_id": f"u{number}",
        "email": f"u{number}@example.com",
        "viewed_at": day(number, "10:00"),
        "url": "https://shop.example.com/toys?sort=price",
    } | more


def sync(world: World, as_of: datetime | None = None) -> RunReport:
    """Run the sync of page views."""
    return run(world, "events", object="events", key="view_id", as_of=as_of)


@pytest.mark.capability("E29", "E33", "E34")
def test_a_page_view_is_an_event_of_the_person_with_its_origin(world: World) -> None:
    """All six parts of the UTM data, and the campaign of Iterable that led there."""
    utm = {
        "source": "newsletter",
        "medium": "email",
        "campaign": "spring",
        "term": "kite",
        "content": "hero",
        "id": "42",
    }
    shop(
        world,
        page_views=[
            view(
                1,
                campaign_id=4001,
                title="Toys",
                product_id="00503",
                referrer="https://search.example.org/",
                seconds_on_page=12,
                utm=utm,
            ),
            view(2),
        ],
    )

    sync(world)

    seen = {"url": "https://shop.example.com/toys?sort=price", "path": "/toys?sort=price"}
    assert [
        {
            "who": "u1",
            "name": "Page View",
            "at": day(1, "10:00"),
            "campaign_id": 4001,
            "fields": {
                "view_id": "v1",
                "title": "Toys",
                "product_id": "00503",
                "referrer": "https://search.example.org/",
                "secondsOnPage": 12,
                "utm": utm,
            }
            | seen,
        },
        {
            "who": "u2",
            "name": "Page View",
            "at": day(2, "10:00"),
            "fields": {"view_id": "v2"} | seen,
        },
    ] == events(world)


@pytest.mark.capability("E29")
def test_a_page_view_is_sent_once(world: World) -> None:
    """A view more is one event more, and an older run has nothing to say."""
    shop(world, page_views=[view(1), view(2)])
    sync(world, day(3))
    fill(world, page_views=[view(1, title="another"), view(2), view(3)])

    sync(world, day(4))

    assert [["v3"]] == [
        [row["dataFields"]["view_id"] for row in body["events"]] for body in requests(world)
    ]
    for as_of in (day(4), day(2)):
        sync(world, as_of)
        assert [] == requests(world)
