"""User updates: from the items of a request to profiles and failures."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .answers import Refused, envelope
from .identity import fold_email, is_email, is_user_id
from .members import follow_profile, list_field
from .profiles import MANAGED, Failure, Update
from .registry import Bounds, Draft
from .settings import EchoedEmails, Mismatch, ProjectType

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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
    """
    What became of the items of one request.

    Args:
        keys: of the profiles that hold what was sent, also where that changed nothing.

        no_ops: the rows that changed nothing, with their array of the answer.

        passed_over: how many of them mean nobody, and were to create nobody.
    """

    keys: list[str] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    no_ops: list[Failure] = field(default_factory=list)
    passed_over: int = 0
    created_fields: list[str] = field(default_factory=list)
    filtered_fields: list[str] = field(default_factory=list)

    @property
    def success_count(self) -> int:
        """Rows without a failure; that a row that changed nothing is a success is assumed."""
        return len(self.keys) + self.passed_over

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
        unchanged: dict[str, list[str]] = {"noOpEmails": [], "noOpUserIds": []}
        for row in self.no_ops:
            unchanged[row.array].append(row.name)
        return {
            "successCount": self.success_count,
            "failCount": len(self.failures),
            "invalidEmails": failed["invalidEmails"],
            "invalidUserIds": failed["invalidUserIds"],
            "filteredOutFields": self.filtered_fields,
            "createdFields": self.created_fields,
            **unchanged,
            "failedUpdates": failed,
        }


def update_users(
    state: State,
    items: list[dict[str, Any]],
    *,
    create_new_fields: bool | None,
    mismatch: Mismatch,
    update_only: bool = False,
    find_no_ops: bool = False,
    then: Callable[[str], None] | None = None,
) -> Report:
    """
    Apply *items*, in order, and report on each.

    Everything is checked before anything is written, so that a refused request changes nothing.

    Args:
        state: the project.

        items: well-typed user objects of a request; their ``dataFields`` are changed in place.

        create_new_fields: the flag of the request; ``None`` leaves it to the project. Documented:
            the project's setting is only the default of the flag, so a flag of true creates
            fields also in a project that drops them.

        mismatch: what a value of the wrong type costs.

        update_only: whether strangers are passed over.

        find_no_ops: whether rows that change nothing are found and named. Such a row leaves the
            profile as it is, ``profileUpdatedAt`` included.

        then: called with the key of a profile right after it was written; the next row may give
            the profile another one.

    Raises:
        Refused: a value has the wrong type, and *mismatch* lays that on the whole request; or it
            creates too many fields.
    """
    draft = Draft()
    as_sent = _as_sent(items) if state.settings.echoed_emails is EchoedEmails.SENT else {}
    try:
        checked = list(_check(state, items, draft, create_new_fields, mismatch))
        _refuse_wrong(state, draft, mismatch)
        state.user_fields.refuse_more_than(state.settings.max_user_fields, draft)
    except Refused:
        state.user_fields.take_back(draft)
        raise

    report = Report(created_fields=draft.created, filtered_fields=list(draft.filtered))
    now, people = state.now(), state.people
    lists = list_field(state.settings.project_type)
    for update in checked:
        if isinstance(update, Failure):
            report.failures.append(update)
            continue
        if update_only and not people.knows(update):
            report.no_ops.append(_no_op(update))
            report.passed_over += 1
            continue
        key = people.key_if_unchanged(update) if find_no_ops else None
        if key is not None:
            report.no_ops.append(_no_op(update))
            report.keys.append(key)
            continue
        written = people.write(update, now)
        if isinstance(written, Failure):
            report.failures.append(written)
        else:
            report.keys.append(written)
            if lists in update.fields:
                follow_profile(state, written)
            if then is not None:
                then(written)
    if as_sent:
        report.failures = [_echo(failure, as_sent) for failure in report.failures]
        report.no_ops = [_echo(row, as_sent) for row in report.no_ops]
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
    if not MANAGED.isdisjoint(fields):
        fields = {name: value for name, value in fields.items() if name not in MANAGED}
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
        Swagger document, as is that a conflict and a forgotten user are a 409; their texts are
        assumed, and so is the answer to data that no type mismatch explains.
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
    "invalidDataEmails": (400, "BadParams", "Invalid dataFields of {}"),
    "invalidDataUserIds": (400, "BadParams", "Invalid dataFields of {}"),
    "forgottenEmails": (409, "ForgottenUserError", "Contact is GDPR forgotten"),
    "forgottenUserIds": (409, "ForgottenUserError", "Contact is GDPR forgotten"),
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
    bounds = Bounds(settings.max_text_length, settings.max_name_length)
    forgotten = state.forgotten if len(state.forgotten) else None
    for item in items:
        update = read_update(item, settings.project_type)
        if isinstance(update, Update) and forgotten is not None:
            update = forgotten.refuse(update) or update
        if isinstance(update, Update):
            before, oversize = len(draft.created), len(draft.oversize)
            fits = fields.admit(
                update.fields, draft, create=create, widen_numbers=widen, bounds=bounds
            )
            # Documented as bad data of its row: only a wrong type is said to cost the batch.
            if not fits and (mismatch is Mismatch.ITEM or len(draft.oversize) > oversize):
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


def _no_op(update: Update) -> Failure:
    if update.email is not None:
        return Failure("noOpEmails", update.email)
    return Failure("noOpUserIds", update.user_id or "")


def _as_sent(items: list[dict[str, Any]]) -> dict[str, str]:
    emails = [
        email
        for item in items
        for email in (item.get("email"), (item.get("dataFields") or {}).get("email"))
    ]
    return {fold_email(email): email for email in emails if email.__class__ is str}


def _echo(failure: Failure, as_sent: dict[str, str]) -> Failure:
    # Not a conflict: that array is documented to name addresses as they are stored.
    if failure.array.endswith("Emails") and failure.array != "conflictEmails":
        return Failure(failure.array, as_sent.get(failure.name, failure.name))
    return failure
