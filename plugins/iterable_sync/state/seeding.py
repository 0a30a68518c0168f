"""
Takes what a query says that Iterable holds for sent, before the first diff of a sync.

``seed_sql`` is staged as the model is: the same casts, identities and checks. Its rows become rows
of the snapshot, ``_origin = 'seeded'``. So what the model has as well is unchanged, and what it has
not is a removal, under the guards, which count seeded rows as live.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from iterable_sync.errors import ConfigError, DuplicateKeys
from iterable_sync.model import check_select
from iterable_sync.rows import WireType
from iterable_sync.state import marker
from iterable_sync.state.columns import understand
from iterable_sync.state.forgotten import erase_rows, hashes_of_project
from iterable_sync.state.stage import SKIP, stage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from iterable_sync.rows import Column, ProjectType
    from iterable_sync.spec import SyncSpec
    from iterable_sync.state.columns import Model
    from iterable_sync.state.dialects.base import Session, Source, StateEngine
    from iterable_sync.state.registry import Registered

SEED_IGNORED = (
    "seed_sql is not looked at: it is for the first run, and this sync has a snapshot of what "
    "Iterable has; leave it out"
)


@dataclass(frozen=True, slots=True)
class Seeded:
    """
    What a seed came to.

    Args:
        rows: taken for sent.

        left_out: reason -> rows that no key or nobody is known of.
    """

    rows: int
    left_out: Counter[str]

    @property
    def note(self) -> str:
        """What a person should know of it."""
        why = ", ".join(f"{reason} {rows}" for reason, rows in sorted(self.left_out.items()))
        return f"seed_sql: {self.rows} rows are taken for sent" + (
            f", {self.left_out.total()} are left out: {why}" if why else ""
        )


def is_first(engine: StateEngine, session: Session, registered: Registered) -> bool:
    """Say whether no run has written into the snapshot of a sync yet."""
    return marker.expected(engine, session, registered.sync_id) is None


def seed(
    engine: StateEngine,
    session: Session,
    source: Source,
    spec: SyncSpec,
    registered: Registered,
    project_type: ProjectType,
    *,
    snapshot: str,
    run_id: str,
    check: Callable[[Session], None] | None,
) -> Seeded:
    """
    Write what Iterable holds into an empty snapshot.

    Args:
        spec: as its model was understood, which has a *seed_sql*.

        snapshot: its quoted, qualified name.

        check: of the lease, in the transaction that writes; None in a dry run.

    Raises:
        ConfigError: the columns are not those of the model; those that are missing are NULL.

        DuplicateKeys: two rows share a key.
    """
    model = _understand(spec, source, engine, registered)
    columns = _placed(model, registered)
    shape = registered.shape
    try:
        staged = stage(
            engine,
            session,
            source,
            model,
            columns,
            project_type,
            shares_identity=shape.shares_identity,
            of_people=shape.of_people,
        )
    except DuplicateKeys as error:
        raise DuplicateKeys(f"seed_sql: {error}") from None
    left_out = Counter(staged.rejected)
    for reason, rows in session.rows(
        f"SELECT s._reject, count(*) FROM {staged.table} s WHERE NOT {_IS_TAKEN} GROUP BY 1"
    ):
        left_out[reason] += int(rows)
    quote = engine.dialect.quote
    values = {quote(c.name): f"s.{quote(c.name)}" for c in columns} | {"_identity": "s._identity"}
    taken = f"{staged.table} s WHERE {_IS_TAKEN}"
    with session.transaction():
        rows = write_seeded(
            engine, session, registered, values, taken, snapshot=snapshot, run_id=run_id
        )
        if check is not None:
            check(session)
    session.execute(f"DROP TABLE {staged.table}")
    return Seeded(rows, left_out)


# A row that waits for a value is held by Iterable all the same.
_IS_TAKEN = f"(s._reject IS NULL OR s._reject = '{SKIP}')"


def write_seeded(
    engine: StateEngine,
    session: Session,
    registered: Registered,
    values: Mapping[str, str],
    rows: str,
    *,
    snapshot: str,
    run_id: str,
) -> int:
    """
    Write rows into an empty snapshot as if they had been sent; call it in a transaction.

    Those of forgotten people are none of them.

    Args:
        values: quoted column -> expression, of the key, the identity and what else is known.

        rows: where they come from: table and condition.

        snapshot: its quoted, qualified name.

    Returns:
        The number of rows.
    """
    run = engine.dialect.literal(run_id)
    values = {
        **values,
        "_status": "'live'",
        "_mapping": str(registered.mapping_version),
        "_episode": "1",
        "_origin": "'seeded'",
        "_accepted_at": "now()",
        "_run": run,
    }
    seeded = session.execute(
        f"INSERT INTO {snapshot} ({', '.join(values)}) SELECT {', '.join(values.values())} "
        f"FROM {rows}"
    )
    if (forgotten := hashes_of_project(engine, session, registered)) is not None:
        seeded -= erase_rows(engine, session, registered, forgotten, snapshot=snapshot)
    if seeded and registered.sync_id:
        marker.remember(engine, session, registered.sync_id, run)
    return seeded


def _understand(
    spec: SyncSpec, source: Source, engine: StateEngine, registered: Registered
) -> Model:
    """Read the seed as a model that may lack all but key and identity."""
    sql = spec.seed_sql or ""
    # Nothing has to be there that a seed does not need, and what is declared of other columns goes.
    shape = replace(registered.shape, required=frozenset())
    try:
        names = {
            column.name.lower()
            for column in source.columns(check_select(sql, dialect=source.dialect).text)
        }
        fields = {name: of for name, of in spec.fields.items() if name.lower() in names}
        has_phone = any(of.type is WireType.PHONE for of in fields.values()) or (
            spec.identify_names and "phone_number" in names
        )
        changes = {
            "sql": sql,
            "fields": fields,
            "exclude": tuple(name for name in spec.exclude if name.lower() in names),
            "required": (),
            "newest_by": None,
            "phone_region": spec.phone_region if has_phone else None,
        }
        return understand(spec.model_copy(update=changes), source, engine.dialect, shape)
    except ConfigError as error:
        raise ConfigError(f"seed_sql: {error}") from None


def _placed(model: Model, registered: Registered) -> tuple[Column, ...]:
    """Give the columns of the sync that a seed has, in its order."""
    mine = {column.name.lower(): column for column in registered.columns}
    if unknown := [c.name for c in model.columns if c.name.lower() not in mine]:
        raise ConfigError(
            f"seed_sql has columns that the model does not have: {', '.join(unknown)}; it is to "
            "have the key, the identity, and others of the model's"
        )
    for column in model.columns:
        here = mine[column.name.lower()]
        if (column.state, column.scale) != (here.state, here.scale):
            raise ConfigError(
                f"seed_sql: column {column.name!r} is kept as {column.state.value}, and that of "
                f"the model as {here.state.value}; cast it to the type that the model's has"
            )
    return tuple(mine[column.name.lower()] for column in model.columns)
