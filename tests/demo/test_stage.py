"""What a demo is played on: signals, processes, files and the settings of its Airflow."""

from __future__ import annotations

import json
import os
import signal
import sys
from argparse import ArgumentParser
from typing import TYPE_CHECKING

import psutil
import pytest

import local_airflow
import playground
import report
import stage
from interrupts import Interrupts, Stopped
from processes import DemoFailed, Processes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

USERS = 200


def test_a_signal_is_raised_once():
    with Interrupts() as interrupts:
        with pytest.raises(Stopped) as caught:
            signal.raise_signal(signal.SIGTERM)
        # While it cleans up.
        signal.raise_signal(signal.SIGINT)
        with interrupts.held():
            signal.raise_signal(signal.SIGTERM)

    assert caught.value.exit_status == 128 + signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_signal_waits_until_a_child_is_noted_down():
    noted = []

    def start(interrupts: Interrupts) -> None:
        with interrupts.held():
            signal.raise_signal(signal.SIGINT)
            noted.append("child")

    with Interrupts() as interrupts, pytest.raises(Stopped):
        start(interrupts)

    assert noted == ["child"]


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    made = Processes(Interrupts(), dict(os.environ), tmp_path)
    yield made
    made.stop()


# A parent that ends at once, and leaves a child that hears no SIGTERM, in a group of its own.
ORPHAN = """
import os, signal, sys, time
if os.fork() == 0:
    os.setpgid(0, 0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    open(sys.argv[1], "w").write(str(os.getpid()))
    time.sleep(600)
"""


def test_stopping_ends_whoever_was_started_on_the_way(
    processes: Processes, tmp_path: Path, eventually: Callable[..., None]
):
    mark = tmp_path / "pid"
    processes.start("orphan", [sys.executable, "-c", ORPHAN, str(mark)])
    eventually(lambda: mark.exists() and mark.read_text(), "the child runs")

    processes.stop()

    assert not psutil.pid_exists(int(mark.read_text()))


def test_a_command_that_fails_is_reported_with_its_log(
    processes: Processes, printed: Callable[..., str]
):
    with pytest.raises(DemoFailed) as caught:
        processes.run(
            "a command", [sys.executable, "-c", "raise SystemExit('[no] luck')"], timeout_s=30
        )

    text = printed(report.failure, caught.value, keep=False)
    assert "a command failed with status 1" in text
    assert "[no] luck" in text


def test_a_command_that_hangs_is_ended(processes: Processes):
    with pytest.raises(DemoFailed, match="not done after"):
        processes.run(
            "a sleep", [sys.executable, "-c", "import time; time.sleep(600)"], timeout_s=1
        )


def test_an_airflow_of_the_users_own_is_left_alone(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AIRFLOW_HOME", "/home/me/airflow")
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "CeleryExecutor")
    monkeypatch.setenv("AIRFLOW_CONN_STATE", "postgres://production")
    place = playground.Playground(users=USERS, keep=False)

    seen = local_airflow.environment(place) | local_airflow.connections(place, "http://x")
    place.remove()

    assert not place.folder.exists()
    assert seen["AIRFLOW_HOME"] == str(place.airflow_home)
    assert "AIRFLOW__CORE__EXECUTOR" not in seen
    assert json.loads(seen["AIRFLOW_CONN_STATE"])["host"] == str(place.state)


def test_ports_are_free_and_differ():
    ports = {
        value for name, value in local_airflow.standalone_settings()[1].items() if "PORT" in name
    }

    assert len(ports) == 3


def test_a_failure_is_an_exit_status_and_leaves_no_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    before = psutil.Process().children()

    def play(on: stage.Stage) -> None:
        on.processes.start("sleep", ["sleep", "600"])
        raise DemoFailed("it is not so")

    status = stage.perform(play, users=USERS, keep=False)

    assert status == 1
    assert "it is not so" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []
    assert psutil.Process().children() == before


def test_keep_keeps_the_folder_and_says_where(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    status = stage.perform(lambda on: on.playground.move_to(1), users=USERS, keep=True)

    (folder,) = tmp_path.iterdir()
    assert status == 0
    assert folder.name in capsys.readouterr().out.replace("\n", "")
    assert (folder / "warehouse.duckdb").exists()


@pytest.mark.parametrize("users", ["199", "50001", "many", "-5"])
def test_a_shop_of_another_size_is_refused(users: str, capsys: pytest.CaptureFixture[str]):
    parser = ArgumentParser()
    stage.add_options(parser)

    with pytest.raises(SystemExit):
        parser.parse_args([f"--users={users}"])

    assert "from 200 to 50000" in capsys.readouterr().err
