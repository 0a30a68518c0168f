"""
What a number of changes of address come to: who moves from where to where, and in which order.

Pure. A change says who left which address for which one, and when. Of those that were one person
only where they began and where they ended counts; those of several people are put into an order in
which nobody moves to an address that somebody else is about to leave.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from enum import StrEnum
from graphlib import CycleError, TopologicalSorter
from heapq import heappop, heappush
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

AMBIGUOUS = "ambiguous_change"
CYCLE = "email_cycle"


@dataclass(frozen=True, slots=True)
class Move:
    """
    One change.

    Args:
        row: its number among the others.

        old, new: addresses, folded.

        at: when; a text in the order of time.

        who: whoever moved, where it is known: rows of one are one person, of two never.
    """

    row: int
    old: str
    new: str
    at: str
    who: str | None = None


@dataclass(slots=True)
class Journey:
    """All moves of one person, in their order."""

    moves: list[Move] = field(default_factory=list)

    @property
    def start(self) -> str:
        """The address that the person had."""
        return self.moves[0].old

    @property
    def end(self) -> str:
        """The address that the person has now."""
        return self.moves[-1].new

    @property
    def latest(self) -> tuple[str, int]:
        """When it ended, and among those of one moment its number."""
        return self.moves[-1].at, self.moves[-1].row


@dataclass(frozen=True, slots=True)
class Arranged:
    """
    Args:
        journeys: one after the other, none goes where another one is still to leave.

        refused: row -> why it has no place: ``ambiguous_change``, ``email_cycle``.
    """

    journeys: list[Journey]
    refused: dict[int, str]


def arranged(moves: Iterable[Move], *, is_unique: bool = True) -> Arranged:
    """
    Put the moves of people into an order.

    A move goes on with the person who came to its old address before, strictly earlier; at one
    moment all move at once. Refused are moves of one moment from or to the same address, and people
    who change places in a circle: between two of them one would need an address that is no one's.

    Args:
        is_unique: an address belongs to one person. Where it is only a field, a circle is none.
    """
    journeys, refused = _journeys(moves)
    if not is_unique:
        return Arranged(sorted(journeys, key=lambda one: one.latest), refused)
    ordered, stuck = _in_order(journeys)
    refused |= {move.row: CYCLE for journey in stuck for move in journey.moves}
    return Arranged(ordered, refused)


class Found(StrEnum):
    """Who has an address."""

    NOBODY = "nobody"
    THE_PERSON = "the_person"
    WHO_MAY_BE = "who_may_be"  # the person, as far as anybody knows
    SOMEBODY_ELSE = "somebody_else"


_MINE = (Found.THE_PERSON, Found.WHO_MAY_BE)


class Finding(StrEnum):
    """What is left to do of a journey."""

    GO = "go"
    THERE = "there"
    TAKEN = "taken"
    UNKNOWN = "unknown"  # the person is nowhere
    UNCLEAR = "unclear"  # somebody is where the person may be, and nobody knows who


@dataclass(frozen=True, slots=True)
class Way:
    """
    The way of one person, as it is looked for.

    Args:
        start, end: where the person was at first, and is to be.

        via: where they may be by now, since a part of the way was made before.

        others: addresses on the way, where the name of the person is not known.

        behind: who comes after: the address of the one who goes to *start*, of the one who goes to
            theirs, and so on.
    """

    start: str
    end: str
    via: tuple[str, ...] = ()
    behind: tuple[str, ...] = ()
    others: tuple[str, ...] = ()


def still_to_go(way: Way, find: Callable[[str], Found]) -> tuple[Finding, str]:
    """
    Say what is left of a way that may have been made, wholly or in part.

    Args:
        find: looks who has an address; asked for as few as decide it.

    Returns:
        The finding, and from where to go.
    """
    at_start = find(way.start)
    if at_start in _MINE:
        if way.start == way.end:
            return Finding.THERE, way.start
        at_end = find(way.end)
        if at_end is Found.NOBODY:
            return Finding.GO, way.start
        is_there = at_start is Found.WHO_MAY_BE and (
            at_end is Found.THE_PERSON
            # Somebody has the old address again: had those behind gone, so had this one before.
            or any(find(address) is Found.NOBODY for address in way.behind)
        )
        return (Finding.THERE if is_there else Finding.TAKEN), way.start
    return _left_start(way, find)


def _left_start(way: Way, find: Callable[[str], Found]) -> tuple[Finding, str]:
    at_end = find(way.end)
    if at_end in _MINE:
        return Finding.THERE, way.end
    for address in reversed(way.via):
        if find(address) in _MINE:
            return (Finding.GO if at_end is Found.NOBODY else Finding.TAKEN), address
    if any(find(address) is not Found.NOBODY for address in way.others):
        return Finding.UNCLEAR, way.start
    return Finding.UNKNOWN, way.start


def ways(journeys: Sequence[Journey]) -> list[Way]:
    """Give the ways of journeys in the order in which they are made; all of them are known."""
    going_to = {journey.end: journey.start for journey in journeys if journey.start != journey.end}
    found = []
    for journey in journeys:
        passed = dict.fromkeys(move.new for move in journey.moves[:-1])
        between = tuple(one for one in passed if one not in {journey.start, journey.end})
        # Without a name it may be anybody who has an address that somebody came by.
        is_named = any(move.who is not None for move in journey.moves)
        via, others = (between, ()) if is_named else ((), between)
        behind: list[str] = []
        here = going_to.get(journey.start)
        while here is not None and here not in behind and here != journey.start:
            behind.append(here)
            here = going_to.get(here)
        found.append(Way(journey.start, journey.end, via, tuple(behind), others))
    return found


def composed(moves: Iterable[tuple[str, str]]) -> dict[str, str]:
    """
    Give what moves, one after the other, come to all at once: before -> after.

    Who ends where they began is left out.
    """
    begun: dict[str, list[str]] = {}
    for old, new in moves:
        if old != new:
            begun[new] = [*begun.get(new, ()), *begun.pop(old, [old])]
    return {first: last for last, firsts in begun.items() for first in firsts if first != last}


def _journeys(moves: Iterable[Move]) -> tuple[list[Journey], dict[int, str]]:
    refused: dict[int, str] = {}
    journeys: list[Journey] = []
    of_person: dict[str, Journey] = {}
    holder: dict[str, Journey] = {}
    in_time = sorted(moves, key=lambda move: (move.at, move.row))
    for _, group in groupby(in_time, key=lambda move: move.at):
        at_once = list(_sensible(list(group), refused))
        found: list[tuple[Journey, Move]] = []
        for move in at_once:
            journey = _whose(move, of_person, holder, at_once)
            if journey is None:
                journey = Journey()
                journeys.append(journey)
            if move.who is not None:
                of_person[move.who] = journey
            journey.moves.append(move)
            found.append((journey, move))
        for journey, move in found:
            if holder.get(move.old) is journey:
                del holder[move.old]
        holder |= {journey.end: journey for journey, _ in found}
    return journeys, refused


def _whose(
    move: Move, of_person: dict[str, Journey], holder: dict[str, Journey], at_once: Sequence[Move]
) -> Journey | None:
    if move.who is not None and move.who in of_person:
        return of_person[move.who]
    before = holder.get(move.old)
    if before is None or any(before.moves[-1] is other for other in at_once):
        return None
    known = {one.who for one in before.moves} - {None}
    return before if move.who is None or not known else None


def _sensible(group: Sequence[Move], refused: dict[int, str]) -> Iterator[Move]:
    """Give the moves of one moment; those of one person in the order in which they fit."""
    of_person: dict[object, list[Move]] = defaultdict(list)
    for move in group:
        of_person[move.row if move.who is None else (move.who,)].append(move)
    paths = {whose: _path(theirs) for whose, theirs in of_person.items()}
    starts, ends = defaultdict(set), defaultdict(set)
    for whose, path in paths.items():
        for move in path or of_person[whose]:
            starts[move.old].add(whose)
            ends[move.new].add(whose)
    for whose, path in paths.items():
        if path is None or any(
            len(starts[move.old]) > 1 or len(ends[move.new]) > 1 for move in path
        ):
            refused |= {move.row: AMBIGUOUS for move in of_person[whose]}
        else:
            yield from path


def _path(moves: Sequence[Move]) -> list[Move] | None:
    """Order moves so that each begins where the one before ended; None where they do not."""
    left = {move.old: move for move in moves}
    begins = [move for move in moves if move.old not in {other.new for other in moves}]
    if len(moves) == 1:
        return list(moves)
    if len(left) < len(moves) or len(begins) != 1:
        return None
    path = [begins[0]]
    while (following := left.get(path[-1].new)) is not None:
        path.append(following)
    return path if len(path) == len(moves) else None


def _in_order(journeys: Sequence[Journey]) -> tuple[list[Journey], list[Journey]]:
    """Order journeys, each after those that leave where it goes; and give those in circles."""
    leaving: dict[str, list[int]] = defaultdict(list)
    for number, journey in enumerate(journeys):
        leaving[journey.start].append(number)
    stuck: set[int] = set()
    while True:
        sorter = TopologicalSorter(
            {
                number: [n for n in leaving.get(journey.end, ()) if n not in {number, *stuck}]
                for number, journey in enumerate(journeys)
                if number not in stuck
            }
        )
        try:
            sorter.prepare()
            break
        except CycleError as error:
            # Who only waits for one of them finds the address taken, and is told so.
            stuck.update(error.args[1])
    ready: list[tuple[tuple[str, int], int]] = []
    ordered: list[Journey] = []
    while sorter:
        for number in sorter.get_ready():
            heappush(ready, (journeys[number].latest, number))
        _, number = heappop(ready)
        ordered.append(journeys[number])
        sorter.done(number)
    return ordered, [journeys[number] for number in sorted(stuck)]
