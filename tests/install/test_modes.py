"""The three ways in which people install it, each in an environment that knows nothing of us."""

from __future__ import annotations

import configparser
import shutil
from typing import TYPE_CHECKING

import pytest

from iterable_sync import __version__
from iterable_sync.provider_info import provider_info

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.install.conftest import Environment, Example

pytestmark = pytest.mark.all

SQL_ROOT = "import json, iterable_sync.sqlfiles as s; print(json.dumps(str(s.sql_root())))"
PLUGINS = """
import json
from airflow.plugins_manager import _get_plugins as of_core
from airflow.sdk.plugins_manager import _get_plugins as of_workers
print(json.dumps([
    [[p.name for p in plugins if p.name == "iterable_sync"], errors]
    for plugins, errors in (of_core(), of_workers())
]))
"""
EXTRA_KEYS = provider_info()["connection-types"][0]["conn-fields"]
LOADED_ONCE = [[["iterable_sync"], {}], [["iterable_sync"], {}]]


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def provider_names(environment: Environment) -> set[str]:
    return {row["package_name"] for row in environment.airflow("providers", "list")}


def connection_types(environment: Environment) -> set[str]:
    return {row["connection_type"] for row in environment.airflow("providers", "hooks")}


def test_a_wheel(checkout: Path, environment: Callable):
    """`pip install .`: the SQL is in the wheel, and Airflow has the connection form."""
    env = environment(f"{checkout}[duckdb,postgres]")

    sql = env.python(SQL_ROOT)
    assert str(env.folder) in sql
    installed = env.folder.glob("lib/python*/site-packages/iterable_sync/sql")
    assert files(next(installed)) == files(checkout / "sql")

    assert "airflow-provider-iterable" in provider_names(env)
    assert "iterable" in connection_types(env)
    fields = {row["connection_parameter_name"] for row in env.airflow("providers", "widgets")}
    assert {f"extra__iterable__{name}" for name in EXTRA_KEYS} <= fields
    assert env.python(PLUGINS) == LOADED_ONCE
    assert env.run("iterable-sync", "--version") == f"iterable-sync {__version__}\n"


def test_an_editable_install(checkout: Path, environment: Callable):
    """`pip install -e .`: the checkout is what runs, and the plugin is there once."""
    env = environment("--editable", f"{checkout}[duckdb,postgres]")

    assert env.python(SQL_ROOT) == str(checkout / "sql")
    # In the checkout, too: what setuptools leaves there is a second copy of the metadata.
    for folder in (env.home, checkout, checkout / "plugins"):
        assert env.python(PLUGINS, cwd=folder) == LOADED_ONCE
    assert "airflow-provider-iterable" in provider_names(env)
    assert "iterable" in connection_types(env)


def test_a_drop_in(checkout: Path, environment: Callable, example: Example):
    """plugins/, dags/ and sql/ copied into AIRFLOW_HOME: all works but the connection form."""
    env = environment(*requirements(checkout, "duckdb"))
    for folder in ("plugins", "dags", "sql"):
        shutil.copytree(checkout / folder, env.home / folder)
    env.run("airflow", "db", "migrate")
    env.run("airflow", "dags", "reserialize")

    assert env.airflow("dags", "list-import-errors") == []
    assert [row["dag_id"] for row in env.airflow("dags", "list")] == sorted(
        file.stem for file in (checkout / "dags").glob("*.py")
    )
    assert env.python(PLUGINS) == LOADED_ONCE
    assert "airflow-provider-iterable" not in provider_names(env)
    env.run("airflow", "dags", "test", "iterable_users", "2026-01-02", **example.variables)
    assert example.in_iterable("u0000007")["city"] == example.city_of("u0000007")


def test_a_drop_in_beside_an_install(checkout: Path, environment: Callable):
    """Both at once, e.g. while moving from one to the other: the plugin is there once."""
    env = environment(str(checkout))
    shutil.copytree(checkout / "plugins", env.home / "plugins")

    assert env.python(PLUGINS) == LOADED_ONCE


def requirements(checkout: Path, *extras: str) -> list[str]:
    """Give what the package requires, as somebody without the package would install it."""
    setup = configparser.ConfigParser()
    setup.read(checkout / "setup.cfg")
    texts = [setup["options"]["install_requires"]]
    texts += [setup["options.extras_require"][extra] for extra in extras]
    return [line for text in texts for line in text.splitlines() if line]
