"""
Reverse ETL from a warehouse to Iterable, for Apache Airflow.

The core (:func:`run_sync` and what it needs) knows no Airflow; hooks and operators are thin
shells over it. Nothing heavy is imported before a name is used.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

__version__ = "0.1.0"


def _operators_of_objects() -> dict[str, str]:
    """Find the operators of sync objects: a file of the object's name, and a class of that name."""
    objects, operators = (
        {
            name.removesuffix(".py")
            for folder in __path__
            for name in os.listdir(os.path.join(folder, kind))  # noqa: PTH118, PTH208 - see above
            if name.endswith(".py") and name[0] != "_"
        }
        for kind in ("objects", "operators")
    )
    return {
        f"Iterable{name.title().replace('_', '')}Operator": f"{__name__}.operators.{name}"
        for name in objects & operators
    }


PUBLIC_NAMES = {
    "IterableClient": "iterable_sync.client",
    "IterableHook": "iterable_sync.hooks.iterable",
    "IterableReconcileOperator": "iterable_sync.operators.reconcile",
    "IterableReleaseOperator": "iterable_sync.operators.release",
    "IterableRequeueOperator": "iterable_sync.operators.requeue",
    "IterableSettleSensor": "iterable_sync.operators.settle",
    "IterableSmsPreflightOperator": "iterable_sync.operators.sms_preflight",
    "IterableSyncOperator": "iterable_sync.operators.sync",
    "RunReport": "iterable_sync.rows",
    "ShopConfig": "iterable_sync.shop.config",
    "SyncSpec": "iterable_sync.spec",
    "run_sync": "iterable_sync.run",
    "shop_dag": "iterable_sync.shop.factory",
    **_operators_of_objects(),
}
"""What can be imported from here, and the module that it is in."""

__all__ = ["__version__", "get_provider_info", *sorted(PUBLIC_NAMES)]  # noqa: PLE0604 - lazy names


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name in PUBLIC_NAMES:
        return getattr(import_module(PUBLIC_NAMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def get_provider_info() -> dict[str, Any]:
    """Describe this provider to Airflow; imports no Airflow."""
    from iterable_sync.provider_info import provider_info

    return provider_info()
