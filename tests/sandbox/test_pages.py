"""The pages for people: what they show, and that what they show can do no harm."""

from __future__ import annotations

import re
from configparser import ConfigParser
from html import unescape
from pathlib import Path

import pytest
import requests

ROOT = Path(__file__).parents[2]
SCRIPT = "<script>alert(1)</script>"
BREAKOUT = "\"'><img src=x onerror=alert(1)>"
PAGES = (
    "/", "/people", "/lists", "/catalogs", "/fields", "/requests", "/limits", "/faults",
)  # fmt: skip
ADA = {"email": "ada@example.com", "userId": "ada-1"}


def page(sandbox, path, /, **query):
    answer = sandbox.get(path, params=query, headers={})
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"].startswith("text/html")
    return answer.text


def rows(text, table=None):
    """Return the texts of all cells of one table, or of all tables, row by row."""
    if table is not None:
        text = text.partition(f'aria-label="{table}"')[2].partition("</table>")[0]
    found = re.findall(r'<tr role="row">(.*?)</tr>', text.partition("<tbody")[2], re.DOTALL)
    return [
        [plain(cell) for cell in re.findall(r"<td [^>]*>(.*?)</td>", row, re.DOTALL)]
        for row in found
        if "<td" in row
    ]


def plain(markup):
    return " ".join(unescape(re.sub("<[^>]+>", "", markup)).split())


def post(sandbox, path, body):
    answer = sandbox.post(path, body)
    assert answer.ok, answer.text
    return answer.json()


@pytest.mark.parametrize("path", PAGES)
def test_every_page_of_an_empty_sandbox_has_a_title_a_heading_and_a_way_elsewhere(sandbox, path):
    text = page(sandbox, path)

    assert re.search(r"<title>\w[\w ]* · Iterable sandbox</title>", text)
    assert text.count("<h1>") == 1
    assert all(f'href="{other}"' in text for other in PAGES[1:])
    assert '<html lang="en">' in text


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/", "No requests yet"),
        ("/people", "No users yet"),
        ("/lists", "No lists yet"),
        ("/catalogs", "No catalogs yet"),
        ("/fields", "No event fields yet"),
        ("/requests", "No requests yet"),
        ("/faults", "No faults are planned"),
    ],
)
def test_empty_page_gives_a_command_that_fills_it(sandbox, path, says):
    """The command is run as it stands there, but for curl."""
    text = page(sandbox, path)
    assert says in text
    command = unescape(re.search(r"<pre><code>(.*?)</code></pre>", text, re.DOTALL).group(1))

    method, url = re.match(r"curl -X (\w+) (\S+)", command).groups()
    headers = dict(re.findall(r"-H '([^:]+): ([^']+)'", command))
    body = re.search(r"-d '([^']*)'", command)
    if path == "/fields":
        sandbox.bulk({"email": "ada@example.com"})
    answer = requests.request(method, url, headers=headers, data=body and body.group(1), timeout=10)

    assert answer.ok, answer.text
    assert says not in page(sandbox, path)


def test_example_names_people_as_the_project_type_does(sandbox):
    assert unescape(page(sandbox, "/people")).count('"email": "ada@example.com"') == 1

    sandbox.server.reset(project_type="userId")

    assert unescape(page(sandbox, "/people")).count('"userId": "ada-1"') == 1


def test_first_page_counts_what_there_is(sandbox):
    sandbox.bulk({"userId": "1", "dataFields": {"plan": "pro"}}, {"userId": "2"})
    post(sandbox, "/api/lists", {"name": "News"})

    text = page(sandbox, "/")

    assert "<b>2</b> <span>users</span>" in text
    assert "<b>1</b> <span>lists</span>" in text
    assert [row[0] for row in rows(text)] == ["2 POST /api/lists", "1 POST /api/users/bulkUpdate"]


@pytest.mark.parametrize(
    "find",
    [
        pytest.param(" Ada@Example.com ", id="email in any case"),
        pytest.param("ada-1", id="userId"),
        pytest.param("da@ex", id="part of an email"),
        pytest.param("DA-", id="part of a userId in any case"),
    ],
)
def test_person_is_found_by_an_identifier_or_a_part_of_one(sandbox, find):
    sandbox.bulk({"email": "bob@example.com", "userId": "bob-1"}, ADA)

    text = page(sandbox, "/people", find=find)

    assert "<h1><bdi>ada@example.com</bdi></h1>" in text


def test_several_people_who_fit_are_listed_and_the_exact_one_stands_first(sandbox):
    sandbox.bulk({"userId": "U10"}, {"userId": "U1"}, {"userId": "V"})

    text = page(sandbox, "/people", find="U1")

    assert [row[0] for row in rows(text)] == ["U1", "U10"]
    assert "2 of 3 people fit" in text


def test_exact_address_in_any_case_stands_first(sandbox):
    sandbox.bulk({"email": "fada@example.com"}, {"email": "ada@example.com"})

    text = page(sandbox, "/people", find="ADA@example.com")

    assert [row[0] for row in rows(text)] == ["ada@example.com", "fada@example.com"]


def test_long_list_of_people_is_cut_and_says_so(sandbox):
    sandbox.bulk(*({"userId": f"U{number}"} for number in range(51)))

    text = page(sandbox, "/people")

    assert [row[0] for row in rows(text)] == [f"U{number}" for number in range(50, 0, -1)]
    assert "The newest 50 of 51 people" in text


def test_nobody_found_leads_back_to_everybody(sandbox):
    sandbox.bulk(ADA)

    text = page(sandbox, "/people", find="nobody")

    assert "Nobody has this" in text
    assert '<a href="/people">Show all people</a>' in text


def test_profile_shows_fields_with_their_types_nested_ones_by_path(sandbox):
    fields = {
        "plan": "pro",
        "since": "2020-01-02",
        "address": {"floor": 4, "tags": ["a"]},
        "home_geo_location": {"lat": 1.5, "lon": 2.5},
        "none": [],
        "blank": "",
        "vip": True,
    }
    sandbox.bulk({**ADA, "dataFields": fields})

    shown = rows(page(sandbox, "/people", find="ada"), "Fields of the profile")

    for row in (
        ["plan", "string", "pro"],
        ["since", "date", "2020-01-02 00:00:00 +00:00"],
        ["address.floor", "long", "4"],
        ["address.tags", "string", '["a"]'],
        ["home_geo_location", "geo_location", '{"lat":1.5,"lon":2.5}'],
        ["none", "none yet", "[]"],
        ["blank", "string", "empty text"],
        ["vip", "boolean", "true"],
        ["email", "string", "ada@example.com"],
    ):
        assert row in shown


def test_profile_shows_lists_subscriptions_cart_purchases_and_events(sandbox):
    sandbox.bulk(ADA)
    user = {"email": "ada@example.com"}
    list_id = post(sandbox, "/api/lists", {"name": "News"})["listId"]
    post(sandbox, "/api/lists/subscribe", {"listId": list_id, "subscribers": [user]})
    post(sandbox, "/api/users/updateSubscriptions", {**user, "unsubscribedChannelIds": [1]})
    signed_up = {**user, "eventName": "signedUp", "id": "e1", "dataFields": {"plan": "pro"}}
    post(sandbox, "/api/events/track", signed_up)
    boot = {"id": "sku-9", "name": "Boot", "price": 49.5, "quantity": 1}
    bought = {"user": user, "id": "p1", "total": 49.5, "items": [boot]}
    post(sandbox, "/api/commerce/trackPurchase", bought)
    clog = {"id": "sku-1", "name": "Clog", "price": 29.5, "quantity": 2}
    post(sandbox, "/api/commerce/updateCart", {"user": user, "items": [clog]})

    text = page(sandbox, "/people", find="ada")

    assert rows(text, "Lists") == [["News", str(list_id), "Standard"]]
    assert rows(text, "Subscriptions") == [["Unsubscribed from channel", "Marketing", "1"]]
    assert [row[:4] for row in rows(text, "Cart")] == [["sku-1", "Clog", "2", "29.5"]]
    assert [row[1:3] for row in rows(text, "Purchases")] == [["49.5", "p1"]]
    assert [row[1] for row in rows(text, "Events")] == ["updateCart", "signedUp"]
    assert rows(text, "Events")[1][2:] == ["e1", '{"plan":"pro"}']


def test_long_value_is_folded_behind_its_beginning(sandbox):
    sandbox.bulk({**ADA, "dataFields": {"long": "x" * 30_000}})

    text = page(sandbox, "/people", find="ada")

    assert "30,000 characters, the first 20,000 shown" in text
    assert "<details><summary>" in text
    assert "x" * 20_000 in text
    assert "x" * 20_001 not in text


def test_lists_show_sizes_and_lead_to_members(sandbox):
    people = [{"userId": f"U{number}"} for number in range(51)]
    list_id = post(sandbox, "/api/lists", {"name": "News"})["listId"]
    sandbox.bulk(*people)
    post(sandbox, "/api/lists/subscribe", {"listId": list_id, "subscribers": people})

    listed = rows(page(sandbox, "/lists"))
    first = page(sandbox, f"/lists/{list_id}")
    second = page(sandbox, f"/lists/{list_id}", page=2)

    assert [row[:4] for row in listed] == [["News", str(list_id), "Standard", "51"]]
    assert [row[0] for row in rows(first)] == [f"U{number}" for number in range(50)]
    assert "Members 1 to 50 of 51" in first
    assert 'href="?page=2"' in first
    assert [row[0] for row in rows(second)] == ["U50"]


def test_catalogs_show_items_fields_and_values(sandbox):
    sandbox.post("/api/catalogs/Shoes")
    documents = {"1": {"name": "Clog", "price": 2.5}}
    body = {"documents": documents, "replaceUploadedFieldsOnly": False}
    post(sandbox, "/api/catalogs/Shoes/items", body)
    sandbox.http.put(
        f"{sandbox.server.url}/api/catalogs/Shoes/fieldMappings",
        json={"mappingsUpdates": [{"fieldName": "price", "fieldType": "double"}]},
        headers=sandbox.headers,
        timeout=10,
    )

    catalog = page(sandbox, "/catalogs/shoes")

    assert rows(page(sandbox, "/catalogs")) == [["Shoes", "1", "1", "1"]]
    assert rows(catalog, "Fields") == [["price", "double"], ["name", "none"]]
    assert [row[:2] for row in rows(catalog, "Items")] == [["1", "27 bytes"]]
    assert rows(page(sandbox, "/catalogs/Shoes/1")) == [
        ["name", "none yet", "Clog"],
        ["price", "double", "2.5"],
    ]


def test_fields_are_shown_for_users_and_per_event_name(sandbox):
    sandbox.bulk({**ADA, "dataFields": {"since": "2020-01-02"}})
    event = {"email": "ada@example.com", "eventName": "signedUp", "dataFields": {"n": 1}}
    post(sandbox, "/api/events/track", event)

    text = page(sandbox, "/fields")

    assert ["since", "date"] in rows(text, "user fields")
    assert rows(text, "fields of Event signedUp") == [["n", "long"]]


def test_requests_show_status_rows_and_faults_and_can_be_narrowed(sandbox):
    sandbox.bulk(ADA, {"email": "bad@"})
    sandbox.get("/api/nowhere")
    sandbox.server.app_state.fail([{"kind": "error", "status": 502}])
    sandbox.get("/api/lists")

    def shown(**query):
        return [row[:2] for row in rows(page(sandbox, "/requests", **query))]

    failed = ["3 GET /api/lists", "502 fault: error"]
    missing = ["2 GET /api/nowhere", "404"]
    bulk = ["1 POST /api/users/bulkUpdate", "200"]
    assert shown() == [failed, missing, bulk]
    assert shown(status="2xx") == [bulk]
    assert shown(status="4xx") == [missing]
    assert shown(status="5xx") == shown(status="fault") == [failed]
    assert shown(status="rows") == [bulk]
    assert shown(path="users") == [bulk]
    assert shown(before="2") == [bulk]
    assert rows(page(sandbox, "/requests"))[2][3:5] == ["2", "1"]
    assert "No request fits" in page(sandbox, "/requests", status="429")


def test_older_requests_are_one_link_away(sandbox):
    for _ in range(101):
        sandbox.get("/api/lists")

    newest = page(sandbox, "/requests", path="lists")
    older = unescape(re.search(r'href="([^"]*before=[^"]*)"', newest).group(1))

    assert len(rows(newest)) == 100
    assert [row[0] for row in rows(page(sandbox, older))] == ["1 GET /api/lists"]


def test_one_request_shows_whom_it_changed(sandbox):
    sandbox.bulk(ADA, {"email": "bad@"})

    text = page(sandbox, "/requests/1")

    assert ["Rows: fail", "1"] in rows(text)
    assert "<li><bdi>ada-1</bdi></li>" in text


def test_limits_show_what_is_left(sandbox):
    sandbox.server.app_state.change({"rate_limits": True, "limits": {"lists/get": 0.001}})
    sandbox.get("/api/lists")

    shown = rows(page(sandbox, "/limits"))
    limits = {row[0]: row[1:] for row in shown}

    assert shown[0][0] == "lists/get"
    assert limits["lists/get"][1] == "0 of 1"
    assert limits["lists/getUsers"] == ["5 per minute", "unused", "no limit"]
    assert limits["users/forget"][2] == "1,000 of 1,000"


def test_page_says_when_limits_are_off(sandbox):
    assert "Rate limits are off" in page(sandbox, "/limits")


def test_faults_are_shown_and_switched_off_and_on_again(sandbox):
    plan = {
        "seed": 7,
        "rules": [
            {"kind": "error", "endpoint": "/api/lists", "method": "GET"},
            {"kind": "rate_limit", "probability": 0.005, "retry_after": 3},
            {"kind": "delay", "delay_s": 0.01, "nth": [2, 5]},
            {"kind": "echo", "endpoint": "/never", "every": 3, "times": 2},
            {"kind": "echo", "endpoint": "/never", "between": [4, 6]},
            {"kind": "echo", "endpoint": "/never", "first": 9},
        ],
    }
    sandbox.server.app_state.fail(plan)

    def switch(to):
        url = f"{sandbox.server.url}/faults"
        return sandbox.http.post(url, data={"enabled": to}, timeout=10)

    assert sandbox.get("/api/lists").status_code == 503
    assert rows(page(sandbox, "/faults"), "Rules") == [
        ["error", "GET /api/lists", "always", "as it is", "1", "1"],
        ["rate_limit", "*", "0.50% of them", '{"retry_after":3}', "1", "0"],
        ["delay", "*", "number 2, 5", '{"delay_s":0.01}', "1", "0"],
        ["echo", "/never", "one in 3, at most 2 times", "as it is", "0", "0"],
        ["echo", "/never", "number 4 to 6", "as it is", "0", "0"],
        ["echo", "/never", "the first 9", "as it is", "0", "0"],
    ]

    off = switch("off")
    assert "Faults are off" in off.text
    assert sandbox.get("/api/lists").status_code == 200

    on = switch("on")
    assert "Faults are on" in on.text
    assert sandbox.get("/api/lists").status_code == 503
    assert switch("perhaps").status_code == 400


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Sec-Fetch-Site": "cross-site"}, id="another site"),
        pytest.param({"Sec-Fetch-Site": "same-site"}, id="another port of this machine"),
        pytest.param({"Origin": "http://evil.example"}, id="another origin"),
        pytest.param({"Origin": "null"}, id="no origin that can be named"),
        pytest.param({"Host": "evil.example"}, id="another name of this machine"),
    ],
)
def test_foreign_page_cannot_switch_faults(sandbox, headers):
    sandbox.server.app_state.fail([{"kind": "error"}])

    url = f"{sandbox.server.url}/faults"
    answer = sandbox.http.post(url, data={"enabled": "off"}, headers=headers, timeout=10)

    assert answer.status_code in {403, 421}
    assert sandbox.server.app_state.faults.enabled


@pytest.mark.parametrize(
    ("path", "back"),
    [
        ("/people/1", "/people"),
        (f"/people/{'9' * 5000}", "/people"),
        ("/lists/1", "/lists"),
        ("/lists/x", "/lists"),
        ("/catalogs/x", "/catalogs"),
        ("/catalogs/x/1", "/catalogs"),
        ("/requests/1", "/requests"),
    ],
)
def test_page_of_what_is_not_there_leads_back(sandbox, path, back):
    answer = sandbox.get(path, headers={})

    assert answer.status_code == 404
    assert f'<p class="back"><a href="{back}">' in answer.text


def test_item_that_is_not_there_leads_back_to_its_catalog(sandbox):
    sandbox.post("/api/catalogs/Shoes")

    answer = sandbox.get("/catalogs/shoes/1", headers={})

    assert answer.status_code == 404
    assert '<a href="/catalogs/Shoes">' in answer.text


@pytest.mark.failure("S11")
def test_what_people_hold_is_escaped_on_every_page(sandbox):
    user = {"userId": SCRIPT, "email": "x@example.com"}
    sandbox.bulk({**user, "dataFields": {SCRIPT: SCRIPT, BREAKOUT: [BREAKOUT]}})
    list_id = post(sandbox, "/api/lists", {"name": SCRIPT, "description": BREAKOUT})["listId"]
    subscribers = [{"email": "x@example.com"}]
    post(sandbox, "/api/lists/subscribe", {"listId": list_id, "subscribers": subscribers})
    event = {"email": "x@example.com", "eventName": SCRIPT, "dataFields": {BREAKOUT: SCRIPT}}
    post(sandbox, "/api/events/track", event)
    item = {"id": BREAKOUT, "name": SCRIPT, "price": 1.0, "quantity": 1}
    cart = {"user": {"email": "x@example.com"}, "items": [item]}
    post(sandbox, "/api/commerce/updateCart", cart)
    sandbox.post("/api/catalogs/Shoes")
    body = {"documents": {"1": {BREAKOUT: SCRIPT}}, "replaceUploadedFieldsOnly": True}
    post(sandbox, "/api/catalogs/Shoes/items", body)
    sandbox.get(f"/api/{SCRIPT}{BREAKOUT}")
    rule = {"kind": "answer", "status": 418, "body": SCRIPT, "endpoint": f"{BREAKOUT}*"}
    sandbox.server.app_state.fail([rule])

    texts = {
        path: page(sandbox, path)
        for path in (*PAGES, "/people/1", f"/lists/{list_id}", "/catalogs/Shoes",
                     "/catalogs/Shoes/1", "/requests/1", "/requests/8")
    }  # fmt: skip
    texts["find"] = page(sandbox, "/people", find="nobody" + BREAKOUT)
    texts["filter"] = page(sandbox, "/requests", path=BREAKOUT, status=BREAKOUT)

    for path, text in texts.items():
        assert "<script" not in text, path
        assert "<img" not in text, path
    for path in ("/people/1", "/lists", "/fields", "/requests", "/faults", "/catalogs/Shoes/1"):
        assert "&lt;script&gt;" in texts[path], path


def test_pages_load_nothing_from_elsewhere_and_run_no_script(sandbox):
    sandbox.bulk(ADA)

    for path in (*PAGES, "/people/1", "/requests/1"):
        answer = sandbox.get(path, headers={})
        sources = re.findall(r'(?:src|href|action)="([^"]*)"', answer.text)

        assert all(source.startswith(("/", "#", "?")) for source in sources)
        assert not any(source.startswith("//") for source in sources)
        assert "<script" not in answer.text
        assert "style=" not in answer.text
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; style-src 'self'")
        assert "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


def luminance(colour):
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("front", "back"),
    [
        ("text", "back"), ("text", "soft"), ("text", "odd-back"), ("quiet", "back"),
        ("quiet", "soft"), ("accent", "back"), ("accent", "soft"), ("accent", "mark"),
        ("on-accent", "accent"), ("good", "good-back"), ("bad", "bad-back"), ("odd", "odd-back"),
    ],
)  # fmt: skip
def test_texts_stand_out_from_their_ground(sandbox, scheme, front, back):
    """By 4.5 to 1, as WCAG 2.2 AA asks."""
    style = sandbox.get("/style.css", headers={}).text
    light, dark = re.findall(r":root \{(.*?)\}", style, re.DOTALL)
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", light if scheme == "light" else dark))

    lighter, darker = sorted((luminance(colours[front]), luminance(colours[back])), reverse=True)

    assert (lighter + 0.05) / (darker + 0.05) >= 4.5


@pytest.mark.parametrize(
    ("path", "kind"), [("/style.css", "text/css"), ("/icon.svg", "image/svg+xml")]
)
def test_files_of_the_page_are_served(sandbox, path, kind):
    answer = sandbox.get(path, headers={})

    assert (answer.status_code, answer.headers["Content-Type"].partition(";")[0]) == (200, kind)
    assert "http://" not in answer.text.replace("http://www.w3.org/2000/svg", "")


def test_everything_that_pages_read_is_in_the_wheel():
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg")
    named = setup["options.package_data"]["iterable_sync.sandbox.pages"]
    folder = ROOT / "plugins" / "iterable_sync" / "sandbox" / "pages"

    packed = {path for pattern in named.split(",") for path in folder.glob(pattern.strip())}
    there = {path for path in folder.rglob("*.*") if path.suffix not in {".py", ".pyc"}}

    assert there
    assert packed == there


def test_page_says_what_is_held_when_values_are_discarded(sandbox):
    sandbox.server.reset(discard=True)
    sandbox.bulk(ADA, {"userId": "bob-1"})

    found = page(sandbox, "/people", find="ADA")

    for text in (page(sandbox, "/"), found):
        assert "Values are discarded" in text
        assert "Not held: profiles" in text
    assert [row[0] for row in rows(found)] == ["ada-1"]


def test_every_page_works_when_values_are_discarded(sandbox):
    sandbox.server.reset(discard=True)
    sandbox.bulk(ADA)
    list_id = post(sandbox, "/api/lists", {"name": "News"})["listId"]
    subscribers = [{"email": "ada@example.com"}]
    post(sandbox, "/api/lists/subscribe", {"listId": list_id, "subscribers": subscribers})
    sandbox.post("/api/catalogs/Shoes")
    body = {"documents": {"1": {"a": 1}}, "replaceUploadedFieldsOnly": True}
    post(sandbox, "/api/catalogs/Shoes/items", body)

    for path in (*PAGES, f"/lists/{list_id}", "/catalogs/Shoes", "/catalogs/Shoes/1"):
        page(sandbox, path)

    assert rows(page(sandbox, "/lists"))[0][3] == "1"


@pytest.mark.parametrize("project_type", ["email", "userId", "hybrid"])
def test_every_project_type_shows_its_people(sandbox, project_type):
    sandbox.server.reset(project_type=project_type)
    sandbox.bulk(ADA)

    assert "<h1><bdi>ada@example.com</bdi></h1>" in page(sandbox, "/people", find="ada")


def test_page_says_when_reads_lag_behind_it(sandbox):
    sandbox.server.reset(visibility_delay_s=5)
    sandbox.bulk(ADA)

    text = page(sandbox, "/people")

    assert "5.0 s later" in text
    assert rows(text)[0][0] == "ada@example.com"


def test_forgotten_identifiers_are_counted(sandbox):
    sandbox.bulk({"email": "ada@example.com"})
    post(sandbox, "/api/users/forget", {"email": "ada@example.com"})

    assert "Forgotten: 1 e-mail addresses and userIds" in page(sandbox, "/people")
