"""Products that people have looked at and left: which of them become events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from iterable_sync.state import PostgresSource
from models.model_world import day, events, fill, requests, run, shop, told

if TYPE_CHECKING:
    from datetime import datetime

    from harness import World
    from iterable_sync.rows import RunReport

HOUR_S = 3_600
PRODUCT = {
    "product_id": "00503",
    "name": "Kite",
    "category": "toys",
    "price": 24.9,
    "sale_price": 19.92,
    "image": "https://images.example.com/2.jpg",
}


def view(at: datetime, who: str | None = "u1", product: str | None = "00503") -> dict[str, Any]:
    """Give a view of a product by somebody."""
    return {
        "view_id": f"{who}-{product}-{at:%d%H%M%S}",
        "user_id": who,
        "email": who and f"{who}@example.com",
        "viewed_at": at,
        "product_id": product,
        "url": f"https://shop.example.com/{product}",
    }


def sync(world: World, as_of: datetime, params: Any = None) -> RunReport:
    """Run the sync of the events of products that were looked at."""
    key = ("user_id", "product_id", "viewed_on")
    return run(world, "browse_abandonment", object="events", key=key, as_of=as_of, params=params)


@pytest.mark.capability("E29", "E4")
def test_a_product_that_was_looked_at_and_left_becomes_an_event(world: World) -> None:
    """Once for a person, product and day in UTC, some time after the last view of that day."""
    shop(
        world,
        page_views=[
            view(day(2, "10:00")),
            view(day(2, "11:00")),
            view(day(2, "11:00"), None),
            view(day(2, "11:00"), "u2", None),
            view(day(3, "00:00")),
        ],
        products=[PRODUCT],
    )

    report = sync(world, day(3), {"image_size": 120})

    assert 1 == report.queried
    assert [
        {
            "who": "u1",
            "name": "Browse Abandonment",
            "at": day(2, "15:00"),
            "fields": {
                "product_id": "00503",
                "viewed_on": "2026-03-02 00:00:00 +00:00",
                "views": 2,
                "url": "https://shop.example.com/00503",
                "name": "Kite",
                "category": "toys",
                "price": 24.9,
                "sale_price": 19.92,
                "imageUrl": "https://images.example.com/2.jpg?w=120",
            },
        }
    ] == events(world)

    sync(world, day(4))

    assert [
        ("u1", "Browse Abandonment", day(2, "15:00")),
        ("u1", "Browse Abandonment", day(3, "04:00")),
    ] == told(world)


def test_the_event_comes_when_its_delay_is_over_and_once(world: World) -> None:
    """Not before; not again in another run, for an older moment, or under another delay."""
    shop(world, page_views=[view(day(2, "10:00"))])
    sync(world, day(2, "13:59:59"))
    assert [] == told(world)
    sync(world, day(2, "14:00"))
    assert [("u1", "Browse Abandonment", day(2, "14:00"))] == told(world)
    fill(world, page_views=[view(day(2, "10:00")), view(day(2, "16:00"))])

    for as_of, delay_s in ((day(3), 4 * HOUR_S), (day(2, "15:00"), 60), (day(5), 48 * HOUR_S)):
        sync(world, as_of, {"browse_after_s": delay_s})

        assert [] == requests(world)


def test_a_delay_that_is_not_over_begins_again_with_another_view(world: World) -> None:
    """Who still looks at it has not left it."""
    shop(world, page_views=[view(day(2, "10:00")), view(day(2, "10:50"))])

    sync(world, day(2, "11:30"), {"browse_after_s": HOUR_S})
    assert [] == told(world)

    sync(world, day(2, "12:00"), {"browse_after_s": HOUR_S})
    assert [("u1", "Browse Abandonment", day(2, "11:50"))] == told(world)


def test_what_is_in_the_cart_or_was_bought_has_no_event(world: World) -> None:
    """Bought since the first view of the day, by this person; of the cart whatever its time."""
    people = {
        "in the cart": {"cart": "00503"},
        "bought between": {"bought": ("00503", "10:30")},
        "bought at once": {"bought": ("00503", "10:00")},
        "bought later": {"bought": ("00503", "23:00")},
        "bought before": {"bought": ("00503", "09:59")},
        "bought another": {"bought": ("00501", "10:30")},
        "another in the cart": {"cart": "00501"},
        "nothing": {},
    }
    shop(
        world,
        page_views=[view(day(2, clock), who) for who in people for clock in ("10:00", "11:00")],
        cart_items=[
            {"user_id": who, "product_id": did["cart"]}
            for who, did in people.items()
            if "cart" in did
        ],
        order_items=[
            {"user_id": who, "product_id": product, "ordered_at": day(2, clock)}
            for who, did in people.items()
            if "bought" in did
            for product, clock in [did["bought"]]
        ],
    )

    report = sync(world, day(3))

    left = ["another in the cart", "bought another", "bought before", "nothing"]
    assert (4, left) == (report.queried, [who for who, _, _ in told(world)])


def test_a_day_is_one_in_utc_wherever_the_warehouse_is(postgres_world: World) -> None:
    """The key, and the time of the event, are the same in every zone of a session."""
    shop(postgres_world, page_views=[view(day(2, "14:00")), view(day(2, "16:00"))])
    source = postgres_world.source
    assert isinstance(source, PostgresSource)
    postgres_world.source = PostgresSource(f"{source.conninfo}%20-ctimezone%3DAsia%2FTokyo")

    sync(postgres_world, day(3))

    assert [("2026-03-02 00:00:00 +00:00", day(2, "20:00"))] == [
        (row["fields"]["viewed_on"], row["at"]) for row in events(postgres_world)
    ]
