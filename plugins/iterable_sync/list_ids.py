"""
Which lists the rows of a run go into: pinned, looked up by name, or created. Asked before a push.

A name of a list is not unique in Iterable, and creating one has no id of ours: sent twice it makes
two. So a list that is about to be created is noted before the request. Where its outcome is
unknown, Iterable is asked again, in this run and in the next ones: the one list of that name is
taken, and two of them are a person's matter.

Source:
    That names are not unique is assumed: nothing says that they are. That a new list is not known
    everywhere at once: a comment in Iterable's own client.
"""

from __future__ import annotations

import random
from collections import defaultdict
from typing import TYPE_CHECKING

from iterable_sync.contact_lists import ContactList, create_list, read_lists
from iterable_sync.errors import ConfigError, RetryLater, UnknownList
from iterable_sync.retrying import OutcomeUnknown, read_patiently
from iterable_sync.state.lists import declared_list

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from iterable_sync.client import IterableClient
    from iterable_sync.rows import RunReport
    from iterable_sync.spec import SyncSpec
    from iterable_sync.state import SyncState
    from iterable_sync.state.lists import Pin

# Documented: what was accepted may show a minute later.
_SETTLE_S = 60.0
_LOOK_AGAIN_S = (1.0, 2.0, 4.0, 8.0)
_NEW_S = 600.0
_NOT_THERE = 0
_SHOWN = 3
_NOT_SEEN = "A key sees the lists of its own project alone, and a segment is no list"


def find_lists(
    spec: SyncSpec,
    client: IterableClient,
    state: SyncState,
    report: RunReport,
    sleep: Callable[[float], None],
) -> None:
    """
    Put the ids of the lists that a plan sends to into the state of its run.

    A dry run creates none, and says which it would. A list that people only leave, and that is not
    there, has no id: nobody is in it.

    Raises:
        ConfigError: the list is not static, not the only one of its name, or not there; nothing
            was sent.

        RetryLater: Iterable does not answer, or it is not known whether a list was created.
    """
    wanted = {name or spec.list_name: enters for name, enters in state.audiences.items()}
    finder = _Finder(spec, client, state, report, sleep)
    if spec.list_id is not None:
        state.list_ids = {"": finder.declared(spec.list_id)} if wanted else {}
    else:
        # What has no name is refused when it is mapped.
        names = {name: enters for name, enters in wanted.items() if name and name.strip()}
        state.list_ids = finder.named(names)
    if not spec.dry_run:
        _keep(spec, state)


def find_list(
    spec: SyncSpec,
    client: IterableClient,
    state: SyncState,
    report: RunReport,
    sleep: Callable[[float], None],
) -> int | None:
    """Give the one list of a sync, if there is one already; raises as :func:`find_lists`."""
    finder = _Finder(spec, client, state, report, sleep)
    if spec.list_id is not None:
        return finder.declared(spec.list_id)
    return finder.named({str(spec.list_name): False}).get(str(spec.list_name))


def judge(stop: Exception | None, state: SyncState) -> Exception | None:
    """Take a list for late that is not known to Iterable, where one was created a moment ago."""
    if isinstance(stop, UnknownList):
        mine = set(state.list_ids.values())
        for pin in state.lists.known().values():
            if pin.list_id in mine and pin.is_created and (pin.pinned_s or 0.0) < _NEW_S:
                return RetryLater(f"{stop} (or it is too new)", _SETTLE_S)
    return stop


def _keep(spec: SyncSpec, state: SyncState) -> None:
    """Refuse a list of another sync, and another one than before: who is in it is not known."""
    (only,) = declared_list(spec) or (None,)
    now = {only or name: number for name, number in state.list_ids.items()}
    used = state.lists.used()
    for sync, name, number in used:
        if sync != spec.sync and number in now.values():
            raise ConfigError(
                f"sync {spec.sync!r} would keep the list {number}, which sync {sync!r} keeps as "
                f"{name!r}; it has one owner. If that sync does not run any more, delete its row "
                "in the table claims of the state"
            )
    before = {name: number for sync, name, number in used if sync == spec.sync}
    left = {
        name: number
        for name, number in before.items()
        if (name in now or only is not None) and number not in now.values()
    }
    if left and now and not spec.full_resync:
        raise ConfigError(
            f"sync {spec.sync!r} kept the list {_shown(left)}, and now it would keep "
            f"{_shown(now)}, of which the state does not say who is in it. Run once with "
            "full_resync=True, which subscribes every row, or give the sync another name; who is "
            "in the list of before stays in it"
        )
    if before != now:
        state.lists.use(dict.fromkeys(left) | now)


def _shown(lists: Mapping[str, int]) -> str:
    return ", ".join(f"{name!r} ({number})" for name, number in sorted(lists.items())[:_SHOWN])


class _Finder:
    """Finds the lists of one run."""

    def __init__(
        self,
        spec: SyncSpec,
        client: IterableClient,
        state: SyncState,
        report: RunReport,
        sleep: Callable[[float], None],
    ) -> None:
        self._spec = spec
        self._client = client
        self._state = state
        self._report = report
        self._sleep = sleep
        # Spreads waits; nothing secret hangs on it.
        self._rng = random.Random()  # noqa: S311

    def declared(self, number: int) -> int:
        """Look at a list that is declared by its id."""
        found = next((one for one in self._read() if one.id == number), None)
        if found is None:
            raise ConfigError(
                f"list_id={number}: project {self._project} has no such list. {_NOT_SEEN}"
            )
        if not found.is_static:
            raise ConfigError(
                f"list_id={number}: {found.name!r} is no static list; Iterable says itself who is "
                "in it"
            )
        return number

    def named(self, names: Mapping[str, bool]) -> dict[str, int]:
        """Give the id of each name; a list that nobody goes into need not be there."""
        pins = self._state.lists.known()
        ids = {
            name: pin.list_id
            for name, pin in pins.items()
            if name in names and pin.list_id is not None
        }
        if ids.keys() >= names.keys():
            return ids
        there = defaultdict(list)
        for one in self._read():
            there[one.name].append(one)
        for name in names.keys() - ids.keys():
            number = self._the_one(name, there[name], pins.get(name))
            if number is None and names[name]:
                number = self._make(name, pins.get(name))
            if number is not None:
                ids[name] = number
        return ids

    def _the_one(self, name: str, found: Sequence[ContactList], pin: Pin | None) -> int | None:
        """Pin the one list of a name; None if there is none."""
        if len(found) > 1:
            raise self._several(name, found)
        for one in found:
            if not one.is_static:
                raise ConfigError(
                    f"the list {name!r} ({one.id}) of project {self._project} is no static one; "
                    "Iterable says itself who is in it. Take another name"
                )
            if not self._spec.dry_run:
                was_intended = pin is not None and pin.intent_s is not None
                self._state.lists.pin(name, one.id, is_created=was_intended)
            return one.id
        return None

    def _make(self, name: str, pin: Pin | None) -> int:
        """Create a list, once."""
        if not self._spec.create_list:
            raise ConfigError(
                f"project {self._project} has no list {name!r}; create it there, or say "
                f"create_list=True. {_NOT_SEEN}"
            )
        if self._spec.dry_run:
            self._report.notes.append(f"a run would create the list {name!r}")
            return _NOT_THERE
        waits_s = _SETTLE_S if pin is None or pin.intent_s is None else pin.intent_s
        if waits_s < _SETTLE_S:
            raise RetryLater(
                f"it is not known yet whether the list {name!r} was created {waits_s:.0f} s ago",
                _SETTLE_S - waits_s,
            )
        self._state.lists.intend(name)
        number = read_patiently(lambda: self._create(name), rng=self._rng, sleep=self._sleep)
        if number is None:
            return self._look_again(name)
        if pin is not None and (twins := self._of_name(name, but_for=number)):
            raise self._several(name, [*twins, ContactList(number, name, is_static=True)])
        self._state.lists.pin(name, number, is_created=True)
        self._report.notes.append(f"created the list {name!r} ({number})")
        return number

    def _create(self, name: str) -> int | None:
        """Send the request; None where its outcome is unknown."""
        self._state.lease.may_post(self._client.deadline_s)
        try:
            return create_list(self._client, name)
        except OutcomeUnknown:
            return None

    def _look_again(self, name: str) -> int:
        for seconds in _LOOK_AGAIN_S:
            found = self._of_name(name)
            if len(found) > 1:
                raise self._several(name, found)
            for one in found:
                self._state.lists.pin(name, one.id, is_created=True)
                self._report.notes.append(
                    f"created the list {name!r} ({one.id}), whose answer was lost"
                )
                return one.id
            self._sleep(seconds)
        raise RetryLater(f"it is not known whether the list {name!r} was created", _SETTLE_S)

    def _of_name(self, name: str, *, but_for: int | None = None) -> list[ContactList]:
        return [one for one in self._read() if one.name == name and one.id != but_for]

    def _read(self) -> list[ContactList]:
        return read_patiently(lambda: read_lists(self._client), rng=self._rng, sleep=self._sleep)

    def _several(self, name: str, found: Sequence[ContactList]) -> ConfigError:
        ids = ", ".join(str(one.id) for one in sorted(found, key=lambda one: one.id))
        return ConfigError(
            f"project {self._project} has {len(found)} lists of the name {name!r}: {ids}; rename "
            "or delete all but one, or give list_id the id of the right one"
        )

    @property
    def _project(self) -> str:
        return self._client.project.name
