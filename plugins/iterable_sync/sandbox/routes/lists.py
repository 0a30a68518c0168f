"""Lists: which there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..answers import Answer, reply
from ..endpoints import Call, Endpoint

if TYPE_CHECKING:
    from ..state import State


def get_lists(state: State, _call: Call) -> Answer:
    """
    Give all lists, newest first.

    Source:
        Recorded 2017 and 2021; a project without lists is assumed to give an empty array.
    """
    return reply({"lists": state.lists[::-1]})


ENDPOINTS = (Endpoint("GET", "/api/lists", get_lists, limit="lists/get", read_only_key=True),)
