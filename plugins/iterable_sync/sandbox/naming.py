"""Whom a request about one person names, or why it is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .answers import Refused, envelope
from .identity import fold_email, is_email, is_user_id
from .settings import ProjectType

if TYPE_CHECKING:
    from .settings import Settings


def email_named(email: str) -> str:
    """
    Return *email* folded.

    Raises:
        Refused: it is malformed. Recorded 2017 and 2021.
    """
    folded = fold_email(email)
    if not is_email(folded):
        raise Refused(envelope(400, "InvalidEmailAddressError", f"Invalid email: {email}"))
    return folded


def user_id_named(user_id: str) -> str:
    """
    Return *user_id* as it is.

    Raises:
        Refused: it is malformed. The code is documented, the text assumed.
    """
    if not is_user_id(user_id):
        raise Refused(envelope(400, "InvalidUserIdError", f"Invalid userId: {user_id}"))
    return user_id


def refuse_email(settings: Settings) -> None:
    """
    Let nobody be named by an address where it identifies nobody.

    Raises:
        Refused: the project is userID-based. That such calls fail there is documented for some
            endpoints and assumed for the others; code and text are assumed.
    """
    if settings.project_type is ProjectType.USER_ID:
        raise bad_params("Users of a userID-based project are identified by userId")


def bad_params(text: str) -> Refused:
    """Return a refusal with the code that most of them have."""
    return Refused(envelope(400, "BadParams", text))


def forgotten_user() -> Refused:
    """
    Return the refusal of a write to a forgotten person.

    Source:
        Status and text are documented for users/update; the code is documented for 400 and 409.
    """
    return Refused(envelope(409, "ForgottenUserError", "Contact is GDPR forgotten"))
