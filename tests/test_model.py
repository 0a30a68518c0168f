"""What the model SQL check promises, on real engines."""

from __future__ import annotations

import re
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import duckdb
import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from iterable_sync.errors import ModelError
from iterable_sync.model import author_names, check_select, match_names

if TYPE_CHECKING:
    from collections.abc import Iterator

CANARY = "canary@example.com"

RESERVED = ("seq", "op", "route", "mask", "identity", "status", "dirty", "mapping")
RESERVED += ("episode", "origin", "accepted_at", "run", "held", "key", "event_at", "doubted_at")

SETUP = """
CREATE TEMP TABLE shop_users (
    id integer, first_name text, "Plan" text, score double precision, doc {json}, seen timestamp
);
INSERT INTO shop_users VALUES
    (1, 'Ana', 'pro', 1.5, '{{"a": 1, "b": {{"c": "x;y"}}}}', '2026-01-01 10:00:00'),
    (2, 'Jörg %s', 'a:b', NULL, '{{"z": [1, 2]}}', NULL),
    (3, NULL, 'free -- no', -0.5, NULL, '1969-12-31 23:59:59');
"""


@dataclass
class Engine:
    """One real engine, with the three users above."""

    dialect: str
    connection: Any

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        # No parameters: the drivers then pass the SQL on as it is.
        return self.connection.execute(sql).fetchall()

    def names(self, sql: str) -> list[str]:
        if self.dialect == "duckdb":
            return [row[0] for row in self.rows(f"DESCRIBE {sql}")]
        cursor = self.connection.execute(f"SELECT * FROM (\n{sql}\n) AS q LIMIT 0")
        return [column.name for column in cursor.description]

    def traces(self) -> Any:
        """Read what a write would change: rows, and tables."""
        tables = self.rows(
            "SELECT table_name FROM information_schema.tables"
            " WHERE table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY 1"
        )
        return self.rows("SELECT id, first_name FROM shop_users ORDER BY id"), tables


@pytest.fixture(scope="module")
def duck() -> Iterator[Engine]:
    with duckdb.connect() as connection:
        connection.execute(SETUP.format(json="json"))
        yield Engine("duckdb", connection)


@pytest.fixture(scope="module")
def postgres(postgres_url: str) -> Iterator[Engine]:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(SETUP.format(json="jsonb"))
        yield Engine("postgres", connection)


@pytest.fixture(params=["duckdb", "postgres"])
def engine(request: pytest.FixtureRequest) -> Engine:
    return request.getfixturevalue("duck" if request.param == "duckdb" else "postgres")


@pytest.fixture
def undo(engine: Engine) -> Iterator[None]:
    engine.connection.execute("BEGIN")
    yield
    engine.connection.execute("ROLLBACK")


# id -> (SQL, the names a field gets; None where the engine does not take the SQL)
BOTH = {
    "plain": ("SELECT id, first_name FROM shop_users", ["id", "first_name"]),
    "alias keeps its case": ("SELECT first_name AS firstName FROM shop_users", ["firstName"]),
    "alias without AS": ("SELECT first_name firstName FROM shop_users", ["firstName"]),
    "quoted alias": ('SELECT first_name AS "firstName" FROM shop_users', ["firstName"]),
    "dotted alias": ('SELECT first_name AS "name.first" FROM shop_users', ["name.first"]),
    "quote inside a name": ('SELECT id AS "a""b" FROM shop_users', ['a"b']),
    "semicolon in a name": ('SELECT id AS "a;b--c" FROM shop_users', ["a;b--c"]),
    "column spelled otherwise": ("SELECT ID, u.First_Name FROM shop_users u", ["ID", "First_Name"]),
    "quoted column": ('SELECT u."Plan" FROM shop_users AS u', ["Plan"]),
    "star": ("SELECT * FROM shop_users", ["id", "first_name", "Plan", "score", "doc", "seen"]),
    "star of a table and more": (
        "SELECT p.*, 5 AS n FROM (SELECT id FROM shop_users) p",
        ["id", "n"],
    ),
    "trailing semicolon": ("SELECT id FROM shop_users;", ["id"]),
    "many semicolons": ("SELECT id FROM shop_users ; ;\n;", ["id"]),
    "comment after the semicolon": ("SELECT id FROM shop_users; -- the end", ["id"]),
    "block comments around": ("/* a; */ SELECT id /* b; */ FROM shop_users; /* c */", ["id"]),
    "comment in the last line": ("SELECT id FROM shop_users -- all; of them", ["id"]),
    "comment, then semicolon": ("SELECT id FROM shop_users -- x\n;", ["id"]),
    "nested comment": ("/* a /* b; */ c */ SELECT id FROM shop_users", ["id"]),
    "byte order mark": ("\ufeffSELECT id FROM shop_users", ["id"]),
    "semicolon first": ("; SELECT id FROM shop_users", ["id"]),
    "windows line ends": ("SELECT id -- key\r\nFROM shop_users;\r\n", ["id"]),
    "json text": ("""SELECT '{"a":1, "b":":c"}' AS j FROM shop_users""", ["j"]),
    "like with per cent": ("SELECT id FROM shop_users WHERE first_name LIKE 'A%'", ["id"]),
    "per cent s in a literal": ("SELECT id FROM shop_users WHERE first_name LIKE '%%s'", ["id"]),
    "modulo": ("SELECT id % 2 AS odd FROM shop_users", ["odd"]),
    "colon name in a literal": ("SELECT ':name' AS a, 'x :b' AS b", ["a", "b"]),
    "semicolon in a literal": ("SELECT 'a; DELETE FROM shop_users; --' AS s", ["s"]),
    "dashes in a literal": ("SELECT 'a -- b' AS s, '/* c' AS t", ["s", "t"]),
    "doubled quote": ("SELECT 'it''s; ''' AS s", ["s"]),
    "backslash before a quote": (r"SELECT 'a\' AS s", ["s"]),
    "escape string": (r"SELECT E'it\'s; ' AS s", ["s"]),
    "dollar quotes": ("SELECT $$a;b 'c$$ AS s", ["s"]),
    "tagged dollar quotes": ("SELECT $q$ ; -- $$ $q$ AS s", ["s"]),
    "emoji and accents": ("SELECT '😀é;' AS \"naïve😀\" FROM shop_users;", ["naïve😀"]),
    "write words in literals": ("SELECT 'DELETE FROM x' AS delete_text", ["delete_text"]),
    "write words as names": ('SELECT 1 AS "delete", 2 AS "into"', ["delete", "into"]),
    "replace function": ("SELECT replace(first_name, 'A', 'B') AS r FROM shop_users", ["r"]),
    "cte": ("WITH a AS (SELECT id AS Id FROM shop_users) SELECT Id FROM a", ["Id"]),
    "two ctes": ("WITH a AS (SELECT 1 AS x), b AS (SELECT x FROM a) SELECT x AS Y FROM b", ["Y"]),
    "cte materialized": ("WITH a AS MATERIALIZED (SELECT 1 AS x) SELECT x FROM a", ["x"]),
    "recursive cte": (
        "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 3)"
        " SELECT n FROM r",
        ["n"],
    ),
    "union takes the first names": ("SELECT 1 AS One UNION ALL SELECT 2 AS two", ["One"]),
    "except in parentheses": ("(SELECT 1 AS One) EXCEPT (SELECT 2)", ["One"]),
    "query in parentheses": ("((SELECT 1 AS One))", ["One"]),
    "window": (
        "SELECT id, row_number() OVER (PARTITION BY id % 2 ORDER BY id) AS rank FROM shop_users",
        ["id", "rank"],
    ),
    "named window": (
        "SELECT lag(id) OVER w AS before FROM shop_users WINDOW w AS (ORDER BY id)",
        ["before"],
    ),
    "filter clause": ("SELECT count(*) FILTER (WHERE id > 1) AS n FROM shop_users", ["n"]),
    "grouping sets": (
        "SELECT id, count(*) AS n FROM shop_users GROUP BY GROUPING SETS ((id), ())",
        ["id", "n"],
    ),
    "case": ("SELECT CASE WHEN id > 1 THEN 'a;' END AS c FROM shop_users", ["c"]),
    "lateral": (
        "SELECT u.id, x.y FROM shop_users u, LATERAL (SELECT u.id + 1 AS y) x",
        ["id", "y"],
    ),
    "order and limit": ("SELECT id FROM shop_users ORDER BY score DESC NULLS LAST LIMIT 2", ["id"]),
    "json arrow": ("SELECT doc ->> 'a' AS a FROM shop_users", ["a"]),
    "values in FROM": ("SELECT a FROM (VALUES (1), (2)) AS v(a)", ["a"]),
    "distinct on": ("SELECT DISTINCT ON (id) id, score FROM shop_users", ["id", "score"]),
    "interval": ("SELECT seen + INTERVAL '1 day' AS next FROM shop_users", ["next"]),
}
POSTGRES = {
    "jsonb has key": ("SELECT doc ? 'a' AS has FROM shop_users", ["has"]),
    "jsonb has any": ("SELECT doc ?| array['a', 'b'] AS h FROM shop_users", ["h"]),
    "jsonb path": ("SELECT doc #>> '{b,c}' AS c, doc @? '$.a' AS p FROM shop_users", ["c", "p"]),
    "jsonb contains": ("""SELECT doc @> '{"a": 1}' AS c FROM shop_users""", ["c"]),
    "cast keeps the name": ("SELECT id::text, (score)::int FROM shop_users", ["id", "score"]),
    "unicode string": (r"SELECT U&'d\0061t;' AS s", ["s"]),
    "operator by name": ("SELECT 1 OPERATOR(pg_catalog.+) 2 AS three", ["three"]),
    "rows from": (
        "SELECT a, b FROM ROWS FROM (generate_series(1, 2), generate_series(3, 4)) AS r(a, b)",
        ["a", "b"],
    ),
    "beyond the parser, absolute": ('SELECT @ -5 AS "Five" -- ;\n;', ["Five"]),
    "beyond the parser, tsquery": ("SELECT !! 'a'::tsquery AS q, 'x;(' AS r;", ["q", "r"]),
    "beyond the parser, ranges": ("SELECT '[1,2)'::int4range -|- '[2,3)' AS next", ["next"]),
}
DUCKDB = {
    "FROM first": ("FROM shop_users SELECT ID", ["ID"]),
    "FROM alone": ("FROM (SELECT 1 AS a)", ["a"]),
    "alias before a colon": ("SELECT Foo: 1", ["Foo"]),
    "alias as a string": ("SELECT id AS 'Key' FROM shop_users", ["Key"]),
    "star replace": ("SELECT * REPLACE (a + 1 AS a) FROM (SELECT 1 AS a, 2 AS B)", ["a", "B"]),
    "columns": ("SELECT COLUMNS('i.*') FROM shop_users", ["id", "first_name"]),
    "unnested struct": ("SELECT unnest({'a': 1, 'B': 2})", ["a", "B"]),
    "pivot in a cte": (
        "WITH p AS (PIVOT (SELECT 1 AS a, 2 AS b) ON a USING sum(b)) SELECT * FROM p",
        ["1"],
    ),
    "qualify": ("SELECT id FROM shop_users QUALIFY row_number() OVER (ORDER BY id) = 1", ["id"]),
    "list comprehension": ("SELECT [x + 1 FOR x IN [1, 2]] AS l", ["l"]),
    "trailing comma": ("SELECT id, first_name, FROM shop_users", ["id", "first_name"]),
    "beyond the parser, blob": ("SELECT x'AB' AS \"Blob\", ';' AS s;", ["Blob", "s"]),
    "union by name": ("SELECT 1 AS A UNION ALL BY NAME SELECT 2 AS b", ["A", "b"]),
}
ACCEPTED = [
    pytest.param(dialect, sql, names, id=f"{dialect} {label}")
    for dialect, queries in (("duckdb", BOTH | DUCKDB), ("postgres", BOTH | POSTGRES))
    for label, (sql, names) in queries.items()
]


@pytest.mark.failure("D15")
@pytest.mark.capability("A9", "B21")
@pytest.mark.parametrize(("dialect", "sql", "names"), ACCEPTED)
def test_honest_query_goes_through_unaltered(
    request: pytest.FixtureRequest, dialect: str, sql: str, names: list[str]
):
    """Wrapped, a query gives the rows that the author's own text gives, under his names."""
    engine: Engine = request.getfixturevalue("duck" if dialect == "duckdb" else "postgres")
    bare = sql.removeprefix("\ufeff").removeprefix(";")

    model = check_select(sql, dialect=dialect)
    found = match_names(author_names(sql, dialect=dialect), engine.names(model.text))

    assert model.text in sql
    assert sorted(map(repr, engine.rows(bare))) == sorted(map(repr, engine.rows(model.wrapped)))
    assert names == found


# id -> (SQL, words of the message). All of them leave traces when run as they are.
WRITES = {
    "delete in a cte": (
        "WITH d AS (DELETE FROM shop_users RETURNING *) SELECT * FROM d",
        "DELETE, which writes",
    ),
    "update in a cte": (
        "WITH d AS (UPDATE shop_users SET first_name = 'x' RETURNING *) SELECT id FROM d",
        "UPDATE, which writes",
    ),
    "insert in a cte": (
        "WITH d AS (INSERT INTO shop_users (id) VALUES (9) RETURNING id) SELECT id FROM d",
        "INSERT, which writes",
    ),
    "cte before a delete": (
        "WITH d AS (SELECT 1 AS id) DELETE FROM shop_users WHERE id IN (SELECT id FROM d)",
        "no query",
    ),
    "delete": ("DELETE FROM shop_users", "starts with DELETE"),
    "update": ("UPDATE shop_users SET id = 7", "starts with UPDATE"),
    "create": ("CREATE TABLE made AS SELECT 1 AS a", "starts with CREATE"),
    "drop": (
        "ALTER TABLE shop_users ALTER first_name SET DEFAULT 'x'; DROP TABLE shop_users",
        "2 statements",
    ),
    "second statement": ("SELECT 1 AS a; DELETE FROM shop_users", "holds 2 statements"),
    "second statement, no space": ("SELECT 1 AS a;DELETE FROM shop_users;-- x", "2 statements"),
    "comment in the first": ("SELECT 1 AS a /* ; */; DELETE FROM shop_users", "2 statements"),
    "after a backslash": (r"SELECT 'a\'; DELETE FROM shop_users; --' AS a", "2 statements"),
}
WRITES_OF_POSTGRES = {
    "into": ("SELECT id INTO made FROM shop_users", "INTO"),
    "merge in a cte": (
        "WITH m AS (MERGE INTO shop_users t USING (SELECT 1 AS id) s ON t.id = s.id"
        " WHEN MATCHED THEN DELETE RETURNING t.id) SELECT id FROM m",
        "MERGE, which writes",
    ),
    "beyond the parser, delete in a cte": (
        "WITH d AS (DELETE FROM shop_users RETURNING *) SELECT @ -1 AS a FROM d",
        "DELETE, which writes",
    ),
    "beyond the parser, into": ("SELECT @ -1 AS a INTO made", "INTO"),
}
REFUSED = [
    pytest.param(dialect, sql, words, id=f"{dialect} {label}")
    for dialect, queries in (("duckdb", WRITES), ("postgres", WRITES | WRITES_OF_POSTGRES))
    for label, (sql, words) in queries.items()
]


def traces_of(engine: Engine) -> Any:
    try:
        return engine.traces()
    except (duckdb.Error, psycopg.Error):
        return "the table is gone"


@pytest.mark.parametrize(("dialect", "sql", "words"), REFUSED)
def test_refused_query_would_have_written(
    request: pytest.FixtureRequest, dialect: str, sql: str, words: str
):
    engine: Engine = request.getfixturevalue("duck" if dialect == "duckdb" else "postgres")
    before = engine.traces()
    engine.connection.execute("BEGIN")
    try:
        engine.connection.execute(sql)
        after = traces_of(engine)
    finally:
        engine.connection.execute("ROLLBACK")

    assert before != after
    with pytest.raises(ModelError, match=re.escape(words)):
        check_select(sql, dialect=dialect)


def test_query_that_breaks_out_of_its_parentheses_is_refused(engine: Engine, undo: None):
    """Put into the derived table as it is, this text would delete."""
    sql = "SELECT 1 AS a) AS q; DELETE FROM shop_users; SELECT 1 FROM (SELECT 1 AS b"
    before = engine.traces()

    engine.connection.execute(f"SELECT * FROM (\n{sql}\n) AS q")

    assert before != engine.traces()
    with pytest.raises(ModelError, match="3 statements"):
        check_select(sql, dialect=engine.dialect)


@pytest.mark.parametrize(
    "sql",
    [
        "WITH d AS (DELETE FROM shop_users RETURNING *) SELECT * FROM d",
        "WITH d AS (UPDATE shop_users SET id = 7 RETURNING *) SELECT * FROM d",
        "SELECT id INTO made FROM shop_users",
        "DELETE FROM shop_users RETURNING id",
    ],
)
def test_engine_itself_refuses_a_write_inside_the_wrapper(engine: Engine, undo: None, sql: str):
    """The second line of defence: what the check might miss fails in a derived table."""
    with pytest.raises((duckdb.Error, psycopg.Error)):
        engine.connection.execute(f"SELECT * FROM (\n{sql}\n) AS q")


@pytest.mark.parametrize(
    "clause", ["UPDATE", "SHARE", "NO KEY UPDATE", "KEY SHARE SKIP LOCKED", "UPDATE OF u NOWAIT"]
)
@pytest.mark.parametrize("expression", ["id", "@ -1 AS a"], ids=["parsed", "beyond the parser"])
def test_locking_query_is_refused(postgres: Engine, clause: str, expression: str):
    """A row lock is a write: PostgreSQL refuses it in a read-only transaction."""
    sql = f"SELECT {expression} FROM shop_users u FOR {clause}"
    # Temporary tables are exempt from read-only transactions, the catalogue is not.
    on_a_real_table = sql.replace("shop_users u", "pg_class u").replace("id FROM", "oid FROM")

    postgres.connection.execute("BEGIN READ ONLY")
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        postgres.connection.execute(on_a_real_table)
    postgres.connection.execute("ROLLBACK")

    with pytest.raises(ModelError, match=r"locks its rows|UPDATE, which writes"):
        check_select(sql, dialect="postgres")


@pytest.mark.failure("D15")
@pytest.mark.parametrize(
    ("sql", "words"),
    [
        pytest.param("", "is empty", id="nothing"),
        pytest.param(" \n\t", "is empty", id="space"),
        pytest.param("-- SELECT 1", "is empty", id="only a comment"),
        pytest.param(" ; ; ", "is empty", id="only semicolons"),
        pytest.param("VALUES (1, 2)", "bare VALUES", id="values"),
        pytest.param("EXPLAIN SELECT 1", "write one SELECT", id="explain"),
        pytest.param("TABLE t", "starts with TABLE; a model only reads", id="table"),
        pytest.param("SHOW TABLES", "write one SELECT", id="show"),
        pytest.param("CALL f()", "write one SELECT", id="call"),
        pytest.param("COPY t TO 'x'", "starts with COPY", id="copy"),
        pytest.param("MERGE INTO t USING s ON a = b", "starts with MERGE", id="merge"),
        pytest.param("'SELECT 1'", "starts with something else", id="literal"),
        pytest.param("hunter2", "starts with something else", id="word"),
        pytest.param("SELECT 'x", "never closed", id="open string"),
        pytest.param('SELECT 1 AS "x', "never closed", id="open name"),
        pytest.param("SELECT 1 /* x", "never closed", id="open comment"),
        pytest.param("SELECT 1 AS a\0", "NUL", id="NUL"),
        pytest.param("SELECT @ (1", "parentheses", id="open parenthesis"),
        pytest.param("SELECT @ 1) AS q, (SELECT 2", "parentheses", id="closed too early"),
        pytest.param(
            "WITH x AS (SELECT @ 1 AS begin fetch next rows), d AS (DELETE FROM t) SELECT 1",
            "BEGIN",
            id="statement that the tokenizer swallows",
        ),
    ],
)
@pytest.mark.parametrize("dialect", ["duckdb", "postgres"])
def test_text_that_is_no_query_is_refused_with_the_way_out(dialect: str, sql: str, words: str):
    with pytest.raises(ModelError, match=words):
        check_select(sql, dialect=dialect)


@pytest.mark.parametrize(
    "sql",
    [
        f"DELETE FROM t WHERE email = '{CANARY}'",
        f"'{CANARY}'",
        f"SELECT '{CANARY}, and the quote is never closed",
        f"SELECT '{CANARY}'; SELECT 2",
        f"SELECT @ ('{CANARY}'",
        f"CALL f('{CANARY}')",
        f"WITH a AS (CALL f('{CANARY}')) SELECT 1",
        f"SELECT 1 FROM (SELECT 1 WHERE '{CANARY}' FOR UPDATE) x",
        f"WITH d AS (DELETE FROM t WHERE a = '{CANARY}' RETURNING *) SELECT * FROM d",
    ],
)
@pytest.mark.parametrize("dialect", ["duckdb", "postgres"])
def test_no_literal_reaches_an_error_or_a_log(
    caplog: pytest.LogCaptureFixture, dialect: str, sql: str
):
    with caplog.at_level(0), pytest.raises(ModelError) as caught:
        check_select(sql, dialect=dialect)

    shown = "".join(traceback.format_exception(caught.value))

    assert CANARY not in shown
    assert CANARY not in caplog.text


def test_write_words_may_name_columns_and_functions_beyond_the_parser():
    sql = "SELECT @ -1 AS a, u.delete, truncate(u.b, 1) AS t FROM u"

    assert sql == check_select(sql, dialect="postgres").text


def test_nested_beyond_the_parser_is_judged_by_its_words():
    """The parser gives up at its recursion limit; the check does not."""
    sql = f"SELECT {'(' * 3000}1{')' * 3000} AS a"

    assert sql == check_select(sql, dialect="duckdb").text


JUNK = st.lists(st.sampled_from([";", " ", "\n", "-- x; 'y\n", "/* ; ' */", ";;"]), max_size=6)


@settings(max_examples=100, deadline=None)
@given(junk=JUNK)
def test_semicolons_and_comments_at_the_end_never_matter(duck: Engine, junk: list[str]):
    sql = "SELECT id, ';' AS s FROM shop_users WHERE id < 2"

    model = check_select(sql + "\n" + "".join(junk), dialect="duckdb")

    assert model.text.startswith(sql)
    assert duck.rows(model.wrapped) == [(1, ";")]


IDENTIFIERS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1),
    st.text("ab\"'`;-/*%:?$[]{}() \\é😀", min_size=1, max_size=40),
)


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(name=IDENTIFIERS)
@example('x"; DELETE FROM shop_users; --')
@example("é" * 31 + "x")
@example("é" * 32)
@example("?column?")
@example("_Seq")
@example("_DOUBTED_AT")
def test_any_quoted_name_comes_back_as_the_author_wrote_it(engine: Engine, name: str):
    quoted = '"' + name.replace('"', '""') + '"'
    sql = f"SELECT 1 AS {quoted};"
    limit = 63 if engine.dialect == "postgres" else None

    model = check_select(sql, dialect=engine.dialect)
    author = author_names(sql, dialect=engine.dialect)
    result = engine.names(model.text)

    assert [name] == author
    if not name.strip():
        with pytest.raises(ModelError, match="empty"):
            match_names(author, result, max_identifier_bytes=limit)
    elif name.lower().removeprefix("_") in RESERVED and name.startswith("_"):
        with pytest.raises(ModelError, match="state tables need"):
            match_names(author, result, max_identifier_bytes=limit)
    elif limit is not None and len(name.encode()) > limit:
        with pytest.raises(ModelError, match="cuts names after 63"):
            match_names(author, result, max_identifier_bytes=limit)
    else:
        assert [name] == match_names(author, result, max_identifier_bytes=limit)
    assert len(engine.rows("SELECT id FROM shop_users")) == 3


@pytest.mark.parametrize(
    ("sql", "names"),
    [
        pytest.param("SELECT a, b + 1, count(*) FROM t", ["a", None, None], id="expressions"),
        pytest.param("SELECT a::int, (b) FROM t", ["a", "b"], id="cast and parentheses"),
        pytest.param("SELECT (s).f FROM t", ["f"], id="field of a struct"),
        pytest.param("SELECT doc -> 'b', x[1] FROM t", [None, None], id="json and item"),
        pytest.param("SELECT CASE WHEN a THEN 1 END, (SELECT b) FROM t", [None, None], id="case"),
        pytest.param("SELECT *, a FROM t", None, id="star"),
        pytest.param("SELECT t.* FROM t", None, id="star of a table"),
        pytest.param("SELECT (s).* FROM t", None, id="star of a struct"),
        pytest.param("SELECT max(COLUMNS(*)) FROM t", None, id="columns"),
        pytest.param("SELECT unnest(x) AS a FROM t", None, id="unnest"),
        pytest.param("SELECT 1 AS (a, b)", None, id="list of aliases"),
        pytest.param("SELECT x'AB' AS a", None, id="beyond the parser"),
        pytest.param("DELETE FROM t", None, id="no query"),
    ],
)
def test_author_names_are_known_by_position_or_not_at_all(sql: str, names: list[str | None] | None):
    assert names == author_names(sql, dialect="duckdb")


@pytest.mark.parametrize(
    ("author", "result", "names"),
    [
        pytest.param(["firstName"], ["firstname"], ["firstName"], id="folded down"),
        pytest.param(["firstName"], ["FIRSTNAME"], ["firstName"], id="folded up"),
        pytest.param(["other"], ["name"], ["name"], id="another name: the engine's"),
        pytest.param(None, ["a", "B"], ["a", "B"], id="not known: the engine's"),
        pytest.param(["a"], ["a", "b"], ["a", "b"], id="another count: the engine's"),
        pytest.param(["price (EUR)"], ["price (EUR)"], ["price (EUR)"], id="parentheses"),
        pytest.param(None, ["price (EUR)"], ["price (EUR)"], id="parentheses, from a star"),
        pytest.param(["_id"], ["_id"], ["_id"], id="underscore"),
    ],
)
def test_names_match_by_position_whatever_their_case(
    author: list[str | None] | None, result: list[str], names: list[str]
):
    assert names == match_names(author, result, max_identifier_bytes=63)


@pytest.mark.parametrize(
    ("author", "result", "words"),
    [
        pytest.param(["a", "a"], ["a", "a"], "1 and 2 are both named 'a'", id="duplicate"),
        pytest.param(["a", "b", "a"], ["a", "b", "a_1"], "1 and 3 are both", id="renamed"),
        pytest.param(["a", "a"], ["a", "a:1"], "both named 'a'", id="renamed with a colon"),
        pytest.param(["a", "A"], ["a", "A_1"], "by case only, 'a' and 'A'", id="renamed, case"),
        pytest.param(None, ["a", "a"], "both named 'a'", id="duplicate from a star"),
        pytest.param(["x", "b"], ["b", "b"], "both named 'b'", id="duplicate of the engine"),
        pytest.param(["aB", "Ab"], ["aB", "Ab"], "by case only, 'aB' and 'Ab'", id="case"),
        pytest.param(["É", "é"], ["É", "é"], "by case only", id="case of an accent"),
        pytest.param(["a", None], ["a", "count"], "column 2 has no name", id="unnamed"),
        pytest.param(None, ["a", "?column?"], "column 2 has no name", id="unnamed on PostgreSQL"),
        pytest.param(None, ["count_star()"], "column 1 has no name", id="unnamed on DuckDB"),
        pytest.param(None, [f"(a = '{CANARY}')"], "column 1 has no name", id="expression"),
        pytest.param(None, [f"'{CANARY}'"], "column 1 has no name", id="literal"),
        pytest.param(None, ["CASE  WHEN (a) THEN (1) ELSE 0 END"], "no name", id="case when"),
        pytest.param(["a"], ["CAST(a AS VARCHAR)"], "column 1 has no name", id="cast on DuckDB"),
        pytest.param(["a" * 64], ["a" * 63], "has 64 bytes", id="cut"),
        pytest.param(["a" * 64], ["a" * 64], "has 64 bytes", id="too long"),
        pytest.param(None, ["é" * 32], "has 64 bytes", id="bytes, not characters"),
        pytest.param(None, [""], "column 1 is empty", id="empty"),
        pytest.param([""], [" "], "column 1 is empty", id="blank"),
        pytest.param(None, ["a\0b"], "NUL", id="NUL"),
        pytest.param([], [], "returns no columns", id="no columns"),
        pytest.param(["_Seq"], ["_seq"], "which the state tables need", id="reserved, other case"),
        *(
            pytest.param([f"_{name}"], [f"_{name}"], "which the state tables need", id=name)
            for name in RESERVED
        ),
    ],
)
def test_names_that_cannot_be_fields_are_refused(
    author: list[str | None] | None, result: list[str], words: str
):
    with pytest.raises(ModelError, match=words) as caught:
        match_names(author, result, max_identifier_bytes=63)

    assert CANARY not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "fits"),
    [
        pytest.param("a" * 62, True, id="limit - 1"),
        pytest.param("a" * 63, True, id="limit"),
        pytest.param("a" * 64, False, id="limit + 1"),
    ],
)
def test_name_may_have_as_many_bytes_as_postgres_keeps(postgres: Engine, name: str, fits: bool):
    sql = f"SELECT 1 AS {name}"
    result = postgres.names(sql)

    assert fits == (result == [name])
    if not fits:
        with pytest.raises(ModelError, match="has 64 bytes"):
            match_names([name], result, max_identifier_bytes=63)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT id, id FROM shop_users",
        "SELECT id, first_name AS ID FROM shop_users",
        "SELECT *, 1 AS id FROM shop_users",
        "SELECT a.*, b.id FROM shop_users a JOIN shop_users b ON a.id = b.id",
    ],
)
def test_two_columns_of_one_name_are_refused_on_either_engine(engine: Engine, sql: str):
    """DuckDB renames the second silently around a derived table, so it is asked before."""
    author = author_names(sql, dialect=engine.dialect)

    with pytest.raises(ModelError, match=r"both named|by case only"):
        match_names(author, engine.names(sql))


@pytest.mark.parametrize(
    "expression", ["count(*)", "max(id) + 1", "'x'", "CASE WHEN true THEN 'x;' END", "NULL"]
)
def test_column_without_a_name_is_refused_on_either_engine(engine: Engine, expression: str):
    sql = f"SELECT 1 AS a, {expression} FROM shop_users"
    author = author_names(sql, dialect=engine.dialect)

    with pytest.raises(ModelError, match="column 2 has no name: write `expr AS name`"):
        match_names(author, engine.names(sql))
