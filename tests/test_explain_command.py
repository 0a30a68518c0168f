"""The command that explains a row: what is printed, what is not, and what it leaves alone."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
import typer
from typer.testing import CliRunner

import request_world
from harness import people
from iterable_sync import cli
from iterable_sync.errors import ConfigError, StateBusy
from iterable_sync.explain import explain as explained
from iterable_sync.explain_command import explain
from iterable_sync.rows import ProjectType
from iterable_sync.state import DuckDBState, PostgresState
from iterable_sync.state.dialects import duckdb_file

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

    from harness import World

APP = typer.Typer()
APP.command()(explain)
HOLD = (
    "import duckdb, sys; held = duckdb.connect(sys.argv[1]); print('held', flush=True); "
    "sys.stdin.read()"
)


def where(world: World) -> list[str]:
    """Give the options that name the state of a world."""
    state = world.state
    if isinstance(state, DuckDBState):
        return ["--state", f"duckdb:///{state.path}"]
    assert isinstance(state, PostgresState)
    return ["--state", state.conninfo, "--schema", state.schema]


def run(world: World, *arguments: str) -> Result:
    return CliRunner().invoke(APP, [*where(world), *arguments])


def refusal(*arguments: str) -> str:
    """Give what is said where nothing can be explained."""
    done = CliRunner().invoke(APP, list(arguments))
    assert (1, "") == (done.exit_code, done.stdout)
    return str(done.stderr)


@pytest.mark.capability("E40")
def test_a_sync_is_a_block_of_lines_with_what_is_known_and_its_last_run(world: World) -> None:
    """A row that somebody knows is a success, one that nobody knows ends with 3."""
    world.put(*people(1), ("u2", "no address", "Bern", 1))
    world.sync()

    done = run(world, "--key", "u2")
    lines = done.stdout.splitlines()
    nobody = run(world, "--key", "u3")

    assert (0, 3) == (done.exit_code, nobody.exit_code)
    assert "users (users, project 1.us)" == lines[0]
    assert lines[1].startswith("  rejected: an e-mail address of the row is malformed; ")
    assert "(invalid_email, up to: warehouse; first 20" in lines[1]
    assert lines[2].startswith("  last run: clean, ended 20")
    assert lines[2].endswith("; queried 2, added 2, accepted 1, rejected 1, requests 1")
    assert "  nothing known: the model did not have it" in nobody.stdout


def test_json_has_the_same_for_machines(world: World) -> None:
    world.put(*people(1))
    report = world.sync()

    (found,) = json.loads(run(world, "--key", "u1", "--json").stdout)["syncs"]

    assert ("1.us", "users", True, "") == (
        found["project"],
        found["sync"],
        found["is_known"],
        found["verdict"],
    )
    assert [("accepted", 1, report.run_id)] == [
        (one["fate"], one["rows"], one["run_id"]) for one in found["findings"]
    ]
    assert found["findings"][0]["at"].endswith("+00:00")
    assert (report.run_id, "clean") == (found["last_run"]["run_id"], found["last_run"]["end"])
    assert {} == found["busy"]


def test_no_value_of_a_row_is_printed(world: World) -> None:
    """Nor a key or an identifier that was not asked for, whatever became of the rows."""
    request_world.with_people(world, ProjectType.HYBRID, 1, 2)
    request_world.put_people(world, 1, 2, city="Winterthur")
    world.server.fail(
        {"kind": "refuse_rows", "keys": [request_world.user_id(1)], "reason": "conflict"}
    )
    request_world.sync_one(world, "users")
    world.server.fail()

    asked = [
        run(world, "--email", request_world.email(1), *more).stdout.lower()
        for more in ([], ["--json"])
    ]

    hidden = ("winterthur", "bern", "@example", "known-1", "known-2", "cup")
    for text in asked:
        assert "rejected" in text
        assert [] == [value for value in hidden if value in text]


@pytest.mark.capability("E40")
def test_a_running_sync_is_not_disturbed_and_says_who_is_at_it(world: World) -> None:
    """The row is on its way; the run then ends as ever."""
    world.put(*people(1))
    seen: list[dict[str, Any]] = []
    command = [sys.executable, "-m", "iterable_sync.cli", "explain"]

    def look(_number: int, _users: Any) -> None:
        done = subprocess.run(
            [*command, *where(world), "--key", "u1", "--json"],
            capture_output=True,
            text=True,
            check=True,
        )
        seen.extend(json.loads(done.stdout)["syncs"])

    report = world.sync(client=world.connect(after=look))

    (found,) = [one for one in seen if one["sync"] == "users"][:1]
    assert ["on_its_way"] == [one["fate"] for one in found["findings"]]
    assert "in a batch on its way" in found["findings"][0]["words"]
    assert "running" == found["last_run"]["end"]
    assert {"sync", "lane"} == found["busy"].keys()
    assert 1 == report.accepted


def test_nothing_of_the_state_is_written(world: World) -> None:
    """Its tables are as they were, and the engine itself refuses."""
    world.put(*people(1, 2))
    world.sync()
    before = request_world.everything(world)

    run(world, "--key", "u1")
    run(world, "--email", "u1@example.com")

    assert before == request_world.everything(world)
    with pytest.raises(Exception, match=r"read-only|ReadOnly"), world.state.reading() as session:
        session.execute(f"DELETE FROM {world.state.table('rejections')}")


def test_a_duckdb_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    file = tmp_path / "state.duckdb"

    said = refusal("--state", f"duckdb:///{file}", "--key", "u1")

    assert "cannot open the DuckDB file" in said
    assert [] == list(tmp_path.iterdir())


def test_a_file_that_another_process_holds_says_so_with_the_way_out(
    duckdb_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    duckdb_world.put(*people(1))
    duckdb_world.sync()
    monkeypatch.setattr(duckdb_file, "OPEN_FOR_S", 0.3)
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, duckdb_world.state.path],  # type: ignore[attr-defined]
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdin is not None
        assert b"held\n" == holder.stdout.readline()

        said = refusal(*where(duckdb_world), "--key", "u1")

        holder.stdin.close()
    assert "held by another process: IO Error: Could not set lock" in said
    assert "one process at a time; ask again when that one is done" in said


def test_a_process_that_runs_the_sync_itself_is_told_to_ask_later(duckdb_world: World) -> None:
    """Of one file, DuckDB opens nothing read-only beside a connection of the same process."""
    duckdb_world.put(*people(1))
    refused: list[str] = []

    def look(_number: int, _users: Any) -> None:
        with pytest.raises(StateBusy) as caught:
            explained(duckdb_world.state, key="u1")
        refused.append(str(caught.value))

    report = duckdb_world.sync(client=duckdb_world.connect(after=look))

    assert [True] == ["held by a run of this very process" in text for text in refused]
    assert 1 == report.accepted


def test_a_database_without_state_says_so(postgres_db: str, tmp_path: Path) -> None:
    import duckdb

    duckdb.connect(str(tmp_path / "other.duckdb")).close()

    for state in (postgres_db, f"duckdb:///{tmp_path}/other.duckdb"):
        assert "no sync has run with this state" in refusal("--state", state, "--key", "u1")


def test_a_newer_state_is_refused(world: World) -> None:
    world.put(*people(1))
    world.sync()
    world.write("UPDATE {meta} SET schema_version = 2")

    assert "upgrade airflow-provider-iterable" in refusal(*where(world), "--key", "u1")


@pytest.mark.parametrize(
    ("state", "says"),
    [
        pytest.param("mysql://u:pa55word@h/d", "a database is named as", id="another engine"),
        pytest.param("postgresql://u:pa55word@h/d?a=b", "is not as libpq has it", id="no such"),
        pytest.param("postgresql://u:pa55word@h:x/d", "cannot connect to Postgres", id="no port"),
        pytest.param(
            "postgresql://u:pa55word@127.0.0.1:1/d", "cannot connect to Postgres", id="nobody there"
        ),
    ],
)
def test_no_message_has_the_password_of_a_uri(state: str, says: str) -> None:
    said = refusal("--state", state, "--key", "u1")

    assert says in said
    assert "pa55word" not in said


def test_select_on_the_schema_is_all_that_a_role_needs(postgres_world: World) -> None:
    """Without it, the message names the right that somebody has to grant."""
    world, state = postgres_world, postgres_world.state
    assert isinstance(state, PostgresState)
    world.put(*people(1))
    world.sync()
    role = f"{state.schema}_nobody"
    world.execute(f"CREATE ROLE {role}")
    try:
        options = quote(f"-crole={role}")
        as_nobody = PostgresState(f"{state.conninfo}&options={options}", schema=state.schema)
        with pytest.raises(ConfigError, match="permission denied for schema"):
            explained(as_nobody, key="u1")
        world.execute(
            f"GRANT USAGE ON SCHEMA {state.schema} TO {role}; "
            f"GRANT SELECT ON ALL TABLES IN SCHEMA {state.schema} TO {role}"
        )
        assert explained(as_nobody, key="u1")[0].is_known
    finally:
        world.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


def test_one_thing_is_asked_for(duckdb_world: World) -> None:
    duckdb_world.put(*people(1))
    duckdb_world.sync()

    said = refusal(*where(duckdb_world), "--key", "u1", "--email", "u1@example.com")

    assert "explain: say one of key, email and user_id, and none that is blank\n" == said


def test_the_command_is_installed() -> None:
    (found,) = entry_points(group=cli.GROUP, name="explain")

    assert found.load() is explain
