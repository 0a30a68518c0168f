"""
User profiles: ``POST /api/users/bulkUpdate``, as :mod:`iterable_sync.profiles` says.

A row is a person, and all of its columns but the identity are fields of the profile.
"""

from __future__ import annotations

from iterable_sync.profiles import Profiles
from iterable_sync.sync_object import Shape


class Users(Profiles):
    """User profiles, addressed by e-mail or userId."""

    name: str = "users"
    settings: frozenset[str] = Profiles.settings | {"identify_names"}
    shape: Shape = Shape("users", fields_of="profile")


OBJECT = Users()
