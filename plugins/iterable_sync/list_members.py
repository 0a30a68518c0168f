"""
What Iterable has in a list beside what a sync put there: adopted before the first run, and counted.

Source:
    GET /api/lists/getUsers and /api/lists/{listId}/size, Swagger, documented: together 5 requests
    a minute and project.
"""

from __future__ import annotations

import logging
import random
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from iterable_sync.contact_lists import copy_members, read_members, read_size
from iterable_sync.errors import ConfigError, IterableSyncError
from iterable_sync.identity import is_email
from iterable_sync.list_ids import find_list
from iterable_sync.retrying import read_patiently
from iterable_sync.rows import ProjectType
from iterable_sync.same_project import check_project

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from iterable_sync.client import IterableClient
    from iterable_sync.rows import RunReport
    from iterable_sync.spec import SyncSpec
    from iterable_sync.state import SyncState
    from iterable_sync.state.lists import Membership

log = logging.getLogger(__name__)

# Of five requests a minute; others want to read as well.
_SIZES_OF_A_RUN = 3
_SHOWN = 10


@contextmanager
def adopting(
    spec: SyncSpec,
    client: IterableClient,
    state: SyncState,
    report: RunReport,
    sleep: Callable[[float], None],
) -> Iterator[None]:
    """
    Let a sync that has sent nothing take those in its list for sent, where it is declared so.

    They are on disk meanwhile, in a file without a name, and never all in memory.

    Raises:
        ConfigError, RetryLater: as :func:`iterable_sync.list_ids.find_lists`.
    """
    if not spec.adopt_list or not state.is_new():
        yield
        return
    if spec.list_id is None and spec.list_name is None:
        raise ConfigError("adopt_list is for one list, with list_name or list_id")
    if spec.seed_sql is not None:
        raise ConfigError("adopt_list and seed_sql both say what Iterable holds; leave one out")
    if not spec.dry_run:
        check_project(client, state, report, sleep)
    number = find_list(spec, client, state, report, sleep)
    if number is None:
        yield
        return
    # Spreads waits; nothing secret hangs on it.
    rng = random.Random()  # noqa: S311
    with tempfile.TemporaryFile() as file:
        read_patiently(lambda: copy_members(client, number, file), rng=rng, sleep=sleep)
        members = read_members(file)
        if client.project.type is ProjectType.HYBRID:
            members = _with_user_id(members, report)
        state.adopted = members
        yield
        report.notes.append(f"took {state.seeded} members of the list {number} for sent")


def _with_user_id(members: Iterator[str], report: RunReport) -> Iterator[str]:
    left_out = 0
    for member in members:
        if is_email(member):
            left_out += 1
        else:
            yield member
    if left_out:
        report.notes.append(
            f"{left_out} members of the list have an e-mail and no userId; they stay in it"
        )


def compare_sizes(
    client: IterableClient,
    spec: SyncSpec,
    state: SyncState,
    report: RunReport,
) -> None:
    """
    Note in a report where a list of Iterable has more or fewer people than the sync put there.

    Of many lists the three that were compared longest ago. It is no failure, nor is it one that
    Iterable does not answer: who was accepted may show a minute later, and others subscribe people
    as well.
    """
    by_name = state.memberships()
    pins = state.lists.known()
    number_of = {name: pin.list_id for name, pin in pins.items()}
    lists: list[tuple[str | None, int]]
    if spec.list_id is not None:
        lists = [(None, spec.list_id)] if by_name else []
    else:
        ours = {name or spec.list_name for name in by_name}
        lists = [(name, number) for name, number in number_of.items() if name in ours and number]
    for name, number in lists[:_SIZES_OF_A_RUN]:
        try:
            found = read_difference(client, name, number, by_name.get(name) or by_name[None])
        except IterableSyncError as error:
            log.info("the size of a list was not read: %s", error)
            continue
        if found.people:
            report.notes.append(found.note)
    state.lists.compared([name for name, _ in lists[:_SIZES_OF_A_RUN] if name is not None])
    if left := [str(number) for _, number in lists[_SIZES_OF_A_RUN:]]:
        more = f" and {len(left) - _SHOWN} more" if len(left) > _SHOWN else ""
        report.notes.append(
            f"{len(left)} lists were not compared with Iterable in this run, which allows few "
            f"such requests; next time: {', '.join(left[:_SHOWN])}{more}"
        )


@dataclass(frozen=True, slots=True)
class Difference:
    """
    A list of Iterable against what a sync put there.

    Args:
        people: how many more Iterable has, or fewer; 0 where those in flight may be it.

        note: says so, and what to do.
    """

    people: int
    note: str


def read_difference(
    client: IterableClient, name: str | None, number: int, membership: Membership
) -> Difference:
    """
    Compare the size of one list; raises as :func:`iterable_sync.contact_lists.read_size`.

    Args:
        name: None where the sync knows the list by its id.
    """
    size = read_size(client, number)
    more = size - membership.people
    is_in_flight = abs(more) <= membership.in_flight
    return Difference(0 if is_in_flight else more, _words(name, number, size, membership))


def _words(name: str | None, number: int, size: int, membership: Membership) -> str:
    named = f"the list {name!r} ({number})" if name else f"the list {number}"
    return (
        f"{named} has {size} people in Iterable, and {membership.people} by this sync. Iterable "
        "applies later what it accepts, and others may change its lists; if it stays so, run with "
        "full_resync=True for who is missing"
    )
