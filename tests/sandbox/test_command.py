"""The command as a process of its own."""

from __future__ import annotations

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


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        pytest.param(["--project-type", "mail"], "project-type", id="project type"),
        pytest.param(["--project-type", "email", "--region", "eu"], "email-based", id="EU"),
    ],
)
def test_wrong_options_are_explained(arguments, text):
    app = typer.Typer()
    app.command(name="sandbox")(command)

    result = CliRunner().invoke(app, arguments)

    assert result.exit_code == 2
    assert text in result.output


def test_taken_port_is_explained(server):
    app = typer.Typer()
    app.command(name="sandbox")(command)

    result = CliRunner().invoke(app, ["--port", str(server.port)])

    assert result.exit_code == 1
    assert f"Cannot listen on port {server.port}" in result.output
