"""Where requests may go: the host of the region, or a loopback address for a sandbox."""

from __future__ import annotations

import pytest

from fakes import (
    KEY,
    PROJECT,
)
from iterable_sync.client import IterableClient
from iterable_sync.errors import ConfigError
from iterable_sync.rows import Project, ProjectType


@pytest.mark.capability("A3")
@pytest.mark.parametrize(
    ("region", "expected"),
    [
        pytest.param("us", "https://api.iterable.com", id="us"),
        pytest.param("eu", "https://api.eu.iterable.com", id="eu"),
    ],
)
def test_region_decides_the_host(region: str, expected: str) -> None:
    client = IterableClient(KEY, Project("1", region, ProjectType.HYBRID))

    assert expected == client.base_url


@pytest.mark.capability("A3")
@pytest.mark.parametrize("region", ["", "US", "ap", "us-east-1", "usa"])
def test_an_unknown_region_is_an_error_and_never_a_default(region: str) -> None:
    with pytest.raises(ConfigError, match="known: eu, us"):
        IterableClient(KEY, Project("1", region, ProjectType.HYBRID))


@pytest.mark.failure("S4")
@pytest.mark.parametrize(
    "url",
    [
        "http://api.iterable.com",
        "https://api.iterable.com:8443",
        "https://api.iterable.com:443",
        "https://api.iterable.com@evil.com",
        "https://user:pass@api.iterable.com",
        "https://@api.iterable.com",
        "https://api.iterable.com.evil.com",
        "https://api.iterable.com.",
        "https://evil.com/api.iterable.com",
        "https://evil.com#api.iterable.com",
        "https://evil.com\\@api.iterable.com",
        "https://api.iterable.com\\.evil.com",
        "https://api.iterable.com?x=1",
        "https://api.iterable.com/other",
        "https://2130706433",
        "https://0x7f000001",
        "https://127.0.0.1",
        "http://127.0.0.1:8000",
        "http://localhost:8000",
        "https://[::1]",
        "http://169.254.169.254",
        "https://\u0430pi.iterable.com",
        "//api.iterable.com",
        "api.iterable.com",
        "file:///etc/passwd",
        "https://[broken",
        "https://api.eu.iterable.com",
    ],
)
def test_no_other_base_url_gets_the_key(url: str) -> None:
    """S4: only the host of the project's region, over https, bare."""
    with pytest.raises(ConfigError, match="base URL"):
        IterableClient(KEY, PROJECT, base_url=url)


@pytest.mark.failure("S4")
@pytest.mark.parametrize(
    "url",
    [
        None,
        "",
        "https://api.iterable.com",
        "http://127.0.0.1.evil.com:80",
        "http://evil.com",
        "http://127.0.0.1@evil.com",
        "http://evil.com@127.0.0.1:80",
        "http://127.0.0.1:80/path",
        "http://169.254.169.254",
        "http://0.0.0.0:80",
        "http://10.0.0.1:80",
        "https://127.0.0.1:1",
        "http://127.0.0.1:99999",
    ],
)
def test_a_sandbox_is_on_the_loopback_interface(url: str | None) -> None:
    with pytest.raises(ConfigError, match="loopback"):
        IterableClient(KEY, PROJECT, base_url=url, sandbox=True)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://api.iterable.com/", "https://api.iterable.com"),
        ("HTTPS://API.Iterable.com", "https://api.iterable.com"),
    ],
)
def test_the_base_url_is_built_from_our_own_constants(url: str, expected: str) -> None:
    assert expected == IterableClient(KEY, PROJECT, base_url=url).base_url


@pytest.mark.parametrize("key", ["", " ", "abc def", "abc\n", "abc\r\nX: y", "schlüssel"])
def test_a_key_that_would_break_the_header_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        IterableClient(key, PROJECT)

    assert not key.strip() or key.strip() not in str(caught.value)
