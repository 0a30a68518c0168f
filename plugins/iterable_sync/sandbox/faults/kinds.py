"""What can go wrong: a table of kinds and their arguments."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

from . import answers, rows
from .arguments import (
    REQUIRED,
    Argument,
    anything,
    boolean,
    fraction,
    header_text,
    headers,
    number,
    one_of,
    optional,
    positive,
    retry_after,
    text,
    texts,
    whole,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from random import Random

    from ..answers import Answer
    from ..state import State
    from .answers import Asked
    from .rows import Handler, Withheld

    MakeAnswer = Callable[[Asked, Answer | None, Mapping[str, Any]], Answer]
    WrapHandler = Callable[[State, Handler, Mapping[str, Any], Random, Withheld], Handler]


class Effect(Enum):
    """What becomes of the request itself."""

    APPLIED = "applied"
    WITHHELD = "withheld"
    CHOICE = "as `apply` says"


@dataclass(frozen=True, slots=True)
class Kind:
    """
    One kind of fault; *answer*, *rows* and the connection are three places where one can act.

    Args:
        effect: whether the request reaches its handler.

        answer: makes the answer; without it the answer is the true one.

        rows: takes rows out of the request.

        cuts: whether the connection ends.

        check: finds what is wrong with the arguments together.
    """

    about: str
    effect: Effect
    arguments: Mapping[str, Argument] = field(default_factory=dict)
    answer: MakeAnswer | None = None
    rows: WrapHandler | None = None
    is_wire: bool = False
    cuts: bool = False
    check: Callable[[Mapping[str, Any]], str | None] | None = None

    def as_json(self, name: str) -> dict[str, Any]:
        """Return what a person needs to write a rule of this kind."""
        return {
            "kind": name,
            "about": self.about,
            "arguments": [
                {"name": argument, "about": one.about}
                | ({"required": True} if one.default is REQUIRED else {"default": one.default})
                for argument, one in self.arguments.items()
            ],
        }


def _apply(*, default: bool) -> Argument:
    return Argument(boolean, default, "whether the request takes effect before")


_ANSWERED_200 = {"apply": _apply(default=True)}
_MARK = {
    "field": Argument(text, "", "path inside a row, e.g. `dataFields.poison`"),
    "equals": Argument(anything, None, "value of the field; null for any"),
    "keys": Argument(optional(texts), None, "in its place: e-mails or userIds"),
}


def _check_mark(arguments: Mapping[str, Any]) -> str | None:
    if bool(arguments["field"]) == (arguments["keys"] is not None):
        return "give either field or keys"
    return None


def _check_date(arguments: Mapping[str, Any]) -> str | None:
    if arguments["as_date"] and type(arguments["retry_after"]) is not int:
        return "as_date needs retry_after in seconds"
    return None


def _check_phase(arguments: Mapping[str, Any]) -> str | None:
    if arguments["after_bytes"] is not None and arguments["at"] != "upload":
        return "after_bytes goes with at: upload"
    return None


KINDS: Mapping[str, Kind] = {
    "answer": Kind(
        "a given answer",
        Effect.CHOICE,
        {
            "status": Argument(whole(200, 599), REQUIRED, "status"),
            "body": Argument(anything, None, "text as it is, all else as JSON"),
            "headers": Argument(headers, {}, "more headers"),
            "apply": _apply(default=False),
        },
        answers.given,
    ),
    "rate_limit": Kind(
        "429",
        Effect.WITHHELD,
        {
            "retry_after": Argument(
                retry_after, None, "the header: seconds or any text; null for none"
            ),
            "as_date": Argument(boolean, False, "give the seconds as an HTTP date"),  # noqa: FBT003 -- a default
        },
        answers.rate_limit,
        check=_check_date,
    ),
    "error": Kind(
        "500, 502, 503, 504",
        Effect.CHOICE,
        {
            "status": Argument(whole(500, 599), 503, "status"),
            "html": Argument(boolean, False, "a page of a proxy in place of JSON"),  # noqa: FBT003 -- a default
            "apply": _apply(default=False),
        },
        answers.error,
    ),
    "too_large": Kind(
        "413 or 400 `BatchTooLarge` above a size; smaller requests are not counted",
        Effect.WITHHELD,
        {
            "above_bytes": Argument(whole(0), REQUIRED, "largest body that passes"),
            "status": Argument(one_of(400, 413), 413, "status"),
        },
        answers.size_limit,
    ),
    "echo": Kind(
        "the deprecated 400 that repeats headers, with the key, and body",
        Effect.WITHHELD,
        {},
        answers.echo,
    ),
    "redirect": Kind(
        "301, 302, 307, 308",
        Effect.WITHHELD,
        {
            "location": Argument(header_text, REQUIRED, "where to"),
            "status": Argument(one_of(301, 302, 303, 307, 308), 307, "status"),
        },
        answers.redirect,
    ),
    "status": Kind(
        "the true body under another status: 201, 202, 204",
        Effect.CHOICE,
        {"status": Argument(whole(200, 599), REQUIRED, "status"), **_ANSWERED_200},
        answers.other_status,
    ),
    "bad_json": Kind(
        "half of the body, under its own length", Effect.CHOICE, _ANSWERED_200, answers.bad_json
    ),
    "wrong_shape": Kind(
        "200 with other JSON",
        Effect.CHOICE,
        {"body": Argument(anything, [], "the JSON"), **_ANSWERED_200},
        answers.wrong_shape,
    ),
    "wrong_counts": Kind(
        "a `successCount` that is wrong, where there is one",
        Effect.CHOICE,
        {
            "by": Argument(whole(-1_000_000), -1, "added to it"),
            **_ANSWERED_200,
        },
        answers.wrong_counts,
    ),
    "gzip_bomb": Kind(
        "the true body and megabytes of spaces, compressed a thousandfold",
        Effect.CHOICE,
        {"megabytes": Argument(whole(1, 2000), 50, "size once decoded"), **_ANSWERED_200},
        answers.gzip_bomb,
    ),
    "delay": Kind(
        "the true answer, late",
        Effect.APPLIED,
        {
            "late": Argument(boolean, False, "take effect after the delay, not before"),  # noqa: FBT003 -- a default
        },
    ),
    "drip": Kind(
        "the true answer, byte by byte",
        Effect.APPLIED,
        {"bytes_per_s": Argument(positive, 2.0, "how fast")},
        is_wire=True,
    ),
    "reset": Kind(
        "the connection is cut (RST)",
        Effect.APPLIED,
        {
            "at": Argument(
                one_of("start", "upload", "handled", "answer"),
                "handled",
                "before the body is read, while it is read, once it took effect, in the answer",
            ),
            "after_bytes": Argument(
                optional(whole(0)),
                None,
                "bytes of the upload that are read before; null for half of it",
            ),
        },
        is_wire=True,
        cuts=True,
        check=_check_phase,
    ),
    "truncate": Kind(
        "half of the body, and the end of the connection",
        Effect.CHOICE,
        _ANSWERED_200,
        is_wire=True,
        cuts=True,
    ),
    "short_length": Kind(
        "a `Content-Length` of half the body that comes",
        Effect.CHOICE,
        _ANSWERED_200,
        is_wire=True,
        cuts=True,
    ),
    "bad_chunks": Kind(
        "a chunked body whose second chunk has no size",
        Effect.CHOICE,
        _ANSWERED_200,
        is_wire=True,
        cuts=True,
    ),
    "close_idle": Kind(
        "the true answer, and the end of the kept connection",
        Effect.APPLIED,
        {"idle_s": Argument(number, 0.0, "seconds after the answer")},
        is_wire=True,
        cuts=True,
    ),
    "drop": Kind(
        "accepted, and some rows not applied",
        Effect.APPLIED,
        {"fraction": Argument(fraction, 1.0, "share of the rows; 1 for the whole request")},
        rows=rows.drop,
    ),
    "refuse_rows": Kind(
        "rows with a mark are reported as failed",
        Effect.APPLIED,
        {**_MARK, "reason": Argument(one_of(*rows.REASONS), "invalidData", "under which array")},
        rows=rows.refuse_rows,
        check=_check_mark,
    ),
    "refuse_batch": Kind(
        "400 for the whole request if a row has a mark",
        Effect.APPLIED,
        {
            **_MARK,
            "code": Argument(text, "BadJsonBody", "code"),
            "with_path": Argument(boolean, True, "name the rows in `params`"),  # noqa: FBT003 -- a default
        },
        rows=rows.refuse_batch,
        check=_check_mark,
    ),
}
