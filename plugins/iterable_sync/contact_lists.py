"""Reads and creates the static lists of a project; who goes into them, the push does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

import orjson

from iterable_sync.retrying import Action, AttemptFailed, OutcomeUnknown, action_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iterable_sync.client import IterableClient

_LISTS = "/api/lists"
_STATIC = "Standard"
# Iterable answers a list of millions line by line.
_MEMBERS_DEADLINE_S = 1_800.0
_LONGEST_LINE = 1_000


@dataclass(frozen=True, slots=True)
class ContactList:
    """A list of Iterable; who is in one that is not static, Iterable says itself."""

    id: int
    name: str
    is_static: bool


def read_lists(client: IterableClient) -> list[ContactList]:
    """
    Read all lists of the project.

    Raises:
        AttemptFailed: worth another attempt, see :func:`iterable_sync.retrying.read_patiently`.

        ConfigError: not worth one.

    Source:
        GET /api/lists, Swagger ``ListDetails``, documented; recorded 2017 and 2021. The API
        creates lists of the type ``Standard`` alone, documented.
    """
    answer = client.read(_LISTS)
    listed = answer.json.get("lists") if isinstance(answer.json, dict) else None
    if not isinstance(listed, list):
        raise AttemptFailed(f"{_LISTS}: the answer holds no lists")
    return [
        ContactList(one["id"], str(one.get("name")), one.get("listType") == _STATIC)
        for one in listed
        if isinstance(one, dict) and type(one.get("id")) is int
    ]


def create_list(client: IterableClient, name: str) -> int:
    """
    Create a static list, once, and give its id.

    Raises:
        OutcomeUnknown: it may have been created.

        AttemptFailed: it was not; another attempt may.

        ConfigError: Iterable does not take the request.

    Source:
        POST /api/lists, Swagger ``CreateListRequest``, documented; the answer, recorded 2021.
    """
    answer = client.send("POST", _LISTS, orjson.dumps({"name": name}))
    match action_for(answer.status, answer.code):
        case Action.SETTLE:
            number = answer.json.get("listId") if isinstance(answer.json, dict) else None
            if type(number) is not int:
                raise OutcomeUnknown(f"{_LISTS}: HTTP {answer.status} without an id")
            return number
        case Action.RETRY_UNKNOWN:
            raise OutcomeUnknown(f"{_LISTS}: HTTP {answer.status}", answer.retry_after_s)
        case _:
            raise client.refused(answer, _LISTS)


def read_size(client: IterableClient, number: int) -> int:
    """
    Read how many people are in a list.

    Raises:
        AttemptFailed, ConfigError: as :func:`read_lists`.

    Source:
        GET /api/lists/{listId}/size, Swagger, documented: text, 5 requests a minute.
    """
    path = f"{_LISTS}/{number}/size"
    size = client.read(path).json
    if type(size) is not int:
        raise AttemptFailed(f"{path}: the answer is no number")
    return size


def copy_members(client: IterableClient, number: int, into: BinaryIO) -> None:
    """
    Copy who is in a list into a file: a userId on each line, or an e-mail where there is none.

    Args:
        into: is emptied before, so that another attempt may write into it.

    Raises:
        AttemptFailed, ConfigError: as :func:`read_lists`.

    Source:
        GET /api/lists/getUsers, Swagger, documented: text, 5 requests a minute. That
        ``preferUserId`` is for hybrid projects, documented; one on each line, recorded 2017.
    """
    into.seek(0)
    into.truncate()
    client.read(
        f"{_LISTS}/getUsers",
        {"listId": str(number), "preferUserId": "true"},
        into=into,
        deadline_s=_MEMBERS_DEADLINE_S,
    )


def read_members(copied: BinaryIO) -> Iterator[str]:
    """Give the members that were copied; what is no text, or endless, is left out."""
    copied.seek(0)
    goes_on = False
    while line := copied.readline(_LONGEST_LINE):
        is_rest, goes_on = goes_on, len(line) == _LONGEST_LINE and not line.endswith(b"\n")
        if is_rest or goes_on or b"\0" in line:
            continue
        try:
            member = line.decode().rstrip("\r\n")
        except UnicodeDecodeError:
            continue
        if member:
            yield member
