"""
Which tests show what: markers in the source become docs/capabilities.md and docs/failures.md.

``make capabilities`` writes both. What an id means, and why one has no test, stands in
capabilities.toml and failures.toml.
"""

from __future__ import annotations

import ast
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeGuard

ROOT = Path(__file__).parent.parent
COLUMNS = ("what it is",)
"""Of the tables whose group names none."""


@dataclass(frozen=True)
class Document:
    """
    A document that is made of the tests.

    Args:
        marker: of tests, whose arguments are ids.

        noun: what an id stands for, in the plural.

        listed: the list of ids, beside this file.

        introduction: what stands above the tables.
    """

    marker: str
    noun: str
    listed: str
    path: Path
    introduction: str


CAPABILITIES = Document(
    "capability",
    "capabilities",
    "capabilities.toml",
    ROOT / "docs/capabilities.md",
    """\
# Capabilities

What integrations of Iterable with customer data platforms and shops are bought for, and the tests
that show it here. The tests say it themselves, by the marker `capability`; `make capabilities`
writes this document from them and from `tests/capabilities.toml`.
""",
)
FAILURES = Document(
    "failure",
    "rows",
    "failures.toml",
    ROOT / "docs/failures.md",
    """\
# Failures

What can go wrong with a sync, what becomes of it here, and the tests that show it. The tests say it
themselves, by the marker `failure`; `make capabilities` writes this document from them and from
`tests/failures.toml`. What is promised stands in [guarantees.md](guarantees.md), with the figures
of `make torture`. Some of the tests are too long for `make test` and run in `make test-all`. An id
here has nothing to do with the same id in [capabilities.md](capabilities.md).
""",
)
DOCUMENTS = (CAPABILITIES, FAILURES)


class CapabilityError(Exception):
    """Markers and list contradict each other; each line says what to mend."""


@dataclass(frozen=True)
class Declared:
    """
    The list behind a document.

    Args:
        groups: title -> {id: what it is, a text for each column}, in the order of the document.

        without: id -> why no test shows it.

        columns: title -> what its columns are called, where it is not :data:`COLUMNS`.
    """

    groups: dict[str, dict[str, tuple[str, ...]]]
    without: dict[str, str]
    columns: dict[str, tuple[str, ...]] = field(default_factory=dict)


def declared(text: str) -> Declared:
    """Read the list from the text of its file."""
    found = tomllib.loads(text)
    return Declared(
        {
            group["title"]: {
                one: (what,) if isinstance(what, str) else tuple(what)
                for one, what in group["rows"].items()
            }
            for group in found["groups"]
        },
        found["without"],
        {
            group["title"]: tuple(group["columns"])
            for group in found["groups"]
            if "columns" in group
        },
    )


def shown(sources: dict[str, str], marker: str = CAPABILITIES.marker) -> dict[str, list[str]]:
    """
    Find the tests that have a marker.

    Args:
        sources: path of a test file, as the document is to name it -> its text.

        marker: its name.

    Returns:
        id -> ``path::test``, in the order of the sources and of their lines.

    Raises:
        CapabilityError: a marker is no decorator of a test, or an id in it is no literal.
    """
    tests: dict[str, list[str]] = {}
    wrong: list[str] = []
    for path, text in sources.items():
        if f".{marker}(" not in text:
            continue
        tree = ast.parse(text)
        of_tests = {
            call: node.name
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
            for call in node.decorator_list
        }
        found = [node for node in ast.walk(tree) if _is_marker(node, marker)]
        for call in sorted(found, key=lambda call: call.lineno):
            ids = [ast.literal_eval(one) for one in call.args if isinstance(one, ast.Constant)]
            if call not in of_tests or not ids or len(ids) < len(call.args):
                wrong.append(f"{path}:{call.lineno}: no decorator of a test with literal ids")
            else:
                for one in ids:
                    tests.setdefault(one, []).append(f"{path}::{of_tests[call]}")
    if wrong:
        raise CapabilityError("\n".join(wrong))
    return tests


def contradictions(listed: Declared, tests: dict[str, list[str]]) -> list[str]:
    """Give what is wrong between the list and the markers, a line each."""
    known = [one for rows in listed.groups.values() for one in rows]
    return [
        *(f"{one}: unknown, marks {', '.join(tests[one])}" for one in tests if one not in known),
        *(f"{one}: in the list twice" for one in sorted(set(known)) if known.count(one) > 1),
        *(
            f"{one}: has neither a test nor a reason under [without]"
            for one in known
            if one not in tests and one not in listed.without
        ),
        *(f"{one}: has a test by now, so no reason" for one in listed.without if one in tests),
        *(f"{one}: has a reason and is not listed" for one in listed.without if one not in known),
    ]


def page(listed: Declared, tests: dict[str, list[str]], document: Document = CAPABILITIES) -> str:
    """Write a document."""
    known = [one for rows in listed.groups.values() for one in rows]
    shown_by_tests = sum(one in tests for one in known)
    parts = [
        document.introduction,
        f"Of {len(known)} {document.noun} {shown_by_tests} are shown by a test.\n",
    ]
    for title, rows in listed.groups.items():
        columns = ("id", *listed.columns.get(title, COLUMNS), "shown by")
        parts.append(f"## {title}\n\n| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
        for one, what in rows.items():
            by = "<br>".join(f"`{test}`" for test in tests.get(one, ()))
            parts.append(f"| {' | '.join((one, *what, by or listed.without[one]))} |")
        parts.append("")
    return "\n".join(parts)


def of_the_project(document: Document = CAPABILITIES) -> tuple[Declared, dict[str, list[str]]]:
    """Give the list behind a document, and the tests that show what is in it."""
    files = sorted((ROOT / "tests").rglob("test_*.py"))
    sources = {file.relative_to(ROOT).as_posix(): file.read_text("utf-8") for file in files}
    listed = declared((ROOT / "tests" / document.listed).read_text("utf-8"))
    return listed, shown(sources, document.marker)


def main() -> None:
    """Write the documents; a contradiction ends it before that one is written."""
    for document in DOCUMENTS:
        listed, tests = of_the_project(document)
        if wrong := contradictions(listed, tests):
            raise SystemExit("\n".join(wrong))
        document.path.write_text(page(listed, tests, document), "utf-8")


def _is_marker(node: ast.AST, name: str) -> TypeGuard[ast.Call]:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == name
    )


if __name__ == "__main__":
    main()
