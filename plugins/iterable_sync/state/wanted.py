"""Rows that somebody asks about, by key or by person: conditions over tables, and over keys."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from string import ascii_lowercase, ascii_uppercase
from typing import TYPE_CHECKING

from iterable_sync.identity import (
    EMAIL_PREFIX,
    USER_ID_PREFIX,
    fold_email,
    folded_sql,
    hash_of,
)
from iterable_sync.rows import Role, StateType
from iterable_sync.state.forgotten import HASHED

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from iterable_sync.rows import Column
    from iterable_sync.state.dialects.base import StateEngine
    from iterable_sync.state.registry import Registered

_OF_EMAIL = frozenset({Role.EMAIL, Role.OLD, Role.NEW})
_OF_USER_ID = frozenset({Role.USER_ID, Role.OLD, Role.NEW})


@dataclass(frozen=True, slots=True)
class Who:
    """
    What is asked for: the text of a key, or all that one person is known by.

    Args:
        key: as the tables of the state have it, a JSON array where it has several columns; one part
            of such a key is all rows with it.

        emails: folded.

        kept: further hashes under which the person is forgotten.
    """

    key: str | None = None
    emails: frozenset[str] = frozenset()
    user_ids: frozenset[str] = frozenset()
    kept: frozenset[str] = frozenset()

    @property
    def hashes(self) -> frozenset[str]:
        """Under which they may be among the forgotten."""
        return self.kept | frozenset(map(hash_of, self.emails | self.user_ids))

    @property
    def identities(self) -> frozenset[str]:
        """As snapshots have them, those of which the hash alone is kept among them."""
        return frozenset(
            {EMAIL_PREFIX + email for email in self.emails}
            | {USER_ID_PREFIX + user_id for user_id in self.user_ids}
            | {HASHED + one for one in self.hashes}
        )

    def named(
        self, *, emails: Iterable[str], user_ids: Iterable[str], identities: Iterable[str]
    ) -> Who:
        """Give the same with what else rows say who they are about; *emails* are folded."""
        more = {EMAIL_PREFIX: set(emails), USER_ID_PREFIX: set(user_ids)}
        for identity in identities:
            for prefix, texts in more.items():
                if identity.startswith(prefix):
                    texts.add(identity.removeprefix(prefix))
        return replace(
            self,
            emails=self.emails | more[EMAIL_PREFIX],
            user_ids=self.user_ids | more[USER_ID_PREFIX],
        )


def named_by_key(of: Registered, who: Who) -> Who:
    """Give the same by its key, where that is, or holds, an e-mail or a userId."""
    if who.key is None:
        return who
    columns = {c.name: c.role for c in of.columns if c.is_key}
    whole = [who.key] if len(columns) == 1 else _parts(who.key)
    parts = zip(of.key_columns, whole or [who.key] * len(columns), strict=False)
    roles = [(columns.get(name), part) for name, part in parts]
    return who.named(
        emails=(fold_email(part) for role, part in roles if role in _OF_EMAIL),
        user_ids=(part for role, part in roles if role in _OF_USER_ID),
        identities=(),
    )


def is_theirs(
    engine: StateEngine, of: Registered, who: Who, there: Collection[str], alias: str
) -> str | None:
    """Give the condition of their rows in a table with these columns; None where there are none."""
    quote = engine.dialect.quote
    if who.key is not None:
        columns = [c for c in of.columns if c.is_key]
        parts = _parts(who.key)
        if len(columns) == 1:
            parts = [who.key]
        elif parts is None:
            same = (_equals(engine, f"{alias}.{quote(c.name)}", c, [who.key]) for c in columns)
            return f"({' OR '.join(same)})"
        if len(parts) != len(columns):
            return None
        by_name = dict(zip(of.key_columns, parts, strict=True))
        same = (_equals(engine, f"{alias}.{quote(c.name)}", c, [by_name[c.name]]) for c in columns)
        return f"({' AND '.join(same)})"
    if not of.is_of_people:
        return None
    conditions = [f"{alias}._identity IN ({_list(engine, who.identities)})"]
    for column in of.columns:
        name = f"{alias}.{quote(column.name)}"
        if column.name not in there:
            continue
        if column.role in _OF_EMAIL and who.emails and column.state is StateType.TEXT:
            conditions.append(f"{folded_sql(name)} IN ({_list(engine, who.emails)})")
        if column.role in _OF_USER_ID and who.user_ids:
            conditions.append(_equals(engine, name, column, who.user_ids))
    return f"({' OR '.join(conditions)})"


def may_name(engine: StateEngine, texts: Iterable[str]) -> str:
    """Give a condition of all keys that name one of some texts, and of few others."""
    folded = f"translate(key, '{ascii_uppercase}', '{ascii_lowercase}')"
    return " OR ".join(
        f"strpos({folded}, {engine.dialect.literal(fold_email(text))}) > 0"
        # As a part of a key of several columns, others are escaped.
        if text.isprintable() and not set(text) & set('["\\/')
        else "TRUE"
        for text in sorted(texts)
    )


def names(of: Registered, key: str, who: Who) -> bool:
    """Say whether a key is what is asked for, or has a part that is."""
    is_whole = len(of.key_columns) == 1
    parts = [key] if is_whole else _parts(key) or []
    if who.key is not None:
        asked = None if is_whole else _parts(who.key)
        return who.key in parts if asked is None else asked == parts
    roles = {c.name: c.role for c in of.columns if c.is_key}
    return any(
        (roles.get(name) in _OF_EMAIL and fold_email(part) in who.emails)
        or (roles.get(name) in _OF_USER_ID and part in who.user_ids)
        for name, part in zip(of.key_columns, parts, strict=False)
    )


def _equals(engine: StateEngine, name: str, column: Column, texts: Iterable[str]) -> str:
    # As it stands where it can be: the key of a snapshot has an index.
    text = name if column.state is StateType.TEXT else f"CAST({name} AS text)"
    return f"{text} IN ({_list(engine, texts)})"


def _list(engine: StateEngine, texts: Iterable[str]) -> str:
    return ", ".join(map(engine.dialect.literal, sorted(texts)))


def _parts(key: str) -> list[str] | None:
    """Give the parts of a key of several columns; None of another text."""
    if not key.startswith("["):
        return None
    try:
        parts = json.loads(key)
    except ValueError:
        return None
    return [part if isinstance(part, str) else json.dumps(part) for part in parts]
