"""Which rules of a plan fire for which requests, and what a wrong plan is told."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from iterable_sync.sandbox.faults.kinds import KINDS
from iterable_sync.sandbox.faults.plans import Plan

USERS = "/api/users/bulkUpdate"
LISTS = "/api/lists"


def fired(plan: Plan, requests: int, path: str = USERS, method: str = "POST") -> list[int]:
    """Return the numbers of the requests for which a rule fired."""
    return [n for n in range(1, requests + 1) if plan.take(method, path, 100).fault is not None]


@pytest.mark.parametrize(
    ("trigger", "expected"),
    [
        pytest.param({}, [1, 2, 3, 4, 5, 6], id="always"),
        pytest.param({"nth": 3}, [3], id="third"),
        pytest.param({"nth": [1, 4]}, [1, 4], id="first and fourth"),
        pytest.param({"first": 2}, [1, 2], id="first two"),
        pytest.param({"every": 3}, [3, 6], id="every third"),
        pytest.param({"between": [2, 4]}, [2, 3, 4], id="between"),
        pytest.param({"times": 2}, [1, 2], id="twice"),
        pytest.param({"every": 2, "times": 2}, [2, 4], id="every second, twice"),
        pytest.param({"probability": 0}, [], id="never"),
        pytest.param({"probability": 1}, [1, 2, 3, 4, 5, 6], id="certainly"),
    ],
)
def test_a_trigger_chooses_the_requests(trigger, expected):
    assert fired(Plan.from_json([{"kind": "error", **trigger}]), 6) == expected


def test_the_same_seed_meets_the_same_requests_and_another_does_not():
    plan = {"rules": [{"kind": "error", "probability": 0.3}]}

    first, again, other = (fired(Plan.from_json({"seed": seed, **plan}), 200) for seed in (7, 7, 8))

    assert first == again != other
    assert 30 <= len(first) <= 90


def test_a_rule_fires_for_the_same_requests_whatever_its_neighbours_do():
    rule = {"kind": "error", "probability": 0.3}
    alone = Plan.from_json([{"kind": "error", "probability": 0}, rule])
    beside = Plan.from_json([{"kind": "echo", "every": 2}, rule])

    kinds = {n: beside.take("POST", USERS, 1).fault for n in range(1, 101)}
    odd = [n for n in fired(alone, 100) if n % 2]

    assert [n for n, rule in kinds.items() if rule and rule.kind == "error"] == odd


@pytest.mark.parametrize(
    ("rule", "method", "path", "hits"),
    [
        ({}, "GET", LISTS, True),
        ({"endpoint": USERS}, "POST", USERS, True),
        ({"endpoint": USERS}, "POST", LISTS, False),
        ({"endpoint": "/api/users/*"}, "POST", USERS, True),
        ({"endpoint": "/api/users"}, "POST", USERS, False),
        ({"endpoint": "/api/catalogs/*/items"}, "PUT", "/api/catalogs/a/items", True),
        ({"method": "post"}, "POST", USERS, True),
        ({"method": "GET"}, "POST", USERS, False),
    ],
)
def test_a_rule_is_for_a_path_pattern_and_a_method(rule, method, path, hits):
    plan = Plan.from_json([{"kind": "error", **rule}])

    assert (plan.take(method, path, 0).fault is not None) is hits


def test_a_rule_counts_its_own_requests_only():
    plan = Plan.from_json([{"kind": "error", "endpoint": USERS, "nth": 2}])

    paths = [USERS, LISTS, LISTS, USERS]
    hits = [plan.take("POST", path, 0).fault is not None for path in paths]

    assert hits == [False, False, False, True]


@pytest.mark.parametrize(("size", "hits"), [(9, False), (10, False), (11, True)])
def test_a_size_limit_fires_above_it(size, hits):
    plan = Plan.from_json([{"kind": "too_large", "above_bytes": 10}])

    assert (plan.take("POST", USERS, size).fault is not None) is hits


def test_the_first_rule_that_fires_wins_and_the_others_keep_their_times():
    plan = Plan.from_json(
        [{"kind": "error", "nth": 1}, {"kind": "echo", "times": 1}, {"kind": "drop"}]
    )

    hits = [plan.take("POST", USERS, 0) for _ in range(3)]

    assert [hit.fault.kind if hit.fault else None for hit in hits] == ["error", "echo", None]
    assert [[rule.kind for rule in hit.rows] for hit in hits] == [["drop"]] * 3
    assert plan.as_json()["counts"] == [
        {"seen": 3, "fired": 1},
        {"seen": 3, "fired": 1},
        {"seen": 3, "fired": 3},
    ]


def test_all_rules_about_rows_work_together_and_the_drop_is_the_innermost():
    rows = [
        {"kind": "drop"},
        {"kind": "refuse_rows", "keys": ["a"]},
        {"kind": "drop", "fraction": 0.5},
        {"kind": "refuse_batch", "keys": ["b"]},
    ]

    hit = Plan.from_json(rows).take("POST", USERS, 0)

    assert [rule.kind for rule in hit.rows] == ["refuse_rows", "refuse_batch", "drop"]
    assert hit.rows[-1].arguments["fraction"] == 1.0


def test_a_plan_that_is_switched_off_does_not_count():
    plan = Plan.from_json({"enabled": False, "rules": [{"kind": "error", "nth": 1}]})

    assert fired(plan, 3) == []
    plan.enabled = True
    assert fired(plan, 3) == [1]


def test_a_plan_can_be_given_again_as_it_is_shown():
    plan = Plan.from_json({"seed": 4, "rules": [{"kind": "reset", "at": "answer", "every": 2}]})

    assert Plan.from_json(plan.as_json()["plan"]).as_json() == plan.as_json()


@pytest.mark.parametrize(
    ("plan", "text"),
    [
        pytest.param(5, "expected an object with rules", id="number"),
        pytest.param({"rules": {}}, "expected an object with rules", id="rules"),
        pytest.param({"rule": []}, "plan: unknown member 'rule'; known: seed", id="member"),
        pytest.param({"seed": -1}, "seed: expected a whole number of at least 0", id="seed"),
        pytest.param({"enabled": 1}, "enabled: expected true or false", id="enabled"),
        pytest.param([5], "rules[0]: expected an object", id="rule"),
        pytest.param([{}], "rules[0].kind: expected one of answer, rate_limit", id="no kind"),
        pytest.param([{"kind": []}], "rules[0].kind: expected one of", id="odd kind"),
        pytest.param(
            [{"kind": "echo"}, {"kind": "eror"}], "rules[1].kind: expected one of", id="kind"
        ),
        pytest.param([{"kind": "echo", "status": 1}], "unknown member 'status'", id="argument"),
        pytest.param([{"kind": "redirect"}], "rules[0]: redirect needs location", id="missing"),
        pytest.param([{"kind": "error", "status": 400}], "from 500 to 599", id="status"),
        pytest.param([{"kind": "error", "html": 1}], "html: expected true or false", id="flag"),
        pytest.param([{"kind": "error", "nth": 0}], "rules[0].nth: expected a whole", id="nth"),
        pytest.param([{"kind": "error", "nth": True}], "rules[0].nth: expected", id="nth flag"),
        pytest.param([{"kind": "error", "between": 3}], "array of two numbers", id="between"),
        pytest.param([{"kind": "error", "probability": 2}], "from 0 to 1", id="probability"),
        pytest.param([{"kind": "error", "nth": 1, "first": 2}], "not several", id="triggers"),
        pytest.param(
            [{"kind": "error", "endpoint": 5}], "expected a text, not a number", id="path"
        ),
        pytest.param([{"kind": "error", "delay_s": -1}], "delay_s: expected a number", id="delay"),
        pytest.param([{"kind": "delay"}], "delay needs delay_s", id="no delay"),
        pytest.param([{"kind": "reset", "at": "x"}], "start, upload, handled, answer", id="phase"),
        pytest.param([{"kind": "reset", "after_bytes": 5}], "goes with at: upload", id="bytes"),
        pytest.param([{"kind": "refuse_rows"}], "either field or keys", id="no mark"),
        pytest.param(
            [{"kind": "refuse_rows", "field": "a", "keys": []}], "either field or keys", id="marks"
        ),
        pytest.param([{"kind": "refuse_rows", "keys": [1]}], "array of texts", id="keys"),
        pytest.param(
            [{"kind": "rate_limit", "retry_after": "5", "as_date": True}], "in seconds", id="date"
        ),
        pytest.param(
            [{"kind": "rate_limit", "retry_after": "5\r\nx: y"}], "line breaks", id="header"
        ),
        pytest.param(
            [{"kind": "answer", "status": 200, "headers": {"a b": "c"}}], "name", id="header name"
        ),
        pytest.param(
            [{"kind": "answer", "status": 200, "headers": {"Content-Length": "1"}}],
            "use the kind short_length",
            id="length",
        ),
        pytest.param([{"kind": "drip", "bytes_per_s": 0}], "above 0", id="speed"),
        pytest.param([{"kind": "drop", "fraction": 1.5}], "from 0 to 1", id="fraction"),
    ],
)
def test_a_wrong_plan_is_told_where_and_what_was_expected(plan, text):
    with pytest.raises(ValueError, match=re.escape(text)):
        Plan.from_json(plan)


def test_the_document_has_every_kind_with_its_arguments_and_defaults():
    document = Path(__file__).parents[2].joinpath("docs/sandbox.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \|[^|]*\|([^|]*)\|", document, re.MULTILINE)
    described = {kind: re.findall(r"`(\w+)`", cell) for kind, cell in rows if kind in KINDS}

    assert described == {name: list(kind.arguments) for name, kind in KINDS.items()}
