"""The sandbox is for this machine alone, and takes nothing real: S17."""

from __future__ import annotations

import os
import socket

import psutil
import pytest
import typer
from typer.testing import CliRunner

from iterable_sync.sandbox.command import sandbox as command
from iterable_sync.sandbox.server import SandboxServer

APP = typer.Typer()
APP.command()(command)
REAL_KEY = "0123456789abcdef0123456789abcdef"


@pytest.mark.failure("S17")
def test_it_listens_on_the_loopback_interface_and_on_no_other():
    """What ``ss -ltn`` would say."""
    with SandboxServer() as sandbox:
        listening = [
            (one.laddr.ip, one.laddr.port)
            for one in psutil.Process(os.getpid()).net_connections("inet")
            if one.status == psutil.CONN_LISTEN and one.laddr.port == sandbox.port
        ]

    assert [("127.0.0.1", sandbox.port)] == listening


@pytest.mark.failure("S17")
def test_other_addresses_of_this_machine_do_not_lead_to_it():
    others = {
        address.address
        for addresses in psutil.net_if_addrs().values()
        for address in addresses
        if address.family == socket.AF_INET and not address.address.startswith("127.0.0.1")
    }
    with SandboxServer() as sandbox:
        for address in {*others, "127.0.0.2"}:
            with socket.socket() as probe:
                probe.settimeout(1)
                assert 0 != probe.connect_ex((address, sandbox.port))


@pytest.mark.failure("S17")
@pytest.mark.parametrize("name", ["api_key", "read_only_key", "disabled_key"])
def test_a_key_that_looks_real_is_refused_and_not_shown(name: str):
    """Its page and its settings show its keys to whoever asks."""
    with pytest.raises(ValueError, match="looks like one of Iterable") as refused:
        SandboxServer(**{name: REAL_KEY})

    assert REAL_KEY not in str(refused.value)


@pytest.mark.parametrize("option", ["--host", "--bind", "--address"])
def test_its_command_knows_no_other_host(option: str):
    done = CliRunner().invoke(APP, [option, "127.0.0.1"])

    assert 2 == done.exit_code
    assert "No such option" in done.output


def test_its_command_refuses_a_real_key():
    done = CliRunner().invoke(APP, ["--api-key", REAL_KEY])

    assert 2 == done.exit_code
    assert REAL_KEY not in done.output
