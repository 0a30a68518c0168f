"""
What a run plans: it stages the model, compares, holds back, and has its plan.

What a run begins with is :mod:`iterable_sync.state.begun`, what happens with the plan
:mod:`iterable_sync.state.runs`.
"""

from __future__ import annotations

import json
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from iterable_sync.errors import ConfigError
from iterable_sync.guards import OF_CHANGES
from iterable_sync.names import check as check_fields
from iterable_sync.rows import Role
from iterable_sync.state import append_only, diff, marker, plans
from iterable_sync.state.approvals import Approvals
from iterable_sync.state.begun import BegunRun
from iterable_sync.state.catalogs import declared_catalog, json_objects
from iterable_sync.state.claims import claim_brought
from iterable_sync.state.columns import understand
from iterable_sync.state.derived import understand_changes
from iterable_sync.state.doubted import in_doubt
from iterable_sync.state.effects import people_known
from iterable_sync.state.first_sync import limit_first
from iterable_sync.state.lists import audiences, declared_list
from iterable_sync.state.members import seed_members
from iterable_sync.state.opt_outs import count_free, has_opt_in, opt_outs
from iterable_sync.state.plan_rows import read_rows
from iterable_sync.state.registry import Registered, reconcile
from iterable_sync.state.requeue import Waiting, waiting
from iterable_sync.state.requires import hold_waiting, required_people
from iterable_sync.state.seeding import SEED_IGNORED, is_first, seed
from iterable_sync.state.stage import Staged, stage
from iterable_sync.state.traits import widen
from iterable_sync.state.window import (
    Window,
    find_window,
    leave_alone,
    newest_in,
    since_only,
)
from iterable_sync.values import can_become

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from iterable_sync.rows import Column, Op
    from iterable_sync.spec import SyncSpec
    from iterable_sync.state.columns import Model
    from iterable_sync.state.dialects.base import Session

FIRST_ROWS = 20_000
"""So many rows of a plan are looked at to say what it would do."""


class PlannedRun(BegunRun):
    """
    State of one run that plans.

    Attributes:
        audiences: name of a list of the plan -> whether somebody goes into it.

        claimed: fields that rows bring, and that may be shown by their names.

        json_objects: JSON columns of which each planned value is an object.

        seeded: rows that are taken for sent.

        at_s: the moment whose data the run sends, in seconds since 1970.

        waiting: what of the plan was rejected and waits.

        first_rows: the beginning of the plan of a dry run.
    """

    audiences: Mapping[str | None, bool] = MappingProxyType({})
    claimed: frozenset[str] = frozenset()
    json_objects: frozenset[str] = frozenset()
    seeded: int = 0
    at_s: int = 0
    waiting: Sequence[Waiting] = ()
    first_rows: pd.DataFrame | None = None
    _made: plans.Plan | None = None
    _window: Window | None = None
    _newest: str | None = None

    def plan(self) -> tuple[Staged, plans.Plan]:
        """
        Stage the model and write the plan.

        Raises:
            ConfigError, SyncAborted: nothing was sent.
        """
        engine = self._engine
        spec, duplicates = self._widened()
        model = self._understood(spec)
        if duplicates is not None:
            model = replace(model, duplicates=duplicates)
        check_fields(
            model.columns,
            merge_nested_objects=spec.merge_nested_objects,
            is_profile=self._shape.fields_of == "profile",
        )
        _check_types(model.columns)
        with engine.session() as session, engine.planning(session):
            people = required_people(engine, session, spec, self._project, self._shape)
            known = self._known
            if spec.dry_run:
                known = self._find(session)
            registered = reconcile(
                known,
                model.columns,
                sync=spec.sync,
                project=self._project.name,
                object_name=spec.object,
                sql=_declared(spec),
                new_is_null=spec.trait is not None,
            )
            registered = replace(registered, shape=self._shape, project=self._project)
            if spec.dry_run:
                plan_table, snapshot = self._dry(session, registered)
            else:
                registered = self._register(session, registered)
                plan_table = engine.table(self._plan_name(registered))
                snapshot = engine.table(registered.snapshot_table)
            self._known = registered
            notes = self._seed(session, spec, registered, snapshot)
            placed = {c.name: c for c in registered.columns}
            columns = [placed[c.name] for c in model.columns]
            self.at_s = self._moment(session)
            if self.is_append_only:
                self._window = find_window(engine, session, spec, registered.sync_id)
            compared = None
            if not self.is_append_only:
                compared = diff.find_compared(
                    engine,
                    session,
                    spec,
                    registered,
                    snapshot,
                    has_newest=model.newest_by is not None,
                )
            staged = stage(
                engine,
                session,
                self._source,
                model,
                columns,
                self._project.type,
                self._window or since_only(spec),
                shares_identity=self._shape.shares_identity,
                of_people=self._shape.of_people,
                compared=compared,
            )
            self._made = self._make_plan(session, registered, staged, plan_table, snapshot)
            self._leave_alone(session, registered, plan_table, snapshot)
            self._made.notes += notes
            self.claimed = claim_brought(
                engine,
                session,
                registered,
                plan_table,
                *([snapshot] if self.seeded else []),
                declared=declared_list(spec) or declared_catalog(spec),
                project=self._project.name,
                sync=spec.sync,
                check=None if spec.dry_run else self.lease.check,
            )
            hold_waiting(
                engine,
                session,
                spec,
                registered,
                self._made,
                people=people,
                snapshot=snapshot,
            )
            if registered.sync_id:
                self._meet_approvals(session, self._made, snapshot)
            self._count_free(session, self._made, snapshot)
            limit_first(session, self._made, spec.first_sync, snapshot=snapshot)
            if self._shape.needs_lists:
                self.audiences = audiences(engine, session, registered, plan_table)
            if self._shape.needs_catalog:
                self.json_objects = json_objects(engine, session, registered, plan_table)
            session.execute(f"DROP TABLE {staged.table}")
            engine.after_plan(session, plan_table)
            if spec.dry_run or self._shape.is_final:
                self.first_rows = read_rows(
                    engine, session, plan_table, self.columns, f"TRUE LIMIT {FIRST_ROWS}"
                )
            return staged, self._made

    def _understood(self, spec: SyncSpec) -> Model:
        if spec.derive_from is None:
            return understand(spec, self._source, self._engine.dialect, self._shape)
        with self._engine.session() as session:
            return understand_changes(self._engine, session, spec, self._source, self._project)

    def _widened(self) -> tuple[SyncSpec, str | None]:
        """Give the declaration in wide form, and what shows duplicates of the long one."""
        if self._spec.trait is None:
            return self._spec, None
        known = self._known
        if self._spec.dry_run:
            with self._engine.session() as session:
                known = self._find(session)
        return widen(self._spec, self._source, self._engine.dialect, known)

    def _seed(
        self, session: Session, spec: SyncSpec, registered: Registered, snapshot: str
    ) -> list[str]:
        """Take for sent what Iterable holds, and the declaration says; give what to say of it."""
        if self.adopted is not None:
            self._seed_adopted(session, registered, snapshot)
        if spec.seed_sql is None:
            return []
        if self.seeded or not is_first(self._engine, session, registered):
            return [SEED_IGNORED]
        found = seed(
            self._engine,
            session,
            self._source,
            spec,
            registered,
            self._project.type,
            snapshot=snapshot,
            run_id=self.run_id,
            check=None if spec.dry_run else self.lease.check,
        )
        self.seeded = found.rows
        return [found.note]

    def _seed_adopted(self, session: Session, registered: Registered, snapshot: str) -> None:
        """Take those for sent who are in the list already."""
        with session.transaction():
            self.seeded = seed_members(
                self._engine,
                session,
                registered,
                self.adopted or (),
                self._project.type,
                snapshot=snapshot,
                run_id=self.run_id,
            )
            if not self._spec.dry_run:
                self.lease.check(session)

    def _make_plan(
        self,
        session: Session,
        registered: Registered,
        staged: Staged,
        plan_table: str,
        snapshot: str,
    ) -> plans.Plan:
        if self._window is None:
            return diff.make_plan(
                self._engine,
                session,
                self._spec,
                registered,
                staged,
                plan_table=plan_table,
                snapshot=snapshot,
                is_temporary=self._spec.dry_run,
            )
        time = self._engine.dialect.quote(registered.time.name)
        self._newest = newest_in(session, staged.table, time)
        return append_only.make_plan(
            self._engine,
            session,
            self._spec,
            registered,
            staged,
            self._window,
            plan_table=plan_table,
            snapshot=snapshot,
            is_temporary=self._spec.dry_run,
        )

    def _leave_alone(
        self, session: Session, registered: Registered, plan_table: str, snapshot: str
    ) -> None:
        """Do not take rows for gone that are too old to be looked at."""
        window = since_only(self._spec)
        if self._window is not None or window is None:
            return
        quote = self._engine.dialect.quote
        (time,) = (c.name for c in registered.columns if c.role is Role.PURCHASED_AT)
        keys = [quote(key) for key in registered.key_columns]
        leave_alone(
            self._engine,
            session,
            keys,
            quote(time),
            window,
            plan=plan_table,
            snapshot=snapshot,
        )
        plans.recount(session, self._plan)

    def _meet_approvals(self, session: Session, plan: plans.Plan, snapshot: str) -> None:
        """Let go what a person approved, and note a snapshot that is not the sync's."""
        doubted = in_doubt(self._engine, self._registered, snapshot)
        are_given = self._approvals.are_given(session)
        if self._spec.dry_run and are_given:
            plan.approved = self._approvals.take(session, plan.table, but_for=doubted)
        elif not self._spec.dry_run and (are_given or plan.is_lost):
            with session.transaction():
                if are_given:
                    plan.approved = self._approvals.take(session, plan.table, but_for=doubted)
                if plan.is_lost:
                    marker.note_lost(self._engine, session, self._sync_id)
                self.lease.check(session)
        if plan.approved:
            plans.recount(session, plan)
        if plan.total(route=plans.STILL_REJECTED):
            self.waiting = waiting(self._engine, session, self._sync_id, plan.table)

    def people(self) -> int:
        """Count the people whom the other syncs of the project know."""
        if not self._sync_id:
            return 0
        with self._engine.session() as session:
            return people_known(self._engine, session, self._registered)

    def _count_free(self, session: Session, plan: plans.Plan, snapshot: str) -> None:
        """Count the opt-outs, but for those that are counted as in doubt or approved."""
        registered = self._registered
        free = opt_outs(self._engine.dialect, registered, "p")
        if free is None:
            return
        counted = [in_doubt(self._engine, registered, snapshot)]
        if registered.sync_id:
            counted.append(self._approvals.let_through("first_sync"))
        count_free(session, plan, free, but_for=counted)
        # A first run that was held has sent its opt-outs; its opt-ins still are those of a first.
        dialect = self._engine.dialect
        plan.is_first |= not has_opt_in(dialect, session, registered, snapshot)

    def hold(self, ops: Sequence[Op], guard: str) -> int:
        """Hold the planned changes of some kinds, but for approved ones; give their number."""
        but_for = self._approvals.let_through(guard)
        free = opt_outs(self._engine.dialect, self._registered, "p")
        if guard in OF_CHANGES and free is not None:
            but_for = f"({but_for} OR {free})"
        with self._engine.session() as session:
            return plans.hold(session, self._plan, ops, guard, but_for=but_for)

    @property
    def _plan(self) -> plans.Plan:
        if self._made is None:
            raise RuntimeError("there is no plan yet: plan() comes first")
        return self._made

    @property
    def _approvals(self) -> Approvals:
        run_id = None if self._spec.dry_run else self.run_id
        return Approvals(self._engine, self._sync_id, run_id)


def _declared(spec: SyncSpec) -> str:
    """Give what of a declaration decides which columns there are; a change of it is no drift."""
    chosen = {
        "exclude": sorted(name.lower() for name in spec.exclude),
        "line_key": sorted(name.lower() for name in spec.line_key),
        "email": spec.email,
        "user_id": spec.user_id,
    }
    if spec.image_size is not None:
        chosen["image_size"] = spec.image_size
    return f"{spec.sql}\n-- {json.dumps(chosen)}"


def _check_types(columns: Sequence[Column]) -> None:
    for column in columns:
        if not can_become(column.state, column.wire):
            raise ConfigError(
                f"column {column.name!r} is declared {column.wire.value}, which its values, kept "
                f"as {column.state.value}, cannot become; cast it in the SQL"
            )
