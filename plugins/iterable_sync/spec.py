"""What a user declares about a sync, validated; unknown keys are errors."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from iterable_sync.rows import NullPolicy, WireType

_DAY_S = 86_400.0
_MAX_NAME = 255


def _in_seconds(value: Any) -> Any:
    return value.total_seconds() if isinstance(value, timedelta) else value


Seconds = Annotated[float, BeforeValidator(_in_seconds), Field(ge=0, allow_inf_nan=False)]
"""A number of seconds, or a :class:`datetime.timedelta`."""


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

        null: the NULL policy of fields that declare none.

        timezone: zone of TIMESTAMP columns without one, e.g. ``UTC``.

        newest_by: column whose greatest value decides between rows of one identity.

        first_sync: how many rows a first run may send (``any`` for no limit); None leaves it to
            ``guards.first_sync_rows``.

        as_of: the moment whose data this run sends; an older run than the last complete one ends
            superseded.

        batch_bytes: bytes of a request body, at most; Iterable takes 4 MB.

        requests_per_s: None takes the object's own rate (80 % of the published limit); ``inf``
            turns pacing off.

        history_s: for so long the record of a run is kept after its end.

    The following are for append-only objects (events) alone:

    Args:
        event_name: the name of all events; without it the model has a column ``event_name`` or
            ``eventName``.

        created_at: column with the time at which the event happened.

        since: events before it are left alone; a first run without it takes all that the model
            has.

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
    null: NullPolicy = NullPolicy.CLEAR
    timezone: str | None = None
    on_remove: Literal["ignore", "clear"] = "ignore"
    on_identity_change: Literal["hold", "full_row"] = "hold"
    newest_by: str | None = None
    new_fields: Literal["create", "fail"] = "create"
    merge_nested_objects: bool = True
    guards: Guards = Guards()
    thresholds: Thresholds = Thresholds()
    full_resync: bool = False
    first_sync: int | Literal["any"] | None = None
    as_of: datetime | None = None
    dry_run: bool = False
    batch_rows: int = Field(default=1000, ge=1, le=1000)
    batch_bytes: int = Field(default=4_000_000, ge=1_000, le=4_000_000)
    threads: int = Field(default=4, ge=1, le=64)
    requests_per_s: float | None = Field(default=None, gt=0)
    lane_wait_s: float = Field(default=600.0, ge=0)
    lease_s: float = Field(default=120.0, gt=0)
    history_s: Seconds = 90 * _DAY_S
    event_name: str | None = Field(default=None, max_length=_MAX_NAME)
    created_at: str = Field(default="created_at", min_length=1)
    since: datetime | None = None
    look_back_s: Seconds = 2 * _DAY_S
    max_wait_s: Seconds = 7 * _DAY_S
    retention_s: Seconds = 90 * _DAY_S

    @field_validator("key", "exclude", mode="before")
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

    @field_validator("event_name")
    @classmethod
    def _event_name_is_one(cls, value: str | None) -> str | None:
        if value is not None and not (value.strip() and value.isprintable()):
            raise ValueError("event_name is blank, or has characters that are not printable")
        return value

    @model_validator(mode="after")
    def _what_is_looked_at_is_remembered(self) -> Self:
        if self.retention_s < max(self.look_back_s, self.max_wait_s):
            raise ValueError(
                "retention_s is shorter than look_back_s or max_wait_s: what was sent would be "
                "forgotten while it is still looked at"
            )
        return self
