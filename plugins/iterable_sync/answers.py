"""
What may be kept of an answer: a bounded body, and of a refusal an allow-list.

Iterable's ``msg`` and ``offendingValue`` quote what was sent, ``params.ip`` names the worker; none
of them passes this file.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterator

    import requests

_CHUNK = 65_536
_MAX_LISTED = 1_000
# Parsed, `[[],[],...` takes 33 times its bytes. The largest true answer, getFields of a project
# with all the fields it may have, holds under 20,000 values.
_MOST_VALUES = 200_000

_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.]{0,99}")
# A refusal with the code "Success" has its true one in the text, with the id that it is about.
_CODE_IN_TEXT = re.compile(r"(error\.[A-Za-z]{1,40}\.[A-Za-z]{1,40})\([0-9]{1,19}\)")
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_ -]{0,39}")
_PATH = re.compile(r"obj\.([A-Za-z]{1,40})\[([0-9]{1,7})\](\.[^\s]{1,300})?")
_ENDPOINT = re.compile(r"/api(/[A-Za-z]{1,40}){1,2}")
_PROJECT = re.compile(r"[0-9]{1,20}")


class AnswerTooLarge(Exception):
    """The decoded answer is above the cap."""


@dataclass(frozen=True, slots=True)
class TypeClash:
    """What Iterable says about a field whose values have another type than it expects."""

    field: str
    expected: str | None
    incoming: frozenset[str]
    category: str | None


@dataclass(frozen=True, slots=True)
class Refusal:
    """
    The allow-list of a refused request.

    Args:
        paths: (array, index, field) of ``obj.users[17].email``; Iterable's fixtures give wrong
            indexes, so a path is a suspicion.
    """

    code: str | None = None
    paths: tuple[tuple[str, int, str], ...] = ()
    clashes: tuple[TypeClash, ...] = field(default=())
    endpoint: str | None = None
    api_key_type: str | None = None
    project_id: str | None = None


def reduce_refusal(json: Any) -> Refusal:
    """
    Keep what may be kept; every part is checked for its form, for the answer is not ours.

    Source:
        shapes of ``params``: recorded 2021 (``validationErrors``), fixtures 2022 to 2024 (paths).
        ``error.lists.invalidListId(17)`` with the code ``Success``: fixtures of Iterable's client.
    """
    if not isinstance(json, dict):
        return Refusal()
    params = json.get("params")
    if not isinstance(params, dict):
        params = {}
    matches = (_PATH.fullmatch(key) for key in list(params)[:_MAX_LISTED])
    errors = params.get("validationErrors")
    return Refusal(
        code=_code(json),
        paths=tuple((m[1], int(m[2]), (m[3] or "")[1:]) for m in matches if m),
        clashes=tuple(
            _clash(name, detail)
            for name, detail in list(errors.items() if isinstance(errors, dict) else ())[
                :_MAX_LISTED
            ]
        ),
        endpoint=_fit(_ENDPOINT, params.get("endpoint")),
        api_key_type=_fit(_WORD, params.get("apiKeyType")),
        project_id=_fit(_PROJECT, str(params.get("projectId", ""))),
    )


def read_body(response: requests.Response, max_bytes: int) -> bytes:
    """Read a streamed answer, see :func:`parts_of_body`."""
    return b"".join(parts_of_body(response, max_bytes))


def parts_of_body(response: requests.Response, max_bytes: int) -> Iterator[bytes]:
    """
    Give a streamed answer as it comes, at most *max_bytes* of it as sent and as decoded.

    Raises:
        AnswerTooLarge: it is larger; 194 kB of gzip became 200 MB with ``requests`` alone.

        ValueError: it is compressed in a way that was not asked for and is not known.
    """
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in {"identity", "", "gzip", "deflate"}:
        raise ValueError("content encoding")
    # 47: gzip and zlib, told apart by their headers.
    inflate = zlib.decompressobj(47) if encoding in {"gzip", "deflate"} else None
    size = 0
    for chunk in response.raw.stream(_CHUNK, decode_content=False):
        part = _inflated(inflate, chunk, max_bytes - size) if inflate else chunk
        size += len(part)
        if size > max_bytes:
            raise AnswerTooLarge
        yield part
    if inflate and not inflate.eof:
        raise ValueError("compressed answer breaks off")


def parsed(content: bytes) -> Any:
    """Give the JSON of an answer; None if it is none, or more than one may hold."""
    if sum(map(content.count, (b",", b":", b"[", b"{"))) > _MOST_VALUES:
        return None
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        return None


def is_half(content: bytes) -> bool:
    """Tell whether something begins as an object and does not end as one."""
    return content.lstrip()[:1] == b"{" and content.rstrip()[-1:] != b"}"


def _inflated(inflate: Any, chunk: bytes, room: int) -> bytes:
    try:
        part: bytes = inflate.decompress(chunk, room + 1)
    except zlib.error:
        part = b""
        broken = True
    else:
        broken = False
    if broken:
        raise ValueError("compressed answer is broken")
    return part


def _code(json: dict[str, Any]) -> str | None:
    code = _fit(_CODE, json.get("code"))
    text = json.get("msg")
    if code == "Success" and isinstance(text, str) and (found := _CODE_IN_TEXT.fullmatch(text)):
        return found[1]
    return code


def _clash(name: str, detail: Any) -> TypeClash:
    detail = detail if isinstance(detail, dict) else {}
    incoming = detail.get("incomingTypes")
    words = (_fit(_WORD, kind) for kind in (incoming if isinstance(incoming, list) else ()))
    return TypeClash(
        field=name.removeprefix("dataFields."),
        expected=_fit(_WORD, detail.get("expectedType")),
        incoming=frozenset(word.lower() for word in words if word),
        category=_fit(_WORD, detail.get("category")),
    )


def _fit(form: re.Pattern[str], value: Any) -> str | None:
    return value if isinstance(value, str) and form.fullmatch(value) else None
