"""Emails and userIds: how they are folded, and which of them are malformed."""

from __future__ import annotations

import re
import zlib

from .top_level_domains import is_top_level

MAX_USER_ID_LENGTH = 52
_MAX_LOCAL_LENGTH = 64

# Java's `trim` takes everything up to the space, and no other white space.
_TRIMMED = "".join(map(chr, range(0x21)))

_CHARACTER = r"""(?:\\.|[^\s\x00-\x1f\x7f()<>@,;:\\".\[\]])"""
_WORD = rf"""(?:{_CHARACTER}+|"(?:\\"|[^"])*")"""
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_LOCAL = re.compile(rf"{_WORD}(?:\.{_WORD})*")
_DOMAIN = re.compile(rf"(?:{_LABEL}\.)+({_LABEL})")
_PLAIN_EMAIL = re.compile(rf"[a-z0-9_+-]+(?:\.[a-z0-9_+-]+)*@(?:{_LABEL}\.)+({_LABEL})")
_USER_ID = re.compile(rf"[ -~]{{0,{MAX_USER_ID_LENGTH - 1}}}[!-~]")


def fold_email(email: str) -> str:
    """
    Return *email* as Iterable stores and reports it: trimmed and lower-cased.

    Source:
        support.iterable.com article 209082806, documented.
    """
    return email.strip(_TRIMMED).lower()


def is_email(folded: str) -> bool:
    """
    Say whether a folded e-mail address is well-formed.

    Source:
        The same article, documented: the rules of Apache Commons' EmailValidator, with a check of
        the top-level domain. Recorded: ``000``, ``foo@`` and the empty text are refused.
    """
    plain = _PLAIN_EMAIL.fullmatch(folded)
    if plain is not None and folded.index("@") <= _MAX_LOCAL_LENGTH:
        return is_top_level(plain[1])
    local, _, domain = folded.rpartition("@")
    if len(local) > _MAX_LOCAL_LENGTH or _LOCAL.fullmatch(local) is None:
        return False
    if not domain.isascii():
        try:
            domain = domain.encode("idna").decode("ascii")
        except UnicodeError:
            return False
    match = _DOMAIN.fullmatch(domain)
    return match is not None and len(domain) <= 253 and is_top_level(match[1])


def is_user_id(user_id: str) -> bool:
    """
    Say whether a userId is well-formed.

    Source:
        support.iterable.com article 217744303 and the Swagger document, documented: 1 to 52
        printable ASCII characters, the last one no space; upper and lower case differ.
    """
    return _USER_ID.fullmatch(user_id) is not None


def placeholder_email(user_id: str) -> str:
    """
    Return the address that an email-based project gives to a person known by userId only.

    Source:
        support.iterable.com article 208499956, documented: userId, ``+``, a hash, and
        ``@placeholder.email``. The hash itself is assumed.
    """
    return fold_email(f"{user_id}+{zlib.crc32(user_id.encode())}@placeholder.email")
