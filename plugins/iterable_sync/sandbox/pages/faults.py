"""Faults: what is planned, how often it was met, and one switch for all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs

import orjson
from markupsafe import Markup

from ..faults.kinds import KINDS
from .rendering import Shown, Table, code, json_value, quiet

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

    from ..faults.plans import Rule
    from ..state import State

_COMMON = ("kind", "endpoint", "method")
_TRIGGERS = ("probability", "nth", "first", "every", "between", "times")


def faults(state: State, _request: Request) -> Shown:
    """Show the plan."""
    plan = state.faults
    rows = [
        (
            code(rule.kind),
            _aim(rule),
            _trigger(rule.given),
            _arguments(rule.given),
            rule.seen,
            rule.fired,
        )
        for rule in plan.rules
    ]
    kinds = [
        (
            code(name),
            _with_code(kind.about),
            ", ".join(kind.arguments) or quiet("none"),
        )
        for name, kind in KINDS.items()
    ]
    values = {
        "enabled": plan.enabled,
        "planned": len(plan.rules),
        "fired": sum(rule.fired for rule in plan.rules),
        "seed": plan.seed,
        "table": Table("Rules", ("Fault", "Requests", "When", "How", "Matched", "Fired"), rows),
        "kinds": Table("Kinds of faults", ("Kind", "What happens", "Arguments"), kinds),
        "example": orjson.dumps(
            {"rules": [{"kind": "error", "endpoint": "/api/users/*", "every": 3}]}
        ).decode(),
    }
    return Shown("faults", values)


def switch_faults(state: State, body: bytes) -> Shown:
    """Turn all faults on or off, as the form says."""
    wanted = parse_qs(body.decode("latin-1")).get("enabled", [""])[0]
    if wanted not in ("on", "off"):
        return Shown("refused", {"why": "The form was not understood."}, status=400)
    state.faults.enabled = wanted == "on"
    return Shown("", location="/faults", status=303)


def _aim(rule: Rule) -> object:
    method = rule.given.get("method")
    return code(" ".join(filter(None, (method, str(rule.given.get("endpoint", "*"))))))


def _trigger(given: Mapping[str, object]) -> str:
    words = []
    for name in _TRIGGERS:
        value = given.get(name)
        if value is None:
            continue
        if name == "probability" and isinstance(value, int | float):
            words.append(f"{value:.2%} of them".replace(".00%", "%"))
        elif name == "between" and isinstance(value, list):
            words.append(f"number {value[0]} to {value[1]}")
        elif name == "nth":
            numbers = value if isinstance(value, list) else [value]
            words.append(f"number {', '.join(map(str, numbers))}")
        else:
            form = {"first": "the first {}", "every": "one in {}", "times": "at most {} times"}
            words.append(form[name].format(value))
    return ", ".join(words) or "always"


def _with_code(text: str) -> Markup:
    """Return a text whose parts between backticks are code."""
    parts = [
        code(part) if index % 2 else Markup("{}").format(part)
        for index, part in enumerate(text.split("`"))
    ]
    return Markup("").join(parts)


def _arguments(given: Mapping[str, object]) -> object:
    rest = {name: value for name, value in given.items() if name not in (*_COMMON, *_TRIGGERS)}
    return json_value(rest) if rest else quiet("as it is")
