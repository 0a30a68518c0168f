from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import duckdb
import psycopg
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from iterable_sync.identity import (
    are_emails,
    are_user_ids,
    fold_email,
    fold_emails,
    identity,
    identity_sql,
    is_email,
    is_user_id,
    trim_emails,
    usable_user_ids,
)
from iterable_sync.rows import ProjectType

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

EMAIL, USER_ID, HYBRID = ProjectType.EMAIL, ProjectType.USER_ID, ProjectType.HYBRID

# Letters whose lower case differs between engines, blanks of several kinds, and what both share.
TEXT = st.text(
    st.sampled_from("aZ @.İẞÉ\t\r\n\v\u00a0'\"") | st.characters(codec="utf-8"), max_size=8
)
# Postgres has no NUL in a text.
PLAIN = TEXT.map(lambda text: text.replace("\0", "")) | st.none()


@pytest.mark.capability("A35", "B5")
@pytest.mark.parametrize(
    ("email", "user_id", "by_email", "by_user_id", "hybrid"),
    [
        pytest.param("A@B.co", "U1", "email:a@b.co", "userId:U1", "userId:U1", id="both"),
        pytest.param("a@b.co", None, "email:a@b.co", None, "email:a@b.co", id="e-mail only"),
        pytest.param(None, "U1", None, "userId:U1", "userId:U1", id="userId only"),
        pytest.param(None, None, None, None, None, id="none"),
        pytest.param("", "", None, None, None, id="empty"),
        pytest.param(" \t\r\n", " ", None, None, None, id="blank"),
        pytest.param(" a@b.co\n", " ", "email:a@b.co", None, "email:a@b.co", id="blank userId"),
        pytest.param(None, " U1 ", None, "userId: U1 ", "userId: U1 ", id="a userId is exact"),
        pytest.param("İ@É.CO", None, "email:İ@É.co", None, "email:İ@É.co", id="ASCII only"),
        pytest.param(
            "\u00a0a@b.co", None, "email:\u00a0a@b.co", None, "email:\u00a0a@b.co", id="nbsp"
        ),
    ],
)
def test_identity_of_a_row(
    email: str | None,
    user_id: str | None,
    by_email: str | None,
    by_user_id: str | None,
    hybrid: str | None,
) -> None:
    """Each type of project identifies a row in its own way, and a blank identifies nobody."""
    assert identity(email, user_id, EMAIL) == by_email
    assert identity(email, user_id, USER_ID) == by_user_id
    assert identity(email, user_id, HYBRID) == hybrid


@pytest.fixture(scope="module")
def duckdb_query() -> Callable[..., Any]:
    connection = duckdb.connect()
    return lambda sql, *values: connection.execute(sql, list(values)).fetchone()


@pytest.fixture(scope="module")
def postgres_query(postgres_url: str) -> Iterator[Callable[..., Any]]:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        yield lambda sql, *values: connection.execute(
            sql.replace("$1", "%s").replace("$2", "%s"), values
        ).fetchone()


@pytest.mark.failure("D9")
@pytest.mark.parametrize("engine", ["duckdb_query", "postgres_query"])
def test_sql_says_what_python_says(engine: str, request: pytest.FixtureRequest) -> None:
    """The one SQL text gives in both engines the identity that Python gives."""
    query = request.getfixturevalue(engine)
    source = "(SELECT CAST($1 AS text) AS email, CAST($2 AS text) AS user_id) AS q"
    parts = ", ".join(identity_sql("email", "user_id", kind) for kind in ProjectType)

    @settings(max_examples=150, deadline=None)
    @given(PLAIN, PLAIN)
    @example("İ@X.COM", " ")
    @example("\v", "\u00a0")
    @example("A@B.co", "\tU")
    @example("a@é.co", "É")
    @example("a@É.co", "\U0001f600")
    def agree(email: str | None, user_id: str | None) -> None:
        found = query(f"SELECT {parts} FROM {source}", email, user_id)

        assert found == tuple(identity(email, user_id, kind) for kind in ProjectType)

    agree()


@pytest.mark.parametrize("engine", ["duckdb_query", "postgres_query"])
@pytest.mark.parametrize("kind", ProjectType)
@pytest.mark.parametrize(("email", "user_id"), [("'A'", None), (None, "'B'"), (None, None)])
def test_model_without_a_column_has_text_or_null(
    engine: str,
    kind: ProjectType,
    email: str | None,
    user_id: str | None,
    request: pytest.FixtureRequest,
) -> None:
    """A column that the model does not have counts as NULL, and the result is text all the same."""
    query = request.getfixturevalue(engine)
    values = (email and "A", user_id and "B", kind)

    found = query(
        f"SELECT i || '!', i FROM (SELECT {identity_sql(email, user_id, kind)} AS i) AS q"
    )

    expected = identity(*values)
    assert found == (expected and f"{expected}!", expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ana@example.com", True),
        ("ana+tag@sub.example.co.uk", True),
        ("user123+147178873@placeholder.email", True),
        ("é@münchen.de", True),
        ("o'neil@example.com", True),
        ('"with blank"@example.com', True),
        ("a@[127.0.0.1]", True),
        ("a@example", False),
        ("a@.com", False),
        ("a@example..com", False),
        ("a@example.com.", False),
        ("a@example.c", False),
        ("a b@example.com", False),
        ("a@exam ple.com", False),
        ("a@b@example.com", False),
        ("@example.com", False),
        ("a@", False),
        ("none", False),
        ("000", False),
        ("", False),
        ("a@example.com\n", False),
        ("a\0@example.com", False),
        ("a" * 308 + "@example.com", True),
        ("a" * 309 + "@example.com", False),
    ],
)
def test_email_that_can_be_no_address_is_found(text: str, expected: bool) -> None:
    assert is_email(text) is expected
    assert are_emails(pa.array([text], pa.large_string())).to_pylist() == [expected]


@pytest.mark.capability("A11")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1", True),
        ("U-7 b", True),
        (" leading", True),
        ("x" * 51, True),
        ("x" * 52, True),
        ("x" * 53, False),
        ("trailing ", False),
        ("", False),
        ("é", False),
        ("a\tb", False),
        ("a\n", False),
        ("\x7f", False),
    ],
)
def test_user_id_that_iterable_refuses_is_found(text: str, expected: bool) -> None:
    assert is_user_id(text) is expected
    assert are_user_ids(pa.array([text], pa.large_string())).to_pylist() == [expected]


@pytest.mark.parametrize(
    "text", ["a@" + "a." * 100_000, "a" * 200_000 + "@", '"' * 200_000, "a@" + ".." * 100_000 + "b"]
)
def test_check_of_an_email_is_linear(text: str) -> None:
    """No text makes the pattern go back and forth."""
    begin = time.perf_counter()

    assert not is_email(text)
    assert not are_emails(pa.array([text], pa.large_string()))[0].as_py()
    assert time.perf_counter() - begin < 1


@settings(max_examples=100, deadline=None)
@given(st.lists(TEXT | st.none(), max_size=10))
def test_columns_are_checked_as_single_values_are(texts: list[str | None]) -> None:
    """The checks and forms of a column are those of its values; null and blank are null."""
    column = pa.array(texts, pa.large_string())

    assert are_emails(column).to_pylist() == [t if t is None else is_email(t) for t in texts]
    assert are_user_ids(column).to_pylist() == [t if t is None else is_user_id(t) for t in texts]
    assert fold_emails(column).to_pylist() == [fold_email(t or "") or None for t in texts]
    assert trim_emails(column).to_pylist() == [(t or "").strip(" \t\r\n") or None for t in texts]
    assert usable_user_ids(column).to_pylist() == [
        t if t and t.strip(" \t\r\n") else None for t in texts
    ]
