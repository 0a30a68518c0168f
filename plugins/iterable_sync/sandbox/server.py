"""The sandbox as a running server: in the foreground, or in a thread beside a test."""

from __future__ import annotations

import signal
import socket
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import uvicorn

from .app import create_app
from .dump import whole
from .seeds import load_seed
from .settings import Settings
from .state import State

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType
    from typing import Self

# Never another: there is no encryption, and the controls need no key.
HOST = "127.0.0.1"


class SandboxServer:
    """
    A sandbox in a thread of this process, on a free port of the loopback interface.

    ::

        with SandboxServer(project_type="email") as sandbox:
            requests.get(sandbox.url + "/api/lists", headers={"Api-Key": sandbox.api_key})

    Args:
        settings: the switches at the start.

        faults: a fault plan as JSON, which starts anew at each reset.

        changes: some of the switches, as plain values, by name.

    Raises:
        ValueError: an unknown switch, a wrong value, or a plan that is none.
    """

    def __init__(
        self, settings: Settings | None = None, *, faults: Any = (), **changes: Any
    ) -> None:
        self.app_state = State((settings or Settings()).changed(changes), faults=faults)
        self.port = 0
        self._server: _Server | None = None
        self._thread: Thread | None = None

    @property
    def url(self) -> str:
        """Address without a slash at its end."""
        return f"http://{HOST}:{self.port}"

    @property
    def api_key(self) -> str:
        """The key that may do everything."""
        return self.app_state.settings.api_key

    def reset(self, **changes: Any) -> None:
        """Forget everything and go back to the first switches, then apply *changes*."""
        with self.app_state.lock:
            self.app_state.reset()
            self.app_state.change(changes)

    def fail(self, *rules: Mapping[str, Any], seed: int = 0) -> None:
        """
        Let faults happen by these *rules* from now on; without any, none.

        Raises:
            ValueError: a rule is none; the text says which and what was expected.
        """
        self.app_state.fail({"seed": seed, "rules": list(rules)})

    def seed(self, data: Mapping[str, Any]) -> dict[str, int]:
        """
        Write seed data; return how many of each kind.

        Raises:
            ValueError: something in it is refused; nothing is written then.
        """
        return load_seed(self.app_state, data)

    def requests(self, after: int = 0, **wanted: Any) -> list[dict[str, Any]]:
        """
        Return what was asked and answered, oldest first.

        Args:
            after: number of the last one that is known.

            wanted: ``path``, ``status``, ``applied`` or ``fault``, as `History.page` takes them.
        """
        with self.app_state.lock:
            history = self.app_state.history
            return [entry.as_json() for entry in history.page(after, len(history), **wanted)]

    def contents(self) -> dict[str, Any]:
        """Return everything it holds: users, lists, events, purchases, catalogs."""
        return whole(self.app_state)

    def snapshot(self) -> bytes:
        """Return all that it holds, for `restore`."""
        return self.app_state.saved()

    def restore(self, snapshot: bytes) -> None:
        """Go back to a snapshot; the history goes on."""
        self.app_state.restore(snapshot)

    def start(self) -> Self:
        """Start, and return once requests are answered."""
        listening = listen(0)
        self.port = listening.getsockname()[1]
        self._server = _Server(self.app_state)
        self._thread = Thread(
            target=self._server.run, args=([listening],), name="iterable-sandbox", daemon=True
        )
        self._thread.start()
        if not self._server.is_up.wait(timeout=10):
            raise RuntimeError("the sandbox did not start within 10 s")
        return self

    def stop(self) -> None:
        """Stop, and return once the thread has ended and the port is free."""
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join(timeout=10)
            self._server = self._thread = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def listen(port: int) -> socket.socket:
    """Return a socket that listens on *port* of the loopback interface; 0 is a free one."""
    return socket.create_server((HOST, port), backlog=2048)


def serve(state: State, listening: socket.socket, announce: Callable[[str], None]) -> None:
    """
    Run in the foreground until SIGINT or SIGTERM.

    Args:
        state: the project.

        listening: a socket from `listen`; it is closed in the end.

        announce: called with the address once requests are answered.
    """
    address = f"http://{HOST}:{listening.getsockname()[1]}"
    server = _Server(state, on_start=lambda: announce(address))

    def stop(*_: object) -> None:
        server.should_exit = True

    # uvicorn catches both signals while it serves and raises them again when it is done; with
    # these handlers below its own, the process then ends with status 0.
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    server.run([listening])


class _Server(uvicorn.Server):
    """A uvicorn server that says when it is up."""

    def __init__(self, state: State, on_start: Callable[[], None] | None = None) -> None:
        config = uvicorn.Config(
            create_app(state=state),
            access_log=False,
            lifespan="off",
            log_config=None,
            server_header=False,
            # Longer than clients keep idle connections, so that they end them and not we.
            timeout_keep_alive=300,
            timeout_graceful_shutdown=2,
            ws="none",
        )
        super().__init__(config)
        self.is_up = Event()
        self._on_start = on_start

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.is_up.set()
        if self._on_start is not None:
            self._on_start()
