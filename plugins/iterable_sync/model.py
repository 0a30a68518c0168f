"""
The model SQL: is it one query that only reads, and what did its author call the columns.

Nothing here alters the SQL. It is cut at its end, at most, so that it can stand in parentheses.
The check is for honest mistakes and says the way out; what a function does inside the engine
(``nextval``, ``dblink_exec``) is seen by the read-only role of ``sql/grants/`` alone.
"""

from __future__ import annotations

import logging
import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from .errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlglot import exp
    from sqlglot.tokenizer_core import Token

# What the state tables call columns of their own.
_RESERVED = re.compile(
    r"_(seq|op|route|mask|key|identity|status|dirty|mapping|episode|origin|accepted_at"
    r"|run|held|event_at|doubted_at)",
    re.IGNORECASE,
)

_READ_ONLY = "a model only reads: write one SELECT, or WITH ... SELECT"

# Words that start a write where the parser gave up. A name spelled like one has to be quoted
# there. BEGIN is among them because the tokenizer swallows a statement that follows it.
_WRITE = re.compile("INSERT|UPDATE|DELETE|MERGE|TRUNCATE|COPY|CALL|CREATE|DROP|ALTER|BEGIN")
_LOCK = re.compile("FOR (UPDATE|SHARE|KEY)")

# What engines call a column that has no name: PostgreSQL ``?column?``, DuckDB the text of the
# expression. A name such as ``price (EUR)`` is a name.
_EXPRESSION_TEXT = re.compile(
    r"\?column\?|\(.*\)|\w+\(.*\)|'.*'|CASE\s.*\sEND", re.DOTALL | re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class ModelSql:
    """
    A query that was checked: one statement, which writes nothing.

    Args:
        text: the author's text, without what ended the statement.

        dialect: sqlglot's name of the SQL dialect.
    """

    text: str
    dialect: str

    @property
    def wrapped(self) -> str:
        """The query as a derived table; engines refuse a write in this place themselves."""
        # The line breaks keep a comment in the last line from swallowing the parenthesis.
        return f"SELECT * FROM (\n{self.text}\n) AS q"


def check_select(sql: str, *, dialect: str) -> ModelSql:
    """
    Check that *sql* is one query which writes nothing.

    SQL that sqlglot cannot parse is judged by its words, so that vendor syntax goes through.

    Args:
        sql: the model as its author wrote it, rendered.

        dialect: sqlglot's name of the SQL dialect, ``postgres`` or ``duckdb``.

    Returns:
        The author's text, cut by the tokenizer before the semicolon that ends it.

    Raises:
        ModelError: there is no query, more than one, or one that writes or locks.
    """
    text, tokens = _one_statement(sql, dialect)
    first = tokens[0].text.upper()
    if first == "VALUES":
        msg = (
            "the model SQL is a bare VALUES, whose columns have no names:"
            " write SELECT user_id, ... FROM (VALUES ...) AS v (user_id, ...)"
        )
        raise ModelError(msg)
    if first not in {"SELECT", "WITH", "FROM", "("}:
        # Only a keyword is repeated: anything else might be a value.
        kind = tokens[0].token_type.name
        word = first if _is_bare_word(tokens[0]) and kind != "VAR" else "something else"
        raise ModelError(f"the model SQL starts with {word}; {_READ_ONLY}")

    tree = _parse(text, dialect)
    if tree is None:
        _check_words(tokens)
    else:
        _check_tree(tree)

    return ModelSql(text=text, dialect=dialect)


def author_names(sql: str, *, dialect: str) -> list[str | None] | None:
    """
    Read the names of the outermost projection as the author spelled them.

    Returns:
        One entry per output column: the alias or column name, ``None`` where the expression has
        none. ``None`` altogether where positions cannot be known (a star, a column that
        expands, SQL beyond the parser): then the names are the engine's.
    """
    from sqlglot import exp

    text, _ = _one_statement(sql, dialect)
    tree = _parse(text, dialect)
    if not isinstance(tree, exp.Query):
        return None
    # Of a set operation it is the first query that names the columns.
    columns = tree.selects
    if any(_expands(column) for column in columns):
        return None
    return [_spelled_name(column) for column in columns]


def match_names(
    author: Sequence[str | None] | None,
    result_names: Sequence[str],
    *,
    max_identifier_bytes: int | None = None,
) -> list[str]:
    """
    Give the columns of a result their names: the author's spelling where it is the same name.

    Args:
        author: what ``author_names`` returned for the query.

        result_names: names the engine reports, in order. On DuckDB ask ``DESCRIBE <query>``,
            which tells duplicates; around a derived table it renames them silently.

        max_identifier_bytes: beyond this the engine cuts a name; PostgreSQL 63.

    Returns:
        One name per column of the result.

    Raises:
        ModelError: a column has no name, or one that is empty, reserved, too long, given
            twice, or different from another by case only.
    """
    if not result_names:
        raise ModelError(f"the model SQL returns no columns; {_READ_ONLY}")
    known = author is not None and len(author) == len(result_names)
    spelled: Sequence[str | None] = author if known and author else [None] * len(result_names)

    names = []
    for position, (own, engine) in enumerate(zip(spelled, result_names, strict=True), start=1):
        if own is not None and own.lower() == engine.lower():
            names.append(own)
        elif _EXPRESSION_TEXT.fullmatch(engine) or (known and own is None):
            # The engine's name may hold a literal of the SQL: it is not repeated here.
            raise ModelError(f"column {position} has no name: write `expr AS name`")
        else:
            _check_length(position, own or engine, max_identifier_bytes)
            names.append(engine)
    for position, name in enumerate(names, start=1):
        _check_name(position, name)
        _check_length(position, name, max_identifier_bytes)
    # The author's names first: DuckDB has made `a` and `a_1` of two `a`.
    _check_distinct([own or name for own, name in zip(spelled, names, strict=True)])
    _check_distinct(names)

    return names


@lru_cache(maxsize=8)
def _one_statement(sql: str, dialect: str) -> tuple[str, list[Token]]:
    """Cut *sql* to its only statement; comments inside and before it stay."""
    from sqlglot.dialects.dialect import Dialect
    from sqlglot.errors import TokenError

    # Editors write a byte order mark, and PostgreSQL takes it for a name.
    sql = sql.removeprefix("\ufeff")
    if "\0" in sql:
        raise ModelError("the model SQL holds a NUL character; remove it")
    try:
        tokens = Dialect.get_or_raise(dialect).tokenize(sql)
    except TokenError:
        # Its message and its cause quote the SQL.
        msg = "the model SQL cannot be read: a string, quoted name or comment is never closed"
        raise ModelError(msg) from None

    statements: list[list[Token]] = [[]]
    for token in tokens:
        if _is_semicolon(token):
            statements.append([])
        else:
            statements[-1].append(token)
    filled = [index for index, statement in enumerate(statements) if statement]
    if not filled:
        raise ModelError("the model SQL is empty; write one SELECT")
    if len(filled) > 1:
        msg = (
            f"the model SQL holds {len(filled)} statements; keep the one SELECT"
            " and run the others in a task before this one"
        )
        raise ModelError(msg)

    ends = [token for token in tokens if _is_semicolon(token)]
    own = filled[0]
    start = ends[own - 1].end + 1 if own else 0
    stop = ends[own].start if own < len(ends) else len(sql)
    return sql[start:stop], statements[own]


# A run asks twice, to check the query and to read its names; nobody changes the tree.
@lru_cache(maxsize=8)
def _parse(text: str, dialect: str) -> exp.Expr | None:
    """Parse one statement; ``None`` where sqlglot does not know the syntax."""
    import sqlglot
    from sqlglot.errors import SqlglotError

    try:
        with _without_sqlglot_log():
            return sqlglot.parse_one(text, read=dialect)
    except (SqlglotError, RecursionError):
        return None


def _check_tree(tree: exp.Expr) -> None:
    from sqlglot import exp

    if not isinstance(tree, exp.Query):
        raise ModelError(f"the model SQL is no query; {_READ_ONLY}")
    writes = (exp.DML, exp.DDL, exp.Drop, exp.Alter, exp.TruncateTable, exp.Command)
    for node in tree.walk():
        if isinstance(node, exp.Into):
            _refuse_into()
        if isinstance(node, exp.Lock):
            _refuse_lock()
        if isinstance(node, writes):
            _refuse_write(node.key.upper())


def _check_words(tokens: list[Token]) -> None:
    """Judge by words what the parser cannot: balanced, and nothing that starts a write."""
    words = [token.text.upper() if _is_bare_word(token) else "" for token in tokens]
    depth = 0
    for before, word, after in zip(["", *words], words, [*words[1:], ""], strict=False):
        depth += (word == "(") - (word == ")")
        if depth < 0:
            # It would end the derived table that the query is put into.
            break
        if before == "." or after == "(":
            continue
        if _LOCK.fullmatch(f"{word} {after}"):
            _refuse_lock()
        if word == "INTO":
            _refuse_into()
        if _WRITE.fullmatch(word):
            _refuse_write(word)
    if depth:
        raise ModelError("the parentheses of the model SQL do not match")


def _is_semicolon(token: Token) -> bool:
    return token.token_type.name == "SEMICOLON"


def _is_bare_word(token: Token) -> bool:
    """Tell keywords, unquoted names and signs from literals and quoted names."""
    return not token.token_type.name.endswith(("IDENTIFIER", "STRING", "NUMBER"))


def _refuse_write(word: str) -> None:
    msg = (
        f"the model SQL holds {word}, which writes; a model only reads: run it in a task before"
        f' this one (a column or table of that name is written in quotes, "{word.lower()}")'
    )
    raise ModelError(msg)


def _refuse_into() -> None:
    raise ModelError("the model SQL holds INTO, which creates a table; remove INTO and its name")


def _refuse_lock() -> None:
    raise ModelError("the model SQL locks its rows (FOR UPDATE, FOR SHARE); remove that clause")


def _expands(column: exp.Expr) -> bool:
    """Tell whether one entry of the projection may become several columns."""
    from sqlglot import exp

    inner = column.unalias()
    expanding = (exp.Explode, exp.Unnest, exp.Inline, exp.Aliases)
    return column.is_star or isinstance(inner, expanding) or column.find(exp.Columns) is not None


def _spelled_name(column: exp.Expr) -> str | None:
    from sqlglot import exp

    if isinstance(column, exp.Alias | exp.Column | exp.Dot):
        return column.output_name or None
    # PostgreSQL calls `phone::text` phone as well.
    if isinstance(column, exp.Cast | exp.Paren):
        return _spelled_name(column.this)
    return None


def _check_name(position: int, name: str) -> None:
    if not name.strip():
        raise ModelError(f"the name of column {position} is empty: write `expr AS name`")
    if "\0" in name:
        raise ModelError(f"the name of column {position} holds a NUL character; write another")
    if _RESERVED.fullmatch(name):
        msg = (
            f"column {position} is named {name!r}, which the state tables need themselves:"
            " write `AS` and another name"
        )
        raise ModelError(msg)


def _check_length(position: int, name: str, max_bytes: int | None) -> None:
    # Surrogates cannot be encoded strictly; no engine gives them, and their length is enough.
    size = len(name.encode(errors="surrogatepass"))
    if max_bytes is not None and size > max_bytes:
        msg = (
            f"the name of column {position} has {size} bytes, and the engine cuts names after"
            f" {max_bytes}: write a shorter one"
        )
        raise ModelError(msg)


def _check_distinct(names: Sequence[str]) -> None:
    seen: dict[str, int] = {}
    for position, name in enumerate(names, start=1):
        earlier = seen.setdefault(name.lower(), position)
        if earlier == position:
            continue
        other = names[earlier - 1]
        if other == name:
            msg = f"columns {earlier} and {position} are both named {name!r}: rename one with `AS`"
        else:
            msg = (
                f"columns {earlier} and {position} differ by case only, {other!r} and {name!r}:"
                " rename one with `AS`"
            )
        raise ModelError(msg)


@contextmanager
def _without_sqlglot_log() -> Iterator[None]:
    """Keep sqlglot from logging the SQL, which may hold personal data, in this thread."""
    thread = threading.get_ident()

    def is_of_another_thread(record: logging.LogRecord) -> bool:
        return record.thread != thread

    logger = logging.getLogger("sqlglot")
    logger.addFilter(is_of_another_thread)
    try:
        yield
    finally:
        logger.removeFilter(is_of_another_thread)
