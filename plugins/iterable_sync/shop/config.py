"""What a shop declares of its streams, validated; unknown keys are errors. Knows no Airflow."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from iterable_sync.naming import snake_case
from iterable_sync.shop.streams import STREAMS, WITHOUT_PEOPLE, in_order
from iterable_sync.spec import FieldSpec, FirstSync, Guards, Seconds, Thresholds

Setting = str | int | float | bool | list[str]
"""What a model may be given as ``{{ params.NAME }}``."""

_HOUR_S = 3_600.0
_DAY_S = 24 * _HOUR_S


class _Declared(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Connections(_Declared):
    """
    Ids of Airflow connections.

    Args:
        warehouse: where the models are queried.

        iterable: the project; its API key is in there, and nowhere else.

        state: postgres or duckdb; None is the warehouse, if that is postgres.
    """

    warehouse: str = "warehouse"
    iterable: str = "iterable_default"
    state: str | None = "state"


class RegularEvents(_Declared):
    """
    What happens to every customer; one boolean in its place is all three of them.

    Args:
        purchases: orders, carts, and events of subscriptions to products.

        shipments: shipments, deliveries and requests for a review.

        customers: users, and what the warehouse works out about them.
    """

    purchases: bool = True
    shipments: bool = True
    customers: bool = True


class StreamConfig(_Declared):
    """
    What a shop has otherwise than the stream has by itself.

    Args:
        enabled: on or off, whatever the switches say; None leaves it to them.

        sql: another model: a SELECT, or a file on the DAG's search path. Of ``lists`` it is the
            model that the predicates are about.

        key: of that model.

        fields, guards, thresholds, first_sync, on_held, options: as the stream's operator takes
            them; single guards and options add to those of the stream.

        params: settings of the model, ``{{ params.NAME }}``; they win over those of the shop.

        after: streams that come first; those that are off do not count.

        pool: of its task.

        sms: its events start text messages: they need a consent, see ``sms_events``.
    """

    enabled: bool | None = None
    sql: str | None = Field(default=None, min_length=1)
    key: tuple[str, ...] | None = Field(default=None, min_length=1)
    fields: dict[str, FieldSpec] = Field(default_factory=dict)
    guards: Guards = Guards()
    thresholds: Thresholds | None = None
    first_sync: FirstSync | None = None
    on_held: Literal["fail", "succeed"] = "fail"
    options: dict[str, Any] = Field(default_factory=dict)
    params: dict[str, Setting] = Field(default_factory=dict)
    after: tuple[str, ...] = ()
    pool: str | None = None
    sms: bool = False

    @field_validator("key", "after", mode="before")
    @classmethod
    def _one_name_is_a_tuple(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value


class ListConfig(_Declared):
    """
    A static list that people join and leave by what they do.

    Args:
        where: who is in it: a condition on the columns of the audiences model, e.g.
            ``audience = 'Cart Abandoners'``. Whoever does not meet it any more leaves the list.

        list_id: the id of a list that is there; without it the list is found by its name.

        create_list: create it where there is none of that name.

        adopt_list: on the first run, who is in it already and does not meet *where* leaves it.
    """

    where: str = Field(pattern=r"\S")
    list_id: int | None = Field(default=None, ge=1)
    create_list: bool = True
    adopt_list: bool = False


def _as_where(value: Any) -> Any:
    return {"where": value} if isinstance(value, str) else value


def _as_all(value: Any) -> Any:
    if isinstance(value, bool):
        return dict.fromkeys(RegularEvents.model_fields, value)
    return value


class Decision(NamedTuple):
    """Whether a stream is on, and the setting that says so."""

    is_on: bool
    why: str


class ShopConfig(_Declared):
    """
    A shop: which streams it has, and how they run.

    Args:
        name: begins the names of its syncs, ``shop.orders``; state is kept under them.

        connections: see :class:`Connections`.

        schedule: of the DAG, a preset or a cron expression.

        since: from when on orders and events are sent. What happened before stays in the warehouse.

        regular_events: see :class:`RegularEvents`.

        return_cart_events: events of carts that were left.

        browsing_events: page views, and products that were looked at and left.

        sms_events: the same events once more, for text messages; each goes to people alone who have
            agreed to them and have a phone number in E.164.

        phone_region: the country of phone numbers that do not say theirs, e.g. ``US``. With it the
            numbers of users are checked and written in E.164 as well; that needs the extra
            ``phone``.

        catalog: name of the catalog that the products go into; without it there is none.

        lists: name of a list -> who is in it, a condition or a :class:`ListConfig`.

        trigger_after, abandon_after: how long after the last change of a cart ``Return Cart`` and
            ``Cart Abandoned`` are.

        order_window: for so long after that change an order takes the cart for ordered.

        browse_after: how long after the view of a product ``Browse Abandonment`` is.

        review_after: how long after its delivery a review of an order is asked for.

        usual_interval: of who has ordered once, what is between two orders.

        voucher_aliases: kinds of vouchers that people have; each is an object on their profiles.

        image_size: width of the pictures of items, in pixels.

        settle_s: how long Iterable is given to apply what it took of users.

        project_requires_users: in email-based projects, whatever is about a person waits until
            Iterable has taken that person. Where another DAG sends the users, the name of its sync.

        serial: one task after the other, as state in a DuckDB file needs it. With state in
            PostgreSQL, ``False`` lets streams of different lanes of Iterable run side by side.

        pool: of all tasks that say no other.

        streams: name of a stream -> what it has otherwise, see :class:`StreamConfig`.

    Durations are seconds or a ``timedelta``.
    """

    name: str = Field(default="shop", min_length=1, max_length=100)
    connections: Connections = Connections()
    schedule: str | None = "@daily"
    since: AwareDatetime
    regular_events: Annotated[RegularEvents, BeforeValidator(_as_all)] = RegularEvents()
    return_cart_events: bool = True
    browsing_events: bool = True
    sms_events: bool = False
    phone_region: str | None = Field(default=None, pattern=r"^[A-Z]{2}$")
    catalog: str | None = Field(default=None, min_length=1)
    lists: dict[str, Annotated[ListConfig, BeforeValidator(_as_where)]] = Field(
        default_factory=dict
    )
    trigger_after: Seconds = _HOUR_S
    abandon_after: Seconds = _DAY_S
    order_window: Seconds = 7 * _DAY_S
    browse_after: Seconds = 4 * _HOUR_S
    review_after: Seconds = 7 * _DAY_S
    usual_interval: Seconds = 60 * _DAY_S
    voucher_aliases: tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+$")], ...] = (
        "welcome_codes",
        "referral",
    )
    image_size: int = Field(default=600, ge=1)
    settle_s: Seconds = 60.0
    project_requires_users: bool | str = True
    serial: bool = True
    pool: str | None = None
    streams: dict[str, StreamConfig] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _names_are_known(self) -> Self:
        named = [*self.streams, *(name for of in self.streams.values() for name in of.after)]
        if unknown := sorted(set(named) - set(STREAMS)):
            raise ValueError(f"unknown streams: {', '.join(unknown)}; known: {', '.join(STREAMS)}")
        return self

    @model_validator(mode="after")
    def _a_cart_is_returned_to_before_it_is_abandoned(self) -> Self:
        if self.abandon_after <= self.trigger_after:
            raise ValueError(
                f"abandon_after, {self.abandon_after:g} s, has to be longer than trigger_after, "
                f"{self.trigger_after:g} s: a cart is given up after its owner was reminded of it"
            )
        return self

    @model_validator(mode="after")
    def _lists_have_names_of_their_own(self) -> Self:
        tasks: dict[str, str] = {}
        for name in self.lists:
            if not (task := snake_case(name)) or task in tasks:
                other = f" as {tasks[task]!r} does" if task else ", which has no letter"
                raise ValueError(f"lists: {name!r} gives its task the name {task!r}{other}")
            tasks[task] = name
        return self

    @model_validator(mode="after")
    def _nobody_turns_a_consent_off(self) -> Self:
        for name, of in self.streams.items():
            if STREAMS[name].is_sms and ("sms" in of.model_fields_set and not of.sms):
                raise ValueError(f"streams.{name}.sms: {_CONSENT}")
            if self.is_sms(name) and of.options.get("sms_consent", True) is not True:
                raise ValueError(f"streams.{name}.options.sms_consent: {_CONSENT}")
            if self.is_sms(name) and STREAMS[name].object != "events":
                raise ValueError(f"streams.{name}.sms: it is for streams of events")
        return self

    @model_validator(mode="after")
    def _what_is_on_can_run(self) -> Self:
        on = self.on()
        if not on:
            raise ValueError("no stream is on")
        if "catalog" in on and self.catalog is None:
            raise ValueError("streams.catalog is enabled: catalog has to name it")
        if "users" not in on and self.project_requires_users is True and set(on) - WITHOUT_PEOPLE:
            raise ValueError(
                "users are off, and the others wait for them: say in project_requires_users the "
                "name of the sync that sends them, or False where no sync of this project does"
            )
        self.order()
        return self

    def of(self, stream: str) -> StreamConfig:
        """Give what is declared of a stream."""
        return self.streams.get(stream, StreamConfig())

    def is_sms(self, stream: str) -> bool:
        """Say whether the events of a stream need a consent to text messages."""
        return STREAMS[stream].is_sms or self.of(stream).sms

    def decisions(self) -> dict[str, Decision]:
        """Say of every stream whether it is on, and why."""
        return {name: self._decide(name) for name in STREAMS}

    def on(self) -> list[str]:
        """Give the streams that are on, in their fixed order."""
        return [name for name, decision in self.decisions().items() if decision.is_on]

    def order(self) -> list[str]:
        """Give the streams that are on, each behind those that it builds on."""
        return in_order({name: self.after(name) for name in self.on()})

    def after(self, stream: str) -> set[str]:
        """Give the streams that come before one, if they are on."""
        people = set() if stream in WITHOUT_PEOPLE else {"users"}
        return people | {*STREAMS[stream].after, *self.of(stream).after}

    def requires(self) -> str | None:
        """Give the sync whose people the rows of all others wait for."""
        if self.project_requires_users is True:
            return f"{self.name}.users"
        return self.project_requires_users or None

    def settings(self) -> dict[str, Setting]:
        """Give what every model may name as ``{{ params.NAME }}``."""
        durations = {
            "trigger_after_s": self.trigger_after,
            "abandon_after_s": self.abandon_after,
            "order_window_s": self.order_window,
            "browse_after_s": self.browse_after,
            "review_after_s": self.review_after,
            "usual_interval_s": self.usual_interval,
        }
        return {
            **{name: int(s) if s.is_integer() else s for name, s in durations.items()},
            "voucher_aliases": list(self.voucher_aliases),
            "image_size": self.image_size,
        }

    def _decide(self, name: str) -> Decision:
        if (enabled := self.of(name).enabled) is not None:
            return Decision(enabled, f"streams.{name}.enabled is {enabled}")
        if name == "catalog" and self.catalog is None:
            return Decision(is_on=False, why="catalog names none")
        if name == "lists" and not self.lists:
            return Decision(is_on=False, why="lists names none")
        for switch in STREAMS[name].switches:
            if not self._is_on(switch):
                return Decision(is_on=False, why=f"{switch} is False")
        return Decision(is_on=True, why=" and ".join(STREAMS[name].switches) or "catalog names one")

    def _is_on(self, switch: str) -> bool:
        value: Any = self
        for part in switch.split("."):
            value = getattr(value, part)
        return bool(value)


_CONSENT = (
    "an event of text messages never goes to somebody who has not agreed to them, or has no phone "
    "number in E.164; leave it out"
)
