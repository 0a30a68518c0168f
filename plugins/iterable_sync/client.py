"""
One HTTP request to Iterable: key, region, deadline, size cap, redaction. No retry.

What comes back is an :class:`Answer`, or an exception that says whether the server may have seen
the request. Nothing here ever holds the key, a body or Iterable's free text in a message, a repr,
a log record or a chained exception.

An adapter of ``requests`` is used and not a ``Session``: a session reads ``~/.netrc``, keeps
cookies, and reads the whole body of a redirect even when told not to follow it.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import unquote

import requests
from urllib3.exceptions import HTTPError

from iterable_sync import __version__
from iterable_sync.addresses import (
    PATHS_ONLY,
    ca_bundle,
    checked_base_url,
    host_of,
    proxies_for,
    shown_path,
)
from iterable_sync.answers import (
    AnswerTooLarge,
    Refusal,
    is_half,
    parsed,
    parts_of_body,
    read_body,
    reduce_refusal,
)
from iterable_sync.errors import ConfigError, IterableSyncError, PermissionRefused
from iterable_sync.failpoints import failpoint
from iterable_sync.retrying import (
    Action,
    AttemptFailed,
    NotSent,
    OutcomeUnknown,
    action_for,
    parse_retry_after,
)
from iterable_sync.wire import CutOff, WatchedAdapter, exchange, root_cause

if TYPE_CHECKING:
    from collections.abc import Mapping

    from iterable_sync.rows import Project

__all__ = ["Answer", "AttemptFailed", "IterableClient", "NotSent", "OutcomeUnknown"]

_MOST_BYTES_OF_FILE = 1_000_000_000
_ABOUT_ROWS = frozenset({400, 404, 409})  # only the body says what they are about
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")


@dataclass(frozen=True, slots=True)
class Answer:
    """
    A complete answer.

    Args:
        json: the body of a 2xx, None if it is no JSON. It names people: it is not shown.

        refusal: what may be kept and shown of any other answer.

        retry_after_s: what Retry-After asks for, not capped.
    """

    status: int
    json: Any = field(repr=False)
    refusal: Refusal
    retry_after_s: float | None
    request_id: str | None
    seconds: float

    @property
    def code(self) -> str | None:
        """Iterable's code; decide by status first: a 400 may carry the code ``Success``."""
        return self.refusal.code


class IterableClient:
    """
    Sends single requests to one project; safe to share between threads.

    Proxies: ``HTTPS_PROXY`` and ``NO_PROXY`` of the worker are honoured, for many companies have
    no other way out; the tunnel is TLS, so the proxy sees the host name only. So is
    ``REQUESTS_CA_BUNDLE``. ``.netrc`` never is, and a sandbox is always reached directly.

    Args:
        api_key: server-side key; sent in the ``Api-Key`` header and nowhere else.

        project: its region decides the host.

        base_url: only one of the two hosts over https, and only the one of the region; with
            *sandbox* only a loopback address.

        deadline_s: wall-clock seconds a request may last once its first byte is sent, and in all.

        connect_s: seconds to connect, TLS included.

        max_answer_bytes: decoded bytes of an answer; more counts as unreadable.
    """

    def __init__(
        self,
        api_key: str,
        project: Project,
        *,
        base_url: str | None = None,
        deadline_s: float = 30.0,
        connect_s: float = 5.0,
        max_answer_bytes: int = 10_000_000,
        sandbox: bool = False,
    ) -> None:
        if not re.fullmatch(r"[!-~]+", api_key or ""):
            raise ConfigError(
                "the Iterable API key is empty, or holds spaces or characters outside ASCII; "
                "paste it anew as the password of the connection"
            )
        self.project = project
        self.deadline_s = deadline_s
        self.base_url = checked_base_url(base_url, project.region, sandbox=sandbox)
        self._connect_s = connect_s
        self._max_answer_bytes = max_answer_bytes
        self._proxies = {} if sandbox else proxies_for(self.base_url)
        self._verify: bool | str = True if sandbox else ca_bundle()
        self._headers = {
            "Api-Key": api_key,
            "Accept": "application/json",
            # Answers are small. A compressed one may hold 1,000 times the bytes that arrive.
            "Accept-Encoding": "identity",
            "Content-Type": "application/json",
            "User-Agent": f"iterable-sync/{__version__}",
        }
        self._of_thread = threading.local()
        self._cut_off = CutOff()
        logging.getLogger("urllib3.connectionpool").addFilter(PATHS_ONLY)

    def __repr__(self) -> str:
        return f"IterableClient({self.base_url!r}, project={self.project.name!r})"

    def send(self, method: str, path: str, body: bytes) -> Answer:
        """
        Send a request once; *body* may be empty.

        Raises:
            NotSent: certainly not applied.

            OutcomeUnknown: may have been applied.

            ConfigError: TLS, or a redirect.
        """
        return _given(self._exchange(method, path, body=body))

    def get(self, path: str, params: Mapping[str, str] | None = None) -> Answer:
        """Read once; raises as :meth:`send`."""
        return _given(self._exchange("GET", path, params=params))

    def cut_off(self) -> None:
        """End what all threads have on their way, outcome unknown; nothing is sent afterwards."""
        self._cut_off.cut()

    def known_fields(self) -> dict[str, str]:
        """
        Read the project's user fields and their types, e.g. ``{"address.zip": "string"}``.

        Raises:
            AttemptFailed: worth another attempt, see :func:`iterable_sync.retrying.read_patiently`.

            ConfigError: not worth one.

        Source:
            GET /api/users/getFields, documented; a flat map (recorded 2017 to 2022).
        """
        path = "/api/users/getFields"
        answer = self.read(path)
        fields = answer.json.get("fields") if isinstance(answer.json, dict) else None
        if not isinstance(fields, dict):
            raise AttemptFailed(f"{path}: the answer holds no fields")
        return {name: str(kind) for name, kind in fields.items()}

    def channels(self) -> dict[int, str]:
        """
        Read the project's message channels: id -> name.

        Raises:
            AttemptFailed, ConfigError: as :meth:`known_fields`.

        Source:
            GET /api/channels, Swagger `ChannelsList`, documented.
        """
        path = "/api/channels"
        answer = self.read(path)
        listed = answer.json.get("channels") if isinstance(answer.json, dict) else None
        if not isinstance(listed, list):
            raise AttemptFailed(f"{path}: the answer holds no channels")
        return {
            one["id"]: str(one.get("name"))
            for one in listed
            if isinstance(one, dict) and type(one.get("id")) is int
        }

    def check(self) -> None:
        """
        Prove that the key works here.

        Raises:
            PermissionRefused: it does not; the message says what is missing.

            AttemptFailed, ConfigError: as :meth:`known_fields`.
        """
        # Iterable has no ping. Every server-side key may read the lists, a read-only one too.
        self.read("/api/lists")

    def permission_refused(self, answer: Answer, path: str) -> PermissionRefused:
        """Give the error for a 401 or 403, saying which right is missing."""
        kind = answer.refusal.api_key_type
        if answer.status == 403:
            of_type = "" if kind is None else f" (type {kind})"
            reason = f"this key{of_type} may not do this; use a server-side key with write access"
        elif kind is None:
            reason = (
                "Iterable does not know this key here; check the key, and that the project is in "
                f"the {self.project.region.upper()} data centre"
            )
        else:
            reason = (
                f"the key (type {kind}) is disabled or lacks the right; "
                "use a server-side key that is not read-only"
            )
        return PermissionRefused(
            f"{shown_path(path)}: HTTP {answer.status} {answer.code or ''}".rstrip()
            + f", project {self.project.name}: {reason}"
        )

    def read(
        self,
        path: str,
        params: Mapping[str, str] | None = None,
        *,
        into: BinaryIO | None = None,
        deadline_s: float | None = None,
    ) -> Answer:
        """
        Read once, and take nothing but a 2xx.

        Args:
            into: gets the body of a 2xx as it comes, up to 1 GB, so that it is never in memory.

            deadline_s: where the answer may take longer than that of other requests.

        Raises:
            AttemptFailed, ConfigError: as :meth:`known_fields`.
        """
        answer = _given(
            self._exchange("GET", path, params=params, into=into, deadline_s=deadline_s)
        )
        if action_for(answer.status, answer.code) is Action.SETTLE:
            return answer
        raise self.refused(answer, path)

    def refused(self, answer: Answer, path: str) -> IterableSyncError:
        """Give the error for an answer that is no 2xx, of a request that is no batch of rows."""
        where = f"{shown_path(path)}: HTTP {answer.status}"
        match action_for(answer.status, answer.code):
            case Action.REFUSED:
                return self.permission_refused(answer, path)
            case Action.RETRY:
                return AttemptFailed(where, answer.retry_after_s)
            case Action.RETRY_UNKNOWN:
                return OutcomeUnknown(where, answer.retry_after_s)
            case _:
                return ConfigError(f"{where} {answer.code or ''}".rstrip())

    def _exchange(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        params: Mapping[str, str] | None = None,
        into: BinaryIO | None = None,
        deadline_s: float | None = None,
    ) -> Answer | IterableSyncError:
        # Errors are returned, and raised where no local variable holds the key: tools that print
        # the variables of a traceback would show them.
        if not path.startswith("/api/"):
            raise ValueError("a path starts with /api/")
        if any(unquote(segment) in {".", ".."} for segment in path.split("/")):
            # They would be resolved on the way, and the request be one about something else.
            raise ValueError("no segment of a path is . or ..")
        started = time.monotonic()
        limit_s = deadline_s or self.deadline_s
        exchange.begin(limit_s, self._cut_off)
        request = requests.Request(
            method, self.base_url + path, headers=self._headers, data=body, params=params
        ).prepare()
        try:
            response = self._adapter().send(
                request,
                stream=True,
                timeout=(min(self._connect_s, limit_s), limit_s),
                verify=self._verify,
                proxies=self._proxies,
            )
        except (requests.RequestException, HTTPError, OSError) as error:
            self._drop_adapter()
            return self._failure(path, error, time.monotonic() - started)
        try:
            return self._answer(path, response, started, into)
        finally:
            response.close()

    def _failure(self, path: str, error: Exception, seconds: float) -> IterableSyncError:
        where = f"{shown_path(path)} at {host_of(self.base_url)}"
        what = f"{root_cause(error)} after {seconds:.1f} s"
        if exchange.tls_refused:
            return ConfigError(
                f"{where}: the TLS certificate or protocol was refused ({root_cause(error)}); "
                "if a proxy of yours opens TLS, set REQUESTS_CA_BUNDLE to its certificate"
            )
        if exchange.sent:
            return OutcomeUnknown(f"{where}: no complete answer: {what}")
        return NotSent(f"{where}: not connected: {what}")

    def _answer(
        self, path: str, response: requests.Response, started: float, into: BinaryIO | None
    ) -> Answer | IterableSyncError:
        failpoint("applied_no_answer")
        status = response.status_code
        if 300 <= status <= 399:
            self._drop_adapter()
            return ConfigError(
                f"{shown_path(path)}: HTTP {status}, a redirect to "
                f"{host_of(response.headers.get('Location', ''))}; redirects are not followed, "
                "for they would carry the key there"
            )
        content: bytes | None = None
        problem, is_in_body = "", status <= 299
        most = _MOST_BYTES_OF_FILE if into is not None else self._max_answer_bytes
        try:
            if into is not None and status <= 299:
                into.writelines(parts_of_body(response, most))
                content = b"{}"
            else:
                content = read_body(response, most)
        except AnswerTooLarge:
            problem = f"an answer of more than {most} bytes"
        except (requests.RequestException, HTTPError, OSError, ValueError) as error:
            problem = f"an answer that breaks off: {root_cause(error)}"
            is_in_body |= status in _ABOUT_ROWS
        json = None if content is None else parsed(content)
        if json is None:
            # What is left of an answer would be read as the beginning of the next one.
            self._drop_adapter()
            if status in _ABOUT_ROWS and content is not None and is_half(content):
                problem, is_in_body, content = "JSON that breaks off", True, None
        if content is None and is_in_body:
            return OutcomeUnknown(f"{shown_path(path)}: HTTP {status} with {problem}")
        request_id = response.headers.get("Iterable-Request-Id", "")
        return Answer(
            status=status,
            json=json if status <= 299 else None,
            refusal=reduce_refusal(json),
            retry_after_s=parse_retry_after(
                response.headers.get("Retry-After"), response.headers.get("Date")
            ),
            request_id=request_id if _REQUEST_ID.fullmatch(request_id) else None,
            seconds=time.monotonic() - started,
        )

    def _adapter(self) -> WatchedAdapter:
        adapter: WatchedAdapter | None = getattr(self._of_thread, "adapter", None)
        if adapter is None:
            adapter = self._of_thread.adapter = WatchedAdapter()
        return adapter

    def _drop_adapter(self) -> None:
        adapter: WatchedAdapter | None = getattr(self._of_thread, "adapter", None)
        if adapter is not None:
            adapter.close()
            self._of_thread.adapter = None


def _given(outcome: Answer | IterableSyncError) -> Answer:
    if isinstance(outcome, IterableSyncError):
        raise outcome
    return outcome
