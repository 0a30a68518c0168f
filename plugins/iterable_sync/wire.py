"""
The socket under a request: a wall-clock deadline, and whether bytes have gone out.

The timeout of ``requests`` bounds the wait for the *next* byte: ``timeout=1`` lasted 6.1 s against
an answer that dripped. Here every read waits for what is left of the deadline and no longer.
And the exceptions of ``requests`` do not say whether the server may have seen the request; that
decides between *not applied* and *unknown*, so the connection notes it where it happens.
"""

from __future__ import annotations

import io
import socket
import ssl
import threading
import time
from contextlib import suppress
from http.client import HTTPException, HTTPResponse
from typing import Any
from weakref import WeakSet

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HeaderParsingError, SSLError
from urllib3.util.response import assert_header_parsing

from iterable_sync.failpoints import failpoint

# Ends of a connection that a network or a restarting server causes; every other TLS error is a
# certificate, a host name or a protocol version, which no retry mends.
_TRANSIENT_TLS = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLWantReadError)


class CutOff:
    """Ends the requests of all threads of a client: their next byte never comes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sockets: WeakSet[socket.socket] = WeakSet()
        self._is_cut = False

    def watch(self, sock: socket.socket) -> None:
        """
        Take note of a socket before a request goes out.

        Raises:
            TimeoutError: nothing may go out any more.
        """
        with self._lock:
            if self._is_cut:
                raise TimeoutError("cut off")
            self._sockets.add(sock)

    def cut(self) -> None:
        """Wake whoever waits for one of the sockets."""
        with self._lock:
            self._is_cut = True
            for sock in self._sockets:
                with suppress(OSError):
                    # Of the socket itself: TLS's own takes its state from under who reads.
                    socket.socket.shutdown(sock, socket.SHUT_RDWR)


class Exchange(threading.local):
    """
    What one thread's request has come to; connections of that thread keep it.

    Attributes:
        deadline: moment of ``time.monotonic`` after which nothing is sent or read.

        sent: at least one byte of the request was handed to the socket.

        tls_refused: the handshake failed for a reason that a retry does not mend.

        cut_off: may end it at any moment.
    """

    cut_off: CutOff | None = None
    deadline: float = 0.0
    sent: bool = False
    tls_refused: bool = False

    def begin(self, seconds: float, cut_off: CutOff) -> None:
        """Start a request that may last *seconds*."""
        self.cut_off = cut_off
        self.deadline = time.monotonic() + seconds
        self.sent = False
        self.tls_refused = False

    def remaining_s(self) -> float:
        """
        Give the seconds that are left.

        Raises:
            TimeoutError: there are none.
        """
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("deadline")
        return left


exchange = Exchange()


class _TimedReads(io.RawIOBase):
    """Reads from a socket that together end at the deadline."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        # Keeps the socket open for the body after http.client has closed its own reference.
        self._raw = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(exchange.remaining_s())
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _TimedResponse(HTTPResponse):
    """An answer whose head and body are read by the deadline."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp.close()
        self.fp = io.BufferedReader(_TimedReads(sock))

    def begin(self) -> None:
        super().begin()
        try:
            assert_header_parsing(self.headers)
        except HeaderParsingError:
            is_broken = True
        else:
            is_broken = False
        if is_broken:
            # urllib3 would go on, and log the URL and what the server sent. The end of the
            # connection inside the head arrives here as well.
            raise HTTPException("broken head")


class _Watched:
    """Mixed into a connection: notes the phase and bounds the upload."""

    response_class: Any = _TimedResponse
    _connecting = False

    def connect(self) -> None:
        self._connecting = True
        try:
            super().connect()  # type: ignore[misc]
        except ssl.SSLError as error:
            exchange.tls_refused = not isinstance(error, _TRANSIENT_TLS)
            raise
        except SSLError:
            # Of urllib3: a certificate bundle that cannot be read.
            exchange.tls_refused = True
            raise
        finally:
            self._connecting = False

    def send(self, data: Any) -> None:
        sock = getattr(self, "sock", None)
        if sock is None:
            self.connect()
            sock = getattr(self, "sock", None)
        # CONNECT to a proxy is sent while connecting: the proxy sees no byte of the request.
        if not self._connecting and sock is not None:
            # Otherwise the connect timeout would bound the upload: 4 MB in 5 s.
            sock.settimeout(exchange.remaining_s())
            if exchange.cut_off is not None:
                exchange.cut_off.watch(sock)
            exchange.sent = True
            failpoint("mid_upload")
        super().send(data)  # type: ignore[misc]


class _WatchedHTTP(_Watched, HTTPConnection):
    pass


class _WatchedHTTPS(_Watched, HTTPSConnection):
    pass


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _WatchedHTTP


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _WatchedHTTPS


_POOLS = {"http": _HTTPPool, "https": _HTTPSPool}


class WatchedAdapter(HTTPAdapter):
    """An adapter of ``requests`` with one watched connection, for one thread."""

    def __init__(self) -> None:
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make direct connections watched ones."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        """Make connections through a proxy watched ones."""
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = _POOLS
        return manager


def root_cause(error: BaseException) -> str:
    """Name the innermost exception's class: its text may quote the request."""
    seen = {id(error)}
    while True:
        reason = getattr(error, "reason", None)
        inner = reason if isinstance(reason, BaseException) else None
        inner = inner or error.__cause__ or error.__context__
        inner = inner or next((a for a in error.args if isinstance(a, BaseException)), None)
        if inner is None or id(inner) in seen:
            return type(error).__name__
        seen.add(id(inner))
        error = inner
