"""Faults on the wire: what is certainly not applied, what is unknown, and when it ends."""

from __future__ import annotations

import datetime as dt
import gzip
import ipaddress
import ssl
import time
import tracemalloc
from typing import TYPE_CHECKING

import pytest

from fakes import (
    BODY,
    GOOD,
    KEY,
    PATH,
    PERSON,
    PROJECT,
    WireServer,
    client_of,
    cut,
    drip,
    http,
    post,
    reset,
)
from iterable_sync.client import IterableClient, NotSent, OutcomeUnknown
from iterable_sync.errors import ConfigError

if TYPE_CHECKING:
    import socket
    from pathlib import Path


@pytest.mark.failure("H6")
@pytest.mark.parametrize(
    "handler",
    [
        pytest.param(reset, id="reset before the answer"),
        pytest.param(cut(b""), id="closed before the answer"),
        pytest.param(cut(GOOD[:25]), id="closed in the head"),
        pytest.param(cut(GOOD[:-3]), id="closed in the body"),
        pytest.param(cut(http(body=b"{}", length=50)), id="Content-Length too long"),
        pytest.param(cut(b"SSH-2.0-OpenSSH\r\n"), id="no HTTP"),
        pytest.param(
            cut(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}"),
            id="chunk garbage",
        ),
        pytest.param(
            cut(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n"),
            id="chunks end",
        ),
        pytest.param(cut(http("200 OK", b"{}", "Content-Encoding: br")), id="unknown encoding"),
        pytest.param(cut(http("200 OK", b"{}", "Content-Encoding: gzip")), id="not gzip"),
    ],
)
def test_bytes_out_and_no_complete_answer_is_an_unknown_outcome(handler: object) -> None:
    with pytest.raises(OutcomeUnknown, match=r"/api/users/bulkUpdate"):
        post(handler)


@pytest.mark.failure("H6")
def test_a_reset_in_the_upload_is_an_unknown_outcome() -> None:
    def read_a_little(connection: socket.socket) -> None:
        connection.recv(1_000)
        reset(connection)

    with WireServer(read_a_little, read_request=False) as server, pytest.raises(OutcomeUnknown):
        client_of(server).send("POST", PATH, b"x" * 20_000_000)


@pytest.mark.failure("H10")
@pytest.mark.parametrize(
    "url",
    [
        pytest.param("http://127.0.0.1:1", id="refused"),
        pytest.param("http://iterable.invalid", id="no such host"),
    ],
)
def test_no_connection_is_certainly_not_applied(url: str) -> None:
    """H10: nothing of it may ever count as in doubt."""
    client = client_of("http://127.0.0.1:1")
    client.base_url = url

    with pytest.raises(NotSent):
        client.send("POST", PATH, BODY)


@pytest.mark.failure("H17")
def test_a_kept_connection_that_ends_once_bytes_are_out_is_an_unknown_outcome() -> None:
    """H17: it looked alive; whether the server had read the request is not known."""
    with WireServer(GOOD, cut(b""), GOOD) as server:
        client = client_of(server)
        client.send("POST", PATH, BODY)
        with pytest.raises(OutcomeUnknown):
            client.send("POST", PATH, BODY)
        after = client.send("POST", PATH, BODY)

    assert (200, 3, 2) == (after.status, len(server.requests), server.connections)


@pytest.mark.failure("H17")
def test_a_connection_closed_while_idle_is_replaced() -> None:
    """H17: seen before a byte was sent, so the request goes out once, on a new one."""
    with WireServer(cut(GOOD), GOOD) as server:
        client = client_of(server)
        client.send("POST", PATH, BODY)
        time.sleep(0.05)

        assert client.send("POST", PATH, BODY).status == 200


@pytest.mark.failure("H8")
@pytest.mark.parametrize(
    "handler",
    [
        pytest.param(drip(GOOD), id="head and body drip"),
        pytest.param(lambda _: time.sleep(0.8), id="silence"),
        pytest.param(
            drip(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100, every_s=0.01), id="endless head"
        ),
    ],
)
def test_the_deadline_is_of_the_wall_clock(handler: object) -> None:
    """H8: each byte on its own would come in time."""
    started = time.monotonic()

    with pytest.raises(OutcomeUnknown):
        post(handler, deadline_s=0.3)

    assert time.monotonic() - started < 0.6


def test_an_upload_may_take_longer_than_the_connect_timeout() -> None:
    def slow_reader(connection: object) -> None:
        time.sleep(0.4)
        remaining = 20_000_000
        while remaining > 0:
            part = len(connection.recv(1_000_000))
            remaining -= part
            if not part:
                return
        connection.sendall(GOOD)

    with WireServer(slow_reader, read_request=False) as server:
        answer = client_of(server, connect_s=0.1).send("POST", PATH, b"x" * 20_000_000)

    assert answer.status == 200


@pytest.mark.failure("H8")
def test_a_slow_upload_ends_at_the_deadline() -> None:
    started = time.monotonic()

    with (
        WireServer(lambda _: time.sleep(0.8), read_request=False) as server,
        pytest.raises(OutcomeUnknown),
    ):
        client_of(server, deadline_s=0.3).send("POST", PATH, b"x" * 20_000_000)

    assert time.monotonic() - started < 0.6


@pytest.mark.failure("H9")
def test_a_gzip_bomb_costs_no_memory() -> None:
    """H9: the cap is on decoded bytes."""
    bomb = gzip.compress(b"[" + b"0," * 50_000_000 + b"0]", compresslevel=1)
    tracemalloc.start()
    try:
        with pytest.raises(OutcomeUnknown, match="more than 1000000 bytes"):
            post(http("200 OK", bomb, "Content-Encoding: gzip"), max_answer_bytes=1_000_000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 10_000_000


@pytest.mark.failure("H9")
@pytest.mark.parametrize("part", [b"[],", b"{},", b'{"a":1},', b"1.5,"])
def test_json_that_unfolds_in_memory_is_not_parsed(part: bytes) -> None:
    """H9: 9 MB, within the cap, would take up to 300 MB."""
    body = b"[" + part * (9_000_000 // len(part)) + b"0]"
    with WireServer(http(body=body)) as server:
        client = client_of(server)
        tracemalloc.start()
        try:
            answer = client.send("POST", PATH, BODY)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert (200, None) == (answer.status, answer.json)
    assert peak < 50_000_000


def test_a_compressed_answer_is_read_all_the_same() -> None:
    answer = post(http("200 OK", gzip.compress(b'{"n":1}'), "Content-Encoding: gzip"))

    assert {"n": 1} == answer.json


@pytest.mark.failure("H9")
@pytest.mark.parametrize(
    ("size", "is_read"),
    [
        pytest.param(999, True, id="one below"),
        pytest.param(1000, True, id="at the cap"),
        pytest.param(1001, False, id="one above"),
    ],
)
def test_the_cap_is_exact(size: int, is_read: bool) -> None:
    body = b'"' + b"x" * (size - 2) + b'"'
    try:
        read = post(http(body=body), max_answer_bytes=1000).json is not None
    except OutcomeUnknown:
        read = False

    assert is_read == read


@pytest.mark.parametrize("status", ["429 Too Many", "503 Unavailable", "401 Unauthorized"])
def test_a_refusal_counts_even_if_its_body_breaks_off(status: str) -> None:
    answer = post(cut(http(status, b"{", length=99)))

    assert int(status[:3]) == answer.status


@pytest.mark.parametrize("status", ["400 Bad Request", "404 Not Found", "409 Conflict"])
def test_a_refusal_that_breaks_off_before_its_reason_is_asked_for_again(status: str) -> None:
    """Taken for one without a reason, it would reject a row that Iterable may take."""
    half = b'{"code": "BadParams", "par'
    for answer in (cut(http(status, half, length=99)), http(status, half)):
        with pytest.raises(OutcomeUnknown, match="breaks off"):
            post(answer)


# -- redirects and TLS ---------------------------------------------------------------------------


@pytest.mark.failure("H12", "S3")
@pytest.mark.parametrize("status", ["301 x", "302 x", "303 x", "307 x", "308 x"])
def test_a_redirect_is_refused_and_its_target_gets_nothing(status: str) -> None:
    """H12: ``requests`` alone would take key and body there."""
    with WireServer(http()) as target:
        location = f"Location: {target.url}/steal?who={PERSON}"
        with pytest.raises(ConfigError, match=r"redirect to 127\.0\.0\.1;") as caught:
            post(http(status, b"x" * 100_000, location))

    assert (0, []) == (target.connections, target.requests)
    assert "steal" not in str(caught.value)
    assert PERSON not in str(caught.value)


@pytest.fixture(scope="module")
def self_signed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path


def test_a_certificate_that_is_not_trusted_is_a_configuration_error(self_signed: Path) -> None:
    """H11: at once, and not a byte of the request goes out."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_signed)
    received: list[bytes] = []

    def handshake(connection: object) -> None:
        with context.wrap_socket(connection, server_side=True) as secure:
            received.append(secure.recv(1000))

    with WireServer(handshake, read_request=False) as server:
        client = client_of(server)
        client.base_url = f"https://127.0.0.1:{server.port}"

        with pytest.raises(ConfigError, match="certificate"):
            client.send("POST", PATH, BODY)

    assert b"".join(received) == b""
    assert server.connections == 1


def test_a_server_that_speaks_no_tls_is_a_configuration_error() -> None:
    with WireServer(b"HTTP/1.1 400 Bad Request\r\n\r\n", read_request=False) as server:
        client = client_of(server)
        client.base_url = f"https://127.0.0.1:{server.port}"

        with pytest.raises(ConfigError, match="TLS"):
            client.send("POST", PATH, BODY)


@pytest.mark.parametrize("end", [reset, cut(b"")], ids=["reset", "closed"])
def test_a_handshake_that_breaks_off_was_not_sent(end: object) -> None:
    with WireServer(end, read_request=False) as server:
        client = client_of(server)
        client.base_url = f"https://127.0.0.1:{server.port}"

        with pytest.raises(NotSent):
            client.send("POST", PATH, BODY)


def test_a_certificate_bundle_that_is_none_is_a_configuration_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = tmp_path / "bundle.pem"
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    with pytest.raises(ConfigError, match="does not exist"):
        IterableClient(KEY, PROJECT)
    bundle.write_text("no certificate")

    with WireServer(lambda connection: connection.recv(1), read_request=False) as server:
        client = IterableClient(KEY, PROJECT)
        client._proxies = {}
        client.base_url = f"https://127.0.0.1:{server.port}"
        with pytest.raises(ConfigError, match="TLS"):
            client.send("POST", PATH, BODY)


def test_a_trusted_certificate_works_through_the_bundle_of_the_environment(
    self_signed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(self_signed))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_signed)

    def serve(connection: object) -> None:
        with context.wrap_socket(connection, server_side=True) as secure:
            secure.recv(65_536)
            secure.sendall(GOOD)

    with WireServer(serve, read_request=False) as server:
        client = IterableClient(KEY, PROJECT)
        client._proxies = {}
        client.base_url = f"https://127.0.0.1:{server.port}"

        assert client.get("/api/lists").status == 200
