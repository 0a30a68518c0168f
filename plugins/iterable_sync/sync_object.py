"""The contract of a sync object: what it declares, so that the engine codes around nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

from iterable_sync.errors import ConfigError
from iterable_sync.rows import NullPolicy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from iterable_sync.rows import Column, Payload, ProjectType, Rejection
    from iterable_sync.spec import SyncSpec

# What says how rows that happened once are found, and how rows that change are compared.
_FOR_APPEND_ONLY = frozenset(
    {"event_name", "created_at", "since", "look_back_s", "max_wait_s", "retention_s"}
)
_FOR_STATE = frozenset({"newest_by", "on_identity_change", "merge_nested_objects"})


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
    """

    columns: tuple[Column, ...]
    project_type: ProjectType
    merge_nested_objects: bool = True
    known_types: Mapping[str, str] = field(default_factory=dict)
    project: str = ""
    sync: str = ""
    event_name: str | None = None
    create_new_fields: bool = True


class SyncObject(Protocol):
    """
    A thing in Iterable that rows become.

    Attributes:
        name: as in ``SyncSpec.object``.

        lane: syncs of one lane of a project never push at the same time.

        path: the bulk endpoint.

        array: the array of the request body that holds the rows, e.g. ``users``.

        sends: ``changed_fields`` or ``whole``.

        requests_per_s: 80 % of the published limit of *path*.

        removals: the values of ``SyncSpec.on_remove`` that it knows.

        is_append_only: a row that was accepted is done with: what it becomes later is not sent,
            several rows of one identity are normal, and they are sent in the order of their times.

        has_listed_fields: ``users/getFields`` lists its fields with their types. Without, nobody
            knows what a row would create: each row says itself whether it may
            (:attr:`MapContext.create_new_fields`), and no field is created ahead.
    """

    name: str
    lane: str
    path: str
    array: str
    sends: Literal["changed_fields", "whole"]
    requests_per_s: float
    max_rows: int
    removals: frozenset[str]
    is_append_only: bool
    has_listed_fields: bool

    def payloads(
        self, frame: pd.DataFrame, context: MapContext
    ) -> tuple[Sequence[Payload], list[Rejection]]:
        """
        Map a chunk of the plan, column by column.

        Args:
            frame: ``_seq, _op, _mask, _identity`` and the model's columns, Arrow dtypes, ordered
                by ``_seq``; a column whose place in ``_mask`` is ``0`` is not sent, unless the
                object sends whole rows.

        Returns:
            Payloads ordered by seq, and what was refused: whole rows (which then have no payload)
            and single fields (the row goes on without them). A list is right; a
            :class:`iterable_sync.payloads.PayloadBlock` spares an object for each row.
        """
        ...

    def body(self, rows: Sequence[bytes], *, create_new_fields: bool) -> bytes:
        """
        Wrap rows into a request body; ``len(body)`` is what is sent, exactly.

        Args:
            rows: JSON texts, to be put into :attr:`array` with commas between them; one may be
                several rows that have their commas already.

            create_new_fields: for a body that says it for all rows; without listed fields it is
                the rows that say it, and this is not looked at.
        """
        ...


def check_spec(spec: SyncSpec, sync_object: SyncObject) -> None:
    """
    Check that what a sync declares is for its object.

    Raises:
        ConfigError: a setting would be without effect, or lose rows.
    """
    if spec.on_remove not in sync_object.removals:
        raise ConfigError(
            f"on_remove={spec.on_remove!r} is not for {spec.object}; "
            f"it knows {', '.join(sorted(sync_object.removals))}"
        )
    foreign = _FOR_STATE if sync_object.is_append_only else _FOR_APPEND_ONLY
    if given := sorted(foreign & spec.model_fields_set):
        raise ConfigError(f"{', '.join(given)}: not for {spec.object}; leave it out")
    waits = spec.null is NullPolicy.SKIP or any(
        field.null is NullPolicy.SKIP for field in spec.fields.values()
    )
    if sync_object.is_append_only and waits:
        raise ConfigError(
            f"null='skip' is not for {spec.object}: a row that waits would be out of sight before "
            "it is complete; leave it out of the model for so long"
        )
