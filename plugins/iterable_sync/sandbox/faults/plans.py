"""Fault plans: rules with one seed, and which of them fire for a request."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fnmatch import translate
from random import Random
from typing import TYPE_CHECKING, Any

from .arguments import (
    REQUIRED,
    boolean,
    fraction,
    number,
    text,
    whole,
)
from .kinds import KINDS, Effect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from .kinds import Kind

_COMMON = ("kind", "endpoint", "method", "delay_s", "times")
_PLAN = ("seed", "enabled", "rules")


@dataclass(slots=True)
class Rule:
    """
    One rule of a plan.

    Args:
        given: the rule as it was written.

        fires: told the number of a matching request, counted from 1, and a random number from 0
            to 1.

        times: how often it fires at the most.

        seen: matching requests so far.

        fired: how many of them it changed.
    """

    kind: str
    given: Mapping[str, Any]
    arguments: Mapping[str, Any]
    fires: Callable[[int, float], bool]
    pattern: re.Pattern[str]
    method: str | None
    delay_s: float
    times: float
    random: Random
    seen: int = 0
    fired: int = 0

    @property
    def spec(self) -> Kind:
        """The kind's line in the table."""
        return KINDS[self.kind]

    @property
    def applies(self) -> bool:
        """Whether the request takes effect."""
        if self.spec.effect is Effect.CHOICE:
            return bool(self.arguments["apply"])
        return self.spec.effect is Effect.APPLIED

    @property
    def cuts_upload(self) -> bool:
        """Whether the connection is cut before the request is complete."""
        return self.arguments.get("at") in ("start", "upload")

    def bytes_before_cut(self, headers: Iterable[tuple[bytes, bytes]]) -> int | None:
        """Return after how many bytes of the body the connection is cut; None for none at all."""
        if self.arguments["at"] == "start":
            return None
        if self.arguments["after_bytes"] is not None:
            return int(self.arguments["after_bytes"])
        return length_of(headers) // 2

    def wants(self, method: str, path: str, size: int) -> bool:
        """Count the request if it is one of this rule's; return whether the rule fires for it."""
        if (self.method is not None and method != self.method) or not self.pattern.match(path):
            return False
        if method == "GET" and self.spec.rows is not None:
            return False
        if size <= self.arguments.get("above_bytes", -1):
            return False
        self.seen += 1
        # Drawn for each matching request, whatever other rules do: a rule fires for the same
        # requests with or without its neighbours.
        return self.fires(self.seen, self.random.random()) and self.fired < self.times


@dataclass(frozen=True, slots=True)
class Hit:
    """
    What happens to one request.

    Args:
        fault: the rule that changes the answer or the connection.

        rows: the rules that take rows out of it, the outermost first.
    """

    fault: Rule | None = None
    rows: Sequence[Rule] = field(default=())


NO_HIT = Hit()


class Plan:
    """Rules in order. The same requests in the same order meet the same faults."""

    def __init__(self, rules: Sequence[Rule], seed: int, *, enabled: bool = True) -> None:
        self.rules = rules
        self.seed = seed
        self.enabled = enabled

    @classmethod
    def from_json(cls, value: Any, *, seed: int = 0) -> Plan:
        """
        Read a plan.

        Args:
            value: ``{"seed": 7, "rules": [{"kind": "error", "nth": 3}]}``, or the rules alone.

            seed: used where the plan has none.

        Raises:
            ValueError: it is no plan; the text says where and what was expected.
        """
        if isinstance(value, list):
            value = {"rules": value}
        if not isinstance(value, dict) or not isinstance(value.get("rules", []), list):
            raise ValueError("expected an object with rules, an array")  # noqa: TRY004 -- all wrong values are told alike
        _refuse_unknown("plan", value, _PLAN)
        found = _parse("seed", whole(0), value.get("seed", seed))
        enabled = _parse("enabled", boolean, value.get("enabled", True))
        rules = [
            _rule(f"rules[{index}]", given, Random(f"{found}/{index}"))  # noqa: S311 -- must repeat
            for index, given in enumerate(value.get("rules", []))
        ]
        return cls(rules, found, enabled=enabled)

    def take(self, method: str, path: str, size: int) -> Hit:
        """
        Return what happens to a request, and count it.

        Of the rules that fire, the first that changes the answer or the connection wins; all that
        take rows out work together, but of those that drop rows only the first.
        """
        if not self.enabled:
            return NO_HIT
        fault: Rule | None = None
        drop: Rule | None = None
        rows: list[Rule] = []
        for rule in self.rules:
            if not rule.wants(method, path, size):
                continue
            if rule.kind == "drop":
                if drop is not None:
                    continue
                drop = rule
            elif rule.spec.rows is not None:
                rows.append(rule)
            elif fault is None:
                fault = rule
            else:
                continue
            rule.fired += 1
        # The drop sees what the others leave: it tries the rest twice.
        return Hit(fault, [*rows, drop] if drop is not None else rows)

    def as_json(self) -> dict[str, Any]:
        """Return the plan as it can be given again, and how often each rule was met."""
        return {
            "plan": {
                "seed": self.seed,
                "enabled": self.enabled,
                "rules": [rule.given for rule in self.rules],
            },
            "counts": [{"seen": rule.seen, "fired": rule.fired} for rule in self.rules],
        }


def length_of(headers: Iterable[tuple[bytes, bytes]]) -> int:
    """Return the announced length of a body; 0 if it is sent in chunks."""
    return next((int(text) for name, text in headers if name == b"content-length"), 0)


def _rule(place: str, given: Any, random: Random) -> Rule:
    if not isinstance(given, dict):
        raise ValueError(f"{place}: expected an object")  # noqa: TRY004 -- all wrong values are told alike
    kind = KINDS.get(str(given.get("kind")))
    if kind is None:
        raise ValueError(f"{place}.kind: expected one of {', '.join(KINDS)}")
    _refuse_unknown(place, given, (*_COMMON, *_TRIGGERS, *kind.arguments))
    arguments = {}
    for name, argument in kind.arguments.items():
        if name in given:
            arguments[name] = _parse(f"{place}.{name}", argument.parse, given[name])
        elif argument.default is REQUIRED:
            raise ValueError(f"{place}: {given['kind']} needs {name}")
        else:
            arguments[name] = argument.default
    wrong = kind.check(arguments) if kind.check else None
    if wrong:
        raise ValueError(f"{place}: {wrong}")
    delay_s = _parse(f"{place}.delay_s", number, given.get("delay_s", 0))
    if given["kind"] == "delay" and not delay_s:
        raise ValueError(f"{place}: delay needs delay_s")
    method = given.get("method")
    times = given.get("times")
    return Rule(
        kind=given["kind"],
        given=given,
        arguments=arguments,
        fires=_trigger(place, given),
        pattern=re.compile(
            translate(_parse(f"{place}.endpoint", text, given.get("endpoint", "*")))
        ),
        method=None if method is None else _parse(f"{place}.method", text, method).upper(),
        delay_s=delay_s,
        times=float("inf") if times is None else _parse(f"{place}.times", whole(1), times),
        random=random,
    )


def _trigger(place: str, given: Mapping[str, Any]) -> Callable[[int, float], bool]:
    names = [name for name in _TRIGGERS if name in given]
    if len(names) > 1:
        raise ValueError(f"{place}: give one of {', '.join(names)}, not several")
    if not names:
        return lambda _number, _chance: True
    return _TRIGGERS[names[0]](f"{place}.{names[0]}", given[names[0]])


def _probability(place: str, value: Any) -> Callable[[int, float], bool]:
    share = _parse(place, fraction, value)
    return lambda _number, chance: chance < share


def _nth(place: str, value: Any) -> Callable[[int, float], bool]:
    values = value if isinstance(value, list) else [value]
    chosen = {_parse(place, whole(1), one) for one in values}
    return lambda number, _chance: number in chosen


def _first(place: str, value: Any) -> Callable[[int, float], bool]:
    last = _parse(place, whole(1), value)
    return lambda number, _chance: number <= last


def _every(place: str, value: Any) -> Callable[[int, float], bool]:
    step = _parse(place, whole(1), value)
    return lambda number, _chance: number % step == 0


def _between(place: str, value: Any) -> Callable[[int, float], bool]:
    if not isinstance(value, list) or len(value) != 2:
        raise ValueError(f"{place}: expected an array of two numbers")
    low, high = (_parse(place, whole(1), one) for one in value)
    return lambda number, _chance: low <= number <= high


_TRIGGERS: Mapping[str, Callable[[str, Any], Callable[[int, float], bool]]] = {
    "probability": _probability,
    "nth": _nth,
    "first": _first,
    "every": _every,
    "between": _between,
}


def _parse(place: str, parse: Callable[[Any], Any], value: Any) -> Any:
    try:
        return parse(value)
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from error


def _refuse_unknown(place: str, given: Mapping[str, Any], known: Sequence[str]) -> None:
    unknown = [name for name in given if name not in known]
    if unknown:
        raise ValueError(f"{place}: unknown member {unknown[0]!r}; known: {', '.join(known)}")
