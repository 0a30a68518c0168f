"""Iterable's own TypeScript client takes the sandbox for Iterable."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from iterable_sync.sandbox.server import SandboxServer

pytestmark = pytest.mark.all

PACKAGE = "@iterable/api@0.13.0"
SCRIPT = Path(__file__).parent / "client_library.mjs"

# Calls that fail on purpose: how often, and with which status and code. Any other call succeeds.
REFUSED = [
    ("updateUser", 400, "InvalidEmailAddressError"),
    ("updateUser", 400, "RequestFieldsTypesMismatched"),
    ("getUserByUserId", 400, None),  # The client knows no such code.
    ("subscribeUserToList", 400, "Success"),
    ("getCatalogItem", 404, None),
]

# Where addresses change in an update; and then there is nobody with the new one to merge.
REFUSED_IN = {
    "hybrid": [("updateEmail", 400, "BadParams"), ("mergeUsers", 400, "UnknownEmailError")]
}


def _run(*command: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the client into a folder of its own, without its install scripts."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("Node.js 18 or newer, with npm, is not installed")
    folder = tmp_path_factory.mktemp("client")
    version = _run("node", "--version", folder=folder).stdout.strip()
    if int(version.lstrip("v").partition(".")[0]) < 18:
        pytest.skip(f"Node.js is {version}, but the client needs 18 or newer")
    (folder / "package.json").write_text('{"private": true, "type": "module"}')
    options = ("--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
    installed = _run("npm", "install", *options, PACKAGE, folder=folder)
    if installed.returncode != 0:
        pytest.skip(f"npm could not install {PACKAGE}: {installed.stderr.strip()[-300:]}")
    shutil.copy(SCRIPT, folder)
    return folder


@pytest.fixture(scope="module", params=["email", "hybrid"])
def project_type(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def calls(library: Path, project_type: str) -> list[dict[str, Any]]:
    """Let the client make all its calls to an empty project; give what came of each."""
    switches = {"project_type": project_type, "subscriptions_enabled": True}
    with SandboxServer(rate_limits=False, **switches) as server:
        done = _run(
            *("node", SCRIPT.name),
            folder=library,
            ITERABLE_BASE_URL=server.url,
            ITERABLE_API_KEY=server.api_key,
            LOG_LEVEL="error",
        )
        assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def _answers(calls: list[dict[str, Any]], name: str) -> list[Any]:
    return [call["answer"] for call in calls if call["name"] == name and "answer" in call]


def test_client_accepts_the_form_of_every_answer(calls):
    odd = [call for call in calls if call.get("error") == "IterableResponseValidationError"]

    assert odd == []
    assert len(calls) >= 50


def test_only_what_iterable_refuses_is_refused(calls, project_type):
    refused = [(c["name"], c["status"], c.get("code")) for c in calls if "error" in c]

    assert refused == [*REFUSED, *REFUSED_IN.get(project_type, ())]


def test_client_reads_what_it_wrote(calls, project_type):
    (found, nobody) = _answers(calls, "getUserByEmail")
    assert found["user"]["dataFields"]["age"] == 36
    assert found["user"]["userId"] == "ada/1"
    assert nobody == {}

    assert _answers(calls, "getListSize") == [{"size": 1}]
    assert _answers(calls, "getListUsers") == [{"users": [{"email": "ada+tag@example.com"}]}]
    # With preferUserId, which only hybrid projects respect.
    preview = {"email": "ada+tag@example.com", "hybrid": "ada/1"}[project_type]
    assert _answers(calls, "getListPreviewUsers") == [{"users": [preview]}]

    (events,) = _answers(calls, "getUserEventsByEmail")
    assert {event["eventName"] for event in events["events"]} == {"seen", "bought"}

    (items,) = _answers(calls, "getCatalogItems")
    assert [item["value"]["price"] for item in items["catalogItemsWithProperties"]] == [1.5, 3.5]
    assert items["totalItemsCount"] == 3
    (item,) = _answers(calls, "getCatalogItem")
    assert item["value"] == {"name": "Tea", "price": 4.5}


def test_rows_that_fail_are_counted(calls):
    for name in ("bulkUpdateUsers", "subscribeUserToList", "trackBulkEvents"):
        (answer,) = _answers(calls, name)
        assert (answer["successCount"], answer["failCount"]) == (1, 1)
        assert answer["failedUpdates"]["invalidEmails"] == ["bad@"]
