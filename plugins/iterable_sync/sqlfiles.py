"""Finds ``sql/`` wherever the package was put: a checkout, a wheel, ``$AIRFLOW_HOME``."""

from __future__ import annotations

import os
from pathlib import Path

from iterable_sync.errors import ConfigError

_PACKAGE = Path(__file__).parent


def sql_root() -> Path:
    """
    Give the folder ``sql/`` with ``models/``, ``demo/`` and ``grants/``.

    Looked for beside the package's modules (a wheel), beside ``plugins/`` (a checkout, an editable
    install, and ``plugins/`` and ``sql/`` copied into ``$AIRFLOW_HOME``), and in
    ``$AIRFLOW_HOME`` (a plugins folder that lies elsewhere).

    Raises:
        ConfigError: none of these has one.
    """
    for folder in candidates():
        if (folder / "models").is_dir():
            return folder
    looked = ", ".join(str(folder) for folder in candidates())
    raise ConfigError(f"no sql/ with a models/ in it; looked for: {looked}")


def packaged_sql(name: str) -> Path | None:
    """Give the file of that name below ``sql/``; None where there is none."""
    try:
        root = sql_root().resolve()
    except ConfigError:
        return None
    path = (root / name).resolve()
    return path if path.is_relative_to(root) and path.is_file() else None


def candidates() -> list[Path]:
    """Give the places that are looked at, first the one that wins."""
    home = Path(os.environ.get("AIRFLOW_HOME", "~/airflow")).expanduser()
    return [_PACKAGE / "sql", _PACKAGE.parent.parent / "sql", home / "sql"]
