"""Values that must never be shown, and a search for them in whatever form they may be shown."""

from __future__ import annotations

import base64
import html
import json
from functools import cache
from urllib.parse import quote, quote_plus

API_KEY = "canarykey7f3a91c2d4e5b6a7f8091a2b"
DATABASE_PASSWORD = "canary-pw-5518-hush"
PROXY_PASSWORD = "canary-px-8815-hush"
NAME = "Žofie Canarywright"
PHONE = "+41795550173"
NUMBER = 795550173

CANARIES = {
    "API key": (API_KEY,),
    "password of a database": (DATABASE_PASSWORD,),
    "password of a proxy": (PROXY_PASSWORD,),
    "e-mail": ("canary.quartz",),
    "name": (NAME, "Canarywright"),
    "phone": ("795550173", "79 555 01 73", "79-555-01-73"),
}


def email(number: int) -> str:
    """Give the e-mail of a person."""
    return f"canary.quartz{number}@example.com"


def found_in(text: str) -> list[str]:
    """Give which canaries a text shows, and in which form: ``e-mail (base64)``."""
    # Letters of any case are the same canary; base64 tells them apart.
    folded = text.casefold()
    return sorted(
        {
            f"{kind} ({form})"
            for kind, values in CANARIES.items()
            for value in values
            for form, shown in forms(value)
            if (shown in text if form == "base64" else shown.casefold() in folded)
        }
    )


@cache
def forms(value: str) -> tuple[tuple[str, str], ...]:
    """
    Give the ways to show a value: (form, text).

    These are the forms that Airflow's own masking does not know, and the plain one.
    """
    escaped = json.dumps(value)[1:-1]
    utf8 = value.encode()
    return (
        ("plain", value),
        ("JSON", escaped),
        ("JSON in JSON", json.dumps(escaped)[1:-1]),
        ("URL", quote(value, safe="")),
        ("form", quote_plus(value)),
        ("HTML", html.escape(value)),
        ("XML", value.encode("ascii", "xmlcharrefreplace").decode()),
        ("Python", value.encode("unicode_escape").decode()),
        ("bytes", repr(utf8)[2:-1]),
        ("hex", utf8.hex()),
        ("hex in pairs", utf8.hex(" ")),
        *(("base64", shown) for shown in _base64(utf8)),
    )


def _base64(content: bytes) -> set[str]:
    """Give what stays of base64 wherever the bytes begin in a longer text."""
    shown = set()
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + content).decode()
        # The first and the last group hold bits of the neighbours.
        middle = encoded[4 if shift else 0 : len(encoded) - 4]
        shown |= {middle, middle.replace("+", "-").replace("/", "_")}
    return shown
