"""
The subscription groups of a project: its lists, message types and channels, by their ids.

A request that names a group which is not there is refused as a whole, by a code that says nothing
of whose fault it is; so they are read before.
"""

from __future__ import annotations

import random
from functools import partial
from typing import TYPE_CHECKING, Any

from iterable_sync.retrying import AttemptFailed, read_patiently

if TYPE_CHECKING:
    from collections.abc import Callable

    from iterable_sync.client import IterableClient

# Source: Swagger `ListsGetResponse`, `MessageTypesResponse`, `ChannelsList`, documented.
_READS = {
    "emailList": ("/api/lists", "lists"),
    "messageType": ("/api/messageTypes", "messageTypes"),
    "messageChannel": ("/api/channels", "channels"),
}


def read_groups(
    client: IterableClient, sleep: Callable[[float], None]
) -> dict[str, frozenset[int]]:
    """
    Read which groups there are: kind, as in the paths of Iterable -> ids.

    Raises:
        ConfigError, RetryLater: see :func:`iterable_sync.retrying.read_patiently`.
    """
    # Spreads waits; nothing secret hangs on it.
    rng = random.Random()  # noqa: S311
    return {
        kind: read_patiently(partial(_ids, client, path, array), rng=rng, sleep=sleep)
        for kind, (path, array) in _READS.items()
    }


def _ids(client: IterableClient, path: str, array: str) -> frozenset[int]:
    answer: Any = client.read(path).json
    listed = answer.get(array) if isinstance(answer, dict) else None
    if not isinstance(listed, list):
        raise AttemptFailed(f"{path}: the answer holds no {array}")
    return frozenset(
        one["id"] for one in listed if isinstance(one, dict) and type(one.get("id")) is int
    )
