"""Planned memberships that tests of the objects ``audiences`` and ``audience_events`` share."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa

from iterable_sync.rows import Column, ProjectType, Role, StateType, WireType
from iterable_sync.sync_object import MapContext, SyncObject

if TYPE_CHECKING:
    from collections.abc import Sequence

    from iterable_sync.payloads import PayloadBlock
    from iterable_sync.rows import Rejection

_TEXT = (StateType.TEXT, WireType.STRING)

COLUMNS = (
    Column("user_id", "userId", *_TEXT, 0, role=Role.USER_ID, is_key=True),
    Column("audience", "audience", *_TEXT, 1, role=Role.AUDIENCE, is_key=True),
    Column("email", "email", *_TEXT, 2, role=Role.EMAIL),
    Column("entered_at", "createdAt", StateType.TEXT, WireType.DATETIME, 3, role=Role.PURCHASED_AT),
    Column("score", "score", StateType.BIGINT, WireType.LONG, 4),
)


def row(who: str | None, audience: str | None, op: str = "added", **values: Any) -> dict[str, Any]:
    """Make a planned membership of ``userId:<who>``, or of an identity that has its prefix."""
    identity = who if who is None or ":" in who else f"userId:{who}"
    named = None if identity is None else identity.partition(":")[2]
    made = {"_identity": identity, "_op": op, "_episode": 1, "user_id": named}
    return made | {"audience": audience, "email": None, "entered_at": None, "score": None} | values


def frame(*rows: dict[str, Any]) -> pd.DataFrame:
    """Give rows as a chunk of the plan, ``_seq`` from 10 on."""
    names = ("_op", "_identity", "user_id", "audience", "email", "entered_at")
    columns = {name: pa.array([row[name] for row in rows], pa.string()) for name in names}
    columns["_seq"] = pa.array(range(10, 10 + len(rows)), pa.int64())
    columns["_episode"] = pa.array([row["_episode"] for row in rows], pa.int64())
    columns["score"] = pa.array([row["score"] for row in rows], pa.int64())
    columns["_mask"] = pa.array(["11111"] * len(rows), pa.string())
    return pa.table(columns).to_pandas(types_mapper=pd.ArrowDtype)


def mapped(
    sync_object: SyncObject,
    *rows: dict[str, Any],
    columns: Sequence[Column] = COLUMNS,
    project: ProjectType = ProjectType.HYBRID,
    **context: Any,
) -> tuple[PayloadBlock, list[Rejection]]:
    """Map rows."""
    told = MapContext(tuple(columns), project, project="1.us", sync="shop", **context)
    return sync_object.payloads(frame(*rows), told)  # type: ignore[return-value]


def bodies(block: PayloadBlock) -> list[dict[str, Any]]:
    """Give what is sent of each payload."""
    return [json.loads(payload.body) for payload in block]
