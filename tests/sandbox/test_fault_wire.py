"""
Faults of the connection, as a raw socket sees them; and the history says what took effect.

Each test runs with every HTTP parser and event loop of uvicorn that is installed.
"""

from __future__ import annotations

import socket
from importlib.util import find_spec
from threading import Thread
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

import pytest
import requests
import uvicorn

from iterable_sync.sandbox.app import create_app
from iterable_sync.sandbox.server import listen
from iterable_sync.sandbox.settings import Settings
from iterable_sync.sandbox.state import State

if TYPE_CHECKING:
    from collections.abc import Iterator

BULK = "/api/users/bulkUpdate"
BODY = b'{"users":[{"userId":"1"}]}'
SERVERS = [
    pytest.param(parser, loop, id=f"{parser}-{loop}")
    for parser, loop in (("h11", "asyncio"), ("httptools", "asyncio"), ("httptools", "uvloop"))
    if find_spec(parser) and find_spec(loop)
]


class Wire:
    """A sandbox and raw connections to it."""

    def __init__(self, state: State, port: int, tasks: set[Any]) -> None:
        self.state = state
        self.port = port
        self.tasks = tasks
        self.open: list[socket.socket] = []

    def connect(self) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        self.open.append(connection)
        return connection

    def send(self, body: bytes = BODY, connection: socket.socket | None = None) -> socket.socket:
        """Send a whole request."""
        connection = connection or self.connect()
        connection.sendall(self.head(len(body)) + body)
        return connection

    def head(self, length: int) -> bytes:
        key = self.state.settings.api_key
        return (
            f"POST {BULK} HTTP/1.1\r\nHost: 127.0.0.1\r\nApi-Key: {key}\r\n"
            f"Content-Length: {length}\r\n\r\n"
        ).encode()

    def entry(self) -> tuple[list[str], bool, bool, int]:
        """Return of the only request: faults, whether it was applied, whether cut, its status."""
        (entry,) = self.history()
        return list(entry.faults), entry.applied, entry.cut, entry.status

    def history(self) -> list[Any]:
        with self.state.lock:
            return list(self.state.history.page(0, 10))

    def people(self) -> set[str]:
        with self.state.lock:
            return {key for key, _ in self.state.people.profiles()}


@pytest.fixture(scope="module", params=[pytest.param(p.values, id=p.id) for p in SERVERS])
def server(request) -> Iterator[Wire]:
    parser, loop = request.param
    state = State(Settings(rate_limits=False))
    config = uvicorn.Config(
        create_app(state=state), http=parser, loop=loop, lifespan="off", log_config=None
    )
    running = uvicorn.Server(config)
    listening = listen(0)
    thread = Thread(target=running.run, args=([listening],), daemon=True)
    thread.start()
    yield Wire(state, listening.getsockname()[1], running.server_state.tasks)
    running.should_exit = True
    thread.join(10)


@pytest.fixture
def wire(server: Wire) -> Iterator[Wire]:
    server.state.reset()
    yield server
    for connection in server.open:
        connection.close()
    server.open.clear()
    wait_for_tasks(server)


def read_to_end(connection: socket.socket) -> tuple[bytes, bytes, str]:
    """Return head and body of what came, and how it ended: ``fin`` or ``rst``."""
    data = b""
    try:
        while chunk := connection.recv(65536):
            data += chunk
        ending = "fin"
    except ConnectionResetError:
        ending = "rst"
    head, _, body = data.partition(b"\r\n\r\n")
    return head.lower(), body, ending


def read_answer(connection: socket.socket) -> tuple[bytes, bytes]:
    """Return head and body of one answer on a connection that stays open."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    while len(body) < length_in(head.lower()):
        body += connection.recv(65536)
    return head.lower(), body


def send_slowly(connection: socket.socket, pieces: int) -> None:
    """Send the rest of a body, and wait for an answer."""
    for _ in range(pieces):
        connection.sendall(b" " * 100_000)
    while connection.recv(10):
        pass


def wait_for_tasks(wire: Wire) -> None:
    """Return when no request is being answered any more, or after a while."""
    until = monotonic() + 10
    while wire.tasks and monotonic() < until:
        sleep(0.02)


def length_in(head: bytes) -> int:
    return int(head.partition(b"content-length: ")[2].split(b"\r\n")[0])


def test_a_reset_at_the_start_comes_before_the_body_is_read(wire):
    wire.state.fail([{"kind": "reset", "at": "start"}])
    connection = wire.connect()
    connection.sendall(wire.head(1000))

    assert read_to_end(connection) == (b"", b"", "rst")
    assert wire.entry() == (["reset"], False, True, 0)
    assert wire.people() == set()


@pytest.mark.parametrize("after_bytes", [None, 200_000])
def test_a_reset_in_the_upload_comes_when_a_part_was_read(wire, after_bytes):
    rule = {"kind": "reset", "at": "upload", "after_bytes": after_bytes}
    wire.state.fail([rule])
    connection = wire.connect()
    connection.sendall(wire.head(1_000_000))
    connection.sendall(b" " * 150_000)
    with wire.state.lock:
        unread = len(wire.state.history)

    assert unread == 0
    with pytest.raises((ConnectionResetError, BrokenPipeError)):
        send_slowly(connection, pieces=8)
    assert wire.entry() == (["reset"], False, True, 0)
    (entry,) = wire.state.history.page(0, 1)
    assert (after_bytes or 500_000) < entry.bytes < 1_000_000


def test_a_reset_comes_once_the_request_took_effect(wire):
    wire.state.fail([{"kind": "reset"}])

    assert read_to_end(wire.send()) == (b"", b"", "rst")
    assert wire.entry() == (["reset"], True, True, 200)
    assert wire.people() == {"1"}


def test_a_reset_comes_in_the_middle_of_the_answer(wire):
    wire.state.fail([{"kind": "reset", "at": "answer"}])

    head, body, ending = read_to_end(wire.send())

    assert head.startswith(b"http/1.1 200 ok\r\n")
    assert 0 < len(body) == length_in(head) // 2
    assert ending == "rst"
    assert wire.entry() == (["reset"], True, True, 200)


def test_a_reset_in_a_long_answer_comes_after_half_of_it(wire):
    """More than the buffers of the kernel hold, so that a part waits in the server."""
    wire.state.settings = wire.state.settings.changed({"max_body_bytes": 10_000_000})
    wire.state.fail([{"kind": "reset", "at": "answer"}])
    bad = b",".join(b'{"userId":"%099d "}' % n for n in range(60_000))

    head, body, ending = read_to_end(wire.send(b'{"users":[' + bad + b"]}"))

    assert 4_000_000 < len(body) == length_in(head) // 2
    assert ending == "rst"


@pytest.mark.parametrize("applies", [True, False])
def test_a_truncated_body_is_shorter_than_announced(wire, applies):
    wire.state.fail([{"kind": "truncate", "apply": applies}])

    head, body, ending = read_to_end(wire.send())

    assert 0 < len(body) == length_in(head) // 2
    assert ending == "fin"
    assert wire.entry() == (["truncate"], applies, True, 200)
    assert wire.people() == ({"1"} if applies else set())


@pytest.mark.parametrize("applies", [True, False])
def test_a_short_length_is_half_of_what_comes(wire, applies):
    wire.state.fail([{"kind": "short_length", "apply": applies}])

    head, body, ending = read_to_end(wire.send())

    assert 0 < length_in(head) == len(body) // 2
    assert body.endswith(b"}")
    assert ending == "fin"
    assert wire.entry() == (["short_length"], applies, True, 200)


@pytest.mark.parametrize("applies", [True, False])
def test_bad_chunks_begin_well_and_have_no_size_then(wire, applies):
    wire.state.fail([{"kind": "bad_chunks", "apply": applies}])

    head, body, ending = read_to_end(wire.send())

    size, _, rest = body.partition(b"\r\n")
    assert b"transfer-encoding: chunked" in head
    assert b"content-length" not in head
    assert rest[int(size, 16) :].startswith(b"\r\nno size\r\n")
    assert ending == "fin"
    assert wire.entry() == (["bad_chunks"], applies, True, 200)


def test_a_drip_comes_byte_by_byte_and_is_complete_in_the_end(wire):
    wire.state.fail([{"kind": "drip", "bytes_per_s": 2000, "times": 1}])
    connection = wire.send()
    connection.settimeout(10)
    pieces = []
    head = b""
    while b"\r\n\r\n" not in head:
        head += connection.recv(65536)
    head, _, rest = head.partition(b"\r\n\r\n")
    while sum(map(len, pieces)) + len(rest) < length_in(head.lower()):
        pieces.append(connection.recv(65536))

    assert len(pieces) > 1
    assert (rest + b"".join(pieces)).endswith(b"}")
    assert wire.entry() == (["drip"], True, False, 200)
    assert read_answer(wire.send(connection=connection))[0].startswith(b"http/1.1 200")


def test_a_drip_outlasts_a_timeout_between_bytes(wire):
    wire.state.fail([{"kind": "drip", "bytes_per_s": 10}])
    since = monotonic()
    connection = wire.send()
    connection.settimeout(5)
    seen = b""
    while monotonic() - since < 0.5:
        seen += connection.recv(65536)
    connection.close()

    assert 0 < len(seen.partition(b"\r\n\r\n")[2]) < 20


def test_a_drip_ends_when_the_client_goes(wire):
    wire.state.fail([{"kind": "drip", "bytes_per_s": 5}])
    connection = wire.send()
    connection.recv(100)
    assert len(wire.tasks) == 1
    connection.close()

    # Else it would go on for a minute.
    wait_for_tasks(wire)
    assert wire.tasks == set()


def test_a_kept_connection_is_closed_after_an_answer_that_did_not_say_so(wire):
    wire.state.fail([{"kind": "close_idle", "times": 1}])
    connection = wire.send()

    head, body = read_answer(connection)

    assert b"connection: close" not in head
    assert body.endswith(b"}")
    assert connection.recv(1) == b""
    assert wire.entry() == (["close_idle"], True, True, 200)


def test_a_kept_connection_can_be_closed_under_the_next_request(wire):
    wire.state.fail([{"kind": "close_idle", "idle_s": 0.05, "times": 1}])
    connection = wire.send()
    read_answer(connection)
    head, _ = read_answer(wire.send(connection=connection))
    assert head.startswith(b"http/1.1 200")

    assert connection.recv(1) == b""


def test_a_late_request_takes_effect_after_its_client_gave_up(wire):
    wire.state.fail([{"kind": "delay", "late": True, "delay_s": 0.2, "times": 1}])
    late = wire.send(b'{"users":[{"userId":"1","dataFields":{"v":"old"}}]}')
    late.settimeout(0.05)
    with pytest.raises(TimeoutError):
        late.recv(1)
    read_answer(wire.send(b'{"users":[{"userId":"1","dataFields":{"v":"new"}}]}'))
    late.settimeout(10)
    read_answer(late)

    with wire.state.lock:
        faults = [list(entry.faults) for entry in wire.state.history.page(0, 9)]
        (person,) = [person for _, person in wire.state.people.profiles()]
    assert faults == [[], ["delay"]]
    assert person.fields == {"v": "old"}


def test_a_delayed_answer_belongs_to_a_request_that_took_effect_at_once(wire):
    wire.state.fail([{"kind": "delay", "delay_s": 0.2}])
    connection = wire.send()
    connection.settimeout(0.05)
    with pytest.raises(TimeoutError):
        connection.recv(1)

    assert wire.people() == {"1"}
    connection.settimeout(10)
    assert read_answer(connection)[0].startswith(b"http/1.1 200")


def test_a_real_client_meets_each_fault_as_an_error_and_the_next_request_works(wire):
    url = f"http://127.0.0.1:{wire.port}{BULK}"
    headers = {"Api-Key": wire.state.settings.api_key}
    rules = [
        {"kind": "reset", "at": "start"},
        {"kind": "reset", "at": "upload"},
        {"kind": "reset", "at": "handled"},
        {"kind": "reset", "at": "answer"},
        {"kind": "truncate"},
        {"kind": "bad_chunks"},
    ]
    wire.state.fail([{**rule, "times": 1} for rule in rules])
    with requests.Session() as session:
        for _ in rules:
            with pytest.raises(requests.RequestException):
                session.post(url, data=BODY, headers=headers, timeout=10)

        assert session.post(url, data=BODY, headers=headers, timeout=10).status_code == 200

    with wire.state.lock:
        applied = [entry.applied for entry in wire.state.history.page(0, 9)]
    assert applied == [False, False, True, True, True, True, True]


def test_no_fault_leaves_a_task_or_an_error_behind(wire, caplog):
    kinds = [{"kind": "truncate"}, {"kind": "short_length"}]
    resets = [{"kind": "reset", "at": at} for at in ("start", "upload", "handled", "answer")]
    for rule in [*kinds, *resets]:
        wire.state.fail([rule])
        for _ in range(5):
            read_to_end(wire.send())

    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []


@pytest.mark.parametrize("kind", ["truncate", "short_length", "bad_chunks"])
def test_a_client_that_left_before_its_broken_answer_is_no_error(wire, caplog, kind):
    with wire.state.lock:
        wire.state.change({"latency_ms": 100})
    wire.state.fail([{"kind": kind}])

    wire.send().close()
    until = monotonic() + 10
    while not wire.history() and monotonic() < until:
        sleep(0.01)
    wait_for_tasks(wire)

    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []
