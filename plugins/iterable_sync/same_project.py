"""
Is this the project that the state is about? Asked once in a run, before anything is sent.

The project of a connection is declared, for a key does not say whose it is. So a key of another
project, a staging one for example, would send a difference computed against the wrong state. What
a project can be told by are the ids of its message channels: a read that every server-side key may
do, and ids that Iterable gives once.

Source:
    GET /api/channels, Swagger `ChannelsList`, documented; that no id is in two projects, assumed.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Protocol

from iterable_sync.errors import ConfigError
from iterable_sync.retrying import read_patiently
from iterable_sync.state.projects import Seen

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from iterable_sync.client import IterableClient

_SHOWN = 3
_LONGEST = 40


class _State(Protocol):
    """What knows the channels that projects had."""

    def recognise_project(self, channels: Collection[int]) -> Seen: ...


class _Report(Protocol):
    """What notes are taken in."""

    notes: list[str]


def check_project(
    client: IterableClient,
    state: _State,
    report: _Report,
    sleep: Callable[[float], None],
) -> None:
    """
    Compare the channels that the key can read with those that the project had.

    Where they cannot be read, or there are none, the report has a note and the run goes on.

    Raises:
        ConfigError: the key is of another project; nothing was sent.

        RetryLater: Iterable does not answer.
    """
    # Spreads waits; nothing secret hangs on it.
    rng = random.Random()  # noqa: S311
    try:
        channels = read_patiently(client.channels, rng=rng, sleep=sleep)
    except ConfigError as error:
        report.notes.append(f"not checked whether the key is of this project: {error}")
        return
    if not channels:
        report.notes.append(
            "not checked whether the key is of this project: it shows no message channel"
        )
        return
    name = client.project.name
    match state.recognise_project(channels):
        case Seen.NEW:
            report.notes.append(
                f"the first time that anything is sent to project {name}: its key reads the "
                f"message channels {_named(channels)}. If these are not of the project that you "
                "mean, stop: the connection has another project's key"
            )
        case Seen.ANOTHER:
            raise ConfigError(
                f"the key is of another project than the state of {name}: it reads the message "
                f"channels {_named(channels)}, and none of those that project {name} had. Nothing "
                "was sent. Put the key of the project into the connection, or the project_id of "
                "the key; if all channels of the project were replaced, delete its row in the "
                "table projects of the state"
            )


def _named(channels: dict[int, str]) -> str:
    """Name some channels; what people typed is cut, and printable."""
    some = sorted(channels.items())[:_SHOWN]
    names = ", ".join(f"{_printable(name)!r} ({number})" for number, name in some)
    more = len(channels) - len(some)
    return f"{names} and {more} more" if more else names


def _printable(name: str) -> str:
    clean = "".join(c if c.isprintable() else " " for c in name)
    return clean if len(clean) <= _LONGEST else f"{clean[:_LONGEST]}…"
