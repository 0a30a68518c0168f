"""
The requests of a push in which each is accepted, made and not sent.

They are those of a project that has none of the fields: the rows that create fields go first.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from iterable_sync.answers import Refusal
from iterable_sync.client import Answer
from iterable_sync.isolation import Isolation, LearnedSize, Verdict
from iterable_sync.outcomes import Attribution, Reading
from iterable_sync.payloads import as_block
from iterable_sync.retrying import Action
from iterable_sync.rows import BatchResult, Target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from iterable_sync.isolation import Send
    from iterable_sync.rows import Batch, Payload, Project
    from iterable_sync.spec import SyncSpec
    from iterable_sync.sync_object import SyncObject


@dataclass(frozen=True, slots=True)
class Request:
    """
    A request that would be made. Paths and bodies name people: they are not for logs.

    Args:
        body: as it would be sent, to the byte; empty where there is none.

        rows: how many rows of the plan it is made of.

        asks: what would be read before, ``GET /api/...``, as far as nobody is found; by what is
            found the request is made, or another one, or none.
    """

    method: str
    path: str = field(repr=False)
    body: bytes = field(repr=False)
    rows: int
    asks: tuple[str, ...] = field(default=(), repr=False)


def rehearse(
    batches: Iterable[Batch], spec: SyncSpec, sync_object: SyncObject, project: Project
) -> list[Request]:
    """
    Give the requests of batches, in their order.

    Args:
        batches: as mapping cuts them; those that are no request are passed over.
    """
    creates = sync_object.has_listed_fields and spec.new_fields == "create"
    rehearsal = _Rehearsal(sync_object, project)
    listed: set[str] = set()
    for batch in batches:
        if not batch.payloads:
            continue
        if creates:
            batch.new_fields = as_block(batch.payloads).fields.beyond(listed)
            listed |= batch.new_fields
        Isolation(
            BatchResult(batch),
            sync_object,
            rehearsal.sender(batch),
            LearnedSize(),
            lambda _fields: None,
        ).run()
    return rehearsal.made


class _Rehearsal:
    """Takes what is sent for accepted, and keeps it."""

    def __init__(self, sync_object: SyncObject, project: Project) -> None:
        self._object = sync_object
        self._project = project
        self.made: list[Request] = []

    def sender(self, batch: Batch) -> Send:
        target = batch.target or Target(self._object.path)

        def send(rows: Sequence[Payload], body: bytes, on_unknown: Callable[[], None]) -> Verdict:
            del on_unknown
            block = as_block(batch.payloads)
            self.made.append(
                Request(
                    target.method,
                    target.path,
                    body,
                    len(block.rows_of(row.seq for row in rows)),
                    self._asks(rows[0], batch.target),
                )
            )
            return Verdict(Action.SETTLE, Refusal(), Attribution(Reading.EXACT))

        return send

    def _asks(self, row: Payload, target: Target | None) -> tuple[str, ...]:
        """Give what a sync object would read before it sends a row."""
        if self._object.look is None:
            return ()
        nobody = _Nobody(self._project)
        self._object.look(nobody, row, target)
        return tuple(nobody.asked)


class _Nobody:
    """What a look takes for the client of a project in which there is nobody."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.asked: list[str] = []

    def get(self, path: str, params: Mapping[str, str]) -> Answer:
        """Note what is asked for, and know nobody."""
        self.asked.append(f"GET {path}?{urlencode(params)}")
        return Answer(400, None, Refusal("error.users.noUserWithIdExists"), None, None, 0.0)
