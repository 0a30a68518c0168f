"""Stand-ins that tests share: a clock, an Iterable in memory, servers that break on the wire."""

from __future__ import annotations

import json
import math
import random
import socket
import struct
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from iterable_sync.answers import reduce_refusal
from iterable_sync.client import Answer, IterableClient
from iterable_sync.delivery import Deliverer
from iterable_sync.errors import PermissionRefused
from iterable_sync.pacing import Pacer
from iterable_sync.rows import Batch, BatchResult, Payload, Project, ProjectType, Target
from iterable_sync.sync_object import SyncObject

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Clock:
    """A monotonic clock that moves when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


class Always(random.Random):
    """A random source that gives a fixed share of each interval."""

    def __init__(self, share: float) -> None:
        super().__init__(0)
        self.share = share

    def uniform(self, a: float, b: float) -> float:
        return a + (b - a) * self.share


class UsersObject(SyncObject):
    """A sync object as far as delivery looks at it."""

    name = "users"
    lane = "profiles"
    path = "/api/users/bulkUpdate"
    array = "users"
    sends = "changed_fields"
    requests_per_s = 4.0
    max_rows = 1000
    answers = "rows"
    removals = ("ignore",)

    def body(
        self, rows: Sequence[bytes], *, create_new_fields: bool, target: Target | None = None
    ) -> bytes:
        flag = b"true" if create_new_fields else b"false"
        return b'{"users":[' + b",".join(rows) + b'],"createNewFields":' + flag + b"}"


def row(seq: int, *, email: str | None = None, **data: Any) -> Payload:
    """Give a row whose e-mail is ``u<seq>@example.com`` unless told."""
    email = email or f"u{seq}@example.com"
    return Payload(
        seq=seq,
        identity=f"email:{email.lower()}",
        identifiers=frozenset({email.lower()}),
        body=json.dumps({"email": email, "dataFields": data}).encode(),
        fields=tuple(name for name, value in data.items() if value is not None),
    )


def batch(rows: Sequence[Payload], **more: Any) -> Batch:
    """Give a batch of *rows*."""
    seqs = [payload.seq for payload in rows] or [0]
    return Batch(number=1, seq_lo=min(seqs), seq_hi=max(seqs), payloads=list(rows), **more)


def answer(
    status: int,
    body: Any = None,
    *,
    retry_after_s: float | None = None,
) -> Answer:
    """Give an answer as the client would."""
    return Answer(
        status=status,
        json=body if status <= 299 else None,
        refusal=reduce_refusal(body),
        retry_after_s=retry_after_s,
        request_id="req-1",
        seconds=0.1,
    )


def taken(
    sent: int, *, created: Sequence[str] = (), dropped: Sequence[str] = (), **failed: Any
) -> Answer:
    """Give the 200 of a bulk update; *failed* are arrays of ``failedUpdates``."""
    failures = sum(len(values) for values in failed.values())
    return answer(
        200,
        {
            "successCount": sent - failures,
            "failCount": failures,
            "failedUpdates": failed,
            "createdFields": list(created),
            "filteredOutFields": list(dropped),
        },
    )


def refused(status: int, code: str, params: dict[str, Any] | None = None, **more: Any) -> Answer:
    """Give a refusal of the whole request."""
    return answer(status, {"msg": "…", "code": code, "params": params}, **more)


def mismatch(field: str, expected: str, *incoming: str) -> Answer:
    """Give the refusal for a field of another type."""
    return refused(
        400,
        "RequestFieldsTypesMismatched",
        {"validationErrors": {field: {"incomingTypes": list(incoming), "expectedType": expected}}},
    )


@dataclass
class MemoryIterable:
    """
    A client whose answers a function gives; it notes which rows each request held.

    Args:
        rule: (rows, createNewFields, number of the request) -> an answer, or an error to raise.
    """

    rule: Callable[[list[dict[str, Any]], bool, int], Answer | Exception]
    fields: dict[str, str] = field(default_factory=dict)
    requests: list[list[dict[str, Any]]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    creating: list[bool] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def send(self, _method: str, _path: str, body: bytes) -> Answer:
        document = json.loads(body)
        with self.lock:
            self.requests.append(document["users"])
            self.bodies.append(body)
            self.creating.append(document["createNewFields"])
            outcome = self.rule(
                document["users"], document["createNewFields"], len(self.requests) - 1
            )
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def known_fields(self) -> dict[str, str]:
        return self.fields

    def permission_refused(self, answer: Answer, path: str) -> PermissionRefused:
        return PermissionRefused(f"{path}: HTTP {answer.status}")

    def emails(self) -> list[list[str]]:
        """Give the e-mails of each request."""
        return [[user["email"] for user in users] for users in self.requests]


def deliverer(client: Any, clock: Clock | None = None, **more: Any) -> Deliverer:
    clock = clock or Clock()
    pacer = more.pop("pacer", None) or Pacer(math.inf, clock=clock, sleep=clock.sleep)
    return Deliverer(
        client,
        UsersObject(),
        pacer,
        **{"clock": clock, "sleep": clock.sleep, "rng": Always(0.5), **more},
    )


def deliver(rule: Callable[..., Any], rows: list[Payload], **more: Any) -> tuple[Any, BatchResult]:
    client = MemoryIterable(rule)
    result = deliverer(client, more.pop("clock", None)).deliver(batch(rows, **more))
    return client, result


def rows(count: int, **data: Any) -> list[Payload]:
    return [row(seq, **data) for seq in range(count)]


def seq_of(user: dict[str, Any]) -> int:
    return int(user["email"].partition("@")[0][1:])


def script(*outcomes: Any) -> Callable[..., Any]:
    """Answer requests in turn; ``None`` takes all rows, as everything after the last one."""

    def rule(users: list[dict[str, Any]], _: bool, number: int) -> Any:
        outcome = outcomes[number] if number < len(outcomes) else None
        return taken(len(users)) if outcome is None else outcome

    return rule


def rejected(result: BatchResult) -> dict[int, str]:
    return {one.seq: one.reason for one in result.rejections if one.field is None}


class WireServer:
    """
    A server of one thread that answers as told, on the level of bytes.

    Args:
        handlers: one per request, the last one for all that follow; bytes are sent as they are,
            a function gets the socket after the request was read.
    """

    def __init__(self, *handlers: Any, read_request: bool = True) -> None:
        self._handlers = list(handlers)
        self._read_request = read_request
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.requests: list[bytes] = []
        self.connections = 0
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> WireServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        # A plain close does not wake a thread that waits in accept().
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for connection in self._open:
            connection.close()
        self._thread.join(timeout=5)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            while True:
                request = _read(connection) if self._read_request else b"unread"
                if not request:
                    break
                self.requests.append(request)
                place = min(len(self.requests), len(self._handlers)) - 1
                handler = self._handlers[place]
                if isinstance(handler, bytes):
                    connection.sendall(handler)
                else:
                    handler(connection)
                if not self._read_request:
                    break
        except OSError:
            pass
        finally:
            connection.close()


def http(
    status: str = "200 OK",
    body: bytes = b"{}",
    *headers: str,
    length: int | None = None,
    kind: str = "application/json",
) -> bytes:
    """Give the bytes of an answer; *length* may lie."""
    lines = [
        f"HTTP/1.1 {status}",
        f"Content-Type: {kind}",
        f"Content-Length: {len(body) if length is None else length}",
        *headers,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def reset(connection: socket.socket) -> None:
    """End a connection with RST."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def cut(content: bytes) -> Callable[[socket.socket], None]:
    """Send *content* and end the connection."""

    def handler(connection: socket.socket) -> None:
        connection.sendall(content)
        connection.close()

    return handler


def drip(content: bytes, every_s: float = 0.02) -> Callable[[socket.socket], None]:
    """Send *content* byte by byte."""

    def handler(connection: socket.socket) -> None:
        for place in range(len(content)):
            connection.sendall(content[place : place + 1])
            time.sleep(every_s)

    return handler


def _read(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65_536)
        if not more:
            return b""
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    while len(body) < length:
        more = connection.recv(65_536)
        if not more:
            break
        body += more
    return head + b"\r\n\r\n" + body


KEY = "canarykey0123456789abcdef01234567"
PERSON = "canary.person@example.com"
PATH = "/api/users/bulkUpdate"
PROJECT = Project("4711", "us", ProjectType.EMAIL)
BODY = b'{"users":[{"email":"%s"}]}' % PERSON.encode()
GOOD = http(body=b'{"successCount":1,"failCount":0}')


def client_of(server: WireServer | str, **more: object) -> IterableClient:
    """Give a client of a server, with a short deadline."""
    url = server if isinstance(server, str) else server.url
    return IterableClient(KEY, PROJECT, base_url=url, sandbox=True, **{"deadline_s": 2.0, **more})


def post(*handlers: object, **more: object) -> Answer:
    """Post once to a server that answers as told."""
    with WireServer(*handlers) as server:
        return client_of(server, **more).send("POST", PATH, BODY)
