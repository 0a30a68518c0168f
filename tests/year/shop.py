"""
A small shop for a year: what its warehouse says each week, all of it out of one seed.

Plain Python. Nothing here knows of the product, or of what Iterable should have.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

Row = dict[str, Any]

# Past, as seen from the state's clock, for the whole of the year.
BEGIN = datetime(2025, 1, 6, 6, tzinfo=UTC)
WEEK = timedelta(days=7)
AUDIENCES = ("VIP", "Lapsed", "Order Completed Last 30days")
LISTS = ("Newsletter", "Winter")
STAGES = ("Trial", "Gold")
CITIES = ("Bern", "Köln", "San José", None)
# Id of a list that people subscribe to by themselves is the world's; the others are Iterable's own.
TYPES, CHANNELS = (101, 102), (1,)

TABLES: dict[str, dict[str, str]] = {
    "users": {
        "user_id": "text",
        "email": "text",
        "city": "text",
        "points": "bigint",
        "nick": "text",
        "balance": "numeric(12, 2)",
        "is_vip": "boolean",
        "born_on": "date",
        "signed_up_at": "timestamptz",
        "zip": "text",
        "street": "text",
    },
    "traits": {
        "user_id": "text",
        "email": "text",
        "order_count": "bigint",
        "spent": "double precision",
        "favourite": "text",
    },
    "audiences": {"user_id": "text", "email": "text", "audience": "text"},
    "lists": {"user_id": "text", "email": "text", "audience": "text"},
    "stages": {
        "user_id": "text",
        "email": "text",
        "audience": "text",
        "entered_at": "timestamptz",
    },
    "orders": {
        "order_id": "text",
        "user_id": "text",
        "email": "text",
        "ordered_at": "timestamptz",
        "total": "numeric(12, 2)",
        "coupon": "text",
        "is_refunded": "boolean",
    },
    "order_lines": {
        "order_id": "text",
        "line_no": "integer",
        "product_id": "text",
        "name": "text",
        "price": "numeric(12, 2)",
        "quantity": "integer",
    },
    "carts": {"user_id": "text", "email": "text"},
    "cart_lines": {
        "user_id": "text",
        "product_id": "text",
        "name": "text",
        "price": "numeric(12, 2)",
        "quantity": "integer",
    },
    "events": {
        "event_id": "bigint",
        "user_id": "text",
        "email": "text",
        "event_name": "text",
        "happened_at": "timestamptz",
        "channel": "text",
        "score": "bigint",
    },
    "page_views": {
        "view_id": "text",
        "user_id": "text",
        "email": "text",
        "viewed_at": "timestamptz",
        "url": "text",
    },
    "consents": {
        "user_id": "text",
        "email": "text",
        "subscription_group": "text",
        "group_id": "bigint",
        "subscribed": "boolean",
    },
    "products": {
        "product_id": "text",
        "name": "text",
        "price": "numeric(12, 2)",
        "in_stock": "boolean",
        "stock": "bigint",
        "category": "text",
    },
    "email_changes": {
        "change_id": "text",
        "user_id": "text",
        "old_email": "text",
        "new_email": "text",
        "changed_at": "timestamptz",
    },
    "requests": {
        "request_id": "text",
        "user_id": "text",
        "email": "text",
        "action": "text",
        "requested_at": "timestamptz",
    },
    "merges": {
        "merge_id": "text",
        "source_email": "text",
        "source_user_id": "text",
        "destination_email": "text",
        "destination_user_id": "text",
        "merged_at": "timestamptz",
    },
}


@dataclass
class Shop:
    """
    The tables of the warehouse, as they are after some weeks.

    Args:
        size: people of the first week.

        list_id: of Iterable's list that people subscribe to by themselves.

        features: which of the kinds of change below happen that not every object can follow:
            ``email_changes``, ``merges``, ``deletions``.
    """

    rng: Random
    size: int = 60
    list_id: int = 0
    features: frozenset[str] = frozenset()
    week: int = 0
    people: dict[str, Row] = field(default_factory=dict)
    away: dict[str, Row] = field(default_factory=dict)
    traits: dict[str, Row] = field(default_factory=dict)
    members: dict[str, dict[tuple[str, str], str]] = field(default_factory=dict)
    orders: dict[str, Row] = field(default_factory=dict)
    lines: dict[str, list[Row]] = field(default_factory=dict)
    carts: dict[str, dict[str, int]] = field(default_factory=dict)
    events: list[Row] = field(default_factory=list)
    views: list[Row] = field(default_factory=list)
    consents: dict[tuple[str, str, int], bool] = field(default_factory=dict)
    products: dict[str, Row] = field(default_factory=dict)
    email_changes: list[Row] = field(default_factory=list)
    requests: list[Row] = field(default_factory=list)
    merges: list[Row] = field(default_factory=list)
    story: list[str] = field(default_factory=list)
    _made: int = 0
    _free: list[str] = field(default_factory=list)
    _since: dict[str, int] = field(default_factory=dict)
    _freed: list[str] = field(default_factory=list)
    _forgotten: list[tuple[str, str]] = field(default_factory=list)
    _left_at: dict[str, int] = field(default_factory=dict)
    _clock: datetime = BEGIN

    @property
    def begin(self) -> datetime:
        """The moment at which the week begins; its syncs run at the end of it."""
        return BEGIN + self.week * WEEK

    @property
    def end(self) -> datetime:
        """The moment whose data the syncs of the week send."""
        return self.begin + WEEK

    def next_week(self) -> list[str]:
        """Let a week pass; give what happened in words."""
        self.story = []
        if not self.people:
            self._clock = self.begin
            self._set_up()
        else:
            self.week += 1
            self._clock = self.begin
            for happens in self._kinds():
                happens()
        return self.story

    def tables(self) -> dict[str, list[Row]]:
        """Give the rows of each table; what is about people has the address of today."""
        return {
            "users": list(self.people.values()),
            "traits": [self._of(row["user_id"]) | row for row in self._there(self.traits)],
            **{
                table: [
                    self._of(who) | {"audience": name, "entered_at": at}
                    for (who, name), at in members.items()
                    if self._is(who)
                ]
                for table, members in self.members.items()
            },
            "orders": [self._of(row["user_id"]) | row for row in self._there(self.orders)],
            "order_lines": [
                line for number, lines in self.lines.items() for line in lines if number
            ],
            "carts": [self._of(who) for who in self.carts if self._is(who)],
            "cart_lines": [
                {"user_id": who, **self._line(product), "quantity": quantity}
                for who, products in self.carts.items()
                for product, quantity in products.items()
            ],
            "events": [self._of(row["user_id"]) | row for row in self.events if self._has(row)],
            "page_views": [self._of(row["user_id"]) | row for row in self.views if self._has(row)],
            "consents": [
                self._of(who) | {"subscription_group": group, "group_id": n, "subscribed": said}
                for (who, group, n), said in self.consents.items()
                if self._is(who)
            ],
            "products": list(self.products.values()),
            "email_changes": list(self.email_changes),
            "requests": list(self.requests),
            "merges": list(self.merges),
        }

    # -- what of it is there --------------------------------------------------------------------

    def _is(self, who: str) -> bool:
        return who in self.people

    def _has(self, row: Row) -> bool:
        return row["user_id"] in self.people

    def _there(self, rows: dict[str, Row]) -> list[Row]:
        return [row for row in rows.values() if self._has(row)]

    def _of(self, who: str) -> Row:
        return {"user_id": who, "email": self.people[who]["email"]}

    def _line(self, product: str) -> Row:
        row = self._sold[product]
        return {"product_id": product, "name": row["name"], "price": row["price"]}

    # -- a week ---------------------------------------------------------------------------------

    def _kinds(self) -> list[Callable[[], None]]:
        """Give what happens in a week, in an order of the seed."""
        kinds = [
            self._change_people,
            self._sign_ups,
            self._edits,
            self._leavers,
            self._returners,
            self._audiences,
            self._buy,
            self._refunds,
            self._fill_carts,
            self._browse,
            self._consent,
            self._stock,
        ]
        self.rng.shuffle(kinds)
        return kinds

    def _set_up(self) -> None:
        self._sold: dict[str, Row] = {}
        self.members = {"audiences": {}, "lists": {}, "stages": {}}
        for _ in range(self.size // 4):
            self._new_product()
        for _ in range(self.size):
            self._sign_up()
        for happens in (self._audiences, self._buy, self._fill_carts, self._browse, self._consent):
            happens()

    def _some(self, most: int) -> range:
        return range(self.rng.randint(0, most))

    def _anybody(self) -> str:
        return self.rng.choice(list(self.people))

    def _now(self) -> datetime:
        """Give a later moment of the week."""
        self._clock += timedelta(seconds=self.rng.randint(1, 600))
        return self._clock

    # -- people ---------------------------------------------------------------------------------

    def _sign_ups(self) -> None:
        for _ in self._some(5):
            # Who signs up may get an address that somebody gave up in an earlier week.
            again = self._free and self.rng.random() < 0.4
            self._sign_up(self._take() if again else None)

    def _take(self) -> str:
        return self._free.pop(self.rng.randrange(len(self._free)))

    def _sign_up(self, email: str | None = None) -> str:
        self._made += 1
        number, choice = self._made, self.rng.choice
        who = f"u{number:04d}"
        self.people[who] = {
            "user_id": who,
            "email": self._written(email or f"p{number}@example.com"),
            "city": choice(CITIES),
            "points": choice([0, 10, None, 9_007_199_254_740_993]),
            "nick": choice(["x", "y", None]),
            "balance": choice(["0.10", "12.00", None, "-3.05"]),
            "is_vip": choice([True, False, None]),
            "born_on": choice(["1980-02-29", "2001-12-31", None]),
            "signed_up_at": self._now().isoformat(),
            "zip": choice(["00501", "3000", None]),
            "street": choice(["Bahnhofstrasse", None]),
        }
        if self.rng.random() < 0.03:
            self.people[who]["email"] = choice([None, " ", "nobody@"])
        self._compute(who)
        self._since[who] = self.week
        if email is not None:
            self.story.append(f"{who} signs up with the address of somebody before")
        return who

    def _written(self, email: str) -> str:
        """Give an address as somebody types it."""
        return self.rng.choice([email, email, email.upper(), f" {email}", email.title()])

    def _edits(self) -> None:
        choice = self.rng.choice
        for who, row in self.people.items():
            if self.rng.random() < 0.25:
                row[choice(["city", "city", "zip"])] = choice(["Bern", "Köln", "00501", None])
                row["points"] = choice([0, 10, None])
                row["nick"] = choice(["x", "y", None])
                row["is_vip"] = choice([True, False, None])
                row["balance"] = choice(["0.10", "12.00", None])
            if self.rng.random() < 0.2:
                self._compute(who)
            if row["email"] is None or "@e" not in row["email"].lower():
                if self.rng.random() < 0.3:
                    row["email"] = f"late.{who}@example.com"
                    self._since[who] = self.week
            elif self.rng.random() < 0.05:
                row["email"] = self._written(fold(row["email"]))

    def _compute(self, who: str) -> None:
        choice = self.rng.choice
        self.traits[who] = {
            "user_id": who,
            "order_count": choice([0, 1, 2, None]),
            "spent": choice([0.0, 12.5, 1e9, None]),
            "favourite": choice(["tea", "coffee", None]),
        }
        if self.rng.random() < 0.1:
            del self.traits[who]

    def _leavers(self) -> None:
        for _ in self._some(2):
            self._leave(self._anybody())

    def _leave(self, who: str) -> Row:
        row = self.away[who] = self.people.pop(who)
        self._left_at[who] = self.week
        return row

    def _returners(self) -> None:
        for who in list(self.away):
            if self._left_at[who] < self.week and self.rng.random() < 0.2:
                email = fold(self.away[who]["email"] or "")
                if email in self._free or email in self._in_use() or email in self._given_up():
                    continue
                self.people[who] = self.away.pop(who)
                self._since[who] = self.week
                self.story.append(f"{who} is back")

    def _given_up(self) -> set[str]:
        return {email for _, email in self._forgotten} | set(self._freed)

    def _in_use(self) -> set[str]:
        return {fold(row["email"]) for row in self.people.values() if row["email"]}

    # -- who is in what -------------------------------------------------------------------------

    def _audiences(self) -> None:
        for table, names in (("audiences", AUDIENCES), ("lists", LISTS), ("stages", STAGES)):
            members = self.members[table]
            for who in self.people:
                for name in names:
                    key = (who, name)
                    if self.rng.random() < (0.07 if key in members or self.week else 0.3):
                        if key in members:
                            del members[key]
                        else:
                            members[key] = self._now().isoformat()

    def _consent(self) -> None:
        groups = [("messageType", n) for n in TYPES] + [("messageChannel", n) for n in CHANNELS]
        groups.append(("emailList", self.list_id))
        for who in self.people:
            for group, number in groups:
                if self.rng.random() < (0.05 if self.week else 0.4):
                    self.consents[who, group, number] = self.rng.random() < 0.5

    # -- what they buy --------------------------------------------------------------------------

    def _new_product(self) -> None:
        number = len(self._sold) + 1
        product = self.rng.choice([f"P{number}", f"sku_{number}.a", f"P{number}-x"])
        row = {
            "product_id": product,
            "name": f"Product {number}",
            "price": f"{self.rng.randint(1, 90)}.{self.rng.randint(0, 99):02d}",
            "in_stock": self.rng.choice([True, False]),
            "stock": self.rng.choice([0, 5, None]),
            "category": self.rng.choice(["tea", "cups", None]),
        }
        self.products[product] = self._sold[product] = row

    def _stock(self) -> None:
        for row in self.products.values():
            if self.rng.random() < 0.2:
                row["stock"] = self.rng.choice([0, 5, None])
                row["in_stock"] = self.rng.choice([True, False])
                row["category"] = self.rng.choice(["tea", "cups", None])
        for _ in self._some(2):
            self._new_product()
        gone = [product for product in self.products if self.rng.random() < 0.03]
        for product in gone:
            del self.products[product]
        back = [p for p in self._sold if p not in self.products and self.rng.random() < 0.1]
        for product in back:
            self.products[product] = self._sold[product]

    def _buy(self) -> None:
        for _ in range(self.rng.randint(2, 10)):
            who, number = self._anybody(), len(self.orders) + 1
            order = self.rng.choice([f"A-{number}", f"B {number}"])
            chosen = self.rng.sample(sorted(self._sold), self.rng.randint(0, 3))
            self.orders[order] = {
                "order_id": order,
                "user_id": who,
                "ordered_at": self._now().isoformat(),
                "total": f"{self.rng.randint(0, 300)}.50",
                "coupon": self.rng.choice(["SPRING", None]),
                "is_refunded": False,
            }
            self.lines[order] = [
                {"order_id": order, "line_no": n, **self._line(product), "quantity": n}
                for n, product in enumerate(chosen, 1)
            ]
            if self.rng.random() < 0.5:
                self.carts.pop(who, None)

    def _refunds(self) -> None:
        for row in self._there(self.orders):
            if self.rng.random() < 0.03:
                # A refund that is taken back flaps.
                row["is_refunded"] = not row["is_refunded"]
                row["total"] = self.rng.choice(["0.00", row["total"]])

    def _fill_carts(self) -> None:
        for who in self.people:
            if self.rng.random() > 0.15:
                continue
            chosen = self.rng.sample(sorted(self._sold), self.rng.randint(0, 2))
            self.carts[who] = {product: self.rng.randint(1, 3) for product in chosen}
            if self.rng.random() < 0.25:
                del self.carts[who]

    def _browse(self) -> None:
        for _ in range(self.rng.randint(3, 15)):
            # Some come into the warehouse more than a day after they happened.
            late = timedelta(hours=self.rng.choice([0, 0, 0, 30]))
            moment = self.begin + timedelta(seconds=self.rng.randint(0, 500_000)) - late
            number = len(self.events) + 1
            self.events.append(
                {
                    "event_id": number,
                    "user_id": self._anybody(),
                    "event_name": self.rng.choice(["Seen", "Product Added"]),
                    "happened_at": moment.isoformat(),
                    "channel": self.rng.choice(["web", None]),
                    "score": self.rng.choice([1, None]),
                }
            )
            self.views.append(
                {
                    "view_id": f"v{number}",
                    "user_id": self._anybody(),
                    "viewed_at": moment.isoformat(),
                    "url": f"https://shop.example.com/p/{number % 7}?q=1",
                }
            )

    # -- who somebody is ------------------------------------------------------------------------

    def _change_people(self) -> None:
        """
        Let people change in ways that requests tell of, each kind after those told of before it.

        An address that a request has freed is given out from the next week on: requests of two
        kinds have no order but that of their syncs.
        """
        free_later = self._freed
        self._freed = []
        taken = self._in_use() | set(self._free) | {email for _, email in self._forgotten}
        self._free += [email for email in dict.fromkeys(free_later) if email not in taken]
        for name, happens in (
            ("email_changes", self._change_emails),
            ("merges", self._merge),
            ("deletions", self._ask_to_be_deleted),
        ):
            if name in self.features:
                happens()

    def _with_address(self) -> list[str]:
        """Give those of whom requests can be: who was forgotten and stays has none."""
        given_up = self._given_up()
        return [
            who
            for who, row in self.people.items()
            if row["email"]
            and "@example.com" in row["email"].lower()
            and fold(row["email"]) not in given_up
        ]

    def _change_emails(self) -> None:
        for _ in self._some(3):
            who = self.rng.choice(self._with_address())
            kind = self.rng.choice(["new", "new", "chain", "back", "taken over", "free"])
            old = fold(self.people[who]["email"])
            before = [fold(row["old_email"]) for row in self.email_changes if row["user_id"] == who]
            mine = [each for each in before if each in self._free]
            if kind == "chain":
                self._change(who, self._another(who))
                self._change(who, self._another(who))
                if self.rng.random() < 0.3:
                    # And back again, within the week.
                    self._change_back(who, old)
            elif kind == "back" and mine:
                self._change_back(who, mine[-1])
            elif kind == "taken over":
                self._change(who, self._another(who))
                heir = self.rng.choice(self._with_address())
                if heir != who:
                    self._change_back(heir, old)
            elif kind == "free" and self._free:
                self._change(who, self._take())
            else:
                self._change(who, self._another(who))

    def _change_back(self, who: str, email: str) -> None:
        """Give somebody an address that is free again."""
        if email in self._free:
            self._free.remove(email)
            self._change(who, email)

    def _another(self, who: str) -> str:
        return f"{who}.{len(self.email_changes) + 1}@example.com"

    def _change(self, who: str, new: str) -> None:
        row = self.people[who]
        self.email_changes.append(
            {
                "change_id": f"c{len(self.email_changes) + 1:04d}",
                "user_id": who,
                "old_email": row["email"],
                "new_email": self._written(new),
                "changed_at": self._now().isoformat(),
            }
        )
        if fold(row["email"]) not in self._given_up():
            self._free.append(fold(row["email"]))
        self.story.append(f"{who} is {new}, was {fold(row['email'])}")
        row["email"] = self._written(new)

    def _ask_to_be_deleted(self) -> None:
        for _ in self._some(2):
            # A merge comes after the deletions of its week.
            merged = {row["destination_user_id"] for row in self.merges[-1:]}
            who = self.rng.choice([who for who in self._with_address() if who not in merged])
            email = fold(self.people[who]["email"])
            action = self.rng.choice(["delete", "forget"])
            self._ask(who, email, action)
            stays = self.rng.random() < 0.25
            if not stays:
                self._leave(who)
                del self.away[who]
            if action == "forget":
                self._forgotten.append((who, email))
            elif not stays:
                self._freed.append(email)
        for who, email in list(self._forgotten):
            if self.rng.random() < 0.08:
                self._forgotten.remove((who, email))
                self._ask(who, email, "unforget")
                self._freed.append(email)

    def _ask(self, who: str, email: str, action: str) -> None:
        self.requests.append(
            {
                "request_id": f"r{len(self.requests) + 1:04d}",
                "user_id": who,
                "email": email,
                "action": action,
                "requested_at": self._now().isoformat(),
            }
        )
        self.story.append(f"{action} of {who}, {email}")

    def _merge(self) -> None:
        if self.week > 2 and self.rng.random() < 0.4:
            # Somebody whom Iterable does not know yet would get the userId of the source.
            known = [who for who in self._with_address() if self._since[who] < self.week - 1]
            source, destination = self.rng.sample(known, 2)
            row = self._leave(source)
            del self.away[source]
            self.merges.append(
                {
                    "merge_id": f"m{len(self.merges) + 1:04d}",
                    "source_email": row["email"],
                    "source_user_id": source,
                    "destination_email": self.people[destination]["email"],
                    "destination_user_id": destination,
                    "merged_at": self._now().isoformat(),
                }
            )
            self._freed.append(fold(row["email"]))
            self.story.append(f"{source} is merged into {destination}")


def fold(email: str) -> str:
    """Give an address as it is compared."""
    return email.strip().lower()
