"""The pages in a real browser: on a laptop and on a phone, with data that means harm."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import requests

from iterable_sync.sandbox.server import SandboxServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, BrowserContext, Page

pytestmark = pytest.mark.all

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium")
# A browser that asks nobody for anything but the page; without its own sandbox it runs as root.
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
LAPTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
SCREENS = [
    pytest.param({"viewport": LAPTOP, "color_scheme": "light"}, id="laptop"),
    pytest.param({"viewport": LAPTOP, "color_scheme": "dark"}, id="dark laptop"),
    pytest.param({"viewport": PHONE, "color_scheme": "light", "is_mobile": True}, id="phone"),
    pytest.param({"viewport": PHONE, "color_scheme": "dark", "is_mobile": True}, id="dark phone"),
]

SCRIPT = "<script>alert(1)</script>"
IMAGE = "\"'><img src=x onerror=alert(1)>"
HOSTILE = {
    SCRIPT: SCRIPT,
    IMAGE: [IMAGE],
    "long": "w" * 5000,
    "wide": "W" * 230,
    "address": {"x" * 120: {"y" * 120: "z"}},
    "emoji": "🦁" * 300,
    "rightToLeft": "שלום عالم \u202e turned",
    "many": list(range(200)),
}


class Visit:
    """A page in the browser, and all that went wrong while it was open."""

    def __init__(self, page: Page, base: str) -> None:
        self.page = page
        self.base = base
        self.problems: list[str] = []
        page.on("console", lambda line: self.problems.append(f"console: {line.text}"))
        page.on("pageerror", lambda error: self.problems.append(f"error: {error}"))
        page.on("dialog", self._dismiss)
        page.on("request", lambda request: self._check_host(request.url))

    def open(self, path: str) -> None:
        answer = self.page.goto(f"{self.base}{path}")
        assert answer is not None
        assert answer.status == 200, path

    def _dismiss(self, dialog: Any) -> None:
        self.problems.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _check_host(self, url: str) -> None:
        if urlsplit(url).netloc != urlsplit(self.base).netloc:
            self.problems.append(f"request: {url}")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no Chromium: apt-get install chromium, or name one in the variable CHROMIUM")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield running
        running.close()


@pytest.fixture(scope="module")
def filled() -> Iterator[SandboxServer]:
    """Give a sandbox that holds something of everything."""
    with SandboxServer(rate_limits=True) as server:
        _fill(server)
        yield server


@pytest.fixture
def visit(browser: Browser, filled: SandboxServer, request: Any) -> Iterator[Visit]:
    """Give a page on the screen that the test is parametrised with."""
    options = getattr(request, "param", {"viewport": LAPTOP})
    context: BrowserContext = browser.new_context(**options)
    context.set_default_timeout(10_000)
    yield Visit(context.new_page(), filled.url)
    context.close()


def _fill(server: SandboxServer) -> None:
    def send(method: str, path: str, body: Any = None) -> Any:
        answer = requests.request(
            method,
            server.url + path,
            json=body,
            headers={"Api-Key": server.api_key},
            timeout=10,
        )
        assert answer.ok, answer.text
        return answer.json()

    people = [{"email": f"person{number}@example.com"} for number in range(60)]
    ada, hostile = {"email": "ada@example.com"}, {"email": "x@example.com"}
    send("POST", "/api/users/bulkUpdate", {"users": people})
    send("POST", "/api/users/update", {**ada, "userId": "ada-1", "dataFields": {"plan": "pro"}})
    send("POST", "/api/users/update", {**hostile, "userId": SCRIPT, "dataFields": HOSTILE})
    for name in ("News", SCRIPT + "لیست" * 20):
        list_id = send("POST", "/api/lists", {"name": name, "description": IMAGE})["listId"]
        members = {"listId": list_id, "subscribers": [*people, ada, hostile]}
        send("POST", "/api/lists/subscribe", members)
    item = {"id": IMAGE, "name": SCRIPT, "price": 1.5, "quantity": 1, "url": "w" * 300}
    for user in (ada, hostile):
        send("POST", "/api/users/updateSubscriptions", {**user, "unsubscribedChannelIds": [1]})
        send("POST", "/api/events/track", {**user, "eventName": SCRIPT, "dataFields": HOSTILE})
        bought = {"user": user, "id": "w" * 200, "total": 1.5, "items": [item]}
        send("POST", "/api/commerce/trackPurchase", bought)
        send("POST", "/api/commerce/updateCart", {"user": user, "items": [item]})
    send("POST", "/api/catalogs/Shoes")
    send("POST", f"/api/catalogs/{'long-name-' * 20}")
    documents = {**{f"clog-{number}": {"price": 2.5} for number in range(60)}, "bad": HOSTILE}
    upload = {"documents": documents, "replaceUploadedFieldsOnly": False}
    send("POST", "/api/catalogs/Shoes/items", upload)
    rules = [
        {"kind": "error", "endpoint": "/api/channels"},
        {"kind": "answer", "status": 418, "body": SCRIPT, "endpoint": "w" * 200},
    ]
    server.app_state.fail({"seed": 7, "rules": rules})
    for path in ("/api/channels", f"/api/{'w' * 300}", f"/api/{SCRIPT}"):
        requests.get(server.url + path, headers={"Api-Key": server.api_key}, timeout=10)


def _paths(server: SandboxServer) -> list[str]:
    lists = [one.id for one in server.app_state.lists.newest_first()]
    people = server.app_state.people
    found = [people.by_email(f"{name}@example.com") for name in ("ada", "x")]
    return [
        "/", "/people", "/people?find=person", "/people?find=nobody",
        *(f"/people/{one.number}" for one in found if one is not None),
        "/lists", *(f"/lists/{list_id}" for list_id in lists), f"/lists/{lists[0]}?page=2",
        "/catalogs", "/catalogs/Shoes", "/catalogs/Shoes?page=2", "/catalogs/Shoes/bad",
        f"/catalogs/{'long-name-' * 20}",
        "/fields", "/requests", "/requests?status=404", "/requests?status=401", "/requests/1",
        "/limits", "/faults",
    ]  # fmt: skip


@pytest.mark.parametrize("visit", SCREENS, indirect=True)
def test_every_page_fits_the_screen_and_hostile_data_does_nothing(visit, filled, tmp_path):
    """Without errors, requests to other hosts, dialogs, scripts or sideways scrolling."""
    width = visit.page.viewport_size["width"]

    for number, path in enumerate(_paths(filled)):
        visit.open(path)
        _open_details(visit.page)
        visit.page.screenshot(path=tmp_path / f"{number:02}.png", full_page=True)
        page = visit.page

        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        assert page.evaluate("document.scripts.length + document.images.length") == 0, path
        assert page.title().endswith("Iterable sandbox"), path
        assert page.locator("h1").count() == 1, path
        assert visit.problems == [], path


def _open_details(page: Page) -> None:
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")


@pytest.mark.parametrize("visit", SCREENS[::2], indirect=True)
def test_person_is_found_by_typing_and_clicking(visit):
    visit.open("/")

    visit.page.get_by_label("E-mail, userId, or a part of one").fill("person5")
    visit.page.get_by_role("button", name="Find").click()
    visit.page.get_by_role("link", name="person5@example.com").click()

    assert visit.page.locator("h1").inner_text() == "person5@example.com"
    assert visit.page.get_by_role("cell", name="emailDomain").count() == 1

    visit.page.get_by_role("link", name="← People").click()

    assert visit.page.locator("h1").inner_text() == "People"
    assert visit.problems == []


@pytest.mark.parametrize("visit", SCREENS[::2], indirect=True)
def test_every_page_is_reached_by_the_links_at_the_top(visit):
    for name in ("People", "Lists", "Catalogs", "Fields", "Requests", "Limits", "Faults"):
        visit.open("/")
        visit.page.get_by_role("navigation", name="Pages").get_by_role("link", name=name).click()

        assert visit.page.locator("h1").inner_text() == name
        assert visit.page.locator("[aria-current=page]").inner_text() == name


def test_requests_are_narrowed_by_status(visit):
    visit.open("/requests")

    visit.page.get_by_label("Which").select_option("404")
    visit.page.get_by_role("button", name="Show").click()

    statuses = visit.page.locator("tbody td:nth-child(2)").all_inner_texts()
    assert statuses == ["404", "404"]
    assert visit.problems == []


def test_faults_are_switched_off_and_on_by_a_click(visit, filled):
    visit.open("/faults")

    visit.page.get_by_role("button", name="Turn all faults off").click()

    assert "Faults are off." in visit.page.get_by_role("status").inner_text()
    assert not filled.app_state.faults.enabled

    visit.page.get_by_role("button", name="Turn all faults on").click()

    assert "Faults are on." in visit.page.get_by_role("status").inner_text()
    assert filled.app_state.faults.enabled
    assert visit.problems == []


def test_form_of_another_page_cannot_switch_faults(visit, filled):
    form = (
        f'<form method="post" action="{filled.url}/faults">'
        '<button name="enabled" value="off">Go</button></form>'
    )
    visit.page.route(
        "http://other.example/", lambda route: route.fulfill(body=form, content_type="text/html")
    )
    visit.page.goto("http://other.example/")
    visit.page.get_by_role("button").click()

    assert visit.page.locator("body").inner_text().strip() == "not from another site"
    assert filled.app_state.faults.enabled


@pytest.mark.parametrize("visit", SCREENS[::2], indirect=True)
def test_tables_and_forms_have_names_for_those_who_cannot_see_them(visit, filled):
    """On a phone tables are laid out as cards: they must stay tables all the same."""
    for path in _paths(filled):
        visit.open(path)
        page = visit.page

        unnamed = page.evaluate(
            "[...document.querySelectorAll('input, select')].filter(one => !one.labels.length)"
            ".length"
        )
        assert unnamed == 0, path
        for table in page.get_by_role("table").all():
            assert table.get_attribute("aria-label"), path
            assert table.get_by_role("columnheader").count() > 0, path
            assert table.get_by_role("row").count() > 1, path
