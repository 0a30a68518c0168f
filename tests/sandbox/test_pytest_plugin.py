"""The fixtures as a project of somebody else uses them: pytest in a process of its own."""

from __future__ import annotations

import configparser
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import iterable_sync

ROOT = Path(__file__).parents[2]
PACKAGE = Path(iterable_sync.__file__).parents[1]


@pytest.fixture
def project(tmp_path):
    """Run pytest on files, in a folder where the entry points of setup.cfg are installed."""
    parsed = configparser.ConfigParser()
    parsed.read(ROOT / "setup.cfg", encoding="utf-8")
    site = tmp_path / "site"
    metadata = site / "entry_points_only-0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: entry-points-only\nVersion: 0\n"
    )
    entries = parsed["options.entry_points"]["pytest11"].strip()
    (metadata / "entry_points.txt").write_text(f"[pytest11]\n{entries}\n")
    folder = tmp_path / "project"

    def run(*arguments, first_on_path=(), **files):
        folder.mkdir(exist_ok=True)
        for name, text in files.items():
            (folder / f"{name}.py").write_text(textwrap.dedent(text))
        path = os.pathsep.join(map(str, (*first_on_path, site, PACKAGE)))
        return subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": path, "PYTEST_ADDOPTS": "", "PYTEST_PLUGINS": ""},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    return run


def test_each_test_has_an_empty_sandbox_and_one_server_serves_them_all(project):
    done = project(
        test_mine="""
        import threading
        import requests

        seen = []

        def send(sandbox, user):
            return requests.post(
                sandbox.url + "/api/users/update",
                json=user,
                headers={"Api-Key": sandbox.api_key},
                timeout=10,
            )

        def test_one(iterable_sandbox):
            assert send(iterable_sandbox, {"userId": "1"}).status_code == 200
            assert [u["key"] for u in iterable_sandbox.contents()["users"]] == ["1"]
            assert [r["path"] for r in iterable_sandbox.requests()] == ["/api/users/update"]
            iterable_sandbox.fail({"kind": "error"})
            seen.append(iterable_sandbox.url)

        def test_two(iterable_sandbox):
            assert iterable_sandbox.contents()["users"] == []
            assert iterable_sandbox.requests() == []
            assert send(iterable_sandbox, {"userId": "2"}).status_code == 200
            seen.append(iterable_sandbox.url)

        def test_three():
            assert seen[0] == seen[1]
            assert len([t for t in threading.enumerate() if "sandbox" in t.name]) == 1
        """
    )

    assert "3 passed" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 0


def test_settings_are_overridden_by_a_fixture_where_it_is_seen(project):
    done = project(
        conftest="""
        import pytest

        @pytest.fixture
        def iterable_sandbox_settings():
            return {"project_type": "email", "rate_limits": False}
        """,
        test_mine="""
        import pytest

        def test_as_in_the_conftest(iterable_sandbox):
            assert iterable_sandbox.contents()["project_type"] == "email"

        class TestOther:
            @pytest.fixture
            def iterable_sandbox_settings(self):
                return {"project_type": "userId"}

            def test_as_here(self, iterable_sandbox):
                assert iterable_sandbox.contents()["project_type"] == "userId"
                assert iterable_sandbox.app_state.settings.rate_limits
        """,
    )

    assert "2 passed" in done.stdout, done.stdout + done.stderr


def test_a_wrong_setting_fails_the_test_that_has_it(project):
    done = project(
        test_mine="""
        import pytest

        @pytest.fixture
        def iterable_sandbox_settings():
            return {"projekt": "email"}

        def test_mine(iterable_sandbox):
            pass
        """
    )

    assert "ValueError: unknown setting 'projekt'; known: project_type" in done.stdout
    assert "1 error" in done.stdout


def test_without_its_libraries_only_tests_that_ask_for_it_fail(project, tmp_path):
    blocked = tmp_path / "blocked" / "starlette"
    blocked.mkdir(parents=True)
    (blocked / "__init__.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'starlette'\", name='starlette')\n"
    )

    done = project(
        first_on_path=[blocked.parent],
        test_mine="""
        def test_mine():
            pass

        def test_sandbox(iterable_sandbox):
            pass
        """,
    )

    assert "1 passed, 1 error" in done.stdout, done.stdout + done.stderr
    assert "needs starlette: pip install 'airflow-provider-iterable[sandbox]'" in done.stdout


def test_the_fixtures_are_listed_with_what_they_are_for(project):
    done = project("--fixtures", test_mine="")

    assert "iterable_sandbox --" in done.stdout
    assert "Give a local Iterable, empty at the start of each test." in done.stdout


def test_a_run_that_does_not_ask_for_it_imports_nothing_but_the_plugin():
    code = (
        "import sys, pytest; before = set(sys.modules)\n"
        "import iterable_sync.sandbox.pytest_plugin\n"
        "print(sorted(set(sys.modules) - before))"
    )

    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(PACKAGE)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.strip() == str(
        ["iterable_sync", "iterable_sync.sandbox", "iterable_sync.sandbox.pytest_plugin"]
    )
