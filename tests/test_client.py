"""One HTTP request: what is sent, what is believed, and what is never shown."""

from __future__ import annotations

import logging
import pickle
import traceback
from io import BytesIO
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
from iterable_sync.client import IterableClient, NotSent
from iterable_sync.errors import ConfigError, IterableSyncError, PermissionRefused
from iterable_sync.retrying import AttemptFailed

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.failure("S1")
@pytest.mark.capability("A2", "E1")
def test_the_key_is_in_its_header_and_never_in_the_url() -> None:
    with WireServer(http()) as server:
        client_of(server).get("/api/lists", {"a": "b"})

    head = server.requests[0].decode()
    assert f"\r\nApi-Key: {KEY}\r\n" in head
    assert head.splitlines()[0] == "GET /api/lists?a=b HTTP/1.1"
    assert head.count(KEY) == 1


def test_the_body_arrives_byte_by_byte_as_given() -> None:
    with WireServer(http()) as server:
        client_of(server).send("POST", PATH, BODY)

    assert server.requests[0].endswith(b"\r\n\r\n" + BODY)


@pytest.mark.failure("S3")
def test_netrc_is_never_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login canary password canary\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HOME", str(tmp_path))

    with WireServer(http()) as server:
        client_of(server).send("POST", PATH, BODY)

    assert b"authorization" not in server.requests[0].lower()


@pytest.mark.failure("S3")
def test_a_sandbox_is_reached_without_the_proxy_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    assert post(http()).status == 200


@pytest.mark.failure("S3")
def test_a_proxy_of_the_environment_gets_the_host_name_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with WireServer(cut(http("403 Forbidden"))) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        client = IterableClient(KEY, PROJECT)

        with pytest.raises(NotSent):
            client.send("POST", PATH, BODY)

    seen = b"".join(proxy.requests)
    assert seen.startswith(b"CONNECT api.iterable.com:443 ")
    assert KEY.encode() not in seen
    assert PERSON.encode() not in seen


def test_no_proxy_is_heeded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", ".iterable.com")

    assert {} == IterableClient(KEY, PROJECT)._proxies


def test_cookies_are_not_kept() -> None:
    with WireServer(http("200 OK", b"{}", "Set-Cookie: a=b; Path=/"), http()) as server:
        client = client_of(server)
        client.send("POST", PATH, BODY)
        client.send("POST", PATH, BODY)

    assert b"cookie" not in server.requests[1].lower()


def test_a_thread_keeps_its_connection() -> None:
    with WireServer(http()) as server:
        client = client_of(server)
        for _ in range(3):
            client.send("POST", PATH, BODY)

    assert (1, 3) == (server.connections, len(server.requests))


# -- what comes back -----------------------------------------------------------------------------


def test_an_answer_has_status_json_code_and_request_id() -> None:
    answer = post(
        http("200 OK", b'{"code":"Success","n":1}', "Iterable-Request-Id: abc-1", "Retry-After: 7")
    )

    assert (200, {"code": "Success", "n": 1}, "Success", "abc-1", 7.0) == (
        answer.status,
        answer.json,
        answer.code,
        answer.request_id,
        answer.retry_after_s,
    )


@pytest.mark.failure("S11")
def test_a_request_id_that_could_forge_a_log_line_is_dropped() -> None:
    assert post(http("200 OK", b"{}", "Iterable-Request-Id: a b")).request_id is None


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"<html>ok</html>", id="html"),
        pytest.param(b"", id="empty"),
        pytest.param(b'{"successCount":', id="half"),
        pytest.param(b"\xff\xfe", id="not utf-8"),
    ],
)
def test_a_2xx_without_json_is_never_taken_for_success(body: bytes) -> None:
    answer = post(http(body=body))

    assert (200, None) == (answer.status, answer.json)


def test_after_an_unreadable_answer_the_connection_is_not_used_again() -> None:
    """What a wrong Content-Length leaves behind would be read as the next answer."""
    lie = http(body=b'{"a":1}{"successCount":1}', length=4)
    with WireServer(lie, http(body=b'{"n":2}')) as server:
        client = client_of(server)
        client.send("POST", PATH, BODY)
        second = client.send("POST", PATH, BODY)

    assert {"n": 2} == second.json
    assert server.connections == 2


def test_a_refusal_keeps_the_allow_list_only() -> None:
    body = (
        b'{"msg":"%(p)s","code":"RequestFieldsTypesMismatched","params":{"ip":"10.1.2.3",'
        b'"endpoint":"/api/users/bulkUpdate","apiKeyType":"ServerSide","projectId":4711,'
        b'"obj.users[17].dataFields.age":"%(p)s","obj.users[x].y":"z",'
        b'"validationErrors":{"age":{"incomingTypes":["string","%(p)s"],"expectedType":"long",'
        b'"offendingValue":"%(p)s","category":"user","_type":"UnexpectedType"}}}}'
    ) % {b"p": PERSON.encode()}

    answer = post(http("400 Bad Request", body))

    assert PERSON not in repr(answer)
    assert "10.1.2.3" not in repr(answer)
    assert answer.json is None
    assert (("users", 17, "dataFields.age"),) == answer.refusal.paths
    (clash,) = answer.refusal.clashes
    assert ("age", "long", {"string"}, "user") == (
        clash.field,
        clash.expected,
        clash.incoming,
        clash.category,
    )
    assert (PATH, "ServerSide", "4711") == (
        answer.refusal.endpoint,
        answer.refusal.api_key_type,
        answer.refusal.project_id,
    )


def test_the_json_of_a_2xx_is_not_in_the_repr() -> None:
    answer = post(http(body=b'{"failedUpdates":{"invalidEmails":["%s"]}}' % PERSON.encode()))

    assert PERSON not in repr(answer)


# -- reads ---------------------------------------------------------------------------------------


def test_known_fields_are_the_flat_map_of_the_project() -> None:
    body = b'{"fields":{"email":"string","address.zip":"string"}}'
    with WireServer(http(body=body)) as server:
        fields = client_of(server).known_fields()

    assert {"email": "string", "address.zip": "string"} == fields
    assert server.requests[0].startswith(b"GET /api/users/getFields HTTP/1.1")


@pytest.mark.parametrize("body", [b"[]", b'{"fields":[]}', b"{}", b"<html>"])
def test_known_fields_of_the_wrong_shape_are_not_taken_for_none(body: bytes) -> None:
    with WireServer(http(body=body)) as server, pytest.raises(AttemptFailed):
        client_of(server).known_fields()


@pytest.mark.failure("S14")
@pytest.mark.capability("A2")
@pytest.mark.parametrize(
    ("status", "params", "expected"),
    [
        pytest.param("401 x", b"null", "does not know this key.*US data centre", id="wrong key"),
        pytest.param("401 x", b'{"apiKeyType":"ServerSide"}', "not read-only", id="no right"),
        pytest.param("403 x", b"null", "may not do this", id="forbidden"),
        pytest.param("403 x", b'{"apiKeyType":"Web"}', "type Web.*may not", id="of another type"),
    ],
)
def test_check_says_what_is_missing(status: str, params: bytes, expected: str) -> None:
    body = b'{"msg":"x","code":"BadApiKey","params":%s}' % params
    with (
        WireServer(http(status, body)) as server,
        pytest.raises(PermissionRefused, match=expected),
    ):
        client_of(server).check()


@pytest.mark.failure("S14")
@pytest.mark.parametrize(
    ("status", "error"),
    [("429 x", AttemptFailed), ("503 x", AttemptFailed), ("404 x", ConfigError)],
)
def test_check_tells_what_may_pass_from_what_will_not(status: str, error: type) -> None:
    with WireServer(http(status)) as server, pytest.raises(error):
        client_of(server).check()


# -- nothing is shown ----------------------------------------------------------------------------

ECHO = b'{"msg":"%s","code":"%s","params":{"x":"%s"}}' % ((PERSON.encode(),) * 3)
LEAKS = [
    pytest.param(http("400 x", ECHO), id="refusal that echoes"),
    pytest.param(http("401 x", ECHO), id="key refused"),
    pytest.param(http("500 x", b"<p>" + PERSON.encode(), kind="text/html"), id="html"),
    pytest.param(reset, id="reset"),
    pytest.param(cut(b"HTTP/1.1 200 OK\r\nX " + PERSON.encode()), id="broken head"),
    pytest.param(cut(PERSON.encode() + b"\r\n"), id="no HTTP"),
    pytest.param(cut(http(body=PERSON.encode(), length=99)), id="truncated"),
    pytest.param(http("302 x", b"", f"Location: http://{PERSON}/{KEY}"), id="redirect"),
    pytest.param(http("200 x", PERSON.encode(), f"Content-Encoding: {PERSON}"), id="encoding"),
    pytest.param(http("200 x", b"{}", f"Retry-After: {PERSON}"), id="retry-after"),
    pytest.param(http("200 x", b"{}", f"Transfer-Encoding: {PERSON}"), id="transfer-encoding"),
    pytest.param(drip(GOOD, every_s=0.05), id="deadline"),
]


@pytest.mark.failure("S1")
@pytest.mark.parametrize("handler", LEAKS)
@pytest.mark.parametrize("method", ["post", "get"])
def test_no_message_repr_log_or_chained_exception_shows_key_or_person(
    handler: object, method: str, caplog: pytest.LogCaptureFixture
) -> None:
    """S1, S2: with all loggers at DEBUG, those of urllib3 included."""
    caplog.set_level(logging.DEBUG)
    shown = []
    caught: IterableSyncError | None = None
    with WireServer(handler) as server:
        client = client_of(server, deadline_s=0.3)
        try:
            if method == "post":
                shown.append(repr(client.send("POST", PATH, BODY)))
            else:
                shown.append(repr(client.get(f"/api/users/{PERSON}", {"email": PERSON})))
        except IterableSyncError as error:
            caught = error
    if caught is not None:
        shown += [str(caught), repr(caught), repr(caught.args), *_local_variables(caught)]
        shown += [repr(caught.__context__), repr(caught.__cause__)]
        shown += traceback.format_exception(caught)
        shown.append(repr(pickle.loads(pickle.dumps(caught))))  # noqa: S301
    shown += [repr(client), caplog.text]
    shown += [f"{record.getMessage()} {record.args}" for record in caplog.records]

    text = "\n".join(shown)
    assert caught is None or (caught.__context__, caught.__cause__) == (None, None)
    assert "urllib3" in caplog.text
    assert KEY not in text
    assert PERSON not in text
    assert "canary" not in text.replace("canary.person%40", "canary")


def _local_variables(error: BaseException) -> list[str]:
    """Give the variables of our own frames, as an error tracker would show them."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    return [
        repr(value)
        for frame in frames
        if "iterable_sync" in frame.f_code.co_filename
        for name, value in frame.f_locals.items()
        if name not in {"body", "params", "path"}
    ]


# -- answers that go into a file -------------------------------------------------------------------

_LINES = b"".join(b"u%d@example.com\n" % n for n in range(10_000))


def test_answer_goes_into_a_file_as_it_comes() -> None:
    file = BytesIO()
    with WireServer(http(body=_LINES, kind="text/plain")) as server:
        answer = client_of(server).read("/api/lists/getUsers", {"listId": "7"}, into=file)

    assert server.requests[0].startswith(b"GET /api/lists/getUsers?listId=7 HTTP/1.1")
    assert (200, _LINES) == (answer.status, file.getvalue())


def test_answer_for_a_file_that_breaks_off_is_no_answer() -> None:
    whole = http(body=_LINES, kind="text/plain")
    with WireServer(cut(whole[: len(whole) // 2])) as server, pytest.raises(AttemptFailed):
        client_of(server).read("/api/lists/getUsers", into=BytesIO())


def test_answer_for_a_file_has_a_deadline_of_its_own() -> None:
    with WireServer(drip(http(body=b"a@b.co\n"))) as server:
        client_of(server, deadline_s=0.1).read("/api/lists/getUsers", into=BytesIO(), deadline_s=30)


def test_refusal_is_not_put_into_the_file() -> None:
    body = b'{"msg":"Invalid email list id","code":"BadParams","params":{"listId":"7"}}'
    file = BytesIO()
    with (
        WireServer(http("400 Bad Request", body)) as server,
        pytest.raises(ConfigError, match="/api/lists/getUsers: HTTP 400 BadParams"),
    ):
        client_of(server).read("/api/lists/getUsers", into=file)

    assert file.getvalue() == b""


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"msg":"error.lists.invalidListId(7)","code":"Success"}', "error.lists.invalidListId"),
        (b'{"msg":"error.lists.invalidListId(7)","code":"BadParams"}', "BadParams"),
        (b'{"msg":"error.lists.ana@b.co(7)","code":"Success"}', "Success"),
        (b'{"msg":"error.lists.invalidListId(7) of ana","code":"Success"}', "Success"),
        (b'{"msg":7,"code":"Success"}', "Success"),
    ],
)
def test_refusal_that_says_success_has_its_code_in_the_text(body: bytes, code: str) -> None:
    """Only where the text is nothing but that: it quotes what was sent elsewhere."""
    assert code == post(http("400 Bad Request", body)).code
