"""A certificate that is not right is an error of the configuration, met once: H11."""

from __future__ import annotations

import ssl
import warnings
from typing import TYPE_CHECKING, Any

import pytest

from fakes import BODY, KEY, PATH, PERSON, PROJECT, WireServer
from fakes import GOOD as ANSWER
from iterable_sync.client import IterableClient
from iterable_sync.errors import ConfigError
from security.certificates import certificate

if TYPE_CHECKING:
    from security.certificates import Identity

CA = certificate("a CA")
GOOD = certificate("127.0.0.1", by=CA)
EXPIRED = certificate("127.0.0.1", by=CA, days=(-9, -1))
OF_TOMORROW = certificate("127.0.0.1", by=CA, days=(1, 9))
OTHER_HOST = certificate("api.iterable.com", by=CA)
OTHER_CA = certificate("another CA")
SELF_SIGNED = certificate("127.0.0.1")


def client_of(server: WireServer, trusted: str, monkeypatch: pytest.MonkeyPatch) -> IterableClient:
    """Give a client that takes the server for Iterable, and trusts these certificates."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", trusted)
    client = IterableClient(KEY, PROJECT)
    client._proxies = {}
    client.base_url = f"https://127.0.0.1:{server.port}"
    return client


def speaking(identity: Identity, received: list[bytes], *, is_old: bool = False) -> Any:
    """Give a handler that opens TLS with a certificate and keeps what arrives."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if is_old:
        context.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.load_cert_chain(identity.file)

    def handle(connection: Any) -> None:
        with context.wrap_socket(connection, server_side=True) as secure:
            # To its end: what is closed with bytes unread is reset, the answer with it.
            request = secure.recv(1_000)
            while request and not request.endswith(BODY):
                request += secure.recv(1_000)
            received.append(request)
            secure.sendall(ANSWER)

    return handle


@pytest.mark.failure("H11")
@pytest.mark.parametrize(
    ("identity", "trusted", "is_old"),
    [
        pytest.param(SELF_SIGNED, CA, False, id="self-signed"),
        pytest.param(EXPIRED, CA, False, id="expired"),
        pytest.param(OF_TOMORROW, CA, False, id="of tomorrow"),
        pytest.param(OTHER_HOST, CA, False, id="of another host"),
        pytest.param(GOOD, OTHER_CA, False, id="of another CA"),
        pytest.param(certificate("127.0.0.1", by=GOOD), GOOD, False, id="signed by no CA"),
        pytest.param(GOOD, CA, True, id="TLS 1.1"),
    ],
)
def test_a_wrong_certificate_ends_the_first_attempt_and_gets_nothing(
    identity: Identity, trusted: Identity, is_old: bool, monkeypatch: pytest.MonkeyPatch
):
    received: list[bytes] = []
    with WireServer(speaking(identity, received, is_old=is_old), read_request=False) as server:
        client = client_of(server, trusted.file, monkeypatch)

        with pytest.raises(ConfigError, match="TLS certificate or protocol was refused") as caught:
            client.send("POST", PATH, BODY)

    assert 1 == server.connections
    assert b"" == b"".join(received)
    assert PERSON not in str(caught.value)


def test_the_right_certificate_is_taken(monkeypatch: pytest.MonkeyPatch):
    """Otherwise the table above would show nothing."""
    received: list[bytes] = []
    with WireServer(speaking(GOOD, received), read_request=False) as server:
        client = client_of(server, CA.file, monkeypatch)

        assert 200 == client.send("POST", PATH, BODY).status

    assert received


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])
def test_no_proxy_for_something_else_stands_before_tls(name: str, monkeypatch: pytest.MonkeyPatch):
    """The right one, ``HTTPS_PROXY``, is in test_client.py."""
    for one in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.delenv(one, raising=False)
    monkeypatch.setenv(name, "http://127.0.0.1:9")

    assert {} == IterableClient(KEY, PROJECT)._proxies
