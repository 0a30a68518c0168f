"""What the sandbox writes down of each request."""

from __future__ import annotations

from time import time

import pytest

BULK = "/api/users/bulkUpdate"


def page(sandbox, **query):
    return sandbox.get("/__sandbox__/history", params=query).json()


def test_history_is_given_in_pages(sandbox):
    for _ in range(5):
        sandbox.get("/api/lists")

    first = page(sandbox, limit=2)
    rest = page(sandbox, after=first["next_after"])

    assert [entry["seq"] for entry in first["requests"]] == [1, 2]
    assert [entry["seq"] for entry in rest["requests"]] == [3, 4, 5]
    assert (first["last_seq"], rest["next_after"], rest["forgotten"]) == (5, None, 0)


def test_an_entry_has_both_clocks_and_a_digest_of_the_body(sandbox):
    before = time()
    sandbox.post(BULK, b'{"users":[]}')
    sandbox.post(BULK, b'{"users":[]}')
    sandbox.post(BULK, b'{"users": []}')

    first, same, other = sandbox.history()

    assert before <= first["wall_time"] <= same["wall_time"] <= time()
    assert first["time"] <= same["time"] <= other["time"]
    assert first["digest"] == same["digest"] != other["digest"]


def test_a_true_answer_has_no_fault_and_no_cut(sandbox):
    sandbox.bulk({"userId": "1"})

    (entry,) = sandbox.history()

    assert (entry["faults"], entry["cut"], entry["applied"]) == ([], False, True)
    assert (entry["dropped"], entry["refused"]) == ([], [])


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        pytest.param({}, [1, 2, 3, 4], id="all"),
        pytest.param({"path": BULK}, [2, 3], id="path"),
        pytest.param({"path": "/api/*s"}, [1], id="pattern"),
        pytest.param({"status": 503}, [3], id="status"),
        pytest.param({"status": 200, "path": BULK}, [2], id="both"),
        pytest.param({"applied": "true"}, [1, 2, 3], id="applied"),
        pytest.param({"applied": "false"}, [4], id="withheld"),
        pytest.param({"fault": "error"}, [3], id="fault"),
        pytest.param({"status": 418}, [], id="none"),
    ],
)
def test_history_is_filtered(sandbox, query, numbers):
    sandbox.get("/api/lists")
    sandbox.bulk({"userId": "1"})
    sandbox.server.fail({"kind": "error", "apply": True})
    sandbox.post(BULK, {"users": [{"userId": "2"}]})
    sandbox.server.fail()
    sandbox.get("/api/nowhere")

    assert [entry["seq"] for entry in page(sandbox, **query)["requests"]] == numbers


def test_a_filtered_page_goes_on_behind_its_last_entry(sandbox):
    for path in ("lists", "channels") * 3:
        sandbox.get(f"/api/{path}")

    first = page(sandbox, path="/api/lists", limit=2)
    rest = page(sandbox, path="/api/lists", limit=2, after=first["next_after"])

    assert [entry["seq"] for entry in first["requests"]] == [1, 3]
    assert [entry["seq"] for entry in rest["requests"]] == [5]
    assert rest["next_after"] is None


def test_above_its_limit_the_oldest_are_forgotten_and_numbers_go_on(sandbox):
    sandbox.server.reset(history_limit=3)
    for _ in range(5):
        sandbox.get("/api/lists")

    got = page(sandbox)

    assert [entry["seq"] for entry in got["requests"]] == [3, 4, 5]
    assert (got["last_seq"], got["forgotten"]) == (5, 2)
    assert [entry["seq"] for entry in page(sandbox, after=4)["requests"]] == [5]


def test_a_smaller_limit_forgets_at_once(sandbox):
    for _ in range(5):
        sandbox.get("/api/lists")
    sandbox.post("/__sandbox__/settings", {"history_limit": 2})

    assert [entry["seq"] for entry in page(sandbox)["requests"]] == [4, 5]


def test_the_newest_come_first_for_the_page(sandbox):
    for _ in range(3):
        sandbox.get("/api/lists")

    assert [entry.seq for entry in sandbox.server.app_state.history.last(2)] == [3, 2]


def test_under_discard_no_names_of_rows_are_kept(sandbox):
    sandbox.server.reset(discard=True)
    sandbox.server.fail({"kind": "drop"}, {"kind": "refuse_rows", "keys": ["2"]})
    sandbox.bulk({"userId": "1"}, {"userId": "2"})

    (entry,) = sandbox.history()

    assert (entry["keys"], entry["dropped"], entry["refused"]) == ([], [], [])
    assert entry["faults"] == ["refuse_rows", "drop"]
