"""Reads a person's profile back from Iterable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iterable_sync.identity import EMAIL_PREFIX, USER_ID_PREFIX
from iterable_sync.retrying import Action, AttemptFailed, action_for

if TYPE_CHECKING:
    from iterable_sync.client import Answer, IterableClient

BY_EMAIL = "/api/users/getByEmail"
BY_USER_ID = "/api/users/byUserId"
READS_PER_S = 80.0
"""80 % of the limit of either. Source: Swagger, 100 requests a second, documented."""

# Of a malformed address nobody has a profile: recorded 2017.
_NOBODY = frozenset({"error.users.noUserWithIdExists", "InvalidEmailAddressError"})


def read_profile(client: IterableClient, identity: str) -> dict[str, Any] | None:
    """
    Read the fields of a person, with ``email`` and ``userId`` among them; None if there is nobody.

    Args:
        identity: ``email:...`` or ``userId:...``, as in the plan.

    Raises:
        AttemptFailed: worth another attempt, see :func:`iterable_sync.retrying.read_patiently`.

        ConfigError: not worth one.

    Source:
        GET /api/users/getByEmail and /api/users/byUserId, Swagger, documented. Nobody is ``{}`` by
        e-mail, recorded 2017 and 2021; by userId an error with a code of its own, in two production
        clients, or in 2017 a text with status 400, and the status of today is unknown.
    """
    by_email = identity.startswith(EMAIL_PREFIX)
    path = BY_EMAIL if by_email else BY_USER_ID
    name, prefix = ("email", EMAIL_PREFIX) if by_email else ("userId", USER_ID_PREFIX)
    answer = client.get(path, {name: identity.removeprefix(prefix)})
    if _is_nobody(answer, by_email=by_email):
        return None
    if action_for(answer.status, answer.code) is not Action.SETTLE:
        raise client.refused(answer, path)
    if not isinstance(answer.json, dict):
        raise AttemptFailed(f"{path}: the answer is no object")
    user = answer.json.get("user")
    if user is None:
        return None
    if not isinstance(user, dict) or not isinstance(fields := user.get("dataFields", {}), dict):
        raise AttemptFailed(f"{path}: the answer holds no user")
    identifiers = {name: user[name] for name in ("email", "userId") if name in user}
    return {**fields, **identifiers}


def _is_nobody(answer: Answer, *, by_email: bool) -> bool:
    return answer.code in _NOBODY or (not by_email and answer.status == 400 and answer.code is None)
