"""What Airflow's plugin manager loads; pages and macros register here."""

from __future__ import annotations

from airflow.providers.common.compat.sdk import AirflowPlugin


class IterableSyncPlugin(AirflowPlugin):
    """The plugin of this provider."""

    name = "iterable_sync"
