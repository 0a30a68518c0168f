"""
Computed traits: ``POST /api/users/bulkUpdate``, as :mod:`iterable_sync.profiles` says.

A row is a person, and each column but the identity is a trait: what the warehouse has worked out
about them. The identity says whose the traits are and is not written: an e-mail or a userId that
does not address the person is for the sync of users to write. The model may as well have a row for
each person and trait (``SyncSpec.trait``); the state engine folds these before it compares, see
:mod:`iterable_sync.state.traits`.
"""

from __future__ import annotations

from iterable_sync.profiles import Profiles
from iterable_sync.sync_object import Shape


class Traits(Profiles):
    """Traits of people, addressed by e-mail or userId."""

    name: str = "traits"
    settings: frozenset[str] = Profiles.settings | {"max_wait_s", "requires", "trait"}
    shape: Shape = Shape("traits", writes_identity=False, fields_of="profile")


OBJECT = Traits()
