"""No key and no person is shown by a run that fails, however it fails: S1, S2."""

from __future__ import annotations

import base64
import json
import logging
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from iterable_sync.operators import ends
from security import canaries
from security.failures import FAILURES
from security.stage import Stage, listening, people

if TYPE_CHECKING:
    from collections.abc import Callable

    from security.failure import Failure


@pytest.mark.failure("S1", "S2", "O7")
@pytest.mark.parametrize(
    ("failure", "stage"),
    [
        pytest.param(failure, engine, id=f"{failure.name}-{engine}")
        for failure in FAILURES
        for engine in failure.engines
    ],
    indirect=["stage"],
)
def test_a_run_that_fails_shows_no_key_and_no_person(failure: Failure, stage: Stage):
    """In logs at DEBUG, XCom, rendered fields, asset events, tracebacks and state tables."""
    done = failure.act(stage)

    shown = stage.everything()
    assert [] == canaries.found_in(shown)
    assert failure.state == done.state, done.error
    assert failure.said in shown


# -- the search itself ---------------------------------------------------------------------------

EMAIL = canaries.email(1)


@pytest.mark.parametrize(
    "shown",
    [
        pytest.param(f"who is {EMAIL}?", id="plain"),
        pytest.param(EMAIL.upper(), id="upper case"),
        pytest.param(f"/api/users/{quote(canaries.NAME)}", id="URL"),
        pytest.param(json.dumps({"name": canaries.NAME}), id="JSON"),
        pytest.param(json.dumps(json.dumps({"name": canaries.NAME})), id="JSON in JSON"),
        pytest.param(repr(canaries.NAME.encode()), id="bytes"),
        pytest.param(ascii(canaries.NAME), id="Python"),
        pytest.param(EMAIL.encode().hex(), id="hex"),
        pytest.param(base64.b64encode(f"{EMAIL}:x".encode()).decode(), id="base64"),
        pytest.param(base64.b64encode(f"u:{EMAIL}".encode()).decode(), id="base64, shifted"),
        pytest.param(base64.b64encode(f"a:{EMAIL}:x".encode()).decode(), id="base64, once more"),
        pytest.param(canaries.PHONE.removeprefix("+"), id="digits"),
        pytest.param(f"Api-Key: {canaries.API_KEY}", id="key"),
        pytest.param(f"{canaries.NUMBER}.0", id="number"),
    ],
)
def test_a_canary_is_found_in_any_form(shown: str):
    assert canaries.found_in(f"before {shown} after")


def in_a_log_line(stage: Stage) -> None:
    logging.getLogger("urllib3.connectionpool").debug("sent %s", [EMAIL])


def in_an_argument_that_is_not_shown(stage: Stage) -> None:
    logging.getLogger("iterable_sync.client").debug("sent %.3s", EMAIL)


def in_base64(stage: Stage) -> None:
    logging.getLogger("psycopg").debug(base64.b64encode(EMAIL.encode()).decode())


def in_print(stage: Stage) -> None:
    print(canaries.NAME)  # noqa: T201


def in_a_traceback(stage: Stage) -> None:
    logging.getLogger("duckdb").error("no", exc_info=ValueError(EMAIL))


def in_a_state_table(stage: Stage) -> None:
    stage.world.write(
        f"INSERT INTO {{batches}} (run_id, token, number, seq_lo, seq_hi, state, "
        f"opened_at) VALUES ('{EMAIL}', 1, 1, 1, 1, 'done', now())"
    )


@pytest.mark.failure("S1", "S2", "O7")
@pytest.mark.parametrize(
    ("leak", "stage"),
    [
        (in_a_log_line, "duckdb"),
        (in_an_argument_that_is_not_shown, "duckdb"),
        (in_base64, "duckdb"),
        (in_print, "duckdb"),
        (in_a_traceback, "duckdb"),
        # The only place that is another one with another engine.
        (in_a_state_table, "duckdb"),
        (in_a_state_table, "postgres"),
    ],
    indirect=["stage"],
)
def test_a_planted_leak_is_found(leak: Callable[[Stage], None], stage: Stage):
    """Otherwise a search that finds nothing would prove nothing."""
    stage.run()
    assert [] == canaries.found_in("\n".join([*stage.heard.lines, *stage.shown]))

    with listening(stage.heard):
        leak(stage)

    assert canaries.found_in(stage.everything())


def test_a_leak_of_an_operator_is_found(stage: Stage, monkeypatch: pytest.MonkeyPatch):
    """In what a task hands over: an error that keeps its cause, and counts that are none."""

    def keep_cause(error: Exception, **_: object) -> Exception:
        kept = RuntimeError("failed")
        kept.__cause__ = error
        return kept

    monkeypatch.setattr(ends, "of_error", keep_cause)
    stage.put(*people(1), *people(1))
    stage.run(f"SELECT * FROM users WHERE email <> '{EMAIL}'")

    assert canaries.found_in(stage.shown[0])


@pytest.mark.parametrize("name", ["iterable_sync", "urllib3", "airflow", "httpx"])
def test_the_search_hears_who_speaks(name: str, stage: Stage):
    stage.run()

    assert [heard for heard in stage.heard.names if heard.split(".")[0] == name]
