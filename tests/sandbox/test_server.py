from __future__ import annotations

import socket
import threading

import pytest
import requests

from iterable_sync.sandbox.server import SandboxServer


def test_server_listens_on_loopback_and_leaves_nothing_behind():
    threads = set(threading.enumerate())
    with SandboxServer(project_type="email") as sandbox:
        port = sandbox.port
        answer = requests.get(
            f"{sandbox.url}/api/lists", headers={"Api-Key": sandbox.api_key}, timeout=10
        )
        assert answer.status_code == 200
        assert sandbox.url == f"http://127.0.0.1:{port}"

    assert set(threading.enumerate()) == threads
    with socket.socket() as probe, pytest.raises(ConnectionRefusedError):
        probe.connect(("127.0.0.1", port))


def test_two_servers_share_nothing():
    with SandboxServer() as one, SandboxServer() as two:
        requests.post(
            f"{one.url}/api/users/update",
            json={"userId": "1"},
            headers={"Api-Key": one.api_key},
            timeout=10,
        )

        assert (len(one.app_state.people), len(two.app_state.people)) == (1, 0)
        assert one.port != two.port


def test_reset_goes_back_to_the_settings_of_the_start():
    with SandboxServer(project_type="email") as sandbox:
        sandbox.reset(project_type="userId")
        assert sandbox.app_state.settings.project_type == "userId"

        sandbox.reset()
        assert sandbox.app_state.settings.project_type == "email"


def test_wrong_settings_fail_before_anything_listens():
    with pytest.raises(ValueError, match="unknown setting"):
        SandboxServer(projekt="email")
