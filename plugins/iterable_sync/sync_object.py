"""The contract of a sync object: what it declares, so that the engine codes around nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, Protocol

from iterable_sync.errors import ConfigError
from iterable_sync.renamed import NOT_RENAMED
from iterable_sync.rows import NullPolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pandas as pd

    from iterable_sync.renamed import Renamed
    from iterable_sync.rows import (
        Column,
        Look,
        Payload,
        Project,
        ProjectType,
        Rejection,
        Role,
        Target,
    )
    from iterable_sync.spec import SyncSpec


@dataclass(frozen=True)
class MapContext:
    """
    What mapping a chunk needs beyond the chunk.

    Args:
        columns: all columns of the model, in the order of the frame.

        known_types: dotted field name -> Iterable's type of it (``users/getFields``).

        project, sync: their names, out of which ids of rows are made.

        event_name: the name of all events of the sync; None where a column has it.

        create_new_fields: what rows say that say it themselves.

        list_ids: name of a list -> its id.

        list_name: the list of all rows; None where a column has it.

        at_s: the moment whose data the run sends, in seconds since 1970; for what has no time of
            its own.

        event_names: name of an event in the model -> in Iterable; others are sent as they are.

        row_id: of what ids of rows are made; None is the object's default.

        renamed: which fields the rows of a profile have under names that nothing maps any more.

        on_remove: as in :class:`iterable_sync.spec.SyncSpec`; what a removed row is to say.

        catalog: the catalog whose items the rows are.

        on_target_exists: as in :class:`iterable_sync.spec.SyncSpec`.

        is_worked_out: rows are of no table, but worked out of the snapshot of another sync.

        groups: kind of a subscription group -> the ids that Iterable has; a kind that is not there
            was not looked at.
    """

    columns: tuple[Column, ...]
    project_type: ProjectType
    merge_nested_objects: bool = True
    known_types: Mapping[str, str] = field(default_factory=dict)
    project: str = ""
    sync: str = ""
    event_name: str | None = None
    create_new_fields: bool = True
    list_ids: Mapping[str, int] = field(default_factory=dict)
    list_name: str | None = None
    at_s: int = 0
    event_names: Mapping[str, str] = field(default_factory=dict)
    row_id: Literal["uuid", "key"] | None = None
    renamed: Renamed = NOT_RENAMED
    on_remove: str | None = None
    catalog: str = ""
    on_target_exists: Literal["fail", "merge", "leave"] = "fail"
    is_worked_out: bool = False
    groups: Mapping[str, frozenset[int]] = field(default_factory=dict)


def map_context(
    spec: SyncSpec,
    columns: tuple[Column, ...],
    project: Project,
    *,
    known_types: Mapping[str, str],
    list_ids: Mapping[str, int],
    at_s: int,
    renamed: Renamed = NOT_RENAMED,
    groups: Mapping[str, frozenset[int]] = MappingProxyType({}),
) -> MapContext:
    """Give the context of all chunks of a run."""
    return MapContext(
        columns=columns,
        project_type=project.type,
        merge_nested_objects=spec.merge_nested_objects,
        known_types=known_types,
        project=project.name,
        sync=spec.sync,
        event_name=spec.event_name,
        create_new_fields=spec.new_fields != "fail",
        list_ids=list_ids,
        list_name=spec.list_name,
        at_s=at_s,
        event_names={old: new for old, new in (spec.event_names or {}).items() if new is not None},
        row_id=spec.row_id,
        renamed=renamed if spec.clear_renamed else NOT_RENAMED,
        on_remove=spec.on_remove,
        catalog=spec.catalog or "",
        on_target_exists=spec.on_target_exists,
        is_worked_out=spec.derive_from is not None,
        groups=groups,
    )


@dataclass(frozen=True)
class Shape:
    """
    What the engine has to know of the rows of a sync object, beyond their requests.

    Args:
        name: of the sync object.

        is_append_only: a row that was accepted is done with: what it becomes later is not sent,
            several rows of one identity are normal, and they are sent in the order of their times.

        shares_identity: several rows of one identity are normal, and none of them is the person: a
            changed identity is no change of the row.

        writes_identity: the identifier that does not address the person is sent as well: a row in
            which it changed is a changed row.

        batch_by: columns, by role, whose rows go into requests of their own, as do removed ones;
            None puts rows of all kinds into one request. The plan is in this order.

        marks: sync objects of which the row of a person is sent again once a row of this one was
            accepted for them, since Iterable changed it by itself.

        roles: columns that are no data fields of the row: role -> the names of which the model may
            have the first. A role in *required* has to be there.

        fields_of: whose data fields its rows write: syncs of one such thing never map one field.

        names_claimed: the role whose values are names that belong to one sync of the project:
            fields or lists.

        has_fields: columns without a role, beside the key, are data fields; else they are an error.

        has_history: its rows are all that ever happened, and each is a request: a first run sends
            them only where it is told from when on, or how many.

        needs_lists: each row goes into a list of Iterable: the one that its audience names, or that
            of ``SyncSpec.list_name`` or ``list_id``.

        needs_catalog: each row is an item of the catalog of ``SyncSpec.catalog``.

        of_people: its rows are about people. Without, they are items, which nobody identifies:
            ``_identity`` is ``item:`` and the key as text, and no row lacks an identifier.

        effect: what an accepted row does to the rows of other syncs, in the transaction that
            records it: ``email_change`` (from the role OLD to NEW), ``merge`` (OLD goes, NEW
            stays), ``deletion`` (the role ACTION says which: delete, forget, unforget).

        is_final: a row is a request that cannot be undone. With ``has_history`` a first run is held
            as a whole unless it is told how many or since when, and so is a later one with more
            requests than ``guards.max_removed`` lets go.

        free_of_guards: the role of a column in which false is an opt-out: such rows are the first
            of the plan, and no guard on changes holds them.

        one_of: roles of which the model has a column of one at least.

        needs_groups: each row is about a subscription group, which Iterable has or has not.

        makes_people: Iterable makes the person of a row where it does not know the userId. Without,
            it passes over such a row and says that it took it.
    """

    name: str
    is_append_only: bool = False
    shares_identity: bool = False
    writes_identity: bool = True
    batch_by: tuple[Role, ...] | None = None
    marks: tuple[str, ...] = ()
    roles: Mapping[Role, tuple[str, ...]] = field(default_factory=dict)
    required: frozenset[Role] = frozenset()
    fields_of: str | None = None
    names_claimed: Role | None = None
    has_fields: bool = True
    has_history: bool = False
    needs_lists: bool = False
    of_people: bool = True
    effect: str = ""
    is_final: bool = False
    free_of_guards: Role | None = None
    one_of: frozenset[Role] = frozenset()
    needs_groups: bool = False
    needs_catalog: bool = False
    makes_people: bool = True

    @property
    def is_person(self) -> bool:
        """Whether a row is a person: nobody has a second one, and who it is may change."""
        return self.of_people and not self.shares_identity


PLAIN = Shape("users")
"""A row is a person, and all of its columns are data fields."""


class SyncObject(Protocol):
    """
    A thing in Iterable that rows become.

    Attributes:
        name: as in ``SyncSpec.object``.

        shape: what the engine has to know of its rows.

        lane: syncs of one lane of a project never push at the same time.

        path: the endpoint, where a row has no target of its own.

        array: the array of the request body that holds the rows, e.g. ``users``; empty where a
            request is one row.

        answers: ``rows`` where an answer names the rows that failed, ``request`` where it counts
            for the whole request.

        sends: ``changed_fields`` or ``whole``.

        requests_per_s: 80 % of the published limit of *path*.

        removals: the values of ``SyncSpec.on_remove`` that it knows, the default first.

        settings: the fields of :class:`SyncSpec` that not all objects have, and this one has.

        has_listed_fields: ``users/getFields`` lists its fields with their types. Without, nobody
            knows what a row would create: each row says itself whether it may
            (:attr:`MapContext.create_new_fields`), and no field is created ahead.

        refusals: code of Iterable -> our reason, where it differs from
            :func:`iterable_sync.reasons.reason_for_refusal`; for requests of one row, or a row that
            was found alone. A 404 with such a code is of the row as well.

        look: ``look(client, payload, target) -> Look``, called before each attempt to send a
            request, the first one as well; it reads (:meth:`IterableClient.read`) and changes
            nothing, so that an answer that was lost is resolved by a look and not by a second
            call. May raise what reading does. Only with a ``max_rows`` of 1.

        look_per_s: looks per second, of all threads.
    """

    name: str
    shape: Shape
    lane: str
    path: str
    array: str
    answers: Literal["rows", "request"]
    sends: Literal["changed_fields", "whole"]
    requests_per_s: float
    max_rows: int
    removals: tuple[str, ...]
    settings: frozenset[str]
    has_listed_fields: bool
    refusals: Mapping[str, str] = MappingProxyType({})
    look: Callable[..., Look] | None = None
    look_per_s: float = 80.0

    def check(self, spec: SyncSpec, project: Project) -> None:
        """
        Check what is declared, before anything is staged; the usual object takes all of it.

        Raises:
            ConfigError: it is not for this project, or does what has to be allowed.
        """
        del spec, project

    def payloads(
        self, frame: pd.DataFrame, context: MapContext
    ) -> tuple[Sequence[Payload], list[Rejection]]:
        """
        Map a chunk of the plan, column by column.

        Args:
            frame: ``_seq, _op, _mask, _identity, _episode`` and the model's columns, Arrow dtypes,
                ordered by ``_seq``; a column whose place in ``_mask`` is ``0`` is not sent, unless
                the object sends whole rows.

        Returns:
            Payloads ordered by seq, and what was refused: whole rows (which then have no payload)
            and single fields (the row goes on without them). A list is right; a
            :class:`iterable_sync.payloads.PayloadBlock` spares an object for each row.
        """
        ...

    def body(
        self, rows: Sequence[bytes], *, create_new_fields: bool, target: Target | None = None
    ) -> bytes:
        """
        Wrap rows into a request body; ``len(body)`` is what is sent, exactly.

        Args:
            rows: JSON texts, to be put into :attr:`array` with commas between them; one may be
                several rows that have their commas already.

            create_new_fields: for a body that says it for all rows; without listed fields it is
                the rows that say it, and this is not looked at.

            target: of the rows; its ``head`` is in the body.
        """
        ...


# What says how rows that happened once are found, and how rows that change are compared.
_SPECIAL = frozenset(
    {
        "allow_overwrite",
        "audience",
        "catalog",
        "clear_renamed",
        "create_catalog",
        "create_list",
        "adopt_list",
        "allow_merge",
        "created_at",
        "derive_from",
        "event_name",
        "event_names",
        "identify_names",
        "image_size",
        "line_key",
        "list_id",
        "list_name",
        "look_back_s",
        "max_wait_s",
        "merge_nested_objects",
        "newest_by",
        "on_identity_change",
        "on_target_exists",
        "read_back_sample",
        "requires",
        "retention_s",
        "row_id",
        "seed_sql",
        "since",
        "sms_consent",
        "trait",
        "unmapped_events",
    }
)


def completed(spec: SyncSpec, sync_object: SyncObject) -> SyncSpec:
    """
    Check that what a sync declares is for its object, and put the object's defaults in.

    Raises:
        ConfigError: a setting would be without effect, or lose rows.
    """
    if spec.on_remove is None:
        spec = spec.model_copy(update={"on_remove": sync_object.removals[0]})
    elif spec.on_remove not in sync_object.removals:
        raise ConfigError(
            f"on_remove={spec.on_remove!r} is not for {spec.object}; "
            f"it knows {', '.join(sorted(sync_object.removals))}"
        )
    if given := sorted((_SPECIAL - sync_object.settings) & spec.model_fields_set):
        raise ConfigError(f"{', '.join(given)}: not for {spec.object}; leave it out")
    waits = spec.null is NullPolicy.SKIP or any(
        field.null is NullPolicy.SKIP for field in spec.fields.values()
    )
    if sync_object.shape.is_append_only and waits:
        raise ConfigError(
            f"null='skip' is not for {spec.object}: a row that waits would be out of sight before "
            "it is complete; leave it out of the model for so long"
        )
    return spec
