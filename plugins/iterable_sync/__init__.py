"""
Reverse ETL from a warehouse to Iterable, for Apache Airflow.

The core (:func:`run_sync` and what it needs) knows no Airflow; hooks and operators are thin
shells over it. Nothing heavy is imported before a name is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_PUBLIC = {
    "IterableAudiencesOperator": "iterable_sync.operators.audiences",
    "IterableCartsOperator": "iterable_sync.operators.carts",
    "IterableClient": "iterable_sync.client",
    "IterableEventsOperator": "iterable_sync.operators.events",
    "IterableHook": "iterable_sync.hooks.iterable",
    "IterableListsOperator": "iterable_sync.operators.lists",
    "IterableOrdersOperator": "iterable_sync.operators.orders",
    "IterableReleaseOperator": "iterable_sync.operators.release",
    "IterableRequeueOperator": "iterable_sync.operators.requeue",
    "IterableSettleSensor": "iterable_sync.operators.settle",
    "IterableSyncOperator": "iterable_sync.operators.sync",
    "IterableTraitsOperator": "iterable_sync.operators.traits",
    "IterableUsersOperator": "iterable_sync.operators.users",
    "RunReport": "iterable_sync.rows",
    "SyncSpec": "iterable_sync.spec",
    "run_sync": "iterable_sync.run",
}

__all__ = ["__version__", "get_provider_info", *sorted(_PUBLIC)]  # noqa: PLE0604 - lazy names


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def get_provider_info() -> dict[str, Any]:
    """Describe this provider to Airflow; imports no Airflow."""
    from iterable_sync.provider_info import provider_info

    return provider_info()
