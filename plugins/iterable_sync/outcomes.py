"""
Reads which rows of a bulk request failed, from an answer that names people and not rows.

Pure. The answer is believed only if it adds up: every named identifier is one of a row that was
sent, and the counts meet. Anything else is *ambiguous*, and the rows are sent again in parts.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from enum import Enum, StrEnum
from typing import TYPE_CHECKING, Any

from iterable_sync.bodies import event_name
from iterable_sync.payloads import as_block
from iterable_sync.rows import Rejection

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from iterable_sync.rows import BatchResult, Payload

_TAKEN = frozenset({"Success", "Accepted"})
_EMAILS, _USER_IDS = "Emails", "UserIds"

# Source: UserBulkUpdateListResponse and FailedEventUpdates of Iterable's Swagger, documented;
# arrays of a later version count as "refused". In this order: a row in two arrays gets the first
# reason.
_REASON_OF_ARRAY = {
    "forgotten": "forgotten",
    "conflict": "conflict",
    "invalid": "invalid_{kind}",
    "notFound": "not_found",
    "invalidData": "invalid_data",
    "failed": "refused",
}
# Read after `failedUpdates`, whose reasons are more exact: of trackBulk, a userId in the old array
# is one "that was not found" (Swagger, documented).
_DEPRECATED = ("invalidEmails", "invalidUserIds")
_NOT_NAMES = "disallowedEventNames"
# Source: Swagger `BulkUpdateSubscriptionsResponse`, documented: a valid identifier, and an error of
# their own.
_INTERNAL = {"validEmailFailures": _EMAILS, "validUserIdFailures": _USER_IDS}


class _Names(Enum):
    """What a failure is named by."""

    EMAIL = _EMAILS
    USER_ID = _USER_IDS
    EVENT = _NOT_NAMES


@dataclass(frozen=True, slots=True)
class _Named:
    reason: str
    by: _Names
    value: str


class Reading(StrEnum):
    """How far an answer can be believed."""

    EXACT = "exact"
    AMBIGUOUS = "ambiguous"  # taken, but not who: ask again with fewer rows
    UNREADABLE = "unreadable"  # not the shape of an answer: the outcome is unknown


@dataclass(frozen=True, slots=True)
class Attribution:
    """
    What an answer says about the rows.

    Args:
        failed: seq -> reason code; all other rows are accepted. Only if *reading* is exact.

        uncreated: seq -> its fields that Iterable dropped; accepted rows only.

        unplaced: dropped fields that no row has, by the names that Iterable gives.

        created: fields that this request created.
    """

    reading: Reading
    failed: dict[int, str] = field(default_factory=dict)
    uncreated: dict[int, tuple[str, ...]] = field(default_factory=dict)
    unplaced: tuple[str, ...] = ()
    created: tuple[str, ...] = ()

    def without(self, harmless: frozenset[str]) -> Attribution:
        """Take rows that failed for a reason that does not matter for accepted."""
        if not harmless.intersection(self.failed.values()):
            return self
        failed = {seq: reason for seq, reason in self.failed.items() if reason not in harmless}
        return replace(self, failed=failed)


def attribute(payloads: Sequence[Payload], answer: Any) -> Attribution:
    """
    Give each row of a bulk request its outcome.

    E-mails are matched without regard to case: Iterable answers them lower-cased. ``noOp`` arrays
    are rows that changed nothing, which is no failure. A person who is named fails with all of
    their rows, and so does the name of an event.

    Args:
        payloads: the rows of the request, in any order.

        answer: the parsed JSON of a 2xx.

    Source:
        POST /api/users/bulkUpdate, POST /api/events/trackBulk: partial failure is a 200 with
        identifiers, and names of events (documented, recorded fixtures). That noOp rows count as
        successes is assumed; both ways are taken. That all events of a person fail is assumed,
        and checked by the counts.
    """
    counts = _counts(answer)
    named = None if counts is None else _named(answer)
    if counts is None or named is None:
        return Attribution(Reading.UNREADABLE)
    succeeded, failures = counts
    failed = _rows_of(payloads, named)
    if len(payloads) == 1:
        reading, failed = _of_one(payloads[0], succeeded, failures, named, answer)
    else:
        believed = (
            failed is not None
            and len(failed) == failures
            and _adds_up(len(payloads), succeeded, failures, answer)
        )
        reading = Reading.EXACT if believed else Reading.AMBIGUOUS
    if reading is not Reading.EXACT or failed is None:
        return Attribution(reading)
    uncreated, unplaced = _dropped(payloads, failed, _names(answer, "filteredOutFields"))
    return Attribution(reading, failed, uncreated, unplaced, tuple(_names(answer, "createdFields")))


def attribute_whole(payloads: Sequence[Payload], answer: Any) -> Attribution:
    """
    Read the answer of an endpoint that takes or refuses a request as a whole.

    Source:
        ``IterableApiResponse`` of Swagger, documented; recorded for commerce (2017): a 200 with
        ``code`` of ``Success``.
    """
    taken = isinstance(answer, dict) and answer.get("code") in _TAKEN
    return Attribution(Reading.EXACT if taken and payloads else Reading.UNREADABLE)


def spread(result: BatchResult) -> None:
    """Give the outcomes of payloads to all rows of the plan that they are made of."""
    block = as_block(result.batch.payloads)
    if not block.members:
        return
    result.in_doubt = block.rows_of(result.in_doubt)
    result.not_applied = block.rows_of(result.not_applied)
    of_mapping = len(result.batch.rejections)
    mapped, found = result.rejections[:of_mapping], result.rejections[of_mapping:]
    dropped = [
        Rejection(seq, "field_not_created", field)
        for seq, fields in result.uncreated.items()
        for field in fields
    ]
    result.uncreated = {}
    result.looked = {
        row: reason for seq, reason in result.looked.items() for row in block.rows_of([seq])
    }
    spread_out = {
        (row, rejection.reason): Rejection(row, rejection.reason)
        for rejection in (*found, *dropped)
        for row, field in block.members.get(rejection.seq, ((rejection.seq, ""),))
        if rejection.field is None or not field or covering((field,), rejection.field)
    }
    result.rejections = [*mapped, *spread_out.values()]


def covering(fields: Iterable[str], name: str) -> tuple[str, ...]:
    """
    Give those of a row's fields that Iterable may mean by *name*.

    ``address`` covers ``address.zip``, and a row that has ``address`` as one value has its
    ``address.zip`` in it.
    """
    name = name.removeprefix("dataFields.")
    return tuple(
        own
        for own in fields
        if own == name or own.startswith(f"{name}.") or name.startswith(f"{own}.")
    )


def known_among(fields: Iterable[str], names: Iterable[str]) -> tuple[str, ...]:
    """Give those of *fields* that Iterable lists under one of *names*."""
    listed = list(names)
    return tuple(own for own in fields if any(covering((own,), name) for name in listed))


def _counts(answer: Any) -> tuple[int, int] | None:
    if not isinstance(answer, dict):
        return None
    succeeded, failures = answer.get("successCount"), answer.get("failCount")
    if type(succeeded) is not int or type(failures) is not int or min(succeeded, failures) < 0:
        return None
    return succeeded, failures


def _named(answer: Mapping[str, Any]) -> list[_Named] | None:
    """Give every failure that the answer names; None if the shape is wrong."""
    lists = answer.get("failedUpdates")
    if lists is None:
        lists = {}
    if not isinstance(lists, dict):
        return None
    named: list[_Named] = []
    for array, values in lists.items():
        if values is None or array.startswith("noOp"):
            continue
        if not _are_texts(values):
            return None
        named += [_failure(array, value) for value in values]
    rank = {reason: place for place, reason in enumerate(_REASON_OF_ARRAY.values())}
    # "invalid_{kind}" ranks for both kinds; what is unknown comes last.
    named.sort(key=lambda one: rank.get(_without_kind(one.reason), len(rank)))
    for array in (*_DEPRECATED, *_INTERNAL, _NOT_NAMES):
        values = answer.get(array)
        if values is None:
            continue
        if not _are_texts(values):
            return None
        is_not_found = array == "invalidUserIds" and _NOT_NAMES in answer
        named += [_failure("notFoundUserIds" if is_not_found else array, v) for v in values]
    return named


def _are_texts(values: Any) -> bool:
    return isinstance(values, list) and all(isinstance(value, str) for value in values)


def _failure(array: str, value: str) -> _Named:
    if array == _NOT_NAMES:
        return _Named("disallowed_event_name", _Names.EVENT, value)
    if array in _INTERNAL:
        return _Named("internal_error", _Names(_INTERNAL[array]), value)
    by = _Names.EMAIL if array.endswith(_EMAILS) else _Names.USER_ID
    reason = _REASON_OF_ARRAY.get(array.removesuffix(by.value), "refused")
    return _Named(reason.format(kind="email" if by is _Names.EMAIL else "user_id"), by, value)


def _without_kind(reason: str) -> str:
    return "invalid_{kind}" if reason in {"invalid_email", "invalid_user_id"} else reason


def _rows_of(payloads: Sequence[Payload], named: Sequence[_Named]) -> dict[int, str] | None:
    """Give seq -> reason; None if what is named is of no row."""
    if not named:
        return {}  # the usual answer; no index of a thousand rows for it
    exact: defaultdict[str, list[int]] = defaultdict(list)
    folded: defaultdict[str, list[int]] = defaultdict(list)
    of_event: defaultdict[str | None, list[int]] = defaultdict(list)
    names_events = any(one.by is _Names.EVENT for one in named)
    for payload in payloads:
        for identifier in payload.identifiers:
            exact[identifier].append(payload.seq)
            folded[_fold(identifier)].append(payload.seq)
        if names_events:
            of_event[event_name(payload.body)].append(payload.seq)
    failed: dict[int, str] = {}
    for one in named:
        if one.by is _Names.EVENT:
            seqs = of_event.get(one.value)
        elif one.by is _Names.EMAIL:
            seqs = folded.get(_fold(one.value))
        else:
            seqs = exact.get(one.value)
        if not seqs:
            return None
        for seq in seqs:
            failed.setdefault(seq, one.reason)
    return failed


def _fold(identifier: str) -> str:
    return identifier.strip().lower()


def _of_one(
    payload: Payload,
    succeeded: int,
    failures: int,
    named: Sequence[_Named],
    answer: Mapping[str, Any],
) -> tuple[Reading, dict[int, str] | None]:
    """Attribute by elimination: whoever is named, it can only be this row."""
    if succeeded + failures > 1:
        return Reading.UNREADABLE, None
    if failures == 1 or named:
        return Reading.EXACT, {payload.seq: named[0].reason if named else "refused"}
    if succeeded == 1 or _adds_up(1, succeeded, failures, answer):
        return Reading.EXACT, {}
    return Reading.UNREADABLE, None


def _adds_up(sent: int, succeeded: int, failures: int, answer: Mapping[str, Any]) -> bool:
    if succeeded + failures == sent:
        return True
    unchanged = sum(len(_names(answer, f"noOp{kind}")) for kind in (_EMAILS, _USER_IDS))
    return unchanged > 0 and succeeded + failures + unchanged == sent


def _names(answer: Mapping[str, Any], key: str) -> list[str]:
    values = answer.get(key)
    return [v for v in values if isinstance(v, str)] if isinstance(values, list) else []


def _dropped(
    payloads: Iterable[Payload], failed: Mapping[int, str], dropped: Sequence[str]
) -> tuple[dict[int, tuple[str, ...]], tuple[str, ...]]:
    if not dropped:
        return {}, ()
    rows = list(payloads)
    uncreated: dict[int, tuple[str, ...]] = {}
    for payload in rows:
        own = {f: None for name in dropped for f in covering(payload.fields, name)}
        if own and payload.seq not in failed:
            uncreated[payload.seq] = tuple(own)
    unplaced = tuple(_unplaced(rows, dropped))
    return uncreated, unplaced


def _unplaced(rows: Sequence[Payload], dropped: Iterable[str]) -> Iterator[str]:
    for name in dropped:
        if not any(covering(payload.fields, name) for payload in rows):
            yield name


def is_waiting(result: BatchResult) -> bool:
    """Tell whether a row of the person with whom a batch ends has no outcome."""
    block = as_block(result.batch.payloads)
    theirs = block.seqs[block.begins_identity.nonzero()[0][-1] :].tolist()
    refused = {r.seq for r in result.rejections if r.field is None}
    return not refused.issuperset({*result.in_doubt, *result.not_applied}.intersection(theirs))
