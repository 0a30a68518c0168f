"""What an import costs: Airflow imports a DAG file, and the plugin, again and again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import airflow_env
import iterable_sync

PLUGINS = Path(iterable_sync.__file__).parents[1]
HEAVY = ("pandas", "pyarrow", "numpy", "duckdb", "psycopg", "sqlglot", "requests", "orjson")


def python(code: str, *, plugins: Path = PLUGINS) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={
            **os.environ,
            "PYTHONPATH": str(plugins),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(plugins),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()[-1]


def test_an_import_brings_no_heavy_library():
    """What Airflow itself imports does not count."""
    modules = (
        "iterable_sync",
        "iterable_sync.operators.users",
        "iterable_sync.operators.retry_policy",
        "iterable_sync.hooks.iterable",
        "iterable_sync.hooks.warehouse",
        "iterable_sync.airflow_plugin",
        "iterable_sync_plugin",
    )
    code = (
        "import importlib, sys\n"
        "from airflow.providers.common.compat.sdk import BaseOperator, BaseHook\n"
        "before = set(sys.modules)\n"
        f"for module in {modules}: importlib.import_module(module)\n"
        f"print([m for m in {HEAVY} if m in sys.modules and m not in before])"
    )

    assert python(code) == "[]"


def test_a_dag_is_parsed_without_a_heavy_library_a_connection_or_a_variable():
    code = (
        "import sys; from airflow.providers.common.compat.sdk import DAG, BaseHook, Variable\n"
        "before = set(sys.modules)\n"
        "def refuse(*_, **__): raise RuntimeError('read at parse time')\n"
        "BaseHook.get_connection = Variable.get = refuse\n"
        "from iterable_sync import IterableUsersOperator\n"
        "with DAG('shop', schedule=None):\n"
        "    IterableUsersOperator(task_id='users', sql='models/users.sql', key='user_id')\n"
        f"print([m for m in {HEAVY} if m in sys.modules and m not in before])"
    )

    assert python(code) == "[]"


PLUGIN_STATE = (
    "import sys\n"
    "from airflow.sdk.plugins_manager import _get_plugins\n"
    "plugins, errors = _get_plugins()\n"
    "ours = [p.name for p in plugins if p.name == 'iterable_sync']\n"
    "stray = [m for m in ('spec', 'rows', 'errors', 'client', 'sync') if m in sys.modules]\n"
    "print(ours, errors, stray)"
)


def test_the_plugin_loads_once_and_without_error():
    """Twice is an import error on the home page, and workers then skip the plugins after ours."""
    assert python(PLUGIN_STATE) == "['iterable_sync'] {} []"


def test_airflow_executes_no_file_of_the_package_as_a_plugin():
    """It would import each under its bare name: our ``errors.py`` as the module ``errors``."""
    code = (
        "from airflow.sdk._shared.module_loading import find_path_from_directory\n"
        f"found = find_path_from_directory({str(PLUGINS)!r}, '.airflowignore', 'glob')\n"
        "print(sorted(p.rpartition('/')[2] for p in found if p.endswith('.py')))"
    )

    assert python(code) == "['iterable_sync_plugin.py']"


def test_airflow_is_imported_through_its_compatibility_layer_only():
    """Module paths of Airflow change between its versions; the layer follows them."""
    allowed = (
        "airflow.providers.common.compat.sdk",
        "airflow.providers.common.compat.standard.triggers",
        "airflow.providers.common.sql.hooks.sql",
    )
    strange = [
        f"{path.name}: {line.strip()}"
        for path in PLUGINS.rglob("*.py")
        for line in path.read_text().splitlines()
        if line.strip().startswith(("from airflow", "import airflow"))
        and line.split()[1] not in allowed
    ]

    assert strange == []


def test_tests_have_a_home_of_their_own():
    assert os.environ["AIRFLOW_HOME"] == str(airflow_env.HOME)
