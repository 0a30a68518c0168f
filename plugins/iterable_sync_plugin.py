"""
What makes Airflow load the plugin when ``plugins/`` was copied into ``$AIRFLOW_HOME``.

The one file here that Airflow may execute: it runs every .py below plugins/ under its bare file
name, and ``.airflowignore`` keeps it out of the package.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution

try:
    distribution("airflow-provider-iterable")
except PackageNotFoundError:
    from iterable_sync.airflow_plugin import IterableSyncPlugin  # noqa: F401
# else the entry point of the installed package registers it. A second registration is an import
# error on Airflow's home page, and workers then skip every plugin listed after this one.
