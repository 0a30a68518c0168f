"""Takes who is in a list of Iterable already for sent, before the first diff of a sync."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from iterable_sync.errors import ConfigError
from iterable_sync.identity import identity_sql
from iterable_sync.rows import Column, ProjectType, Role, StateType, WireType
from iterable_sync.state.dialects.base import arrow_schema
from iterable_sync.state.seeding import write_seeded

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import pyarrow as pa

    from iterable_sync.state.dialects.base import Session, StateEngine
    from iterable_sync.state.registry import Registered

_TABLE = "_members"
_CHUNK = 50_000
_IDENTIFYING = {
    ProjectType.EMAIL: Role.EMAIL,
    ProjectType.USER_ID: Role.USER_ID,
    ProjectType.HYBRID: Role.USER_ID,
}
_MEMBER = Column("member", "", StateType.TEXT, WireType.STRING, 0)


def check_adoptable(columns: Sequence[Column], project_type: ProjectType) -> None:
    """
    Check that a key is what Iterable names the members of a list by.

    Raises:
        ConfigError: it is not, so nobody knows which row a member is.
    """
    wanted = _IDENTIFYING[project_type]
    if [c.role for c in columns if c.is_key] != [wanted]:
        keys = ", ".join(c.name for c in columns if c.is_key)
        raise ConfigError(
            f"adopt_list: in this project Iterable names the members of a list by their "
            f"{wanted.value}, and the key is {keys}; let the key be that column alone"
        )


def seed_members(
    engine: StateEngine,
    session: Session,
    registered: Registered,
    members: Iterable[str],
    project_type: ProjectType,
    *,
    snapshot: str,
    run_id: str,
) -> int:
    """
    Write members into an empty snapshot; call it in a transaction. Memory stays flat.

    Args:
        snapshot: its quoted, qualified name.

    Returns:
        Their number.
    """
    check_adoptable(registered.columns, project_type)
    table, quote = f"{engine.temporary}{_TABLE}", engine.dialect.quote
    session.execute(f"DROP TABLE IF EXISTS {table}")
    session.execute(f"CREATE TEMP TABLE {table} (member {engine.dialect.ddl_type(_MEMBER)})")
    session.load(table, arrow_schema([_MEMBER]), _batches(iter(members)))
    by_email = project_type is ProjectType.EMAIL
    identity = identity_sql(
        "m.member" if by_email else None, None if by_email else "m.member", project_type
    )
    (key,) = (c for c in registered.columns if c.is_key)
    seeded = write_seeded(
        engine,
        session,
        registered,
        {quote(key.name): "m.member", "_identity": identity},
        f"(SELECT DISTINCT member FROM {table}) AS m WHERE {identity} IS NOT NULL",
        snapshot=snapshot,
        run_id=run_id,
    )
    session.execute(f"DROP TABLE {table}")
    return seeded


def _batches(members: Iterator[str]) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    schema = arrow_schema([_MEMBER])
    while chunk := list(islice(members, _CHUNK)):
        yield pa.RecordBatch.from_arrays([pa.array(chunk, pa.string())], schema=schema)
