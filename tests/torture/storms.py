"""What one run of a simulated world meets: its answers, its death, its sleep."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from crashes import Crash
from fakes import answer
from iterable_sync.client import Answer, IterableClient, NotSent, OutcomeUnknown
from iterable_sync.rows import Project, ProjectType
from torture.one_thread import Turns
from torture.store import MortalState

if TYPE_CHECKING:
    from torture.simulation import World

FAULTS = (
    "not sent",
    "lost before",
    "lost after",
    "late",
    "429",
    "429 long",
    "500 before",
    "500 after",
    "503 long",
    "unreadable",
    "wrong counts",
    "too large",
    "401",
)
_REFUSALS: dict[str, tuple[int, float | None]] = {
    "429": (429, None),
    "429 long": (429, 900.0),
    "500 before": (500, None),
    "503 long": (503, 900.0),
    "401": (401, None),
}


class Run(Turns):
    """
    One run of a world as its process: what Iterable does to it, when it dies, when it freezes.

    Args:
        fault_rate: share of its requests that meet a fault.

        crash_at: (number of the POST, whether it is applied first), or None.

        freeze_at: number of the POST at which the process stands still, or None.
    """

    def __init__(
        self,
        world: World,
        *,
        fault_rate: float = 0.0,
        crash_at: tuple[int, bool] | None = None,
        dies_at: float = 1e9,
        freeze_at: int | None = None,
    ) -> None:
        super().__init__(world.rng, world.clock)
        self.world = world
        self.fault_rate = fault_rate
        self.faults = world.rng.sample(FAULTS, 5)
        self.crash_at = crash_at
        self.freeze_at = freeze_at
        self.generation = world.shape.generation
        self.max_rows = world.rng.randint(1, 4)
        self.state = MortalState(world.state, dies_at, self.die)
        self.posts = 0
        self.was_frozen = False
        self.is_freezing = False
        self.accepted: set[str] = set()
        self._late: list[tuple[str, Any]] = []

    # -- the other side of the client -----------------------------------------------------------

    def request(self, path: str, document: dict[str, Any]) -> Answer:
        """Answer a POST, or not."""
        if self.is_dead:
            if self.rng.random() < 0.5:
                self._apply(path, document)
            raise Crash
        self.posts += 1
        self._notice(document)
        if self.is_freezing or self.posts == self.freeze_at:
            self._freeze()
        if self.crash_at is not None and self.posts == self.crash_at[0]:
            if self.crash_at[1]:
                self._apply(path, document)
            self.state.die()
            raise Crash
        self.arrive_late()
        self.clock.now += self.rng.choice([0.05, 0.2, 0.4])
        fault = self.rng.choice(self.faults) if self.rng.random() < self.fault_rate else ""
        return self._answer(fault, path, document)

    def read(self, path: str) -> Answer:
        """Answer a read of the fields, or of the channels."""
        if self.is_dead:
            raise Crash
        if self.rng.random() < self.fault_rate / 4:
            self.world.figures.faults += 1
            raise OutcomeUnknown("no answer")
        if path == "/api/channels":
            return answer(200, {"channels": [{"id": 1, "name": "Marketing"}]})
        return answer(200, {"fields": dict(self.world.server.fields)})

    def arrive_late(self) -> None:
        """Apply what was on its way when its sender gave up waiting."""
        late, self._late = self._late, []
        for path, document in late:
            self._apply(path, document)

    def _answer(self, fault: str, path: str, document: dict[str, Any]) -> Answer:
        self.world.figures.faults += bool(fault)
        refused = self._refuse_unread(fault, path, document)
        if refused is not None:
            return refused
        status, body = self._apply(path, document)
        if fault == "lost after":
            raise OutcomeUnknown("no answer")
        if fault == "500 after":
            return answer(500)
        if status == 200 and fault == "unreadable":
            return answer(200, self.rng.choice([None, [], {}, {"successCount": "1"}]))
        if status == 200 and fault == "wrong counts":
            wrong = body["successCount"] + self.rng.choice([-1, 1])
            return answer(200, body | {"successCount": wrong})
        if status == 200:
            failed = {name.lower() for names in body["failedUpdates"].values() for name in names}
            server = self.world.server
            accepted = {
                server.what(row)
                for row in self._rows(document)
                if server.who(row).lower() not in failed
            }
            self.accepted |= accepted
            self.world.opened |= dict.fromkeys(accepted & self.world.opened.keys(), True)
        return answer(status, body)

    def _refuse_unread(self, fault: str, path: str, document: dict[str, Any]) -> Answer | None:
        """Give the answer to a request that is not applied, at least not yet."""
        if fault == "not sent":
            raise NotSent("not connected")
        if fault == "late":
            self._late.append((path, document))
        if fault in {"lost before", "late"}:
            raise OutcomeUnknown("no answer")
        if fault == "too large" and len(self._rows(document)) > self.max_rows:
            return answer(413, {"code": "BatchTooLarge"})
        status, retry_after_s = _REFUSALS.get(fault, (None, None))
        return None if status is None else answer(status, retry_after_s=retry_after_s)

    def _apply(self, path: str, document: dict[str, Any]) -> tuple[int, Any]:
        return self.world.server.take(path, document, self.generation)

    def _notice(self, document: dict[str, Any]) -> None:
        for row in self._rows(document):
            what = self.world.server.what(row)
            if what in self.accepted:
                self.world.broken(f"{what} was sent again after its acceptance was read")
            if what in self.world.exposed:
                self.world.exposed.discard(what)
                self.world.figures.resent += 1
            if self.world.opened.get(what):
                del self.world.opened[what]
                self.world.figures.resent_later += self.world.server.has(row)

    @staticmethod
    def _rows(document: dict[str, Any]) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = document.get("users") or document["events"]
        return rows

    # -- standing still and dying ---------------------------------------------------------------

    def _freeze(self) -> None:
        """Stand still with everything that is in the window, each right before its request."""
        self.is_freezing = True
        if self.pool is not None:
            self.pool.run_one()
        if self.is_freezing:
            self.is_freezing = False
            self.was_frozen = True
            self.world.meanwhile(self)

    def die(self) -> None:
        super().die()
        self.arrive_late()
        self.world.mourn(self)


class Client(IterableClient):
    """The client of a run, without a network."""

    def __init__(self, run: Run, kind: ProjectType) -> None:
        super().__init__(
            "key", Project("1", "us", kind), base_url="http://127.0.0.1:9", sandbox=True
        )
        self._run = run

    def send(self, _method: str, path: str, body: bytes) -> Answer:
        return self._run.request(path, json.loads(body))

    def get(self, path: str, params: Any = None) -> Answer:
        return self._run.read(path)

    def read(self, path: str, params: Any = None, **_: Any) -> Answer:
        return self._run.read(path)
