from __future__ import annotations

import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parent

MODULE = """
import iterable_facts
import pytest

def test_skips():
    pytest.skip("no database")

@pytest.mark.skip(reason="not now")
def test_is_marked():
    pass

@pytest.mark.skipif(True, reason=iterable_facts.ABSENT)
@pytest.mark.parametrize("exchange", [])
def test_needs_recordings(exchange):
    pass

@pytest.mark.xfail(reason="known", strict=True)
def test_fails_as_known():
    assert False

def test_passes():
    pass
"""


def test_a_skipped_test_is_a_failed_one(tmp_path: Path):
    """Skips become failures that name their reason, but for absent recordings."""
    (tmp_path / "test_some.py").write_text(MODULE)
    (tmp_path / "test_module.py").write_text("import pytest\npytest.importorskip('no_such_lib')\n")

    run = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-p", "no_skips", "-p", "no:cacheprovider", "-q"),
            *("--continue-on-collection-errors", "."),
        ],
        cwd=tmp_path,
        env={"PYTHONPATH": str(TESTS), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 1, run.stdout
    assert "no database" in run.stdout
    assert "not now" in run.stdout
    assert "no_such_lib" in run.stdout
    assert run.stdout.splitlines()[-1].startswith(
        "1 failed, 1 passed, 1 skipped, 1 xfailed, 2 errors"
    )
