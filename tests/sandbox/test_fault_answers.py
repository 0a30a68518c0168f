"""Faults that answer something else: what a client sees, and whether the request took effect."""

from __future__ import annotations

import gzip
from email.utils import parsedate_to_datetime

import pytest
import requests

BULK = "/api/users/bulkUpdate"
USER = {"users": [{"userId": "1"}]}


def meet(sandbox, rule, body=USER):
    """Send one request that meets the fault; return the answer and the history's entry."""
    sandbox.server.fail(rule)
    answer = sandbox.post(BULK, body, allow_redirects=False)
    (entry,) = sandbox.history()
    return answer, entry


def test_a_given_answer_is_sent_as_it_is(sandbox):
    rule = {"kind": "answer", "status": 418, "body": "no", "headers": {"X-Odd": "1"}}

    answer, entry = meet(sandbox, rule)

    assert (answer.status_code, answer.text, answer.headers["X-Odd"]) == (418, "no", "1")
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert (entry["status"], entry["faults"], entry["applied"]) == (418, ["answer"], False)
    assert sandbox.people() == {}


def test_headers_of_a_given_answer_replace_ours_in_any_case(sandbox):
    rule = {
        "kind": "answer",
        "status": 200,
        "body": "<p>",
        "headers": {"content-TYPE": "text/html"},
    }

    answer, _ = meet(sandbox, rule)

    assert answer.headers["Content-Type"] == "text/html"


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param({"kind": "answer", "status": 504, "body": {"msg": "gone"}}, id="answer"),
        pytest.param({"kind": "error", "status": 500}, id="500"),
        pytest.param({"kind": "error", "status": 502, "html": True}, id="502"),
        pytest.param({"kind": "bad_json"}, id="bad JSON"),
        pytest.param({"kind": "wrong_shape"}, id="shape"),
        pytest.param({"kind": "wrong_counts"}, id="counts"),
        pytest.param({"kind": "status", "status": 202}, id="202"),
        pytest.param({"kind": "gzip_bomb", "megabytes": 1}, id="bomb"),
    ],
)
@pytest.mark.parametrize("applies", [True, False])
def test_a_choice_decides_whether_the_request_takes_effect(sandbox, rule, applies):
    _, entry = meet(sandbox, {**rule, "apply": applies})

    assert (entry["applied"], entry["cut"]) == (applies, False)
    assert entry["faults"] == [rule["kind"]]
    assert entry["keys"] == (["1"] if applies else [])
    assert sandbox.people().keys() == ({"1"} if applies else set())


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.parametrize("html", [True, False])
def test_an_error_of_the_server_is_json_or_the_page_of_a_proxy(sandbox, status, html):
    answer, entry = meet(sandbox, {"kind": "error", "status": status, "html": html})

    assert (answer.status_code, entry["status"]) == (status, status)
    if html:
        assert answer.headers["Content-Type"].startswith("text/html")
        assert answer.text.startswith("<html>")
    else:
        assert answer.json()["code"] == "GenericError"


@pytest.mark.parametrize(
    ("given", "header"),
    [
        pytest.param({}, None, id="none"),
        pytest.param({"retry_after": 60}, "60", id="seconds"),
        pytest.param({"retry_after": -5}, "-5", id="negative"),
        pytest.param({"retry_after": "abc"}, "abc", id="abc"),
        pytest.param({"retry_after": 86400}, "86400", id="a day"),
    ],
)
def test_429_comes_without_or_with_any_retry_after(sandbox, given, header):
    answer, entry = meet(sandbox, {"kind": "rate_limit", **given})

    assert answer.status_code == 429
    assert answer.json() == {"msg": "Exceeded rate limit.", "code": "RateLimitExceeded"}
    assert answer.headers.get("Retry-After") == header
    assert (entry["applied"], sandbox.people()) == (False, {})


@pytest.mark.parametrize(("seconds", "between"), [(30, (30, 32)), (-30, (-30, -28))])
def test_retry_after_can_be_a_date_relative_to_that_of_the_answer(sandbox, seconds, between):
    answer, _ = meet(sandbox, {"kind": "rate_limit", "retry_after": seconds, "as_date": True})

    wait = parsedate_to_datetime(answer.headers["Retry-After"]) - parsedate_to_datetime(
        answer.headers["Date"]
    )
    assert between[0] <= wait.total_seconds() <= between[1]


@pytest.mark.parametrize("status", [413, 400])
def test_a_body_above_a_size_is_too_large(sandbox, status):
    sandbox.server.fail({"kind": "too_large", "above_bytes": 100, "status": status})

    small = sandbox.post(BULK, {"users": [{"userId": "1"}]})
    large = sandbox.post(BULK, {"users": [{"userId": f"{n:09}"} for n in range(10)]})

    assert (small.status_code, large.status_code) == (200, status)
    assert large.json()["code"] == "BatchTooLarge"
    assert [(e["applied"], e["faults"]) for e in sandbox.history()] == [
        (True, []),
        (False, ["too_large"]),
    ]


def test_the_echo_has_the_form_of_2017_with_key_and_body(sandbox):
    answer, entry = meet(sandbox, {"kind": "echo"})

    text = answer.json()["msg"]
    assert (answer.status_code, answer.json()["code"]) == (400, "BadJsonBody")
    assert text.startswith(f'[{BULK}] body: {{"users": [{{"userId": "1"}}]}}, hdrs: ArrayBuffer((')
    assert f"(api-key,{sandbox.server.api_key})" in text
    assert entry["applied"] is False


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_names_another_host_and_applies_nothing(sandbox, status):
    location = "http://elsewhere.invalid/api"

    answer, entry = meet(sandbox, {"kind": "redirect", "status": status, "location": location})

    assert (answer.status_code, answer.headers["Location"]) == (status, location)
    assert entry["applied"] is False


@pytest.mark.parametrize("status", [201, 202, 204])
def test_the_true_answer_can_have_another_status(sandbox, status):
    answer, entry = meet(sandbox, {"kind": "status", "status": status})

    assert (answer.status_code, entry["status"]) == (status, status)
    if status == 204:
        assert answer.content == b""
    else:
        assert answer.json()["successCount"] == 1


def test_bad_json_has_a_length_that_agrees_with_it(sandbox):
    answer, _ = meet(sandbox, {"kind": "bad_json"})

    assert answer.status_code == 200
    assert int(answer.headers["Content-Length"]) == len(answer.content) > 0
    with pytest.raises(requests.exceptions.JSONDecodeError):
        answer.json()


@pytest.mark.parametrize("body", [[], None, "text", {"success": 1}])
def test_a_wrong_shape_is_any_json(sandbox, body):
    answer, _ = meet(sandbox, {"kind": "wrong_shape", "body": body})

    assert (answer.status_code, answer.json()) == (200, body)


@pytest.mark.parametrize(("by", "count"), [(-1, 1), (1, 3)])
def test_wrong_counts_differ_from_those_of_the_history(sandbox, by, count):
    users = {"users": [{"userId": "1"}, {"userId": "2"}]}

    answer, entry = meet(sandbox, {"kind": "wrong_counts", "by": by}, users)

    assert answer.json()["successCount"] == count
    assert entry["counts"]["success"] == 2


def test_wrong_counts_leave_an_answer_without_them_alone(sandbox):
    sandbox.server.fail({"kind": "wrong_counts"})

    assert sandbox.post("/api/users/update", {"userId": "1"}).json()["code"] == "Success"


def test_a_gzip_bomb_is_small_and_decodes_to_the_truth_and_megabytes(sandbox):
    sandbox.server.fail({"kind": "gzip_bomb", "megabytes": 20})

    answer = sandbox.post(BULK, USER, stream=True)
    packed = answer.raw.read(decode_content=False)
    text = gzip.decompress(packed)

    assert answer.headers["Content-Encoding"] == "gzip"
    assert len(packed) < 50_000
    assert len(text) > 20_000_000
    assert text.lstrip().startswith(b'{"successCount":1,')
    assert text.strip().endswith(b"}")


def test_a_fault_hides_even_a_wrong_key(sandbox):
    sandbox.server.fail({"kind": "error", "apply": True})

    answer = sandbox.post(BULK, USER, headers={"Api-Key": "wrong"})

    assert answer.status_code == 503
    (entry,) = sandbox.history()
    assert (entry["applied"], sandbox.people()) == (False, {})


def test_an_answer_can_be_held_back(sandbox):
    sandbox.server.fail({"kind": "answer", "status": 200, "apply": True, "delay_s": 0.3})

    with pytest.raises(requests.Timeout):
        requests.post(
            sandbox.server.url + BULK, json=USER, headers=sandbox.headers, timeout=(5, 0.05)
        )

    assert sandbox.people().keys() == {"1"}
