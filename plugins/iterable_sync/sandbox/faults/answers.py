"""Kinds of faults that answer something else than the truth."""

from __future__ import annotations

from dataclasses import dataclass, replace
from email.utils import formatdate
from functools import lru_cache
from time import time
from typing import TYPE_CHECKING, Any
from zlib import MAX_WBITS, compressobj

import orjson

from ..answers import Answer, envelope, success, too_large, too_many_requests

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_MEGABYTE = 1_000_000
_HTML = "text/html; charset=utf-8"
_REASONS = {
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """The request, as far as an answer repeats it."""

    path: str
    headers: Iterable[tuple[bytes, bytes]]
    body: bytes
    size: int


def given(_asked: Asked, _own: Answer | None, arguments: Mapping[str, Any]) -> Answer:
    """Answer what the rule says: text as it is, all else as JSON."""
    body = arguments["body"]
    status, headers = arguments["status"], arguments["headers"]
    if not isinstance(body, str):
        return Answer(status, orjson.dumps(body), headers=headers)
    return Answer(status, body.encode(), media_type="text/plain; charset=utf-8", headers=headers)


def rate_limit(_asked: Asked, _own: Answer | None, arguments: Mapping[str, Any]) -> Answer:
    """Answer 429; the header is a text, seconds, or the date in so many seconds."""
    wait = arguments["retry_after"]
    if arguments["as_date"]:
        # Rounded up, as the date has whole seconds: never earlier than was asked for.
        wait = formatdate(int(time()) + 1 + int(wait), usegmt=True)
    return too_many_requests(None if wait is None else str(wait))


def error(_asked: Asked, _own: Answer | None, arguments: Mapping[str, Any]) -> Answer:
    """
    Answer with a server error, as JSON or as the page of a proxy.

    Source:
        ``GenericError`` is in the Swagger document for 500; the page is assumed.
    """
    status = arguments["status"]
    reason = _REASONS.get(status, "Server Error")
    if arguments["html"]:
        page = f"<html>\n<head><title>{status} {reason}</title></head>\n<body>{reason}</body>\n"
        return Answer(status, f"{page}</html>\n".encode(), media_type=_HTML)
    return envelope(status, "GenericError", reason)


def bad_json(_asked: Asked, own: Answer | None, _arguments: Mapping[str, Any]) -> Answer:
    """Cut the body short, under a length that agrees with it."""
    truth = own or success()
    return replace(truth, body=truth.body[: max(1, len(truth.body) // 2)])


def wrong_shape(_asked: Asked, own: Answer | None, arguments: Mapping[str, Any]) -> Answer:
    """Answer 200 with JSON of another shape."""
    return replace(own or success(), status=200, body=orjson.dumps(arguments["body"]))


def wrong_counts(_asked: Asked, own: Answer | None, arguments: Mapping[str, Any]) -> Answer:
    """Change ``successCount``; an answer without one stays as it is."""
    truth = own or success()
    parsed = _object_of(truth.body)
    if type(parsed.get("successCount")) is not int:
        return truth
    parsed["successCount"] += arguments["by"]
    return replace(truth, body=orjson.dumps(parsed))


def other_status(_asked: Asked, own: Answer | None, arguments: Mapping[str, Any]) -> Answer:
    """Give the true body under another status."""
    return replace(own or success(), status=arguments["status"])


def redirect(_asked: Asked, _own: Answer | None, arguments: Mapping[str, Any]) -> Answer:
    """Send the client elsewhere."""
    location = {"Location": arguments["location"]}
    return Answer(arguments["status"], b"", media_type="text/plain", headers=location)


def size_limit(asked: Asked, _own: Answer | None, arguments: Mapping[str, Any]) -> Answer:
    """Answer that the body is too large."""
    return too_large(arguments["status"], asked.size, arguments["above_bytes"])


def echo(asked: Asked, _own: Answer | None, _arguments: Mapping[str, Any]) -> Answer:
    """
    Answer 400 and repeat the request, its key included.

    Source:
        The form of 2017, recorded; deprecated since. That the key is among the headers is from
        the same recordings.
    """
    lines = ", ".join(
        f"({name.decode('latin-1')},{line.decode('latin-1')})" for name, line in asked.headers
    )
    body = asked.body.decode("utf-8", "replace")
    problems = {"obj": [{"msg": "error.expected.jsobject", "args": []}]}
    text = f"[{asked.path}] body: {body}, hdrs: ArrayBuffer({lines})"
    return envelope(400, "BadJsonBody", text, problems)


def gzip_bomb(_asked: Asked, own: Answer | None, arguments: Mapping[str, Any]) -> Answer:
    """Give the true body with so many megabytes of spaces behind it, compressed."""
    truth = own or success()
    packed = _compressed(truth.body, arguments["megabytes"])
    return replace(truth, body=packed, headers={"Content-Encoding": "gzip"})


def _object_of(body: bytes) -> dict[str, Any]:
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


@lru_cache(maxsize=4)
def _compressed(body: bytes, megabytes: int) -> bytes:
    spaces = b" " * _MEGABYTE
    packer = compressobj(9, wbits=MAX_WBITS | 16)
    parts = [packer.compress(body), *(packer.compress(spaces) for _ in range(megabytes))]
    return b"".join([*parts, packer.flush()])
