"""
Brings one batch to an outcome per row, with as few requests as it takes.

A refusal of a whole request says little about which row is the reason. All that is found out is
found on the *same bulk endpoint* with fewer rows: single-row endpoints are another queue of
Iterable, and the order between the two is not promised.
"""

from __future__ import annotations

import logging
import math
import threading
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from iterable_sync.bodies import event_name, json_types, without_fields
from iterable_sync.outcomes import Attribution, Reading, covering, known_among
from iterable_sync.payloads import as_block
from iterable_sync.pilots import pilot_rows
from iterable_sync.reasons import reason_for_refusal
from iterable_sync.retrying import Action
from iterable_sync.rows import Rejection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from iterable_sync.answers import Refusal, TypeClash
    from iterable_sync.rows import BatchResult, Payload
    from iterable_sync.sync_object import SyncObject

log = logging.getLogger(__name__)

# A refused part costs two more requests (its own parts, and the rest), a clean part gives the rest
# away for one: with the smaller part first, one poison row in 1,000 costs at most 17 requests.
_FIRST_PART = 0.382
_TYPE_ROUNDS = 5
# A pilot that is refused creates nothing, and people whom Iterable refuses may well come first. The
# rows that are left when all pilots were refused go without the new fields.
_PILOT_ROUNDS = 10
# Name of the array, brackets and createNewFields.
_ENVELOPE_BYTES = 128


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a request came to: the attribution of a 2xx, or what may be kept of a refusal."""

    action: Action
    refusal: Refusal
    attribution: Attribution | None = None


class Send(Protocol):
    """Sends a body with all its retries; calls *on_unknown* when it may have been applied."""

    def __call__(
        self, rows: Sequence[Payload], body: bytes, on_unknown: Callable[[], None]
    ) -> Verdict:
        """Give a verdict that is neither a retry nor a stop; what those come to is raised."""
        ...


class LearnedSize:
    """The size of body that Iterable takes, as learned in this run; shared by threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._max_bytes = math.inf

    def refused(self, size: int) -> None:
        """Note that a body of *size* bytes was too large."""
        with self._lock:
            self._max_bytes = min(self._max_bytes, size / 2)

    def has_room_for(self, size: int) -> bool:
        """Tell whether rows of *size* bytes, commas included, fit into one body."""
        return size + _ENVELOPE_BYTES <= self._max_bytes

    def parts(self, rows: Sequence[Payload]) -> Iterator[list[int]]:
        """Cut rows, in their order, into groups that fit; a row that never fits is alone."""
        group: list[int] = []
        size = 0
        for row in rows:
            more = len(row.body) + 1
            if group and not self.has_room_for(size + more):
                yield group
                group, size = [], 0
            group.append(row.seq)
            size += more
        if group:
            yield group


class Isolation:
    """
    One batch on its way; used by one thread, once.

    Args:
        result: is filled in; rows that stay without an outcome are put in by :meth:`close`.

        send: see :class:`Send`; what it raises ends the batch.

        confirm_fields: waits until Iterable knows fields that it did not list as created.
    """

    def __init__(
        self,
        result: BatchResult,
        sync_object: SyncObject,
        send: Send,
        size: LearnedSize,
        confirm_fields: Callable[[frozenset[str]], None],
    ) -> None:
        self._result = result
        self._target = result.batch.target
        self._object = sync_object
        self._send = send
        self._size = size
        self._confirm_fields = confirm_fields
        self._doubtful: set[int] = set()
        self._cut: dict[int, list[str]] = {}
        self._creating = False
        self._created: set[str] = set()
        self._listed: set[str] = set()
        self._paths_are_wrong = False

    def run(self) -> None:
        """Send the batch until each row has an outcome."""
        if self._result.batch.new_fields:
            self._create_fields(set(self._result.batch.new_fields))
            self._push(list(self._open))
        else:
            self._push_whole()

    @cached_property
    def _open(self) -> dict[int, Payload]:
        """The rows without an outcome; made once somebody asks who they are."""
        return {payload.seq: payload for payload in self._result.batch.payloads}

    def close(self) -> None:
        """Say of each row without an outcome whether it may have been applied."""
        for seq in self._open:
            unknown = seq in self._doubtful
            (self._result.in_doubt if unknown else self._result.not_applied).append(seq)
        # Refused in the end; what an earlier attempt did to them is not known.
        self._result.in_doubt += [
            rejection.seq
            for rejection in self._result.rejections
            if rejection.field is None and rejection.seq in self._doubtful
        ]

    # -- sending ----------------------------------------------------------------------------

    def _push_whole(self) -> None:
        """Send all rows at once; whom the answer does not name is not looked at."""
        rows = as_block(self._result.batch.payloads)
        if not self._size.has_room_for(int(rows.sizes.sum()) + len(rows)):
            self._push(list(self._open))
            return
        verdict = self._request(rows, [rows.joined()], rows.seqs.tolist)
        attribution = verdict.attribution
        if attribution is None or attribution.reading is not Reading.EXACT:
            self._resolve(list(self._open), verdict)
            return
        self._open = {}
        failed = sorted(attribution.failed.items())
        self._result.rejections += [Rejection(seq, reason) for seq, reason in failed]
        self._result.uncreated |= attribution.uncreated
        self._note(attribution)

    def _push(self, seqs: Iterable[int]) -> bool:
        """Settle rows; True if a request of theirs was refused as a whole."""
        refused = False
        for part in self._size.parts([self._open[seq] for seq in seqs if seq in self._open]):
            refused |= self._resolve(part, self._attempt(part))
        return refused

    def _attempt(self, seqs: Sequence[int]) -> Verdict:
        rows = [self._open[seq] for seq in seqs]
        return self._request(rows, [row.body for row in rows], lambda: seqs)

    def _request(
        self, rows: Sequence[Payload], bodies: Sequence[bytes], seqs: Callable[[], Iterable[int]]
    ) -> Verdict:
        body = self._object.body(bodies, create_new_fields=self._creating, target=self._target)
        verdict = self._send(rows, body, lambda: self._doubtful.update(seqs()))
        if verdict.action is Action.HALVE and len(rows) > 1:
            self._size.refused(len(body))
        return verdict

    def _resolve(self, seqs: Sequence[int], verdict: Verdict) -> bool:
        if verdict.attribution is not None:
            self._settle(seqs, verdict.attribution)
            return False
        if self._creating and verdict.refusal.code == "UniqueFieldsLimitExceeded":
            # The rows can do without the fields, which then are reported as not created.
            self._creating = False
            return self._push(seqs)
        if len(seqs) == 1:
            self._refuse(seqs[0], verdict)
        elif verdict.action is Action.HALVE:
            return self._push(seqs)
        elif verdict.action is Action.FIT_TYPES:
            self._fit_types(seqs, verdict)
        else:
            self._isolate(seqs, verdict)
        return True

    # -- settling ---------------------------------------------------------------------------

    def _settle(self, seqs: Sequence[int], attribution: Attribution) -> None:
        if attribution.reading is Reading.AMBIGUOUS:
            # Some were applied, who is unclear. Said again they are applied again, to the same.
            self._doubtful.update(seqs)
            middle = len(seqs) // 2
            self._push(seqs[:middle])
            self._push(seqs[middle:])
            return
        for seq in seqs:
            row = self._open[seq]
            if seq in attribution.failed:
                self._reject(seq, attribution.failed[seq])
                continue
            del self._open[seq]
            cut = self._cut.get(seq, ())
            self._result.rejections += [Rejection(seq, "wrong_type", field) for field in cut]
            if seq in attribution.uncreated:
                self._result.uncreated[seq] = attribution.uncreated[seq]
            if self._creating:
                self._created.update(row.fields)
        self._note(attribution)

    def _note(self, attribution: Attribution) -> None:
        if attribution.created:
            self._listed.update(attribution.created)
            # By number: keys of a JSON value become names of fields, and may be people.
            log.info("Iterable created %d fields", len(attribution.created))
        if attribution.unplaced:
            log.warning(
                "Iterable dropped %d fields that no row of the request has",
                len(attribution.unplaced),
            )

    def _reject(self, seq: int, reason: str) -> None:
        del self._open[seq]
        self._result.rejections.append(Rejection(seq, reason))

    def _refuse(self, seq: int, verdict: Verdict) -> None:
        """Deal with a request of one row that was refused: here is no doubt who it was."""
        if verdict.action is Action.HALVE:
            self._reject(seq, "too_large")
        elif verdict.action is Action.FIT_TYPES:
            named = [clash.field for clash in verdict.refusal.clashes]
            fields = [own for name in named for own in covering(self._open[seq].fields, name)]
            if not fields:
                self._reject(seq, "wrong_type")
            elif self._cut_fields(seq, fields):
                self._push([seq])
        else:
            code = verdict.refusal.code
            reason = self._object.refusals.get(code or "") or reason_for_refusal(code)
            if self._target is not None and reason in self._target.harmless:
                del self._open[seq]
            else:
                self._reject(seq, reason)

    # -- finding the rows that are the reason -------------------------------------------------

    def _isolate(self, seqs: Sequence[int], verdict: Verdict) -> None:
        """Test the rows that the answer names alone, the rest together; else bisect."""
        while verdict.action is Action.ISOLATE:
            suspects = self._suspects(seqs, verdict.refusal)
            if not suspects:
                self._bisect(seqs)
                return
            found = self._test_alone(suspects)
            seqs = [seq for seq in seqs if seq in self._open]
            if len(seqs) < 2:
                self._push(seqs)
                return
            if not found:
                self._bisect(seqs)
                return
            verdict = self._attempt(seqs)
        self._resolve(seqs, verdict)

    def _suspects(self, seqs: Sequence[int], refusal: Refusal) -> list[int]:
        if self._paths_are_wrong:
            return []
        ours = (self._target and self._target.array) or self._object.array
        places = {index for array, index, _ in refusal.paths if array == ours}
        return [seqs[place] for place in sorted(places) if place < len(seqs)]

    def _test_alone(self, suspects: Sequence[int]) -> bool:
        """Send each suspect alone; True if one was refused. The first clean one ends it."""
        found = False
        for seq in suspects:
            if not self._push([seq]):
                self._paths_are_wrong = True
                break
            found = True
        return found

    def _bisect(self, seqs: Sequence[int]) -> None:
        """Settle rows that were refused together, or hold by elimination what was."""
        while len(seqs) > 1:
            cut = max(1, int(len(seqs) * _FIRST_PART))
            first, seqs = seqs[:cut], seqs[cut:]
            if self._push(first):
                break
        self._push(seqs)

    # -- wrong types --------------------------------------------------------------------------

    def _fit_types(self, seqs: Sequence[int], verdict: Verdict) -> None:
        """Take the field from the rows whose value has a type that was refused."""
        groups = self._by_event(seqs)
        if len(groups) > 1:
            for group in groups:
                self._push(group)
            return
        for _ in range(_TYPE_ROUNDS):
            if not self._cut_clashing(seqs, verdict.refusal.clashes):
                break
            seqs = [seq for seq in seqs if seq in self._open]
            if not seqs:
                return
            verdict = self._attempt(seqs)
            if verdict.action is not Action.FIT_TYPES or len(seqs) == 1:
                self._resolve(seqs, verdict)
                return
        self._bisect(seqs)

    def _by_event(self, seqs: Iterable[int]) -> list[list[int]]:
        """
        Part rows by the name of their event: only those of one name share the types of fields.

        Source:
            Swagger ``trackBulk``, documented. The answer says ``customEvent`` and not which
            (published by a user of the API).
        """
        groups: dict[str | None, list[int]] = {}
        for seq in seqs:
            groups.setdefault(event_name(self._open[seq].body), []).append(seq)
        return list(groups.values())

    def _cut_clashing(self, seqs: Sequence[int], clashes: Iterable[TypeClash]) -> bool:
        any_cut = False
        for clash in clashes:
            has = {
                seq: json_types(self._open[seq].body, clash.field)
                for seq in seqs
                if seq in self._open and covering(self._open[seq].fields, clash.field)
            }
            guilty = [seq for seq in has if has[seq] & clash.incoming]
            wrong = [seq for seq in guilty if clash.expected not in has[seq]]
            if not wrong and clash.expected not in clash.incoming:
                wrong = guilty
            # Expected is what came, so the value is out of range: no type tells which.
            for seq in wrong:
                self._cut_fields(seq, covering(self._open[seq].fields, clash.field))
                any_cut = True
        return any_cut

    def _cut_fields(self, seq: int, fields: Sequence[str]) -> bool:
        try:
            self._open[seq] = without_fields(self._open[seq], fields)
        except ValueError:
            self._reject(seq, "wrong_type")
            return False
        self._cut.setdefault(seq, []).extend(fields)
        return True

    # -- new fields ---------------------------------------------------------------------------

    def _create_fields(self, wanted: set[str]) -> None:
        """
        Create fields by a small request of their own, before the others send them.

        Two first writes of a field side by side may give it two types or lose one; the caller
        sees to it that nothing else is in flight.
        """
        self._creating = True
        for _ in range(_PILOT_ROUNDS):
            pilots = pilot_rows(list(self._open.values()), wanted)
            if not pilots or not self._creating:
                break
            self._push([row.seq for row in pilots])
            wanted -= self._created
        self._creating = False
        # What an answer said it dropped will not be listed, however long one waits.
        dropped = {field for fields in self._result.uncreated.values() for field in fields}
        created = (self._created & self._result.batch.new_fields) - dropped
        unconfirmed = created - set(known_among(created, self._listed))
        if unconfirmed:
            self._confirm_fields(frozenset(unconfirmed))
