"""What can be switched: when the sandbox starts, and while it runs."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

API_KEY = "sandbox-key-00000000000000000000"
READ_ONLY_KEY = "sandbox-read-only-key-0000000000"

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


@dataclass(frozen=True, slots=True)
class Settings:
    """
    The switches of one sandbox.

    Where the public sources leave the behaviour of the real API open, a switch gives the choices
    and its default the likeliest one.

    Args:
        type_mismatch: the documented text says per row, the practice of two production clients
            says the whole batch.

        unknown_user_id: no source says what the real API does.

        widen_numbers: whether ``10`` is accepted by a field of type double, and ``10.0`` by one
            of type long. No source says; off, as the stricter of the two.

        retry_after: the header beside a 429: ``None`` for no header, ``auto`` for the seconds
            until the next free request, anything else literally.

        too_large_status: 413 or 400, both with the code ``BatchTooLarge``. The code is
            documented, its status and its trigger are not.

        limits: requests per second by name of a limit, in place of the published ones.

        discard: validate and count, but keep only a digest per identity.

    Raises:
        ValueError: the values do not go together.
    """

    project_type: ProjectType = ProjectType.HYBRID
    region: Region = Region.US
    project_id: int = 1
    api_key: str = API_KEY
    read_only_key: str = READ_ONLY_KEY
    create_new_fields: bool = True
    type_mismatch: Mismatch = Mismatch.BATCH
    unknown_user_id: UnknownUserId = UnknownUserId.NOT_FOUND
    widen_numbers: bool = False
    rate_limits: bool = True
    limits: dict[str, float] = field(default_factory=dict)
    retry_after: str | None = None
    max_body_bytes: int = MAX_BODY_BYTES
    too_large_status: int = 413
    discard: bool = False

    def __post_init__(self) -> None:
        # Documented: the European data centre has hybrid and userID-based projects only.
        if self.region is Region.EU and self.project_type is ProjectType.EMAIL:
            raise ValueError("region eu has no email-based projects; use userId or hybrid")

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


def _status(value: Any) -> int:
    if value not in (400, 413):
        raise ValueError("expected 400 or 413")
    return int(value)


def _positive(value: Any) -> int:
    number = int(_exactly(int)(value))
    if number < 1:
        raise ValueError("expected at least 1")
    return number


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
    "create_new_fields": _exactly(bool),
    "type_mismatch": Mismatch,
    "unknown_user_id": UnknownUserId,
    "widen_numbers": _exactly(bool),
    "rate_limits": _exactly(bool),
    "limits": _rates,
    "retry_after": _optional_text,
    "max_body_bytes": _positive,
    "too_large_status": _status,
    "discard": _exactly(bool),
}
