"""Names out of YAML, parameters and models stay names, on either engine: S5."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from iterable_sync.errors import ConfigError, ModelError
from iterable_sync.model import match_names
from iterable_sync.names import MANAGED
from iterable_sync.rows import Column, Role, StateType, WireType
from iterable_sync.spec import SyncSpec
from iterable_sync.state import registry
from iterable_sync.state.approvals import approve
from iterable_sync.state.requeue import requeue

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harness import World

PIECES = [
    '"',
    "'",
    "`",
    "--",
    "/*",
    "*/",
    ";",
    "\\",
    "$$",
    "%s",
    "%",
    "?",
    ":a",
    "$1",
    "{0}",
    "{x}",
    "{}",
    "\n",
    "\0",
    "\x1f",
    "\u202e",
    "İ",
    "ß",
    "ﬀ",
    "\U0001f469\u200d\U0001f4bb",
    "é",
    "e\u0301",
    "x" * 60,
    "ü" * 20,
    " ",
    "SELECT",
    "rowid",
    "ctid",
    "_identity",
    '"; DROP TABLE canary; --',
    "'); DROP TABLE canary; --",
    '"); INSERT INTO canary VALUES (2); --',
    "' || (SELECT n FROM canary) || '",
    "$$; DROP TABLE canary; $$",
    "*/ DROP TABLE canary; /*",
    "\\'; DROP TABLE canary; --",
]
NAMES = st.lists(st.sampled_from(PIECES), min_size=1, max_size=4).map("".join) | st.text(
    st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40
)
PER_RUN = 25


def drawn(rounds: int, per_round: int, test: Callable[[list[str]], None]) -> None:
    """Call *test* with lists of names, always the same ones."""
    settings(
        max_examples=rounds,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )(given(st.lists(NAMES, min_size=per_round, max_size=per_round, unique=True))(test))()


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def usable(world: World, names: Sequence[str], taken: Sequence[str]) -> list[str]:
    """Give those that can be columns side by side, by the rules of the model."""
    limit = world.state.dialect.max_identifier_bytes
    own = world.state.dialect.own_columns
    found: list[str] = []
    for name in names:
        # What begins with an underscore, the state may need itself; test_model.py has the table.
        if name.lower() in own or "\0" in name or name.startswith("_"):
            continue
        with suppress(ModelError):
            side_by_side = [*taken, *found, name]
            match_names(side_by_side, side_by_side, max_identifier_bytes=limit)
            found.append(name)
    return found


def printable(name: str) -> str:
    """Give the part of a name that a sync may have."""
    return "".join(filter(str.isprintable, name))


def field_names(names: Sequence[str]) -> list[str]:
    """Give names that can be fields side by side: no nesting, none that Iterable manages."""
    flat = {re.sub(r"__+|\.", "·", name).strip("_") or "f" for name in names}
    by_case = {name.lower(): name for name in sorted(flat) if name not in MANAGED}
    return sorted(by_case.values())


def everything(world: World) -> dict[str, Any]:
    """Give what must not change: the tables there are, and the canary's rows."""
    with world.state.session() as session:
        tables = {
            # One snapshot per sync, and nothing else, may come into being.
            (schema, re.sub(r"^snapshot_[a-z0-9_]{9,46}$", "snapshot", name))
            for schema, name in session.rows(
                "SELECT table_schema, table_name FROM information_schema.tables"
            )
            if schema in {"main", getattr(world.state, "schema", "main"), world.prefix[:-1]}
        }
    return {"tables": tables, "canary": rows_of_the_canary(world)}


def rows_of_the_canary(world: World) -> list[Any]:
    if world.engine == "postgres":
        return world.rows(f"SELECT n FROM {world.prefix}canary")
    import duckdb

    with duckdb.connect(world.source.path, read_only=True) as connection:  # type: ignore[attr-defined]
        tables = connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
        assert [("canary",), ("users",)] == sorted(tables)
        return connection.execute("SELECT n FROM canary").fetchall()


@pytest.fixture
def guarded(world: World) -> World:
    """Give a world with a table that injected SQL would drop or write."""
    world.put(("u0", "u0@example.com", "Bern", 1))
    world.sync(sync="first")
    world.execute(f"CREATE TABLE {world.prefix}canary AS SELECT 1 AS n")
    return world


@pytest.mark.failure("S5")
@pytest.mark.parametrize("rounds", [2, pytest.param(80, marks=pytest.mark.all)])
def test_columns_keys_fields_and_syncs_may_have_any_name(guarded: World, rounds: int):
    """Run 80 times with 25 columns, 25 fields, a key and a sync of such names: 4,160 names."""
    before = everything(guarded)
    count = 0

    def sync(names: list[str]) -> None:
        nonlocal count
        guarded.server.reset(project_type="email")
        key, *columns = usable(guarded, names[: PER_RUN + 1], ["email"])
        fields = dict(zip(columns, field_names(names[PER_RUN + 1 :]), strict=False))
        assert len(fields) > PER_RUN / 2
        count += 1
        name = f"{printable(names[-1])}{count}"
        values = ", ".join(f"'v' AS {quoted(column)}" for column in fields)
        mapped = {column: {"name": field} for column, field in fields.items()}
        for value in ("a", "b"):
            report = guarded.sync(
                sql=f"SELECT '{value}' AS {quoted(key)}, 'u1@example.com' AS email, {values}",
                key=key,
                sync=name,
                fields={**mapped, key: {"name": "ofTheKey"}},
                guards={"min_rows": 0},
                on_identity_change="full_row",
            )
            assert 1 == report.accepted
        sent = guarded.sent_fields["u1@example.com"]
        assert set(fields.values()) <= sent.keys()
        guarded.write("DELETE FROM {syncs} WHERE sync <> 'first'")

    drawn(rounds, 2 * PER_RUN + 3, sync)

    assert before == everything(guarded)


@pytest.mark.parametrize("rounds", [1, pytest.param(20, marks=pytest.mark.all)])
def test_columns_of_any_name_are_rejected_waited_for_and_dropped(guarded: World, rounds: int):
    """Names stand as texts too, where state keeps which field of a row was rejected."""
    before = everything(guarded)

    def reject(names: list[str]) -> None:
        guarded.server.reset(project_type="email")
        guarded.write("DELETE FROM {rejections}")
        columns = usable(guarded, names, ["user_id", "email"])
        spec: dict[str, Any] = {
            "sync": f"rejected {uuid4()}",
            "fields": {column: {"name": f"f{i}_{uuid4()}"} for i, column in enumerate(columns)},
            "guards": {"min_rows": 0, "changed_floor": 1_000},
        }

        def run(value: str, some: Sequence[str]) -> tuple[int, set[str]]:
            values = [f"CAST('{value}' AS double precision) AS {quoted(name)}" for name in some]
            what = ", ".join(["'u1' AS user_id", "'u1@example.com' AS email", *values])
            report = guarded.sync(sql=f"SELECT {what}", **spec)
            return report.fields_rejected, {row[1] for row in guarded.rejections()}

        assert (len(columns), set(columns)) == run("Infinity", columns)
        assert set(columns) == run("Infinity", columns)[1]
        spec["fields"] = dict(list(spec["fields"].items())[1:])
        run("Infinity", columns[1:])
        assert (0, set()) == run("1.5", columns[1:])
        arrived = guarded.users()["u1@example.com"]
        assert len(columns) - 1 == sum(value == 1.5 for value in arrived.values())

    drawn(rounds, 25, reject)

    assert before == everything(guarded)


@pytest.mark.failure("S5")
@pytest.mark.parametrize("rounds", [1, pytest.param(20, marks=pytest.mark.all)])
def test_what_can_be_no_name_is_refused_and_nothing_of_it_runs(guarded: World, rounds: int):
    """Too long, with NUL, reserved, empty: none is cut, renamed or sent to the engine."""
    before = everything(guarded)

    def refuse(names: list[str]) -> None:
        for name in names:
            is_ours = name.startswith("_") and "\0" not in name
            if is_ours or usable(guarded, [name], ["user_id", "email"]):
                continue
            with pytest.raises(ConfigError):
                guarded.sync(
                    sql=f"SELECT 'u1' AS user_id, 'u1@example.com' AS email, 1 AS {quoted(name)}",
                    sync="refused",
                )

    drawn(rounds, 100, refuse)

    assert before == everything(guarded)


@pytest.mark.failure("S5")
@pytest.mark.parametrize("rounds", [1, pytest.param(20, marks=pytest.mark.all)])
def test_two_thousand_names_of_syncs_and_keys_are_kept_as_they_are(guarded: World, rounds: int):
    """What state writes of a sync, without a run: 100 a round, in one transaction."""
    before = everything(guarded)
    engine = guarded.state
    kept = 0

    def register(names: list[str]) -> None:
        nonlocal kept
        with engine.session() as session, suppress(Undo), session.transaction():
            for number, name in enumerate(names):
                for key in usable(guarded, [name], []) or ["user_id"]:
                    sync = f"{number} {printable(name)}"
                    columns = [
                        Column(key, "", StateType.TEXT, WireType.STRING, Role.FIELD, is_key=True)
                    ]
                    made = registry.reconcile(
                        None, columns, sync=sync, project="1.us", object_name="users", sql=name
                    )
                    registry.save(engine, session, made, project="1.us", sync=sync)
                    found = registry.find(engine, session, "1.us", sync)
                    assert found is not None
                    assert (key,) == found.key_columns
                    assert key in engine.columns_of(session, found.snapshot_table)
                    kept += 1
            raise Undo

    drawn(rounds, 100, register)

    assert kept > 0.9 * 100 * rounds
    assert before == everything(guarded)


@pytest.mark.failure("S5")
@pytest.mark.parametrize("rounds", [1, pytest.param(4, marks=pytest.mark.all)])
def test_what_a_person_types_to_release_and_requeue_is_data(guarded: World, rounds: int):
    """Names of persons, guards, reasons, projects and syncs come from parameters of a DAG run."""
    guarded.put(("u0", "u0@example.com", "Rome", 2), ("u9", "nobody", "Bern", 1))
    guarded.sync(sync="first", guards={"max_changed": 0, "changed_floor": 0})
    before = everything(guarded), guarded.held(), guarded.rejections()
    assert before[1]
    assert before[2]
    engine = guarded.state

    def release(names: list[str]) -> None:
        for name in (name.replace("\0", "") or "x" for name in names):
            approve(engine, "1.us", "first", by=f"a {name}", guard=f"a {name}")
            requeue(engine, "1.us", "first", reasons=[name], include_permanent=True)
            for project, sync in (("1.us", name), (name, "first")):
                with pytest.raises(ConfigError):
                    approve(engine, project, sync, by="me")
                with pytest.raises(ConfigError):
                    requeue(engine, project, sync)

    with engine.visits_follow():
        drawn(rounds, 25, release)

    assert before == (everything(guarded), guarded.held(), guarded.rejections())
    assert {None} == {row[0] for row in guarded.rows("SELECT approved_by FROM {held_keys}")}


class Undo(Exception):
    """Ends a transaction, and leaves nothing of it."""


def test_the_names_are_hostile():
    """Otherwise nothing would have been shown."""
    seen: list[str] = []

    def keep(names: list[str]) -> None:
        seen.extend(names)

    drawn(20, 100, keep)

    assert len(set(seen)) >= 1_500
    for piece in ("DROP TABLE canary", '"', "'", "`", "--", "\0", "\\", "$$"):
        assert sum(piece in name for name in seen) > 20
    assert sum(len(name.encode()) > 63 for name in seen) > 60
    assert len(json.dumps(seen)) > len("".join(seen))


@pytest.mark.failure("S11")
@pytest.mark.parametrize(
    "name",
    [
        pytest.param("a\0b", id="NUL, which PostgreSQL cannot keep"),
        pytest.param("a\n2026-01-01 ERROR b", id="a line of its own in a log"),
        pytest.param("a\u202eb", id="read from the right"),
        pytest.param("a\ud800", id="half a character"),
    ],
)
def test_a_sync_has_a_printable_name(name: str):
    with pytest.raises(ValidationError, match="sync"):
        SyncSpec(sync=name, object="users", sql="SELECT 1", key="id")
