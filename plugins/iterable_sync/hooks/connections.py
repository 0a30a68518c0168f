"""Reads an Airflow connection; one that is missing is a mistake to mend, not to retry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook

from iterable_sync.errors import ConfigError

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection


def connection(conn_id: str) -> Connection:
    """
    Give the connection with that id.

    Raises:
        ConfigError: there is none.
    """
    try:
        return BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        raise ConfigError(f"there is no Airflow connection {conn_id!r}") from None
