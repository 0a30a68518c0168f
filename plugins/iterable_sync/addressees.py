"""Whom the rows of a chunk are about, in columns: the rule of :mod:`.identity`, checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iterable_sync.fields import flags, where
from iterable_sync.identity import (
    EMAIL_PREFIX,
    USER_ID_PREFIX,
    IdentityReason,
    are_emails,
    are_user_ids,
    fold_emails,
    usable_user_ids,
)
from iterable_sync.rows import ProjectType, Role
from iterable_sync.values import escape

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa

    from iterable_sync.fields import Chunk
    from iterable_sync.payloads import Flags
    from iterable_sync.rows import Column

_IDENTIFYING = {ProjectType.EMAIL: Role.EMAIL, ProjectType.USER_ID: Role.USER_ID}


def addressees(
    chunk: Chunk, by_email: Flags, project_type: ProjectType
) -> tuple[pa.Array, dict[int, str]]:
    """
    Give the e-mail or userId that identifies each row, and why some rows have none.

    Args:
        by_email: which rows are identified by an e-mail.
    """
    import numpy as np
    import pyarrow.compute as pc

    by_user_id = flags(pc.starts_with(chunk.identity, USER_ID_PREFIX))
    usable = {
        ProjectType.EMAIL: by_email,
        ProjectType.USER_ID: by_user_id,
        ProjectType.HYBRID: by_email | by_user_id,
    }[project_type]
    emails = pc.utf8_slice_codeunits(where(by_email, chunk.identity), len(EMAIL_PREFIX))
    user_ids = pc.utf8_slice_codeunits(where(by_user_id, chunk.identity), len(USER_ID_PREFIX))
    refused: dict[int, str] = {}
    for wrong, reason in (
        (~usable, IdentityReason.MISSING),
        (by_email & ~flags(are_emails(emails)), IdentityReason.EMAIL),
        (by_user_id & ~flags(are_user_ids(user_ids)), IdentityReason.USER_ID),
    ):
        for row in np.flatnonzero(wrong).tolist():
            refused.setdefault(row, reason)
    return pc.coalesce(emails, user_ids), refused


def opened(who: pa.Array, by_email: Flags) -> tuple[pa.Array, pa.Array]:
    """Give the beginning of a JSON object that names the person of each row, up to the name."""
    import pyarrow as pa
    import pyarrow.compute as pc

    large = pa.large_string()
    email, user_id = pa.scalar('{"email":"', large), pa.scalar('{"userId":"', large)
    return pc.if_else(pa.array(by_email), email, user_id), escape(who, {})


def identifiers(
    chunk: Chunk, who: pa.Array, columns: Iterable[Column], project_type: ProjectType
) -> list[pa.Array]:
    """Collect the names by which an answer may mean a row, whether they are sent or not."""
    # What identifies every row of a project is in `who` already.
    others = {Role.EMAIL: fold_emails, Role.USER_ID: usable_user_ids}
    others.pop(_IDENTIFYING.get(project_type, Role.FIELD), None)
    by_role = {column.role: column for column in columns}
    return [
        who,
        *(
            texts(chunk.text(column.name))
            for role, texts in others.items()
            if (column := by_role.get(role)) is not None
        ),
    ]
