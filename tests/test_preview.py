"""What a preview shows is what a run then sends; and nothing else happens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import object_rows
from event_world import ago
from harness import Client
from iterable_facts import needs_facts, swagger
from iterable_swagger import Swagger
from iterable_sync import objects
from iterable_sync.errors import ConfigError
from iterable_sync.preview import preview
from iterable_sync.rows import ProjectType
from objects import test_contract_requests as requests_of_people
from objects.test_contract_requests import FINAL
from tiers import one_in

if TYPE_CHECKING:
    from harness import World
    from iterable_sync.client import Answer
    from iterable_sync.preview import Preview
    from iterable_sync.spec import SyncSpec
    from iterable_sync.sync_object import SyncObject

# What a run makes ready in Iterable before its rows.
READY = frozenset({"/api/lists", "/api/catalogs/Rows/fieldMappings"})
AS_OF = ago(hours=0)
ORDERS = {
    "id": "text",
    "email": "text",
    "total": "double precision",
    "created_at": "timestamptz",
    "items__id": "text",
    "items__name": "text",
    "items__price": "double precision",
    "items__quantity": "bigint",
}


class Wire(Client):
    """A client that notes each write as it goes over the wire."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.wire: list[tuple[str, str, bytes]] = []

    def send(self, method: str, path: str, body: bytes) -> Answer:
        if path not in READY:
            self.wire.append((method, path, body))
        return super().send(method, path, body)


def cases() -> list[Any]:
    """Give each object with each type of project, of which one is for `make test`."""
    kinds = list(ProjectType)
    return one_in(
        len(kinds),
        (
            (name, kinds[(place + turn) % len(kinds)])
            for place, name in enumerate(objects.names())
            for turn in range(len(kinds))
        ),
    )


def declared(world: World, sync_object: SyncObject, kind: ProjectType, **how: Any) -> SyncSpec:
    """Give a sync of three rows that has never run, and put the rows there."""
    how = {"as_of": AS_OF, "threads": 1, **how}
    if sync_object.shape.is_final:
        requests_of_people.with_requests(world, sync_object, kind, 1, 2, 3)
        return requests_of_people.spec(world, sync_object, **how)
    rows = object_rows.rows(sync_object, [1, 2])
    object_rows.with_rows(world, sync_object, *rows, project=kind)
    return object_rows.spec(world, sync_object, **how)


def shown(world: World, spec: SyncSpec, **how: Any) -> Preview:
    return preview(
        spec, source=world.source, project_type=world.project_type, **{"project_id": "1", **how}
    )


def bodies(found: Preview) -> list[dict[str, Any]]:
    return [json.loads(request.body) for request in found.requests]


@pytest.mark.capability("B12")
@pytest.mark.parametrize("case", cases(), ids="-".join)
def test_what_is_shown_is_what_a_first_run_sends(
    world: World, case: tuple[str, ProjectType]
) -> None:
    """Method, path and body, byte for byte and in order, for every object in every project."""
    sync_object, kind = objects.get(case[0]), case[1]
    spec = declared(world, sync_object, kind)
    client = Wire(world.server, kind)

    found = shown(world, spec)
    report = world.sync(spec, client=client)

    ids = {one["name"]: one["id"] for one in object_rows.whole(world.server.app_state)["lists"]}
    listed = b'"listId":%d,' % ids.get(object_rows.AUDIENCE, 0)
    assert client.wire == [
        (one.method, one.path, one.body.replace(b'"listId":-1,', listed)) for one in found.requests
    ]
    assert (report.accepted, report.requests) == (
        sum(one.rows for one in found.requests),
        len(found.requests),
    )
    assert (found.rows, report.rejected) == (report.queried, len(found.refused))


def test_fields_are_created_once(world: World) -> None:
    """Of several requests the first ones create what the others then only set, as in a run."""
    world.put(*((f"u{n}", f"u{n}@example.com", "Bern" if n > 2 else None, n) for n in range(7)))
    spec = world.spec(batch_rows=2, threads=1)
    client = Wire(world.server, world.project_type)

    found = shown(world, spec, rows=7)
    world.sync(spec, client=client)

    assert client.wire == [(one.method, one.path, one.body) for one in found.requests]
    creating = [bool(body["createNewFields"]) for body in bodies(found)]
    assert [True, False, True, False, False, False] == creating


@needs_facts
@pytest.mark.parametrize("case", cases(), ids="-".join)
def test_what_is_shown_is_what_iterables_document_asks_for(
    world: World, case: tuple[str, ProjectType]
) -> None:
    """Each request has the members and types that Swagger has for its path."""
    sync_object, kind = objects.get(case[0]), case[1]
    document = Swagger(swagger())

    found = shown(world, declared(world, sync_object, kind))

    assert found.requests
    for one in found.requests:
        operation = document.find(one.method, one.path)
        assert operation is not None
        if one.body or document.body(operation):
            body = json.loads(one.body)
            assert [] == document.request_problems(*operation, body)


@pytest.mark.parametrize("name", ["users", "orders", "lists"])
def test_nothing_is_left_behind_and_nobody_is_asked(world: World, name: str) -> None:
    """No table and no file comes into warehouse or state, and no request reaches Iterable."""
    sync_object = objects.get(name)
    spec = declared(world, sync_object, ProjectType.USER_ID)
    with world.state.session() as session:
        before = world.state.tables_of(session, "")
    files = _files(world)

    shown(world, spec)

    with world.state.session() as session:
        assert before == world.state.tables_of(session, "")
    assert files == _files(world)
    with world.server.app_state.lock:
        assert [] == list(world.server.app_state.history.page(0, 10))


def _files(world: World) -> list[str]:
    """Give what lies beside a warehouse that is a file, and where the process is."""
    found = [str(path) for path in Path().iterdir()]
    path = getattr(world.source, "path", None)
    beside = Path(path).parent.iterdir() if path else []
    # The state's own file is the test's, which looked into it.
    return sorted([*found, *(str(one) for one in beside)])


def test_it_reads_so_many_rows_and_no_more(world: World) -> None:
    """A key and a person that come twice further down are the run's to find."""
    world.put(*((f"u{n}", f"u{n}@example.com", "Bern", n) for n in range(7)))

    found = shown(world, world.spec(), rows=2)

    assert (2, 2) == (found.rows, sum(one.rows for one in found.requests))
    assert any(note.startswith("2 rows at most were read") for note in found.notes)


def test_lines_of_an_order_stay_together(world: World) -> None:
    """So many orders are read, and not so many lines."""
    lines = [
        (order, "a@example.com", 3.0, ago(hours=1), item, item, 1.5, 1)
        for order in ("o1", "o2", "o3")
        for item in ("cup", "pot", "tea")
    ]
    world.put(*lines, columns=ORDERS)
    spec = world.spec(sync="orders", object="orders", key="id", first_sync="all")

    found = shown(world, spec, rows=2)

    ordered = {body["id"]: [i["id"] for i in body["items"]] for body in bodies(found)}
    assert {"o1": ["cup", "pot", "tea"], "o2": ["cup", "pot", "tea"]} == ordered
    assert 2 == found.rows


def test_memberships_of_a_person_stay_together(world: World) -> None:
    """They are one entry of a request, so one of them alone would not be what is sent."""
    world.with_project(ProjectType.USER_ID)
    rows = [(f"u{n}", name) for n in (1, 2) for name in ("VIP", "Churn", "New")]
    world.put(*rows, columns={"user_id": "text", "audience": "text"})
    spec = world.spec(sync="a", object="audiences", key=("user_id", "audience"))

    (request,) = shown(world, spec, rows=1).requests

    (user,) = json.loads(request.body)["users"]
    assert {"churn": True, "new": True, "vip": True} == user["dataFields"]
    assert 3 == request.rows


def test_traits_in_long_form_are_those_of_a_person(world: World) -> None:
    world.with_project(ProjectType.USER_ID)
    rows = [(f"u{n}", trait, str(n)) for n in (1, 2) for trait in ("a", "b")]
    world.put(*rows, columns={"user_id": "text", "trait": "text", "value": "text"})
    spec = world.spec(sync="t", object="traits", key="user_id", trait="trait")

    found = shown(world, spec, rows=1)

    users = [user for body in bodies(found) for user in body["users"]]
    assert 1 == len(users)
    assert {"a", "b"} == users[0]["dataFields"].keys()


def test_rows_of_the_window_are_read(world: World) -> None:
    """Of events before `since` none is, so that they do not take the place of others."""
    world.with_project(ProjectType.USER_ID)
    rows = [("old", "u1", ago(days=9)), ("older", "u1", ago(days=8)), ("new", "u2", ago(days=1))]
    columns = {"id": "text", "user_id": "text", "created_at": "timestamptz"}
    world.put(*rows, columns=columns)
    spec = world.spec(sync="e", object="events", key="id", event_name="Seen", since=ago(days=3))

    found = shown(world, spec, rows=1)

    assert ["u2"] == [event["userId"] for body in bodies(found) for event in body["events"]]


def test_what_is_refused_is_named_with_its_reason(world: World) -> None:
    """Rows and fields, whether the plan, the mapping or the size of a request refuses them."""
    world.with_project(ProjectType.HYBRID)
    columns = {"user_id": "text", "email": "text", "city": "text", "points": "double precision"}
    world.put(
        ("u1", "u1@example.com", "Bern", 1.5),
        ("u2", "no address", "Bern", 2.5),
        ("u3", "u3@example.com", "x" * 2_000, 2.5),
        (None, "u4@example.com", "Bern", 2.5),
        ("u5", "u5@example.com", None, 2.5),
        ("u6", "u1@example.com", "Bern", 2.5),
        columns=columns,
    )
    spec = world.spec(required="city", batch_bytes=1_000, exclude="points")

    found = shown(world, spec, rows=6)

    refused = {(one.key, one.field, one.reason) for one in found.refused}
    assert {
        ("u2", "email", "invalid_email"),
        ("u3", None, "too_large"),
        (None, None, "missing_key"),
        ("u5", None, "missing_required"),
    } == refused
    assert {"a key column is NULL", "the row alone is larger than a request may be"} <= {
        one.words for one in found.refused
    }


def test_of_a_look_it_is_shown_what_would_be_asked(world: World) -> None:
    """By whom a merge finds it is made or not, so both are named."""
    sync_object = objects.get("merge")
    found = shown(world, declared(world, sync_object, ProjectType.EMAIL))

    assert (
        "GET /api/users/getByEmail?email=u1%40example.com",
        "GET /api/users/getByEmail?email=u101%40example.com",
    ) == found.requests[0].asks
    assert any("asked who is there" in note for note in found.notes)


def test_what_is_personal_is_in_no_repr(world: World) -> None:
    """A preview that ends up in a log shows nobody."""
    world.put(("u1", "u1@example.com", "Bern", 1), ("u2", "canary", "Bern", 1))
    people = shown(world, world.spec())
    deletions = shown(world, declared(world, objects.get("deletions"), ProjectType.EMAIL))

    assert people.refused
    assert not any(word in repr((people, deletions)) for word in ("u1", "u2", "canary", "%40"))


@pytest.mark.parametrize("name", FINAL)
def test_only_those_that_look_ask(world: World, name: str) -> None:
    sync_object = objects.get(name)

    found = shown(world, declared(world, sync_object, ProjectType.USER_ID))

    assert 3 == len(found.requests)
    assert all(bool(one.asks) is (sync_object.look is not None) for one in found.requests)


def test_each_list_has_a_number_of_its_own(world: World) -> None:
    """Ids are Iterable's; members of two lists are two requests all the same."""
    world.with_project(ProjectType.USER_ID)
    rows = [("u1", "VIP"), ("u2", "VIP"), ("u2", "New")]
    world.put(*rows, columns={"user_id": "text", "audience": "text"})
    spec = world.spec(sync="l", object="lists", key=("user_id", "audience"))

    found = shown(world, spec)

    assert {-1: 1, -2: 2} == {body["listId"]: len(body["subscribers"]) for body in bodies(found)}
    assert any("-1 for 'New', -2 for 'VIP'" in note for note in found.notes)


def test_known_fields_are_taken_for_known_where_none_may_be_created(world: World) -> None:
    world.put(("u1", "u1@example.com", "Bern", 1))

    found = shown(world, world.spec(new_fields="fail"))

    assert [False] == [body["createNewFields"] for body in bodies(found)]


def test_ids_need_the_project(world: World) -> None:
    """An id of an event is made of it; without it, that is said."""
    spec = declared(world, objects.get("events"), ProjectType.USER_ID)

    ids = [
        [
            event["id"]
            for body in bodies(shown(world, spec, project_id=one))
            for event in body["events"]
        ]
        for one in ("1", "2")
    ]

    assert set(ids[0]).isdisjoint(ids[1])
    assert any("project's id" in note for note in shown(world, spec, project_id=None).notes)
    assert not any("project's id" in note for note in shown(world, spec).notes)


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"requires": "shop.users"}, "requires: a run holds the rows"),
        ({"seed_sql": "SELECT 1"}, "seed_sql: a first run sends nothing"),
        ({"fields": {"city": {"null": "skip"}}}, "1 rows wait"),
    ],
)
def test_what_it_leaves_out_is_said(world: World, how: dict[str, Any], says: str) -> None:
    world.put(("u1", "u1@example.com", "Bern", 1), ("u2", "u2@example.com", None, 1))

    found = shown(world, world.spec(object="traits", **how))

    assert any(note.startswith(says) for note in found.notes)


@pytest.mark.parametrize("first_sync", ["seed", "sample:1", 1])
def test_what_limits_a_first_run_hides_nothing(world: World, first_sync: Any) -> None:
    world.put(("u1", "u1@example.com", "Bern", 1), ("u2", "u2@example.com", "Bern", 1))

    found = shown(world, world.spec(first_sync=first_sync))

    assert 2 == sum(one.rows for one in found.requests)


@pytest.mark.parametrize("rows", [0, 1_001])
def test_so_many_rows_are_no_preview(world: World, rows: int) -> None:
    with pytest.raises(ConfigError, match="1 to 1000 rows"):
        shown(world, world.spec(), rows=rows)


def test_a_region_is_one_of_iterables(world: World) -> None:
    with pytest.raises(ConfigError, match="Iterable has us, eu"):
        shown(world, world.spec(), region="mars")


def test_changes_that_are_worked_out_of_a_state_are_refused(world: World) -> None:
    spec = world.spec(sync="moves", object="email_changes", derive_from="users")

    with pytest.raises(ConfigError, match="dry_run=True instead"):
        shown(world, spec)


def test_what_a_run_refuses_a_preview_refuses(world: World) -> None:
    """A merge has to be allowed, and the columns that are named have to be there."""
    with pytest.raises(ConfigError, match="allow_merge=True"):
        shown(world, world.spec(object="merge"))
    world.put(("u1", "u1@example.com", "Bern", 1))
    with pytest.raises(ConfigError, match="key names columns"):
        shown(world, world.spec(key="nothing"))
