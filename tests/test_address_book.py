"""Changes of address against an address book that is kept by hand, move by move."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from iterable_sync.address_book import (
    AMBIGUOUS,
    CYCLE,
    Arranged,
    Finding,
    Found,
    Move,
    Way,
    arranged,
    composed,
    still_to_go,
    ways,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


def moves(*given: str) -> list[Move]:
    """Give moves out of texts ``a>b@1`` and ``a>b@1=who``."""
    found = []
    for row, text in enumerate(given):
        way, _, when = text.partition("@")
        at, _, who = when.partition("=")
        old, new = way.split(">")
        found.append(Move(row, old, new, at, who or None))
    return found


def as_words(done: Arranged) -> list[str]:
    return [
        ">".join([journey.start, *(move.new for move in journey.moves)])
        for journey in done.journeys
    ]


CASES = [
    (["a>b@1"], ["a>b"]),
    (["a>b@1", "b>c@2"], ["a>b>c"]),
    (["b>c@2", "a>b@1"], ["a>b>c"]),
    # Two people: who leaves comes first, also where the time is one.
    (["b>c@1", "a>b@2"], ["b>c", "a>b"]),
    (["a>b@1", "b>c@1"], ["b>c", "a>b"]),
    (["a>b@1=1", "b>c@2=2"], ["b>c", "a>b"]),
    # One person, told by the name: also with a gap, and at one moment.
    (["a>b@1=1", "c>d@2=1"], ["a>b>d"]),
    (["b>c@1=1", "a>b@1=1"], ["a>b>c"]),
    # There and back again.
    (["a>b@1", "b>a@2"], ["a>b>a"]),
    # The chain ends where somebody has left meanwhile, and its beginning is taken by a third.
    (["a>b@1", "c>d@2", "x>a@2", "b>c@3"], ["c>d", "a>b>c", "x>a"]),
    # Somebody else has registered with the address that was left.
    (["a>b@1=1", "a>c@2=2"], ["a>b", "a>c"]),
]


@pytest.mark.parametrize(("given_moves", "expected"), CASES)
def test_journeys_are_in_an_order_that_works(given_moves: list[str], expected: list[str]) -> None:
    """One person is one journey, and nobody goes where another is still to leave."""
    done = arranged(moves(*given_moves))

    assert (expected, {}) == (as_words(done), done.refused)


@pytest.mark.parametrize(
    ("given_moves", "expected", "refused"),
    [
        (["a>b@1", "b>a@1"], [], {0: CYCLE, 1: CYCLE}),
        (["a>b@1=1", "b>a@2=2"], [], {0: CYCLE, 1: CYCLE}),
        (["a>b@1=1", "b>c@1=2", "c>a@1=3"], [], {0: CYCLE, 1: CYCLE, 2: CYCLE}),
        # An address in between that was left again does not part a circle.
        (["a>t@1", "b>a@2", "t>b@3"], [], {0: CYCLE, 1: CYCLE, 2: CYCLE}),
        (["a>b@1", "b>a@1", "x>a@2", "y>z@2"], ["x>a", "y>z"], {0: CYCLE, 1: CYCLE}),
        (["a>b@1", "a>c@1"], [], {0: AMBIGUOUS, 1: AMBIGUOUS}),
        (["a>c@1", "b>c@1", "x>y@1"], ["x>y"], {0: AMBIGUOUS, 1: AMBIGUOUS}),
        (["a>b@1=1", "c>d@1=1"], [], {0: AMBIGUOUS, 1: AMBIGUOUS}),
    ],
)
def test_circles_and_contradictions_are_refused_by_name(
    given_moves: list[str], expected: list[str], refused: dict[int, str]
) -> None:
    """And nobody beside them."""
    done = arranged(moves(*given_moves))

    assert (expected, refused) == (as_words(done), done.refused)


def test_circle_is_none_where_an_address_is_only_a_field() -> None:
    done = arranged(moves("a>b@1=1", "b>a@2=2"), is_unique=False)

    assert (["a>b", "b>a"], {}) == (as_words(done), done.refused)


@pytest.mark.parametrize(
    ("one_after_the_other", "at_once"),
    [
        ("", ""),
        ("ab bc", "ac"),
        ("bc ab", "bc ab"),
        ("ab ba", ""),
        ("ab bc ca", ""),
        ("ab xa", "ab xa"),
        ("xb yb", "xb yb"),
        ("xb yb bc", "xc yc"),
        ("aa", ""),
    ],
)
def test_moves_compose(one_after_the_other: str, at_once: str) -> None:
    """What is done at once leaves everybody where one move after the other does."""
    assert {two[0]: two[1] for two in at_once.split()} == composed(
        (two[0], two[1]) for two in one_after_the_other.split()
    )


@pytest.mark.parametrize(
    ("way", "there", "expected"),
    [
        (Way("a", "b"), "a", (Finding.GO, "a")),
        (Way("a", "b"), "b", (Finding.THERE, "b")),
        (Way("a", "b"), "", (Finding.UNKNOWN, "a")),
        (Way("a", "b"), "ab", (Finding.TAKEN, "a")),
        (Way("a", "c", via=("b",)), "b", (Finding.GO, "b")),
        (Way("a", "a", via=("b",)), "b", (Finding.GO, "b")),
        (Way("a", "a", via=("b",)), "ab", (Finding.THERE, "a")),
        # Nobody knows whether it is this person who has come as far as that.
        (Way("a", "c", others=("b",)), "b", (Finding.UNCLEAR, "a")),
        (Way("a", "c", others=("b",)), "", (Finding.UNKNOWN, "a")),
        # Who went to the old address is there already, so this one has gone before.
        (Way("a", "b", behind=("x",)), "ab", (Finding.THERE, "a")),
        (Way("a", "b", behind=("x",)), "abx", (Finding.TAKEN, "a")),
        # A digit beside it: certainly the person.
        (Way("a", "b", behind=("x",)), "a1b", (Finding.TAKEN, "a")),
        (Way("a", "b"), "ab1", (Finding.THERE, "a")),
        # Capital letters: somebody else, by name.
        (Way("a", "b"), "aB", (Finding.TAKEN, "a")),
        (Way("a", "b"), "AB", (Finding.UNKNOWN, "a")),
        (Way("a", "b"), "Ab", (Finding.THERE, "b")),
        (Way("a", "c", via=("b",)), "bC", (Finding.TAKEN, "b")),
    ],
)
def test_look_says_what_is_left(way: Way, there: str, expected: tuple[Finding, str]) -> None:
    def find(address: str) -> Found:
        if address.upper() in there:
            return Found.SOMEBODY_ELSE
        if f"{address}1" in there:
            return Found.THE_PERSON
        return Found.WHO_MAY_BE if address in there else Found.NOBODY

    assert expected == still_to_go(way, find)


class Book:
    """An address book: address -> person, and every move that it was told."""

    def __init__(self, people: int) -> None:
        self.holder = {f"a{n}": n for n in range(people)}
        self.told: list[Move] = []

    def move(self, at: int, *ways: tuple[str, str], named: bool) -> None:
        """Let people move at one moment; whoever is in the way leaves at the same moment."""
        before = dict(self.holder)
        for old, _ in ways:
            del self.holder[old]
        for old, new in ways:
            assert new not in self.holder
            self.holder[new] = before[old]
            who = f"p{before[old]}" if named else None
            self.told.append(Move(len(self.told), old, new, f"{at:06}", who))


def history(rng: random.Random, *, named: bool) -> Book:
    """Give a book after some moments at which one person moved, or a few at once."""
    book = Book(rng.randint(1, 6))
    for at in range(rng.randint(1, 10)):
        movers = rng.sample(sorted(book.holder), rng.randint(1, min(3, len(book.holder))))
        free = [f"a{n}" for n in range(9) if f"a{n}" not in book.holder] + movers
        rng.shuffle(free)
        pairs = [(old, new) for old, new in zip(movers, free, strict=False) if old != new]
        leaving = {old for old, _ in pairs}
        if all(new in leaving or new not in book.holder for _, new in pairs):
            book.move(at, *pairs, named=named)
    return book


def in_circles(before: Mapping[str, int], after: Mapping[str, int]) -> set[int]:
    """Give the people who changed places in a circle, by following each of them."""
    now = {who: address for address, who in after.items()}
    found = set()
    for address, who in before.items():
        here, seen = now[who], 0
        while here != address and here in before and seen <= len(before):
            here, seen = now[before[here]], seen + 1
        if here == address and now[who] != address:
            found.add(who)
    return found


@given(seed=st.integers(0, 10**9), named=st.booleans(), share=st.floats(0, 1))
def test_everybody_is_where_the_book_says(seed: int, named: bool, share: float) -> None:
    """
    Whatever part was done before, the journeys end where the moves of the book end.

    A move never meets an address that is taken, and only those in a circle stay where they were.
    """
    rng = random.Random(seed)  # noqa: S311 - a seed that is shown
    book = history(rng, named=named)
    people = {f"a{n}": n for n in range(len(book.holder))}
    rows = book.told[:]
    rng.shuffle(rows)

    done = arranged(rows)

    stuck = in_circles(people, book.holder)
    refused = {book_person(book, row) for row in done.refused}
    assert stuck == refused
    assert set(done.refused.values()) <= {CYCLE}
    there = dict(people)
    first = int(share * len(done.journeys))
    for journey in done.journeys[:first]:
        # What an earlier run did, and could not note.
        if journey.start != journey.end:
            assert journey.end not in there
            there[journey.end] = there.pop(journey.start)
    for way, journey in zip(ways(done.journeys), done.journeys, strict=True):
        whose = journey.moves[0].who

        def find(address: str, whose: str | None = whose) -> Found:
            if address not in there:
                return Found.NOBODY
            if whose is None:
                return Found.WHO_MAY_BE
            is_who = f"p{there[address]}" == whose
            return Found.THE_PERSON if is_who else Found.SOMEBODY_ELSE

        finding, start = still_to_go(way, find)
        assert finding in {Finding.GO, Finding.THERE}
        if finding is Finding.GO:
            assert journey.end not in there
            there[journey.end] = there.pop(start)
    stay = {who: address for address, who in people.items() if who in stuck}
    wanted = {who: stay.get(who, address) for address, who in book.holder.items()}
    assert wanted == {who: address for address, who in there.items()}


@given(seed=st.integers(0, 10**9), share=st.floats(0, 1))
def test_a_way_is_gone_on_from_where_somebody_left_it(seed: int, share: float) -> None:
    """
    Of people whose names are known, who were moved up to any moment by another program.

    Who meets somebody that is still to leave goes in one of the next runs.
    """
    rng = random.Random(seed)  # noqa: S311 - a seed that is shown
    book = history(rng, named=True)
    done = arranged(book.told)
    assume(not done.refused)
    moments = sorted({move.at for move in book.told})
    there = {f"a{n}": n for n in range(len(book.holder))}
    for at in moments[: int(share * len(moments))]:
        now = [(move.new, there.pop(move.old)) for move in book.told if move.at == at]
        there |= dict(now)

    for _ in done.journeys:
        for way, journey in zip(ways(done.journeys), done.journeys, strict=True):
            whose = journey.moves[0].who

            def find(address: str, whose: str | None = whose) -> Found:
                if address not in there:
                    return Found.NOBODY
                is_who = f"p{there[address]}" == whose
                return Found.THE_PERSON if is_who else Found.SOMEBODY_ELSE

            finding, start = still_to_go(way, find)
            if finding is Finding.GO:
                there[way.end] = there.pop(start)

    # Left in the midst, two may have to change places now, who had not to at first.
    elsewhere = {who for address, who in there.items() if book.holder.get(address) != who}
    assert elsewhere == in_circles(there, book.holder)


def book_person(book: Book, row: int) -> int:
    """Give whose a row of the book is, by following the moves from the beginning."""
    holder = {f"a{n}": n for n in range(len(book.holder))}
    by_time: dict[str, list[Move]] = {}
    for move in book.told:
        by_time.setdefault(move.at, []).append(move)
    for group in by_time.values():
        whose = {move.row: holder[move.old] for move in group}
        if row in whose:
            return whose[row]
        for move in group:
            del holder[move.old]
        for move in group:
            holder[move.new] = whose[move.row]
    raise KeyError(row)


def test_way_of_one_is_read_in_a_row() -> None:
    """By the name of the person alone is anybody taken for who is on the way."""
    done = arranged(moves("a>b@1=1", "b>c@2=1", "x>w@3", "w>a@4", "y>x@5"))

    assert [
        ("a", "c", ("b",), ("x", "y"), ()),
        ("x", "a", (), ("y",), ("w",)),
        ("y", "x", (), (), ()),
    ] == [(way.start, way.end, way.via, way.behind, way.others) for way in ways(done.journeys)]
    assert all(one.new == two.old for one, two in pairwise(done.journeys[0].moves))
