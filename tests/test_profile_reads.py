"""Reading people back: who is there, who is not, and what is neither."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fakes import WireServer, client_of, http
from iterable_sync.errors import ConfigError, PermissionRefused
from iterable_sync.profile_reads import read_profile
from iterable_sync.retrying import AttemptFailed

if TYPE_CHECKING:
    from typing import Any

NOBODY = b'{"msg":"No user","code":"error.users.noUserWithIdExists","params":null}'
MALFORMED = b'{"msg":"Invalid email","code":"InvalidEmailAddressError","params":null}'


def read(identity: str, *answer: Any) -> tuple[Any, bytes]:
    """Read once from a server that answers so; give what came, and the request line."""
    with WireServer(http(*answer)) as server:
        found = read_profile(client_of(server), identity)
        return found, server.requests[0].partition(b" HTTP")[0]


def test_a_person_has_the_fields_and_both_identifiers() -> None:
    user = b'{"user":{"email":"a@b.ch","userId":"u 1","dataFields":{"city":"Bern"}}}'

    by_email, path = read("email:a+b@b.ch", "200 OK", user)
    by_user_id, other = read("userId:u 1&x", "200 OK", user)

    assert {"email": "a@b.ch", "userId": "u 1", "city": "Bern"} == by_email == by_user_id
    assert b"GET /api/users/getByEmail?email=a%2Bb%40b.ch" == path
    assert b"GET /api/users/byUserId?userId=u+1%26x" == other


@pytest.mark.parametrize(
    ("identity", "status", "body"),
    [
        pytest.param("email:a@b.ch", "200 OK", b"{}", id="by e-mail"),
        pytest.param("email:a@b.ch", "400 Bad Request", MALFORMED, id="malformed"),
        pytest.param("userId:u1", "200 OK", b"{}", id="just created"),
        pytest.param("userId:u1", "400 Bad Request", NOBODY, id="by userId"),
        pytest.param("userId:u1", "500 Internal Server Error", NOBODY, id="whatever the status"),
        pytest.param("userId:u1", "400 Bad Request", b"No user with that id exists!", id="text"),
    ],
)
def test_nobody_is_none(identity: str, status: str, body: bytes) -> None:
    assert None is read(identity, status, body)[0]


@pytest.mark.parametrize(
    ("identity", "status", "body", "error"),
    [
        pytest.param("email:a@b.ch", "500 Error", b"{}", AttemptFailed, id="trouble"),
        pytest.param("userId:u1", "500 Error", b"no user", AttemptFailed, id="trouble in words"),
        pytest.param("email:a@b.ch", "429 Slow", b"{}", AttemptFailed, id="limit"),
        pytest.param("email:a@b.ch", "200 OK", b"<html>", AttemptFailed, id="no JSON"),
        pytest.param("email:a@b.ch", "200 OK", b'{"user":[]}', AttemptFailed, id="no user"),
        pytest.param("email:a@b.ch", "401 No", b"{}", PermissionRefused, id="key"),
        pytest.param("email:a@b.ch", "400 Bad", b"<html>", ConfigError, id="a proxy, by e-mail"),
        pytest.param("userId:u1", "404 Not Found", b"<html>", ConfigError, id="no such endpoint"),
    ],
)
def test_what_says_nothing_about_a_person_is_an_error(
    identity: str, status: str, body: bytes, error: type[Exception]
) -> None:
    """It is never taken for nobody: that row would be sent again."""
    with pytest.raises(error) as raised:
        read(identity, status, body)

    assert "a@b.ch" not in str(raised.value)
