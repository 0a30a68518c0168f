"""The documents say what is so: tests, files, links, targets and tables that they name exist."""

from __future__ import annotations

import ast
import re
import runpy
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import airflow_env  # noqa: F401 - before Airflow
from documents import blocks, spans, table, text_of, without_code
from harness import people
from iterable_sync import objects
from iterable_sync.provider_info import provider_info
from iterable_sync.reasons import REASONS
from iterable_sync.rows import NullPolicy
from iterable_sync.shop.streams import STREAMS
from iterable_sync.spec import Guards, Thresholds

if TYPE_CHECKING:
    from harness import World

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted(
    [
        *(ROOT / f"{name}.md" for name in ("README", "CHANGELOG", "CONTRIBUTING", "SECURITY")),
        *(ROOT / "docs").rglob("*.md"),
    ]
)
TRIED_AGAIN = {None: "when the value changes", 3_600.0: "after 1 hour", 86_400.0: "after 1 day"}

of_each_document = pytest.mark.parametrize(
    "document", [pytest.param(path, id=str(path.relative_to(ROOT))) for path in DOCUMENTS]
)


@of_each_document
def test_tests_that_a_document_names_exist(document: Path):
    """A promise without its test is none."""
    named = re.findall(r"\b(tests/[\w/]+\.py)(?:::(\w+))?", text_of(document))

    assert [] == [
        f"{file}::{test}"
        for file, test in named
        if not (ROOT / file).is_file() or (test and test not in named_tests(ROOT / file))
    ]


@of_each_document
def test_links_lead_somewhere(document: Path):
    """Relative links and their anchors; other sites are not asked."""
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", without_code(text_of(document))):
        if target.startswith("https://"):
            continue
        file, _, anchor = target.partition("#")
        path = (document.parent / file).resolve() if file else document
        if not path.exists() or (anchor and anchor not in anchors_in(path)):
            broken.append(target)

    assert [] == broken


@of_each_document
def test_files_that_a_document_names_exist(document: Path):
    named = re.findall(
        r"`((?:plugins|tests|sql|dags|docs|demo|bench)/[\w./-]*|\.ci/run)`", text_of(document)
    )

    assert [] == [path for path in named if not (ROOT / path).exists()]


@of_each_document
def test_targets_that_a_document_names_exist(document: Path):
    known = set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {
        word
        for line in re.findall(r"(?:`|\$ )make\b([^`#\n]*)", text_of(document))
        for word in line.split()
        if re.fullmatch("[a-z-]+", word)
    }

    assert set() == named - known


@of_each_document
def test_no_place_of_a_machine_is_in_a_document(document: Path):
    found = re.findall(
        r"(?<![\w.$/])/(?:work|home|root|Users|tmp|workspace|mnt|opt)/\S*", text_of(document)
    )

    assert [] == found


@of_each_document
def test_python_of_a_document_is_python(document: Path):
    for code in blocks(document, "python"):
        ast.parse(code)


@pytest.mark.parametrize("name", ["README.md", "docs/operations.md"])
def test_operators_of_the_documents_can_be_constructed(name: str, tmp_path: Path):
    """As a DAG file; an argument that nobody knows would be an error."""
    from iterable_sync import IterableUsersOperator

    dags = [code for code in blocks(ROOT / name, "python") if "DAG(" in code]
    assert dags
    for code in dags:
        file = tmp_path / "dag.py"
        file.write_text(code)

        (task,) = runpy.run_path(str(file))["dag"].tasks

        assert isinstance(task, IterableUsersOperator)
        assert ["iterable://iterable_default/shop.sync_users"] == [a.uri for a in task.outlets]


def test_sql_in_the_documents_runs(world: World):
    """On either engine, against the state of a run with a change and a rejection."""
    world.put(*people(1, 2), ("u3", "nobody", "Bern", 1))
    world.sync()
    world.put(*people(1, city="Rom"), *people(2), ("u3", "nobody", "Bern", 1))
    world.sync()
    snapshot = world.rows("SELECT snapshot_table FROM {syncs}")[0][0]
    found = {}
    for name in ("README.md", "docs/operations.md"):
        for statement in statements_in(ROOT / name):
            sql = re.sub(r"\bsnapshot_\w*_1a2b3c4d\b", snapshot, statement)
            sql = re.sub(r"\biterable_sync\.(\w+)", lambda m: world.state.table(m[1]), sql)
            with world.state.session() as session:
                if sql.startswith("SELECT"):
                    # DuckDB hands out times only where pytz is installed.
                    counted = session.rows(f"SELECT count(*) FROM ({sql}) AS q")
                    found[statement.split("FROM iterable_sync.")[1].split()[0]] = counted[0][0]
                else:
                    session.execute(sql)

    assert {"syncs": 1, "rejections": 1, "runs": 2, "held_keys": 0} == {
        table: found[table] for table in ("syncs", "rejections", "runs", "held_keys")
    }


def test_the_table_of_reasons_is_that_of_the_code():
    expected = {
        code: (reason.words, str(reason.owner), TRIED_AGAIN[reason.retry_after_s])
        for code, reason in REASONS.items()
    }

    assert expected == table(ROOT / "docs/guarantees.md", "reason")


@pytest.mark.parametrize(("prefix", "model"), [("guards", Guards), ("thresholds", Thresholds)])
def test_defaults_in_the_guarantees_are_those_of_the_code(
    prefix: str, model: type[Guards | Thresholds]
):
    expected = {f"{prefix}.{name}": float(value) for name, value in model().model_dump().items()}
    said = table(ROOT / "docs/guarantees.md", "setting")

    assert expected == {
        name: float(row[0]) for name, row in said.items() if name.startswith(f"{prefix}.")
    }


def test_removals_and_options_of_objects_are_those_of_the_code():
    """Of each object that the table has; none of the first eight may be missing."""
    said = table(ROOT / "docs/objects.md", "object")
    cells = {name: [re.findall("`(.+?)`", cell) for cell in row] for name, row in said.items()}

    assert len(cells) >= 8
    assert cells == {
        name: [list(objects.get(name).removals), sorted(objects.get(name).settings)]
        for name in cells
    }


def test_policies_of_null_are_those_of_the_code():
    assert {policy.value for policy in NullPolicy} == set(
        table(ROOT / "docs/guarantees.md", "policy")
    )


def test_the_fields_of_the_connection_are_those_of_the_form():
    form = provider_info()["connection-types"][0]["conn-fields"]
    expected = {field["label"]: f"`{name}` in the extra" for name, field in form.items()}
    said = table(ROOT / "README.md", "field of the form")

    assert {"API key", "Host"} == said.keys() - expected.keys()
    assert expected == {label: row[0] for label, row in said.items() if label in expected}


def test_the_table_of_a_shop_has_each_of_its_streams():
    """With the model that it runs; a row without a stream has a DAG of its own."""
    rows = [row for row in table(ROOT / "README.md", "what").values() if len(row) == 3]
    said = [(set(spans(models)), spans(where)) for models, where, _ in rows]
    of_streams = [(models, named) for models, named in said if not named[0].startswith("dags/")]

    assert sorted(STREAMS) == sorted(one for _, named in of_streams for one in named)
    for models, named in of_streams:
        assert models == {f"sql/{STREAMS[one].sql}" for one in named}


def test_every_decision_is_in_their_list():
    folder = ROOT / "docs/decisions"
    listed = re.findall(r"\]\((\d{4}-[\w-]+\.md)\)", text_of(folder / "README.md"))

    assert sorted(path.name for path in folder.glob("0*.md")) == listed


@cache
def named_tests(path: Path) -> set[str]:
    return {
        node.name
        for node in ast.walk(ast.parse(text_of(path)))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def statements_in(document: Path) -> list[str]:
    text = re.sub(r"^--.*\n", "", "".join(blocks(document, "sql")), flags=re.MULTILINE)
    return [statement.strip() for statement in text.split(";") if statement.strip()]


def anchors_in(document: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", without_code(text_of(document)), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
