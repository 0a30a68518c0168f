"""Compares what Iterable holds with what the warehouse says, each side counted on its own."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from expectation import CARTS, SYNCS, USERS
from state_tables import Kept

if TYPE_CHECKING:
    from collections.abc import Mapping

    from expectation import Expected, Name, Things
    from expected_people import Profile
    from local_iterable import Contents


@dataclass(frozen=True)
class Told:
    """
    How both sides compare in what one sync sends.

    Args:
        wanted: how many the warehouse says there are, less those that are rejected or held.

        found: how many of them Iterable holds as the warehouse says.

        refused: why the warehouse's version is not in Iterable -> of how many.

        wrong: those that differ, are missing, or that the warehouse does not know.
    """

    sync: str
    wanted: int
    found: int
    refused: Mapping[str, int]
    wrong: list[str]

    @property
    def holds(self) -> bool:
        """Whether all is as it should be."""
        return self.wanted == self.found and not self.wrong

    @property
    def differences(self) -> list[str]:
        """Say what is wrong, in numbers."""
        if self.holds:
            return []
        return [
            f"{self.sync}: Iterable holds {self.found:,} of {self.wanted:,}, and "
            f"{len(self.wrong):,} that differ"
        ]


@dataclass(frozen=True)
class People:
    """
    How users compare, besides their number.

    Args:
        rows, profiles: how many each side has at all.

        rows_without_key: rows of the warehouse that nobody can address.

        not_there: key -> why the warehouse's version of it is not in Iterable.

        lacking: key -> field -> why Iterable has the user without what this field says.

        left: profiles whose users the warehouse no longer has.
    """

    told: Told
    rows: int
    profiles: int
    rows_without_key: int
    not_there: dict[str, str]
    lacking: dict[str, dict[str, str]]
    left: list[str]


def compare_all(expected: Expected, held: Contents, kept: Mapping[str, Kept]) -> list[Told]:
    """Compare what is about users, by sync, in their order; a cart without items is none."""
    found = []
    for sync in SYNCS:
        if sync == USERS:
            continue
        said, there = expected.held[sync], held.things[sync]
        if sync == CARTS:
            said, there = _filled(said), _filled(there)
        found.append(_told(sync, said, there, kept.get(sync, Kept())))
    return found


def strangers(held: Contents) -> list[str]:
    """Give what is wrong with Iterable as a whole: it has events or lists that no sync sends."""
    names = [_words(name) for name in held.others]
    return [f"no sync sends these {len(names):,}: {', '.join(sorted(names))}"] if names else []


def compare(
    expected: Expected, profiles: Mapping[str, Profile], kept: Kept, *, gone: set[str]
) -> People:
    """
    Compare users.

    Args:
        gone: users whom the warehouse had on an earlier day.
    """
    not_there = {key: why for key, why in kept.why.items() if key in expected.profiles}
    same = 0
    left: list[str] = []
    wrong: list[str] = []
    for key, profile in profiles.items():
        said = expected.profiles.get(key)
        if said is None:
            (left if key in gone else wrong).append(key)
        elif key in not_there:
            continue
        elif _differing(said, profile) <= set(kept.fields.get(key, ())):
            same += 1
        else:
            wrong.append(key)
    wrong += sorted(set(expected.profiles) - set(profiles) - set(not_there))
    rows = expected.rows[USERS]
    return People(
        told=Told(
            USERS,
            wanted=len(expected.profiles) - len(not_there),
            found=same,
            refused=Counter(not_there.values()),
            wrong=wrong,
        ),
        rows=rows,
        profiles=len(profiles),
        rows_without_key=rows - len(expected.profiles),
        not_there=not_there,
        lacking={key: dict(why) for key, why in kept.fields.items() if key in expected.profiles},
        left=sorted(left),
    )


def _differing(said: Profile, held: Profile) -> set[str]:
    return {name for name in said.keys() | held.keys() if said.get(name) != held.get(name)}


def _told(sync: str, said: Things, there: Things, kept: Kept) -> Told:
    people = kept.people
    refused = {
        name: why
        for name in said
        if name not in there and (why := people.get(name if isinstance(name, str) else name[0]))
    }
    wanted = said.keys() - refused.keys()
    wrong = [name for name in wanted | there.keys() if said.get(name) != there.get(name)]
    return Told(
        sync,
        wanted=len(wanted),
        found=len(wanted - set(wrong)),
        refused=Counter(refused.values()),
        wrong=sorted(map(_words, wrong)),
    )


def _filled(carts: Things) -> Things:
    return {who: items for who, items in carts.items() if items}


def _words(name: Name) -> str:
    return name if isinstance(name, str) else " in ".join(name)
