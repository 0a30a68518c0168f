"""Computed traits."""

from __future__ import annotations

from typing import ClassVar

from iterable_sync.operators.sync import IterableSyncOperator


class IterableTraitsOperator(IterableSyncOperator):
    """
    Write what the warehouse has worked out about people into their profiles in Iterable.

    The model is wide or long. In wide form a row is a person and each column a trait, as for
    :class:`IterableUsersOperator`. In long form a row is a trait of a person: ``options`` name the
    column with the name of the trait, ``{"trait": "trait"}``, its value is in the column ``value``,
    and ``key`` is the person alone. The names become fields in ``snake_case``: ``Total Spend`` is
    written to ``total_spend``. A trait that comes is a new field; one that goes is cleared.

    A field has one owner: traits and users of a project never write the same one. Give Iterable
    time to take the users in before it gets their traits, see :class:`IterableSettleSensor`; and in
    an email-based project let a trait wait for its person, by ``{"requires": "<sync of users>"}``.

    Arguments: see :class:`IterableSyncOperator`.
    """

    sync_object: ClassVar[str | None] = "traits"
