"""The contract of a sync object: what it declares, so that the engine codes around nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from iterable_sync.rows import Column, Payload, ProjectType, Rejection


@dataclass(frozen=True)
class MapContext:
    """
    What mapping a chunk needs beyond the chunk.

    Args:
        columns: all columns of the model, in the order of the frame.

        known_types: dotted field name -> Iterable's type of it (``users/getFields``).
    """

    columns: tuple[Column, ...]
    project_type: ProjectType
    merge_nested_objects: bool = True
    known_types: Mapping[str, str] = field(default_factory=dict)


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
    """

    name: str
    lane: str
    path: str
    array: str
    sends: Literal["changed_fields", "whole"]
    requests_per_s: float
    max_rows: int
    removals: frozenset[str]

    def payloads(
        self, frame: pd.DataFrame, context: MapContext
    ) -> tuple[Sequence[Payload], list[Rejection]]:
        """
        Map a chunk of the plan, column by column.

        Args:
            frame: ``_seq, _op, _mask, _identity`` and the model's columns, Arrow dtypes, ordered
                by ``_seq``; a column whose place in ``_mask`` is ``0`` is not sent.

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
        """
        ...
