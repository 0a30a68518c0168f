"""Static lists from the query to Iterable: who is in which, and which list a name means."""

from __future__ import annotations

import random
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import pytest

import list_world as lists
from iterable_sync.errors import ConfigError
from iterable_sync.rows import ProjectType, RunEnd
from iterable_sync.sandbox.memberships import ListKind
from list_world import NAME, create, ids, mails, members, members_of, pins, put, requests, sync

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness import World

SUBSCRIBE, UNSUBSCRIBE = "/api/lists/subscribe", "/api/lists/unsubscribe"
UNKNOWN = {
    "status": 400,
    "body": {
        "msg": "error.lists.invalidListId(100001)",
        "code": "Success",
        "params": {"projectId": 1, "listId": 100001},
    },
}


class Killed(BaseException):
    """The process is gone."""


def addresses(*numbers: int) -> set[str]:
    return {mail for (mail,) in mails(*numbers)}


# -- who is in a list ----------------------------------------------------------------------------


@pytest.mark.capability("E8")
@pytest.mark.parametrize("project", list(ProjectType))
def test_list_has_the_rows_of_the_model_after_each_run(world: World, project: ProjectType) -> None:
    """Members come, go and come back, named as the project names them."""
    world.with_project(project)
    column = "email" if project is ProjectType.EMAIL else "user_id"
    names = {n: f"u{n}@example.com" if column == "email" else f"U{n}" for n in range(1, 6)}

    for days_members in ([1, 2, 3], [2, 3, 4], [1, 4], [1, 4], [1, 2, 5]):
        put(world, *[(names[n],) for n in days_members], columns={column: "text"})
        done = sync(world, key=column, guards={"removed_floor": 100})

        assert RunEnd.CLEAN == done.end
        assert {names[n] for n in days_members} == members(world)


def test_each_audience_is_a_list_and_later_runs_send_what_changed(world: World) -> None:
    """Over random days, what is in Iterable and what was sent is what plain Python says."""
    rng = random.Random(7)  # noqa: S311 - must repeat
    before: set[tuple[str, str]] = set()
    for _ in range(5):
        now = {
            (f"u{rng.randrange(12)}@example.com", rng.choice(["VIP", "New", "50 % off", "Ünal"]))
            for _ in range(20)
        }
        put(world, *sorted(now), columns=lists.AUDIENCES)
        done = audiences(world)

        inside = defaultdict(set)
        for mail, name in now:
            inside[name].add(mail)
        assert {name: members(world, name) for name in inside} == inside
        assert (len(now - before), len(before - now)) == (done.accepted, done.removed_accepted)
        assert sorted(now - before) == sent(world, SUBSCRIBE)
        assert sorted(before - now) == sent(world, UNSUBSCRIBE)
        before = now


def audiences(world: World, **changes: Any) -> Any:
    return sync(world, **{"key": ("email", "audience"), "list_name": None} | changes)


def sent(world: World, path: str) -> list[tuple[str, str]]:
    """Give who was in the latest client's requests, and in which list."""
    number_of = {number: name for name, (number, _) in pins(world).items()}
    assert world.client is not None
    return sorted(
        (row["email"], number_of[body["listId"]])
        for body in world.client.bodies
        if "subscribers" in body and ("channelUnsubscribe" in body) is (path == UNSUBSCRIBE)
        for row in body["subscribers"]
    )


def test_who_left_the_query_stays_where_that_is_wanted(world: World) -> None:
    put(world, *mails(1, 2))
    sync(world, on_remove="ignore")
    put(world, *mails(2))
    done = sync(world, on_remove="ignore")

    assert (1, 0) == (done.removed_ignored, done.requests)
    assert addresses(1, 2) == members(world)


def test_somebody_who_has_another_row_of_the_list_stays_in_it(world: World) -> None:
    """A customer number that was replaced takes nobody out of a list."""
    columns = {"customer": "bigint", "email": "text"}
    put(world, (1, "u1@example.com"), (2, "u2@example.com"), columns=columns)
    sync(world, key="customer")
    put(world, (3, "u1@example.com"), columns=columns)
    sync(world, key="customer")

    assert addresses(1) == members(world)


def test_somebody_unknown_to_iterable_has_left(world: World) -> None:
    put(world, *mails(1, 2))
    sync(world)
    with world.server.app_state.lock:
        state = world.server.app_state
        person = next(p for _, p in state.people.profiles() if p.email == "u1@example.com")
        state.people.drop(person)
    put(world, *mails(2))
    done = sync(world)

    assert (1, 0) == (done.removed_accepted, done.removed_rejected)


def test_a_row_that_is_refused_costs_only_itself(world: World) -> None:
    put(world, *mails(1, 2), ("no address",))
    done = sync(world)

    assert (2, 1, {"invalid_email": 1}) == (
        done.accepted,
        done.rejected,
        done.rejected_by_reason,
    )
    assert addresses(1, 2) == members(world)


def test_an_answer_that_is_lost_is_asked_for_again(world: World) -> None:
    world.server.app_state.fail(
        [{"kind": "reset", "at": "handled", "endpoint": SUBSCRIBE, "times": 1}]
    )
    put(world, *mails(1, 2))
    done = sync(world)

    assert (2, 2) == (done.accepted, done.requests)
    assert addresses(1, 2) == members(world)


def test_who_was_on_the_way_when_a_run_died_and_then_left_is_unsubscribed(world: World) -> None:
    def die(_number: int, rows: list[Any]) -> None:
        if rows:
            raise Killed

    put(world, *mails(1, 2))
    with pytest.raises(Killed):
        sync(world, client=world.connect(after=die))
    world.expire_leases()
    put(world, *mails(2))
    sync(world)

    assert addresses(2) == members(world)


# -- which list ----------------------------------------------------------------------------------


def test_list_is_created_once_and_pinned(world: World) -> None:
    """Later runs do not look it up: renamed in Iterable, it stays the list of the sync."""
    put(world, *mails(1))
    first = sync(world)
    (number,) = ids(world)
    with world.server.app_state.lock:
        world.server.app_state.lists.get(number).name = "Very important"
    put(world, *mails(1, 2))
    sync(world)

    assert [f"created the list 'VIP' ({number})"] == [n for n in first.notes if "created" in n]
    assert {NAME: (number, True)} == pins(world)
    assert addresses(1, 2) == members_of(world, number)
    assert 1 == requests(world, method="GET").count("/api/lists")


@pytest.mark.capability("E7")
def test_list_that_is_there_is_taken(world: World) -> None:
    number = create(world)
    put(world, *mails(1))
    sync(world)

    assert {NAME: (number, False)} == pins(world)
    assert [SUBSCRIBE] == requests(world)


@pytest.mark.capability("E39")
@pytest.mark.parametrize(
    ("there", "changes", "words"),
    [
        pytest.param([ListKind.DYNAMIC], {}, "'VIP' .* is no static one", id="dynamic"),
        pytest.param([ListKind.STANDARD] * 2, {}, "2 lists of the name 'VIP': 100", id="two"),
        pytest.param([], {"create_list": False}, "has no list 'VIP'; create it", id="none"),
        pytest.param(
            [], {"list_id": 4711, "list_name": None}, "list_id=4711: project 1.us has no", id="id"
        ),
    ],
)
def test_list_that_cannot_be_is_an_error_before_anything_is_sent(
    duckdb_world: World, there: Iterable[ListKind], changes: dict[str, Any], words: str
) -> None:
    numbers = [create(duckdb_world, kind=kind) for kind in there]
    put(duckdb_world, *mails(1))

    with pytest.raises(ConfigError, match=words) as caught:
        sync(duckdb_world, **changes)

    assert all(str(number) in str(caught.value) for number in numbers)
    assert [] == requests(duckdb_world)
    assert ["failed"] == duckdb_world.runs()


@pytest.mark.capability("E7")
def test_list_by_its_id_is_never_looked_for_by_name(world: World) -> None:
    number = create(world, "Whatever it is called")
    put(world, *mails(1, 2))
    sync(world, list_id=number, list_name=None)
    put(world, *mails(2))
    sync(world, list_id=number, list_name=None)

    assert addresses(2) == members_of(world, number)
    assert {} == pins(world)


@pytest.mark.capability("E11")
def test_dynamic_list_by_its_id_is_refused(duckdb_world: World) -> None:
    number = create(duckdb_world, kind=ListKind.DYNAMIC)
    put(duckdb_world, *mails(1))

    with pytest.raises(ConfigError, match=f"list_id={number}: 'VIP' is no static list"):
        sync(duckdb_world, list_id=number, list_name=None)


def test_list_of_another_sync_is_not_touched(duckdb_world: World) -> None:
    put(duckdb_world, *mails(1))
    sync(duckdb_world)

    with pytest.raises(ConfigError, match=r"'VIP'.* belongs to sync 'vip'"):
        sync(duckdb_world, sync="other")


def test_list_of_another_sync_is_not_touched_by_its_id_either(duckdb_world: World) -> None:
    put(duckdb_world, *mails(1))
    sync(duckdb_world)
    (number,) = ids(duckdb_world)

    with pytest.raises(ConfigError, match=f"the list {number}, which sync 'vip' keeps as 'VIP'"):
        sync(duckdb_world, sync="other", list_id=number, list_name=None)


def test_a_sync_that_is_given_another_list_needs_to_be_told(world: World) -> None:
    """What the snapshot says of the one is not in the other."""
    put(world, *mails(1, 2))
    sync(world)
    put(world, *mails(1, 2, 3))
    with pytest.raises(ConfigError, match=r"kept the list 'VIP' \(.*full_resync=True"):
        sync(world, list_name="Gold")
    sync(world, list_name="Gold", full_resync=True)

    assert addresses(1, 2, 3) == members(world, "Gold")


def test_same_list_by_its_id_instead_of_its_name_is_no_other(world: World) -> None:
    put(world, *mails(1))
    sync(world)
    put(world, *mails(1, 2))
    sync(world, list_id=ids(world)[0], list_name=None)

    assert addresses(1, 2) == members(world)


def test_list_that_people_only_leave_is_not_created(world: World) -> None:
    """An audience that a seed names and Iterable does not have has nobody in it."""
    put(world, ("u1@example.com", "VIP"), columns=lists.AUDIENCES)
    seed = "SELECT 'u9@example.com' AS email, 'Old' AS audience"
    done = audiences(world, seed_sql=seed)

    assert (1, 1) == (done.accepted, done.removed_accepted)
    assert [] == ids(world, "Old")


# -- a creation whose outcome is unknown ---------------------------------------------------------


def lose_the_creation(world: World) -> None:
    world.server.app_state.fail(
        [
            {
                "kind": "reset",
                "at": "handled",
                "endpoint": "/api/lists",
                "method": "POST",
                "times": 1,
            }
        ]
    )


def test_list_whose_answer_was_lost_is_found_and_not_created_twice(world: World) -> None:
    lose_the_creation(world)
    put(world, *mails(1))
    done = sync(world)

    (number,) = ids(world)
    assert {NAME: (number, True)} == pins(world)
    assert f"created the list 'VIP' ({number}), whose answer was lost" in done.notes
    assert addresses(1) == members(world)


def test_two_lists_after_a_lost_answer_are_named(world: World) -> None:
    """Somebody else made one of that name in the same moment: a person decides."""
    lose_the_creation(world)
    put(world, *mails(1))
    client = world.connect(before=lambda n, _rows: create(world) and None if n == 1 else None)

    with pytest.raises(ConfigError, match="has 2 lists of the name") as caught:
        sync(world, client=client)

    assert all(str(number) in str(caught.value) for number in ids(world))
    assert [(None, None)] == list(pins(world).values())


@pytest.mark.parametrize("moment", ["before", "after"])
def test_run_that_died_while_it_created_a_list_makes_no_second_one(
    world: World, moment: str
) -> None:
    """The next run looks first, and waits as long as Iterable may need to show the list."""

    def die(number: int, _rows: list[Any]) -> None:
        if number == 1:
            raise Killed

    put(world, *mails(1))
    with pytest.raises(Killed):
        sync(world, client=world.connect(**{moment: die}))
    world.expire_leases()

    if moment == "before":
        waiting = sync(world)
        assert (RunEnd.PENDING, 1, []) == (waiting.end, waiting.pending, ids(world))
        assert 0 < (waiting.retry_after_s or 0) <= 60
        world.write("UPDATE {lists} SET intent_at = now() - INTERVAL '2 minutes'")
    done = sync(world)

    assert RunEnd.CLEAN == done.end
    assert 1 == len(ids(world))
    assert addresses(1) == members(world)


def test_second_list_that_shows_up_late_is_named(world: World) -> None:
    """The first request was taken after all, after the second one was sent."""

    def die(_number: int, _rows: list[Any]) -> None:
        raise Killed

    put(world, *mails(1))
    with pytest.raises(Killed):
        sync(world, client=world.connect(before=die))
    world.expire_leases()
    world.write("UPDATE {lists} SET intent_at = now() - INTERVAL '2 minutes'")

    with pytest.raises(ConfigError, match="has 2 lists of the name"):
        sync(world, client=world.connect(before=lambda _n, _rows: create(world) and None))


def test_creation_that_is_certainly_refused_is_tried_again(duckdb_world: World) -> None:
    duckdb_world.answer_next({"status": 429}, {"status": 429}, path="/api/lists")
    put(duckdb_world, *mails(1))
    sync(duckdb_world)

    assert addresses(1) == members(duckdb_world)


# -- a list that is not there --------------------------------------------------------------------


def test_list_that_was_deleted_in_iterable_ends_the_run_with_the_way_out(world: World) -> None:
    """No row is rejected for it, and what the message says mends it."""
    put(world, *mails(1, 2))
    sync(world)
    (number,) = ids(world)
    lists.delete(world, number)
    put(world, *mails(1, 2, 3))

    world.write("UPDATE {lists} SET pinned_at = now() - INTERVAL '1 hour'")
    with pytest.raises(ConfigError, match="the table lists") as caught:
        sync(world)
    world.write("DELETE FROM {lists}")
    with pytest.raises(ConfigError, match="full_resync=True"):
        sync(world)
    sync(world, full_resync=True)

    assert str(number) in str(caught.value)
    assert set() == world.rejections()
    assert addresses(1, 2, 3) == members(world)


def test_new_list_that_iterable_does_not_know_for_a_moment_is_waited_for(world: World) -> None:
    world.answer_next(UNKNOWN, UNKNOWN, path=SUBSCRIBE)
    put(world, *mails(1, 2))
    done = sync(world)

    assert (RunEnd.CLEAN, 2, 3) == (done.end, done.accepted, done.requests)
    assert addresses(1, 2) == members(world)


def test_new_list_that_stays_unknown_is_a_matter_of_the_next_run(world: World) -> None:
    world.answer_next(*[UNKNOWN] * 6, path=SUBSCRIBE)
    put(world, *mails(1, 2))
    done = sync(world)
    again = sync(world)

    assert (RunEnd.PENDING, 2) == (done.end, done.pending)
    assert (RunEnd.CLEAN, 2) == (again.end, again.accepted)


# -- a dry run -----------------------------------------------------------------------------------


def test_dry_run_creates_nothing_and_says_what_it_would(world: World) -> None:
    put(world, *mails(1, 2))
    done = sync(world, dry_run=True)

    assert ([], []) == (requests(world), ids(world))
    assert "a run would create the list 'VIP'" in done.notes
    assert 1 == done.requests


def test_dry_run_of_adoption_leaves_no_trace(world: World) -> None:
    number = create(world)
    lists.subscribe(world, number, "u1@example.com", "u9@example.com")
    put(world, *mails(1, 2))
    done = sync(world, dry_run=True, adopt_list=True)

    later = sync(world, adopt_list=True)

    assert (1, 1, 1) == (done.unchanged, done.added, done.removed)
    assert (1, 1, 1) == (later.unchanged, later.accepted, later.removed_accepted)


def test_dry_run_of_adoption_writes_nothing_into_the_snapshot_of_a_sync(world: World) -> None:
    """A run was held before, so the sync is known, and nobody was sent."""
    number = create(world)
    lists.subscribe(world, number, "u1@example.com")
    put(world, *mails(1, 2))
    sync(world, first_sync=1)
    sync(world, first_sync=1, dry_run=True, adopt_list=True)

    assert {} == world.snapshot("vip")


# -- adoption ------------------------------------------------------------------------------------


def test_who_is_in_the_list_already_is_not_sent_and_who_should_not_be_leaves(
    world: World,
) -> None:
    number = create(world)
    lists.subscribe(world, number, "u1@example.com", "u2@example.com", "u9@example.com")
    put(world, *mails(1, 2, 3))
    done = sync(world, adopt_list=True)
    put(world, *mails(1, 3))
    later = sync(world, adopt_list=True)

    assert (2, 1, 1) == (done.unchanged, done.accepted, done.removed_accepted)
    assert (2, 1) == (later.unchanged, later.removed_accepted)
    assert f"took 3 members of the list {number} for sent" in done.notes
    assert not [note for note in later.notes if "took" in note]
    assert addresses(1, 3) == members(world)
    assert 1 == requests(world, method="GET").count("/api/lists/getUsers")


def test_adopted_members_are_removed_under_the_guards(world: World) -> None:
    number = create(world)
    lists.subscribe(world, number, *addresses(*range(20)))
    put(world, *mails(1))
    done = sync(world, adopt_list=True, guards={"removed_floor": 5})

    assert (RunEnd.HELD, 19) == (done.end, done.removed_held)
    assert 20 == len(members(world))


def test_members_without_a_user_id_are_left_in_the_list(world: World) -> None:
    world.with_project(ProjectType.HYBRID)
    number = create(world)
    client = world.connect()
    client.send(
        "POST",
        SUBSCRIBE,
        b'{"listId":%d,"subscribers":[{"userId":"U1"},{"userId":"U9"},{"email":"a@b.com"}]}'
        % number,
    )
    put(world, ("U1",), ("U2",), columns={"user_id": "text"})
    done = sync(world, key="user_id", adopt_list=True)

    assert {"U1", "U2", "a@b.com"} == members(world)
    assert any(note.startswith("1 members of the list have an e-mail") for note in done.notes)


def test_spelling_of_an_address_takes_nobody_out(world: World) -> None:
    """Iterable gives addresses lower-cased, and the warehouse as people typed them."""
    number = create(world)
    lists.subscribe(world, number, "u1@example.com")
    put(world, ("U1@Example.com",))
    sync(world, adopt_list=True)

    assert {"u1@example.com"} == members(world)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param({"key": "customer"}, "and the key is customer", id="another key"),
        pytest.param({"seed_sql": "SELECT 1"}, "leave one out", id="and a seed"),
    ],
)
def test_adoption_that_cannot_be_is_an_error(
    duckdb_world: World, changes: dict[str, Any], words: str
) -> None:
    create(duckdb_world)
    put(duckdb_world, (1, "u1@example.com"), columns={"customer": "bigint", "email": "text"})
    declared = {"exclude": () if "key" in changes else "customer"} | changes

    with pytest.raises(ConfigError, match=words):
        sync(duckdb_world, adopt_list=True, **declared)

    assert [] == requests(duckdb_world)


def test_list_that_is_not_there_has_nobody_to_adopt(world: World) -> None:
    put(world, *mails(1))
    done = sync(world, adopt_list=True)

    assert (1, addresses(1)) == (done.accepted, members(world))


# -- sizes ---------------------------------------------------------------------------------------


def compared(done: Any) -> list[str]:
    return [note for note in done.notes if "people in Iterable" in note or "compared" in note]


def test_size_that_differs_is_noted_and_no_failure(world: World) -> None:
    put(world, *mails(1, 2))
    first = sync(world)
    (number,) = ids(world)
    lists.subscribe(world, number, "u7@example.com")
    second = sync(world)

    assert [] == compared(first)
    assert RunEnd.CLEAN == second.end
    (note,) = compared(second)
    assert note.startswith(f"the list 'VIP' ({number}) has 3 people in Iterable, and 2 by this")


def test_who_was_accepted_a_moment_ago_is_not_missed(world: World) -> None:
    """Iterable shows later what it takes."""
    world.change(visibility_delay_s=3600)
    put(world, *mails(1, 2))

    assert [] == compared(sync(world))


def test_three_lists_are_compared_in_a_run_and_others_in_the_next(world: World) -> None:
    rows = [("u1@example.com", name) for name in "ABCDE"]
    put(world, *rows, columns=lists.AUDIENCES)
    first, second = audiences(world), audiences(world)

    asked = [path for path in requests(world, method="GET") if path.endswith("/size")]
    assert [3, 3] == [len(asked[:3]), len(asked[3:])]
    assert 5 == len(set(asked))
    assert all("2 lists were not compared" in compared(done)[0] for done in (first, second))


def test_size_that_cannot_be_read_costs_nothing(duckdb_world: World) -> None:
    duckdb_world.answer_next(*[{"status": 429}] * 9, path="/api/lists/1")
    put(duckdb_world, *mails(1))
    done = sync(duckdb_world)

    assert (RunEnd.CLEAN, []) == (done.end, compared(done))
