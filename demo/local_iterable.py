"""The sandbox in a process of its own, and what the demo asks it."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import requests

from expectation import CARTS, EVENTS, MEMBERSHIPS, PURCHASES
from expected_events import KINDS, name_of
from expected_people import AUDIENCES, LISTS, OF_PROFILES
from processes import DemoFailed

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path

    from expectation import Things
    from expected_people import Profile
    from expected_values import Record
    from processes import Processes

# The sandbox's own key: it opens nothing else.
API_KEY = "sandbox-key-00000000000000000000"
PROJECT = {"data_center": "us", "project_type": "hybrid", "project_id": "1", "sandbox": True}

_UP_WITHIN_S = 30.0

# What Iterable keeps by itself, and no warehouse says.
_MANAGED = frozenset(
    {
        "signupDate",
        "signupSource",
        "profileUpdatedAt",
        "itblInternal",
        "itblUserId",
        # Who was in a list once.
        "userListIds",
        "unsubscribedMessageTypeIds",
        "unsubscribedChannelIds",
        "subscribedMessageTypeIds",
    }
)

_MANAGED_OF_EVENTS = frozenset(
    {"key", "id", "email", "eventType", "eventUpdatedAt", "itblInternal"}
)
_CART = "shoppingCartItems"
# Iterable makes one of each cart that it gets.
_CART_EVENT = "updateCart"


@dataclass(frozen=True)
class Contents:
    """
    What Iterable holds, without what it keeps by itself.

    Args:
        profiles: by userId or else e-mail, without what other syncs than users have there.

        things: what the other syncs have sent, by sync and by name, as the expectation has it.

        others: events that no sync sends, and lists that none keeps.
    """

    profiles: dict[str, Profile]
    things: dict[str, Things]
    others: Things


class LocalIterable:
    """
    Talks to a sandbox.

    Args:
        url: its address.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._session = requests.Session()
        # Not through a proxy that is set for the rest of the world.
        self._session.trust_env = False

    def contents(self) -> Contents:
        """Give all that it holds."""
        state = self._control("state")
        fields = {user["key"]: user["dataFields"] for user in state["users"]}
        apart = {*_MANAGED, *AUDIENCES, _CART, *chain.from_iterable(OF_PROFILES.values())}
        things: dict[str, Things] = {
            sync: {key: kept for key, of in fields.items() if (kept := _only(of, names))}
            for sync, names in OF_PROFILES.items()
        }
        things[MEMBERSHIPS] = {
            (key, name): of[name] for key, of in fields.items() for name in AUDIENCES & of.keys()
        }
        things[PURCHASES] = dict(_told_apart((row["id"], row) for row in state["purchases"]))
        things[CARTS] = {key: of[_CART] for key, of in fields.items() if _CART in of}
        members = {one["name"]: one["members"] for one in state["lists"]}
        for sync, (name, _) in LISTS.items():
            things[sync] = {(key, name): True for key in members.pop(name, ())}
        events = _told_apart(
            (name_of(row), row) for row in state["events"] if row["eventName"] != _CART_EVENT
        )
        things |= {sync: {} for sync in EVENTS}
        others: Things = dict(members)
        for name, event in events.items():
            kind = KINDS.get(event["eventName"])
            (things[kind[0]] if kind else others)[name] = event
        return Contents(
            profiles={
                key: {name: value for name, value in of.items() if name not in apart}
                for key, of in fields.items()
            },
            things=things,
            others=others,
        )

    def profile(self, user_id: str) -> Profile:
        """Give one profile by Iterable's public API."""
        answer = self._get(f"api/users/byUserId?userId={quote(user_id)}")
        return dict(answer["user"]["dataFields"])

    def writes(self, after: int = 0) -> list[dict[str, Any]]:
        """Give the requests that can change something and came after number *after*."""
        found: list[dict[str, Any]] = []
        start: int | None = after
        while start is not None:
            page = self._control(f"history?after={start}")
            found += page["requests"]
            start = page["next_after"]
        return [request for request in found if request["method"] != "GET"]

    def last_request(self) -> int:
        """Give the number of the newest request."""
        return int(self._control("history?limit=0")["last_seq"])

    def _control(self, what: str) -> Any:
        return self._get(f"__sandbox__/{what}")

    def _get(self, path: str) -> Any:
        try:
            answer = self._session.get(
                f"{self.url}/{path}", headers={"Api-Key": API_KEY}, timeout=120
            )
            answer.raise_for_status()
        except requests.RequestException as error:
            raise DemoFailed(f"the sandbox gave no answer: {type(error).__name__}") from error
        return answer.json()


def _told_apart(rows: Iterable[tuple[str, Record]]) -> dict[str, Record]:
    """Give events by their names; one that is there twice is not the first one."""
    found: dict[str, Record] = {}
    for name, row in rows:
        own = name if name not in found else f"{name}, once more as {row['id']}"
        found[own] = {part: row[part] for part in row if part not in _MANAGED_OF_EVENTS}
    return found


def _only(values: Profile, names: Collection[str]) -> Profile:
    return {name: value for name, value in values.items() if name in names}


def start(processes: Processes, folder: Path) -> LocalIterable:
    """
    Start a sandbox on a free port, and return once it answers.

    Raises:
        DemoFailed: it did not start.
    """
    port_file = folder / "sandbox.port"
    process = processes.start(
        "sandbox",
        [sys.executable, "-m", "iterable_sync.cli", "sandbox", "--port-file", str(port_file)],
    )
    end = time.monotonic() + _UP_WITHIN_S
    while not port_file.exists():
        if process.poll() is not None or time.monotonic() > end:
            raise DemoFailed("the sandbox did not start", processes.log("sandbox"))
        time.sleep(0.05)
    return LocalIterable(f"http://127.0.0.1:{port_file.read_text(encoding='utf-8').strip()}")
