"""
Who a row is about: the same rule in SQL, for one row, and for a column.

===========  ==============================================
project      identity of a row
===========  ==============================================
email        its e-mail
userId       its userId
hybrid       its userId, or without one its e-mail
===========  ==============================================

An identity is text: ``email:ana@example.com`` or ``userId:U-7``. E-mails are trimmed and
lower-cased for ASCII letters only, because the ``lower`` of DuckDB, Postgres and Python differ on
others (``İ``, ``ẞ``). A userId is exact: case and spaces count in Iterable. Blank is no identifier.

A row that is about no person, but about an item of a catalog, has its key instead: ``item:SKU-42``.
"""

from __future__ import annotations

import re
from enum import StrEnum
from hashlib import sha256
from string import ascii_lowercase, ascii_uppercase
from typing import TYPE_CHECKING

from iterable_sync.rows import ProjectType

if TYPE_CHECKING:
    import pyarrow as pa

EMAIL_PREFIX = "email:"
USER_ID_PREFIX = "userId:"
ITEM_PREFIX = "item:"


class IdentityReason(StrEnum):
    """Why a row has no usable identity."""

    MISSING = "missing_identifier"
    EMAIL = "invalid_email"
    USER_ID = "invalid_user_id"


_BLANKS = " \t\r\n"
# The engines write a tab in a literal differently, and both have chr().
_BLANK_SQL = ("' '", "chr(9)", "chr(13)", "chr(10)")
_TO_LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)

# Only what can be no address anywhere is refused: Iterable has the last word, by its own list of
# top-level domains, and says so per row. No part of it can match in two ways, so time is linear in
# `re` as in Arrow. No \s: it means other characters there.
_EMAIL = (
    r'(?:"[^"\x00-\x1f\x7f]+"|[^ @"\x00-\x1f\x7f]+)'
    r"@(?:[^ @\x00-\x1f\x7f]*[^ @.\x00-\x1f\x7f]\.[^ @.\x00-\x1f\x7f]{2,}"
    r"|\[[0-9A-Fa-f:.]+\])"
)
_MAX_EMAIL = 320
# Printable ASCII, the last character no space.
_MAX_USER_ID = 52
_USER_ID = rf"[\x20-\x7e]{{0,{_MAX_USER_ID - 1}}}[\x21-\x7e]"


def identity_sql(email: str | None, user_id: str | None, project_type: ProjectType) -> str:
    """
    Give the SQL expression of a row's identity: text, or NULL where it has none.

    The text is valid, and means the same, in DuckDB and in Postgres.

    Args:
        email: expression of the e-mail, of type text, already quoted; None if the model has none.

        user_id: the same for the userId.

        project_type: how the project identifies people.
    """
    by_email = "NULL"
    if email is not None:
        trimmed = _trimmed_sql(email)
        by_email = f"CASE WHEN {trimmed} <> '' THEN '{EMAIL_PREFIX}' || {folded_sql(email)} END"
    by_user_id = ""
    if user_id is not None:
        named = f"'{USER_ID_PREFIX}' || {user_id}"
        # What begins with a byte behind the blanks is not blank; comparing costs the least (of
        # a million rows, 0.1 CPU s less than trimming on DuckDB, and 0.2 than `left` on Postgres).
        by_user_id = (
            f"WHEN {user_id} >= '!' COLLATE \"C\" THEN {named} "
            f"WHEN trim({user_id}, {' || '.join(_BLANK_SQL)}) <> '' THEN {named}"
        )
    if project_type is ProjectType.EMAIL or not by_user_id:
        chosen = by_email if project_type is not ProjectType.USER_ID else "NULL"
    elif project_type is ProjectType.USER_ID:
        chosen = f"CASE {by_user_id} END"
    else:
        # Not COALESCE of two: DuckDB takes 0.2 CPU s more for a million rows.
        chosen = f"CASE {by_user_id} ELSE {by_email} END"
    # The cast gives a bare NULL a type: CREATE TABLE AS needs one.
    return f"CAST({chosen} AS text)"


def item_sql(key: str) -> str:
    """Give the SQL expression of the identity of a row that is about no person: its key's text."""
    return f"CAST('{ITEM_PREFIX}' || CAST({key} AS text) AS text)"


def folded_sql(text: str) -> str:
    """Give the SQL expression of a text as :func:`fold_email` does it; *text* is one as well."""
    trimmed = _trimmed_sql(text)
    lowered = f"translate({trimmed}, '{ascii_uppercase}', '{ascii_lowercase}')"
    # A text that `lower` leaves as it is has no letter to translate, in any locale; bytes are
    # compared, for other collations may find 'A' equal to 'a'. Translating costs DuckDB 0.8 of
    # 1.0 CPU s for a million e-mails.
    is_lower = f'lower({trimmed}) = {trimmed} COLLATE "C"'
    return f"CASE WHEN {is_lower} THEN {trimmed} ELSE {lowered} END"


def identifier_sql(identity: str) -> str:
    """Give the SQL expression of the e-mail or userId in an identity, an expression as well."""
    return f"substr({identity}, strpos({identity}, ':') + 1)"


def hash_of(identifier: str) -> str:
    """
    Give the hash under which Iterable lists a forgotten e-mail or userId.

    Source:
        Swagger ``users/forgotten`` and ``users/forgottenUserIds``, documented: SHA-256 of the
        trimmed and lower-cased value. That it is written in hexadecimal, and that letters beyond
        ASCII stay as they are, is assumed. So two userIds that differ by case alone are one here.
    """
    return sha256(fold_email(identifier).encode()).hexdigest()


def _trimmed_sql(text: str) -> str:
    return f"trim({text}, {' || '.join(_BLANK_SQL)})"


def identity(email: str | None, user_id: str | None, project_type: ProjectType) -> str | None:
    """Give the identity of one row, or None; what :func:`identity_sql` says in SQL."""
    by_email = by_user_id = None
    if email is not None and (folded := fold_email(email)):
        by_email = EMAIL_PREFIX + folded
    if user_id is not None and user_id.strip(_BLANKS):
        by_user_id = USER_ID_PREFIX + user_id
    if project_type is ProjectType.EMAIL:
        return by_email
    if project_type is ProjectType.USER_ID:
        return by_user_id
    return by_user_id or by_email


def fold_email(email: str) -> str:
    """Give the form under which two spellings of an e-mail are one."""
    return email.strip(_BLANKS).translate(_TO_LOWER)


def is_email(text: str) -> bool:
    """
    Tell whether *text* may be an e-mail; linear in its length.

    Source:
        https://support.iterable.com/hc/en-us/articles/209082806: Iterable takes what the
        EmailValidator of Apache Commons takes, documented; 64 + 1 + 255 characters is RFC 5321.
    """
    return len(text) <= _MAX_EMAIL and re.fullmatch(_EMAIL, text) is not None


def is_user_id(text: str) -> bool:
    """
    Tell whether *text* may be a userId.

    Source:
        https://support.iterable.com/hc/en-us/articles/217744303: at most 52 characters, printable
        ASCII, not empty, no space at the end; documented.
    """
    return re.fullmatch(_USER_ID, text) is not None


def fold_emails(emails: pa.Array) -> pa.Array:
    """Do :func:`fold_email` for a column; blank becomes null."""
    import pyarrow.compute as pc

    return pc.ascii_lower(trim_emails(emails))


def trim_emails(emails: pa.Array) -> pa.Array:
    """Trim a column of e-mails and leave their case; blank becomes null."""
    import pyarrow as pa
    import pyarrow.compute as pc

    trimmed = pc.ascii_trim(emails, characters=_BLANKS)
    return pc.if_else(pc.equal(trimmed, ""), pa.scalar(None, trimmed.type), trimmed)


def usable_user_ids(user_ids: pa.Array) -> pa.Array:
    """Give a column of userIds as it is, but null where it is blank."""
    import pyarrow as pa
    import pyarrow.compute as pc

    blank = pc.equal(pc.ascii_trim(user_ids, characters=_BLANKS), "")
    return pc.if_else(blank, pa.scalar(None, user_ids.type), user_ids)


def are_emails(emails: pa.Array) -> pa.Array:
    """Do :func:`is_email` for a column; null stays null."""
    import pyarrow.compute as pc

    matches = pc.match_substring_regex(emails, rf"\A(?:{_EMAIL})\z")
    return pc.and_(matches, pc.less_equal(pc.utf8_length(emails), _MAX_EMAIL))


def are_user_ids(user_ids: pa.Array) -> pa.Array:
    """Do :func:`is_user_id` for a column; null stays null."""
    import pyarrow.compute as pc

    # What the pattern of one value says, at a tenth of its cost.
    length = pc.binary_length(user_ids)
    fits = pc.and_(pc.greater(length, 0), pc.less_equal(length, _MAX_USER_ID))
    ends_well = pc.invert(pc.ends_with(user_ids, " "))
    return pc.and_(pc.ascii_is_printable(user_ids), pc.and_(fits, ends_well))
