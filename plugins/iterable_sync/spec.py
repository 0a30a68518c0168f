"""What a user declares about a sync, validated; unknown keys are errors."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from iterable_sync.errors import ConfigError
from iterable_sync.presets import PRESETS
from iterable_sync.rows import NullPolicy, WireType

_DAY_S = 86_400.0
_MAX_NAME = 255


def _in_seconds(value: Any) -> Any:
    return value.total_seconds() if isinstance(value, timedelta) else value


Seconds = Annotated[float, BeforeValidator(_in_seconds), Field(ge=0, allow_inf_nan=False)]
"""A number of seconds, or a :class:`datetime.timedelta`."""


def _is_event_name(value: str) -> str:
    if not (value.strip() and value.isprintable()):
        raise ValueError("it is blank, or has characters that are not printable")
    return value


EventName = Annotated[str, Field(max_length=_MAX_NAME), AfterValidator(_is_event_name)]

FirstSync = (
    Annotated[int, Field(ge=0)]
    | Literal["all", "seed"]
    | Annotated[str, Field(pattern=r"^sample:[1-9][0-9]*$")]
)
"""What a first run sends: see :class:`SyncSpec`."""


class _Declared(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FieldSpec(_Declared):
    """
    What the SQL cannot say about a field.

    Args:
        name: the field's name in Iterable, where it differs from the column's; dots nest.

        type: the type in Iterable, where it differs from the column's.

        null: what a NULL means for this field.
    """

    name: str | None = None
    type: WireType | None = None
    null: NullPolicy | None = None


class Guards(_Declared):
    """
    Limits beyond which a change is held before anything is sent.

    Shares are of the live rows of the snapshot; ``removed_floor`` and ``changed_floor`` are the
    numbers of keys up to which no share is looked at.
    """

    max_removed: float = Field(default=0.05, ge=0, le=1)
    removed_floor: int = Field(default=100, ge=0)
    max_changed: float = Field(default=0.40, ge=0, le=1)
    changed_floor: int = Field(default=100, ge=0)
    min_rows: int = Field(default=1, ge=0)
    first_sync_rows: int = Field(default=100_000, ge=0)


class Thresholds(_Declared):
    """Share of the queried rows that may be rejected before the task fails, and its floor."""

    max_rejected: float = Field(default=0.02, ge=0, le=1)
    rejected_floor: int = Field(default=10, ge=0)


class SyncSpec(_Declared):
    """
    One sync: a model, a sync object and how its columns become fields.

    Args:
        sync: its name, unique in the project; state is kept under (project, name).

        object: the sync object, e.g. ``users``.

        sql: the model, one SELECT, already rendered; sent to the warehouse untouched.

        key: columns that identify a row of the model.

        email, user_id: columns that hold the identity; matched without regard to case.
            ``user_id`` None means the first of ``user_id`` and ``userId`` that the model has.

        fields: column -> what the SQL cannot say about it.

        exclude: columns that are read but neither compared nor sent.

        preset: a table of settings of another tool, see :mod:`iterable_sync.presets`; what is given
            here wins.

        naming: how columns become names of fields where *fields* gives none: ``as_is``, ``snake``
            or ``camel``, see :mod:`iterable_sync.naming`.

        required: names of fields, as Iterable has them, without which a row is rejected,
            ``missing_required``.

        phone_region: the country of phone numbers without one, e.g. ``US``; None demands a leading
            plus.

        null: the NULL policy of fields that declare none.

        timezone: zone of TIMESTAMP columns without one, e.g. ``UTC``.

        newest_by: column whose greatest value decides between rows of one identity.

        on_remove: what a key that left the query means for Iterable: ``ignore``, or what the object
            knows: ``clear`` its fields (of carts: an empty cart), set the audience's field to
            ``false``, ``unsubscribe`` from the list, send the event of the ``exit``, ``delete`` the
            item; None is the object's default.

        first_sync: how many rows a first run may send, ``all`` for no limit; ``seed`` takes all of
            them for sent and sends none, ``sample:50`` sends 50 and holds the others; None leaves
            it to ``guards.first_sync_rows``.

        as_of: the moment whose data this run sends; an older run than the last complete one ends
            superseded.

        batch_bytes: bytes of a request body, at most; Iterable takes 4 MB.

        requests_per_s: None takes the object's own rate (80 % of the published limit); ``inf``
            turns pacing off.

        history_s: for so long the record of a run is kept after its end.

        seed_sql: on the first run, what Iterable holds already: a query with the key columns and
            the identity of the model, e.g. over the export of another tool. What is in it is not
            sent, and what the model does not have is removed, under the guards.

        requires: the sync whose acceptance a row of a person waits for, in email-based projects,
            and with subscriptions by userId as well: Iterable drops what it gets about somebody it
            does not know.

    The following are for some objects alone:

    Args:
        identify_names: ``first_name``, ``last_name``, ``phone_number``, ``date_of_birth`` and
            ``zip_code`` become ``firstName`` and so on, with the types that they should have.

        clear_renamed: where a column's field gets another name, delete the old one from the rows
            that have it.

        event_names: name of an event in the model -> its name in Iterable; None leaves it out.

        unmapped_events: what is done with an event whose name is not in *event_names*.

        row_id: what Iterable gets as the id of a row: ``key``, the key itself where it has the
            characters for it, or ``uuid``, a UUID of project, sync and key; None is the object's
            default.

        audience: column with the name of the audience, for memberships.

        list_name: the list of all rows, where no column names one.

        list_id: its id, where the name is not to be looked up.

        create_list: create a list that is not there yet.

        adopt_list: on the first run, take who is in the list for subscribed by this sync: who is
            not in the model is unsubscribed, under the guards.

        trait: column with the name of the trait, where the model has a row for each of them; its
            value is in the column ``value``.

        line_key: columns that order the lines of an order or a cart; by default the item's id.

        catalog: the catalog whose items the rows are.

        create_catalog: create it where it is not there yet.

        image_size: of the columns ``image_url_<size>`` of the model, the one that becomes the field
            ``image_url``; the others are left out.

        derive_from: the sync of users out of whose snapshot the changes of address are worked out;
            the model is that of the users then.

        on_target_exists: what is done where somebody has the new address already: ``fail`` rejects
            the change, ``merge`` merges the old profile into that one, ``leave`` leaves both.

        allow_overwrite: whole arrays of subscriptions may be written over those that people have.

        allow_merge: profiles may be merged: the source is deleted, which nothing brings back.

        read_back_sample: so many items that earlier runs sent are read at the start of a run, and
            what has not arrived is sent again; 0 reads none.

    The following are for events and, the first two, for orders:

    Args:
        created_at: column with the time at which the event happened, or the order was made.

        since: rows before it are left alone. A first run of events without it takes all that the
            model has; one of orders is held, unless *first_sync* says how many it may send.

        event_name: the name of all events; without it the model has a column ``event_name`` or
            ``eventName``.

        sms_consent: send no event without a phone that can be dialled (column ``phone_number``) and
            an opt-in (``sms_opt_in``); what is not sent for that is counted as blocked.

        look_back_s: so much older than the newest event seen an event may be and still be found
            when it comes into the warehouse late.

        max_wait_s: an event that Iterable does not take for so long is given up, ``expired``.

        retention_s: for so long it is kept in mind which events were sent.
    """

    sync: str = Field(min_length=1, max_length=250)
    object: str = Field(min_length=1)
    sql: str = Field(min_length=1)
    key: tuple[str, ...] = Field(min_length=1)
    email: str = "email"
    user_id: str | None = None
    fields: dict[str, FieldSpec] = Field(default_factory=dict)
    exclude: tuple[str, ...] = ()
    preset: str | None = None
    naming: Literal["as_is", "snake", "camel"] = "as_is"
    required: tuple[str, ...] = ()
    phone_region: str | None = Field(default=None, pattern=r"^[A-Z]{2}$")
    null: NullPolicy = NullPolicy.CLEAR
    timezone: str | None = None
    on_remove: Literal["ignore", "clear", "false", "unsubscribe", "exit", "delete"] | None = None
    on_identity_change: Literal["hold", "full_row"] = "hold"
    newest_by: str | None = None
    new_fields: Literal["create", "fail"] = "create"
    merge_nested_objects: bool = True
    guards: Guards = Guards()
    thresholds: Thresholds = Thresholds()
    full_resync: bool = False
    first_sync: FirstSync | None = None
    as_of: datetime | None = None
    dry_run: bool = False
    batch_rows: int = Field(default=1000, ge=1, le=1000)
    batch_bytes: int = Field(default=4_000_000, ge=1_000, le=4_000_000)
    threads: int = Field(default=4, ge=1, le=64)
    requests_per_s: float | None = Field(default=None, gt=0)
    lane_wait_s: float = Field(default=600.0, ge=0)
    lease_s: float = Field(default=120.0, gt=0)
    history_s: Seconds = 90 * _DAY_S
    seed_sql: str | None = Field(default=None, min_length=1)
    requires: str | None = Field(default=None, min_length=1, max_length=250)
    identify_names: bool = False
    clear_renamed: bool = True
    event_names: dict[str, EventName | None] | None = None
    unmapped_events: Literal["pass", "ignore", "error"] = "pass"
    row_id: Literal["uuid", "key"] | None = None
    audience: str = Field(default="audience", min_length=1)
    list_name: str | None = Field(default=None, min_length=1, max_length=_MAX_NAME)
    list_id: int | None = Field(default=None, ge=1)
    create_list: bool = True
    adopt_list: bool = False
    trait: str | None = Field(default=None, min_length=1)
    line_key: tuple[str, ...] = ()
    catalog: str | None = Field(default=None, pattern=r"^[A-Za-z0-9-]{1,255}$")
    create_catalog: bool = False
    image_size: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_]+$")
    derive_from: str | None = Field(default=None, min_length=1, max_length=250)
    on_target_exists: Literal["fail", "merge", "leave"] = "fail"
    allow_overwrite: bool = False
    allow_merge: bool = False
    read_back_sample: int = Field(default=20, ge=0, le=1_000)
    event_name: EventName | None = None
    sms_consent: bool = False
    created_at: str = Field(default="created_at", min_length=1)
    since: datetime | None = None
    look_back_s: Seconds = 2 * _DAY_S
    max_wait_s: Seconds = 7 * _DAY_S
    retention_s: Seconds = 90 * _DAY_S

    @field_validator("key", "exclude", "line_key", "required", mode="before")
    @classmethod
    def _one_name_is_a_tuple(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("sync")
    @classmethod
    def _sync_is_printable(cls, value: str) -> str:
        # It is a key in every state table, and a word of log lines.
        if not value.isprintable():
            raise ValueError("sync has characters that are not printable")
        return value

    @field_validator("as_of", "since")
    @classmethod
    def _moment_has_a_zone(cls, value: datetime | None, info: ValidationInfo) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError(f"{info.field_name} needs a time zone")
        return value

    @model_validator(mode="before")
    @classmethod
    def _preset_is_below_what_is_given(cls, given: Any) -> Any:
        if not isinstance(given, dict) or (name := given.get("preset")) is None:
            return given
        of_object, known = given.get("object"), PRESETS.get(name)
        if known is None:
            raise ConfigError(f"unknown preset {name!r}; known: {', '.join(PRESETS)}")
        if of_object not in known:
            raise ConfigError(
                f"preset {name!r} says nothing of {of_object!r}; it is for {', '.join(known)}"
            )
        return known[of_object] | given

    @model_validator(mode="after")
    def _unmapped_events_need_a_map(self) -> Self:
        if self.event_names is None and self.unmapped_events != "pass":
            raise ValueError(f"unmapped_events={self.unmapped_events!r} needs event_names")
        if self.event_name is not None and self.event_names is not None:
            passed = self.event_name if self.unmapped_events == "pass" else None
            if self.event_names.get(self.event_name, passed) is None:
                raise ValueError(
                    f"event_names leaves out {self.event_name!r}, the event_name of all events"
                )
        return self

    @model_validator(mode="after")
    def _what_is_looked_at_is_remembered(self) -> Self:
        if self.retention_s < max(self.look_back_s, self.max_wait_s):
            raise ValueError(
                "retention_s is shorter than look_back_s or max_wait_s: what was sent would be "
                "forgotten while it is still looked at"
            )
        return self
