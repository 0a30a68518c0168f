"""Planned events that tests of the object ``events`` share."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pyarrow as pa

from iterable_sync.objects.events import OBJECT
from iterable_sync.rows import (
    Column,
    Payload,
    ProjectType,
    Rejection,
    Role,
    StateType,
    WireType,
)
from iterable_sync.sync_object import MapContext

S, W = StateType, WireType

AT = "2024-11-25 13:37:19+00:00"
AT_S = 1732541839

KINDS: dict[str, tuple[StateType, WireType, str, Role]] = {
    "order_id": (S.BIGINT, W.LONG, "orderId", Role.FIELD),
    "line": (S.TEXT, W.STRING, "line", Role.FIELD),
    "user_id": (S.TEXT, W.STRING, "userId", Role.USER_ID),
    "email": (S.TEXT, W.STRING, "email", Role.EMAIL),
    "event_name": (S.TEXT, W.STRING, "eventName", Role.EVENT_NAME),
    "happened_at": (S.TEXT, W.DATETIME, "createdAt", Role.CREATED_AT),
    "campaign_id": (S.BIGINT, W.LONG, "campaignId", Role.CAMPAIGN_ID),
    "template_id": (S.BIGINT, W.LONG, "templateId", Role.TEMPLATE_ID),
    "total": (S.DECIMAL, W.DOUBLE, "total", Role.FIELD),
    "score": (S.DOUBLE, W.DOUBLE, "score", Role.FIELD),
    "gift": (S.BOOLEAN, W.BOOLEAN, "gift", Role.FIELD),
    "seen": (S.TEXT, W.DATETIME, "seen", Role.FIELD),
    "items": (S.TEXT, W.JSON, "items", Role.FIELD),
    "address__city": (S.TEXT, W.STRING, "address.city", Role.FIELD),
}
COLUMNS = tuple(
    Column(
        name,
        field,
        state,
        wire,
        place,
        scale=2,
        role=role,
        is_key=name in {"order_id", "line"},
    )
    for place, (name, (state, wire, field, role)) in enumerate(KINDS.items())
)
ARROW = {
    S.TEXT: pa.string(),
    S.BIGINT: pa.int64(),
    S.DOUBLE: pa.float64(),
    S.BOOLEAN: pa.bool_(),
    S.DECIMAL: pa.decimal128(38, 2),
}


def row(identity: str | None = "userId:U1", **values: Any) -> dict[str, Any]:
    """Make a planned event that has all that it needs."""
    needed = {"order_id": 1, "line": "a", "event_name": "Bought", "happened_at": AT}
    return {"_identity": identity} | needed | values


def frame(*rows: dict[str, Any], seq: int = 1) -> pd.DataFrame:
    arrays = {
        "_seq": pa.array(range(seq, seq + len(rows)), pa.int64()),
        "_op": pa.array(["added"] * len(rows), pa.string()),
        # An event is whole: what the mask says is not looked at.
        "_mask": pa.array(["0" * len(KINDS)] * len(rows), pa.string()),
        "_identity": pa.array([r["_identity"] for r in rows], pa.string()),
    }
    arrays |= {
        name: pa.array([r.get(name) for r in rows], ARROW[kind[0]]) for name, kind in KINDS.items()
    }
    return pa.table(arrays).to_pandas(types_mapper=pd.ArrowDtype)


def context(project: ProjectType = ProjectType.USER_ID, **more: Any) -> MapContext:
    return MapContext(COLUMNS, project, project="12345.us", sync="shop", **more)


def mapped(
    *rows: dict[str, Any], project: ProjectType = ProjectType.USER_ID, **more: Any
) -> tuple[list[Payload], list[Rejection]]:
    payloads, rejections = OBJECT.payloads(frame(*rows), context(project, **more))
    return list(payloads), rejections
