"""Compares what Iterable holds with what the warehouse says, each side counted on its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from expectation import Expected, Profile
    from local_iterable import Contents
    from state_tables import Kept


@dataclass(frozen=True)
class Told:
    """
    How both sides compare where nothing may differ.

    Args:
        what: e.g. ``purchases``.

        wanted: how many the warehouse says there are.

        found: how many of them Iterable holds as the warehouse says.

        wrong: those that differ, are missing, or that the warehouse does not know.
    """

    what: str
    wanted: int
    found: int
    wrong: list[str]

    @property
    def holds(self) -> bool:
        """Whether all is as it should be."""
        return self.wanted == self.found and not self.wrong


@dataclass(frozen=True)
class ReadBack:
    """
    How users compare.

    Args:
        wanted: users of the warehouse less those that are rejected or held.

        found: profiles of Iterable that say what the warehouse says.

        rows, profiles: how many each side has at all.

        rows_without_key: rows of the warehouse that nobody can address.

        not_there: key -> why the warehouse's version of it is not in Iterable.

        lacking: key -> field -> why Iterable has the user without what this field says.

        left: profiles whose users the warehouse no longer has.

        wrong: keys that differ and that nothing explains.
    """

    wanted: int
    found: int
    rows: int
    profiles: int
    rows_without_key: int
    not_there: dict[str, str]
    lacking: dict[str, dict[str, str]]
    left: list[str]
    wrong: list[str]

    @property
    def holds(self) -> bool:
        """Whether all is as it should be."""
        return self.wanted == self.found and not self.wrong


def compare_all(expected: Expected, held: Contents) -> list[Told]:
    """Compare what is about users; none of it may be rejected, and a cart without items is none."""
    return [
        _told("memberships", expected.memberships, held.memberships),
        _told("purchases", expected.purchases, held.purchases),
        _told("carts", _filled(expected.carts), _filled(held.carts)),
        _told("events", expected.events, held.events),
    ]


def compare(
    expected: Expected, profiles: Mapping[str, Profile], kept: Kept, *, gone: set[str]
) -> ReadBack:
    """
    Compare users.

    Args:
        gone: users whom the warehouse had on an earlier day.
    """
    explained = kept.rejected | kept.held
    not_there = {key: why for key, why in explained.items() if key in expected.profiles}
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
    return ReadBack(
        wanted=len(expected.profiles) - len(not_there),
        found=same,
        rows=expected.rows["users"],
        profiles=len(profiles),
        rows_without_key=expected.rows["users"] - len(expected.profiles),
        not_there=not_there,
        lacking={key: dict(why) for key, why in kept.fields.items() if key in expected.profiles},
        left=sorted(left),
        wrong=wrong,
    )


def _differing(said: Profile, held: Profile) -> set[str]:
    return {name for name in said.keys() | held.keys() if said.get(name) != held.get(name)}


def _told(what: str, said: Mapping[Any, Any], held: Mapping[Any, Any]) -> Told:
    wrong = [name for name in said.keys() | held.keys() if said.get(name) != held.get(name)]
    return Told(
        what,
        wanted=len(said),
        found=len(said) - len(said.keys() & set(wrong)),
        wrong=sorted(name if isinstance(name, str) else " in ".join(name) for name in wrong),
    )


def _filled(carts: Mapping[str, Any]) -> dict[str, Any]:
    return {who: items for who, items in carts.items() if items}
