from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import Connection, redact

from iterable_sync.errors import ConfigError
from iterable_sync.hooks.iterable import IterableHook
from iterable_sync.rows import Project, ProjectType

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = "0123456789abcdef0123456789abcdef"
EXTRA = {"data_center": "us", "project_type": "hybrid", "project_id": "12345"}


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> Callable[..., IterableHook]:
    """Define the connection that a hook finds."""

    def define(extra: dict[str, Any] | None = None, **fields: Any) -> IterableHook:
        wanted = {"conn_type": "iterable", "password": KEY, "extra": extra or EXTRA, **fields}
        monkeypatch.setenv("AIRFLOW_CONN_ITERABLE_DEFAULT", json.dumps(wanted))
        return IterableHook()

    return define


def test_a_connection_becomes_a_client_of_its_project(given: Callable[..., IterableHook]):
    client = given().get_conn()

    assert client.project == Project("12345", "us", ProjectType.HYBRID)
    assert client.base_url == "https://api.iterable.com"


@pytest.mark.failure("S1")
@pytest.mark.capability("A2")
def test_the_key_is_masked_in_logs(given: Callable[..., IterableHook]):
    given(password="a-key-of-this-test-only-0000").get_conn()

    assert redact("the key is a-key-of-this-test-only-0000.") == "the key is ***."


def test_the_region_decides_the_host(given: Callable[..., IterableHook]):
    client = given({**EXTRA, "data_center": "eu"}).get_conn()

    assert client.base_url == "https://api.eu.iterable.com"


def test_a_number_as_project_id_is_taken_as_text(given: Callable[..., IterableHook]):
    """JSON in an extra has numbers; state is kept under the text."""
    client = given({**EXTRA, "project_id": 12345}).get_conn()

    assert client.project.name == "12345.us"


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        pytest.param({"data_center": None}, "data_center is missing.*us or eu", id="no region"),
        pytest.param({"data_center": ""}, "data_center is missing", id="the form left it empty"),
        pytest.param({"data_center": "US"}, "data_center has to be us or eu", id="unknown region"),
        pytest.param({"project_type": None}, "project_type is missing", id="no type"),
        pytest.param({"project_type": "userID"}, "project_type has to be", id="unknown type"),
        pytest.param({"project_id": None}, "project_id is missing", id="no project"),
        pytest.param({"project_id": "a b"}, "project_id has to be", id="no project's number"),
        pytest.param({"headers": {"X": "y"}}, "unknown.*headers.*known: data_center", id="unknown"),
        pytest.param({"sandbox": "maybe"}, "sandbox is 'maybe'.*true or false", id="sandbox maybe"),
        pytest.param({"sandbox": True}, "sandbox is true, and host is empty", id="sandbox where?"),
    ],
)
def test_what_is_wrong_in_the_extra_is_an_error_that_names_it(
    given: Callable[..., IterableHook], extra: dict[str, Any], message: str
):
    hook = given({**EXTRA, **extra})

    with pytest.raises(ConfigError, match=f"connection 'iterable_default'.*{message}"):
        hook.get_conn()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        pytest.param({"password": ""}, "has no password", id="no key"),
        pytest.param({"conn_type": "http"}, "of type 'http', not 'iterable'", id="another type"),
        pytest.param({"host": "https://example.com"}, "has a host", id="a host moves no key"),
        pytest.param({"port": 8080}, "has a host or port", id="neither does a port"),
    ],
)
def test_what_is_wrong_in_the_connection_is_an_error(
    given: Callable[..., IterableHook], fields: dict[str, Any], message: str
):
    hook = given(**fields)

    with pytest.raises(ConfigError, match=message):
        hook.get_conn()


@pytest.mark.parametrize(
    ("extra", "expected"), [({}, None), ({"rate_conn_id": ""}, None), ({"rate_conn_id": "p"}, "p")]
)
def test_the_connection_says_whether_its_syncs_share_their_rate(
    given: Callable[..., IterableHook], extra: dict[str, Any], expected: str | None
):
    hook = given({**EXTRA, **extra})

    assert expected == hook.rate_conn_id()


def test_a_rate_connection_that_is_no_name_is_refused(given: Callable[..., IterableHook]):
    hook = given({**EXTRA, "rate_conn_id": 5})

    with pytest.raises(ConfigError, match="rate_conn_id has to be the id of a connection"):
        hook.rate_conn_id()


def test_a_missing_connection_is_for_a_person_not_for_a_retry():
    with pytest.raises(ConfigError, match="no Airflow connection 'elsewhere'"):
        IterableHook("elsewhere").get_conn()


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"host": "http://127.0.0.1:8099"}, id="an address"),
        pytest.param({"host": "http://127.0.0.1:8099/"}, id="with a slash"),
        pytest.param({"host": "127.0.0.1", "port": 8099}, id="host and port, as a URI gives them"),
    ],
)
@pytest.mark.parametrize("flag", [True, "true"])
def test_a_sandbox_is_reached_where_it_listens(
    given: Callable[..., IterableHook], fields: dict[str, Any], flag: object
):
    client = given({**EXTRA, "sandbox": flag}, **fields).get_conn()

    assert client.base_url == "http://127.0.0.1:8099"


@pytest.mark.failure("S4")
def test_a_sandbox_elsewhere_is_refused(given: Callable[..., IterableHook]):
    """Otherwise a tick in a form sends the key, and people's data, to any host."""
    hook = given({**EXTRA, "sandbox": True}, host="http://example.com:8099")

    with pytest.raises(ConfigError, match="loopback"):
        hook.get_conn()


@pytest.mark.capability("B2")
def test_a_refused_key_is_reported_without_the_key(
    given: Callable[..., IterableHook], caplog: pytest.LogCaptureFixture
):
    """Nothing listens there: the test fails with a reason, and does not raise."""
    caplog.set_level(logging.DEBUG)
    hook = given({**EXTRA, "sandbox": True}, host="http://127.0.0.1:9")

    works, message = hook.test_connection()

    assert not works
    assert message
    assert KEY not in message + caplog.text


@pytest.mark.failure("S14")
@pytest.mark.capability("B2")
def test_the_test_button_says_which_setting_is_missing(given: Callable[..., IterableHook]):
    works, message = given({"data_center": "us"}).test_connection()

    assert not works
    assert "project_id is missing" in message


def test_the_hook_is_found_by_the_connections_type(given: Callable[..., IterableHook]):
    given()
    connection = IterableHook.get_connection("iterable_default")

    assert isinstance(connection, Connection)
    assert isinstance(connection.get_hook(), IterableHook)
