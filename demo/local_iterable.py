"""The sandbox in a process of its own, and what the demo asks it."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import requests

from processes import DemoFailed

if TYPE_CHECKING:
    from pathlib import Path

    from processes import Processes

# The sandbox's own key: it opens nothing else.
API_KEY = "sandbox-key-00000000000000000000"
PROJECT = {"data_center": "us", "project_type": "hybrid", "project_id": "1", "sandbox": True}

_UP_WITHIN_S = 30.0

# What Iterable keeps by itself, and no warehouse says.
_MANAGED = frozenset(
    {"signupDate", "signupSource", "profileUpdatedAt", "itblInternal", "itblUserId"}
)

Profile = dict[str, Any]


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

    def profiles(self) -> dict[str, Profile]:
        """Give the fields of every profile, by userId or else e-mail, without the managed ones."""
        users = self._control("state")["users"]
        return {
            user["key"]: {
                name: value for name, value in user["dataFields"].items() if name not in _MANAGED
            }
            for user in users
        }

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
