"""
Bugs that others shipped, planted into the product one at a time: the simulation sees each.

A bug is a patch of a few lines by name. One that no longer applies is an error: a plant that does
nothing would be called missed, or worse, nobody would notice that its check is gone.

``make planted`` plants them all and prints a JSON line for each.
"""

from __future__ import annotations

import json
import logging
import multiprocessing
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from iterable_sync import outcomes, push
from iterable_sync.isolation import Isolation
from iterable_sync.rows import BatchResult, ProjectType
from iterable_sync.state import begun, diff, journal, late, stage
from iterable_sync.state.fold import Fold, Folded
from iterable_sync.state.leases import Lease
from iterable_sync.state.runs import SyncState
from torture.simulation import live

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

ENOUGH_SEEDS = 150
"""A bug that so many worlds do not show is missed."""


class DoesNotApply(Exception):
    """The product has changed, and a planted bug with it has nowhere to go."""


@dataclass(frozen=True)
class Bug:
    """
    A planted bug.

    Args:
        words: what is wrong.

        place, name: what is patched.

        make: the original -> what stands in its place.

        also: further (place, name, make).
    """

    words: str
    place: Any
    name: str
    make: Callable[[Any], Any]
    also: tuple[tuple[Any, str, Callable[[Any], Any]], ...] = ()


def _record_first(visit: Callable[..., Any]) -> Callable[..., Any]:
    def planted(state: SyncState, results: Any, to_open: Any, **more: Any) -> Any:
        opened = list(to_open)
        frame = visit(state, results, to_open, **more)
        if opened:
            sent = [BatchResult(batch, list(batch.rejections)) for batch in opened]
            visit(state, sent, [], **more | {"seq_lo": 1, "seq_hi": 0})
        return frame

    return planted


def _all_accepted(counts: Callable[..., Any]) -> Callable[..., Any]:
    def planted(answer: Any) -> Any:
        if (found := counts(answer)) is None:
            return None
        answer["failedUpdates"] = {}
        return sum(found), 0

    return planted


def _case_kept(_: Any) -> Callable[..., str]:
    def planted(email: str | None, user_id: str | None, kind: ProjectType) -> str:
        if kind is ProjectType.EMAIL:
            trimmed = f"trim({email})"
            return f"CAST(CASE WHEN {trimmed} <> '' THEN 'email:' || {trimmed} END AS text)"
        return f"CAST('userId:' || {user_id} AS text)"

    return planted


def _without_last(split: Callable[..., Any]) -> Callable[..., Any]:
    def planted(*rows: Any, **more: Any) -> Any:
        *batches, last = split(*rows, **more)
        if batches:
            batches[-1].seq_hi = last.seq_hi
        return batches or [last]

    return planted


def _swallowed(_: Any) -> Callable[..., None]:
    def planted(isolation: Isolation, seqs: Iterable[int], _: Any) -> None:
        for seq in seqs if not isinstance(seqs, int) else [seqs]:
            isolation._open.pop(seq, None)

    return planted


def _without_rejections(exceptions: Callable[..., Any]) -> Callable[..., Any]:
    def planted(*given: Any) -> Any:
        return [row for row in exceptions(*given) if row[2] != journal.REJECTED]

    return planted


def _replaced(*pairs: tuple[str, str]) -> Callable[[Any], Any]:
    """Replace text in the SQL that a function gives."""

    def make(original: Callable[..., str]) -> Callable[..., str]:
        def planted(*given: Any) -> str:
            sql = original(*given)
            for old, new in pairs:
                if old not in sql and new not in sql:
                    raise DoesNotApply(f"{original.__qualname__} has no {old!r}")
                sql = sql.replace(old, new)
            return sql

        return planted

    return make


def _nothing(_: Any) -> Callable[..., None]:
    return lambda *_given, **_more: None


def _folds_nothing(_: Any) -> Callable[..., Folded]:
    return lambda *_given: Folded()


BUGS = {
    "record_before_send": Bug(
        "a batch is settled as accepted before its request", SyncState, "visit", _record_first
    ),
    "ignore_failed_updates": Bug(
        "the rows that a 200 names as failed are accepted", outcomes, "_counts", _all_accepted
    ),
    "no_intents": Bug(
        "what a dead run had open is not in doubt, neither at once nor later",
        Fold,
        "left_open",
        _folds_nothing,
        also=((Fold, "again", lambda _: lambda *_given: 0),),
    ),
    "no_fold_of_leftovers": Bug(
        "the journal of a dead run is not folded", begun, "fold_leftovers", _nothing
    ),
    "no_second_look": Bug(
        "what a woken holder sends after a take-over is not doubted again",
        late,
        "fold_again",
        _nothing,
    ),
    "lease_not_checked_at_commit": Bug("a run without its lease records", Lease, "check", _nothing),
    "lower_case_on_one_side": Bug(
        "the state keeps the case of e-mails, Iterable does not", stage, "identity_sql", _case_kept
    ),
    "forget_removals": Bug(
        "keys that left are never cleared",
        diff._Diff,
        "_route",
        _replaced(("= 'removed' THEN 'send'", "= 'removed' THEN 'ignore'")),
    ),
    "skip_last_batch": Bug("the last batch is counted and not sent", push, "split", _without_last),
    "swallow_400": Bug("a refused request is taken for done", Isolation, "_isolate", _swallowed),
    "rejected_rows_accepted": Bug(
        "rejected rows go into the snapshot", journal, "_exceptions", _without_rejections
    ),
    "dirty_not_sent": Bug(
        "fields in doubt are sent only where their values differ",
        diff._Diff,
        "_bit",
        _replaced(("t._dirty = '*'", "FALSE"), ("substr(t._dirty,", "substr('',")),
    ),
}


@contextmanager
def planted(name: str) -> Iterator[None]:
    """
    Plant a bug within the block.

    Raises:
        DoesNotApply: the product no longer has what it patches.
    """
    bug = BUGS[name]
    with ExitStack() as stack:
        for place, attribute, make in ((bug.place, bug.name, bug.make), *bug.also):
            original = getattr(place, attribute, None)
            if original is None:
                raise DoesNotApply(f"{name}: there is no {attribute} in {place!r}")
            stack.enter_context(patch.object(place, attribute, make(original)))
        yield


def first_red(name: str, seeds: Iterable[int]) -> tuple[int, str] | None:
    """
    Give the first seed whose world ends wrong with a bug and right without it, and what it shows.

    None if there is no such seed: the bug was missed.
    """
    for seed in seeds:
        with planted(name):
            shown = live(seed).broken
        if shown and not live(seed).broken:
            return seed, shown[0]
    return None


def _look(case: tuple[str, int]) -> dict[str, Any]:
    logging.disable(logging.CRITICAL)
    name, first = case
    line: dict[str, Any] = {"bug": name, "words": BUGS[name].words}
    try:
        red = first_red(name, range(first, first + ENOUGH_SEEDS))
    except DoesNotApply as error:
        return line | {"caught": False, "does not apply": str(error)}
    if red is None:
        return line | {"caught": False}
    return line | {"caught": True, "seed": red[0], "by": red[1]}


def main(first: int = 0) -> int:
    """Plant every bug, print what caught it, and give 1 if any was missed."""
    logging.disable(logging.CRITICAL)
    if broken := live(first).broken:
        # Then nothing that a bug shows is the bug's.
        print(json.dumps({"suite": "planted", "wrong without a bug": broken[:3]}))  # noqa: T201
        return 1
    caught = 0
    # Spawned, not forked: a database in memory does not live on in a child.
    with multiprocessing.get_context("spawn").Pool() as pool:
        for line in pool.imap_unordered(_look, [(name, first) for name in BUGS]):
            caught += line["caught"]
            print(json.dumps(line), flush=True)  # noqa: T201 - this is a command
    print(json.dumps({"suite": "planted", "bugs": len(BUGS), "caught": caught}))  # noqa: T201
    return int(caught < len(BUGS))


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:2])))
