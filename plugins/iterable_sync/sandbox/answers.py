"""What the sandbox answers: bodies, envelopes and the errors of the real API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NOT_FOUND_PAGE = (
    b'<!doctype html>\n<html lang="en">\n<head><title>Action Not Found</title></head>\n'
    b"<body><h1>Action Not Found</h1></body>\n</html>\n"
)


@dataclass(frozen=True, slots=True)
class Answer:
    """
    One HTTP answer, and what the history says about it.

    Args:
        rows: users (later events, items) in the request.

        keys: keys of the profiles that the request changed, in order.

        counts: numbers of the answer, e.g. ``{"success": 2, "fail": 1}``.
    """

    status: int
    body: bytes
    media_type: str = "application/json"
    headers: Mapping[str, str] | None = None
    rows: int = 0
    keys: Sequence[str] = ()
    counts: Mapping[str, int] | None = None


class Refused(Exception):
    """A request that is answered with an error as a whole, and changes nothing."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer)
        self.answer = answer


def reply(body: Any, status: int = 200) -> Answer:
    """Answer with *body* as JSON, without an envelope."""
    return Answer(status, orjson.dumps(body))


def text(body: str, status: int = 200) -> Answer:
    """Answer with plain text."""
    return Answer(status, body.encode(), media_type="text/plain; charset=utf-8")


def envelope(
    status: int, code: str, msg: str = "", params: Mapping[str, Any] | None = None
) -> Answer:
    """
    Answer in the envelope of nearly all endpoints.

    Source:
        Swagger ``IterableApiResponse``, documented; ``params: null`` and an empty ``msg`` on
        success, recorded 2017 to 2021.
    """
    return reply({"msg": msg, "code": code, "params": params}, status)


def success() -> Answer:
    """Answer that a request was accepted."""
    return envelope(200, "Success")


def error_reply(status: int, error: str, code: str, message: str, *args: str) -> Answer:
    """
    Answer an error in the other envelope, which catalogs have.

    Source:
        Swagger ``ErrorHttpResponse``, documented; that *error* is a text and what ``data`` holds:
        a test fixture of a production client, for ``NotFound``.
    """
    body = {"error": error, "message": message, "code": code, "data": {"args": args}}
    return reply(body, status)


def bad_key(endpoint: str, ip: str) -> Answer:
    """
    Answer to a missing or wrong key.

    Source:
        Fixtures of two public clients, taken from real traffic.
    """
    return envelope(401, "BadApiKey", "Invalid API key", {"ip": ip, "endpoint": endpoint})


def key_lacks_privilege(endpoint: str, ip: str, key_digest: str, key_type: str) -> Answer:
    """
    Answer to a key that may not do this, or that is disabled and may do nothing.

    Source:
        A fixture of a public client, taken from real traffic, with a *key_type* of
        ``ServerSide``; that of a read-only key is assumed.
    """
    params = {
        "ip": ip,
        "endpoint": endpoint,
        "apiKeyIdentifier": key_digest,
        "apiKeyType": key_type,
    }
    return envelope(401, "BadApiKey", "Disabled API key or insufficient privileges", params)


def bad_json(endpoint: str, problems: Mapping[str, str]) -> Answer:
    """
    Answer to a body with a member of the wrong JSON type: *problems* by path.

    Source:
        A fixture of a public client and a public issue of 2024: ``obj.users[1].preferUserId``
        with ``Boolean value expected``. The 2017 to 2022 form, with a list per path, is recorded.
    """
    return envelope(400, "BadJsonBody", f"[{endpoint}] Invalid JSON body", problems)


def too_many_requests(retry_after: str | None) -> Answer:
    """
    Answer above a rate limit.

    Source:
        A test fixture of Iterable's own client: the body has no ``params``, and the header was
        there. Whether every endpoint sends the header is unknown.
    """
    body = orjson.dumps({"msg": "Exceeded rate limit.", "code": "RateLimitExceeded"})
    headers = None if retry_after is None else {"Retry-After": retry_after}
    return Answer(429, body, headers=headers)


def too_large(status: int, size: int, limit: int) -> Answer:
    """
    Answer to a body above the limit.

    Source:
        The code is in the Swagger document; status and text are assumed.
    """
    return envelope(status, "BatchTooLarge", f"Request body of {size} bytes exceeds {limit} bytes")


def no_such_route() -> Answer:
    """
    Answer to an unknown path or method: an HTML page, with or without a key.

    Source:
        Recorded 2017 (``DELETE /api/lists/`` and ``POST /api/users/getFields``).
    """
    return Answer(404, NOT_FOUND_PAGE, media_type="text/html; charset=utf-8")
