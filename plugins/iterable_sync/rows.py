"""What passes between the stages of a run: frozen dataclasses, no behaviour beyond sums."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


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


@dataclass(frozen=True, slots=True)
class Renamed:
    """
    Fields that got another name, and that rows were sent under the old one.

    Args:
        was: column -> the names that its field had, dotted; nothing maps these now.

        of_changed: columns of which rows that Iterable knows may have them; of the others it is
            those alone that left the model and come back.
    """

    was: Mapping[str, tuple[str, ...]]
    of_changed: frozenset[str]


NOT_RENAMED = Renamed({}, frozenset())


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
        path: the endpoint.

        head: members of the body, each with a comma behind it, e.g. ``"listId":17,``.

        harmless: reasons that are no failure there: who is not known is in no list either.

        absent: what a person reads where Iterable does not know what the head names.
    """

    path: str
    head: bytes = b""
    harmless: frozenset[str] = frozenset()
    absent: str = ""


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
    """

    batch: Batch
    rejections: list[Rejection] = field(default_factory=list)
    in_doubt: list[int] = field(default_factory=list)
    not_applied: list[int] = field(default_factory=list)
    uncreated: dict[int, tuple[str, ...]] = field(default_factory=dict)
    requests: int = 0
    bytes_sent: int = 0
    http_status: int | None = None
    attempts: int = 0
    seconds: float = 0.0
    request_id: str | None = None
    stop: Exception | None = None


class RunEnd(StrEnum):
    """How a run ended; operators turn it into the state of the task."""

    CLEAN = "clean"
    HELD = "held"
    REJECTED = "rejected_above_limit"
    PENDING = "pending"


@dataclass(slots=True)
class RunReport:
    """
    The counts of a run, in keys after folding.

    Two sums are checked at the end of every run, see :meth:`differences`. ``seeded`` are those of
    the unchanged that a first run took for sent; ``ignored`` those of the skipped that the
    declaration leaves out.
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
