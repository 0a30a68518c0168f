from __future__ import annotations


def test_lists_of_an_empty_project_are_none(sandbox):
    answer = sandbox.get("/api/lists")

    assert (answer.status_code, answer.json()) == (200, {"lists": []})
