"""What the demo says, said of a real sync: each claim holds, and what is not so is found."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

import checks
import example
import expectation
import playground
import read_back
import report
import run as run_demo
import state_tables
from iterable_sync.client import IterableClient
from iterable_sync.rows import Project, ProjectType
from iterable_sync.run import run_sync
from iterable_sync.sandbox.server import SandboxServer
from iterable_sync.spec import SyncSpec
from iterable_sync.state import DuckDBSource, DuckDBState
from local_iterable import LocalIterable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]
USERS = 200
BAD = {
    "bad_user_id_too_long_" + "x" * 40: "invalid_user_id",
    "bad_user_id_not_ascii_é": "invalid_user_id",
    "bad_email_unknown_domain": "invalid_email",
    "bad_email_of_another_user": "conflict",
}


class Shop:
    """The two days of a shop, synced to a sandbox in this process, as the demo's DAG does it."""

    def __init__(self, folder: Path, sandbox: SandboxServer) -> None:
        self.place = playground.Playground(users=USERS, keep=False)
        self.sandbox = sandbox
        self.iterable = LocalIterable(sandbox.url)
        self.days: list[expectation.Expected] = []
        self.writes: list[list[dict[str, Any]]] = []
        for day in (1, 2, 2):
            self.place.move_to(day)
            self.days.append(expectation.read(self.place.warehouse))
            before = self.iterable.last_request()
            self._sync()
            self.writes.append(self.iterable.writes(before))
        self.runs = state_tables.runs(self.place.state)
        self.kept = state_tables.kept(self.place.state)
        self.changes = self.days[1].changes_since(self.days[0])
        self.gone = set(self.days[0].profiles) - set(self.days[1].profiles)

    def _sync(self) -> None:
        run_sync(
            SyncSpec(
                sync="demo",
                object="users",
                sql=(ROOT / "sql" / "models" / "users.sql").read_text(),
                key="user_id",
                requests_per_s=float("inf"),
            ),
            source=DuckDBSource(str(self.place.warehouse)),
            state=DuckDBState(str(self.place.state)),
            client=IterableClient(
                self.sandbox.api_key,
                Project("1", "us", ProjectType.HYBRID),
                sandbox=True,
                base_url=self.sandbox.url,
            ),
        )

    def compare(self) -> read_back.ReadBack:
        return read_back.compare(self.days[-1], self.iterable.profiles(), self.kept, gone=self.gone)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with SandboxServer(project_type="hybrid") as sandbox:
        made = Shop(tmp_path_factory.mktemp("demo"), sandbox)
        yield made
        made.place.remove()


def test_both_sides_agree_but_for_what_is_rejected(shop: Shop):
    result = shop.compare()

    assert result.holds
    assert (result.rows, result.rows_without_key) == (len(shop.days[1].profiles) + 1, 1)
    assert result.found == result.wanted == len(shop.days[1].profiles) - len(BAD)
    assert result.not_there == BAD
    assert result.lacking == {
        "bad_email_invalid": {"email": "invalid_email"},
        "bad_score_infinite": {"score": "not_finite"},
    }
    assert set(result.left) == shop.gone != set()


@pytest.mark.parametrize("users", [200, 1_000])
def test_the_expectation_knows_every_column_of_the_model(users: int, tmp_path: Path):
    """A column that the model gains and the read-back does not compare would go unnoticed."""
    fields = {
        name.partition(".")[0]
        for name in re.findall(r'AS "([^"]+)"', (ROOT / "sql/models/users.sql").read_text())
    }
    file = tmp_path / "warehouse.duckdb"
    with duckdb.connect(str(file)) as connection:
        playground.shop.create_shop(connection, "duckdb", users, 1)

    profiles = expectation.read(file).profiles.values()

    assert fields <= {name for profile in profiles for name in profile}


def test_a_profile_that_differs_is_found(shop: Shop):
    profiles = shop.iterable.profiles()
    profiles["u0000009"]["city"] = "Elsewhere"
    del profiles["u0000010"]
    profiles["stranger"] = {"city": "Porto"}

    result = read_back.compare(shop.days[-1], profiles, shop.kept, gone=shop.gone)

    assert not result.holds
    assert sorted(result.wrong) == ["stranger", "u0000009", "u0000010"]
    assert result.found == result.wanted - 2


def test_only_the_field_that_was_rejected_may_differ(shop: Shop):
    profiles = shop.iterable.profiles()
    profiles["bad_score_infinite"]["plan"] = "elsewhere"

    result = read_back.compare(shop.days[-1], profiles, shop.kept, gone=shop.gone)

    assert result.wrong == ["bad_score_infinite"]


def test_day_one_is_checked(shop: Shop):
    assert checks.everyone_arrived(shop.runs[0], USERS) == []
    assert checks.everyone_arrived(shop.runs[0], USERS + 1) != []
    assert checks.everyone_arrived(shop.runs[1], USERS) != []


def test_the_second_day_sends_the_changed_fields_of_the_changed_users(shop: Shop):
    sent, wrong = checks.only_changes_were_sent(
        shop.runs[1], shop.writes[1], shop.days[1], shop.changes, shop.kept
    )

    assert wrong == []
    assert sent.of_users == shop.days[1].rows
    assert sent.users <= len(shop.changes)
    assert sent.bytes < sent.bytes_of_whole_rows


def test_a_day_that_sends_too_much_or_too_little_is_found(shop: Shop):
    def wrong(writes: list[dict[str, Any]]) -> list[str]:
        return checks.only_changes_were_sent(
            shop.runs[1], writes, shop.days[1], shop.changes, shop.kept
        )[1]

    (request,) = shop.writes[1]

    assert "in no request" in wrong([request | {"keys": request["keys"][1:]}])[0]
    assert "nothing of theirs" in wrong([request | {"keys": [*request["keys"], "u0000009"]}])[0]
    assert "bytes were sent" in wrong([request | {"bytes": request["bytes"] * 2}])[0]


def test_a_third_run_that_writes_is_found(shop: Shop):
    assert shop.writes[2] == []
    assert checks.nothing_was_sent(shop.runs[2], shop.writes[2]) == []
    assert "write requests" in checks.nothing_was_sent(shop.runs[2], shop.writes[1])[0]


def test_every_row_of_a_run_has_its_reason(shop: Shop):
    second, third = shop.runs[1:]

    assert second.reasons == {
        "invalid_user_id": 2,
        "conflict": 1,
        "invalid_email": 1,
        "missing_key": 1,
    }
    assert third.reasons == {"missing_key": 1}
    assert third.counts["still_rejected"] == len(BAD)


def test_the_table_of_a_run_names_counts_and_reasons(shop: Shop, printed: Callable[..., str]):
    text = printed(report.run, "Day 2", "changes", shop.runs[1], total_s=9.0)

    counts = shop.runs[1].counts
    for name in ("queried", "unchanged", "added", "changed", "removed", "accepted", "requests"):
        assert re.search(rf"\b{name}\s+│\s+{counts[name]:,}\s", text), name
    assert "2 rejected: a userId of the row is malformed" in text
    assert "2 accepted without a field" in text


def test_the_read_back_names_the_keys(shop: Shop, printed: Callable[..., str]):
    text = printed(report.read_back, shop.compare())

    number = len(shop.days[1].profiles) - len(BAD)
    assert f"Iterable holds what the warehouse says: {number} of {number} users" in text
    for key in (*BAD, "bad_email_invalid", "bad_score_infinite"):
        assert key in text


def test_the_example_is_real_and_masked(shop: Shop):
    found = example.find(shop.days[0], shop.changes)

    assert found is not None
    assert shop.days[0].profiles[found.user_id][found.field] == found.old
    assert shop.iterable.profile(found.user_id)[found.field] == found.new
    assert any(found.user_id in request["keys"] for request in shop.writes[1])
    assert found.words == f"{found.field}  {found.old[0]}*** -> {found.new[0]}***"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        pytest.param("Kowalska-Nowak", "K***", id="text"),
        pytest.param("", "***", id="empty text"),
        pytest.param(True, "true", id="boolean"),
        pytest.param(False, "false", id="false"),
        pytest.param(12.5, "1***", id="number"),
    ],
)
def test_a_value_is_masked(value: Any, shown: str):
    assert shown == example.mask(value)


def test_no_example_is_found_where_nothing_changed(shop: Shop):
    assert example.find(shop.days[0], {}) is None


def test_what_the_demo_points_at_exists():
    files = [place for place in run_demo.NEXT.values() if not place.startswith("make ")]

    assert [] == [name for name in files if not (ROOT / name).exists()]
