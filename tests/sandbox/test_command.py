"""The command as a process of its own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from time import monotonic

import pytest
import requests
import typer
from typer.testing import CliRunner

import iterable_sync.sandbox
from iterable_sync.sandbox.command import sandbox as command
from iterable_sync.sandbox.settings import API_KEY

PACKAGE_ROOT = str(Path(iterable_sync.sandbox.__path__[0]).parents[1])
PROGRAM = f"""
import sys
sys.path.insert(0, {PACKAGE_ROOT!r})
import typer
from iterable_sync.sandbox.command import sandbox
app = typer.Typer()
app.command(name="sandbox")(sandbox)
app()
"""


@pytest.fixture
def start():
    """Start the command with arguments; kill it if the test does not end it."""
    started = []

    def run(*arguments):
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_command_prints_its_address_and_ends_cleanly_on_a_signal(start, tmp_path, number):
    port_file = tmp_path / "port"
    since = monotonic()
    process = start("--port-file", port_file, "--project-type", "userId", "--no-limits")
    url = process.stdout.readline().strip()
    took_s = monotonic() - since

    answer = requests.get(f"{url}/api/lists", headers={"Api-Key": API_KEY}, timeout=10)
    settings = requests.get(f"{url}/__sandbox__/settings", timeout=10).json()
    process.send_signal(number)
    rest, errors = process.communicate(timeout=10)

    assert answer.status_code == 200
    assert url == f"http://127.0.0.1:{port_file.read_text().strip()}"
    assert (settings["project_type"], settings["rate_limits"]) == ("userId", False)
    assert (process.returncode, rest, errors) == (0, "", "")
    assert took_s < 10  # two seconds are promised; a busy machine of the tests is no news


def test_a_plan_seed_data_and_latency_are_there_from_the_start(start, tmp_path):
    plan, data = tmp_path / "plan.json", tmp_path / "data.json"
    plan.write_text(json.dumps({"rules": [{"kind": "error", "every": 2}]}))
    data.write_text(json.dumps({"users": [{"userId": "1"}]}))
    process = start("--faults", plan, "--seed-data", data, "--latency", "1-2", "--seed", 9)
    url = process.stdout.readline().strip()

    def get(path):
        return requests.get(url + path, headers={"Api-Key": API_KEY}, timeout=10)

    assert [get("/api/lists").status_code for _ in range(4)] == [200, 503, 200, 503]
    assert get("/__sandbox__/users/count").json() == {"count": 1}
    assert get("/__sandbox__/faults").json()["plan"]["seed"] == 9
    assert get("/__sandbox__/settings").json()["latency_ms"] == [1.0, 2.0]
    requests.post(f"{url}/__sandbox__/reset", timeout=10)
    assert get("/__sandbox__/users/count").json() == {"count": 0}
    assert [get("/api/lists").status_code for _ in range(2)] == [200, 503]
    requests.post(f"{url}/__sandbox__/snapshots/start/restore", timeout=10)
    assert get("/__sandbox__/users/count").json() == {"count": 1}


@pytest.mark.parametrize("option", ["--faults", "--seed-data"])
@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param(None, "No such file", id="missing"),
        pytest.param(b"{", "no JSON: Expecting property name", id="JSON"),
        pytest.param(b'{\n "a": }', "line 2, column 7", id="its place"),
        pytest.param(b"\xff", "not UTF-8, byte 0", id="encoding"),
        pytest.param(b'{"odd": 1}', "unknown member 'odd'; known:", id="member"),
    ],
)
def test_a_bad_file_is_told_with_its_place(tmp_path, option, text, problem):
    path = tmp_path / "bad.json"
    if text is not None:
        path.write_bytes(text)

    said = refusal(option, str(path))

    assert f"{option} " in said
    assert "bad.json" in said
    assert problem in said


def test_a_bad_rule_and_a_bad_row_are_told_with_the_way_out(tmp_path):
    path = tmp_path / "bad.json"
    path.write_text('{"rules": [{"kind": "echo"}, {"kind": "error", "nth": 0}]}')
    rule = refusal("--faults", str(path))
    path.write_text('{"users": [{"userId": "1"}, {"email": "bad@"}]}')
    row = refusal("--seed-data", str(path))

    assert "rules[1].nth: expected a whole number of at least 1" in rule
    assert "users[1]: refused as invalidEmails" in row
    assert "see docs/sandbox.md" in rule
    assert "see docs/sandbox.md" in row


def refusal(*arguments: str) -> str:
    """Return what the command says before it ends with status 2, on one line."""
    app = typer.Typer()
    app.command(name="sandbox")(command)
    result = CliRunner().invoke(app, arguments, env={"COLUMNS": "400", "TERMINAL_WIDTH": "400"})
    assert result.exit_code == 2
    return " ".join(result.output.replace("│", " ").split())


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        pytest.param(["--latency", "fast"], "a range as 20-80", id="latency"),
        pytest.param(["--latency", "80-20"], "in order", id="latency backwards"),
        pytest.param(["--seed", "-1"], "expected at least 0", id="seed"),
        pytest.param(["--project-type", "mail"], "project-type", id="project type"),
        pytest.param(["--project-type", "email", "--region", "eu"], "email-based", id="EU"),
    ],
)
def test_wrong_options_are_explained(arguments, text):
    assert text in refusal(*arguments)


def test_taken_port_is_explained(server):
    app = typer.Typer()
    app.command(name="sandbox")(command)

    result = CliRunner().invoke(app, ["--port", str(server.port)])

    assert result.exit_code == 1
    assert f"Cannot listen on port {server.port}" in result.output
