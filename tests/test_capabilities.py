"""The documents that are made of markers say what the tests say; each id has a test or a reason."""

from __future__ import annotations

import pytest

from capabilities import (
    CAPABILITIES,
    DOCUMENTS,
    FAILURES,
    CapabilityError,
    Declared,
    Document,
    contradictions,
    declared,
    of_the_project,
    page,
    shown,
)

LIST = """
without = { D3 = "not yet: nothing publishes" }

[[groups]]
title = "A: events"
rows = { A1 = "names", A2 = "times" }

[[groups]]
title = "D: codes"
rows = { D3 = "published" }
"""
TESTS = {"A1": ["tests/test_a.py::test_one"], "A2": ["tests/test_a.py::test_two"]}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.marker)
def test_the_document_is_that_of_the_tests(document: Document):
    """Made by `make capabilities`, it names each id once, with its tests or its reason."""
    listed, tests = of_the_project(document)

    assert [] == contradictions(listed, tests)
    assert document.path.read_text("utf-8") == page(listed, tests, document), "make capabilities"


@pytest.mark.parametrize(
    ("document", "rows_of_groups"),
    [
        pytest.param(CAPABILITIES, [40, 26, 22, 14, 41], id="capabilities"),
        pytest.param(FAILURES, [11, 18, 15, 9, 18, 9, 12], id="failures"),
    ],
)
def test_all_that_there_is_is_listed(document: Document, rows_of_groups: list[int]):
    """In groups, numbered through."""
    listed, _ = of_the_project(document)

    assert [len(rows) for rows in listed.groups.values()] == rows_of_groups
    for title, rows in listed.groups.items():
        assert [f"{title[0]}{number}" for number in range(1, len(rows) + 1)] == list(rows)


def test_markers_are_read_from_the_source():
    """Of several ids each has the test, and a test without the marker is nobody's."""
    text = """
import pytest

@pytest.mark.all
@pytest.mark.capability("A1", "A2")
def test_one(): ...

class TestMore:
    @pytest.mark.capability("A2")
    @pytest.mark.parametrize("n", [1])
    def test_two(self, n): ...

def test_three(): ...
"""

    assert shown({"tests/test_a.py": text, "tests/test_b.py": "def test_four(): ..."}) == {
        "A1": ["tests/test_a.py::test_one"],
        "A2": ["tests/test_a.py::test_one", "tests/test_a.py::test_two"],
    }


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("pytestmark = pytest.mark.capability('A1')", id="of a module"),
        pytest.param("@pytest.mark.capability('A1')\ndef helper(): ...", id="of no test"),
        pytest.param("@pytest.mark.capability(ID)\ndef test_a(): ...", id="name instead of an id"),
        pytest.param(
            "@pytest.mark.capability('A1', ID)\ndef test_a(): ...", id="one id and one name"
        ),
        pytest.param("@pytest.mark.capability()\ndef test_a(): ...", id="no id"),
    ],
)
def test_marker_that_cannot_be_read_is_an_error_that_says_where(text: str):
    with pytest.raises(CapabilityError, match=r"tests/test_a\.py:1: "):
        shown({"tests/test_a.py": text})


def test_of_several_markers_each_has_its_tests():
    """An id of one is none of the other."""
    text = """
import pytest

@pytest.mark.capability("A1")
@pytest.mark.failure("H1")
def test_one(): ...
"""

    assert shown({"tests/test_a.py": text}, "failure") == {"H1": ["tests/test_a.py::test_one"]}
    assert shown({"tests/test_a.py": text}) == {"A1": ["tests/test_a.py::test_one"]}


def test_rows_may_have_columns_of_their_own():
    """A table of failures says what fails and what becomes of it."""
    made = page(
        declared(
            'without = {}\n[[groups]]\ntitle = "H: HTTP"\ncolumns = ["what fails", "then"]\n'
            'rows = { H1 = ["429", "slower"] }'
        ),
        {"H1": ["tests/test_a.py::test_one"]},
        FAILURES,
    )

    assert "| id | what fails | then | shown by |\n|---|---|---|---|\n" in made
    assert "| H1 | 429 | slower | `tests/test_a.py::test_one` |" in made
    assert "Of 1 rows 1 are shown by a test." in made


def test_a_list_and_its_tests_make_a_page():
    """A table for each group; what no test shows has its reason."""
    made = page(declared(LIST), TESTS)

    assert "Of 3 capabilities 2 are shown by a test." in made
    assert "## D: codes" in made
    assert "| A1 | names | `tests/test_a.py::test_one` |" in made
    assert "| D3 | published | not yet: nothing publishes |" in made


@pytest.mark.parametrize(
    ("listed", "tests", "wrong"),
    [
        pytest.param(declared(LIST), TESTS, None, id="all is well"),
        pytest.param(declared(LIST), {"A1": TESTS["A1"]}, "A2: has neither", id="nothing shows it"),
        pytest.param(declared(LIST), TESTS | {"D3": ["t"]}, "D3: has a test", id="by now"),
        pytest.param(declared(LIST), TESTS | {"A9": ["t"]}, "A9: unknown", id="unknown id"),
        pytest.param(
            Declared({"A": {"A1": ()}, "B": {"A1": ()}}, {}), {"A1": ["t"]}, "A1: in", id="twice"
        ),
        pytest.param(Declared({}, {"D3": "no"}), {}, "D3: has a reason", id="reason of nothing"),
    ],
)
def test_what_is_wrong_between_list_and_tests_is_named(
    listed: Declared, tests: dict[str, list[str]], wrong: str | None
):
    found = contradictions(listed, tests)

    assert [] == found if wrong is None else len(found) == 1 and found[0].startswith(wrong)
