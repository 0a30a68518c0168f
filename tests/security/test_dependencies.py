"""What the product brings along: nothing that is not declared, and one version of each to test."""

from __future__ import annotations

import ast
import re
import sys
from configparser import ConfigParser
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "plugins" / "iterable_sync"
PIN = re.compile(r"([a-z0-9-]+)(\[[a-z,]+\])?==[0-9][0-9a-z.+]*( ; .+)?")
# Whoever has the one has the other: pandas, requests, an Airflow with such forms, and a pytest that
# loads the plugin.
COMES_ALONG = {"numpy", "urllib3", "wtforms", "pytest"}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def declared() -> set[str]:
    """Give the distributions that users get, by an install or by one of its extras but `dev`."""
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg")
    lines = setup["options"]["install_requires"].splitlines()
    extras = setup["options.extras_require"]
    lines += [line for extra in extras if extra != "dev" for line in extras[extra].splitlines()]
    return {normal(re.split(r"[\[<>=;~ ]", line)[0]) for line in lines if line}


def imported(path: Path) -> set[str]:
    """Give the top-level modules that a file imports and that Python does not have itself."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        match node:
            case ast.Import(names=names):
                found |= {one.name.partition(".")[0] for one in names}
            case ast.ImportFrom(module=str(module), level=0):
                found.add(module.partition(".")[0])
    return found - sys.stdlib_module_names - COMES_ALONG - {"iterable_sync"}


@pytest.mark.failure("S16")
def test_nothing_is_imported_that_is_not_declared():
    """What comes along with something else may go with it, or be something else one day."""
    of = packages_distributions()
    undeclared = {
        f"{path.relative_to(PACKAGE)}: {module}"
        for path in PACKAGE.rglob("*.py")
        for module in imported(path)
        if not {normal(name) for name in of.get(module, [])} & declared()
    }

    assert set() == undeclared


@pytest.mark.failure("S16")
def test_tests_run_with_one_version_of_everything_that_is_declared():
    """Of an index, by its version: no address, no range."""
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pins = [(line, PIN.fullmatch(line)) for line in lines if line and not line.startswith("#")]

    assert [] == [line for line, pin in pins if pin is None]
    assert declared() <= {normal(pin[1]) for _, pin in pins if pin}
