"""
Kinds of faults that need the connection below the answer.

The connection is that of uvicorn: its ``send`` is bound to the cycle of one request, which knows
the transport. Nothing else here depends on uvicorn; both of its HTTP parsers are tested.
"""

from __future__ import annotations

import socket
import struct
from asyncio import get_running_loop, sleep
from email.utils import formatdate
from fcntl import ioctl
from http import HTTPStatus
from termios import TIOCOUTQ
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncio import Transport
    from collections.abc import Sequence

    from starlette.types import Receive, Send

    from .plans import Rule

    Head = Sequence[tuple[bytes, bytes]]

# With these a close sends RST and throws away what is not yet sent.
_RESET = struct.pack("ii", 1, 0)
_DRIPS_PER_S = 10.0
_POLL_S = 0.005
_LONGEST_FLUSH_S = 30.0


class Connection:
    """
    The connection of one request.

    Raises:
        RuntimeError: the application is not served by uvicorn.
    """

    def __init__(self, receive: Receive, send: Send) -> None:
        transport = getattr(getattr(send, "__self__", None), "transport", None)
        if transport is None:
            raise RuntimeError("faults of the connection need uvicorn below the sandbox")
        self._transport: Transport = transport
        self._receive = receive

    async def write(self, data: bytes) -> None:
        """Send bytes past HTTP, and return once the client's side has them, or is gone."""
        if self._transport.is_closing():
            return
        self._transport.write(data)
        waited_s = 0.0
        while self._is_sending() and waited_s < _LONGEST_FLUSH_S:
            await sleep(_POLL_S)
            waited_s += _POLL_S

    async def reset(self) -> None:
        """Cut the connection with RST."""
        raw = self._transport.get_extra_info("socket")
        if raw is not None and not self._transport.is_closing():
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._transport.abort()
        await self._gone()

    async def close(self) -> None:
        """End the connection with FIN."""
        self._transport.close()
        await self._gone()

    def close_later(self, idle_s: float) -> None:
        """End the connection in *idle_s* seconds, without having said so."""
        get_running_loop().call_later(idle_s, self._transport.close)

    @property
    def is_closing(self) -> bool:
        """Whether either side has ended it."""
        return self._transport.is_closing()

    def _is_sending(self) -> bool:
        if self._transport.is_closing():
            return False
        if self._transport.get_write_buffer_size():
            return True
        # What the kernel holds and the other side has not confirmed; a reset would throw it away.
        raw = self._transport.get_extra_info("socket")
        try:
            return ioctl(raw.fileno(), TIOCOUTQ, bytes(4)) != bytes(4)
        except OSError:
            return False

    async def _gone(self) -> None:
        # uvicorn takes a request that ends without an answer for a bug, unless it has heard that
        # the connection is lost.
        while (await self._receive())["type"] != "http.disconnect":
            pass


async def deliver(
    fault: Rule, receive: Receive, send: Send, status: int, head: Head, body: bytes
) -> None:
    """Send an answer as *fault* has it."""
    kind, arguments = fault.kind, fault.arguments
    connection = Connection(receive, send)
    if kind == "close_idle":
        await send_whole(send, status, head, body)
        connection.close_later(arguments["idle_s"])
    elif kind == "drip":
        await _drip(connection, send, status, head, body, arguments["bytes_per_s"])
    elif kind == "truncate":
        await connection.write(_raw(status, head, len(body)) + body[: len(body) // 2])
        await connection.close()
    elif kind == "short_length":
        await connection.write(_raw(status, head, len(body) // 2) + body)
        await connection.close()
    elif kind == "bad_chunks":
        half = body[: len(body) // 2]
        chunk = b"%x\r\n%b\r\n" % (len(half), half)
        await connection.write(_raw(status, head, None) + chunk + b"no size\r\n" + body)
        await connection.close()
    elif kind == "reset" and arguments["at"] == "answer":
        await connection.write(_raw(status, head, len(body)) + body[: len(body) // 2])
        await connection.reset()
    else:
        await connection.reset()


async def send_whole(send: Send, status: int, head: Head, body: bytes) -> None:
    """Send an answer as it is."""
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": body})


async def _drip(
    connection: Connection, send: Send, status: int, head: Head, body: bytes, bytes_per_s: float
) -> None:
    await send({"type": "http.response.start", "status": status, "headers": head})
    size = max(1, int(bytes_per_s / _DRIPS_PER_S))
    for start in range(0, len(body), size):
        await sleep(size / bytes_per_s)
        if connection.is_closing:
            return
        drop = body[start : start + size]
        await send({"type": "http.response.body", "body": drop, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


def _raw(status: int, head: Head, length: int | None) -> bytes:
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}".encode()]
    lines.append(b"date: " + formatdate(usegmt=True).encode())
    lines.extend(name + b": " + line for name, line in head if name != b"content-length")
    lines.append(
        b"transfer-encoding: chunked" if length is None else b"content-length: %d" % length
    )
    return b"\r\n".join(lines) + b"\r\n\r\n"
