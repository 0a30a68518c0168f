from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import airflow_env  # noqa: F401 - before Airflow
import iterable_sync
from iterable_sync.hooks.iterable import EXTRA_KEYS, IterableHook

INFO = iterable_sync.get_provider_info()


def schema(name: str) -> dict[str, object]:
    import airflow

    return json.loads(Path(airflow.__path__[0], name).read_text())


def test_airflow_accepts_it():
    import jsonschema

    jsonschema.validate(INFO, schema("provider_info.schema.json"))


def test_airflow_accepts_the_connection_form():
    """The schema of provider infos does not know forms; the one of provider.yaml does."""
    import jsonschema

    form = schema("provider.yaml.schema.json")["properties"]["connection-types"]

    jsonschema.validate(INFO["connection-types"], form)


def test_the_form_has_every_setting_that_the_hook_reads():
    (connection,) = INFO["connection-types"]

    assert set(connection["conn-fields"]) == set(EXTRA_KEYS)
    assert connection["connection-type"] == IterableHook.conn_type
    assert connection["hook-name"] == IterableHook.hook_name


def test_the_key_is_no_field_of_the_extra():
    """A password is masked and encrypted as such; an extra is shown to whoever may edit."""
    (connection,) = INFO["connection-types"]

    assert connection["ui-field-behaviour"]["relabeling"] == {"password": "API key"}


def test_the_form_is_the_same_where_airflow_asks_the_hook():
    form = IterableHook.get_ui_field_behaviour()

    assert form["relabeling"] == {"password": "API key"}
    assert "login" in form["hidden_fields"]


@pytest.mark.parametrize(
    "module",
    [
        name
        for kind in ("hooks", "operators")
        for entry in INFO[kind]
        for name in entry["python-modules"]
    ],
)
def test_every_module_named_can_be_imported(module: str):
    importlib.import_module(module)


def test_every_sensor_module_is_named():
    (entry,) = INFO["sensors"]
    package = Path(iterable_sync.__file__).parent / "operators"
    with_sensors = {
        f"iterable_sync.operators.{path.stem}"
        for path in package.glob("*.py")
        if re.search(r"^class \w+Sensor\(", path.read_text(), re.MULTILINE)
    }

    assert set(entry["python-modules"]) == with_sensors


def test_every_operator_module_is_named():
    """The next sync object brings its operator; this reminds of the line here."""
    (entry,) = INFO["operators"]
    package = Path(iterable_sync.__file__).parent / "operators"
    with_operators = {
        f"iterable_sync.operators.{path.stem}"
        for path in package.glob("*.py")
        if "Operator(" in path.read_text()
    }

    assert set(entry["python-modules"]) == with_operators


def test_it_is_light():
    """Airflow reads it in every process that starts."""
    code = (
        "import sys, iterable_sync; iterable_sync.get_provider_info()\n"
        "print([m for m in sys.modules if m.split('.')[0] in ('airflow', 'pydantic', 'pandas')])"
    )

    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(Path(iterable_sync.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout == "[]\n"
