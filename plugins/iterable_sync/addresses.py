"""
Where requests may go, and what of an address may be shown.

A base URL is matched against an allow-list by its exact parsed host and then built anew from our
own constants: what another parser would read into the user's text does not matter.
"""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path
from urllib import request as environment
from urllib.parse import SplitResult, urlsplit

from iterable_sync.errors import ConfigError

# Source: https://support.iterable.com/hc/en-us/articles/360043464871, documented. A key belongs to
# one project and so to one data centre; an unknown region must never fall back to the other one.
HOSTS = {"us": "api.iterable.com", "eu": "api.eu.iterable.com"}
_LOOPBACK = {"127.0.0.1": "127.0.0.1", "localhost": "127.0.0.1", "::1": "[::1]"}


def checked_base_url(base_url: str | None, region: str, *, sandbox: bool) -> str:
    """
    Give the base URL of a project.

    Raises:
        ConfigError: an unknown region, or an address that a key must not be sent to.
    """
    if region not in HOSTS:
        raise ConfigError(f"unknown Iterable region {region!r}; known: {', '.join(sorted(HOSTS))}")
    if not base_url and not sandbox:
        return f"https://{HOSTS[region]}"
    try:
        parts = urlsplit(base_url or "")
        port = parts.port
    except ValueError:
        parts, port = SplitResult("", "", "", "", ""), None
    plain = (
        "@" not in parts.netloc
        and parts.path in {"", "/"}
        and not parts.query
        and not parts.fragment
        and "\\" not in (base_url or "")
    )
    host = parts.hostname or ""
    if sandbox and plain and parts.scheme == "http" and host in _LOOPBACK:
        return f"http://{_LOOPBACK[host]}" + ("" if port is None else f":{port}")
    if sandbox:
        raise ConfigError(
            "with sandbox the base URL is a loopback address, http://127.0.0.1:<port>"
        )
    if plain and parts.scheme == "https" and host == HOSTS[region] and parts.netloc.lower() == host:
        return f"https://{host}"
    raise ConfigError(
        f"the base URL is not https://{HOSTS[region]}, the only one for region {region!r}; "
        "leave it empty, or tick sandbox for a loopback address"
    )


def proxies_for(base_url: str) -> dict[str, str]:
    """Give the proxy of the environment for a base URL, ``NO_PROXY`` heeded."""
    # Not in typeshed. requests would ask the operating system as well, which is not safe after a
    # fork on macOS.
    if environment.proxy_bypass_environment(host_of(base_url)):  # type: ignore[attr-defined]
        return {}
    proxy = environment.getproxies_environment().get("https")
    return {"https": proxy} if proxy else {}


def ca_bundle() -> bool | str:
    """
    Give the certificate bundle that the environment names, else True for the usual one.

    Raises:
        ConfigError: it does not exist.
    """
    bundle = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
    if not bundle:
        return True
    if not Path(bundle).exists():
        raise ConfigError("REQUESTS_CA_BUNDLE names a file that does not exist on this worker")
    return bundle


def host_of(url: str) -> str:
    """Give the host of a URL and nothing else of it, or words if it has none."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        host = ""
    return host if re.fullmatch(r"[a-z0-9.:-]{1,253}", host) else "an unnamed host"


def shown_path(path: str) -> str:
    """
    Give a path as it may be logged: three segments, identifiers starred.

    ``/api/users/byUserId/4711?x=y`` becomes ``/api/users/byUserId/*``.
    """
    segments = path.partition("?")[0].lstrip("/").split("/")
    shown = [part if re.fullmatch(r"[A-Za-z]+", part) else "*" for part in segments[:3]]
    return "/" + "/".join(shown + ["*"] * (len(segments) > 3))


class PathsOnly(logging.Filter):
    """
    Takes identifiers out of the DEBUG lines of urllib3.

    They show the path with its query, and Iterable's reads carry an e-mail or userId there.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep each record, with its paths reduced."""
        if isinstance(record.args, tuple) and _OURS.intersection(map(str, record.args)):
            record.args = tuple(
                shown_path(part) if isinstance(part, str) and part.startswith("/") else part
                for part in record.args
            )
        return True


_OURS = frozenset({*HOSTS.values(), *_LOOPBACK, *_LOOPBACK.values()})
PATHS_ONLY = PathsOnly()
