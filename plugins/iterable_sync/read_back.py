"""Rows of a snapshot against the profiles that Iterable shows of their people."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import orjson

from iterable_sync.comparing import compare
from iterable_sync.names import dotted, half_of
from iterable_sync.payloads import as_block
from iterable_sync.rows import Role

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pandas as pd

    from iterable_sync.rows import Column, Payload
    from iterable_sync.sync_object import MapContext, SyncObject


@runtime_checkable
class OnProfiles(Protocol):
    """A sync object whose rows the profiles of their people show."""

    def profile_of(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """
        Give the fields that a profile shows of a row, once Iterable has applied it.

        Args:
            row: its JSON, as it is sent.
        """
        ...


@dataclass(frozen=True, slots=True)
class Finding:
    """
    A row that Iterable does not show as it took it.

    Args:
        key: as text.

        seen: by which it is known whether somebody touched it since.

        fields: names of those that differ, as they may be shown; none where nobody is there.

        columns: that have to be sent again; None is all of them.
    """

    key: str
    seen: str
    fields: frozenset[str]
    columns: frozenset[str] | None

    @property
    def is_missing(self) -> bool:
        """Whether Iterable does not know the person."""
        return not self.fields


@dataclass(frozen=True, slots=True)
class Compared:
    """What was found of a piece of a sample; *compared* rows of it have a profile to show them."""

    findings: list[Finding]
    compared: int


class ReadBack:
    """
    Compares pieces of a sample.

    Args:
        sync_object, profile_of: of one whose rows are on profiles, see :class:`OnProfiles`.

        context: as for a run that sends the rows.

        read: gives the profile of an identity, or None; called by several threads.
    """

    def __init__(
        self,
        sync_object: SyncObject,
        profile_of: Callable[[Mapping[str, Any]], dict[str, Any]],
        context: MapContext,
        read: Callable[[str], Mapping[str, Any] | None],
        *,
        threads: int,
    ) -> None:
        self._object = sync_object
        self._profile_of = profile_of
        self._context = context
        self._read = read
        self._threads = threads
        self._columns = _columns_of(context.columns)

    def compare(self, frame: pd.DataFrame) -> Compared:
        """
        Read the people of some rows back.

        Args:
            frame: of :class:`iterable_sync.state.sampling.Sample`.

        Raises:
            RetryLater, ConfigError: of *read*; nothing is known of the rest.
        """
        payloads, _ = self._object.payloads(frame, self._context)
        block = as_block(payloads)
        people = list(block)
        keys, seen = frame["_key"].tolist(), frame["_seen"].tolist()
        findings: list[Finding] = []
        compared = 0
        for payload, profile in zip(people, self._profiles(people), strict=True):
            members = block.members.get(payload.seq, ((payload.seq, ""),))
            compared += len(members)
            differing = None if profile is None else self._differing(payload, profile)
            for seq, field in members:
                of_row = differing
                if differing and field:
                    of_row = differing & {field}
                if of_row is None or of_row:
                    place = seq - 1
                    findings.append(self._finding(keys[place], seen[place], of_row, field))
        return Compared(findings, compared)

    def _profiles(self, people: Sequence[Payload]) -> list[Mapping[str, Any] | None]:
        with ThreadPoolExecutor(self._threads, thread_name_prefix="read-back") as pool:
            reads = [pool.submit(self._read, payload.identity) for payload in people]
            try:
                return [read.result() for read in reads]
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _differing(self, payload: Payload, profile: Mapping[str, Any]) -> frozenset[str]:
        sent = self._profile_of(orjson.loads(payload.body))
        found = compare(_folded(sent), _folded(profile))
        return frozenset(self._owner(field) for field in found)

    def _owner(self, field: str) -> str:
        """Give the field of a column that a field is, or lies in: what is deeper down is data."""
        name = field
        while name not in self._columns and "." in name:
            name = name.rpartition(".")[0]
        return name

    def _finding(self, key: str, seen: str, fields: frozenset[str] | None, field: str) -> Finding:
        columns: frozenset[str] | None = None
        # A row that is one field of a person, or is sent as a whole, has no parts.
        if fields and not field and self._object.sends == "changed_fields":
            columns = frozenset(column for name in fields for column in self._columns[name])
        return Finding(key, seen, fields or frozenset(), columns)


def _columns_of(columns: Sequence[Column]) -> dict[str, list[str]]:
    """Give the columns of each field of a profile; a place has two."""
    found: dict[str, list[str]] = {}
    for column in columns:
        match column.role:
            case Role.EMAIL:
                name = "email"
            case Role.USER_ID:
                name = "userId"
            case Role.FIELD:
                half = half_of(column.field)
                name = dotted(column.field) if half is None else half[0]
            case _:
                continue
        found.setdefault(name, []).append(column.name)
    return found


def _folded(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Write an e-mail as Iterable does."""
    email = fields.get("email")
    return {**fields, "email": email.lower()} if isinstance(email, str) else dict(fields)
