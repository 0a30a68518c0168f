"""What Airflow's provider manager reads: connection form, hooks, operators. Imports no Airflow."""

from __future__ import annotations

from typing import Any

import iterable_sync


def provider_info() -> dict[str, Any]:
    """Describe this provider, by the schema of ``get_provider_info``."""
    return {
        "package-name": "airflow-provider-iterable",
        "name": "Iterable",
        "description": "Push only the changed rows of a warehouse to Iterable.",
        "versions": [iterable_sync.__version__],
        "integrations": [
            {
                "integration-name": "Iterable",
                "external-doc-url": "https://api.iterable.com/api/docs",
                "tags": ["service"],
            }
        ],
        "hooks": [
            {
                "integration-name": "Iterable",
                "python-modules": ["iterable_sync.hooks.iterable"],
            }
        ],
        "operators": [
            {
                "integration-name": "Iterable",
                "python-modules": _operator_modules(),
            }
        ],
        "sensors": [
            {
                "integration-name": "Iterable",
                "python-modules": ["iterable_sync.operators.settle"],
            }
        ],
        "connection-types": [_connection_type()],
        "asset-uris": [{"schemes": ["iterable"], "handler": None}],
    }


def _operator_modules() -> list[str]:
    public = {
        module for name, module in iterable_sync.PUBLIC_NAMES.items() if name.endswith("Operator")
    }
    return sorted({*public, "iterable_sync.operators.state_task"})


def _connection_type() -> dict[str, Any]:
    return {
        "connection-type": "iterable",
        "hook-class-name": "iterable_sync.hooks.iterable.IterableHook",
        "hook-name": "Iterable",
        "ui-field-behaviour": {
            "hidden-fields": ["schema", "login", "port", "extra"],
            "relabeling": {"password": "API key"},
            "placeholders": {
                "host": "empty; http://127.0.0.1:PORT for a local sandbox",
                "password": "a server-side key of the project",
            },
        },
        "conn-fields": {
            "data_center": {
                "label": "Data center",
                "description": "Where the project lives: api.iterable.com is us, "
                "api.eu.iterable.com is eu. There is no default.",
                "schema": {"type": "string", "enum": ["us", "eu"]},
            },
            "project_type": {
                "label": "Project type",
                "description": "How the project identifies people (Settings > Project settings).",
                "schema": {"type": "string", "enum": ["email", "userId", "hybrid"]},
            },
            "project_id": {
                "label": "Project id",
                "description": "The number in the project's settings. The state of a sync is kept "
                "under it: another id starts from nothing.",
                "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,100}$"},
            },
            "rate_conn_id": {
                "label": "Rate shared through",
                "description": "Id of a Postgres connection, where several databases hold the "
                "state of syncs of this project; empty otherwise.",
                "schema": {"type": ["string", "null"]},
            },
            "sandbox": {
                "label": "Local sandbox",
                "description": "The host is a sandbox on this machine, not Iterable.",
                "schema": {"type": ["boolean", "null"], "default": False},
            },
        },
    }
