"""Items of a catalog."""

from __future__ import annotations

from typing import ClassVar

from iterable_sync.operators.sync import IterableSyncOperator


class IterableCatalogOperator(IterableSyncOperator):
    """
    Keep the items of a catalog in Iterable as the rows of a model say.

    One row of the model is one item. ``key`` names the column with its id, which is no field of it;
    all other columns become fields under the names that the SQL gives them. Only changed fields are
    sent, and fields that others wrote stay. Types of new fields are set from the columns first.

    Into ``options`` go ``catalog``, its name; ``create_catalog=True`` to create it where there is
    none; ``on_remove``, ``ignore`` or ``delete``: what becomes of an item that left the query;
    ``image_size``: of the columns ``image_url_<size>`` the one that becomes ``image_url``; and
    ``read_back_sample``: how many items of earlier runs are read back at the start of a run.

    Arguments: see :class:`IterableSyncOperator`.
    """

    sync_object: ClassVar[str | None] = "catalog"
