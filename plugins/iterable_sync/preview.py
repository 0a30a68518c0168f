"""
What a sync would send for a few rows, to the byte, with no network and no state.

The rows are staged in memory and go the way of a first run: the same stage, plan, mapping, batches
and order of requests. Only the answers are missing, so everything is taken for accepted; what
depends on Iterable is said in the notes.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from iterable_sync import objects
from iterable_sync.addresses import HOSTS
from iterable_sync.catalog_fields import wanted_types
from iterable_sync.errors import ConfigError
from iterable_sync.estimate import map_rows
from iterable_sync.reasons import reason_of
from iterable_sync.rehearsal import Request, rehearse
from iterable_sync.rows import BESIDE, Project, ProjectType
from iterable_sync.state import SyncState, plans
from iterable_sync.state.dialects.duckdb_memory import in_memory
from iterable_sync.state.window import asked, since_only
from iterable_sync.sync_object import completed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from iterable_sync.spec import SyncSpec
    from iterable_sync.state import Source
    from iterable_sync.state.columns import Model
    from iterable_sync.state.plans import Plan
    from iterable_sync.state.stage import Staged
    from iterable_sync.sync_object import SyncObject

MOST_ROWS = 1_000
"""So many rows a preview shows at most."""

_PROJECT = "preview"
# Those cost a sort of the whole model.
_WITHOUT_LIMIT = frozenset({"tsql"})
_WITH_IDS = frozenset({"events", "commerce"})


@dataclass(frozen=True, slots=True)
class Refused:
    """
    A row, or one field of it, that would not be sent.

    Args:
        key: as the state has it: the key itself, a JSON list where it has several columns; None
            where a part of it is NULL.

        field: dotted; None where it is the row.

        reason: see :mod:`iterable_sync.reasons`.
    """

    key: str | None = field(repr=False)
    field: str | None
    reason: str

    @property
    def words(self) -> str:
        """What the reason means."""
        return reason_of(self.reason).words


@dataclass(slots=True)
class Preview:
    """
    What a first run would do with a few rows.

    Args:
        rows: how many were looked at, in keys after folding.

        requests: in the order in which they would be made.

        notes: what is not known without Iterable and without the other rows.
    """

    rows: int
    requests: list[Request] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def preview(
    spec: SyncSpec,
    *,
    source: Source,
    project_type: ProjectType,
    project_id: str | None = None,
    region: str = "us",
    rows: int = 5,
) -> Preview:
    """
    Give the requests that a first run would make for the first rows of a model.

    Nothing is sent, and no state is read or written. Lines of one order or cart,
    and memberships of one person, stay together.

    Args:
        project_id: of it and of ``spec.sync`` the ids of events and purchases are made.

        rows: so many at most, in keys after folding; of memberships, and of what people say to
            groups, so many people.

    Raises:
        ConfigError, SyncAborted, RetryLater: as those of a run before it sends anything.
    """
    if not 1 <= rows <= MOST_ROWS:
        raise ConfigError(f"rows={rows}: a preview shows 1 to {MOST_ROWS} rows")
    if region not in HOSTS:
        raise ConfigError(f"region={region!r}: Iterable has {', '.join(HOSTS)}")
    sync_object = objects.get(spec.object)
    spec = completed(spec, sync_object)
    if spec.derive_from is not None:
        raise ConfigError(
            f"derive_from={spec.derive_from!r}: such changes are worked out of the state of that "
            "sync, which a preview does not read; run with dry_run=True instead"
        )
    project = Project(project_id or _PROJECT, region, ProjectType(project_type))
    sync_object.check(spec, project)
    notes = _left_out(spec, rows)
    left_out = {"seed_sql": None, "adopt_list": False, "requires": None}
    spec = spec.model_copy(update={"dry_run": True, "first_sync": "all", **left_out})
    with in_memory() as engine:
        state = _FirstRows(engine, source, spec, project, sync_object.lane, sync_object.shape)
        state.rows = rows
        staged, plan = state.plan()
        with engine.session() as session:
            planned = {
                seq: (key, route)
                for seq, key, route in session.rows(
                    f"SELECT _seq, _key, _route FROM {plan.table} ORDER BY _seq"
                )
            }
    found = Preview(staged.queried, refused=_refused_by_plan(staged, planned))
    state.list_ids = _list_ids(spec, state, notes)
    frame = state.first_rows
    if frame is not None and not frame.empty:
        *_, batches = map_rows(spec, sync_object, state, project, frame, {})
        found.requests = rehearse(batches, spec, sync_object, project)
        found.refused += [
            Refused(planned[one.seq][0], one.field, one.reason)
            for batch in batches
            for one in batch.rejections
        ]
    found.notes = [
        *plan.notes,
        *_skipped(plan),
        *notes,
        *_of_iterable(spec, sync_object, state, has_project=project_id is not None),
    ]
    return found


class _FirstRows(SyncState):
    """A run that reads the first rows of its model alone."""

    rows = 1

    def _understood(self, spec: SyncSpec) -> Model:
        model = super()._understood(spec)
        window = since_only(spec)
        sql = model.sql if window is None else asked(self._source, model, window)
        keys = {
            self._source.shown(expression): column.role
            for column, expression in zip(model.read, model.select, strict=True)
            if column.is_key
        }
        whose = [expression for expression, role in keys.items() if role not in BESIDE] or [*keys]
        is_whole = model.lines is None and len(whose) == len(keys)
        if is_whole and self._source.dialect not in _WITHOUT_LIMIT:
            limited = f"SELECT * FROM (\n{sql}\n) AS q LIMIT {self.rows}"
        else:
            place = f"dense_rank() OVER (ORDER BY {', '.join(whose)}) AS _place"
            limited = (
                f"SELECT * FROM (SELECT q.*, {place} FROM (\n{sql}\n) AS q) AS r "
                f"WHERE r._place <= {self.rows}"
            )
        return replace(model, sql=limited)


def _refused_by_plan(staged: Staged, planned: Mapping[int, tuple[str, str]]) -> list[Refused]:
    keyless = [
        Refused(None, None, reason) for reason, n in staged.rejected.items() for _ in range(n)
    ]
    return keyless + [
        Refused(key, None, route.removeprefix(plans.REJECT))
        for key, route in planned.values()
        if route.startswith(plans.REJECT)
    ]


def _list_ids(spec: SyncSpec, state: SyncState, notes: list[str]) -> dict[str, int]:
    """Give the ids of lists: the declared one, or for each name a number that no list has."""
    if spec.list_id is not None:
        return {"": spec.list_id}
    names = sorted({name or spec.list_name or "" for name in state.audiences})
    ids = {name: -number for number, name in enumerate(filter(str.strip, names), start=1)}
    if ids:
        named = ", ".join(f"{number} for {name!r}" for name, number in ids.items())
        notes.append(
            f"ids of lists are looked up in Iterable, or created there; here stands {named}"
        )
    return ids


def _skipped(plan: Plan) -> list[str]:
    skipped = plan.total(route=plans.SKIPPED)
    return [f"{skipped} rows wait: a column with null='skip' is NULL"] if skipped else []


def _left_out(spec: SyncSpec, rows: int) -> list[str]:
    """Say what a run looks at, and a preview does not."""
    notes = [
        f"{rows} rows at most were read: what other rows decide (keys and people that come twice, "
        "guards, limits of a first run) was not looked at"
    ]
    if spec.requires is not None:
        notes.append(
            f"requires: a run holds the rows of people whom the sync {spec.requires!r} has not had "
            "accepted"
        )
    if spec.seed_sql is not None or spec.adopt_list:
        named = "seed_sql" if spec.seed_sql is not None else "adopt_list"
        notes.append(f"{named}: a first run sends nothing for rows that Iterable has already")
    return notes


def _of_iterable(
    spec: SyncSpec, sync_object: SyncObject, state: SyncState, *, has_project: bool
) -> list[str]:
    """Say what depends on the project."""
    notes = []
    if sync_object.has_listed_fields:
        counts = (
            "those of the rows count as new, and the first request creates them"
            if spec.new_fields == "create"
            else "those of the rows count as known (new_fields='fail')"
        )
        notes.append(
            f"Iterable was not asked for its fields: {counts}. Of a field that it has, a NULL is "
            "sent as null, and a value that does not fit its type is refused"
        )
    if sync_object.shape.needs_catalog:
        types = wanted_types(state.columns, state.json_objects)
        named = ", ".join(f"{name} ({kind})" for name, kind in sorted(types.items()) if kind)
        notes.append(
            "the catalog counts as new: before the items, a run sets the types of fields that it "
            f"does not have: {named}. Of a field that it has, a NULL is sent as null"
        )
    if sync_object.shape.needs_groups:
        notes.append("whether Iterable has such groups was not looked at; others are refused")
    if sync_object.look is not None:
        notes.append(
            "before each request Iterable is asked who is there: by the answer it is made, or "
            "another one, or none"
        )
    if sync_object.lane in _WITH_IDS and not has_project:
        notes.append(
            "ids of rows are made of the project's id, which was not given, and of the name "
            f"{spec.sync!r}; those of a run differ where they are no keys"
        )
    return notes
