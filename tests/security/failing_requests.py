"""Requests that fail: Iterable, or who stands before it, refuses, breaks or quotes."""

from __future__ import annotations

import ssl
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from fakes import WireServer, reset
from security import canaries
from security.certificates import certificate
from security.failure import BULK, EVERYTHING
from security.stage import people

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_task import Done
    from security.failure import Act
    from security.stage import Stage


def answered(**fault: Any) -> Act:
    """Let the first write meet a fault."""

    def act(stage: Stage) -> Done:
        stage.put(*people(1))
        stage.server.fail({"endpoint": BULK, "first": 1, **fault})
        return stage.run()

    return act


def always(**fault: Any) -> Act:
    """Let all writes meet a fault."""

    def act(stage: Stage) -> Done:
        stage.server.fail({"endpoint": BULK, **fault})
        return stage.run()

    return act


def refused(code: str, status: int = 400, **params: Any) -> Act:
    """Let writes be refused with an answer that quotes everything."""
    body = {"code": code, "msg": EVERYTHING, "params": {"quoted": EVERYTHING, **params}}
    return answered(kind="answer", status=status, body=body)


def taken(**more: Any) -> Act:
    """Let the first write succeed, by an answer that quotes people."""
    return answered(
        kind="answer", status=200, apply=True, body={"successCount": 1, "failCount": 0, **more}
    )


def with_key(setting: str) -> Act:
    """Use the sandbox's other key, made of the canary."""

    def act(stage: Stage) -> Done:
        key = f"{canaries.API_KEY}{setting}"
        if setting != "wrong":
            stage.world.change(**{setting: key})
        stage.connections["iterable_default"]["password"] = key
        return stage.run()

    return act


def wrong_type(stage: Stage) -> Done:
    """Send a text with an e-mail for a field that holds numbers."""
    stage.server.seed({"users": [{"email": "a@b.cc", "dataFields": {"notes": 7}}]})
    return stage.run()


def people_refused(reason: str) -> Act:
    def act(stage: Stage) -> Done:
        stage.run(stage.model(where="WHERE points > 3"))  # later fields come one row each
        keys = [canaries.email(1), canaries.email(2)]
        stage.server.fail({"kind": "refuse_rows", "endpoint": BULK, "keys": keys, "reason": reason})
        return stage.run(thresholds={"rejected_floor": 0})

    return act


def unplugged(stage: Stage) -> Done:
    stage.connections["iterable_default"]["host"] = "http://127.0.0.1:9"
    return stage.run()


@contextmanager
def proxy(stage: Stage, handler: Any) -> Iterator[None]:
    """Let a proxy with a password stand between the worker and Iterable itself."""
    with WireServer(handler, read_request=False) as server:
        address = f"http://someone:{canaries.PROXY_PASSWORD}@127.0.0.1:{server.port}"
        stage.monkeypatch.setenv("https_proxy", address)
        stage.monkeypatch.delenv("no_proxy", raising=False)
        stage.monkeypatch.delenv("NO_PROXY", raising=False)
        del stage.connections["iterable_default"]["host"]
        stage.connections["iterable_default"]["extra"]["sandbox"] = False
        yield


def refused_by_a_proxy(stage: Stage) -> Done:
    answer = f"HTTP/1.1 407 {canaries.PROXY_PASSWORD}\r\nContent-Length: 0\r\n\r\n".encode()

    def refuse(connection: Any) -> None:
        connection.recv(65_536)
        connection.sendall(answer)

    with proxy(stage, refuse):
        return stage.run()


def opened_by_a_proxy(stage: Stage) -> Done:
    """Let a proxy open TLS with a certificate that nobody trusts."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate("api.iterable.com").file)

    def tunnel(connection: Any) -> None:
        connection.recv(65_536)
        connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with context.wrap_socket(connection, server_side=True) as secure:
            secure.recv(1)

    with proxy(stage, tunnel):
        return stage.run()


def reset_by_a_proxy(stage: Stage) -> Done:
    with proxy(stage, reset):
        return stage.run()
