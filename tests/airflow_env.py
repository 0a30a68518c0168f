"""
An ``AIRFLOW_HOME`` of its own for each test process. Import it before anything of Airflow.

Airflow reads its settings once, when it is first imported: setting them in a fixture is too late.
"""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path

from scratch import scratch

if "airflow" in sys.modules and "AIRFLOW_ENV_OF_TESTS" not in os.environ:
    raise RuntimeError("airflow was imported before airflow_env; its home is not the tests' own")

HOME = Path(tempfile.mkdtemp(prefix="airflow-", dir=scratch()))
atexit.register(shutil.rmtree, HOME, ignore_errors=True)

for _folder in ("dags", "plugins"):
    (HOME / _folder).mkdir()

SETTINGS = {
    "AIRFLOW_HOME": str(HOME),
    # dag.test() parses the whole folder at every call: an empty one costs nothing.
    "AIRFLOW__CORE__DAGS_FOLDER": str(HOME / "dags"),
    "AIRFLOW__CORE__PLUGINS_FOLDER": str(HOME / "plugins"),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{HOME / 'airflow.db'}",
    "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO",
    "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(HOME / "logs"),
    "AIRFLOW_ENV_OF_TESTS": "1",
}
os.environ.update(SETTINGS)
