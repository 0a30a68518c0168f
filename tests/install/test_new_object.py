"""A new sync object is five new files: in a copy of the tree, where no other file is touched."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COPIED = ("dags", "plugins", "sql", "tests")
MODEL = """\
-- Points of the loyalty programme, as Iterable shall know them.
--
-- Grain:     one grant of points to one person
-- Key:       grant_id
-- Owner:     loyalty
-- Freshness: a grant is in the table grants at once, and never changes
SELECT
    grant_id,
    user_id,
    'Points Granted' AS event_name,
    granted_at AS created_at,
    points
FROM grants
"""
TEST = '''\
"""Points of the loyalty programme, from a table to Iterable."""

from __future__ import annotations

import event_world as events
from iterable_sync.rows import ProjectType
from iterable_sync.sqlfiles import sql_root

COLUMNS = {"grant_id": "text", "user_id": "text", "granted_at": "timestamptz", "points": "bigint"}


def test_grants_arrive_once(duckdb_world):
    """Those of the first run and those of the next."""
    world = duckdb_world.with_project(ProjectType.USER_ID)
    sql = (sql_root() / "models/loyalty.sql").read_text()
    accepted = []
    for grants in (1, 3):
        rows = [(f"g{n}", "u1", events.ago(hours=3 - n), 10 * n) for n in range(grants)]
        world.put(*rows, columns=COLUMNS, table="grants")
        done = world.sync(world.spec(sync="loyalty", object="loyalty", sql=sql, key="grant_id"))
        accepted.append(done.accepted)

    fields = [event["dataFields"] for event in events.arrived(world)]
    assert [1, 2] == accepted
    assert [("g0", 0), ("g1", 10), ("g2", 20)] == sorted(
        (one["grant_id"], one["points"]) for one in fields
    )
'''
ASK = """
import airflow_env
from pathlib import Path
import iterable_sync
from airflow_dags import load_dag
from iterable_sync import objects
(task,) = load_dag(Path("dags/iterable_loyalty.py")).tasks
print(iterable_sync.__file__, "loyalty" in objects.names(), type(task).__name__, task.sync_object)
"""


def like_events(file: str) -> str:
    """Give a file of events as one of loyalty."""
    text = (ROOT / file).read_text()
    for old, new in {
        r'name: str = "events"': 'name: str = "loyalty"',
        r'Shape\(\n        "events"': 'Shape(\n        "loyalty"',
        r"\bEvents\b": "Loyalty",
        r'(sync_object: .*) = "events"': r'\1 = "loyalty"',
        r"IterableEventsOperator": "IterableLoyaltyOperator",
        r"iterable_events": "iterable_loyalty",
        r"models/events": "models/loyalty",
        r"view_id": "grant_id",
    }.items():
        text = re.sub(old, new, text, flags=re.MULTILINE)
    return text


def five_files() -> dict[str, str]:
    return {
        "plugins/iterable_sync/objects/loyalty.py": like_events(
            "plugins/iterable_sync/objects/events.py"
        ),
        "plugins/iterable_sync/operators/loyalty.py": like_events(
            "plugins/iterable_sync/operators/events.py"
        ),
        "tests/objects/test_loyalty.py": TEST,
        "sql/models/loyalty.sql": MODEL,
        "dags/iterable_loyalty.py": like_events("dags/iterable_events.py"),
    }


def digests(tree: Path) -> dict[str, str]:
    """Give what is in the files of a tree, but for what tools leave there: path -> digest."""
    files = {path.relative_to(tree): path for path in tree.rglob("*") if path.is_file()}
    return {
        str(name): sha256(path.read_bytes()).hexdigest()
        for name, path in files.items()
        if not any(part[0] == "." or part == "__pycache__" for part in name.parts)
    }


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Give a copy of what a change of the project may touch."""
    for name in COPIED:
        shutil.copytree(
            ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", ".*")
        )
    for name in ("setup.cfg", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def python(tree: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=tree,
        env={
            **{k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW", "PYTEST"))},
            "PYTHONPATH": f"{tree / 'plugins'}{os.pathsep}{tree / 'tests'}",
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-4000:]}\n{done.stderr[-2000:]}"
    return done.stdout


@pytest.mark.all
def test_a_new_object_is_five_new_files(tree: Path) -> None:
    """It is found, its contract is kept, its rows arrive and its DAG imports: no file is edited."""
    before = digests(tree)
    new = five_files()
    for name, text in new.items():
        assert name not in before
        (tree / name).write_text(text)

    where, *said = python(tree, "-c", ASK).splitlines()[-1].split()
    tested = python(
        tree,
        *("-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-rN"),
        *("-m", "not all", "-k", "loyalty or provider_info or declaration or between"),
        *("tests/objects", "tests/test_provider_info.py"),
    )

    assert where.startswith(str(tree))
    assert ["True", "IterableLoyaltyOperator", "loyalty"] == said
    (passed,) = re.findall(r"^(\d+) passed", tested, re.MULTILINE)
    # The contract alone has more, of the mapping and of runs.
    assert int(passed) > 60
    assert {
        **before,
        **{name: sha256(text.encode()).hexdigest() for name, text in new.items()},
    } == (digests(tree))


@pytest.mark.all
def test_an_object_that_breaks_the_contract_is_found(tree: Path) -> None:
    """Without a line about it anywhere: by being there."""
    name = "plugins/iterable_sync/objects/loyalty.py"
    named = '    name: str = "loyalty"\n'
    whole = five_files()[name]
    assert named in whole
    (tree / name).write_text(whole.replace(named, f'{named}    lane: str = "loyalty"\n'))

    with pytest.raises(AssertionError, match=r"FAILED .*test_declaration_is_complete\[loyalty\]"):
        python(
            tree,
            *("-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"),
            *("-k", "declaration and loyalty", "tests/objects/test_contract.py"),
        )
