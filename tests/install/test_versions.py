"""Other versions of libraries than constraints.txt holds: what many users have."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.install.conftest import Example

pytestmark = pytest.mark.all

# What makes, reads or hands on a frame, and the runs over it.
FRAMES = (
    "objects",
    "state/test_dbapi_runs.py",
    "state/test_sources.py",
    "state/test_stage.py",
    "state/test_types.py",
    "test_booleans.py",
    "test_dry_run.py",
    "test_fields.py",
    "test_payloads.py",
    "test_push.py",
    "test_run.py",
    "test_run_mapping.py",
    "test_run_rejections.py",
    "test_values.py",
)

VERSION = "import json, {0}; print(json.dumps({0}.__version__))"
TEST = ("python", "-m", "pytest", "-q", "-m", "not all", "-p", "no:cacheprovider", "-p", "no_skips")


def test_pandas_2(checkout: Path, environment: Callable):
    """Mapping, staging and runs give the same with pandas 2 as with 3."""
    env = environment(
        f"{checkout}[dev]", "pandas<3", free=("pandas", "pandas-stubs", "numpy", "pyarrow")
    )

    env.run(
        *TEST,
        *(f"tests/{path}" for path in FRAMES),
        cwd=checkout,
        PYTHONPATH=str(checkout / "tests"),
    )

    assert env.python(VERSION.format("pandas")).startswith("2.")


def test_sqlalchemy_2_1(checkout: Path, environment: Callable):
    """A fresh install of Airflow gets it; constraints.txt holds 2.0 for the sake of others."""
    env = environment(f"{checkout}[dev]", "sqlalchemy>=2.1", free=("sqlalchemy",))

    env.run(
        *TEST,
        *("tests/dags", "tests/operators", "tests/hooks", "tests/test_imports.py"),
        cwd=checkout,
        PYTHONPATH=str(checkout / "tests"),
    )

    assert env.python(VERSION.format("sqlalchemy")).startswith("2.1")


def test_airflow_2_11(checkout: Path, environment: Callable, example: Example):
    """The oldest Airflow that setup.cfg allows runs the example DAG, and has the form."""
    env = environment(f"{checkout}[duckdb]", "apache-airflow==2.11.*", free="*")
    shutil.copytree(checkout / "dags", env.home / "dags")
    env.run("airflow", "db", "migrate")

    env.run("airflow", "dags", "test", "iterable_users", "2026-01-02", **example.variables)

    assert example.in_iterable("u0000007")["city"] == example.city_of("u0000007")
    fields = {row["connection_parameter_name"] for row in env.airflow("providers", "widgets")}
    assert "extra__iterable__data_center" in fields
