"""
What the sandbox can take, and what it costs: one JSON line per figure.

The sandbox runs in a process of its own; requests are made before the clock runs, and sent by bare
sockets, so that the client costs little of the two cores. Users have 20 fields, events five.

    python bench/sandbox.py
"""

from __future__ import annotations

import argparse
import json
import selectors
import socket
import time
from statistics import median
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import psutil

from common import SANDBOX_KEY, machine, sandbox, workspace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_ROWS_PER_REQUEST = 1000
_DISCARD = {"discard": True}
_KEEP = {"discard": False}


class Connection:
    """One keep-alive connection that has at most one request on its way."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        self.socket = socket.create_connection((address.hostname or "", address.port or 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received = b""

    def send(self, request: bytes) -> None:
        """Send a request."""
        self.socket.sendall(request)

    def receive(self) -> bool:
        """Read what is there; say whether an answer is complete, and stop if it is no success."""
        chunk = self.socket.recv(65_536)
        self._received += chunk
        head, separator, body = self._received.partition(b"\r\n\r\n")
        if not chunk or (separator and b" 200 " not in head[:16]):
            raise SystemExit(f"not accepted: {self._received[:500]!r}")
        if not separator:
            return False
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
        if len(body) < length:
            return False
        if b'"failCount"' in body and b'"failCount":0' not in body:
            raise SystemExit(f"rows failed: {body[:500]!r}")
        self._received = b""
        return True


def post(path: str, body: Any) -> bytes:
    """Return a whole HTTP request."""
    content = json.dumps(body, separators=(",", ":")).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nApi-Key: {SANDBOX_KEY}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


def user(number: int) -> dict[str, Any]:
    """Return a user with 20 fields: texts, numbers, dates, flags."""
    fields: dict[str, Any] = {f"text{index}": f"text {number % 997} {index}" for index in range(8)}
    fields |= {f"count{index}": number * index for index in range(4)}
    fields |= {f"score{index}": number / (index + 7) for index in range(3)}
    fields |= {f"flag{index}": number % (index + 2) == 0 for index in range(3)}
    fields |= {f"at{index}": f"2024-01-0{index + 1} 00:00:00 +00:00" for index in range(2)}
    return {"userId": f"u{number:09}", "email": f"user{number}@example.com", "dataFields": fields}


def event(number: int, users: int) -> dict[str, Any]:
    """Return an event with five fields of one of *users* people."""
    fields = {"sum": number / 7, "count": number, "shop": "a", "vip": True, "at": "2024-01-01"}
    who = f"u{number % users:09}"
    return {"userId": who, "eventName": "bought", "id": f"e-{number}", "dataFields": fields}


def small(wanted: int) -> list[bytes]:
    """Return updates of one user and two fields each."""
    return [
        post(
            "/api/users/update",
            {"userId": f"u{number % 1000:09}", "dataFields": {"plan": "a", "count": number}},
        )
        for number in range(wanted)
    ]


def bulks(path: str, name: str, rows: Iterable[dict[str, Any]]) -> Iterator[bytes]:
    """Give requests of 1,000 rows each."""
    batch: list[dict[str, Any]] = []
    for row in rows:
        batch.append(row)
        if len(batch) == _ROWS_PER_REQUEST:
            yield post(path, {name: batch})
            batch = []


def seconds_for(url: str, requests: Iterable[bytes], connections: int = 1) -> float:
    """Send requests over connections that wait for each answer; return how long it took."""
    waiting = iter(list(requests))
    opened = [Connection(url) for _ in range(connections)]
    with selectors.DefaultSelector() as selector:
        begun = time.perf_counter()
        busy = 0
        for connection in opened:
            selector.register(connection.socket, selectors.EVENT_READ, connection)
            busy += _next(connection, waiting)
        while busy:
            for key, _ in selector.select():
                if key.data.receive():
                    busy -= not _next(key.data, waiting)
        took = time.perf_counter() - begun
    for connection in opened:
        connection.socket.close()
    return took


def _next(connection: Connection, waiting: Iterator[bytes]) -> bool:
    request = next(waiting, None)
    if request is None:
        return False
    connection.send(request)
    return True


def resident_mb() -> float:
    """Return the resident memory of the sandbox, MB."""
    (server,) = psutil.Process().children()
    return round(server.memory_info().rss / 2**20, 1)


def report(figure: str, value: float, **more: Any) -> None:
    """Print one line."""
    line = {"bench": "sandbox", "figure": figure, "value": value, **more, **machine()}
    print(json.dumps(line), flush=True)


def measure_start(directory: Path) -> None:
    """Measure from the start of the process to its first answer."""
    took = []
    for _ in range(3):
        begun = time.perf_counter()
        with sandbox(directory, **_KEEP) as url:
            seconds_for(url, small(1))
            took.append(time.perf_counter() - begun)
    report("start_s", round(median(took), 2))


def measure_small(directory: Path, wanted: int) -> None:
    """Measure users/update over keep-alive connections."""
    for connections in (1, 8):
        with sandbox(directory, **_KEEP) as url:
            took = seconds_for(url, small(wanted), connections)
        report("small_requests_per_s", round(wanted / took), connections=connections)


def measure_bulk(directory: Path, rows: int) -> None:
    """Measure bulkUpdate and trackBulk, and the memory that profiles take."""
    for mode in (_KEEP, _DISCARD):
        with sandbox(directory, **mode) as url:
            seconds_for(url, [post("/api/users/bulkUpdate", {"users": [user(0)]})])
            before = resident_mb()
            users = bulks("/api/users/bulkUpdate", "users", map(user, range(rows)))
            took = seconds_for(url, users)
            report("bulk_users_per_s", round(rows / took), **mode)
            grown = (resident_mb() - before) / rows * 100_000
            report("mb_per_100000_profiles", round(grown, 1), base_mb=before, **mode)
            events = (event(number, rows) for number in range(rows))
            took = seconds_for(url, bulks("/api/events/trackBulk", "events", events))
            report("bulk_events_per_s", round(rows / took), **mode)


def main() -> None:
    """Measure all, and print a line for each figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--rows", type=int, default=100_000)
    arguments = parser.parse_args()
    with workspace() as directory:
        measure_start(directory)
        measure_small(directory, arguments.requests)
        measure_bulk(directory, arguments.rows)


if __name__ == "__main__":
    main()
