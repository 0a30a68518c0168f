"""Documents as tests read them: their text, their code and their tables."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@cache
def text_of(path: Path) -> str:
    """Give the text of a document."""
    return path.read_text(encoding="utf-8")


def without_code(text: str) -> str:
    """Leave out the blocks of code."""
    return re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)


def blocks(document: Path, language: str) -> list[str]:
    """Give the blocks of code in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text_of(document), re.DOTALL | re.MULTILINE)


def table(document: Path, first_column: str) -> dict[str, tuple[str, ...]]:
    """Give the rows of all tables whose first column has that name: first cell -> the others."""
    rows: dict[str, tuple[str, ...]] = {}
    inside = False
    for line in text_of(document).splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("|"):
            inside = False
        elif cells[0] == first_column:
            inside = True
        elif inside and not cells[0].startswith("---"):
            rows[cells[0].strip("`")] = tuple(cells[1:])
    return rows


def spans(text: str) -> list[str]:
    """Give what stands as code in the lines of a text."""
    return re.findall(r"`([^`\n]+)`", without_code(text))
