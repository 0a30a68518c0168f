"""Changes of addresses: what arrives in Iterable, in which order, and what is looked for before."""

from __future__ import annotations

import threading
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from change_world import (
    CHANGES,
    MERGE,
    addresses,
    calls,
    change,
    mail,
    put_changes,
    seed,
    sent_changes,
    sync_changes,
)
from crashes import Crash, crash_at
from iterable_sync.errors import ConfigError
from iterable_sync.rows import ProjectType, RunEnd

if TYPE_CHECKING:
    from harness import World

EMAIL, HYBRID, USER_ID = ProjectType.EMAIL, ProjectType.HYBRID, ProjectType.USER_ID
LOST: list[dict[str, Any]] = [
    {"kind": "reset", "at": "answer"},
    {"kind": "error", "status": 500, "apply": True},
    {"kind": "bad_json"},
]


@pytest.fixture
def shop(duckdb_world: World) -> World:
    """Give a project with the people a, b and c, and no syncs."""
    seed(duckdb_world, "abc")
    return duckdb_world


# -- one change ----------------------------------------------------------------------------------


@pytest.mark.capability("C12", "E30")
def test_change_moves_the_profile_once(world: World) -> None:
    """With all that it has; a later run sends it no more, and a new one goes."""
    seed(world, "ab", plan="pro")

    first = sync_changes(world, change(1, "a", "x"))
    later = sync_changes(world, change(1, "a", "x"), change(2, "b", "y"))

    assert (RunEnd.CLEAN, 1, 1) == (first.end, first.accepted, first.requests)
    assert (1, 1, 1) == (later.unchanged, later.accepted, later.requests)
    assert {"u-a": "x", "u-b": "y"} == addresses(world)
    assert "pro" == world.users()[mail("x")]["plan"]


def test_addresses_are_compared_folded(shop: World) -> None:
    """Without blanks around them, and in small letters; so is what is sent."""
    sync_changes(shop, change(1, "  A@Example.COM\t", " X@example.com "))

    assert [("a", "x")] == sent_changes(shop)
    assert {"u-a": "x", "u-b": "b", "u-c": "c"} == addresses(shop)


def test_change_to_itself_is_none(shop: World) -> None:
    report = sync_changes(shop, change(1, "a", " A@example.com"))

    assert (RunEnd.CLEAN, 1, 0) == (report.end, report.accepted, report.requests)


@pytest.mark.capability("C13")
@pytest.mark.parametrize(
    ("row", "reason"),
    [
        pytest.param(change(1, "nobody@", "x"), "not_an_address", id="old"),
        pytest.param(change(1, "a", "n@a@b.com"), "not_an_address", id="new"),
        pytest.param((*change(1, "a", "x")[:2], None, *change(1, "a", "x")[3:]), "not_an_address"),
        pytest.param(("c1", mail("a"), mail("x"), None, None), "missing_created_at", id="time"),
        pytest.param(("c1", "", mail("x"), change(1, "", "")[3], None), "missing_identifier"),
    ],
)
def test_row_that_is_no_change_is_rejected(shop: World, row: tuple[Any, ...], reason: str) -> None:
    report = sync_changes(shop, row, change(2, "b", "y"))

    assert (1, {reason: 1}) == (report.accepted, report.rejected_by_reason)
    assert [("b", "y")] == sent_changes(shop)


def test_first_run_is_held_as_a_whole_and_says_what_it_would_do(shop: World) -> None:
    """A later run is not, and a dry run sends nothing either."""
    rows = [change(1, "a", "x"), change(2, "b", "y")]

    dry = sync_changes(shop, *rows, dry_run=True)
    held = sync_changes(shop, first_sync=None)

    assert (2, 0) == (dry.requests, calls(shop))
    assert (RunEnd.HELD, 2, 0) == (held.end, held.held, held.requests)
    assert any("first_sync" in note for note in held.notes)
    assert 2 == sync_changes(shop).accepted


def test_changes_before_the_time_are_left_alone(shop: World) -> None:
    rows = [change(1, "a", "x", minute=-60 * 24 * 30), change(2, "b", "y")]
    since = change(0, "", "", minute=0)[3]

    report = sync_changes(shop, *rows, first_sync=None, since=since)

    assert (1, 1) == (report.queried, report.accepted)
    assert [("b", "y")] == sent_changes(shop)


# -- several changes -----------------------------------------------------------------------------


@pytest.mark.capability("C14")
def test_chain_of_a_person_is_one_request_and_all_its_rows_are_accepted(world: World) -> None:
    seed(world, "a")

    report = sync_changes(world, change(2, "x", "y"), change(3, "y", "z"), change(1, "a", "x"))
    sent = sent_changes(world)
    later = sync_changes(world)

    assert (3, 1, [("a", "z")]) == (report.accepted, report.requests, sent)
    assert (0, 3) == (later.requests, later.unchanged)
    assert {"u-a": "z"} == addresses(world)


def test_refused_chain_is_refused_with_all_its_rows(shop: World) -> None:
    report = sync_changes(shop, change(1, "a", "x"), change(2, "x", "b"))

    assert (0, {"target_exists": 2}) == (report.accepted, report.rejected_by_reason)
    assert {("c1", "", "target_exists"), ("c2", "", "target_exists")} == shop.rejections()


def test_people_go_in_the_order_of_time_and_never_at_once(world: World) -> None:
    """Each to the address that the one before has just left, with many threads."""
    seed(world, "abcdef")
    names = "abcdefg"
    rows = [change(10 - place, old, new) for place, (old, new) in enumerate(pairwise(names))]
    on_their_way: list[int] = []
    most: list[int] = []
    lock = threading.Lock()

    def before(number: int, _rows: Any) -> None:
        with lock:
            on_their_way.append(number)
            most.append(len(on_their_way))

    def after(number: int, _rows: Any) -> None:
        with lock:
            on_their_way.remove(number)

    client = world.connect(before=before, after=after)

    report = sync_changes(world, *rows, client=client, threads=4)

    assert (RunEnd.CLEAN, 6, 1) == (report.end, report.accepted, max(most))
    assert list(pairwise(names))[::-1] == sent_changes(world)
    assert {f"u-{old}": new for old, new in pairwise(names)} == (addresses(world))


@pytest.mark.capability("C14")
def test_swap_is_named_and_nobody_beside_it_is_touched(world: World) -> None:
    """And stays so in the next run, until one of the two goes somewhere else."""
    seed(world, "abc")
    rows = [change(1, "a", "b", "u-a", minute=1), change(2, "b", "a", "u-b", minute=1)]

    report = sync_changes(world, *rows, change(3, "c", "x"))
    again = sync_changes(world)
    solved = sync_changes(world, *rows, change(3, "c", "x"), change(4, "a", "y", "u-b"))

    assert (1, {"email_cycle": 2}) == (report.accepted, report.rejected_by_reason)
    assert (0, 2) == (again.requests, again.still_rejected)
    assert (3, 2) == (solved.accepted, solved.requests)
    assert {"u-a": "b", "u-b": "y", "u-c": "x"} == addresses(world)
    assert set() == world.rejections()


def test_two_that_want_the_same_at_the_same_time_are_refused(shop: World) -> None:
    report = sync_changes(shop, change(1, "a", "x", minute=1), change(2, "b", "x", minute=1))

    assert {"ambiguous_change": 2} == report.rejected_by_reason
    assert 0 == calls(shop)


@pytest.mark.capability("C14")
def test_who_was_refused_goes_along_when_the_way_is_free(shop: World) -> None:
    """The row waits for a day; that the other one leaves brings it back at once."""
    first = sync_changes(shop, change(1, "a", "b"))
    second = sync_changes(shop, change(1, "a", "b"), change(2, "b", "x", minute=0))

    assert ({"target_exists": 1}, 2) == (first.rejected_by_reason, second.accepted)
    assert [("b", "x"), ("a", "b")] == sent_changes(shop)
    assert set() == shop.rejections()


def test_many_bad_addresses_link_nobody(shop: World) -> None:
    """A placeholder that many rows have does not make one queue of all of them."""
    rows = [change(n, f"p{n}", "n/a@") for n in range(30)]

    report = sync_changes(shop, *rows, change(40, "a", "x"))

    assert (1, {"not_an_address": 30}) == (report.accepted, report.rejected_by_reason)
    identities = {row[0] for row in shop.rows("SELECT key FROM {rejections}")}
    assert 30 == len(identities)


# -- what is looked for --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "policy", "accepted", "note", "requests", "expected"),
    [
        pytest.param(change(1, "x", "a"), {}, 1, "Iterable has it so already", [], "abc", id="new"),
        pytest.param(change(1, "x", "y"), {}, 1, "does not know the person", [], "abc", id="none"),
        pytest.param(change(1, "a", "b"), {}, 0, "", [], "abc", id="both-fail"),
        pytest.param(
            change(1, "a", "b"),
            {"on_target_exists": "leave"},
            1,
            "both profiles stay",
            [],
            "abc",
            id="both-leave",
        ),
        pytest.param(
            change(1, "a", "b"),
            {"on_target_exists": "merge", "allow_merge": True},
            1,
            "merged into that one",
            [("a", "b")],
            "bc",
            id="both-merge",
        ),
    ],
)
def test_look_decides_what_is_sent(
    shop: World,
    row: tuple[Any, ...],
    policy: dict[str, Any],
    accepted: int,
    note: str,
    requests: list[tuple[str, str]],
    expected: str,
) -> None:
    """Nothing is sent that is done, or that has nobody to be done to; and it is said."""
    report = sync_changes(shop, row, **policy)

    assert (accepted, 1 - accepted) == (report.accepted, report.rejected)
    assert [note] == [note for one in report.notes if note in one] or not note
    assert requests == sent_changes(shop)
    assert {("POST", MERGE)} >= set(shop.client.endpoints)  # type: ignore[union-attr]
    assert sorted(expected) == sorted(addresses(shop).values())


def test_profile_of_somebody_else_is_not_moved(shop: World) -> None:
    """An old change of a person who is gone; the address has another owner by now."""
    report = sync_changes(
        shop,
        change(1, "a", "x", "u-long-gone"),
        change(2, "y", "b", "u-of-nobody"),
        change(3, "c", "z", "u-c"),
    )

    assert (3, [("c", "z")]) == (report.accepted, sent_changes(shop))
    assert any(note.startswith("2 rows: Iterable does not know") for note in report.notes)


@pytest.mark.parametrize("fault", LOST, ids=lambda fault: str(fault["kind"]))
def test_lost_answer_is_resolved_by_a_look(shop: World, fault: dict[str, Any]) -> None:
    """Not by a second call, which Iterable would refuse."""
    shop.server.app_state.fail([fault | {"endpoint": "/api/users/updateEmail", "times": 1}])

    report = sync_changes(shop, change(1, "a", "x"))

    assert (RunEnd.CLEAN, 1, 1) == (report.end, report.accepted, calls(shop))
    assert "x" == addresses(shop)["u-a"]


def test_answer_of_a_request_that_was_not_applied_is_sent_again(shop: World) -> None:
    fault = {"kind": "error", "status": 503, "apply": False, "endpoint": "/api/users/updateEmail"}
    shop.server.app_state.fail([fault | {"times": 1}])

    report = sync_changes(shop, change(1, "a", "x"))

    assert (1, 2, "x") == (report.accepted, calls(shop), addresses(shop)["u-a"])


@pytest.mark.parametrize("applied", [True, False])
def test_run_that_dies_is_gone_on_with_by_a_look(world: World, applied: bool) -> None:
    seed(world, "ab")
    hook = {"after" if applied else "before": crash_at(1)}
    put_changes(world, change(1, "a", "x"), change(2, "b", "y"))
    with pytest.raises(Crash):
        sync_changes(world, client=world.connect(**hook), threads=1)
    world.expire_leases()

    report = sync_changes(world)

    assert (RunEnd.CLEAN, 2) == (report.end, report.accepted)
    assert 2 == calls(world)
    assert {"u-a": "x", "u-b": "y"} == addresses(world)


@pytest.mark.parametrize("who", ["u-a", None])
def test_chain_goes_on_from_where_a_run_died(world: World, who: str | None) -> None:
    """
    Its first half was applied and nobody noted it; then comes the second half.

    Without a name the one in between may be somebody else, who is not moved: it is said.
    """
    seed(world, "a")
    put_changes(world, change(1, "a", "x", who))
    with pytest.raises(Crash):
        sync_changes(world, client=world.connect(after=crash_at(1)))
    world.expire_leases()

    report = sync_changes(world, change(1, "a", "x", who), change(2, "x", "y", who))

    if who is None:
        assert ({"not_found": 2}, {"u-a": "x"}) == (report.rejected_by_reason, addresses(world))
        return
    assert (2, [("x", "y")]) == (report.accepted, sent_changes(world))
    assert {"u-a": "y"} == addresses(world)


def test_iterable_that_cannot_be_looked_at_leaves_the_rows_pending(shop: World) -> None:
    rule = {"kind": "error", "status": 503, "endpoint": "/api/users/getByEmail"}
    shop.server.app_state.fail([rule])

    report = sync_changes(shop, change(1, "a", "x"))

    assert (RunEnd.PENDING, 1, 0) == (report.end, report.pending, calls(shop))
    shop.server.app_state.fail([])
    assert 1 == sync_changes(shop).accepted


def test_refusal_of_iterable_is_one_of_the_row(shop: World) -> None:
    """Somebody took the address between the look and the request."""

    def take(_number: int, _rows: Any) -> None:
        seed(shop, "x")

    report = sync_changes(shop, change(1, "a", "x"), client=shop.connect(before=take))

    assert {"target_exists": 1} == report.rejected_by_reason


# -- other projects ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [HYBRID, USER_ID])
def test_where_the_user_id_counts_the_address_is_a_field(
    duckdb_world: World, kind: ProjectType
) -> None:
    """An ordinary update by the userId; who has none is rejected, and who is unknown not made."""
    world = duckdb_world.with_project(kind)
    seed(world, "ab")

    report = sync_changes(
        world,
        change(1, "a", "x", "u-a"),
        change(2, "x", "y", "u-a"),
        change(3, "b", "z"),
        change(4, "c", "z2", "u-nobody"),
    )

    assert (3, {"missing_identifier": 1}) == (report.accepted, report.rejected_by_reason)
    assert [("POST", "/api/users/update")] == world.client.endpoints  # type: ignore[union-attr]
    assert [{"userId": "u-a", "dataFields": {"email": mail("y")}}] == world.client.bodies  # type: ignore[union-attr]
    emails = {key: fields["email"] for key, fields in world.users().items()}
    assert {"u-a": mail("y"), "u-b": mail("b")} == {
        fields["userId"]: emails[key] for key, fields in world.users().items()
    }


def test_hybrid_project_has_an_address_once(duckdb_world: World) -> None:
    """Taken is taken; people who pass it on go one after the other, and a circle is named."""
    world = duckdb_world.with_project(HYBRID)
    seed(world, "abcde")

    report = sync_changes(
        world,
        change(1, "a", "b", "u-a", minute=2),
        change(2, "b", "x", "u-b", minute=2),
        change(3, "c", "d", "u-c", minute=2),
        change(4, "d", "c", "u-d", minute=2),
        change(5, "e", "a2", "u-e"),
        change(6, "a2", "c", "u-e"),
    )

    assert {"email_cycle": 2, "target_exists": 2} == report.rejected_by_reason
    found = {fields["userId"]: fields["email"] for fields in world.users().values()}
    assert {f"u-{old}": mail(new) for old, new in zip("abcde", "bxcde", strict=True)} == found


def test_in_projects_by_user_id_people_may_change_places(duckdb_world: World) -> None:
    world = duckdb_world.with_project(USER_ID)
    seed(world, "ab")

    report = sync_changes(
        world, change(1, "a", "b", "u-a", minute=1), change(2, "b", "a", "u-b", minute=1)
    )

    assert (2, {"u-a": mail("b"), "u-b": mail("a")}) == (
        report.accepted,
        {fields["userId"]: fields["email"] for fields in world.users().values()},
    )


def test_address_that_went_on_elsewhere_is_not_set_back(duckdb_world: World) -> None:
    """A change of before, which the application has made long ago, and then another one."""
    world = duckdb_world.with_project(HYBRID)
    seed(world, "c")

    report = sync_changes(world, change(1, "a", "b", "u-c"))

    assert (1, 0) == (report.accepted, report.requests)
    assert [mail("c")] == [fields["email"] for fields in world.users().values()]


# -- declarations --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "declared", "words"),
    [
        (EMAIL, {"on_target_exists": "merge"}, "deletes the profile of the old address"),
        (HYBRID, {"on_target_exists": "merge", "allow_merge": True}, "is for projects by e-mail"),
        (USER_ID, {"derive_from": "users"}, "the sync of users sends a new address by itself"),
        (EMAIL, {"key": "old_email"}, "is an identifier of a person"),
        (EMAIL, {"columns": list(CHANGES)[:3]}, "created_at names columns that .* changed_at"),
        (EMAIL, {"columns": ["change_id", "old_email", "changed_at"]}, "need a column 'new_email'"),
        (EMAIL, {"on_remove": "clear"}, "on_remove='clear' is not for email_changes"),
    ],
)
def test_declaration_that_does_not_fit_is_an_error_before_anything_is_read(
    duckdb_world: World, kind: ProjectType, declared: dict[str, Any], words: str
) -> None:
    world = duckdb_world.with_project(kind)
    put_changes(world, change(1, "a", "x"))

    with pytest.raises(ConfigError, match=words):
        sync_changes(world, **declared)

    assert 0 == calls(world)


def test_addresses_are_in_no_log_and_no_note(shop: World, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG"):
        report = sync_changes(shop, change(1, "a", "x"), change(2, "b", "c"), change(3, "q", "r"))

    assert "@example.com" not in caplog.text
    assert not any("@" in note for note in report.notes)
