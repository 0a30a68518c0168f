"""
Did the items arrive? A sample of what earlier runs sent is read back when a run begins.

Iterable says that it took a request, and nothing of its items; it applies them later, and what it
drops nobody hears of. So some items of the latest run that is long enough ago are read, and what
they do not show is doubted: the run that begins sends it again. A sample proves nothing of the
others; where it finds something, its share is an estimate of theirs.

Source:
    Swagger: writes of items are asynchronous (202), documented; a known sender has seen it take 20
    minutes until they show.
"""

from __future__ import annotations

import logging
import random
from functools import partial
from typing import TYPE_CHECKING, Any

import orjson

from iterable_sync.catalogs import read_item
from iterable_sync.comparing import compare
from iterable_sync.errors import IterableSyncError
from iterable_sync.names import sent_fields
from iterable_sync.outcomes import covering
from iterable_sync.retrying import read_patiently
from iterable_sync.sync_object import map_context

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    import pandas as pd

    from iterable_sync.client import IterableClient
    from iterable_sync.rows import RunReport
    from iterable_sync.spec import SyncSpec
    from iterable_sync.state import SyncState
    from iterable_sync.sync_object import SyncObject

log = logging.getLogger(__name__)

SETTLE_S = 1_800.0
"""What was accepted so long ago has to show."""


def read_back(
    spec: SyncSpec,
    sync_object: SyncObject,
    client: IterableClient,
    state: SyncState,
    report: RunReport,
    should_stop: Callable[[], bool],
    sleep: Callable[[float], None],
) -> None:
    """
    Read a sample of the items of the latest run that has settled, and doubt what they do not show.

    A note of the report says what was found. Where Iterable does not answer nothing is doubted, and
    the run goes on.

    Raises:
        LeaseLost: another run took over.
    """
    if not spec.read_back_sample:
        return
    frame = state.draw_latest(rows=spec.read_back_sample, settle_s=SETTLE_S)
    if frame is None or frame.empty:
        return
    fields = sent_fields(column for column in state.columns if not column.is_key)
    found: dict[str, Collection[str] | None] = {}
    read = 0
    # Spreads waits; nothing secret hangs on it.
    rng = random.Random()  # noqa: S311
    try:
        for key, name, sent in _sent(spec, sync_object, client, state, frame, fields):
            if should_stop():
                break
            read_one = partial(read_item, client, str(spec.catalog), name)
            shown = read_patiently(read_one, rng=rng, sleep=sleep)
            read += 1
            if shown is None:
                found[key] = None
            elif differing := compare(sent, shown):
                found[key] = _columns_of(differing, fields)
    except IterableSyncError as error:
        log.info("%s: items are not read back any further: %s", spec.sync, error)
    missing = sum(names is None for names in found.values())
    if found:
        state.doubt(found)
        report.notes.append(
            f"of {read} items that an earlier run sent, {missing} are not in the catalog "
            f"{spec.catalog!r} and {len(found) - missing} differ there; they are sent again. Were "
            "it many, run once with full_resync=True"
        )
    log.info("%s: read %d items back, %d are not as sent", spec.sync, read, len(found))


def _sent(
    spec: SyncSpec,
    sync_object: SyncObject,
    client: IterableClient,
    state: SyncState,
    frame: pd.DataFrame,
    fields: Iterable[str],
) -> Iterator[tuple[str, str, Any]]:
    """Give key, id and value of the rows of a sample as they were sent."""
    context = map_context(
        spec,
        state.columns,
        client.project,
        # Of each field, so that what was cleared is looked at as well.
        known_types=dict.fromkeys(fields, ""),
        list_ids={},
        at_s=0,
    )
    keys = dict(zip(frame["_seq"].tolist(), frame["_key"].tolist(), strict=True))
    for payload in sync_object.payloads(frame, context)[0]:
        ((name, value),) = orjson.loads(b"{%b}" % payload.body).items()
        yield keys[payload.seq], name, value


def _columns_of(differing: Iterable[str], fields: Mapping[str, str]) -> set[str]:
    """Give the columns that become fields of which Iterable shows something else."""
    return {fields[own] for name in differing for own in covering(fields, name)}
