"""
Who a row is about: one table for the mapping of all objects that address people, and the sandbox.

Why each is refused, and how that is known, is said in ``iterable_sync/identity.py``.
"""

from __future__ import annotations

from dataclasses import dataclass

from iterable_sync.rows import ProjectType

EMAIL, USER_ID, HYBRID = ProjectType.EMAIL, ProjectType.USER_ID, ProjectType.HYBRID
MISSING = "missing_identifier"
BAD_EMAIL, BAD_USER_ID = "invalid_email", "invalid_user_id"


@dataclass(frozen=True)
class Who:
    """
    The identity columns of a row, and what becomes of it.

    Args:
        addressed: by type of project, the member of a request that says whom it is about, and its
            value; or the reason for which the row is rejected.
    """

    name: str
    email: str | None
    user_id: str | None
    addressed: dict[ProjectType, tuple[str, str] | str]


def _who(
    name: str,
    email: str | None,
    user_id: str | None,
    by_email: tuple[str, str] | str,
    by_user_id: tuple[str, str] | str,
    hybrid: tuple[str, str] | str,
) -> Who:
    kinds = {EMAIL: by_email, USER_ID: by_user_id, HYBRID: hybrid}
    return Who(name, email, user_id, kinds)


def _email(text: str) -> tuple[str, str]:
    return ("email", text)


def _id(text: str) -> tuple[str, str]:
    return ("userId", text)


_LONG, _LONGEST = "x" * 53, "y" * 52

# No two rows of one type of project are about the same person.
TABLE = (
    #    name, e-mail, userId, then what becomes of it by e-mail, by userId, and in a hybrid project
    _who("email", "a1@x.com", None, _email("a1@x.com"), MISSING, _email("a1@x.com")),
    _who("id", None, "U2", MISSING, _id("U2"), _id("U2")),
    _who("both", "a3@x.com", "U3", _email("a3@x.com"), _id("U3"), _id("U3")),
    _who("neither", None, None, MISSING, MISSING, MISSING),
    _who("empty", "", "", MISSING, MISSING, MISSING),
    _who("blank", " \t\r\n", "  ", MISSING, MISSING, MISSING),
    _who("blank email", " ", "U7", MISSING, _id("U7"), _id("U7")),
    _who("blank id", "a8@x.com", " ", _email("a8@x.com"), MISSING, _email("a8@x.com")),
    _who("padded email", " a9@x.com\n", None, _email("a9@x.com"), MISSING, _email("a9@x.com")),
    # An e-mail has no blanks around it; a userId is exact, and ends with none.
    _who("padded both", "\ta10@x.com ", "U10 ", _email("a10@x.com"), BAD_USER_ID, BAD_USER_ID),
    _who("id after a blank", None, " U11", MISSING, _id(" U11"), _id(" U11")),
    _who("upper case", "A12@X.COM", "u12", _email("a12@x.com"), _id("u12"), _id("u12")),
    _who("id in upper case", None, "U12", MISSING, _id("U12"), _id("U12")),
    _who("no address", "none", None, BAD_EMAIL, MISSING, BAD_EMAIL),
    _who("no address, id", "14@", "U14", BAD_EMAIL, _id("U14"), _id("U14")),
    _who("blank within", "a 15@x.com", None, BAD_EMAIL, MISSING, BAD_EMAIL),
    _who(
        "placeholder",
        "U16@placeholder.email",
        None,
        _email("u16@placeholder.email"),
        MISSING,
        _email("u16@placeholder.email"),
    ),
    _who("53 characters", None, _LONG, MISSING, BAD_USER_ID, BAD_USER_ID),
    _who("53, email", "a18@x.com", _LONG + "18", _email("a18@x.com"), BAD_USER_ID, BAD_USER_ID),
    _who("52 characters", None, _LONGEST, MISSING, _id(_LONGEST), _id(_LONGEST)),
    _who("non-ASCII id", None, "é", MISSING, BAD_USER_ID, BAD_USER_ID),
    _who("non-ASCII id, email", "a21@x.com", "ñ", _email("a21@x.com"), BAD_USER_ID, BAD_USER_ID),
    _who("non-ASCII email", "é22@x.com", None, _email("é22@x.com"), MISSING, _email("é22@x.com")),
    # Lower case is of ASCII letters only: the engines, and Iterable, differ in others.
    _who("other capitals", "É23@X.com", None, _email("É23@x.com"), MISSING, _email("É23@x.com")),
)
