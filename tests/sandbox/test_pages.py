from __future__ import annotations


def test_page_shows_people_fields_and_requests(sandbox):
    sandbox.bulk({"userId": "1", "dataFields": {"plan": "pro", "since": "2020-01-02"}})

    answer = sandbox.get("/", headers={})

    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "<b>1</b>users" in answer.text
    assert "<td>since</td><td>date</td>" in answer.text
    assert "<td>POST /api/users/bulkUpdate</td><td>200</td>" in answer.text


def test_person_is_found_by_user_id_and_by_email_in_any_case(sandbox):
    person = {"userId": "U1", "email": "ada@example.com", "dataFields": {"address": {"floor": 4}}}
    sandbox.bulk(person)

    for find in ("U1", " Ada@Example.com "):
        text = sandbox.get("/", params={"find": find}).text

        assert "<td>address.floor</td><td>long</td><td>4</td>" in text

    assert "Nobody has" in sandbox.get("/", params={"find": "u1"}).text


def test_everything_on_the_page_is_escaped(sandbox):
    script = "<script>alert(1)</script>"
    sandbox.bulk({"userId": script, "dataFields": {f"{script}a": script, "b": [script]}})
    sandbox.get(f"/api/{script}")

    answer = sandbox.get("/", params={"find": script})

    assert "<script" not in answer.text
    assert answer.text.count("&lt;script&gt;") >= 5
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")


def test_page_loads_nothing_from_elsewhere(sandbox):
    text = sandbox.get("/").text

    assert "http://" not in text
    assert "https://" not in text


def test_page_says_when_profiles_are_discarded(sandbox):
    sandbox.server.reset(discard=True)

    assert "Profiles are discarded" in sandbox.get("/").text
