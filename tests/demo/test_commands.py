"""The demos as they are started: what they print, and that they leave nothing behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
import requests

from expectation import SYNCS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

pytestmark = pytest.mark.all

ROOT = Path(__file__).parents[2]
USERS = 200


class Demo:
    """A demo as a command, whose temporary files all come into one folder."""

    def __init__(self, folder: Path, script: str, *options: str) -> None:
        self.folder = folder / "tmp"
        self.folder.mkdir()
        self.out = folder / "out.txt"
        with self.out.open("w") as out:
            self.process = subprocess.Popen(
                [sys.executable, str(ROOT / "demo" / script), "--users", str(USERS), *options],
                env=os.environ | {"TMPDIR": str(self.folder), "COLUMNS": "120"},
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def text(self) -> str:
        return self.out.read_text(encoding="utf-8")

    def has_said(self, text: str) -> bool:
        assert text in self.text or self.process.poll() is None, self.text
        return text in self.text

    def left(self) -> list[str]:
        """Give files, and processes that have one of them open or know of the folder."""
        found = [str(path) for path in self.folder.rglob("*")]
        for process in psutil.process_iter(["pid", "cmdline", "environ"]):
            with suppress(psutil.Error):
                known = [
                    *(process.info["cmdline"] or []),
                    *(process.info["environ"] or {}).values(),
                ]
                known += [file.path for file in process.open_files()]
                if any(str(self.folder) in text for text in known):
                    found.append(f"process {process.pid}: {process.name()}")
        return found


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Callable[..., Demo]]:
    started: list[Demo] = []

    def start(script: str, *options: str) -> Demo:
        started.append(Demo(tmp_path, script, *options))
        return started[-1]

    yield start
    for one in started:
        one.process.terminate()
        one.process.wait(30)


def in_order(text: str, parts: Sequence[str]) -> bool:
    place = 0
    for part in parts:
        place = text.find(part, place) + len(part)
        if place < len(part):
            return False
    return True


def test_the_demo_shows_three_days_and_leaves_nothing(demo: Callable[..., Demo]):
    shown = demo("run.py")

    status = shown.process.wait(600)

    assert status == 0, shown.text
    assert in_order(
        shown.text,
        (
            "Day 1",
            *SYNCS,
            "Day 2",
            "changed fields only",
            "Put back, unchanged in the warehouse: 1",
            "For example u",
            "*** -> ",
            "Day 3",
            "*** -> ",
            "Day 3 again",
            "0 write requests reached Iterable",
            "Day 2 again",
            "0 write requests reached Iterable",
            "audiences: came and left",
            "cart_abandoners",
            "became an order instead",
            "Iterable holds",
            "204 of 204",
            "In short",
            "became orders after a reminder",
            "Iterable holds what the warehouse says: 14 of 14 syncs",
            "make demo-ui",
        ),
    ), shown.text
    assert "example.com" not in shown.text
    assert shown.left() == []


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_the_middle_leaves_nothing(
    demo: Callable[..., Demo], signum: signal.Signals, eventually: Callable[..., None]
):
    shown = demo("run.py")
    eventually(lambda: shown.has_said("Day 1"), "the first run is shown", 180)
    # The second run is on its way.
    time.sleep(1)

    shown.process.send_signal(signum)
    status = shown.process.wait(30)

    assert status == 128 + signum, shown.text
    assert "Nothing is left running" in shown.text
    assert "Traceback" not in shown.text
    assert shown.left() == []


def test_the_pages_open_and_end_with_ctrl_c(
    demo: Callable[..., Demo], eventually: Callable[..., None]
):
    shown = demo("ui.py")
    eventually(lambda: shown.has_said("Ctrl-C ends it"), "everything is up", 300)
    airflow, dag, *_, sandbox = re.findall(r"http://127\.0\.0\.1:\S+", shown.text)

    token = requests.get(f"{airflow}/auth/token", timeout=30).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    runs = requests.get(f"{airflow}/api/v2/dags/iterable_shop/dagRuns", headers=headers, timeout=30)
    errors = requests.get(f"{airflow}/api/v2/plugins/importErrors", headers=headers, timeout=30)
    states = [requests.get(page, timeout=30).status_code for page in (airflow, dag, sandbox)]

    assert [run["state"] for run in runs.json()["dag_runs"]] == ["success"]
    assert errors.json()["total_entries"] == 0
    assert states == [200, 200, 200]

    shown.process.send_signal(signal.SIGINT)

    assert shown.process.wait(60) == 0
    assert shown.left() == []
    with pytest.raises(requests.ConnectionError):
        requests.get(sandbox, timeout=5)


def test_the_pages_can_be_shown_once(demo: Callable[..., Demo]):
    shown = demo("ui.py", "--once")

    assert shown.process.wait(300) == 0, shown.text
    assert shown.left() == []
