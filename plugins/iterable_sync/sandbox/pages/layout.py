"""The frame of a page and its parts; every text is escaped here."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_STYLE = """
:root { color-scheme: light dark; --line: #d9d9e3; --soft: #f5f5f9; --accent: #5b3df5;
  --bad: #b3261e; --text: #1c1b22; --quiet: #62616e; --back: #fff; }
@media (prefers-color-scheme: dark) { :root { --line: #3a3945; --soft: #24232c;
  --accent: #a899ff; --bad: #ff8a80; --text: #f1f0f7; --quiet: #a5a3b3; --back: #19181f; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 72rem; padding: 1rem; background: var(--back);
  color: var(--text); font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.4rem; margin: .5rem 0; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
p { margin: .5rem 0; } .quiet { color: var(--quiet); } .bad { color: var(--bad); }
.tiles { display: grid; gap: .75rem; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); }
.tile { background: var(--soft); border-radius: .6rem; padding: .75rem 1rem; }
.tile b { display: block; font-size: 1.4rem; overflow-wrap: anywhere; }
form { display: flex; gap: .5rem; }
input { flex: 1; min-width: 0; } input, button { font: inherit; padding: .5rem .75rem;
  border: 1px solid var(--line); border-radius: .5rem; background: var(--back); color: inherit; }
button { background: var(--accent); border-color: var(--accent); color: var(--back); }
.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: .6rem; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { text-align: left; padding: .35rem .75rem; border-top: 1px solid var(--line);
  vertical-align: top; } thead th { border-top: 0; background: var(--soft); white-space: nowrap; }
td { overflow-wrap: anywhere; } td.number { text-align: right; white-space: nowrap;
  font-variant-numeric: tabular-nums; } code { font-family: ui-monospace, monospace; }
"""


def page(title: str, *parts: str) -> str:
    """Return a whole page; *parts* are HTML already."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>\n"
        f"<body>\n{''.join(parts)}\n</body></html>\n"
    )


def heading(text: str) -> str:
    """Return the heading of a part of the page."""
    return f"\n<h2>{escape(text)}</h2>\n"


def note(text: str) -> str:
    """Return a sentence beside the matter."""
    return f'<p class="quiet">{escape(text)}</p>\n'


def tiles(facts: Iterable[tuple[str, object]]) -> str:
    """Return facts, each a name and its value, as a row of tiles."""
    inner = "".join(
        f'<div class="tile"><b>{escape(str(value))}</b>{escape(name)}</div>'
        for name, value in facts
    )
    return f'<div class="tiles">{inner}</div>\n'


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table; numbers stand to the right."""
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in columns)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>\n" for row in rows)
    return (
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead>\n'
        f"<tbody>{body}</tbody></table></div>\n"
    )


def _cell(value: object) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f'<td class="number">{value}</td>'
    return f"<td>{escape(str(value))}</td>"
