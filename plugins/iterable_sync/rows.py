"""What passes between the stages of a run: frozen dataclasses, no behaviour beyond sums."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence


class Op(StrEnum):
    """What became of a key since Iterable last accepted it."""

    ADDED = "added"
    CHANGED = "changed"
    IDENTITY_CHANGED = "identity_changed"
    REMOVED = "removed"


class StateType(StrEnum):
    """
    How a value is kept in stage, plan and snapshot, alike in every state engine.

    Dates and times are canonical text (``2024-11-25``, ``2024-11-25 13:37:19.039000+00:00``):
    ``infinity`` and the year 20000 then cost their own row and not the whole read.
    """

    BIGINT = "bigint"
    DOUBLE = "double"
    DECIMAL = "decimal"
    BOOLEAN = "boolean"
    TEXT = "text"


class WireType(StrEnum):
    """What a value becomes in Iterable's JSON."""

    LONG = "long"
    DOUBLE = "double"
    BOOLEAN = "boolean"
    STRING = "string"
    DATE = "date"
    DATETIME = "datetime"
    JSON = "json"
    PHONE = "phone"


class NullPolicy(StrEnum):
    """What a NULL in the warehouse means for Iterable."""

    KEEP = "keep"  # do not send: what Iterable holds stays
    CLEAR = "clear"  # send null: Iterable deletes the field
    SKIP = "skip"  # the row waits, its snapshot stays


class Role(StrEnum):
    """What a column is for in the payload."""

    FIELD = "field"
    EMAIL = "email"
    USER_ID = "user_id"
    CREATED_AT = "created_at"
    EVENT_NAME = "event_name"
    CAMPAIGN_ID = "campaign_id"
    TEMPLATE_ID = "template_id"
    AUDIENCE = "audience"
    PURCHASED_AT = "purchased_at"
    TOTAL = "total"
    ITEMS = "items"
    LINE = "line"  # of the model alone: lines are folded to items before the diff
    ACTION = "action"  # what a request about a person asks for
    OLD = "old"  # the identifier that a person had, or the profile that goes
    NEW = "new"  # the one that the person gets, or the profile that stays
    GROUP = "group"  # the kind of a subscription group
    GROUP_ID = "group_id"
    SUBSCRIBED = "subscribed"
    EMAIL_LISTS = "email_lists"  # these four are whole arrays of ids
    CHANNELS_LEFT = "channels_left"
    TYPES_LEFT = "types_left"
    TYPES_JOINED = "types_joined"


BESIDE = frozenset({Role.AUDIENCE, Role.GROUP, Role.GROUP_ID})
"""What makes a row, beside its person, a thing of its own; it is in the key."""


class ProjectType(StrEnum):
    """How an Iterable project identifies people."""

    EMAIL = "email"
    USER_ID = "userId"
    HYBRID = "hybrid"


@dataclass(frozen=True, slots=True)
class Project:
    """An Iterable project: declared in the connection, never derived from the key."""

    project_id: str
    region: str
    type: ProjectType

    @property
    def name(self) -> str:
        """The key under which state is kept, e.g. ``12345.us``."""
        return f"{self.project_id}.{self.region}"


@dataclass(frozen=True, slots=True)
class Column:
    """
    A column of the model and the field it becomes.

    ``position`` is its place in every mask (``'0101'``) and never reused within a sync. ``region``
    is the country of phone numbers without one. Where it ``is_required``, a NULL rejects the row.
    """

    name: str
    field: str
    state: StateType
    wire: WireType
    position: int
    scale: int = 0
    null: NullPolicy = NullPolicy.CLEAR
    role: Role = Role.FIELD
    is_key: bool = False
    region: str | None = None
    is_required: bool = False

    @property
    def has_user_ids(self) -> bool:
        """Whether its values are userIds: of a role that is for either kind, its name says so."""
        is_either = self.role in (Role.OLD, Role.NEW)
        return self.role is Role.USER_ID or (
            is_either and self.name.lower().endswith(("user_id", "userid"))
        )


@dataclass(frozen=True, slots=True)
class Rejection:
    """A planned row (``field`` None), or one field of it, that Iterable does not have."""

    seq: int
    reason: str
    field: str | None = None


@dataclass(slots=True)
class Payload:
    """
    One row as Iterable gets it.

    Args:
        seq: the row's place in the plan.

        identity: ``email:...`` or ``userId:...``, as in the plan.

        identifiers: everything in the row by which Iterable may name it in an answer: e-mails
            lower-cased, userIds exact.

        body: the row's JSON, UTF-8.

        fields: dotted names of the data fields in *body* that have a value other than null.
    """

    seq: int
    identity: str
    identifiers: frozenset[str]
    body: bytes
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Target:
    """
    Where a request goes, and what it says beside its rows, where rows of one sync differ in that.

    Args:
        path: the endpoint; identifiers in it are percent-encoded. It is sent, and never shown.

        head: members of the body, each with a comma behind it, e.g. ``"listId":17,``.

        harmless: reasons that are no failure there: who is not known is in no list either.

        absent: what a person reads where Iterable has not what the head names, or answers 404.

        method: of HTTP.

        shown: what messages, logs and paces call the endpoint where its path names a person or an
            item, e.g. ``/api/users/{email}``; empty is the path.

        array: the array of the body that holds the rows, where it is not that of the object.

        requests_per_s: of an endpoint that has a pace of its own; not above that of the sync.

        quota: name of the rolling quota that its requests count for; empty where there is none.

        rank: requests of a higher one begin when all of those before are answered; the plan is in
            this order.
    """

    path: str
    head: bytes = b""
    harmless: frozenset[str] = frozenset()
    absent: str = ""
    method: str = "POST"
    shown: str = ""
    array: str | None = None
    requests_per_s: float | None = None
    quota: str = ""
    rank: int = 0

    @property
    def name(self) -> str:
        """The endpoint as it may be shown."""
        return self.shown or self.path


@dataclass(frozen=True, slots=True)
class Look:
    """
    What a look at Iterable says about a request of one row, before each attempt to send it.

    Args:
        kind: ``send`` the request as it is; ``done``: the row is accepted and nothing is sent;
            ``reject`` the row; ``other``: send *body* to *target* instead.

        reason: why it is rejected; else why it was not simply sent, which
            :attr:`BatchResult.looked` keeps.

        body: of the request that is sent instead.

        target: where that one goes.
    """

    kind: Literal["send", "done", "reject", "other"]
    reason: str = ""
    body: bytes | None = None
    target: Target | None = None


@dataclass(slots=True)
class Batch:
    """
    A contiguous range of the plan: one journal row, one request (more where it is isolated).

    ``payloads`` mostly are a slice of a block (:mod:`iterable_sync.payloads`), which makes a row an
    object when it is looked at. ``rejections`` are the rows and fields of the range that mapping
    refused; a range may hold nothing else, then nothing is sent. ``target`` None is the endpoint of
    the sync object.
    """

    number: int
    seq_lo: int
    seq_hi: int
    payloads: Sequence[Payload]
    rejections: list[Rejection] = field(default_factory=list)
    new_fields: frozenset[str] = frozenset()
    target: Target | None = None


@dataclass(slots=True)
class BatchResult:
    """
    What became of a batch: every seq in range is accepted but for those named here.

    Args:
        rejections: rows and fields that were refused, by mapping or by Iterable.

        in_doubt: seqs that may have been applied: their outcome is unknown, or they are rejected
            and the outcome of an earlier attempt is unknown.

        not_applied: seqs that certainly were not applied, and may be sent again.

        uncreated: seq -> fields that Iterable dropped (``filteredOutFields``).

        waits: rows without an outcome wait for a quota.

        looked: seq -> reason of the :class:`Look` for which an accepted row was not sent, or was
            sent in another way.
    """

    batch: Batch
    rejections: list[Rejection] = field(default_factory=list)
    in_doubt: list[int] = field(default_factory=list)
    not_applied: list[int] = field(default_factory=list)
    uncreated: dict[int, tuple[str, ...]] = field(default_factory=dict)
    looked: dict[int, str] = field(default_factory=dict)
    requests: int = 0
    bytes_sent: int = 0
    http_status: int | None = None
    attempts: int = 0
    seconds: float = 0.0
    request_id: str | None = None
    stop: Exception | None = None
    waits: bool = False


class RunEnd(StrEnum):
    """How a run ended; operators turn it into the state of the task."""

    CLEAN = "clean"
    HELD = "held"
    REJECTED = "rejected_above_limit"
    PENDING = "pending"
    WAITING = "waiting"  # what is left waits until a quota lets it go


@dataclass(slots=True)
class RunReport:
    """
    The counts of a run, in keys after folding.

    Two sums are checked at the end of every run, see :meth:`differences`. ``seeded`` are those of
    the unchanged that a first run took for sent; ``ignored`` those of the skipped that the
    declaration leaves out, ``blocked`` those without consent to text messages.
    """

    sync: str
    run_id: str
    queried: int = 0
    unchanged: int = 0
    seeded: int = 0
    added: int = 0
    changed: int = 0
    identity_changed: int = 0
    removed: int = 0
    accepted: int = 0
    rejected: int = 0
    still_rejected: int = 0
    held: int = 0
    skipped: int = 0
    pending: int = 0
    removed_accepted: int = 0
    removed_rejected: int = 0
    removed_held: int = 0
    removed_ignored: int = 0
    removed_pending: int = 0
    fields_rejected: int = 0
    ignored: int = 0
    blocked: int = 0
    requests: int = 0
    bytes_sent: int = 0
    rejected_by_reason: dict[str, int] = field(default_factory=dict)
    held_by_guard: dict[str, int] = field(default_factory=dict)
    still_rejected_oldest_s: int = 0
    still_rejected_by_reason: dict[str, int] = field(default_factory=dict)
    still_rejected_age_s: dict[str, int] = field(default_factory=dict)
    fields_changed: dict[str, int] = field(default_factory=dict)
    new_fields: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    end: RunEnd = RunEnd.CLEAN
    retry_after_s: float | None = None
    dry_run: bool = False

    def differences(self) -> dict[str, int]:
        """
        Give by how much the two identities of a run miss; empty when both hold.

        ``queried = unchanged + accepted + rejected + still_rejected + held + skipped + pending``
        and ``removed = accepted + rejected + held + ignored + pending``.
        """
        of_queried = (
            self.unchanged
            + self.accepted
            + self.rejected
            + self.still_rejected
            + self.held
            + self.skipped
            + self.pending
        )
        of_removed = (
            self.removed_accepted
            + self.removed_rejected
            + self.removed_held
            + self.removed_ignored
            + self.removed_pending
        )
        misses = {"queried": self.queried - of_queried, "removed": self.removed - of_removed}
        return {name: by for name, by in misses.items() if by}

    def reasons(self) -> dict[str, dict[str, int]]:
        """Give the counts by reason and by guard, and for how many seconds the oldest waits."""
        return {
            "rejected_by_reason": self.rejected_by_reason,
            "held_by_guard": self.held_by_guard,
            "still_rejected_by_reason": self.still_rejected_by_reason,
            "still_rejected_age_s": self.still_rejected_age_s,
        }

    def counts(self) -> dict[str, int]:
        """Give all counts and nothing else: what may go to XCom, events and metrics."""
        return {
            name: value
            for name in self.__slots__
            if isinstance(value := getattr(self, name), int) and not isinstance(value, bool)
        }
