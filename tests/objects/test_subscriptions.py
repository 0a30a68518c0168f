"""Subscriptions: what a row becomes, and what a model and a row may say."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pytest

from iterable_sync.batching import split
from iterable_sync.errors import ConfigError
from iterable_sync.objects.subscriptions import OBJECT
from iterable_sync.rows import Batch, Column, ProjectType, Rejection, Role, StateType, WireType
from iterable_sync.sync_object import MapContext, completed
from subscription_world import SAID, put, spec, sync, with_said

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness import World

TEXT, STRING, HYBRID = StateType.TEXT, WireType.STRING, ProjectType.HYBRID
WHO = Column("user_id", "userId", TEXT, STRING, 0, role=Role.USER_ID, is_key=True)
MAIL = Column("email", "email", TEXT, STRING, 1, role=Role.EMAIL)
GROUP = Column("grp", "group", TEXT, STRING, 2, role=Role.GROUP, is_key=True)
ID = Column("group_id", "groupId", TEXT, STRING, 3, role=Role.GROUP_ID, is_key=True)
GROUPS = {"emailList": frozenset({7}), "messageType": frozenset({101})}
Row = tuple[str, str | None, str | None, str | None, Any]


def said(state: StateType) -> Column:
    return Column("subscribed", "subscribed", state, WireType.BOOLEAN, 4, role=Role.SUBSCRIBED)


def mapped(*rows: Row, **more: Any) -> tuple[Any, list[Rejection]]:
    """Map rows of op, identity, group, its id and what is said, as a boolean or as text."""
    answers = [row[4] for row in rows]
    is_text = any(isinstance(answer, str) for answer in answers)
    columns = {
        "_seq": pa.array(range(1, len(rows) + 1), pa.int64()),
        "_op": pa.array([row[0] for row in rows], pa.string()),
        "_mask": pa.array(["00001"] * len(rows), pa.string()),
        "_identity": pa.array([row[1] for row in rows], pa.string()),
        "_episode": pa.array([1] * len(rows), pa.int64()),
        "user_id": pa.array([f"k{n}" for n in range(len(rows))], pa.string()),
        "email": pa.nulls(len(rows), pa.string()),
        "grp": pa.array([row[2] for row in rows], pa.string()),
        "group_id": pa.array([row[3] for row in rows], pa.string()),
        "subscribed": pa.array(answers, pa.string() if is_text else pa.bool_()),
    }
    frame = pa.table(columns).to_pandas(types_mapper=pd.ArrowDtype)
    answer = said(TEXT if is_text else StateType.BOOLEAN)
    values = {"groups": GROUPS, "project_type": HYBRID} | more
    return OBJECT.payloads(frame, MapContext((WHO, MAIL, GROUP, ID, answer), **values))


def batches(*rows: Row, max_rows: int = 1_000) -> list[Batch]:
    payloads, rejections = mapped(*rows)
    overhead = len(OBJECT.body([], create_new_fields=False))
    return split(
        payloads,
        rejections,
        seq_lo=1,
        seq_hi=len(rows),
        max_rows=max_rows,
        max_bytes=4_000_000,
        overhead_bytes=overhead,
    )


def requests(found: Sequence[Batch]) -> list[tuple[str, str, Any]]:
    """Give method, path and body of the requests, parsed."""
    return [
        (
            batch.target.method,
            batch.target.path,
            json.loads(
                OBJECT.body(
                    [row.body for row in batch.payloads],
                    create_new_fields=False,
                    target=batch.target,
                )
            ),
        )
        for batch in found
        if batch.payloads and batch.target is not None
    ]


def test_each_group_action_and_kind_of_identifier_is_a_request() -> None:
    """And each names one group, so that no other subscription is touched."""
    found = requests(
        batches(
            ("added", "email:a@example.com", "emailList", "7", False),
            ("added", "userId:1", "emailList", "7", False),
            ("changed", "userId:2", "emailList", "7", False),
            ("added", "userId:1", "messageType", "101", False),
            ("added", "userId:3", "emailList", "7", True),
        )
    )

    at = "/api/subscriptions"
    assert found == [
        ("PUT", f"{at}/emailList/7?action=unsubscribe", {"users": ["a@example.com"]}),
        ("PUT", f"{at}/emailList/7?action=unsubscribe", {"usersByUserId": ["1", "2"]}),
        ("PUT", f"{at}/messageType/101?action=unsubscribe", {"usersByUserId": ["1"]}),
        ("PUT", f"{at}/emailList/7?action=subscribe", {"usersByUserId": ["3"]}),
    ]


def test_who_left_is_unsubscribed_whatever_the_row_said() -> None:
    """Of a removed row only the key is known."""
    ((_, path, body),) = requests(batches(("removed", "userId:1", "emailList", "7", None)))

    assert path.endswith("emailList/7?action=unsubscribe")
    assert body == {"usersByUserId": ["1"]}


@pytest.mark.parametrize("name", ["emailList", "EMAILLIST", " emaillist "])
def test_group_is_named_without_regard_to_case(name: str) -> None:
    ((_, path, _),) = requests(batches(("added", "userId:1", name, "7", True)))

    assert path == "/api/subscriptions/emailList/7?action=subscribe"


@pytest.mark.parametrize(
    ("group", "number", "answer", "reason"),
    [
        ("email_list", "7", True, "bad_group"),
        ("", "7", True, "bad_group"),
        (None, "7", True, "bad_group"),
        ("emailList", "0", True, "bad_group"),
        ("emailList", "-7", True, "bad_group"),
        ("emailList", "7.0", True, "bad_group"),
        ("emailList", "7/../8", True, "bad_group"),
        ("emailList", "\N{ARABIC-INDIC DIGIT SEVEN}", True, "bad_group"),
        ("emailList", "9" * 19, True, "bad_group"),
        ("emailList", None, True, "bad_group"),
        ("emailList", "8", False, "unknown_group"),
        ("emailList", "7", None, "missing_subscribed"),
        ("emailList", "7", "perhaps", "invalid_boolean"),
        ("emailList", "7", "1", "invalid_boolean"),
    ],
)
def test_what_is_not_said_is_not_guessed(
    group: str | None, number: str | None, answer: Any, reason: str
) -> None:
    """A row that names no group, or says neither yes nor no, is rejected before it is sent."""
    payloads, rejections = mapped(("added", "userId:1", group, number, answer))

    assert (list(payloads), [one.reason for one in rejections]) == ([], [reason])


def test_id_of_a_kind_that_was_not_looked_at_is_taken() -> None:
    """Iterable says then whether it is there."""
    payloads, rejections = mapped(("added", "userId:1", "messageChannel", "5", True))

    assert (len(payloads), rejections) == (1, [])


def test_text_of_a_warehouse_without_types_is_read() -> None:
    found = requests(
        batches(
            ("added", "userId:1", "emailList", "7", "FALSE"),
            ("added", "userId:2", "emailList", "7", "true"),
        )
    )

    assert [path.rpartition("=")[2] for _, path, _ in found] == ["unsubscribe", "subscribe"]


def test_a_request_has_a_thousand_people_at_most() -> None:
    rows: list[Row] = [("added", f"userId:{n}", "emailList", "7", True) for n in range(1_001)]

    assert [len(batch.payloads) for batch in batches(*rows)] == [1_000, 1]


def test_opt_ins_wait_for_opt_outs() -> None:
    """By the rank of their requests, which the push goes by."""
    out, into = batches(
        ("added", "userId:1", "emailList", "7", False),
        ("added", "userId:2", "emailList", "7", True),
    )

    assert out.target is not None
    assert into.target is not None
    assert out.target.rank < into.target.rank


# -- what a model may have -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("columns", "key", "words"),
    [
        pytest.param(
            {name: kind for name, kind in SAID.items() if name != "subscribed"},
            ("user_id", "subscription_group", "group_id"),
            "need a column 'subscribed'",
            id="no answer",
        ),
        pytest.param(SAID, ("user_id",), "is not in the key", id="key of a person"),
        pytest.param(
            SAID | {"city": "text"},
            ("user_id", "subscription_group", "group_id"),
            "no data fields",
            id="a field",
        ),
        pytest.param(
            SAID | {"subscribed": "bigint"},
            ("user_id", "subscription_group", "group_id"),
            "is a boolean",
            id="a number",
        ),
    ],
)
def test_model_says_who_which_and_whether(
    duckdb_world: World, columns: dict[str, str], key: tuple[str, ...], words: str
) -> None:
    world = with_said(duckdb_world)
    put(world, columns=columns)

    with pytest.raises(Exception, match=words):
        sync(world, key=key, guards={"min_rows": 0})


def test_settings_of_other_objects_are_errors(duckdb_world: World) -> None:
    with pytest.raises(ConfigError, match="allow_overwrite: not for subscriptions"):
        completed(spec(duckdb_world, allow_overwrite=True), OBJECT)
    with pytest.raises(ConfigError, match="on_remove='clear' is not for subscriptions"):
        completed(spec(duckdb_world, on_remove="clear"), OBJECT)
