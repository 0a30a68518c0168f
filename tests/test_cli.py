from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

import iterable_sync
from iterable_sync import cli

GROUP = cli.GROUP


def greet(name: str = "you") -> None:
    """Greet."""
    typer.echo(f"hello {name}")


@pytest.fixture
def runner() -> CliRunner:
    return CliRunner()


def test_the_version_is_shown(runner: CliRunner):
    result = runner.invoke(cli.build([]), ["--version"])

    assert result.exit_code == 0
    assert result.output == f"iterable-sync {iterable_sync.__version__}\n"


def test_a_command_is_found_through_its_entry_point(runner: CliRunner, monkeypatch):
    monkeypatch.setitem(sys.modules, "some_commands", sys.modules[__name__])
    app = cli.build([EntryPoint("greet", "some_commands:greet", GROUP)])

    result = runner.invoke(app, ["greet", "--name", "Ana"])

    assert result.exit_code == 0
    assert result.output == "hello Ana\n"


def test_a_command_whose_extra_is_missing_says_so_and_breaks_nothing_else(runner: CliRunner):
    app = cli.build([EntryPoint("sandbox", "no_such_library.x:run", GROUP)])

    broken = runner.invoke(app, ["sandbox"])
    version = runner.invoke(app, ["--version"])

    assert broken.exit_code == 1
    assert "pip install 'airflow-provider-iterable[sandbox]'" in broken.stderr
    assert version.exit_code == 0


def test_the_command_line_imports_no_airflow():
    """`iterable-sync sandbox` starts in a moment, and where Airflow is not set up at all."""
    code = (
        "import sys; from iterable_sync.cli import build, GROUP\n"
        "from importlib.metadata import entry_points\n"
        "build(list(entry_points(group=GROUP)))\n"
        "print(sorted(m for m in sys.modules if m.split('.')[0] in ('airflow', 'pandas')))"
    )

    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(Path(iterable_sync.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout == "[]\n"
