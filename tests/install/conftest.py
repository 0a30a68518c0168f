"""Copies of the checkout, clean environments to install them into, and what the DAG needs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
import requests

import airflow_env  # noqa: F401 - before Airflow
from airflow_dags import shop_variables
from iterable_sync.sandbox.server import SandboxServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

ROOT = Path(__file__).parents[2]
_NOT_COPIED = shutil.ignore_patterns(
    ".venv*", ".git", ".demo", "build", "dist", "*.egg-info", "__pycache__", ".*_cache"
)


@dataclass
class Environment:
    """A virtual environment and an ``AIRFLOW_HOME``, both of one test."""

    folder: Path
    home: Path

    @property
    def variables(self) -> dict[str, str]:
        """What a command sees: nothing of the environment that runs the tests."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AIRFLOW", "PYTHON", "PYTEST", "VIRTUAL_ENV"))
        }
        return kept | {
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
            # Else rich cuts what it prints into columns.
            "COLUMNS": "400",
        }

    def run(self, *command: str, cwd: Path | None = None, **variables: str) -> str:
        """Run a command of the environment; its output, or a failed test that shows it."""
        done = subprocess.run(
            command,
            cwd=cwd or self.home,
            env=self.variables | variables,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout[-8000:]}\n{done.stderr[-4000:]}"
        return done.stdout

    def python(self, code: str, *, cwd: Path | None = None) -> Any:
        """Run Python code; what it prints last, read as JSON."""
        return json.loads(self.run("python", "-c", code, cwd=cwd).strip().splitlines()[-1])

    def airflow(self, *command: str) -> Any:
        """Run an ``airflow`` command that lists something."""
        printed = self.run("airflow", *command, "--output", "json")
        # Warnings come before it.
        return json.loads(printed.strip().splitlines()[-1])


@dataclass
class Example:
    """What the example DAG needs: a shop of 200 users, a place for state, and a sandbox."""

    warehouse: Path
    sandbox: SandboxServer
    variables: dict[str, str]

    def in_iterable(self, user_id: str) -> dict[str, Any]:
        """Give the fields of a profile as the sandbox holds them."""
        answer = requests.get(
            f"{self.sandbox.url}/api/users/byUserId",
            params={"userId": user_id},
            headers={"Api-Key": self.sandbox.api_key},
            timeout=10,
        )
        return dict(answer.json()["user"]["dataFields"])

    def city_of(self, user_id: str) -> str:
        """Give a field as the warehouse holds it."""
        with duckdb.connect(str(self.warehouse), read_only=True) as connection:
            found = connection.execute("SELECT city FROM users WHERE user_id = ?", [user_id])
            (city,) = found.fetchall()[0]
        return str(city)


@pytest.fixture
def example(tmp_path: Path) -> Iterator[Example]:
    """Fill a shop, start a sandbox, and define the connections to them."""
    warehouse = tmp_path / "warehouse.duckdb"
    subprocess.run(
        [sys.executable, str(ROOT / "demo/shop.py"), "--path", str(warehouse), "--users", "200"],
        check=True,
        capture_output=True,
    )
    with SandboxServer(project_type="hybrid") as sandbox:
        variables = shop_variables(sandbox, warehouse, tmp_path / "state.duckdb")
        yield Example(warehouse, sandbox, variables)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Copy the checkout: an install leaves its traces in the copy."""
    return Path(shutil.copytree(ROOT, tmp_path / "checkout", ignore=_NOT_COPIED))


@pytest.fixture
def readable() -> Iterator[Path]:
    """
    Make a folder that every user may enter, unlike ``tmp_path``.

    Run by root, the PostgreSQL of the tests starts as another user, from the environment.
    """
    folder = Path(tempfile.mkdtemp(prefix="venv-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def environment(tmp_path: Path, readable: Path) -> Callable[..., Environment]:
    """Make a clean environment with what is asked for, held to constraints.txt."""

    def make(*requirements: str, free: Sequence[str] = ()) -> Environment:
        """*free* are the packages that constraints.txt shall not hold; ``*`` is all of them."""
        constraints = tmp_path / "constraints.txt"
        constraints.write_text(
            "\n".join(
                line
                for line in (ROOT / "constraints.txt").read_text().splitlines()
                if "*" not in free and line.partition("==")[0] not in free
            )
        )
        home = tmp_path / "airflow"
        home.mkdir()
        made = Environment(readable / "venv", home)
        uv = [sys.executable, "-m", "uv"]
        python = str(made.folder / "bin" / "python")
        install = [*uv, "pip", "install", "--quiet", "--python", python]
        for command in (
            [*uv, "venv", "--quiet", "--python", sys.executable, str(made.folder)],
            [*install, "-c", str(constraints), *requirements],
        ):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{command}\n{done.stderr}"
        return made

    return make
