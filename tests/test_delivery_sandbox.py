"""Delivery over real connections: what the sandbox holds afterwards is what was accepted."""

from __future__ import annotations

import math
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from fakes import (
    Clock,
    UsersObject,
    WireServer,
    batch,
    deliverer,
    rejected,
    reset,
    row,
    rows,
)
from iterable_sync.client import IterableClient
from iterable_sync.delivery import Deliverer
from iterable_sync.errors import PermissionRefused, RetryLater
from iterable_sync.pacing import Pacer
from iterable_sync.rows import BatchResult, Project, ProjectType
from iterable_sync.sandbox.server import SandboxServer

if TYPE_CHECKING:
    from collections.abc import Iterator


# -- against the sandbox -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxServer]:
    with SandboxServer(project_type="email", rate_limits=False) as server:
        yield server


def client_of(sandbox: SandboxServer, api_key: str | None = None) -> IterableClient:
    return IterableClient(
        api_key or sandbox.api_key,
        Project("1", "us", ProjectType.EMAIL),
        base_url=sandbox.url,
        sandbox=True,
    )


def held(client: IterableClient, email: str) -> dict[str, Any]:
    """Give the data fields that the sandbox holds of a user."""
    found = client.get("/api/users/getByEmail", {"email": email}).json
    fields: dict[str, Any] = found.get("user", {}).get("dataFields", {})
    return fields


def test_a_batch_with_all_that_can_go_wrong_arrives_but_for_that(sandbox: SandboxServer) -> None:
    """New fields, a wrong type, a bad address and a malformed row: 296 of 300 arrive in full."""
    sandbox.reset()
    client = client_of(sandbox)
    sent = [row(seq, age=seq, plan="gold", id=9007199254740993 + seq) for seq in range(300)]
    sent[5] = row(5, email="no-address", age=5)
    sent[17] = row(17, age="old", plan="gold", id=9007199254740993 + 17)
    sent[250] = replace(sent[250], body=sent[250].body.replace(b'"email"', b'"userId":1,"email"'))
    sent[299] = replace(
        sent[299], body=sent[299].body.replace(b'"dataFields":', b'"dataFields":1,"x":')
    )

    result = Deliverer(client, UsersObject(), Pacer(math.inf)).deliver(
        batch(sent, new_fields=frozenset({"age", "plan", "id"}))
    )

    assert {5: "invalid_email", 250: "malformed", 299: "malformed"} == rejected(result)
    assert (17, "age", "wrong_type") in [(r.seq, r.field, r.reason) for r in result.rejections]
    assert ([], [], {}, None) == (
        result.in_doubt,
        result.not_applied,
        result.uncreated,
        result.stop,
    )
    assert (16, 9007199254741009) == (
        held(client, "u16@example.com")["age"],
        held(client, "u16@example.com")["id"],
    )
    assert 9007199254741010 == held(client, "u17@example.com")["id"]
    assert "age" not in held(client, "u17@example.com")
    assert {} == held(client, "u250@example.com") == held(client, "u299@example.com")


def test_unknown_fields_are_reported_when_they_may_not_be_created(sandbox: SandboxServer) -> None:
    sandbox.reset()

    result = Deliverer(client_of(sandbox), UsersObject(), Pacer(math.inf)).deliver(
        batch([row(0, brand_new=1), row(1)])
    )

    assert {0: ("brand_new",)} == result.uncreated


def test_a_read_only_key_stops_the_run_and_says_so(sandbox: SandboxServer) -> None:
    sandbox.reset()
    client = client_of(sandbox, sandbox.app_state.settings.read_only_key)
    client.check()

    result = Deliverer(client, UsersObject(), Pacer(math.inf)).deliver(batch(rows(2)))

    assert isinstance(result.stop, PermissionRefused)
    assert "read-only" in str(result.stop)


def test_a_wrong_key_is_told_from_one_without_the_right(sandbox: SandboxServer) -> None:
    with pytest.raises(PermissionRefused, match="does not know this key"):
        client_of(sandbox, "x" * 32).check()


def test_threads_within_the_limit_of_the_sandbox_see_no_429(sandbox: SandboxServer) -> None:
    """O8: paced below the limit, evenly, no request is refused and no second is too full."""
    sandbox.reset(rate_limits=True, limits={"users/bulkUpdate": 20})
    sender = Deliverer(client_of(sandbox), UsersObject(), Pacer(16))
    results: list[BatchResult] = []
    threads = [
        threading.Thread(
            target=lambda: results.extend(sender.deliver(batch(rows(1))) for _ in range(12))
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    times = [entry["time"] for entry in sandbox.requests(path=UsersObject.path)]
    assert [1] * 48 == [result.attempts for result in results]
    assert 48 == len(times)
    assert all(sum(start <= t < start + 1 for t in times) <= 20 for start in times)


# -- over the wire -------------------------------------------------------------------------------


def test_threads_share_one_deliverer_over_real_connections() -> None:
    reply = b'{"successCount":3,"failCount":0,"failedUpdates":{}}'
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(reply)
    with WireServer(head + reply) as server:
        client = IterableClient(
            "key", Project("1", "us", ProjectType.EMAIL), base_url=server.url, sandbox=True
        )
        sender = Deliverer(client, UsersObject(), Pacer(math.inf))
        results: list[BatchResult] = []
        threads = [
            threading.Thread(
                target=lambda: results.extend(sender.deliver(batch(rows(3))) for _ in range(5))
            )
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert (20, 4) == (len(server.requests), server.connections)
    assert not [r for r in results if r.stop or r.in_doubt or r.not_applied or r.rejections]


def test_a_server_that_resets_after_reading_leaves_the_rows_in_doubt() -> None:
    clock = Clock()
    with WireServer(reset) as server:
        client = IterableClient(
            "key", Project("1", "us", ProjectType.EMAIL), base_url=server.url, sandbox=True
        )
        result = deliverer(client, clock).deliver(batch(rows(2)))

    assert ([0, 1], []) == (result.in_doubt, result.not_applied)
    assert isinstance(result.stop, RetryLater)
