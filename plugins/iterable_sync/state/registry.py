"""Which syncs there are: their names, keys, fields and mapping versions."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from iterable_sync.errors import ConfigError
from iterable_sync.rows import Column, Role
from iterable_sync.state.field_versions import (
    FieldVersion,
    fields_from_json,
    fields_to_json,
    names_before,
    same_meaning,
    same_storage,
)
from iterable_sync.sync_object import PLAIN, Shape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from iterable_sync.rows import Project
    from iterable_sync.state.dialects.base import Session, StateEngine


_NAMES_SOMEBODY = frozenset({Role.EMAIL, Role.USER_ID, Role.OLD, Role.NEW})


@dataclass(frozen=True, slots=True)
class Registered:
    """A sync as state knows it; *shape* is what its object declares now, *project* whose it is."""

    sync_id: int
    snapshot_table: str
    fields: tuple[FieldVersion, ...]
    mapping_version: int
    key_columns: tuple[str, ...]
    object: str
    sql_hash: str
    as_of: str | None = None
    new_columns: tuple[Column, ...] = field(default=())
    dropped_columns: tuple[str, ...] = field(default=())
    shape: Shape = PLAIN
    project: Project | None = None

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns that are mapped now, key first."""
        live = [f.column for f in self.fields if not f.dropped]
        return tuple(sorted(live, key=lambda c: (not c.is_key, c.position)))

    @property
    def is_append_only(self) -> bool:
        """Whether rows happen once: only those have a time of their own."""
        return any(c.role is Role.CREATED_AT for c in self.columns)

    @property
    def is_final(self) -> bool:
        """Whether rows are requests about people: of those that are done the key stays alone."""
        return any(c.role in (Role.ACTION, Role.OLD) for c in self.columns)

    @property
    def is_of_people(self) -> bool:
        """Whether a column says who a row is about; a key of an item may read like a userId."""
        return any(c.role in _NAMES_SOMEBODY for c in self.columns)

    @property
    def time(self) -> Column:
        """The column with the time of append-only rows."""
        return next(c for c in self.columns if c.role is Role.CREATED_AT)

    @property
    def remembered(self) -> tuple[Column, ...]:
        """The columns whose values the snapshot has."""
        return tuple(c for c in self.columns if c.is_key or not self.is_append_only)

    @property
    def width(self) -> int:
        """The length of a mask."""
        return len(self.fields)

    @property
    def full_mask(self) -> str:
        """The mask of a row that sends every column that is mapped now."""
        return "".join("0" if f.dropped else "1" for f in self.fields)

    def version_of(self, column: Column) -> int:
        """Give the mapping version that a column is at."""
        return self.fields[column.position].version


def lock(engine: StateEngine, session: Session) -> None:
    """Let no other sync register until the transaction ends; readers go on."""
    if engine.dialect.name == "postgres":
        session.execute(f"LOCK TABLE {engine.table('syncs')} IN SHARE ROW EXCLUSIVE MODE")


def find(engine: StateEngine, session: Session, project: str, sync: str) -> Registered | None:
    """Give a sync as it was last registered, or None."""
    if not engine.columns_of(session, "syncs"):
        return None
    found = session.rows(
        "SELECT sync_id, snapshot_table, fields, mapping_version, key_columns, object, sql_hash, "
        f"CAST(as_of AS text) FROM {engine.table('syncs')} WHERE project = ? AND sync = ?",
        (project, sync),
    )
    if not found:
        return None
    sync_id, table, fields, version, keys, object_name, sql_hash, as_of = found[0]
    return Registered(
        sync_id=sync_id,
        snapshot_table=table,
        fields=fields_from_json(fields),
        mapping_version=version,
        key_columns=tuple(json.loads(keys)),
        object=object_name,
        sql_hash=sql_hash,
        as_of=as_of,
    )


def the_sync(engine: StateEngine, session: Session, project: str, sync: str) -> int:
    """
    Give the number of a sync that has run.

    Raises:
        ConfigError: there is none; names those that there are.
    """
    known = (
        session.rows(
            f"SELECT sync, sync_id FROM {engine.table('syncs')} WHERE project = ? ORDER BY sync",
            (project,),
        )
        if engine.columns_of(session, "syncs")
        else []
    )
    for name, sync_id in known:
        if name == sync:
            return int(sync_id)
    names = ", ".join(repr(name) for name, _ in known) or "none"
    raise ConfigError(f"no sync {sync!r} of project {project} has run; known here: {names}")


def reconcile(
    known: Registered | None,
    columns: Sequence[Column],
    *,
    sync: str,
    project: str,
    object_name: str,
    sql: str,
    new_is_null: bool = False,
) -> Registered:
    """
    Give every column its place in the masks and its mapping version; nothing is written.

    A new column, or one whose field or type changed, gets the next version: rows that were
    accepted under an older one send just that field again.

    Args:
        new_is_null: a column that never was is NULL for all rows that Iterable has: of those, only
            the ones with a value send it.

    Raises:
        ConfigError: the name belongs to a sync with another object or key, or columns changed
            under an unchanged SQL text.
    """
    sql_hash = hashlib.sha256(sql.encode()).hexdigest()
    keys = tuple(c.name for c in columns if c.is_key)
    if known is None:
        fields = tuple(
            FieldVersion(replace(c, position=i), version=1) for i, c in enumerate(columns)
        )
        return Registered(
            sync_id=0,
            snapshot_table=_table_name(project, sync),
            fields=fields,
            mapping_version=1,
            key_columns=keys,
            object=object_name,
            sql_hash=sql_hash,
            new_columns=tuple(f.column for f in fields),
        )
    if (known.object, known.key_columns) != (object_name, keys):
        raise ConfigError(
            f"sync {sync!r} is registered for {known.object} with key "
            f"{', '.join(known.key_columns)}, now it is {object_name} with key {', '.join(keys)}; "
            "give the new sync a name of its own"
        )
    return _merge(known, columns, sync=sync, sql_hash=sql_hash, new_is_null=new_is_null)


def _merge(
    known: Registered, columns: Sequence[Column], *, sync: str, sql_hash: str, new_is_null: bool
) -> Registered:
    fields = list(known.fields)
    live = {f.column.name: f for f in fields if not f.dropped}
    version = known.mapping_version + 1
    added: list[Column] = []
    dropped: list[str] = []
    changed = False
    for column in columns:
        old = live.pop(column.name, None)
        if old is not None and same_storage(old.column, column):
            here = replace(column, position=old.column.position)
            is_same = same_meaning(old.column, here)
            fields[here.position] = FieldVersion(
                here, old.version if is_same else version, was=names_before(old, here)
            )
            changed |= not is_same
            continue
        if old is not None:
            if old.column.is_key:
                raise ConfigError(
                    f"sync {sync!r}: key column {column.name!r} was {old.column.state.value}, now "
                    f"it is {column.state.value}; cast it to what it was, or give the sync a new "
                    "name"
                )
            fields[old.column.position] = replace(old, dropped=True)
            dropped.append(column.name)
        here = replace(column, position=len(fields))
        if old is None:
            fields.append(FieldVersion(here, 1 if new_is_null else version))
        else:
            fields.append(FieldVersion(here, version, was=names_before(old, here)))
        added.append(here)
    for name, gone in live.items():
        fields[gone.column.position] = replace(gone, dropped=True)
        dropped.append(name)
    if (added or dropped) and sql_hash == known.sql_hash:
        names = sorted({c.name for c in added} | set(dropped))
        raise ConfigError(
            f"sync {sync!r}: columns changed under an unchanged SQL text: {', '.join(names)}. "
            "The warehouse drifted: cast the columns in the SQL to what they were, or change the "
            "SQL (a comment is enough) to accept them and send just these fields again"
        )
    return replace(
        known,
        fields=tuple(fields),
        mapping_version=version if added or changed else known.mapping_version,
        sql_hash=sql_hash,
        new_columns=tuple(added),
        dropped_columns=tuple(dropped),
    )


def check_owners(
    engine: StateEngine, session: Session, registered: Registered, *, project: str, sync: str
) -> None:
    """
    Refuse a field that another sync of the project maps, of the same thing (``Shape.fields_of``).

    Rows that are things of their own, as events are, own nothing.

    Raises:
        ConfigError: names the first owner.
    """
    fields_of = registered.shape.fields_of
    if fields_of is None:
        return
    mine = {c.field: c.name for c in registered.columns if c.role is Role.FIELD and not c.is_key}
    others = session.rows(
        f"SELECT sync, fields FROM {engine.table('syncs')} "
        "WHERE project = ? AND fields_of = ? AND sync <> ? ORDER BY sync_id",
        (project, fields_of, sync),
    )
    for other, fields in others:
        owned = {
            f.column.field
            for f in fields_from_json(fields)
            if not f.dropped and f.column.role is Role.FIELD and not f.column.is_key
        }
        if both := sorted(owned & set(mine)):
            raise ConfigError(
                f"sync {sync!r} maps {', '.join(both)}, owned by sync {other!r} in project "
                f"{project}; one field has one owner: exclude it here or there"
            )


def save(
    engine: StateEngine,
    session: Session,
    registered: Registered,
    *,
    project: str,
    sync: str,
    known: Registered | None = None,
) -> Registered:
    """
    Write the registration and bring the snapshot table to its columns; in a transaction.

    Args:
        known: the registration that there is; one that stays as it is is not written.
    """
    dialect = engine.dialect
    snapshot = engine.table(registered.snapshot_table)
    fields = fields_to_json(registered.fields)
    if registered.sync_id == 0:
        syncs = engine.table("syncs")
        number = session.rows(f"SELECT COALESCE(max(sync_id), 0) + 1 FROM {syncs}")[0][0]
        session.execute(
            f"INSERT INTO {syncs} (sync_id, project, sync, object, fields_of, key_columns, fields, "
            "mapping_version, sql_hash, snapshot_table, created_at) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, now())",
            (
                number,
                project,
                sync,
                registered.object,
                registered.shape.fields_of,
                json.dumps(registered.key_columns),
                fields,
                registered.mapping_version,
                registered.sql_hash,
                registered.snapshot_table,
            ),
        )
        create_snapshot(engine, session, registered)
        return replace(registered, sync_id=number, new_columns=(), dropped_columns=())
    # Those of an append-only sync are its key, which never changes.
    is_whole = not registered.is_append_only
    for name in registered.dropped_columns if is_whole else ():
        session.execute(f"ALTER TABLE {snapshot} DROP COLUMN {dialect.quote(name)}")
    for column in registered.new_columns if is_whole else ():
        session.execute(
            f"ALTER TABLE {snapshot} ADD COLUMN {dialect.quote(column.name)} "
            f"{dialect.ddl_type(column)}"
        )
    if known is None or _saved(known) != _saved(registered):
        session.execute(
            f"UPDATE {engine.table('syncs')} SET fields = ?, mapping_version = ?, sql_hash = ? "
            "WHERE sync_id = ?",
            (fields, registered.mapping_version, registered.sql_hash, registered.sync_id),
        )
    return replace(registered, new_columns=(), dropped_columns=())


def _saved(registered: Registered) -> tuple[object, ...]:
    return registered.fields, registered.mapping_version, registered.sql_hash


def create_snapshot(engine: StateEngine, session: Session, registered: Registered) -> None:
    """Make an empty snapshot."""
    snapshot, dialect = engine.table(registered.snapshot_table), engine.dialect
    session.execute(f"CREATE TABLE {snapshot} ({snapshot_ddl(engine, registered)})")
    if dialect.name == "postgres":
        keys = ", ".join(dialect.quote(k) for k in registered.key_columns)
        session.execute(f"ALTER TABLE {snapshot} ADD PRIMARY KEY ({keys})")


def snapshot_ddl(engine: StateEngine, registered: Registered) -> str:
    """Give the columns of a snapshot table."""
    dialect = engine.dialect
    own = [f"{dialect.quote(c.name)} {dialect.ddl_type(c)}" for c in registered.remembered]
    more = _APPEND_ONLY_BOOKKEEPING if registered.is_append_only else ()
    return ", ".join([*own, *(f"{name} {kind}" for name, kind in SNAPSHOT_BOOKKEEPING + more)])


SNAPSHOT_BOOKKEEPING = (
    ("_identity", "text"),
    ("_status", "text"),
    ("_dirty", "text"),
    ("_mapping", "integer"),
    ("_episode", "integer"),
    ("_origin", "text"),
    ("_accepted_at", "timestamptz"),
    ("_run", "text"),
)
# When it happened, and since when it is in doubt.
_APPEND_ONLY_BOOKKEEPING = (("_event_at", "text"), ("_doubted_at", "timestamptz"))


def _table_name(project: str, sync: str) -> str:
    # Readable, and distinct for distinct (project, sync) within 63 bytes.
    readable = re.sub(r"[^a-z0-9]+", "_", sync.lower()).strip("_")[:36]
    digest = hashlib.sha256(f"{project}\0{sync}".encode()).hexdigest()[:8]
    return f"snapshot_{readable}_{digest}"
