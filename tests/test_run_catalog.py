"""Catalogs from the query to Iterable: items, types of fields, whose a catalog is, what arrived."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

from catalog_world import NAME, PRODUCTS, catalog, create, items, put, sent, settle, sync
from crashes import Crash, crash_at
from iterable_sync.errors import ConfigError
from iterable_sync.item_ids import item_id
from iterable_sync.rows import ProjectType, RunEnd
from iterable_sync.sandbox.kinds import Kind

if TYPE_CHECKING:
    from harness import World

ITEMS = f"/api/catalogs/{NAME}/items"
MAPPINGS = f"/api/catalogs/{NAME}/fieldMappings"
NO_CATALOG = {
    "status": 404,
    "body": {"error": "NotFound", "message": "", "code": "error.catalogs.notFound"},
}


@pytest.fixture(params=["duckdb", "postgres"])
def either(request: pytest.FixtureRequest) -> World:
    """Give a world of each engine, for what is SQL of catalogs alone."""
    made: World = request.getfixturevalue(f"{request.param}_world")
    return made


# -- items ---------------------------------------------------------------------------------------


def test_catalog_has_the_rows_of_the_model_after_each_run(either: World) -> None:
    """Over random days, what is in Iterable is what plain Python says, and only news was sent."""
    rng = random.Random(11)  # noqa: S311 - must repeat
    before: dict[str, dict[str, Any]] = {}
    for _ in range(6):
        now = {
            f"SKU {rng.randrange(9)}": {
                "name": rng.choice(["Cup", "Pan", None]),
                "price": rng.choice([1.5, 2.5, None]),
            }
            for _ in range(8)
        }
        put(either, *((key, *fields.values()) for key, fields in now.items()))
        done = sync(either, on_remove="delete", guards={"min_rows": 0, "removed_floor": 9})

        assert RunEnd.CLEAN is done.end
        assert {item_id(key): valued(fields) for key, fields in now.items()} == {
            key: valued(fields) for key, fields in items(either).items()
        }
        news = {item_id(key) for key in now if now[key] != before.get(key)}
        assert news == set(sent(either))
        assert len(before.keys() - now.keys()) == done.removed_accepted
        for key in now.keys() & before.keys():
            changed = {name for name in now[key] if now[key][name] != before[key][name]}
            assert changed == sent(either).get(item_id(key), {}).keys()
        before = now


def valued(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def test_fields_that_others_wrote_stay(world: World) -> None:
    """Also where the sync sends an item for the first time, or all of it once more."""
    create(world)
    with world.server.app_state.lock:
        catalog(world).put(
            {"A": {"name": "old", "rank": 7}}, 1, merge=True, max_bytes=30_000, discard=False
        )
    put(world, ("A", "Cup", 1.5))
    sync(world)
    sync(world, full_resync=True)

    assert {"A": {"name": "Cup", "price": 1.5, "rank": 7}} == items(world)


def test_value_that_is_null_now_is_gone(world: World) -> None:
    """The first items of a catalog bring no null, for it has no field that one could empty."""
    put(world, ("A", "Cup", None))
    sync(world)
    first = items(world)
    put(world, ("A", None, None))
    sync(world)

    assert {"A": {"name": "Cup"}} == first
    assert {"A": {"name": None}} == items(world)


def test_item_that_left_stays_where_that_is_wanted(world: World) -> None:
    put(world, ("A", "Cup", 1.5), ("B", "Pan", 2.5))
    sync(world)
    put(world, ("A", "Cup", 1.5))
    done = sync(world)

    assert (1, 0) == (done.removed_ignored, done.requests)
    assert {"A", "B"} == items(world).keys()


def test_mass_deletion_is_held(world: World) -> None:
    put(world, *((f"S{n}", "Cup", 1.5) for n in range(10)))
    sync(world, on_remove="delete")
    put(world, ("S0", "Cup", 1.5))
    done = sync(world, on_remove="delete", guards={"removed_floor": 5, "max_removed": 0.5})

    assert {"max_removed": 9} == done.held_by_guard
    assert 10 == len(items(world))


@pytest.mark.parametrize(
    "project",
    [
        ProjectType.EMAIL,
        pytest.param(ProjectType.USER_ID, marks=pytest.mark.all),
        pytest.param(ProjectType.HYBRID, marks=pytest.mark.all),
    ],
)
def test_items_are_of_nobody(world: World, project: ProjectType) -> None:
    """Columns named as those of people are fields, and two items may have the same of them."""
    world.with_project(project)
    first, *others = [("A", "a@b.cd", "7"), ("B", "a@b.cd", "7"), ("C", None, None)]
    columns = {"sku": "text", "email": "text", "user_id": "text"}
    put(world, first, *others, columns=columns)
    done = sync(world)
    put(world, ("A", "b@b.cd", "7"), *others, columns=columns)
    later = sync(world)

    assert (3, 0) == (done.accepted, done.rejected)
    assert {"A": {"email": "b@b.cd"}} == sent(world)
    assert (1, 0) == (later.changed, later.identity_changed)
    assert {} == world.users()


def test_item_is_nobody_who_was_forgotten(world: World) -> None:
    """Though its key is their userId: it is neither erased nor left out, and nor is its history."""
    world.with_project(ProjectType.USER_ID)
    put(world, ("501", "Cup", 1.5), ("502", "x" * 31_000, 1.5))
    sync(world)
    columns = {"id": "text", "user_id": "text", "action": "text", "requested_at": "timestamptz"}
    for number in (501, 502):
        world.put(
            (f"R{number}", f"{number}", "forget", "2026-01-02 03:04:05+00"),
            columns=columns,
            table="requests",
        )
        world.sync(
            sync=f"requests {number}",
            object="deletions",
            key="id",
            sql=world.sql(table="requests"),
            first_sync="all",
        )
    put(world, ("501", "Mug", 1.5), ("502", "x" * 31_000, 1.5))
    done = sync(world)

    assert (1, 1, 1) == (done.accepted, done.still_rejected, done.changed)
    assert {"501": {"name": "Mug"}} == sent(world)
    assert {"501": {"name": "Mug", "price": 1.5}} == items(world)
    assert 2 == world.rows("SELECT count(*) FROM {forgotten}")[0][0]


@pytest.mark.parametrize(
    ("fault", "reason"),
    [("invalidData", "wrong_type"), pytest.param("conflict", "conflict", marks=pytest.mark.all)],
)
def test_item_that_iterable_refuses_costs_itself_alone(
    world: World, fault: str, reason: str
) -> None:
    """One bad item refuses its request; the others are found and sent."""
    put(world, *((f"S{n}", "Cup", float(n)) for n in range(40)))
    world.server.fail({"kind": "refuse_rows", "keys": ["S7"], "reason": fault})
    done = sync(world)

    assert (39, 1) == (done.accepted, done.rejected)
    assert {("S7", "", reason)} == world.rejections()
    assert {f"S{n}" for n in range(40)} - {"S7"} == items(world).keys()


def test_answer_that_is_lost_is_asked_for_again(world: World) -> None:
    world.server.app_state.fail(
        [{"kind": "reset", "at": "handled", "endpoint": f"{ITEMS}", "times": 1}]
    )
    put(world, ("A", "Cup", 1.5))
    done = sync(world)

    assert (1, 2, RunEnd.CLEAN) == (done.accepted, done.requests, done.end)


@pytest.mark.parametrize("when", ["before", "after"])
def test_what_was_on_the_way_when_a_run_died_is_sent_again(world: World, when: str) -> None:
    """Though the row has gone back to what it was, and reads as unchanged; so is a deletion."""
    put(world, ("A", "Cup", 1.5), ("B", "Pan", 2.5))
    sync(world, on_remove="delete")
    put(world, ("A", "Mug", 1.5))
    for at in (1, 2):
        hooks: dict[str, Any] = {when: crash_at(at)}
        with pytest.raises(Crash):
            sync(world, client=world.connect(**hooks), on_remove="delete", threads=1)
        world.expire_leases()
    put(world, ("A", "Cup", 1.5), ("B", "Pan", 2.5))
    done = sync(world, on_remove="delete")

    assert RunEnd.CLEAN is done.end
    assert {"A": {"name": "Cup", "price": 1.5}, "B": {"name": "Pan", "price": 2.5}} == items(world)


# -- the catalog ---------------------------------------------------------------------------------


def test_catalog_that_is_not_there_is_created_if_asked(world: World) -> None:
    put(world, ("A", "Cup", 1.5))
    with pytest.raises(ConfigError, match=r"has no catalog 'Products'; create it .* say create_c"):
        sync(world, create_catalog=False)
    done = sync(world)

    assert "created the catalog 'Products'" in done.notes
    assert {"A"} == items(world).keys()


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param({"kind": "reset", "at": "handled"}, id="answer lost"),
        pytest.param({"kind": "reset", "at": "start"}, id="not there", marks=pytest.mark.all),
        pytest.param(
            {"kind": "answer", "status": 500, "body": {}}, id="a 500", marks=pytest.mark.all
        ),
    ],
)
def test_catalog_whose_creation_is_in_doubt_is_looked_for(
    world: World, fault: dict[str, Any]
) -> None:
    """It is created once, or again: its name says which it is."""
    world.server.app_state.fail([fault | {"endpoint": f"/api/catalogs/{NAME}", "times": 1}])
    put(world, ("A", "Cup", 1.5))
    sync(world)

    assert {"A"} == items(world).keys()


def test_catalog_that_cannot_be_created_ends_the_run(world: World) -> None:
    put(world, ("A", "Cup", 1.5))
    world.server.app_state.fail(
        [{"kind": "answer", "status": 503, "body": {}, "endpoint": f"/api/catalogs/{NAME}"}]
    )
    done = sync(world)

    assert (RunEnd.PENDING, 1) == (done.end, done.pending)
    assert any("not known whether the catalog 'Products' was created" in n for n in done.notes)


def test_catalog_that_somebody_deleted_is_no_empty_one(world: World) -> None:
    """It has nothing of what the state says; created anew it would lack all that did not change."""
    put(world, ("A", "Cup", 1.5), ("B", "Pan", 2.5))
    sync(world)
    with world.server.app_state.lock:
        world.server.app_state.catalogs.drop(NAME)
    put(world, ("A", "Cup", 9.5), ("B", "Pan", 2.5))
    with pytest.raises(ConfigError, match=r"no catalog 'Products' any more.* full_resync=True"):
        sync(world)
    sync(world, full_resync=True)

    assert {"A", "B"} == items(world).keys()


def test_catalog_that_goes_while_it_is_filled_stops_the_run(world: World) -> None:
    put(world, ("A", "Cup", 1.5))
    sync(world)
    put(world, ("A", "Mug", 1.5))
    world.answer_next(NO_CATALOG, path=ITEMS)
    with pytest.raises(ConfigError, match=r"items: HTTP 404 .* no catalog 'Products' any more"):
        sync(world)


def test_catalog_has_one_owner(world: World) -> None:
    """Whatever the case of its name; and the items of a sync are of one catalog."""
    put(world, ("A", "Cup", 1.5))
    sync(world)
    with pytest.raises(ConfigError, match=r"brings the catalog 'PRODUCTS', .* sync 'products'"):
        sync(world, sync="others", catalog="PRODUCTS")
    with pytest.raises(ConfigError, match=r"items of the catalog 'products', .*'Others'"):
        sync(world, catalog="Others")
    done = sync(world, catalog="PRODUCTS")

    assert (1, 0) == (done.unchanged, done.requests)
    assert ["Products"] == [one.name for one in world.server.app_state.catalogs]


# -- fields --------------------------------------------------------------------------------------

TYPES = {
    "sku": "text",
    "name": "text",
    "price": "double precision",
    "stock": "bigint",
    "is_new": "boolean",
    "made_on": "date",
    "seen_at": "timestamptz",
    "size__w": "bigint",
    "shop_geo_location": "text",
    "facts": "text",
    "tags": "text",
}
ROW = (
    *("A", "Cup", 1.5, 3, True, "2026-01-02", "2026-01-02 03:04:05+00", 4),
    *('{"lat":1.5,"lon":2.5}', '{"a":1}', '["x"]'),
)
JSON = {"facts": {"type": "json"}, "tags": {"type": "json"}}


def test_types_of_fields_are_set_before_the_first_item(either: World) -> None:
    """By the columns; of JSON that is a list it is left to a person, and said."""
    put(either, ROW, columns=TYPES)
    done = sync(either, fields=JSON)

    assert catalog(either).mappings == {
        "name": "string",
        "price": "double",
        "stock": "long",
        "is_new": "boolean",
        "made_on": "date",
        "seen_at": "date",
        "size": "object",
        "size.w": "long",
        "shop_geo_location": "geo_location",
        "facts": "object",
    }
    assert any(note.startswith("no type is set of tags: JSON") for note in done.notes)
    assert either.client is not None
    kinds = [next(iter(body), "create") for body in either.client.bodies]
    assert ["create", "mappingsUpdates", "replaceUploadedFieldsOnly"] == kinds


def test_only_new_fields_are_given_types(world: World) -> None:
    put(world, ("A", "Cup", 1.5))
    sync(world)
    columns = PRODUCTS | {"size__w": "bigint"}
    put(world, ("A", "Cup", 1.5, 7), columns=columns)
    done = sync(world)
    set_now = [note for note in done.notes if note.startswith("set the types")]
    put(world, ("A", "Cup", 1.5, 8), columns=columns)
    sync(world)

    assert [
        "set the types of 2 fields of the catalog 'Products': size (object), size.w (long)"
    ] == [*set_now]
    assert world.client is not None
    assert [{"A": {"size": {"w": 8}}}] == [body["documents"] for body in world.client.bodies]


def test_field_that_got_another_name_is_emptied_under_the_old_one(world: World) -> None:
    """But no part of an object, which would replace the object: it goes when that is sent."""
    columns = {"sku": "text", "title": "text", "size__w": "bigint", "size__h": "bigint"}
    put(world, ("A", "Cup", 1, 2), columns=columns)
    sync(world)
    done = sync(
        world,
        sql=f"{world.sql(table='products')} -- renamed",
        fields={"title": {"name": "name"}, "size__w": {"name": "width"}},
    )

    assert (1, {"A": {"title": None, "name": "Cup", "width": 1}}) == (done.changed, sent(world))
    assert {"w": 1, "h": 2} == items(world)["A"]["size"]


def test_names_of_items_are_no_names_of_people(world: World) -> None:
    """A profile's field that got another name is cleared, though items have one of the old name."""
    put(world, ("A", "Cup", 1.5))
    sync(world)
    columns = {"email": "text", "name": "text"}
    world.put(("a@b.cd", "Ana"), columns=columns)
    people = {"key": "email", "sql": world.sql()}
    world.sync(**people)
    world.sync(**people, fields={"name": {"name": "nick"}})

    assert {"a@b.cd": {"name": None, "nick": "Ana"}} == world.sent_fields


def test_field_of_another_type_stops_the_run(world: World) -> None:
    """Types stay for ever: a person decides, and nothing was sent."""
    create(world)
    with world.server.app_state.lock:
        catalog(world).mappings["price"] = Kind.LONG
    put(world, ("A", "Cup", 1.5))

    with pytest.raises(
        ConfigError, match=r"'price' of the catalog 'Products' has the type long, .* gives double"
    ):
        sync(world)
    assert {} == items(world)
    done = sync(world, exclude=("price",))
    assert RunEnd.CLEAN is done.end


@pytest.mark.parametrize("more", [-1, 0, 1], ids=["n-1", "n", "n+1"])
def test_catalog_has_so_many_fields_at_most(duckdb_world: World, more: int) -> None:
    """With those that it has already; and a run that comes near says so."""
    create(duckdb_world)
    with duckdb_world.server.app_state.lock:
        catalog(duckdb_world).seen = {f"f{n}": None for n in range(348 + more)}
    put(duckdb_world, ("A", "Cup", 1.5))

    if more > 0:
        with pytest.raises(ConfigError, match="would have 351 fields, 350 are allowed"):
            sync(duckdb_world)
        assert {} == items(duckdb_world)
    else:
        done = sync(duckdb_world)
        assert any(f"has {350 + more} fields, with those" in note for note in done.notes)


def test_new_fields_may_be_forbidden(duckdb_world: World) -> None:
    put(duckdb_world, ("A", "Cup", 1.5))
    create(duckdb_world)

    with pytest.raises(ConfigError, match=r"new_fields='fail', .* name \(string\), price"):
        sync(duckdb_world, new_fields="fail")


def test_dry_run_writes_nothing(world: World) -> None:
    """And says what a run would do."""
    put(world, ("A", "Cup", 1.5), ("B", "Pan", 2.5))
    done = sync(world, dry_run=True)

    assert world.client is not None
    assert [] == world.client.bodies
    assert 0 == len(world.server.app_state.catalogs)
    assert (2, 1) == (done.added, done.requests)
    assert [
        "a run would create the catalog 'Products'",
        "a run would set the types of 2 fields of the catalog 'Products': name (string), "
        "price (double)",
    ] == [note for note in done.notes if note.startswith("a run would")]


def test_types_are_asked_for_patiently(world: World) -> None:
    world.answer_next(
        {"status": 429, "headers": {"Retry-After": "1"}}, {"status": 500}, path=MAPPINGS
    )
    put(world, ("A", "Cup", 1.5))
    done = sync(world)

    assert RunEnd.CLEAN is done.end


def test_types_that_iterable_does_not_set_stop_the_run(world: World) -> None:
    """In words, and before any item is sent."""
    create(world)
    world.server.app_state.fail(
        [{"kind": "answer", "status": 400, "endpoint": MAPPINGS, "method": "PUT"}]
    )
    put(world, ("A", "Cup", 1.5))

    with pytest.raises(ConfigError, match=r"HTTP 400: Iterable does not set .* name \(string\)"):
        sync(world)
    assert {} == items(world)


def test_an_iterable_that_is_down_leaves_all_pending(world: World) -> None:
    put(world, ("A", "Cup", 1.5))
    world.server.app_state.fail([{"kind": "answer", "status": 500, "endpoint": f"{MAPPINGS}*"}])
    done = sync(world)

    assert (RunEnd.PENDING, 1, 0) == (done.end, done.pending, done.requests)


# -- read back -----------------------------------------------------------------------------------


def lose(world: World, **fields: Any) -> None:
    """Let Iterable have item A as if some of it had never arrived; without fields, all of it."""
    with world.server.app_state.lock:
        if fields:
            catalog(world).items["A"].value.update(fields)
        else:
            del catalog(world).items["A"]


def reads(world: World) -> int:
    with world.server.app_state.lock:
        found = world.server.app_state.history.page(0, 10**9)
    return sum(e.method == "GET" and e.path.startswith(ITEMS) for e in found)


@pytest.mark.parametrize(
    ("lost", "again"),
    [
        pytest.param({}, {"name": "Cup", "price": None}, id="the item"),
        pytest.param({"name": "old"}, {"name": "Cup"}, id="a field"),
        pytest.param({"price": 7.5}, {"price": None}, id="what was cleared"),
    ],
)
def test_what_did_not_arrive_is_sent_again(
    world: World, lost: dict[str, Any], again: dict[str, Any]
) -> None:
    """By the next run that finds it, before it compares anything; then Iterable has it."""
    put(world, ("A", "Cup", 2.5), ("B", "Pan", 2.5))
    sync(world)
    put(world, ("A", "Cup", None), ("B", "Pan", 2.5))
    sync(world)
    settle(world)
    lose(world, **lost)
    done = sync(world)

    assert {"A": again} == sent(world)
    (note,) = [note for note in done.notes if "that an earlier run sent" in note]
    missing = 0 if lost else 1
    assert f"of 1 items that an earlier run sent, {missing} are not in" in note
    assert "Cup" not in note
    assert valued(items(world)["A"]) == {"name": "Cup"}
    assert {} == world.dirty("products")


def test_items_that_arrived_are_left_alone(either: World) -> None:
    """Whatever their types; of many a sample is read."""
    put(either, ROW, *((f"S{n}", *ROW[1:]) for n in range(30)), columns=TYPES)
    sync(either, fields=JSON)
    settle(either)
    done = sync(either, fields=JSON, read_back_sample=7)

    assert (0, 31, 7) == (done.requests, done.unchanged, reads(either))
    assert not [note for note in done.notes if "earlier run" in note]


@pytest.mark.parametrize(
    ("hours", "changes"),
    [
        pytest.param(0, {}, id="too new"),
        pytest.param(1, {"read_back_sample": 0}, id="turned off"),
        pytest.param(1, {"dry_run": True}, id="dry run"),
    ],
)
def test_nothing_is_read_where_it_would_say_nothing(
    world: World, hours: int, changes: dict[str, Any]
) -> None:
    """What was just sent may not show yet: half an hour it is let alone."""
    put(world, ("A", "Cup", 1.5))
    sync(world)
    settle(world, hours)
    lose(world)
    done = sync(world, **changes)

    assert (0, 1) == (reads(world), done.unchanged)


def test_run_goes_on_where_nothing_can_be_read(world: World) -> None:
    """Nothing is doubted for want of an answer."""
    put(world, ("A", "Cup", 1.5))
    sync(world)
    settle(world)
    world.server.app_state.fail([{"kind": "answer", "status": 500, "endpoint": f"{ITEMS}/*"}])
    put(world, ("A", "Cup", 1.5), ("B", "Pan", 1.5))
    done = sync(world)

    assert (RunEnd.CLEAN, 1, 1) == (done.end, done.accepted, done.unchanged)
    assert {"B"} == sent(world).keys()


def test_drops_of_iterable_are_found_and_mended(duckdb_world: World) -> None:
    """Of 400 items a third was never applied; a run that reads all sends what is missing."""
    world = duckdb_world
    put(world, *((f"S{n}", "Cup", float(n)) for n in range(400)))
    world.server.fail({"kind": "drop", "fraction": 0.3, "endpoint": ITEMS, "times": 1})
    sync(world)
    missing = 400 - len(items(world))
    settle(world)
    done = sync(world, read_back_sample=400)

    assert 80 < missing < 160
    assert (missing, 400) == (done.accepted, len(items(world)))
