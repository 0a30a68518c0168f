"""What the command ``preview`` prints, and what it says where it prints nothing."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer
from typer.testing import CliRunner

from documents import blocks
from iterable_sync.preview_command import preview

if TYPE_CHECKING:
    from click.testing import Result

CANARY = "canary@example.com"
APP = typer.Typer()
APP.command()(preview)
MODEL = "SELECT user_id, email, points, city FROM users WHERE points > 0"


@pytest.fixture
def shop(tmp_path: Path) -> str:
    """Give the URI of a warehouse with three users."""
    import duckdb

    path = tmp_path / "shop.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            "CREATE TABLE users (user_id text, email text, points decimal(38, 20), city text)"
        )
        connection.execute(
            "INSERT INTO users VALUES ('u1', ?, 1.00000000000000000001, 'Bern'), "
            "('u2', 'no address', 2, 'Bern'), ('u3', NULL, 3, NULL)",
            (CANARY,),
        )
    return f"duckdb:///{path}"


def run(shop: str, *arguments: str, model: str = MODEL, stdin: str | None = None) -> Result:
    given = ["--model", model, "--object", "users", "--key", "user_id", "--warehouse", shop]
    hybrid = ["--project-type", "hybrid"]
    return CliRunner().invoke(APP, [*given, *hybrid, *arguments], input=stdin)


def printed(shop: str, *arguments: str, **how: Any) -> dict[str, Any]:
    """Give what is printed as JSON."""
    done = run(shop, *arguments, "--json", **how)
    assert (0, "") == (done.exit_code, done.stderr)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def refusal(shop: str, *arguments: str, **how: Any) -> str:
    """Give what is said where nothing is printed."""
    done = run(shop, *arguments, **how)
    assert (1, "") == (done.exit_code, done.stdout)
    return str(done.stderr)


@pytest.mark.capability("B12")
def test_requests_are_printed_with_all_their_digits(shop: str) -> None:
    """Method, path and body, then what is refused and why, and what is not known."""
    done = run(shop)

    assert 0 == done.exit_code
    head, first, second, refused, notes = done.stdout.split("\n\n")
    assert "rows: 3, requests: 2, refused: 1" == head
    assert first.startswith('POST /api/users/bulkUpdate\n{\n  "users": [\n')
    assert '"points": 1.00000000000000000001' in first
    assert f'"email": "{CANARY}"' in first
    assert '"createNewFields": true' in first
    assert '"createNewFields": false' in second
    assert (
        "Refused\n  key u2, field email: invalid_email, an e-mail address of the row is malformed"
        == refused
    )
    assert notes.startswith("Notes\n  5 rows at most were read")


def test_machines_get_the_same_as_json(shop: str) -> None:
    found = printed(shop)

    assert 3 == found["rows"]
    assert [("POST", "/api/users/bulkUpdate", 1), ("POST", "/api/users/bulkUpdate", 2)] == [
        (one["method"], one["path"], one["rows"]) for one in found["requests"]
    ]
    assert ["u1"] == [user["userId"] for user in found["requests"][0]["body"]["users"]]
    assert [("u2", "email", "invalid_email")] == [
        (one["key"], one["field"], one["reason"]) for one in found["refused"]
    ]
    assert found["notes"]


def test_a_request_without_a_body_has_none(shop: str) -> None:
    """A deletion says it all in its path."""
    model = "SELECT 'r1' AS id, user_id, 'delete' AS action, now() AS requested_at FROM users"
    how = ("--object", "deletions", "--key", "id", "--rows", "1")

    given = ["--model", model, "--warehouse", shop, "--project-type", "userId", *how]
    (request,) = json.loads(CliRunner().invoke(APP, [*given, "--json"]).stdout)["requests"]
    text = CliRunner().invoke(APP, given).stdout

    assert ("DELETE", None) == (request["method"], request["body"])
    assert request["path"].startswith("/api/users/byUserId/u")
    assert f"DELETE {request['path']}\n\nNotes" in text


@pytest.mark.parametrize("how", ["file", "stdin", "text"])
def test_a_model_is_a_file_or_comes_from_a_pipe(shop: str, tmp_path: Path, how: str) -> None:
    """Its parameters are given as they are in a DAG, and the moment as that of a run."""
    model = (
        "SELECT user_id, '{{ as_of }}' AS seen FROM users WHERE points >= {{ params.least }} "
        "AND user_id IN ({% for who in params.people %}'{{ who }}',{% endfor %} '')"
    )
    file = tmp_path / "mine.sql"
    file.write_text(model)
    given = {"file": (str(file), None), "stdin": ("-", model), "text": (model, None)}[how]
    arguments = ("--param", "least=2", "--param", 'people=["u1", "u2"]')

    found = printed(
        shop, *arguments, "--as-of", "2026-01-02T00:00:00Z", model=given[0], stdin=given[1]
    )

    users = [user for one in found["requests"] for user in one["body"]["users"]]
    assert [("u2", "2026-01-02T00:00:00+00:00")] == [
        (user["userId"], user["dataFields"]["seen"]) for user in users
    ]


def test_a_model_of_the_package_is_named_as_in_a_dag(tmp_path: Path) -> None:
    """Where there is no such file, the one that is installed is meant."""
    import duckdb

    path = tmp_path / "shop.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE carts (user_id text, email text)")
        connection.execute(
            "CREATE TABLE cart_items (user_id text, product_id text, name text, price double, "
            "quantity bigint, url text, image text)"
        )
        connection.execute("INSERT INTO carts VALUES ('u1', 'u1@example.com')")
        connection.execute(
            "INSERT INTO cart_items VALUES ('u1', 'p1', 'Cup', 2.5, 1, 'https://a/p1', 'i')"
        )
    given = ["--model", "models/carts.sql", "--object", "carts", "--key", "user_id", "--json"]
    more = ["--warehouse", f"duckdb:///{path}", "--project-type", "userId"]

    done = CliRunner().invoke(APP, [*given, *more, "--param", "image_size=200"])

    (request,) = json.loads(done.stdout)["requests"]
    assert ["i?w=200"] == [item["imageUrl"] for item in request["body"]["items"]]


def test_options_are_those_of_a_sync(shop: str) -> None:
    """As JSON, and what is no JSON is a text."""
    found = printed(shop, "--option", 'exclude=["city"]', "--option", "naming=snake")

    fields = {
        name for one in found["requests"] for u in one["body"]["users"] for name in u["dataFields"]
    }
    assert {"points", "email"} == fields


def test_the_warehouse_may_be_named_by_the_environment(shop: str) -> None:
    """A password does not have to stand in the list of processes."""
    given = ["--model", MODEL, "--object", "users", "--key", "user_id", "--project-type", "hybrid"]

    done = CliRunner().invoke(APP, given, env={"ITERABLE_SYNC_WAREHOUSE": shop})

    assert 0 == done.exit_code


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--as-of", "2026-01-02"), "as_of needs a time zone"),
        (("--as-of", "soon"), "--as-of is no time"),
        (("--param", "least"), "--param: each is NAME=VALUE, and number 1 is not"),
        (("--option", "naming=snake", "--option", "naming=camel"), "naming is given twice"),
        (("--option", "colour=red"), "unknown in options=: colour"),
        (("--option", "sync=mine"), "sync in options= are arguments of their own"),
        (("--option", "naming=loud"), "naming: Input should be"),
        (("--rows", "0"), "a preview shows 1 to 1000 rows"),
        (("--model", "models/none.sql"), "no model 'models/none.sql'"),
        (("--model", "DELETE FROM users"), "a model only reads"),
        (("--object", "people"), "unknown sync object 'people'"),
        (("--warehouse", "mysql://ana:secret@db/shop"), "duckdb:///FILE"),
        (("--warehouse", "duckdb:///"), "duckdb:///FILE"),
        (("--warehouse", "postgresql://ana:secret@db/shop?colour=red"), "not as libpq has it"),
        (("--warehouse", "duckdb:////none/such.duckdb"), "cannot open the DuckDB file"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_printed(
    shop: str, arguments: tuple[str, ...], says: str
) -> None:
    """Without a traceback, and without what was given where it may be a password."""
    said = refusal(shop, *arguments)

    assert said.startswith("preview: ")
    assert says in said
    assert "secret" not in said


def test_no_error_shows_a_value_of_a_row(shop: str) -> None:
    """What is printed is asked for; what goes wrong is not about anybody."""
    broken = refusal(shop, model="SELECT user_id, CAST(email AS integer) AS n FROM users")
    twice = refusal(shop, model="SELECT 'u1' AS user_id, email FROM users")

    assert CANARY not in broken + twice


def test_the_document_shows_what_is_printed(shop: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The example is run as it stands."""
    (example,) = blocks(Path(__file__).parent.parent / "docs/preview.md", "console")
    command, _, output = example.partition("\n")
    _, _, sql, _, name, _, *arguments = shlex.split(command)
    monkeypatch.chdir(Path(shop.removeprefix("duckdb:///")).parent)

    done = CliRunner().invoke(APP, arguments, input=sql)

    assert "iterable-sync" == name
    assert output == done.stdout


def test_its_help_says_that_it_shows_personal_data() -> None:
    assert "PERSONAL DATA" in CliRunner().invoke(APP, ["--help"]).stdout


def test_the_command_is_installed() -> None:
    from importlib.metadata import entry_points

    from iterable_sync import cli

    (found,) = entry_points(group=cli.GROUP, name="preview")

    assert found.load() is preview
