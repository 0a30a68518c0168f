"""
A TCP proxy that breaks connections as networks do: our own, so that it knows nothing of HTTP.

What it does to a connection is drawn from the seed when the connection is made.
"""

from __future__ import annotations

import asyncio
import random
import socket
import struct
import threading
from asyncio import StreamReader, StreamWriter

UP = ("reset in the upload", "half-close of the upload")
DOWN = ("reset in the answer", "truncated answer", "delayed answer")
FAULTS = ("reset before", *UP, *DOWN)
_RST = struct.pack("ii", 1, 0)
_MOST_BYTES = 12_000  # the length of several requests: a kept connection breaks in any


class Proxy:
    """
    A proxy in a thread, for as long as the block lasts.

    Args:
        port: of the server behind it, on 127.0.0.1.

        share: of the connections that break, from 0 to 1; may be changed at any time.

        delay_s: of a delayed answer.
    """

    def __init__(self, port: int, seed: int, *, share: float = 0.0, delay_s: float = 0.05) -> None:
        self.port = 0
        self.share = share
        self.faults = dict.fromkeys(FAULTS, 0)
        self._behind = port
        self._rng = random.Random(seed)  # noqa: S311 - faults
        self._delay_s = delay_s
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy")

    @property
    def url(self) -> str:
        """Address without a slash at its end."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Proxy:
        self._thread.start()
        starting = asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._server = asyncio.run_coroutine_threadsafe(starting, self._loop).result(10)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: StreamReader, client: StreamWriter) -> None:
        fault = self._rng.choice(FAULTS) if self._rng.random() < self.share else ""
        after = self._rng.randint(0, _MOST_BYTES)
        if fault == "reset before":
            return self._reset(fault, client)
        ways: list[asyncio.Task[None]] = []
        try:
            answers, server = await asyncio.open_connection("127.0.0.1", self._behind)
            up, down = fault if fault in UP else "", fault if fault in DOWN else ""
            ways.append(asyncio.create_task(self._pump(reader, server, up, after, client)))
            ways.append(asyncio.create_task(self._pump(answers, client, down, after, client)))
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            server.close()
        except OSError:
            pass
        finally:
            for way in ways:
                way.cancel()
            client.close()

    async def _pump(
        self, reader: StreamReader, to: StreamWriter, fault: str, after: int, client: StreamWriter
    ) -> None:
        """Carry bytes in one direction until it ends, or until the fault comes."""
        try:
            while data := await reader.read(1_000):
                after -= len(data)
                if fault and after < 0:
                    to.write(data[: len(data) // 2])
                    await to.drain()
                    if fault.startswith("reset"):
                        return self._reset(fault, client)
                    self.faults[fault] += 1
                    if fault.startswith("half-close"):
                        to.write_eof()
                    if not fault.startswith("truncated"):
                        await asyncio.sleep(self._delay_s)
                    if not fault.startswith("delayed"):
                        return None
                    data, fault = data[len(data) // 2 :], ""
                to.write(data)
                await to.drain()
        except OSError:
            pass

    def _reset(self, fault: str, client: StreamWriter) -> None:
        self.faults[fault] += 1
        client.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RST)
        client.transport.abort()
