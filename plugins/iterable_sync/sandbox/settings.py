"""What can be switched: when the sandbox starts, and while it runs."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from math import inf
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

API_KEY = "sandbox-key-00000000000000000000"
READ_ONLY_KEY = "sandbox-read-only-key-0000000000"
DISABLED_KEY = "sandbox-disabled-key-00000000000"

# Keys of Iterable are 32 hexadecimal digits; assumed, from published examples.
_REAL_KEY = re.compile(r"[0-9a-f]{32}")

# Documented as "4MB"; read as decimal megabytes, the stricter reading and the one that other
# senders keep to. What the real API answers above it is assumed: see `Settings.too_large_status`.
MAX_BODY_BYTES = 4_000_000


class ProjectType(StrEnum):
    """What identifies a profile in the project."""

    EMAIL = "email"
    USER_ID = "userId"
    HYBRID = "hybrid"


class Region(StrEnum):
    """The data centre of the project."""

    US = "us"
    EU = "eu"


class Mismatch(StrEnum):
    """What a value of the wrong type costs: the whole request, or its row."""

    BATCH = "batch"
    ITEM = "item"


class UnknownUserId(StrEnum):
    """What an email-based project does with an unknown userId and no ``preferUserId``."""

    NOT_FOUND = "not_found"
    INVALID = "invalid"
    CREATE = "create"


class DynamicLists(StrEnum):
    """What a dynamic list answers to those who write to it."""

    ACCEPT = "accept"
    REFUSE = "refuse"


class UnknownEventUser(StrEnum):
    """What an email-based project does with an event of somebody unknown."""

    NOT_FOUND = "not_found"
    ACCEPT = "accept"
    CREATE = "create"


class EchoedEmails(StrEnum):
    """How a failed e-mail address is named: as it would be stored, or as it was sent."""

    FOLDED = "folded"
    SENT = "sent"


@dataclass(frozen=True, slots=True)
class Settings:
    """
    The switches of one sandbox.

    Where the public sources leave the behaviour of the real API open, a switch gives the choices
    and its default the likeliest one.

    Args:
        disabled_key: a key that may do nothing any more.

        type_mismatch: the documented text says per row, the practice of two production clients
            says the whole batch.

        unknown_user_id: no source says what the real API does.

        unknown_event_user: it creates nobody by the newer of two public documents, and somebody
            by the older. ``accept`` counts the event and keeps nothing; that ``not_found`` is
            the answer follows from the arrays that trackBulk has for it.

        disallowed_event_names: event names that Iterable does not take from this project.

        echoed_emails: the test data of a production client say lower-cased; not every source does.

        max_user_fields: unique fields of all users, nested ones included, besides those that a
            project has from the start. Documented as a soft limit.

        max_event_fields: unique fields of one event name, nested ones included. Documented as a
            soft limit.

        max_text_length: characters of one text value. Documented as about 32,000.

        max_name_length: characters of one field name. No source says; assumed.

        visibility_delay_s: accepted writes show in reads of users, their fields and their events
            after so many seconds. They are applied to what later writes are checked against at
            once.

        widen_numbers: whether ``10`` is accepted by a field of type double, and ``10.0`` by one
            of type long. No source says; off, as the stricter of the two.

        retry_after: the header beside a 429: ``None`` for no header, ``auto`` for the seconds
            until the next free request, anything else literally.

        too_large_status: 413 or 400, both with the code ``BatchTooLarge``. The code is
            documented, its status and its trigger are not.

        limits: requests per second by name of a limit, in place of the published ones.

        dynamic_lists: what a dynamic list answers to new or leaving members: ``accept`` counts
            them and changes nothing. Recorded 2017: it was accepted; that its members stay those
            of its query is assumed. ``refuse`` shows who writes to the wrong kind of list.

        subscriptions_enabled: whether there are the endpoints below ``/api/subscriptions``. Off,
            as in every project until Iterable's support switches them on (documented).

        opt_in_message_types: whether ``subscribedMessageTypeIds`` may be written. Off, likewise.

        discard: validate and count, but keep only a digest per identity.

        latency_ms: each answer is held back for so long, evenly between two bounds.

        seed: of the latency, and of fault plans without one.

        history_limit: how many requests the history holds; the oldest are forgotten.

    Raises:
        ValueError: the values do not go together.
    """

    project_type: ProjectType = ProjectType.HYBRID
    region: Region = Region.US
    project_id: int = 1
    api_key: str = API_KEY
    read_only_key: str = READ_ONLY_KEY
    disabled_key: str = DISABLED_KEY
    create_new_fields: bool = True
    type_mismatch: Mismatch = Mismatch.BATCH
    unknown_user_id: UnknownUserId = UnknownUserId.NOT_FOUND
    unknown_event_user: UnknownEventUser = UnknownEventUser.NOT_FOUND
    disallowed_event_names: tuple[str, ...] = ()
    echoed_emails: EchoedEmails = EchoedEmails.FOLDED
    max_user_fields: int = 1000
    max_event_fields: int = 8000
    max_text_length: int = 32_766
    max_name_length: int = 255
    visibility_delay_s: float = 0.0
    widen_numbers: bool = False
    rate_limits: bool = True
    limits: dict[str, float] = field(default_factory=dict)
    retry_after: str | None = None
    max_body_bytes: int = MAX_BODY_BYTES
    too_large_status: int = 413
    dynamic_lists: DynamicLists = DynamicLists.ACCEPT
    subscriptions_enabled: bool = False
    opt_in_message_types: bool = False
    discard: bool = False
    latency_ms: tuple[float, float] = (0.0, 0.0)
    seed: int = 0
    history_limit: int = 20_000

    def __post_init__(self) -> None:
        # Documented: the European data centre has hybrid and userID-based projects only.
        if self.region is Region.EU and self.project_type is ProjectType.EMAIL:
            raise ValueError("region eu has no email-based projects; use userId or hybrid")
        # The page and the settings show the keys to whoever asks.
        if any(map(_REAL_KEY.fullmatch, (self.api_key, self.read_only_key, self.disabled_key))):
            raise ValueError("a key looks like one of Iterable; the sandbox shows its keys to all")

    def changed(self, changes: Mapping[str, Any]) -> Settings:
        """
        Return these settings with *changes*, given as plain JSON values.

        Raises:
            ValueError: an unknown name, or a value of the wrong kind.
        """
        values: dict[str, Any] = {}
        for name, value in changes.items():
            parse = _PARSERS.get(name)
            if parse is None:
                known = ", ".join(_PARSERS)
                raise ValueError(f"unknown setting {name!r}; known: {known}")
            try:
                values[name] = parse(value)
            except (TypeError, ValueError) as error:
                raise ValueError(f"setting {name!r}: {error}") from error
        return replace(self, **values)

    def as_json(self) -> dict[str, Any]:
        """Return the settings as they are given to `changed`."""
        return asdict(self)


def _exactly(kind: type) -> Callable[[Any], Any]:
    def parse(value: Any) -> Any:
        if type(value) is not kind:
            raise ValueError(f"expected {kind.__name__}, not {type(value).__name__}")
        return value

    return parse


def _optional_text(value: Any) -> str | None:
    return None if value is None else str(_exactly(str)(value))


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(str(_exactly(str)(text)) for text in _exactly(list)(value))


def _status(value: Any) -> int:
    if value not in (400, 413):
        raise ValueError("expected 400 or 413")
    return int(value)


def _natural(value: Any) -> int:
    number = int(_exactly(int)(value))
    if number < 0:
        raise ValueError("expected at least 0")
    return number


def _positive(value: Any) -> int:
    number = int(_exactly(int)(value))
    if number < 1:
        raise ValueError("expected at least 1")
    return number


def _latency(value: Any) -> tuple[float, float]:
    bounds = value if isinstance(value, list | tuple) else (value, value)
    if len(bounds) != 2 or any(type(bound) not in (int, float) for bound in bounds):
        raise ValueError("expected milliseconds, or an array of two")
    low, high = map(float, bounds)
    if not 0 <= low <= high < inf:
        raise ValueError("expected two numbers in order, of at least 0")
    return low, high


def _seconds(value: Any) -> float:
    if type(value) not in (int, float) or not 0 <= value < inf:
        raise ValueError("expected seconds, at least 0")
    return float(value)


def _rates(value: Any) -> dict[str, float]:
    rates = {str(name): float(rate) for name, rate in _exactly(dict)(value).items()}
    if any(rate <= 0 for rate in rates.values()):
        raise ValueError("a limit is more than 0 requests per second")
    return rates


_PARSERS: dict[str, Callable[[Any], Any]] = {
    "project_type": ProjectType,
    "region": Region,
    "project_id": _positive,
    "api_key": _exactly(str),
    "read_only_key": _exactly(str),
    "disabled_key": _exactly(str),
    "create_new_fields": _exactly(bool),
    "type_mismatch": Mismatch,
    "unknown_user_id": UnknownUserId,
    "unknown_event_user": UnknownEventUser,
    "disallowed_event_names": _texts,
    "echoed_emails": EchoedEmails,
    "max_user_fields": _positive,
    "max_event_fields": _positive,
    "max_text_length": _positive,
    "max_name_length": _positive,
    "visibility_delay_s": _seconds,
    "widen_numbers": _exactly(bool),
    "rate_limits": _exactly(bool),
    "limits": _rates,
    "retry_after": _optional_text,
    "max_body_bytes": _positive,
    "too_large_status": _status,
    "dynamic_lists": DynamicLists,
    "subscriptions_enabled": _exactly(bool),
    "opt_in_message_types": _exactly(bool),
    "discard": _exactly(bool),
    "latency_ms": _latency,
    "seed": _natural,
    "history_limit": _positive,
}
