"""User updates: from the items of a request to profiles and failures."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .answers import Refused, envelope
from .identity import fold_email, is_email, is_user_id
from .profiles import Failure, Update
from .registry import Draft
from .settings import Mismatch, ProjectType

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .state import State

# Source: Swagger `FailedUserUpdates`, documented; all of them always present: fixture of a public
# client, taken from real traffic.
FAILURE_ARRAYS = (
    "invalidEmails",
    "invalidUserIds",
    "notFoundEmails",
    "notFoundUserIds",
    "invalidDataEmails",
    "invalidDataUserIds",
    "conflictEmails",
    "conflictUserIds",
    "forgottenEmails",
    "forgottenUserIds",
)


@dataclass(slots=True)
class Report:
    """What became of the items of one request."""

    keys: list[str] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    created_fields: list[str] = field(default_factory=list)
    filtered_fields: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """
        Return the body of the bulk endpoints for users and lists.

        Source:
            Fixture of a public client, taken from real traffic; Swagger
            ``UserBulkUpdateListResponse``. That the deprecated arrays repeat those of
            ``failedUpdates`` is from the same fixture.
        """
        failed: dict[str, list[str]] = {array: [] for array in FAILURE_ARRAYS}
        for failure in self.failures:
            failed[failure.array].append(failure.name)
        return {
            "successCount": len(self.keys),
            "failCount": len(self.failures),
            "invalidEmails": failed["invalidEmails"],
            "invalidUserIds": failed["invalidUserIds"],
            "filteredOutFields": self.filtered_fields,
            "createdFields": self.created_fields,
            "noOpEmails": [],
            "noOpUserIds": [],
            "failedUpdates": failed,
        }


def update_users(
    state: State, items: list[dict[str, Any]], *, create_new_fields: bool | None, mismatch: Mismatch
) -> Report:
    """
    Apply *items*, in order, and report on each.

    Everything is checked before anything is written, so that a refused request changes nothing.

    Args:
        state: the project.

        items: well-typed user objects of a request; their ``dataFields`` are changed in place.

        create_new_fields: the flag of the request; ``None`` leaves it to the project.

        mismatch: what a value of the wrong type costs.

    Raises:
        Refused: a value has the wrong type, and *mismatch* lays that on the whole request.
    """
    draft = Draft()
    try:
        checked = list(_check(state, items, draft, create_new_fields, mismatch))
        _refuse_wrong(state, draft, mismatch)
    except Refused:
        state.user_fields.take_back(draft)
        raise

    report = Report(created_fields=draft.created, filtered_fields=list(draft.filtered))
    now = state.now()
    write = state.people.write
    for update in checked:
        written = write(update, now) if isinstance(update, Update) else update
        if isinstance(written, Failure):
            report.failures.append(written)
        else:
            report.keys.append(written)
    return report


def read_update(item: dict[str, Any], project_type: ProjectType) -> Update | Failure:
    """
    Read one user object: identifiers folded and checked, at its top and inside ``dataFields``.

    Source:
        A malformed identifier at either place fails the row: Swagger, documented. An empty text
        beside another identifier counts as absent: a production client sends it. A row without
        any identifier fails as an empty one: assumed (``Invalid email: `` is recorded for an
        empty address on the single endpoint).
    """
    email, user_id = item.get("email"), item.get("userId")
    folded = fold_email(email) if email else None
    if not folded and not user_id:
        names_user = email is None and (user_id is not None or project_type is ProjectType.USER_ID)
        return Failure("invalidUserIds" if names_user else "invalidEmails", "")
    if folded and not is_email(folded):
        return Failure("invalidEmails", folded)
    if user_id and not is_user_id(user_id):
        return Failure("invalidUserIds", user_id)

    fields = item.get("dataFields") or {}
    new_email, new_user_id = folded or None, user_id or None
    inner_email, inner_user_id = fields.get("email"), fields.get("userId")
    if inner_email.__class__ is str:
        new_email = fold_email(fields.pop("email"))
        if not is_email(new_email):
            return Failure("invalidEmails", new_email)
    if inner_user_id.__class__ is str:
        new_user_id = fields.pop("userId")
        if not is_user_id(new_user_id):
            return Failure("invalidUserIds", new_user_id)
    return Update(
        folded or None,
        user_id or None,
        new_email,
        new_user_id,
        fields,
        item.get("mergeNestedObjects") is True,
        item.get("preferUserId") is True,
    )


def refusal_of(failure: Failure) -> Refused:
    """
    Return the failure of a single update as the error it is there.

    Source:
        ``Invalid email: 000`` with its code: recorded 2017 and 2021. The other codes are from the
        Swagger document; their texts, and the body of the documented 409, are assumed.
    """
    status, code, text = _SINGLE[failure.array]
    return Refused(envelope(status, code, text.format(failure.name)))


_SINGLE = {
    "invalidEmails": (400, "InvalidEmailAddressError", "Invalid email: {}"),
    "invalidUserIds": (400, "InvalidUserIdError", "Invalid userId: {}"),
    "notFoundEmails": (400, "UnknownEmailError", "No user with email {} exists"),
    "notFoundUserIds": (400, "UnknownUserIdError", "No user with userId {} exists"),
    "conflictEmails": (409, "Conflict", "Email/userId conflict: {}"),
    "conflictUserIds": (409, "Conflict", "Email/userId conflict: {}"),
}


def _check(
    state: State,
    items: list[dict[str, Any]],
    draft: Draft,
    create_new_fields: bool | None,  # noqa: FBT001 -- private, and called once
    mismatch: Mismatch,
) -> Iterator[Update | Failure]:
    settings, fields = state.settings, state.user_fields
    create = settings.create_new_fields if create_new_fields is None else create_new_fields
    widen = settings.widen_numbers
    for item in items:
        update = read_update(item, settings.project_type)
        if isinstance(update, Update):
            before = len(draft.created)
            fits = fields.admit(update.fields, draft, create=create, widen_numbers=widen)
            if not fits and mismatch is Mismatch.ITEM:
                fields.take_back(draft, since=before)
                update = _wrong_data(update)
        yield update


def _refuse_wrong(state: State, draft: Draft, mismatch: Mismatch) -> None:
    if draft.wrong and mismatch is Mismatch.BATCH:
        raise Refused(state.user_fields.refusal(draft, state.settings.project_id))


def _wrong_data(update: Update) -> Failure:
    if update.email is not None:
        return Failure("invalidDataEmails", update.email)
    return Failure("invalidDataUserIds", update.user_id or "")
