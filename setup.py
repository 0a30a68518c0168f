"""
What setup.cfg cannot say: the wheel carries ``sql/``, which lies beside the package.

The metadata is in setup.cfg.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent

# egg_base in setup.cfg: setuptools wants the folder to be there, and a clone has none.
(ROOT / "build").mkdir(exist_ok=True)


class BuildWithSql(build_py):
    """
    Copy ``sql/`` into the built package, as ``iterable_sync/sql``.

    ``data_files`` would put it below ``sys.prefix``, where ``pip install --target`` and
    ``--user`` put it somewhere else; a symbolic link below plugins/ does not survive a copy
    into ``$AIRFLOW_HOME``. An editable install reads the checkout's folder.
    """

    def run(self) -> None:
        """Build the modules, then copy."""
        super().run()
        if not self.editable_mode:
            target = Path(self.build_lib, "iterable_sync", "sql")
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(ROOT / "sql", target)


setup(cmdclass={"build_py": BuildWithSql})
