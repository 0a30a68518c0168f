"""Lists: what a row becomes, what an answer means for it, and what a model may have."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pytest

from fakes import Clock
from iterable_sync.batching import split
from iterable_sync.errors import ConfigError
from iterable_sync.objects.lists import OBJECT
from iterable_sync.outcomes import Attribution, Reading, attribute
from iterable_sync.rows import Batch, Column, ProjectType, Rejection, Role, StateType, WireType
from iterable_sync.spec import SyncSpec
from iterable_sync.sync_object import MapContext, completed
from list_world import AUDIENCES, put, spec, sync

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness import World

EMAIL, USER_ID, HYBRID = ProjectType.EMAIL, ProjectType.USER_ID, ProjectType.HYBRID
TEXT, STRING = StateType.TEXT, WireType.STRING
MEMBER = Column("user_id", "userId", TEXT, STRING, 0, role=Role.USER_ID, is_key=True)
MAIL = Column("email", "email", TEXT, STRING, 1, role=Role.EMAIL)
AUDIENCE = Column("audience", "audience", TEXT, STRING, 2, role=Role.AUDIENCE, is_key=True)
SUBSCRIBE, UNSUBSCRIBE = "/api/lists/subscribe", "/api/lists/unsubscribe"


def context(project: ProjectType = HYBRID, **more: Any) -> MapContext:
    values = {"list_ids": {"VIP": 7, "New": 8}, "project": "1.us", "sync": "s"}
    return MapContext((MEMBER, MAIL, AUDIENCE), project, **values | more)


def frame(*rows: tuple[str, str | None, str | None]) -> pd.DataFrame:
    """Give rows of op, identity and audience; who is removed has no values beside the key."""
    columns = {
        "_seq": pa.array(range(1, len(rows) + 1), pa.int64()),
        "_op": pa.array([op for op, _, _ in rows], pa.string()),
        "_mask": pa.array(["111"] * len(rows), pa.string()),
        "_identity": pa.array([who for _, who, _ in rows], pa.string()),
        "_episode": pa.array([1] * len(rows), pa.int64()),
        "user_id": pa.array([f"k{n}" for n in range(len(rows))], pa.string()),
        "email": pa.nulls(len(rows), pa.string()),
        "audience": pa.array([name for _, _, name in rows], pa.string()),
    }
    return pa.table(columns).to_pandas(types_mapper=pd.ArrowDtype)


def batches(
    *rows: tuple[str, str | None, str | None], project: ProjectType = HYBRID, **more: Any
) -> list[Batch]:
    payloads, rejections = OBJECT.payloads(frame(*rows), context(project, **more))
    limits = {"max_rows": 1_000, "max_bytes": 4_000_000}
    overhead = len(OBJECT.body([], create_new_fields=False))
    return split(
        payloads, rejections, seq_lo=1, seq_hi=len(rows), overhead_bytes=overhead, **limits
    )


def requests(found: Sequence[Batch]) -> list[tuple[str, Any]]:
    """Give path and body of the requests, parsed."""
    return [
        (
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


@pytest.mark.capability("E9")
def test_who_joins_and_who_leaves_are_in_requests_of_their_own() -> None:
    """Each list has its own, and to unsubscribe says that the channel stays."""
    found = requests(
        batches(
            ("added", "userId:1", "New"),
            ("added", "email:a@example.com", "VIP"),
            ("changed", "userId:2", "VIP"),
            ("removed", "userId:3", "VIP"),
        )
    )

    assert found == [
        (SUBSCRIBE, {"listId": 8, "subscribers": [{"userId": "1"}]}),
        (SUBSCRIBE, {"listId": 7, "subscribers": [{"email": "a@example.com"}, {"userId": "2"}]}),
        (
            UNSUBSCRIBE,
            {"listId": 7, "channelUnsubscribe": False, "subscribers": [{"userId": "3"}]},
        ),
    ]


def test_one_list_for_all_rows_needs_no_column() -> None:
    payloads, rejections = OBJECT.payloads(
        frame(("added", "userId:1", None)),
        MapContext((MEMBER, MAIL), HYBRID, list_ids={"VIP": 7}, list_name="VIP"),
    )

    assert (1, []) == (len(payloads), rejections)
    assert b'"listId":7,' == payloads.targets[0].head


def test_list_by_its_id_has_no_name() -> None:
    payloads, _ = OBJECT.payloads(
        frame(("added", "userId:1", None)), MapContext((MEMBER, MAIL), HYBRID, list_ids={"": 9})
    )

    assert b'"listId":9,' == payloads.targets[0].head


def test_leaving_a_list_that_is_not_there_is_nothing_to_do() -> None:
    payloads, rejections = OBJECT.payloads(
        frame(("removed", "userId:1", "Gone"), ("removed", "userId:1", "VIP")), context()
    )

    assert ([2], []) == ([payload.seq for payload in payloads], rejections)


@pytest.mark.parametrize("blank", [None, "", " \t"])
def test_row_without_an_audience_is_rejected(blank: str | None) -> None:
    payloads, rejections = OBJECT.payloads(frame(("added", "userId:1", blank)), context())

    assert ([], [Rejection(1, "missing_audience")]) == (list(payloads), rejections)


@pytest.mark.parametrize(
    ("project", "identity", "sent"),
    [
        pytest.param(EMAIL, "email:a@example.com", {"email": "a@example.com"}, id="email"),
        pytest.param(EMAIL, "email:nobody", "invalid_email", id="no address"),
        pytest.param(EMAIL, None, "missing_identifier", id="nobody"),
        pytest.param(USER_ID, "userId:U 1", {"userId": "U 1"}, id="userId"),
        pytest.param(USER_ID, "userId:" + "x" * 53, "invalid_user_id", id="53 characters"),
        pytest.param(HYBRID, "userId:U1", {"userId": "U1"}, id="userId of a hybrid project"),
        pytest.param(HYBRID, "email:a@b.cd", {"email": "a@b.cd"}, id="email of a hybrid project"),
    ],
)
def test_member_is_named_as_the_project_names_people(
    project: ProjectType, identity: str | None, sent: Any
) -> None:
    payloads, rejections = OBJECT.payloads(frame(("added", identity, "VIP")), context(project))

    found = [r.reason for r in rejections] or [json.loads(row.body) for row in payloads]
    assert [sent] == found


@pytest.mark.parametrize("rows", [999, 1000, 1001])
def test_request_holds_a_thousand_members(rows: int) -> None:
    found = batches(*[("added", f"userId:{n}", "VIP") for n in range(rows)])

    assert [min(rows, 1000), *([rows - 1000] if rows > 1000 else [])] == [
        len(batch.payloads) for batch in found
    ]


@pytest.mark.parametrize(("room", "requests_made"), [(-1, 2), (0, 1), (1, 1)])
def test_request_is_measured_with_its_head(room: int, requests_made: int) -> None:
    """Two rows that fit exactly are one request, and with a byte less two."""
    block, _ = OBJECT.payloads(
        frame(("removed", "userId:1", "VIP"), ("removed", "userId:2", "VIP")), context()
    )
    rows = [row.body for row in block]
    size = len(OBJECT.body(rows, create_new_fields=False, target=block.targets[0]))

    found = split(
        block,
        [],
        seq_lo=1,
        seq_hi=2,
        max_rows=1000,
        max_bytes=size + room,
        overhead_bytes=len(OBJECT.body([], create_new_fields=False)),
    )

    assert requests_made == len(found)


# -- answers -------------------------------------------------------------------------------------


def answer(failed: int, sent: int = 3, **arrays: list[str]) -> dict[str, Any]:
    return {"successCount": sent - failed, "failCount": failed, "failedUpdates": arrays}


def mails(*names: str) -> Any:
    rows = [("removed", f"email:{name}@example.com", "VIP") for name in names]
    return OBJECT.payloads(frame(*rows), context(EMAIL))[0]


@pytest.mark.parametrize(
    ("given", "failed"),
    [
        pytest.param(answer(0), {}, id="all"),
        pytest.param(answer(1, invalidEmails=["b@example.com"]), {2: "invalid_email"}, id="bad"),
        pytest.param(
            answer(2, notFoundEmails=["a@example.com", "c@example.com"]),
            {1: "not_found", 3: "not_found"},
            id="unknown",
        ),
        pytest.param(
            answer(1, forgottenEmails=["c@example.com"]), {3: "forgotten"}, id="forgotten"
        ),
        pytest.param(
            {
                "successCount": 2,
                "failCount": 1,
                "invalidEmails": ["a@example.com"],
                "invalidUserIds": [],
                "filteredOutFields": [],
                "createdFields": [],
            },
            {1: "invalid_email"},
            id="answer of 2021",
        ),
    ],
)
def test_answer_names_who_failed(given: Any, failed: dict[int, str]) -> None:
    found = attribute(mails("a", "b", "c"), given)

    assert Attribution(Reading.EXACT, failed) == found


def test_who_is_unknown_has_left_already() -> None:
    """On the way out that is no failure, on the way in it is."""
    target = batches(("removed", "userId:1", "VIP"))[0].target
    into = batches(("added", "userId:1", "VIP"))[0].target
    found = Attribution(Reading.EXACT, {1: "not_found", 2: "forgotten", 3: "invalid_email"})

    assert target is not None
    assert into is not None
    assert {3: "invalid_email"} == found.without(target.harmless).failed
    assert found.failed == found.without(into.harmless).failed


# -- declarations --------------------------------------------------------------------------------


@pytest.mark.capability("E9")
def test_removal_unsubscribes_unless_told_otherwise() -> None:
    declared = SyncSpec(sync="s", object="lists", sql="SELECT 1", key="k")

    assert "unsubscribe" == completed(declared, OBJECT).on_remove
    with pytest.raises(ConfigError, match="on_remove='clear' is not for lists"):
        completed(declared.model_copy(update={"on_remove": "clear"}), OBJECT)


@pytest.mark.capability("E39")
@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"list_name": None}, id="none"),
        pytest.param({"list_id": 7}, id="name and id"),
    ],
)
def test_list_is_said_in_one_way(duckdb_world: World, changes: dict[str, Any]) -> None:
    put(duckdb_world)

    with pytest.raises(ConfigError, match="is said by list_name, by list_id or by a column"):
        sync(duckdb_world, **changes)


def test_list_of_all_rows_and_a_column_of_lists_are_one_too_many(duckdb_world: World) -> None:
    put(duckdb_world, columns=AUDIENCES)

    with pytest.raises(ConfigError, match="here it is a column 'audience' and list_name"):
        sync(duckdb_world, key=("email", "audience"))


def test_members_have_no_data_fields(duckdb_world: World) -> None:
    put(duckdb_world, columns={"email": "text", "city": "text", "vip": "boolean"})

    with pytest.raises(ConfigError, match=r"lists have no data fields, .* has city, vip; leave"):
        sync(duckdb_world)


def test_a_key_that_is_no_identity_is_not_sent(duckdb_world: World) -> None:
    put(duckdb_world, (7, "a@example.com"), columns={"customer": "bigint", "email": "text"})

    sync(duckdb_world, key="customer", options={"sleep": Clock().sleep})

    assert [{"email": "a@example.com"}] == [
        row for body in duckdb_world.client.bodies for row in body.get("subscribers", ())
    ]


def test_settings_of_other_objects_are_refused(duckdb_world: World) -> None:
    with pytest.raises(ConfigError, match="newest_by: not for lists"):
        completed(spec(duckdb_world, newest_by="email"), OBJECT)
