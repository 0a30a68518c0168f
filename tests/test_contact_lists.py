"""Lists as Iterable tells of them: what is believed of its answers, and what is not."""

from __future__ import annotations

from io import BytesIO

import pytest

from fakes import WireServer, client_of, http
from iterable_sync.contact_lists import (
    ContactList,
    create_list,
    read_lists,
    read_members,
    read_size,
)
from iterable_sync.errors import ConfigError
from iterable_sync.retrying import AttemptFailed, OutcomeUnknown

LISTS = b"""{"lists":[
    {"id":9,"name":"VIP","createdAt":1487200767000,"listType":"Standard"},
    {"id":8,"name":"Lapsed","createdAt":1487200767000,"listType":"Dynamic","description":"d"},
    {"id":"7","name":"no number"}, 6
]}"""


def test_lists_are_read_with_their_kinds() -> None:
    """The shape is that of a recorded answer; what is no list is passed over."""
    with WireServer(http(body=LISTS)) as server:
        found = read_lists(client_of(server))

    assert [
        ContactList(9, "VIP", is_static=True),
        ContactList(8, "Lapsed", is_static=False),
    ] == found


@pytest.mark.parametrize("body", [b"[]", b'{"lists":7}', b"<html>"])
def test_answer_without_lists_is_no_answer(body: bytes) -> None:
    with WireServer(http(body=body)) as server, pytest.raises(AttemptFailed, match="no lists"):
        read_lists(client_of(server))


def test_list_is_created_with_its_name_as_it_is() -> None:
    with WireServer(http(body=b'{"listId":1068682}')) as server:
        number = create_list(client_of(server), 'Größe "XL" \\')

    assert 1068682 == number
    assert server.requests[0].endswith('\r\n\r\n{"name":"Größe \\"XL\\" \\\\"}'.encode())


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        pytest.param("200 OK", b"{}", OutcomeUnknown, id="without an id"),
        pytest.param("200 OK", b'{"listId":"7"}', OutcomeUnknown, id="an id that is no number"),
        pytest.param("200 OK", b"<html>", OutcomeUnknown, id="no JSON"),
        pytest.param("503 Unavailable", b"", OutcomeUnknown, id="503"),
        pytest.param("429 Too Many", b"", AttemptFailed, id="429"),
        pytest.param("400 Bad", b'{"code":"BadParams"}', ConfigError, id="400"),
        pytest.param("401 Unauthorized", b'{"code":"BadApiKey"}', ConfigError, id="401"),
    ],
)
def test_creation_is_sent_once_and_its_outcome_is_told(
    status: str, body: bytes, error: type[Exception]
) -> None:
    with WireServer(http(status, body)) as server, pytest.raises(error) as caught:
        create_list(client_of(server), "VIP")

    assert type(caught.value) is error or error is ConfigError
    assert 1 == len(server.requests)


@pytest.mark.parametrize("body", [b'"12"', b"twelve", b"", b"1.5"])
def test_size_that_is_no_number_is_no_answer(body: bytes) -> None:
    with WireServer(http(body=body)) as server, pytest.raises(AttemptFailed, match="no number"):
        read_size(client_of(server), 7)


def test_size_is_a_bare_number() -> None:
    with WireServer(http(body=b"1234", kind="text/plain")) as server:
        assert 1234 == read_size(client_of(server), 7)


def test_members_are_lines() -> None:
    """An end of line at the end makes nobody, and what is no identifier is left out."""
    content = b"a@b.co\nU 1\r\n\nZo\xc3\xab\n\xff\xfe\nwith\0nul\n" + b"x" * 5_500 + b"\nlast"

    assert ["a@b.co", "U 1", "Zoë", "last"] == list(read_members(BytesIO(content)))
