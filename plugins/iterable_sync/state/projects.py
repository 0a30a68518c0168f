"""Which project of Iterable the state of a project belongs to, by the channels that it has."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from iterable_sync.state.dialects.base import Session, StateEngine


class Seen(StrEnum):
    """What the channels say about a project."""

    NEW = "new"
    SAME = "same"
    ANOTHER = "another"


def recognise(
    engine: StateEngine, session: Session, project: str, channels: Collection[int]
) -> Seen:
    """
    Compare the channels of a project with those that it had, and remember them.

    It is the same as long as one of them is still there; a project gets and loses channels.

    Args:
        project: e.g. ``12345.us``.

        channels: their ids; not empty.
    """
    projects = engine.table("projects")
    ids = json.dumps(sorted(channels))
    known = _known(session, projects, project)
    if known is None:
        is_new = session.execute(
            f"INSERT INTO {projects} (project, channels, first_seen) VALUES (?, ?, now()) "
            "ON CONFLICT (project) DO NOTHING",
            (project, ids),
        )
        if is_new == 1:
            return Seen.NEW
        # Of two first runs at a time, the other one was faster.
        known = _known(session, projects, project) or "[]"
    if not set(json.loads(known)) & set(channels):
        return Seen.ANOTHER
    if known != ids:
        session.execute(
            f"UPDATE {projects} SET channels = ? WHERE project = ?",
            (ids, project),
        )
    return Seen.SAME


def _known(session: Session, projects: str, project: str) -> str | None:
    rows = session.rows(f"SELECT channels FROM {projects} WHERE project = ?", (project,))
    return rows[0][0] if rows else None
